// What happened in a session, as bytes: entry after entry, as docs/formats/records.md says under "History". A thread
// costs about ten bytes a step and its function's name, so that it can ride in every commit.
//
// All functions are pure.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

namespace teal::runtime {

// Numbers are those of the format.
enum class Happened : uint8_t {
  kStarted = 1,  // a thread; text: its function
  kStepBegun,    // text: the function
  kStepDone,
  kStepFailed,   // text: kind and message of the error
  kStepRetried,  // text: why
  kParked,       // the store has the thread as one that waits; text: for what
  kWoken,
  kCancelled,  // it was asked to end
  kPaused,     // text: the reason
  kResumed,
  kThreadDone,
  kThreadFailed,  // text: kind and message of the error
  kEnded,         // the session; text: its status
  kTakenOver,     // the host that carried it did not put it down: it died, or lost it
};

inline constexpr size_t kHistoryTextMax = 200;  // bytes of a text; more is cut off

struct HistoryEntry {
  uint64_t unix_ns = 0;  // whole microseconds
  Happened what = Happened::kStarted;
  std::string_view tid;
  uint64_t step = 0;  // counted from 1; 0: of none
  std::string_view text;
};

// Puts an entry behind those of `to`. last_us: the time of the last one, microseconds since 1970; brought on. Times of
// one session never go back: an earlier one is taken as the last one's.
void AppendHistory(std::string* to, uint64_t* last_us, const HistoryEntry& entry);

// In order. False: the bytes are damaged from some entry on.
bool EachHistory(std::string_view entries, const std::function<void(const HistoryEntry&)>& call);
// Empty: all is well. Else the field and what is wrong with it.
std::string HistoryFault(std::string_view entries);

// {"event": …}: as docs/control-api.md says.
std::string HistoryJson(const HistoryEntry& entry);

}  // namespace teal::runtime
