// The host builtins that need nothing of their session but its name: they are answered without any lock.
#pragma once

#include <string_view>

#include "core/runtime/clock.h"
#include "core/runtime/output.h"
#include "core/vm/thread.h"

namespace teal::runtime {

struct HostPlace {
  std::string_view sid;
  std::string_view tid;
  Clock& clock;
  OutputSink& output;
};

enum class HostAnswer : uint8_t { kNotMine, kValue, kError };

// print signal sid tid now random uuid env. Safe to call from any thread.
HostAnswer AnswerHostAlone(const HostPlace& place, const vm::Request& request, vm::Value* answer);

// 26 characters of base32 with 130 random bits: a session id.
std::string RandomSid();
// A session id that follows from `id`.
std::string SidOf(std::string_view id);

// A number of seconds; false, and in *error what to raise, for anything else and NaN. `what` names it.
bool SecondsOf(const vm::Value& value, std::string_view what, double* seconds, vm::Value* error);

}  // namespace teal::runtime
