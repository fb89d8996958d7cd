// The watchers of an instance: who wants to hear of changes under which prefix of the partition. Thread-safe.
#pragma once

#include <teal/abi.h>

#include <atomic>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <teal/bytes.hpp>

namespace teal::plugin {

class Watchers {
 public:
  using Changed = void(TEAL_CALL*)(void* ctx, teal_key key);

  // Numbers are never used twice in an instance's life.
  uint64_t Add(std::string_view prefix, Changed changed, void* ctx) {
    const std::lock_guard lock(mutex_);
    watchers_.emplace(++last_, Watcher{std::string(prefix), changed, ctx});
    any_.store(true, std::memory_order_release);
    return last_;
  }
  // The callback runs under the mutex, so it is over when this returns. (WATCH-3)
  void Remove(uint64_t id) {
    const std::lock_guard lock(mutex_);
    watchers_.erase(id);
    any_.store(!watchers_.empty(), std::memory_order_release);
  }
  bool Any() const { return any_.load(std::memory_order_acquire); }
  void Tell(const teal_key& key) {
    if (!Any()) return;
    const std::lock_guard lock(mutex_);
    for (const auto& [id, watcher] : watchers_) {
      if (View(key.partition).starts_with(watcher.prefix)) watcher.changed(watcher.ctx, key);
    }
  }
  // All are to look again: what changed is not known.
  void TellAll() {
    const std::lock_guard lock(mutex_);
    for (const auto& [id, watcher] : watchers_) watcher.changed(watcher.ctx, teal_key{});
  }

 private:
  struct Watcher {
    std::string prefix;
    Changed changed;
    void* ctx;
  };

  std::mutex mutex_;
  std::map<uint64_t, Watcher> watchers_;
  uint64_t last_ = 0;
  std::atomic<bool> any_{false};
};

}  // namespace teal::plugin
