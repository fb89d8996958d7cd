// Values as text, with a bound: what reaches one object in many ways can print far larger than it is.
#pragma once

#include <string>

#include "core/vm/value.h"

namespace teal::vm {

// Appends the text of v to *out: as Display (source_form false) or SourceForm (true). Gives false, with a part of the
// text appended, when *out would become longer than bytes_max.
bool AppendText(const Value& v, bool source_form, uint64_t bytes_max, std::string* out);

// The source form, cut behind at most bytes_max bytes, with "…" where that leaves something out.
std::string ShortForm(const Value& v, uint64_t bytes_max);

// "text" in quotes, with escapes, as source form has it.
void AppendQuoted(std::string_view utf8, std::string* out);

}  // namespace teal::vm
