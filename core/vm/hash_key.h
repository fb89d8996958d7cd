// Hashing of values, for the table (hash.cpp) and for comparing tables (compare.cpp).
#pragma once

#include <string_view>
#include <unordered_map>

#include "core/vm/value.h"
#include "core/vm/value_inline.h"

namespace teal::vm {

// The hash of a string's bytes; its own is kept in the object. Never 0.
uint64_t HashOfText(std::string_view utf8);
uint64_t HashOfString(String* s);
uint64_t HashOfInt(int64_t i);

// A slot of a hash's index that is in use: the number of the entry + 1, and above it bits of the key's hash that do not
// choose the slot, so that hardly any entry is looked at in vain.
inline constexpr int kSlotNumberBits = 22;
inline constexpr uint32_t kSlotNumberMask = (1u << kSlotNumberBits) - 1;
// Less than half of the entries are holes, so there are fewer than two for each living one.
static_assert(kHashEntriesMax * 2 - 1 <= kSlotNumberMask);
inline uint32_t SlotTag(uint64_t code) {
  return static_cast<uint32_t>(code >> 32) & ~kSlotNumberMask;
}
inline uint32_t HashSlot(uint64_t number, uint64_t code) {
  return static_cast<uint32_t>(number + 1) | SlotTag(code);
}
inline uint64_t EntryOfSlot(uint32_t slot) {
  return (slot & kSlotNumberMask) - 1;
}

// Hashes values of any depth in time linear in their size, objects with several owners once.
// With `remember_all` also the hashes of objects inside a hashed one are known for later calls.
class Hasher {
 public:
  explicit Hasher(bool remember_all = false) : remember_all_(remember_all) {}
  uint64_t Of(const Value& v);

 private:
  bool Known(const Object* object, uint64_t* code);
  void Remember(const Object* object, uint64_t code);

  const bool remember_all_;
  uint64_t finished_ = 0;  // containers
  std::unordered_map<const Object*, uint64_t> codes_;
};

}  // namespace teal::vm
