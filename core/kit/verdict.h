// How a test says what it found. Each test runs in a process of its own, so saying it ends the process: no test needs
// a way back out of the depth it is in. Thread-safe; whoever speaks first is heard.
//
// The verdict and the last lines of the test's journal lie in memory shared with the process that started it: they
// survive a crash, a hang and an exit of the plugin.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string>

#include "core/kit/text.h"

namespace teal::kit {

enum class Result : uint32_t { kNone, kPassed, kFailed, kNotOffered };

// The block of memory shared between a test's process and its parent.
struct Board {
  static constexpr std::size_t kLines = 64;
  static constexpr std::size_t kLineBytes = 256;
  static constexpr std::size_t kDetailBytes = 8192;
  std::atomic<Result> result;
  std::atomic<uint32_t> spoken;  // 1 once somebody has begun to write `detail`
  std::atomic<uint64_t> noted;   // lines of the journal ever written; line n lies in lines[n % kLines]
  char detail[kDetailBytes];
  char lines[kLines][kLineBytes];
};

// Makes a board in a new shared file; gives its descriptor (close-on-exec), or -1 with errno.
int MakeBoard();
Board* MapBoard(int descriptor);
// The last `count` lines of a board's journal, oldest first, one a line.
std::string Journal(const Board& board, std::size_t count);

// Where this process speaks. Called once, before any test code.
void SpeakTo(Board* board);

// A line of the journal: what was called with what, what came back.
void NoteText(const std::string& line);
template <typename... Values>
void Note(const Values&... values) {
  NoteText(Text(values...));
}

[[noreturn]] void End(Result result, const std::string& detail);

template <typename... Values>
[[noreturn]] void Fail(const Values&... values) {
  End(Result::kFailed, Text(values...));
}
template <typename... Values>
[[noreturn]] void NotOffered(const Values&... values) {
  End(Result::kNotOffered, Text(values...));
}
// Fails with the words unless `holds`.
template <typename... Values>
void Expect(bool holds, const Values&... values) {
  if (!holds) Fail(values...);
}

}  // namespace teal::kit
