// Names as small numbers, so that passes index arrays by name instead of hashing text again and again.
#pragma once

#include <cassert>
#include <cstdint>
#include <string_view>
#include <vector>

namespace teal::lang {

using NameId = uint32_t;
inline constexpr NameId kNoName = UINT32_MAX;

// The texts are not copied: whoever interns one keeps it alive (trees and tables outlive a compilation). Not
// thread-safe.
class NameTable {
 public:
  NameTable() : slots_(kSlotsAtFirst, 0) {}

  NameId Intern(std::string_view text) {
    const uint32_t hash = Hash(text);
    size_t at = hash & (slots_.size() - 1);
    while (slots_[at] != 0) {
      const Entry& entry = entries_[slots_[at] - 1];
      if (entry.hash == hash && entry.text == text) return slots_[at] - 1;
      at = (at + 1) & (slots_.size() - 1);
    }
    entries_.push_back({text, hash});
    slots_[at] = static_cast<uint32_t>(entries_.size());
    if (entries_.size() * 2 > slots_.size()) Grow();
    return static_cast<NameId>(entries_.size() - 1);
  }

  std::string_view Text(NameId name) const {
    assert(name < entries_.size());
    return entries_[name].text;
  }
  size_t size() const { return entries_.size(); }

 private:
  static constexpr size_t kSlotsAtFirst = 1024;
  struct Entry {
    std::string_view text;
    uint32_t hash;
  };

  static uint32_t Hash(std::string_view text) {
    uint32_t hash = 2166136261u;
    for (const char c : text) hash = (hash ^ static_cast<uint8_t>(c)) * 16777619u;
    return hash ^ (hash >> 15);
  }
  void Grow() {
    std::vector<uint32_t> slots(slots_.size() * 2, 0);
    for (uint32_t i = 0; i < entries_.size(); ++i) {
      size_t at = entries_[i].hash & (slots.size() - 1);
      while (slots[at] != 0) at = (at + 1) & (slots.size() - 1);
      slots[at] = i + 1;
    }
    slots_.swap(slots);
  }

  std::vector<uint32_t> slots_;  // 0: free, else 1 + index of the entry; a power of two, at most half full
  std::vector<Entry> entries_;
};

}  // namespace teal::lang
