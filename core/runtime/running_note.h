// What a host is doing, noted where it is read after the host has died: in memory that outlives the process (a mapped
// file, where there is a folder). It is evidence for one question only: which session ended its host (P-25).
//
// A slice is noted by its session, a foreign call by its own. A host that is about to end by itself says so, and then
// nobody is suspect. Thread-safe, without locks; a death at any point leaves whole entries or none.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace teal::runtime {

class RunningNote {
 public:
  static constexpr size_t kBytes = 4096;
  static constexpr size_t kCallsMax = 120;  // noted; of more at once nobody is suspect

  // bytes: kBytes of memory, zero at first; outlives this. Takes what the life before left, and begins anew.
  explicit RunningNote(char* bytes);
  RunningNote(const RunningNote&) = delete;
  RunningNote& operator=(const RunningNote&) = delete;

  // The sessions of which one ended the life before: the one whose slice ran; if none did, those whose calls did, as
  // long as they are few. Each once.
  const std::vector<std::string>& suspects() const { return suspects_; }

  void SliceBegins(std::string_view sid);  // sid: 26 characters
  void SliceEnds();
  // Gives what CallEnds takes.
  size_t CallBegins(std::string_view sid);
  void CallEnds(size_t number);
  // What is left from now on is no evidence: the host ends by itself.
  void WillEnd();

 private:
  char* const bytes_;
  std::vector<std::string> suspects_;
};

}  // namespace teal::runtime
