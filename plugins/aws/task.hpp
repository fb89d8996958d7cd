// Coroutines for work that waits for answers: Task<T> is started by co_await and gives its value to who awaits it. All
// tasks of an instance run on its one loop thread (loop.hpp), so they share state without locks.
//
// A coroutine takes its arguments by reference only where the caller's own frame outlives it, which co_await ensures.
// No aggregate made by braces stands in an expression with co_await, unless it is trivial: g++ 12 copies it bit by bit
// (GCC bug 104031 and its like). Give it a name first.
#pragma once

#include <coroutine>
#include <cstddef>
#include <exception>
#include <functional>
#include <optional>
#include <utility>

namespace teal::aws {

template <typename T>
class [[nodiscard]] Task {
 public:
  struct promise_type {
    std::optional<T> value;
    std::exception_ptr exception;
    std::coroutine_handle<> continuation;

    Task get_return_object() { return Task(std::coroutine_handle<promise_type>::from_promise(*this)); }
    std::suspend_always initial_suspend() noexcept { return {}; }
    struct Final {
      bool await_ready() noexcept { return false; }
      std::coroutine_handle<> await_suspend(std::coroutine_handle<promise_type> ended) noexcept {
        return ended.promise().continuation;
      }
      void await_resume() noexcept {}
    };
    Final final_suspend() noexcept { return {}; }
    template <typename U>
    void return_value(U&& result) {
      value.emplace(std::forward<U>(result));
    }
    void unhandled_exception() { exception = std::current_exception(); }
  };

  Task(Task&& other) noexcept : handle_(std::exchange(other.handle_, nullptr)) {}
  Task& operator=(Task&&) = delete;
  ~Task() {
    if (handle_) handle_.destroy();
  }

  bool await_ready() const noexcept { return false; }
  std::coroutine_handle<> await_suspend(std::coroutine_handle<> awaiting) noexcept {
    handle_.promise().continuation = awaiting;
    return handle_;
  }
  T await_resume() {
    promise_type& promise = handle_.promise();
    if (promise.exception) std::rethrow_exception(promise.exception);
    return std::move(*promise.value);
  }

 private:
  explicit Task(std::coroutine_handle<promise_type> handle) : handle_(handle) {}
  std::coroutine_handle<promise_type> handle_;
};

// A coroutine that starts at once and belongs to nobody; its frame goes away at its end. Its body catches everything.
struct Detached {
  struct promise_type {
    Detached get_return_object() noexcept { return {}; }
    std::suspend_never initial_suspend() noexcept { return {}; }
    std::suspend_never final_suspend() noexcept { return {}; }
    void return_void() noexcept {}
    void unhandled_exception() noexcept { std::terminate(); }
  };
};

// Runs make(0) … make(count - 1), each a Task<bool>, at most `limit` of them at a time. False from one keeps those that
// have not begun from beginning. Await it; the first exception comes out of the co_await.
class ForEach {
 public:
  ForEach(std::size_t count, std::size_t limit, std::function<Task<bool>(std::size_t)> make)
      : count_(count), limit_(limit), make_(std::move(make)) {}
  ForEach(const ForEach&) = delete;
  ForEach& operator=(const ForEach&) = delete;

  bool await_ready() const noexcept { return count_ == 0; }
  bool await_suspend(std::coroutine_handle<> awaiting) {
    continuation_ = awaiting;
    running_ = 1;
    try {
      for (std::size_t i = 0; i < limit_ && next_ < count_; ++i) Work();
    } catch (...) {  // no memory for a further worker; those that run end first
      exception_ = std::current_exception();
      next_ = count_;
    }
    return --running_ != 0;
  }
  void await_resume() {
    if (exception_) std::rethrow_exception(exception_);
  }

 private:
  Detached Work() {
    ++running_;
    try {
      while (next_ < count_) {
        Task<bool> task = make_(next_++);
        const bool go_on = co_await task;
        if (!go_on) next_ = count_;
      }
    } catch (...) {
      if (!exception_) exception_ = std::current_exception();
      next_ = count_;
    }
    if (--running_ == 0) continuation_.resume();
  }

  const std::size_t count_;
  const std::size_t limit_;
  const std::function<Task<bool>(std::size_t)> make_;
  std::coroutine_handle<> continuation_;
  std::size_t next_ = 0;
  std::size_t running_ = 0;
  std::exception_ptr exception_;
};

}  // namespace teal::aws
