// The builtins of the base: list hash conc append first rest nth length nullp atomp get set, and what fits no other
// file.
#include "core/vm/builtins_internal.h"
#include "core/vm/display.h"
#include "core/vm/operators.h"
#include "core/vm/value_inline.h"

namespace teal::vm {
namespace {

constexpr uint64_t kAssertedBytesMax = 200;  // of each side of an asserted comparison, in the message

// Index of a list that may be negative; false: there is no such element.
bool ListElement(const List& list, int64_t index, const Value** element) {
  if (index < 0) index += static_cast<int64_t>(list.size);
  if (index < 0 || static_cast<uint64_t>(index) >= list.size) return false;
  *element = &list.items[index];
  return true;
}

bool Length(std::string_view name, const Value& v, Value* result) {
  switch (v.tag()) {
    case Tag::kString:
    case Tag::kBytes:
      return Give(result, Value::Int(static_cast<int64_t>(v.As<String>()->length)));
    case Tag::kList:
      return Give(result, Value::Int(static_cast<int64_t>(v.As<List>()->size)));
    case Tag::kHash:
      return Give(result, Value::Int(static_cast<int64_t>(v.As<Hash>()->size)));
    default:
      return FailType(result, name, "the argument", "a list, a hash, a string or bytes", v);
  }
}

bool IsEmptyOrNull(const Value& v) {
  switch (v.tag()) {
    case Tag::kNull:
      return true;
    case Tag::kString:
      return v.As<String>()->size == 0;
    case Tag::kList:
      return v.As<List>()->size == 0;
    case Tag::kHash:
      return v.As<Hash>()->size == 0;
    default:
      return false;
  }
}

}  // namespace

// list(a, b, …): the list of its arguments.
bool Builtin_list(Value* args, uint32_t count, Value* result) {
  Value list = MakeList(count);
  for (uint32_t i = 0; i < count; i++) list = ListAppend(std::move(list), std::move(args[i]));
  return Give(result, std::move(list));
}

// hash(k1, v1, k2, v2, …): the hash of its arguments in pairs; an odd number of them is `arity`.
bool Builtin_hash(Value* args, uint32_t count, Value* result) {
  if (count % 2 != 0) {
    return FailWith(result, "arity",
                    "hash: takes keys and values in pairs, got " + std::to_string(count) + " arguments");
  }
  Value hash = MakeHash(count / 2);
  for (uint32_t i = 0; i < count; i += 2) {
    if (!WantKey("hash", args[i], result)) return false;
    hash = HashSet(std::move(hash), std::move(args[i]), std::move(args[i + 1]));
  }
  return Give(result, std::move(hash));
}

// conc(a, b): the elements of the list a, then those of the list b. An a that is no list (null too) is one element in
// front; b may be null, which is the empty list.
bool Builtin_conc(Value* args, uint32_t, Value* result) {
  Value a = std::move(args[0]);
  Value b = std::move(args[1]);
  if (!b.IsNull() && !WantList("conc", "the second argument", b, result)) return false;
  if (b.IsNull()) b = MakeList();
  if (a.tag() != Tag::kList) a = ListAppend(MakeList(1), std::move(a));
  if (a.As<List>()->size + b.As<List>()->size > kListItemsMax) return FailLimit(result, "conc");
  return Give(result, ListConcat(std::move(a), std::move(b)));
}

// append(xs, v): the list xs with v as one more element at the end; xs may be null, which is the empty list.
bool Builtin_append(Value* args, uint32_t, Value* result) {
  if (args[0].IsNull()) args[0] = MakeList();
  if (!WantList("append", "the first argument", args[0], result)) return false;
  if (args[0].As<List>()->size >= kListItemsMax) return FailLimit(result, "append");
  return Give(result, ListAppend(std::move(args[0]), std::move(args[1])));
}

// first(xs): the first element of a list; null when it is empty or null.
bool Builtin_first(Value* args, uint32_t, Value* result) {
  if (args[0].IsNull()) return Give(result, Value());
  if (!WantList("first", "the argument", args[0], result)) return false;
  const List* list = args[0].As<List>();
  return Give(result, list->size == 0 ? Value() : list->items[0]);
}

// rest(xs): all elements but the first; [] when there are none, and of null.
bool Builtin_rest(Value* args, uint32_t, Value* result) {
  if (args[0].IsNull()) return Give(result, MakeList());
  if (!WantList("rest", "the argument", args[0], result)) return false;
  uint64_t size = args[0].As<List>()->size;
  if (size == 0) return Give(result, std::move(args[0]));
  return Give(result, ListSlice(std::move(args[0]), 1, size));
}

// nth(xs, i): the element of a list at i, counted from 0, or from the end when negative; null past the ends and of
// null.
bool Builtin_nth(Value* args, uint32_t, Value* result) {
  int64_t index;
  if (!WantInt("nth", "the index", args[1], &index, result)) return false;
  if (args[0].IsNull()) return Give(result, Value());
  if (!WantList("nth", "the first argument", args[0], result)) return false;
  const Value* element;
  return Give(result, ListElement(*args[0].As<List>(), index, &element) ? *element : Value());
}

// length(x): the number of elements of a list, entries of a hash, scalar values of a string, bytes of bytes.
bool Builtin_length(Value* args, uint32_t, Value* result) {
  return Length("length", args[0], result);
}

// len(x): the same as length(x).
bool Builtin_len(Value* args, uint32_t, Value* result) {
  return Length("len", args[0], result);
}

// nullp(x): true for null, [], "" and {}; false for all else.
bool Builtin_nullp(Value* args, uint32_t, Value* result) {
  return Give(result, Value::Bool(IsEmptyOrNull(args[0])));
}

// atomp(x): false for lists and hashes, true for all else.
bool Builtin_atomp(Value* args, uint32_t, Value* result) {
  return Give(result, Value::Bool(args[0].tag() != Tag::kList && args[0].tag() != Tag::kHash));
}

// get(h, k): the value of key k, null when it is absent. get(h, k, d): d when it is absent.
// Of a list, k is an index, and absent means out of range.
bool Builtin_get(Value* args, uint32_t count, Value* result) {
  const Value* found = nullptr;
  if (args[0].tag() == Tag::kHash) {
    found = HashGet(*args[0].As<Hash>(), args[1]);
  } else if (args[0].tag() == Tag::kList) {
    int64_t index;
    if (!WantInt("get", "the index of a list", args[1], &index, result)) return false;
    if (!ListElement(*args[0].As<List>(), index, &found)) found = nullptr;
  } else {
    return FailType(result, "get", "the first argument", "a hash or a list", args[0]);
  }
  if (found != nullptr) return Give(result, *found);
  return Give(result, count == 3 ? std::move(args[2]) : Value());
}

// set(h, k, v): the hash h with v at key k. set(xs, i, v): the list xs with v instead of the element at i (negative:
// from the end), which must exist, else `index`.
bool Builtin_set(Value* args, uint32_t, Value* result) {
  return SetItem(std::move(args[0]), std::move(args[1]), std::move(args[2]), result);
}

// type(x): the name of x's type, one of null boolean integer float string bytes symbol list hash function future error
// secret.
bool Builtin_type(Value* args, uint32_t, Value* result) {
  return Give(result, MakeString(TypeName(args[0])));
}

// str(x): x as print writes it.
bool Builtin_str(Value* args, uint32_t, Value* result) {
  if (args[0].tag() == Tag::kString) return Give(result, std::move(args[0]));
  std::string text;
  if (!AppendText(args[0], false, kStringBytesMax, &text)) return FailLimit(result, "str");
  return Give(result, MakeString(text));
}

// secret(name): the secret of that name: a value that is resolved only when it is handed to foreign code.
bool Builtin_secret(Value* args, uint32_t, Value* result) {
  if (!WantString("secret", "the name", args[0], result)) return false;
  if (args[0].Text().empty()) return FailWith(result, "value", "secret: the name must not be empty");
  return Give(result, MakeSecret(args[0].Text()));
}

// assert(x): x, if it is neither null nor false; else raises `assert`. assert(x, message): with that message. The
// compiler makes assert(a == b), and the other comparisons, name both sides: __unmet.
bool Builtin_assert(Value* args, uint32_t count, Value* result) {
  if (args[0].Truthy()) return Give(result, std::move(args[0]));
  if (count == 1) return FailWith(result, "assert", "assertion failed: the value is " + Display(args[0]));
  return FailWith(result, "assert", Display(args[1]));
}

// What assert of a comparison raises: both sides in the message, and of == in the data as well.
bool Builtin___unmet(Value* args, uint32_t, Value* result) {
  if (!WantString("assert", "the operator", args[0], result)) return false;
  const std::string message = "assertion failed: " + ShortForm(args[1], kAssertedBytesMax) + " " +
                              std::string(args[0].Text()) + " " + ShortForm(args[2], kAssertedBytesMax);
  Value data;
  if (args[0].Text() == "==") {
    data = HashSet(MakeHash(2), Value::FromText("actual"), std::move(args[1]));
    data = HashSet(std::move(data), Value::FromText("expected"), std::move(args[2]));
  }
  *result = MakeError(Value::FromText("assert"), MakeString(message), std::move(data));
  return false;
}

// The error value that raise(kind, message, data) raises.
bool Builtin___error(Value* args, uint32_t, Value* result) {
  if (!WantString("raise", "the kind", args[0], result)) return false;
  if (args[1].tag() != Tag::kString) args[1] = MakeString(Display(args[1]));
  return Give(result, MakeError(std::move(args[0]), std::move(args[1]), std::move(args[2])));
}

}  // namespace teal::vm
