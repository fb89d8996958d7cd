// Errors inside the core are values. A Failure says what happened and what the caller may do about it; a Result<T>
// holds either a T or a Failure. Neither throws. Not synchronised: a Result belongs to one thread at a time.
#pragma once

#include <cassert>
#include <string>
#include <utility>
#include <variant>

namespace teal {

// What kind of thing went wrong, for callers that react to it. The message is for people.
enum class FailureCode {
  kInvalid,      // the caller's or the user's input is wrong
  kNotFound,     // what was named does not exist
  kCorrupt,      // stored or received bytes are damaged, or of another format or version
  kTooLarge,     // a named limit was passed
  kUnavailable,  // a process or device did what it should not have: died, closed, timed out
  kInternal,     // a bug in Teal
};

struct Failure {
  FailureCode code = FailureCode::kInternal;
  std::string message;  // UTF-8, one sentence: what, where, what to do
};

template <typename T>
class [[nodiscard]] Result {
 public:
  Result(T value) : v_(std::in_place_index<0>, std::move(value)) {}            // NOLINT(google-explicit-constructor)
  Result(Failure failure) : v_(std::in_place_index<1>, std::move(failure)) {}  // NOLINT(google-explicit-constructor)

  bool ok() const { return v_.index() == 0; }
  explicit operator bool() const { return ok(); }

  // Precondition for the next four: ok().
  T& value() & {
    assert(ok());
    return *std::get_if<0>(&v_);
  }
  const T& value() const& {
    assert(ok());
    return *std::get_if<0>(&v_);
  }
  T&& value() && {
    assert(ok());
    return std::move(*std::get_if<0>(&v_));
  }
  T* operator->() { return &value(); }
  T& operator*() & { return value(); }

  // Precondition: !ok().
  const Failure& failure() const {
    assert(!ok());
    return *std::get_if<1>(&v_);
  }

 private:
  std::variant<T, Failure> v_;
};

struct Unit {};
using Status = Result<Unit>;

inline Failure Fail(FailureCode code, std::string message) {
  return Failure{code, std::move(message)};
}

}  // namespace teal
