// A trigger under test: its calls, and a record of what it emits.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <string>
#include <vector>

#include "core/kit/call.h"
#include "core/kit/instance.h"

namespace teal::kit {

struct Emitted {
  uint64_t token = 0;
  uint32_t flags = 0;
  std::string source;
  std::string id;
  std::string type;
  std::string data;
  bool wants_reply = false;  // its attributes ask for one
  uint64_t host_time = 0;    // when it was emitted, by the host's clock
  std::string Name() const;  // source and id: what an event is
};

// One trigger of an instance, by its id. Lives for ever once made (New): an event that comes late is seen, not a crash.
// Thread-safe.
class Source {
 public:
  static Source& New(const Instance& instance, const std::string& id);

  const teal_trigger& table() const;
  Call& BeginStart();
  void MustStart();
  Call& BeginStop();
  void MustStop();
  void Credit(uint64_t count);
  void MustAccept(const Emitted& event);
  void MustReject(const Emitted& event, uint64_t delay_ns);

  std::vector<Emitted> Await(std::size_t count);  // fails the test if they do not come
  std::vector<Emitted> After(double seconds);     // what has come within that time from now
  std::vector<Emitted> Events();
  uint64_t calls() const { return calls_.load(); }  // of `emit`

 private:
  Source(const Instance& instance, std::string id);
  static void TEAL_CALL Emit(void* ctx, const teal_event* event);
  bool WaitFor(std::size_t count, double timeout_s);

  const Instance& instance_;
  teal_instance* const handle_;
  const std::string id_;
  std::atomic<uint64_t> calls_{0};
  std::mutex mutex_;
  std::condition_variable ready_;
  std::vector<Emitted> events_;  // guarded by mutex_
};

}  // namespace teal::kit
