// Room that is used again: most checkpoints are small, and asking for memory would be a large part of their cost.
#pragma once

#include <cstddef>
#include <vector>

namespace teal::vm {

// Lends a vector, empty at first, that may already have room: each OS thread keeps one of each type between uses,
// unless it has grown large. Several may be in use at once; one is used by one OS thread. For block scope and members
// of objects that live there.
template <typename T>
class Scratch {
 public:
  Scratch() { vector_.swap(Spare()); }
  ~Scratch() {
    vector_.clear();
    if (vector_.capacity() * sizeof(T) <= kKeptBytesMax && vector_.capacity() > Spare().capacity()) {
      vector_.swap(Spare());
    }
  }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;

  std::vector<T>& operator*() { return vector_; }
  std::vector<T>* operator->() { return &vector_; }

 private:
  static constexpr size_t kKeptBytesMax = 16 * 1024;
  static std::vector<T>& Spare() {
    thread_local std::vector<T> spare;
    return spare;
  }
  std::vector<T> vector_;
};

}  // namespace teal::vm
