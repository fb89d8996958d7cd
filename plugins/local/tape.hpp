// A tape of everything a store does to its files, for the tests of power loss: tests/plugins/local plays it back up to
// any point, drops or tears what no completed sync covers, and opens what is left. Written only where the configuration
// asks for it. Thread-safe. Each entry is in the tape's file when the function returns, so that the file's size at the
// moment of an acknowledgement says what had been done before it. A tape that cannot be written ends the process: what
// is missing on it would look like what the store did not do.
//
// An entry, little-endian: u8 operation, u64 number, u32 size of path, u32 size of data, path, data.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
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
    kSyncFolder = 8,   // its names, as kSync
    kLink = 9,         // a second name, in data
    kSyncFailed = 10,  // as kSync: what was not on the disk by then may never come there
  };

  // `path` is made anew. NULL if it cannot be.
  static std::unique_ptr<Tape> Open(const std::string& path);
  ~Tape();
  Tape(const Tape&) = delete;
  Tape& operator=(const Tape&) = delete;

  void Add(Operation operation, uint64_t number, std::string_view path, std::string_view data = {});
  // The end of an entry, no earlier than that of the last one this thread added: what a sync that begins now will
  // cover.
  uint64_t Size() const { return size_.load(); }

 private:
  explicit Tape(int descriptor) : descriptor_(descriptor) {}

  const int descriptor_;
  std::mutex mutex_;  // of those who add: the size counts entries in the order they stand in
  std::atomic<uint64_t> size_{0};
};

}  // namespace teal::local
