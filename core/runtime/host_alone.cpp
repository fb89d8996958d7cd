#include "core/runtime/host_alone.h"

#include <cmath>
#include <cstdlib>
#include <random>

#include "core/base/sha256.h"
#include "core/vm/builtins.h"

namespace teal::runtime {
namespace {

using vm::Tag;
using vm::Value;

std::mt19937_64& Generator() {
  thread_local std::mt19937_64 generator = [] {
    std::random_device device;
    std::seed_seq seed{device(), device(), device(), device(), device(), device(), device(), device()};
    return std::mt19937_64(seed);
  }();
  return generator;
}

HostAnswer Print(const HostPlace& place, const vm::Request& request, Value* answer) {
  Value& value = request.arguments[0];
  std::string line = Display(value);
  line += '\n';
  place.output.Write(place.sid, place.tid, line);
  *answer = std::move(value);
  return HostAnswer::kValue;
}

HostAnswer Signal(const HostPlace& place, const vm::Request& request, Value* answer) {
  const Value& kind = request.arguments[0];
  Value& message = request.arguments[1];
  if (kind.tag() != Tag::kString && kind.tag() != Tag::kSymbol) {
    *answer = vm::MakeError("type", "signal: the kind is a string, not a value of type " + std::string(TypeName(kind)));
    return HostAnswer::kError;
  }
  const std::string text = Display(message);
  place.output.Write(place.sid, place.tid, "[signal " + std::string(kind.Text()) + "]: " + text + "\n");
  if (kind.Text() == "error") {
    *answer = vm::MakeError("error", text);
    return HostAnswer::kError;
  }
  *answer = std::move(message);
  return HostAnswer::kValue;
}

// random(): a float in [0, 1). random(n): an integer in [0, n). random(a, b): an integer in [a, b).
HostAnswer Random(const vm::Request& request, Value* answer) {
  if (request.arguments.empty()) {
    *answer = Value::Float(static_cast<double>(Generator()() >> 11) * 0x1.0p-53);
    return HostAnswer::kValue;
  }
  for (const Value& bound : request.arguments) {
    if (bound.IsInt()) continue;
    *answer =
        vm::MakeError("type", "random: a bound is an integer, not a value of type " + std::string(TypeName(bound)));
    return HostAnswer::kError;
  }
  const bool two = request.arguments.size() == 2;
  const int64_t from = two ? request.arguments[0].AsInt() : 0;
  const int64_t to = request.arguments[two ? 1 : 0].AsInt();
  if (from >= to) {
    *answer = vm::MakeError(
        "value", "random: no integer is at least " + std::to_string(from) + " and less than " + std::to_string(to));
    return HostAnswer::kError;
  }
  *answer = Value::Int(std::uniform_int_distribution<int64_t>(from, to - 1)(Generator()));
  return HostAnswer::kValue;
}

std::string Uuid() {
  uint8_t bytes[16];
  const uint64_t words[2] = {Generator()(), Generator()()};
  std::memcpy(bytes, words, sizeof bytes);
  bytes[6] = static_cast<uint8_t>((bytes[6] & 0x0f) | 0x40);  // version 4
  bytes[8] = static_cast<uint8_t>((bytes[8] & 0x3f) | 0x80);  // the variant of RFC 9562
  std::string text;
  for (int i = 0; i < 16; ++i) {
    if (i == 4 || i == 6 || i == 8 || i == 10) text += '-';
    text += "0123456789abcdef"[bytes[i] >> 4];
    text += "0123456789abcdef"[bytes[i] & 15];
  }
  return text;
}

HostAnswer Env(const vm::Request& request, Value* answer) {
  const Value& name = request.arguments[0];
  if (name.tag() != Tag::kString) {
    *answer = vm::MakeError("type", "env: the name is a string, not a value of type " + std::string(TypeName(name)));
    return HostAnswer::kError;
  }
  const char* value = std::getenv(std::string(name.Text()).c_str());
  if (value == nullptr) {
    *answer = request.arguments.size() == 2 ? std::move(request.arguments[1]) : Value();
    return HostAnswer::kValue;
  }
  if (!vm::IsValidUtf8(value)) {
    *answer = vm::MakeError("type", "env: the variable " + std::string(name.Text()) + " is not UTF-8");
    return HostAnswer::kError;
  }
  *answer = vm::MakeString(value);
  return HostAnswer::kValue;
}

}  // namespace

HostAnswer AnswerHostAlone(const HostPlace& place, const vm::Request& request, Value* answer) {
  switch (request.id) {
    case vm::kBuiltin_print:
      return Print(place, request, answer);
    case vm::kBuiltin_signal:
      return Signal(place, request, answer);
    case vm::kBuiltin_sid:
      *answer = vm::MakeString(place.sid);
      return HostAnswer::kValue;
    case vm::kBuiltin_tid:
      *answer = vm::MakeString(place.tid);
      return HostAnswer::kValue;
    case vm::kBuiltin_now:
      *answer = Value::Float(static_cast<double>(place.clock.NowUnixNs()) / 1e9);
      return HostAnswer::kValue;
    case vm::kBuiltin_random:
      return Random(request, answer);
    case vm::kBuiltin_uuid:
      *answer = vm::MakeString(Uuid());
      return HostAnswer::kValue;
    case vm::kBuiltin_env:
      return Env(request, answer);
    default:
      return HostAnswer::kNotMine;
  }
}

namespace {

constexpr size_t kSidChars = 26;

std::string Base32(const uint8_t* bytes, size_t size) {
  std::string text;
  uint32_t bits = 0;
  int count = 0;
  for (size_t i = 0; i < size && text.size() < kSidChars; ++i) {
    bits = bits << 8 | bytes[i];
    for (count += 8; count >= 5 && text.size() < kSidChars; count -= 5) {
      text += "abcdefghijklmnopqrstuvwxyz234567"[bits >> (count - 5) & 31];
    }
  }
  return text;
}

}  // namespace

std::string RandomSid() {
  uint64_t words[3] = {Generator()(), Generator()(), Generator()()};
  uint8_t bytes[sizeof words];
  std::memcpy(bytes, words, sizeof bytes);
  return Base32(bytes, sizeof bytes);
}

std::string SidOf(std::string_view id) {
  const Sha256 digest = Sha256Of(id);
  return Base32(digest.data(), digest.size());
}

bool SecondsOf(const Value& value, std::string_view what, double* seconds, Value* error) {
  if (value.IsInt()) {
    *seconds = static_cast<double>(value.AsInt());
    return true;
  }
  if (value.IsFloat() && !std::isnan(value.AsFloat())) {
    *seconds = value.AsFloat();
    return true;
  }
  *error = vm::MakeError(
      "type", std::string(what) + " takes a number of seconds, not " +
                  (value.IsFloat() ? std::string("nan") : "a value of type " + std::string(TypeName(value))));
  return false;
}

}  // namespace teal::runtime
