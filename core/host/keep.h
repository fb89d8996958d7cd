// What must never be destroyed and nobody holds: loaded libraries, and what a thread that was given up may still use.
// Held where a leak checker finds it.
#pragma once

#include <memory>
#include <mutex>
#include <vector>

namespace teal::host {

inline void KeepForEver(std::shared_ptr<const void> thing) {
  static auto* const mutex = new std::mutex;
  static auto* const kept = new std::vector<std::shared_ptr<const void>>;
  const std::lock_guard lock(*mutex);
  kept->push_back(std::move(thing));
}

}  // namespace teal::host
