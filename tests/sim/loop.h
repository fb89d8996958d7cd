// Virtual time: what is to happen, in order. Not synchronised: one thread. Header only.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <limits>
#include <map>
#include <utility>

namespace teal::sim {

class SimLoop {
 public:
  static constexpr int64_t kBeginUnixNs = 1'700'000'000'000'000'000;

  int64_t now() const { return now_; }
  // Things of one time happen in the order in which they were added. The past is now.
  void At(int64_t unix_ns, std::function<void()> run) { later_.emplace(std::max(unix_ns, now_), std::move(run)); }
  void After(uint64_t delay_ns, std::function<void()> run) {
    const auto room = static_cast<uint64_t>(std::numeric_limits<int64_t>::max() - now_);
    At(delay_ns < room ? now_ + static_cast<int64_t>(delay_ns) : std::numeric_limits<int64_t>::max(), std::move(run));
  }
  // The next thing, at its time. False: there is none.
  bool RunOne() {
    if (later_.empty()) return false;
    auto first = later_.extract(later_.begin());
    now_ = first.key();
    ++ran_;
    first.mapped()();
    return true;
  }
  // Everything there is until then, and time itself.
  void RunUntil(int64_t unix_ns) {
    while (!later_.empty() && later_.begin()->first <= unix_ns) RunOne();
    now_ = std::max(now_, unix_ns);
  }
  uint64_t ran() const { return ran_; }

 private:
  int64_t now_ = kBeginUnixNs;
  uint64_t ran_ = 0;
  std::multimap<int64_t, std::function<void()>> later_;
};

}  // namespace teal::sim
