// Reading the text of a program, with everything that can be wrong before a word of it is looked at.
#pragma once

#include <cstdio>
#include <string>

#include "core/lang/source.h"

namespace teal::lang {

struct SourceProblem {
  Position position;  // in the file; 1:1 where it concerns the whole of it
  std::string message;
  std::string hint;
};

// Appends the file to *text. At most one block more than kSourceBytesMax is read: CheckSourceText tells. False: there
// is no such file, it is a folder, or it cannot be read.
bool ReadSourceFile(const std::string& path, std::string* text, SourceProblem* problem);
// The same of an open stream, which stays open. name: as shown in messages.
bool ReadSourceStream(std::FILE* stream, const std::string& name, std::string* text, SourceProblem* problem);

// False: the text is larger than kSourceBytesMax or is not UTF-8.
bool CheckSourceText(const std::string& text, SourceProblem* problem);

// Does the name end as a source file's must?
bool HasSourceSuffix(const std::string& path);

}  // namespace teal::lang
