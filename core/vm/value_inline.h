// Fast paths of the machine's hottest operations, for the interpreter, and the limits on containers.
#pragma once

#include "core/base/mutant.h"
#include "core/vm/thread.h"
#include "core/vm/value.h"

namespace teal::vm {

// What one container may hold, so that no value passes kValueBytesMax. Checked by whoever makes a container longer
// (operators.h and the builtins do, with the error `limit`); the changing functions of value.h only assert it.
inline constexpr uint64_t kListItemsMax = kValueBytesMax / sizeof(Value);
inline constexpr uint64_t kHashEntriesMax = kValueBytesMax / sizeof(Hash::Entry);
inline constexpr uint64_t kStringBytesMax = kValueBytesMax;
// Hash::index holds entry numbers + 1 in 32 bits; refs count in 31 bits, and no thread's state can hold that many
// references.
static_assert(kHashEntriesMax * 2 < UINT32_MAX);
static_assert(kStateBytesMax / sizeof(Value) < INT32_MAX);

// append(list, item) where nothing need be allocated: true when done. `list` holds the longer list then, and `item` is
// null if it may be taken.
inline bool TryAppendInPlace(Value& list, Value& item, bool take) {
  if (list.tag() != Tag::kList || &list == &item) return false;
  List* l = list.As<List>();
  if (!l->Sole() || l->size == l->capacity) return false;
  Value* to = &l->items[l->size];
  if (take)
    new (to) Value(std::move(item));
  else
    new (to) Value(item);
  l->size++;
  return true;
}

// set(list, index, item) of a sole owner, index in range and not negative: true when done; `item` is null then if it
// may be taken.
inline bool TrySetInPlace(Value& list, const Value& index, Value& item, bool take) {
  if (list.tag() != Tag::kList || !index.IsInt() || &list == &item) return false;
  List* l = list.As<List>();
  if (!l->Sole() || static_cast<uint64_t>(index.AsInt()) >= l->size) return false;
  if (l->seals.load(std::memory_order_relaxed) != nullptr) return false;
  Value& to = l->items[index.AsInt()];
  if (take)
    to = std::move(item);
  else
    to = item;
  return true;
}

// xs[i] of a list with an integer, negative ones too: the element, or null when this is not that or out of range.
inline const Value* TryIndex(const Value& list, const Value& index) {
  if (list.tag() != Tag::kList || !index.IsInt()) return nullptr;
  const List* l = list.As<List>();
  int64_t i = index.AsInt();
  if (i < 0) i += static_cast<int64_t>(l->size) - (TEAL_MUTANT("negative_index_one_short") ? 1 : 0);
  if (static_cast<uint64_t>(i) >= l->size) return nullptr;
  return &l->items[i];
}

// The scalar value that starts at byte *position of a string, as a string; moves *position behind it.
// Precondition: *position < size, at the start of a scalar value. For walking a string in linear time.
Value StringNext(const String& string, uint64_t* position);

}  // namespace teal::vm
