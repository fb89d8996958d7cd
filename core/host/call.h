// Ending the calls a host serves: the struct errors of the border are made of, and `done`.
#pragma once

#include <string>
#include <string_view>

#include "teal/abi.h"

namespace teal::host {

inline std::string_view ViewOf(teal_bytes bytes) {
  return {reinterpret_cast<const char*>(bytes.data), bytes.size};
}
inline teal_bytes BytesOf(std::string_view text) {
  return {text.empty() ? nullptr : reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}

// `message` is cut at a character's end to what the struct holds.
teal_error MakeError(teal_status code, std::string_view message, uint32_t outcome = TEAL_NOT_APPLIED,
                     uint64_t retry_after_ns = 0);
// The name of a status in words: "TEAL_THROTTLED".
const char* StatusName(teal_status status);
// The text of an error the other side filled in, whatever its size and contents.
std::string MessageOf(const teal_error& error);

// Ends a call of which `done` is due, well or badly. Give TEAL_OK back after either.
void End(const teal_call* call, const void* result);
void EndWith(const teal_call* call, teal_status code, std::string_view message, uint32_t outcome = TEAL_NOT_APPLIED);

}  // namespace teal::host
