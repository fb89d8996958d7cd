// A tape of everything a store does to its files, for the tests of power loss: tests/plugins/local plays it back up to
// any point, drops or tears what no completed sync covers, and opens what is left. Written only where the configuration
// asks for it. Thread-safe. Each entry is in the tape's file when the function returns, so that the file's size at the
// moment of an acknowledgement says what had been done before it.
//
// An entry, little-endian: u8 operation, u64 number, u32 size of path, u32 size of data, path, data.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace teal::local {

class Tape {
 public:
  enum class Operation : uint8_t {
    kCreate = 1,    // an empty file of this name, whatever was there
    kWrite = 2,     // data at the offset `number`
    kTruncate = 3,  // to `number` bytes
    kSync = 4,      // what was written to the file before the entry at the byte `number` of the tape is on the disk
    kRename = 5,    // path to the name in data
    kRemove = 6,
    kMakeFolder = 7,
    kSyncFolder = 8,  // its names, as kSync
    kLink = 9,        // a second name, in data
  };

  // `path` is made anew. NULL if it cannot be.
  static std::unique_ptr<Tape> Open(const std::string& path);
  ~Tape();
  Tape(const Tape&) = delete;
  Tape& operator=(const Tape&) = delete;

  void Add(Operation operation, uint64_t number, std::string_view path, std::string_view data = {});
  // The end of the tape: what a sync that begins now will cover.
  uint64_t Size() const { return size_.load(); }

 private:
  explicit Tape(int descriptor) : descriptor_(descriptor) {}

  const int descriptor_;
  std::atomic<uint64_t> size_{0};
};

}  // namespace teal::local
