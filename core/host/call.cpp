#include "core/host/call.h"

#include <cstring>

namespace teal::host {

teal_error MakeError(teal_status code, std::string_view message, uint32_t outcome, uint64_t retry_after_ns) {
  teal_error error{};
  error.struct_size = sizeof error;
  error.code = code;
  error.outcome = outcome;
  error.retry_after_ns = retry_after_ns;
  size_t size = message.size();
  if (size >= sizeof error.message) {
    size = sizeof error.message - 1;
    while (size > 0 && (static_cast<unsigned char>(message[size]) & 0xc0) == 0x80) --size;
  }
  if (size > 0) std::memcpy(error.message, message.data(), size);
  return error;
}

const char* StatusName(teal_status status) {
  constexpr const char* kNames[] = {"TEAL_OK",          "TEAL_CONFLICT",  "TEAL_NOT_FOUND", "TEAL_INVALID",
                                    "TEAL_UNSUPPORTED", "TEAL_TOO_LARGE", "TEAL_THROTTLED", "TEAL_UNAVAILABLE",
                                    "TEAL_TIMEOUT",     "TEAL_CANCELLED", "TEAL_DENIED",    "TEAL_CORRUPT",
                                    "TEAL_CLOSED",      "TEAL_NO_MEMORY", "TEAL_INTERNAL"};
  constexpr auto kCount = static_cast<teal_status>(sizeof kNames / sizeof *kNames);
  return status >= 0 && status < kCount ? kNames[status] : "an unknown status";
}

std::string MessageOf(const teal_error& error) {
  return std::string(error.message, ::strnlen(error.message, sizeof error.message));
}

void End(const teal_call* call, const void* result) {
  call->done(call->done_ctx, nullptr, result);
}

void EndWith(const teal_call* call, teal_status code, std::string_view message, uint32_t outcome) {
  const teal_error error = MakeError(code, message, outcome);
  call->done(call->done_ctx, &error, nullptr);
}

}  // namespace teal::host
