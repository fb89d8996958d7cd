// The hash table: entries in order of insertion, and from kIndexFrom entries on an index into them.
#include "core/vm/value.h"

#include "core/base/mutant.h"
#include "core/vm/hash_key.h"
#include "core/vm/value_inline.h"
#include "core/vm/value_walk.h"

namespace teal::vm {
namespace {

inline constexpr uint64_t kNone = UINT64_MAX;
inline constexpr uint64_t kIndexFrom = 9;
inline constexpr uint64_t kHolesFrom = 4096 / sizeof(Hash::Entry);  // up to here holes are closed at once
inline constexpr uint64_t kEntriesMin = 4;
static_assert(kHolesFrom == 128);

// Looks through the entries for which matches(key) holds: in order while there are few, else by `code()`.
template <typename Code, typename Matches>
uint64_t FindEntry(const Hash& hash, Code code, Matches matches) {
  if (hash.index == nullptr) {
    for (uint64_t i = 0; i < hash.used; i++) {
      if (matches(hash.entries[i].key)) return i;
    }
    return kNone;
  }
  const uint64_t wanted = code();
  const uint32_t tag = SlotTag(wanted);
  for (uint64_t at = wanted & hash.index_mask;; at = (at + 1) & hash.index_mask) {
    const uint32_t slot = hash.index[at];
    if (slot == 0) return kNone;
    if ((slot & ~kSlotNumberMask) != tag) continue;
    const uint64_t number = EntryOfSlot(slot);
    if (matches(hash.entries[number].key)) return number;
  }
}

// `object`: the string itself when there is one; the same object is found without looking at its bytes.
uint64_t FindText(const Hash& hash, std::string_view text, String* object) {
  return FindEntry(
      hash, [&] { return object != nullptr ? HashOfString(object) : HashOfText(text); },
      [&](const Value& key) {
        if (key.tag() != Tag::kString) return false;
        const String* s = key.As<String>();
        if (s == object) return true;
        if (s->size != text.size()) return false;
        CountWork(text.size());
        return std::memcmp(s->data(), text.data(), text.size()) == 0;
      });
}

uint64_t Find(const Hash& hash, const Value& key) {
  if (key.tag() == Tag::kString) return FindText(hash, key.Text(), key.As<String>());
  if (key.IsInt()) {
    return FindEntry(
        hash, [&] { return HashOfInt(key.AsInt()); },
        [&](const Value& k) {
          return k.IsInt() ? k.AsInt() == key.AsInt()
                           : k.IsFloat() && Equal(k, key) && !TEAL_MUTANT("int_key_is_no_float_key");
        });
  }
  // A hole's key is a function, which no key is equal to.
  if (key.tag() == Tag::kFunction) return kNone;
  return FindEntry(hash, [&] { return HashOf(key); }, [&](const Value& k) { return Equal(k, key); });
}

uint64_t HashOfKey(const Value& key) {
  if (key.tag() == Tag::kString) return HashOfString(key.As<String>());
  if (key.IsInt()) return HashOfInt(key.AsInt());
  return HashOf(key);
}

void AddToIndex(Hash* hash, uint64_t number) {
  const uint64_t code = HashOfKey(hash->entries[number].key);
  uint64_t at = code & hash->index_mask;
  while (hash->index[at] != 0) at = (at + 1) & hash->index_mask;
  hash->index[at] = HashSlot(number, code);
}

// Makes the index anew, or drops it when there are too few entries. At most half of its slots are ever in use.
void RebuildIndex(Hash* hash) {
  std::free(hash->index);
  hash->index = nullptr;
  hash->index_mask = 0;
  if (hash->used < kIndexFrom) return;
  uint64_t slots = 32;
  while (slots < hash->capacity * 2) slots *= 2;
  hash->index = static_cast<uint32_t*>(Allocate(slots * sizeof(uint32_t)));
  std::memset(hash->index, 0, slots * sizeof(uint32_t));
  hash->index_mask = slots - 1;
  for (uint64_t i = 0; i < hash->used; i++) {
    if (!Hash::IsHole(hash->entries[i])) AddToIndex(hash, i);
  }
}

void Reserve(Hash* hash, uint64_t capacity) {
  assert(capacity > hash->capacity);
  void* grown = Reallocate(static_cast<void*>(hash->entries), capacity * sizeof(Hash::Entry));
  hash->entries = static_cast<Hash::Entry*>(grown);
  hash->capacity = capacity;
  if (hash->index != nullptr) RebuildIndex(hash);
}

// A copy without holes, with room for `extra` more entries.
Value CopyOf(const Hash* from, uint64_t extra) {
  Value copy = MakeHash(from->size + extra);
  Hash* to = copy.As<Hash>();
  for (uint64_t i = 0; i < from->used; i++) {
    if (Hash::IsHole(from->entries[i])) continue;
    new (&to->entries[to->used++]) Hash::Entry(from->entries[i]);
  }
  to->size = to->used;
  assert(to->size == from->size);
  RebuildIndex(to);
  return copy;
}

void CloseHoles(Hash* hash) {
  uint64_t kept = 0;
  for (uint64_t i = 0; i < hash->used; i++) {
    if (Hash::IsHole(hash->entries[i])) continue;
    if (kept != i) new (&hash->entries[kept]) Hash::Entry(std::move(hash->entries[i]));
    kept++;
  }
  assert(kept == hash->size);
  hash->used = kept;
  RebuildIndex(hash);
}

}  // namespace

Value MakeHash(uint64_t capacity) {
  Hash* hash = NewObject<Hash>(Tag::kHash);
  if (capacity > 0) Reserve(hash, capacity < kEntriesMin ? kEntriesMin : capacity);
  return Value::Adopt(hash);
}

Value HashSet(Value hash, Value key, Value value) {
  assert(IsKey(key));
  Hash* h = hash.As<Hash>();
  uint64_t found = Find(*h, key);
  if (found != kNone) {
    if (!h->Sole() && !TEAL_MUTANT("set_changes_shared_hash")) {
      // The copy has no holes, so an entry's number may be another one there.
      uint64_t number = 0;
      for (uint64_t i = 0; i < found; i++) number += Hash::IsHole(h->entries[i]) ? 0u : 1u;
      hash = CopyOf(h, 0);
      h = hash.As<Hash>();
      found = number;
    } else {
      DropSeals(h);
    }
    if (TEAL_MUTANT("last_spelling_of_key_stays")) h->entries[found].key = std::move(key);
    h->entries[found].value = std::move(value);
    return hash;
  }
  assert(h->size < kHashEntriesMax);
  if (!h->Sole()) {
    hash = CopyOf(h, h->size / 2 + 1);
    h = hash.As<Hash>();
  } else if (h->used == h->capacity) {
    Reserve(h, h->capacity == 0 ? kEntriesMin : h->capacity * 2);
  }
  new (&h->entries[h->used]) Hash::Entry{std::move(key), std::move(value)};
  h->used++;
  h->size++;
  if (h->index != nullptr) {
    AddToIndex(h, h->used - 1);
  } else if (h->used >= kIndexFrom) {
    RebuildIndex(h);
  }
  return hash;
}

Value HashDel(Value hash, const Value& key) {
  Hash* h = hash.As<Hash>();
  uint64_t found = Find(*h, key);
  if (found == kNone) return hash;
  if (!h->Sole()) {
    // Copy without the entry, rather than copying it first.
    Value copy = MakeHash(h->size - 1);
    Hash* to = copy.As<Hash>();
    for (uint64_t i = 0; i < h->used; i++) {
      if (i == found || Hash::IsHole(h->entries[i])) continue;
      new (&to->entries[to->used++]) Hash::Entry(h->entries[i]);
    }
    to->size = to->used;
    RebuildIndex(to);
    return copy;
  }
  DropSeals(h);
  h->entries[found].key = Value::Function(0);
  h->entries[found].value = Value();
  h->size--;
  if (h->used <= kHolesFrom || h->used - h->size >= h->used / 2) CloseHoles(h);
  return hash;
}

const Value* HashGet(const Hash& hash, const Value& key) {
  uint64_t found = Find(hash, key);
  return found == kNone ? nullptr : &hash.entries[found].value;
}

const Value* HashGet(const Hash& hash, std::string_view string_key) {
  uint64_t found = FindText(hash, string_key, nullptr);
  return found == kNone ? nullptr : &hash.entries[found].value;
}

}  // namespace teal::vm
