// The one thread of an instance. Answers of the HTTP service, calls of the host and timers are put here; everything
// else of the plugin runs on it, one piece after the other. It exists because the border has no timers, and because
// what the service calls back may not call the service again.
#pragma once

#include <chrono>
#include <condition_variable>
#include <coroutine>
#include <cstdint>
#include <map>
#include <mutex>
#include <thread>
#include <vector>

namespace teal::aws {

using Clock = std::chrono::steady_clock;

class Loop {
 public:
  // A piece of work that is put into the loop without allocating. It stays alive until its handle is resumed.
  struct Ready {
    std::coroutine_handle<> handle;
    Ready* next = nullptr;
  };
  using Timers = std::multimap<Clock::time_point, std::coroutine_handle<>>;

  Loop() = default;
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;
  ~Loop() { Stop(); }

  void Start();  // its thread blocks all signals (LIFE-12); throws std::system_error if there can be no thread
  void Stop();   // after what was posted has run; timers still set are dropped

  // Any thread. Never blocks for long, never allocates.
  void Post(Ready& ready) noexcept;
  // Any thread. `cancelled` is called on the loop for each.
  void PostCancel(uint64_t op_id);
  void OnCancel(void (*cancelled)(void*, uint64_t), void* ctx) {
    cancelled_ = cancelled;
    cancelled_ctx_ = ctx;
  }

  // Loop thread only.
  Timers::iterator SetTimer(Clock::time_point when, std::coroutine_handle<> handle) {
    return timers_.emplace(when, handle);
  }
  void DropTimer(Timers::iterator timer) { timers_.erase(timer); }
  Timers::iterator no_timer() { return timers_.end(); }

 private:
  void Run();

  std::thread thread_;
  void (*cancelled_)(void*, uint64_t) = nullptr;
  void* cancelled_ctx_ = nullptr;

  std::mutex mutex_;  // guards what follows
  std::condition_variable wake_;
  Ready* first_ = nullptr;
  Ready* last_ = nullptr;
  std::vector<uint64_t> cancels_;
  bool stop_ = false;

  Timers timers_;  // loop thread only
};

// co_await OnLoop{loop}: goes on on the loop's thread.
struct OnLoop {
  Loop& loop;
  Loop::Ready ready{};
  bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> handle) noexcept {
    ready.handle = handle;
    loop.Post(ready);
  }
  void await_resume() const noexcept {}
};

}  // namespace teal::aws
