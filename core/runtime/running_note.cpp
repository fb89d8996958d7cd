#include "core/runtime/running_note.h"

#include <algorithm>
#include <atomic>
#include <cassert>
#include <cstring>
#include <functional>

#include "core/runtime/record_key.h"

namespace teal::runtime {

namespace {

// The file: 32 bytes each for the head, the slice, and the calls. An entry's first byte says that it is there, and is
// written last. In the head: byte 0 is 1 when the host ends by itself; byte 1 when more calls ran than fit.
constexpr size_t kEntryBytes = 32;
constexpr size_t kSlice = 1;
constexpr size_t kCalls = 2;
// Sessions that had calls in flight, of which each is suspect. Of more, the innocent would be too many.
constexpr size_t kSuspectsMax = 4;

static_assert((kCalls + RunningNote::kCallsMax) * kEntryBytes <= RunningNote::kBytes);
static_assert(record::kSidBytes < kEntryBytes);

std::atomic_ref<char> Flag(char* bytes, size_t entry) {
  return std::atomic_ref<char>(bytes[entry * kEntryBytes]);
}

void Fill(char* bytes, size_t entry, std::string_view sid) {
  assert(sid.size() == record::kSidBytes);
  std::memcpy(bytes + entry * kEntryBytes + 1, sid.data(), record::kSidBytes);
  Flag(bytes, entry).store(1, std::memory_order_release);
}

}  // namespace

RunningNote::RunningNote(char* bytes) : bytes_(bytes) {
  const auto sid_of = [bytes](size_t entry) { return std::string(bytes + entry * kEntryBytes + 1, record::kSidBytes); };
  if (bytes[0] == 0) {
    if (bytes[kSlice * kEntryBytes] == 1) {
      suspects_.push_back(sid_of(kSlice));
    } else if (bytes[1] == 0) {
      for (size_t i = 0; i < kCallsMax; ++i) {
        if (bytes[(kCalls + i) * kEntryBytes] == 1) suspects_.push_back(sid_of(kCalls + i));
      }
    }
    std::sort(suspects_.begin(), suspects_.end());
    suspects_.erase(std::unique(suspects_.begin(), suspects_.end()), suspects_.end());
    std::erase_if(suspects_, [](const std::string& sid) { return !record::IsSid(sid); });
    if (suspects_.size() > kSuspectsMax) suspects_.clear();
  }
  std::memset(bytes_, 0, kBytes);
}

void RunningNote::SliceBegins(std::string_view sid) {
  Fill(bytes_, kSlice, sid);
}

void RunningNote::SliceEnds() {
  Flag(bytes_, kSlice).store(0, std::memory_order_release);
}

size_t RunningNote::CallBegins(std::string_view sid) {
  // Searched from a place of the session's own, so that most often the first is free. Taken by 2, so that two never
  // take one.
  const size_t first = std::hash<std::string_view>()(sid) % kCallsMax;
  for (size_t n = 0; n < kCallsMax; ++n) {
    const size_t i = (first + n) % kCallsMax;
    std::atomic_ref<char> flag = Flag(bytes_, kCalls + i);
    char free = 0;
    if (flag.load(std::memory_order_relaxed) != 0 || !flag.compare_exchange_strong(free, 2)) continue;
    Fill(bytes_, kCalls + i, sid);
    return i;
  }
  std::atomic_ref<char>(bytes_[1]).store(1);
  return kCallsMax;
}

void RunningNote::CallEnds(size_t number) {
  if (number >= kCallsMax) return;
  Flag(bytes_, kCalls + number).store(0, std::memory_order_release);
}

void RunningNote::WillEnd() {
  std::atomic_ref<char>(bytes_[0]).store(1);
}

}  // namespace teal::runtime
