// Base64 (RFC 4648, section 4): the standard alphabet, with padding.
#pragma once

#include <string>
#include <string_view>

namespace teal::vm {

void AppendBase64(std::string_view bytes, std::string* out);
// False when the text is not Base64: another character, wrong padding, or bits that no encoder sets.
bool DecodeBase64(std::string_view text, std::string* bytes);

}  // namespace teal::vm
