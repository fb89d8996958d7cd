// The plugin's side of the border in C++: errors as values, a completion that cannot be forgotten, a count of open
// calls. Header only; no exception leaves a function wrapped by Guard or Take. Thread-safety is said at each class.
#ifndef TEAL_PLUGIN_HPP
#define TEAL_PLUGIN_HPP

#include <teal/abi.h>
#include <teal/bytes.hpp>

#include <cassert>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <new>
#include <string>
#include <string_view>
#include <utility>

namespace teal::plugin {

// Why a call failed. The message says what happened and what the user can change; longer than 223 bytes it is cut at a
// whole character, and a byte that is no UTF-8 becomes a question mark.
struct Error {
  teal_status code = TEAL_INTERNAL;
  std::string message;
  uint32_t outcome = TEAL_NOT_APPLIED;
  uint64_t retry_after_ns = 0;
  int64_t vendor_code = 0;
};

namespace internal {

// The size of the UTF-8 character that `text` begins with; 0 if it begins with none. (The Unicode Standard, table 3-7)
inline std::size_t CharacterSize(std::string_view text) noexcept {
  const auto byte = [&](std::size_t at) { return at < text.size() ? static_cast<unsigned char>(text[at]) : 0u; };
  const auto follows = [&](std::size_t at) { return (byte(at) & 0xC0u) == 0x80u; };
  const unsigned lead = byte(0);
  if (lead < 0x80) return 1;
  if (lead >= 0xC2 && lead <= 0xDF) return follows(1) ? 2 : 0;
  if (lead >= 0xE0 && lead <= 0xEF) {
    const bool allowed = (lead != 0xE0 || byte(1) >= 0xA0) && (lead != 0xED || byte(1) < 0xA0);
    return allowed && follows(1) && follows(2) ? 3 : 0;
  }
  if (lead >= 0xF0 && lead <= 0xF4) {
    const bool allowed = (lead != 0xF0 || byte(1) >= 0x90) && (lead != 0xF4 || byte(1) < 0x90);
    return allowed && follows(1) && follows(2) && follows(3) ? 4 : 0;
  }
  return 0;
}

}  // namespace internal

inline teal_error ToAbi(const Error& error) noexcept {
  teal_error out{};
  out.struct_size = sizeof out;
  out.code = error.code;
  out.outcome = error.outcome;
  out.retry_after_ns = error.retry_after_ns;
  out.vendor_code = error.vendor_code;
  std::size_t size = 0;
  for (std::string_view rest = error.message; !rest.empty();) {
    const std::size_t character = internal::CharacterSize(rest);
    const std::size_t taken = character == 0 ? 1 : character;
    if (size + taken >= sizeof out.message) break;
    if (character == 0) {
      out.message[size] = '?';
    } else {
      std::memcpy(out.message + size, rest.data(), character);
    }
    size += taken;
    rest.remove_prefix(taken);
  }
  return out;
}

// For functions that take a teal_error of the caller's. `out` may be NULL. Returns the code.
inline teal_status Give(teal_error* out, const Error& error) noexcept {
  if (out != nullptr) GiveOut(out, ToAbi(error));
  return error.code;
}

// The calls an instance has open, so that close can wait for them. Thread-safe.
class OpenCalls {
 public:
  // False once Close was called: the call is to be refused with TEAL_CLOSED.
  bool Enter() {
    const std::lock_guard lock(mutex_);
    if (closed_) return false;
    ++open_;
    return true;
  }
  void Leave() {
    const std::lock_guard lock(mutex_);
    assert(open_ > 0);
    // Notified under the lock: the waiter may destroy this object as soon as it has it.
    if (--open_ == 0) none_.notify_all();
  }
  // No call enters from now on. What is open goes on: make it end, then Wait.
  void Close() {
    const std::lock_guard lock(mutex_);
    closed_ = true;
  }
  void Wait() {
    std::unique_lock lock(mutex_);
    none_.wait(lock, [this] { return open_ == 0; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable none_;
  uint64_t open_ = 0;
  bool closed_ = false;
};

// The one completion of an accepted call: ended exactly once, by Ok or Fail; one that is dropped ends with
// TEAL_INTERNAL, so that a host never waits for ever. Move only; not thread-safe, but may move between threads.
// (CALL-1)
class Done {
 public:
  Done() = default;
  // `calls` may be NULL, else it has been entered.
  Done(const teal_call* call, OpenCalls* calls) noexcept : done_(call->done), ctx_(call->done_ctx), calls_(calls) {}
  Done(Done&& other) noexcept
      : done_(std::exchange(other.done_, nullptr)), ctx_(other.ctx_), calls_(std::exchange(other.calls_, nullptr)) {}
  Done& operator=(Done&& other) noexcept {
    if (this != &other) {
      Drop();
      done_ = std::exchange(other.done_, nullptr);
      ctx_ = other.ctx_;
      calls_ = std::exchange(other.calls_, nullptr);
    }
    return *this;
  }
  Done(const Done&) = delete;
  Done& operator=(const Done&) = delete;
  ~Done() { Drop(); }

  explicit operator bool() const noexcept { return done_ != nullptr; }

  // `result` is of the type the function names and lives until this returns.
  void Ok(const void* result = nullptr) noexcept { End(nullptr, result); }
  void Fail(const Error& error, const void* result = nullptr) noexcept {
    const teal_error out = ToAbi(error);
    End(&out, result);
  }

 private:
  void End(const teal_error* error, const void* result) noexcept {
    assert(done_ != nullptr);
    const teal_done_fn done = std::exchange(done_, nullptr);
    done(ctx_, error, result);
    if (OpenCalls* calls = std::exchange(calls_, nullptr)) calls->Leave();
  }
  void Drop() noexcept {
    if (done_ == nullptr) return;
    teal_error out{};
    out.struct_size = sizeof out;
    out.code = TEAL_INTERNAL;
    out.outcome = TEAL_OUTCOME_UNKNOWN;
    constexpr std::string_view text = "the plugin dropped the call without an answer; this is a defect of the plugin";
    std::memcpy(out.message, text.data(), text.size());
    End(&out, nullptr);
  }

  teal_done_fn done_ = nullptr;
  void* ctx_ = nullptr;
  OpenCalls* calls_ = nullptr;
};

// Runs `body`, which gives a teal_status; an exception becomes a status. (LIFE: no exception crosses)
template <typename Body>
teal_status Guard(Body&& body) noexcept {
  try {
    return std::forward<Body>(body)();
  } catch (const std::bad_alloc&) {
    return TEAL_NO_MEMORY;
  } catch (...) {
    return TEAL_INTERNAL;
  }
}

// For `open` and others that fill a teal_error: an exception becomes an error with its words.
template <typename Body>
teal_status GuardWithError(teal_error* error, Body&& body) noexcept {
  try {
    return std::forward<Body>(body)();
  } catch (const std::bad_alloc&) {
    return Give(error, {TEAL_NO_MEMORY, "out of memory", TEAL_NOT_APPLIED, 0, 0});
  } catch (const std::exception& e) {
    return Give(error, {TEAL_INTERNAL, e.what(), TEAL_NOT_APPLIED, 0, 0});
  } catch (...) {
    return Give(error, {TEAL_INTERNAL, "unknown exception", TEAL_NOT_APPLIED, 0, 0});
  }
}

// Accepts an asynchronous call: refuses a closed instance, else makes its Done and gives it to `body(Done)`. Whatever
// the body throws, the call ends exactly once.
template <typename Body>
teal_status Take(const teal_call* call, OpenCalls& calls, Body&& body) noexcept {
  if (call == nullptr || call->done == nullptr || call->flags != 0) return TEAL_INVALID;
  try {
    if (!calls.Enter()) return TEAL_CLOSED;
    std::forward<Body>(body)(Done(call, &calls));
  } catch (...) {
    // The Done ended the call when the stack was unwound.
  }
  return TEAL_OK;
}

}  // namespace teal::plugin

#endif
