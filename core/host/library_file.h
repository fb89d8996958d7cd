// A plugin's library as a file: opened once, checked and hashed through that descriptor, never by its name again.
#pragma once

#include <sys/types.h>

#include <string>

#include "core/base/result.h"
#include "core/host/file.h"
#include "core/host/manifest.h"

namespace teal::host {

class TrustStore;

struct LibraryFile {
  UniqueFd fd;
  std::string sha256;  // of what the descriptor reads, 64 hexadecimal digits
  dev_t device = 0;
  ino_t inode = 0;
};

// Messages say what is wrong with `path` and begin with "the library"; the caller says whose. Refused: a file or folder
// that others can write or that belongs to a stranger, what is no 64-bit shared library of this machine's kind, more
// than kLibraryBytesMax.
Result<LibraryFile> OpenLibraryFile(const std::string& path);

// Everything LoadPlugin refuses before foreign code runs: the manifest's ABI, the file, its hash, trust (NULL: not
// asked for). Failures begin with `plugin "ID"`.
Result<LibraryFile> CheckLibrary(const Manifest& manifest, const TrustStore* trust);

}  // namespace teal::host
