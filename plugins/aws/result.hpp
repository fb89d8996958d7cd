// A value or the error that took its place. Errors are those of the border (teal::plugin::Error).
#pragma once

#include <cassert>
#include <teal/plugin.hpp>
#include <utility>
#include <variant>

namespace teal::aws {

using Error = plugin::Error;

template <typename T>
class [[nodiscard]] Result {
 public:
  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}
  Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}

  bool ok() const { return state_.index() == 0; }
  explicit operator bool() const { return ok(); }
  T& operator*() { return Value(); }
  const T& operator*() const {
    assert(ok());
    return *std::get_if<0>(&state_);
  }
  T* operator->() { return &Value(); }
  const T* operator->() const { return &**this; }
  Error& error() {
    assert(!ok());
    return *std::get_if<1>(&state_);
  }

 private:
  T& Value() {
    assert(ok());
    return *std::get_if<0>(&state_);
  }
  std::variant<T, Error> state_;
};

struct Nothing {};
using Status = Result<Nothing>;

}  // namespace teal::aws
