// Lists: one array of values, doubled when full.
#include "core/base/mutant.h"
#include "core/vm/value.h"
#include "core/vm/value_inline.h"
#include "core/vm/value_walk.h"

namespace teal::vm {
namespace {

inline constexpr uint64_t kListCapacityMin = 4;

// Values may be moved by copying their bytes, so the array grows by reallocation.
void Reserve(List* list, uint64_t capacity) {
  assert(capacity >= list->size);
  assert(capacity > list->capacity);
  list->items = static_cast<Value*>(Reallocate(static_cast<void*>(list->items), capacity * sizeof(Value)));
  list->capacity = capacity;
}

void Grow(List* list, uint64_t needed) {
  uint64_t capacity = list->capacity * 2;
  if (capacity < kListCapacityMin) capacity = kListCapacityMin;
  Reserve(list, capacity < needed ? needed : capacity);
}

void CopyItems(List* to, const List* from, uint64_t begin, uint64_t end) {
  for (uint64_t i = begin; i < end; i++) new (&to->items[to->size++]) Value(from->items[i]);
}

// The elements [begin, end) of `from`, in a new list with room for `extra` more.
Value CopyOf(const List* from, uint64_t begin, uint64_t end, uint64_t extra) {
  Value copy = MakeList(end - begin + extra);
  CopyItems(copy.As<List>(), from, begin, end);
  return copy;
}

}  // namespace

Value MakeList(uint64_t capacity) {
  List* list = NewObject<List>(Tag::kList);
  if (capacity > 0) Reserve(list, capacity);
  return Value::Adopt(list);
}

Value ListAppend(Value list, Value item) {
  List* l = list.As<List>();
  assert(l->size < kListItemsMax);
  if (!l->Sole() && !TEAL_MUTANT("append_changes_shared_list")) {
    list = CopyOf(l, 0, l->size, l->size / 2 + 1);
    l = list.As<List>();
  } else if (l->size == l->capacity) {
    Grow(l, l->size + 1);
  }
  new (&l->items[l->size]) Value(std::move(item));
  l->size++;
  return list;
}

Value ListConcat(Value a, Value b) {
  List* x = a.As<List>();
  List* y = b.As<List>();
  assert(x->size + y->size <= kListItemsMax);
  if (y->size == 0) return a;
  if (x->size == 0) return b;
  if (!x->Sole()) {
    a = CopyOf(x, 0, x->size, y->size);
    x = a.As<List>();
  } else if (x->size + y->size > x->capacity) {
    Grow(x, x->size + y->size);
  }
  if (y->Sole()) {
    for (uint64_t i = 0; i < y->size; i++) new (&x->items[x->size++]) Value(std::move(y->items[i]));
  } else {
    CopyItems(x, y, 0, y->size);
  }
  return a;
}

Value ListSet(Value list, uint64_t index, Value item) {
  List* l = list.As<List>();
  assert(index < l->size);
  if (!l->Sole() && !TEAL_MUTANT("set_changes_shared_list")) {
    list = CopyOf(l, 0, l->size, 0);
    l = list.As<List>();
  } else if (!TEAL_MUTANT("set_keeps_seals")) {
    DropSeals(l);
  }
  l->items[index] = std::move(item);
  return list;
}

Value ListSlice(Value list, uint64_t from, uint64_t to) {
  List* l = list.As<List>();
  assert(from <= to && to <= l->size);
  if (from == 0 && to == l->size) return list;
  if (!l->Sole() || to - from < l->size / 2) return CopyOf(l, from, to, 0);
  // The sole owner keeps more than it loses: move what stays to the front.
  DropSeals(l);
  uint64_t before = l->size;
  if (from > 0) {
    CountWork((to - from) * sizeof(Value));
    for (uint64_t i = from; i < to; i++) l->items[i - from] = std::move(l->items[i]);
  }
  l->size = to - from;
  for (uint64_t i = l->size; i < before; i++) l->items[i].~Value();
  return list;
}

}  // namespace teal::vm
