// Where the runtime's time comes from. Times are Unix time in nanoseconds.
// Not synchronised, unless said otherwise.
#pragma once

#include <cstdint>

namespace teal::runtime {

inline constexpr int64_t kNanosecondsPerSecond = 1'000'000'000;

class Clock {
 public:
  virtual ~Clock() = default;
  // Safe to call from any thread.
  virtual int64_t NowUnixNs() const = 0;
  // Whether time stands still until JumpTo moves it: then nobody may wait for it to pass.
  virtual bool IsVirtual() const = 0;
  // Precondition: IsVirtual(). Never moves back.
  virtual void JumpTo(int64_t unix_ns) = 0;
};

// The time of this machine.
class RealClock : public Clock {
 public:
  int64_t NowUnixNs() const override;
  bool IsVirtual() const override { return false; }
  void JumpTo(int64_t) override;
};

// Time that passes only when everybody waits for it, for tests.
class VirtualClock : public Clock {
 public:
  explicit VirtualClock(int64_t start_unix_ns) : now_(start_unix_ns) {}
  int64_t NowUnixNs() const override { return __atomic_load_n(&now_, __ATOMIC_RELAXED); }
  bool IsVirtual() const override { return true; }
  void JumpTo(int64_t unix_ns) override;

 private:
  int64_t now_;
};

// `seconds` after `from`, at the farthest the end of time. Precondition: seconds is no NaN.
int64_t After(int64_t from_unix_ns, double seconds);

}  // namespace teal::runtime
