// The commit log: where a group of commits is made durable by one write and one sync, before it is put into RocksDB.
// A few files of fixed size, written with zeros once when the store is made and overwritten for ever: a sync then
// changes data only, no size, no extent, no name (docs/decisions/0005). The format is in docs/formats/local-store.md.
//
// An entry is a number and a payload. Entries are numbered without gaps. Only one is in flight: the next is written
// after the sync of the one before. So whatever stands before a valid entry was synced, and a gap before one is damage,
// not the trace of a lost power. A segment may be overwritten once its entries are in RocksDB's files (Release).
//
// Belongs to the committer's thread, but for Release. Errors are in words for people.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "plugins/local/files.hpp"
#include "teal/plugin.hpp"

namespace teal::local {

inline constexpr uint64_t kLogSegments = 3;
inline constexpr uint64_t kLogSegmentBytes = 4 << 20;
inline constexpr uint64_t kLogSectorBytes = 512;  // what a disk writes whole or not at all; entries begin at multiples
inline constexpr uint64_t kLogHeaderBytes = 32;
inline constexpr uint64_t kLogPayloadBytesMax = kLogSegmentBytes - kLogHeaderBytes;

class Log {
 public:
  // `folder` exists. `salt` is the store's own: entries of another store are none here.
  Log(Files& files, std::string folder, uint64_t salt, uint64_t segment_bytes)
      : files_(files), folder_(std::move(folder)), salt_(salt), segment_bytes_(segment_bytes) {}

  // Makes the segments of a new store, zeroed and synced.
  std::optional<plugin::Error> Make();
  // Opens the segments, again where they are open, and gives each entry after `applied`, in order, to `replay`, which
  // says whether to go on. TEAL_CORRUPT if one is damaged that had been acknowledged. `may_have_gaps`: the log was
  // written without syncs, so a loss of power takes any of them; what stands behind a gap is then forgotten.
  std::optional<plugin::Error> Open(uint64_t applied, bool may_have_gaps,
                                    const std::function<bool(uint64_t number, std::string_view payload)>& replay);

  // Room for a payload of this size, in the current segment or in the next. False: every other segment still holds
  // entries that are not released. `rotated` is set when a new segment was begun: the time to release what is before.
  bool MakeRoom(uint64_t payload_bytes, bool& rotated);
  // Writes and, if `sync`, syncs the entry NextNumber(), for which room was made. After an error whether the entry
  // stands is open. Where the disk was full the next Append takes the same number and place, and settles it. Any other
  // error ends writing until the store is opened again (Broken): a sync that failed has lost something, and the kernel,
  // which then holds the pages for clean, would call the next sync a success. No Open by this object after that either:
  // it would read from the kernel's memory what is not on the disk.
  std::error_code Append(std::string_view payload, bool sync);
  // What ended writing, or no error.
  std::error_code Broken() const { return broken_; }
  uint64_t NextNumber() const { return next_; }
  uint64_t PayloadBytesMax() const { return segment_bytes_ - kLogHeaderBytes; }

  // Entries up to `number` are in RocksDB's files. Any thread.
  void Release(uint64_t number) { released_.store(number, std::memory_order_release); }
  uint64_t Released() const { return released_.load(std::memory_order_acquire); }

 private:
  struct Segment {
    File file;
    uint64_t last = 0;  // number of its last entry, 0 = none
  };
  struct Found {
    uint64_t number;
    std::size_t segment;
    uint64_t offset;
    uint64_t end;
  };

  static bool ByNumber(const Found& a, const Found& b);
  std::string PathOf(std::size_t segment) const { return folder_ + "/" + std::to_string(segment); }
  std::error_code Wipe(std::size_t segment, uint64_t offset);
  void Search(std::size_t segment, std::string_view bytes, uint64_t after, std::vector<Found>& found) const;

  Files& files_;
  const std::string folder_;
  const uint64_t salt_;
  const uint64_t segment_bytes_;
  std::vector<Segment> segments_;
  std::size_t current_ = 0;
  uint64_t offset_ = 0;  // where the next entry goes
  uint64_t next_ = 1;
  std::optional<std::pair<std::size_t, uint64_t>> failed_;  // where an Append failed and may yet have left an entry
  std::error_code broken_;
  std::string buffer_;
  std::atomic<uint64_t> released_{0};
};

}  // namespace teal::local
