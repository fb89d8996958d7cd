// Builtins on lists and hashes.
#include <algorithm>
#include <bit>
#include <unordered_map>
#include <vector>

#include "core/vm/builtins_internal.h"
#include "core/vm/compare.h"
#include "core/vm/hash_key.h"
#include "core/vm/operators.h"
#include "core/vm/string_text.h"
#include "core/vm/value_inline.h"
#include "core/vm/value_walk.h"

namespace teal::vm {
namespace {

bool FailOrder(Value* result, const Value& a, const Value& b) {
  return FailWith(result, "type", "sort: cannot order " + Describe(a) + " and " + Describe(b));
}

// Moves the values that `order` points at into a new list; they may be elements of `from`, if it has no other owner.
Value Rearranged(const Value& from, const std::vector<Value*>& order) {
  Value sorted = MakeList(order.size());
  List* to = sorted.As<List>();
  bool sole = from.AsObject()->Sole();
  for (Value* v : order) {
    if (sole)
      new (&to->items[to->size++]) Value(std::move(*v));
    else
      new (&to->items[to->size++]) Value(*v);
  }
  return sorted;
}

bool IsTextOrBytes(const Value& v) {
  return v.tag() == Tag::kString || v.tag() == Tag::kBytes;
}

bool ReverseString(const Value& string, Value* result) {
  std::string_view text = string.Text();
  std::string reversed;
  reversed.reserve(text.size());
  if (string.As<String>()->ascii()) {
    reversed.assign(text.rbegin(), text.rend());
    return Give(result, string.tag() == Tag::kBytes ? MakeBytes(reversed) : MakeString(reversed));
  }
  for (size_t end = text.size(); end > 0;) {
    size_t begin = end - 1;
    while ((static_cast<uint8_t>(text[begin]) & 0xC0) == 0x80) begin--;
    reversed.append(text, begin, end - begin);
    end = begin;
  }
  return Give(result, MakeString(reversed));
}

Value Pair(Value a, Value b) {
  Value pair = MakeList(2);
  pair = ListAppend(std::move(pair), std::move(a));
  return ListAppend(std::move(pair), std::move(b));
}

// The list of what `of` makes of each entry, in order of insertion.
template <typename Of>
bool ListEntries(std::string_view name, const Value& hash, Of of, Value* result) {
  if (!WantHash(name, "the argument", hash, result)) return false;
  const Hash* h = hash.As<Hash>();
  Value list = MakeList(h->size);
  for (uint64_t i = 0; i < h->used; i++) {
    if (!Hash::IsHole(h->entries[i])) list = ListAppend(std::move(list), of(h->entries[i]));
  }
  return Give(result, std::move(list));
}

// How many numbers there are from start in steps to end, which does not belong.
uint64_t RangeCount(int64_t start, int64_t end, int64_t step) {
  if (step > 0 ? start >= end : start <= end) return 0;
  uint64_t distance = step > 0 ? static_cast<uint64_t>(end) - static_cast<uint64_t>(start)
                               : static_cast<uint64_t>(start) - static_cast<uint64_t>(end);
  uint64_t stride = step > 0 ? static_cast<uint64_t>(step) : uint64_t{0} - static_cast<uint64_t>(step);
  return (distance - 1) / stride + 1;
}

}  // namespace

// range(end): the integers from 0 below end, as a list. range(start, end): from start. range(start, end, step): every
// step-th, downwards when it is negative; 0 is `value`.
bool Builtin_range(Value* args, uint32_t count, Value* result) {
  int64_t start = 0;
  int64_t end = 0;
  int64_t step = 1;
  if (count == 1) {
    if (!WantInt("range", "the end", args[0], &end, result)) return false;
  } else {
    if (!WantInt("range", "the start", args[0], &start, result)) return false;
    if (!WantInt("range", "the end", args[1], &end, result)) return false;
    if (count == 3 && !WantInt("range", "the step", args[2], &step, result)) return false;
  }
  if (step == 0) return FailWith(result, "value", "range: the step must not be 0");
  uint64_t size = RangeCount(start, end, step);
  if (size > kListItemsMax) return FailLimit(result, "range");
  Value list = MakeList(size);
  List* l = list.As<List>();
  for (uint64_t i = 0; i < size; i++) {
    new (&l->items[i])
        Value(Value::Int(static_cast<int64_t>(static_cast<uint64_t>(start) + i * static_cast<uint64_t>(step))));
    l->size++;
  }
  return Give(result, std::move(list));
}

// Sorts stably by merging runs of doubling length. Stays within its bounds whatever `less` answers, which a comparison
// that found two elements without an order needs (std::sort would not).
template <typename Less>
void MergeSort(std::vector<Value*>& order, Less less) {
  const size_t count = order.size();
  std::vector<Value*> merged(count);
  for (size_t run = 1; run < count; run *= 2) {
    for (size_t from = 0; from < count; from += 2 * run) {
      const auto begin = order.begin() + static_cast<ptrdiff_t>(from);
      const auto middle = order.begin() + static_cast<ptrdiff_t>(std::min(from + run, count));
      const auto end = order.begin() + static_cast<ptrdiff_t>(std::min(from + 2 * run, count));
      std::merge(begin, middle, middle, end, merged.begin() + static_cast<ptrdiff_t>(from), less);
    }
    order.swap(merged);
  }
}

// sort(xs): the elements in ascending order, by <; equal ones stay in their order; nan stands behind all other numbers.
// Elements that < cannot order are `type`.
bool Builtin___sort(Value* args, uint32_t, Value* result) {
  if (!WantList("sort", "the first argument", args[0], result)) return false;
  List* list = args[0].As<List>();
  const uint64_t begun = allocated_bytes;
  std::vector<Value*> order(list->size);
  bool all_ints = true;
  bool all_strings = true;
  for (uint64_t i = 0; i < list->size; i++) {
    order[i] = &list->items[i];
    all_ints &= order[i]->IsInt();
    all_strings &= order[i]->tag() == Tag::kString;
  }
  if (all_ints) {
    CountWork(list->size * static_cast<uint64_t>(std::bit_width(list->size)) * sizeof(Value));
    // Equal integers cannot be told apart, so this need not be stable.
    std::sort(order.begin(), order.end(), [](const Value* a, const Value* b) { return a->AsInt() < b->AsInt(); });
  } else if (all_strings) {
    MergeSort(order, [begun](const Value* a, const Value* b) {
      if (a->AsObject() == b->AsObject() || TooMuchWork(begun)) return false;
      const std::string_view x = a->Text(), y = b->Text();
      CountWork(sizeof(Value) + std::min(x.size(), y.size()));
      return x < y;
    });
  } else {
    // After the first pair without an order all count as equal, which ends the sorting early and safely.
    const Value* odd[2] = {nullptr, nullptr};
    auto less = [&odd, begun](const Value* a, const Value* b) {
      if (odd[0] != nullptr || TooMuchWork(begun)) return false;
      CountWork(sizeof(Value));
      Order found = CompareForSort(*a, *b);
      if (found == Order::kIncomparable) {
        odd[0] = a;
        odd[1] = b;
      }
      return found == Order::kLess;
    };
    if (list->size == 1) less(order[0], order[0]);  // a single element must have an order too
    MergeSort(order, less);
    if (odd[0] != nullptr) return FailOrder(result, *odd[0], *odd[1]);
  }
  if (TooMuchWork(begun)) return FailWork(result, "sort");
  return Give(result, Rearranged(args[0], order));
}

// reverse(xs): the elements of a list, the scalar values of a string or the bytes of bytes, last first.
bool Builtin_reverse(Value* args, uint32_t, Value* result) {
  if (IsTextOrBytes(args[0])) return ReverseString(args[0], result);
  if (args[0].tag() != Tag::kList)
    return FailType(result, "reverse", "the argument", "a list, a string or bytes", args[0]);
  List* list = args[0].As<List>();
  std::vector<Value*> order(list->size);
  for (uint64_t i = 0; i < list->size; i++) order[i] = &list->items[list->size - 1 - i];
  return Give(result, Rearranged(args[0], order));
}

// slice(x, from): the elements of a list, string or bytes from that index on. slice(x, from, to): those before index
// to. The same as x[from:to]: negative indexes count from the end, null is open, what is outside is left out.
bool Builtin_slice(Value* args, uint32_t count, Value* result) {
  return SliceValue(args[0], args[1], count == 3 ? args[2] : Value(), result);
}

// zip(xs, ys, …): the list of the lists of all first elements, of all second ones, …; as long as the shortest list.
bool Builtin_zip(Value* args, uint32_t count, Value* result) {
  uint64_t size = UINT64_MAX;
  for (uint32_t i = 0; i < count; i++) {
    if (!WantList("zip", "argument " + std::to_string(i + 1), args[i], result)) return false;
    size = std::min(size, args[i].As<List>()->size);
  }
  Value zipped = MakeList(size);
  for (uint64_t at = 0; at < size; at++) {
    Value row = MakeList(count);
    for (uint32_t i = 0; i < count; i++) row = ListAppend(std::move(row), args[i].As<List>()->items[at]);
    zipped = ListAppend(std::move(zipped), std::move(row));
  }
  return Give(result, std::move(zipped));
}

// enumerate(xs): the list of [index, element], from 0.
bool Builtin_enumerate(Value* args, uint32_t, Value* result) {
  if (!WantList("enumerate", "the argument", args[0], result)) return false;
  const List* list = args[0].As<List>();
  Value pairs = MakeList(list->size);
  for (uint64_t i = 0; i < list->size; i++) {
    pairs = ListAppend(std::move(pairs), Pair(Value::Int(static_cast<int64_t>(i)), list->items[i]));
  }
  return Give(result, std::move(pairs));
}

// unique(xs): the list without those elements that are equal to an earlier one.
bool Builtin_unique(Value* args, uint32_t, Value* result) {
  if (!WantList("unique", "the argument", args[0], result)) return false;
  const List* list = args[0].As<List>();
  Value kept = MakeList();
  Value seen = MakeHash();
  std::unordered_multimap<uint64_t, const Value*> no_keys;  // functions, futures, nan and what holds them, by hash
  Hasher hasher(true);
  const uint64_t begun = allocated_bytes;
  for (uint64_t i = 0; i < list->size; i++) {
    CountWork(sizeof(Value));
    if (TooMuchWork(begun)) return FailWork(result, "unique");
    const Value& v = list->items[i];
    if (IsKey(v)) {
      if (HashGet(*seen.As<Hash>(), v) != nullptr) continue;
      if (seen.As<Hash>()->size >= kHashEntriesMax) return FailLimit(result, "unique");
      seen = HashSet(std::move(seen), v, Value());
    } else {
      const uint64_t code = hasher.Of(v);
      const auto [from, to] = no_keys.equal_range(code);
      const auto equal = [&v, begun](const auto& other) {
        CountWork(sizeof(Value));
        return !TooMuchWork(begun) && Equal(v, *other.second);
      };
      if (std::any_of(from, to, equal)) continue;
      no_keys.emplace(code, &v);
    }
    kept = ListAppend(std::move(kept), v);
  }
  return Give(result, std::move(kept));
}

// flatten(xs): the list with the elements of each list in it in that list's place; one level, other elements stay.
bool Builtin_flatten(Value* args, uint32_t, Value* result) {
  if (!WantList("flatten", "the argument", args[0], result)) return false;
  const List* list = args[0].As<List>();
  CountWork(list->size * sizeof(Value));
  uint64_t size = 0;
  for (uint64_t i = 0; i < list->size; i++) {
    size += list->items[i].tag() == Tag::kList ? list->items[i].As<List>()->size : 1;
    if (size > kListItemsMax) return FailLimit(result, "flatten");
  }
  Value flat = MakeList(size);
  for (uint64_t i = 0; i < list->size; i++) {
    if (list->items[i].tag() == Tag::kList)
      flat = ListConcat(std::move(flat), list->items[i]);
    else
      flat = ListAppend(std::move(flat), list->items[i]);
  }
  return Give(result, std::move(flat));
}

// has(xs, v): whether a list has an element equal to v. has(h, k): whether a hash has the key. has(s, part): as
// contains.
bool Builtin_has(Value* args, uint32_t count, Value* result) {
  if (IsTextOrBytes(args[0])) return PureBuiltinOf(kBuiltin_contains)(args, count, result);
  if (args[0].tag() == Tag::kHash) {
    return Give(result, Value::Bool(HashGet(*args[0].As<Hash>(), args[1]) != nullptr));
  }
  if (args[0].tag() != Tag::kList) {
    return FailType(result, "has", "the first argument", "a list, a hash, a string or bytes", args[0]);
  }
  const List* list = args[0].As<List>();
  const uint64_t begun = allocated_bytes;
  for (uint64_t i = 0; i < list->size; i++) {
    CountWork(sizeof(Value));
    Hindrance hindrance;
    if (EqualUnless(list->items[i], args[1], &hindrance)) return Give(result, Value::Bool(true));
    if (hindrance == Hindrance::kTooMuch || TooMuchWork(begun)) return FailWork(result, "has");
  }
  return Give(result, Value::Bool(false));
}

// keys(h): the keys of a hash, in order of insertion.
bool Builtin_keys(Value* args, uint32_t, Value* result) {
  return ListEntries("keys", args[0], [](const Hash::Entry& entry) { return entry.key; }, result);
}

// values(h): the values of a hash, in order of insertion of their keys.
bool Builtin_values(Value* args, uint32_t, Value* result) {
  return ListEntries("values", args[0], [](const Hash::Entry& entry) { return entry.value; }, result);
}

// items(h): the list of [key, value], in order of insertion.
bool Builtin_items(Value* args, uint32_t, Value* result) {
  return ListEntries("items", args[0], [](const Hash::Entry& entry) { return Pair(entry.key, entry.value); }, result);
}

// del(h, k): the hash without key k; as it is when k is absent.
bool Builtin_del(Value* args, uint32_t, Value* result) {
  if (!WantHash("del", "the first argument", args[0], result)) return false;
  return Give(result, HashDel(std::move(args[0]), args[1]));
}

// merge(a, b, …): the entries of all hashes; of a key in several, the last one's value, in the place of the first.
bool Builtin_merge(Value* args, uint32_t count, Value* result) {
  for (uint32_t i = 0; i < count; i++) {
    if (!WantHash("merge", "argument " + std::to_string(i + 1), args[i], result)) return false;
  }
  Value merged = std::move(args[0]);
  for (uint32_t i = 1; i < count; i++) {
    const Hash* hash = args[i].As<Hash>();
    CountWork(hash->used * sizeof(Hash::Entry));
    for (uint64_t at = 0; at < hash->used; at++) {
      const Hash::Entry& entry = hash->entries[at];
      if (Hash::IsHole(entry)) continue;
      const Hash* so_far = merged.As<Hash>();
      bool full = so_far->size >= kHashEntriesMax;
      if (full && HashGet(*so_far, entry.key) == nullptr) return FailLimit(result, "merge");
      merged = HashSet(std::move(merged), entry.key, entry.value);
    }
  }
  return Give(result, std::move(merged));
}

}  // namespace teal::vm
