// Values of the language.
//
// Invariants:
//  - A Value is 16 bytes: a tag and a payload. Immediates hold themselves; the rest point to a heap object.
//  - Heap objects are reference-counted and immutable to the language. Only a sole owner (Object::Sole) may change one
//    in place; nobody can tell.
//  - There are no reference cycles: an object can only refer to objects that existed before it (a closure reaches
//    itself through a register that the call fills, not through a capture).
//  - Object::refs > 0: owned by one OS thread at a time, counted without atomics. refs < 0: shared between OS threads
//    (Share), counted atomically, never changed again; kImmortal: a constant of a program, not counted at all.
//  - Destruction, comparison, hashing, printing, sharing and every other walk uses an explicit stack, never the C
//  stack.
// Not synchronised, except as said above.
#pragma once

#include <atomic>
#include <cassert>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <utility>

namespace teal::vm {

// The order of heap kinds matters: everything from kString on is an Object*.
enum class Tag : uint8_t {
  kNull = 0,
  kBool = 1,
  kInt = 2,
  kFloat = 3,
  kFunction = 4,  // a function of the program without captures: index into Program::functions
  kBuiltin = 5,   // a builtin used as a value: its id in builtins.def
  kForeign = 6,   // a foreign import used as a value: index into Program::imports
  kString = 8,
  kSymbol,
  kBytes,
  kList,
  kHash,
  kClosure,
  kFuture,
  kError,
  kSecret,
};

inline constexpr int32_t kImmortal = INT32_MIN;

struct Object {
  std::atomic<int32_t> refs;  // see the invariants; relaxed plain loads and stores while > 0
  Tag tag;
  uint8_t flags = 0;  // per kind
  uint16_t spare = 0;

  bool Sole() const { return refs.load(std::memory_order_relaxed) == 1; }
};

void DestroyObject(Object* object);  // refs reached 0: frees it and what only it held, without recursion
void RetainShared(Object* object);   // refs < 0
bool ReleaseShared(Object* object);  // refs < 0; true when the last reference went and the caller must destroy

struct String;
struct List;
struct Hash;
struct Closure;
struct Future;
struct Error;

class Value {
 public:
  constexpr Value() : bits_{.i = 0}, tag_(Tag::kNull) {}
  Value(const Value& other) : bits_(other.bits_), tag_(other.tag_) { RetainIfHeap(); }
  Value(Value&& other) noexcept : bits_(other.bits_), tag_(other.tag_) { other.tag_ = Tag::kNull; }
  Value& operator=(const Value& other) {
    Value copy(other);
    Swap(copy);
    return *this;
  }
  Value& operator=(Value&& other) noexcept {
    Value moved(std::move(other));
    Swap(moved);
    return *this;
  }
  ~Value() { ReleaseIfHeap(); }

  static Value Bool(bool b) { return Value(Bits{.i = b}, Tag::kBool); }
  static Value Int(int64_t i) { return Value(Bits{.i = i}, Tag::kInt); }
  static Value Float(double d) { return Value(Bits{.d = d}, Tag::kFloat); }
  static Value Function(uint32_t index) { return Value(Bits{.i = index}, Tag::kFunction); }
  static Value Builtin(uint32_t id) { return Value(Bits{.i = id}, Tag::kBuiltin); }
  static Value Foreign(uint32_t index) { return Value(Bits{.i = index}, Tag::kForeign); }
  // Takes over one reference.
  static Value Adopt(Object* object) { return Value(Bits{.o = object}, object->tag); }
  static Value FromText(std::string_view utf8);  // a string; precondition: valid UTF-8

  Tag tag() const { return tag_; }
  bool IsHeap() const { return tag_ >= Tag::kString; }
  bool IsNull() const { return tag_ == Tag::kNull; }
  bool IsInt() const { return tag_ == Tag::kInt; }
  bool IsFloat() const { return tag_ == Tag::kFloat; }
  bool IsNumber() const { return tag_ == Tag::kInt || tag_ == Tag::kFloat; }
  bool IsCallable() const { return (tag_ >= Tag::kFunction && tag_ <= Tag::kForeign) || tag_ == Tag::kClosure; }
  // Only null and false are false.
  bool Truthy() const { return tag_ > Tag::kBool || (tag_ == Tag::kBool && bits_.i != 0); }

  bool AsBool() const {
    assert(tag_ == Tag::kBool);
    return bits_.i != 0;
  }
  int64_t AsInt() const {
    assert(tag_ == Tag::kInt);
    return bits_.i;
  }
  double AsFloat() const {
    assert(tag_ == Tag::kFloat);
    return bits_.d;
  }
  uint32_t AsIndex() const {
    assert(!IsHeap());
    return static_cast<uint32_t>(bits_.i);
  }  // kFunction, kBuiltin, kForeign
  Object* AsObject() const {
    assert(IsHeap());
    return bits_.o;
  }
  template <typename T>
  T* As() const {
    assert(IsHeap() && T::Accepts(tag_));
    return reinterpret_cast<T*>(bits_.o);
  }
  std::string_view Text()
      const;  // kString, kSymbol, kBytes, kSecret (its name): the bytes; lives as long as the object

  void Swap(Value& other) noexcept {
    std::swap(bits_, other.bits_);
    std::swap(tag_, other.tag_);
  }
  // Gives up ownership: the caller now holds the reference. Precondition: IsHeap().
  Object* Release() {
    Object* o = AsObject();
    tag_ = Tag::kNull;
    return o;
  }

 private:
  friend class Interpreter;  // reads and writes tag and payload apart
  union Bits {
    int64_t i;
    double d;
    Object* o;
  };
  Value(Bits bits, Tag tag) : bits_(bits), tag_(tag) {}

  void RetainIfHeap() const {
    if (!IsHeap()) return;
    int32_t refs = bits_.o->refs.load(std::memory_order_relaxed);
    if (refs > 0)
      bits_.o->refs.store(refs + 1, std::memory_order_relaxed);
    else if (refs != kImmortal)
      RetainShared(bits_.o);
  }
  void ReleaseIfHeap() {
    if (!IsHeap()) return;
    int32_t refs = bits_.o->refs.load(std::memory_order_relaxed);
    if (refs > 1)
      bits_.o->refs.store(refs - 1, std::memory_order_relaxed);
    else if (refs == 1)
      DestroyObject(bits_.o);
    else if (refs != kImmortal && ReleaseShared(bits_.o))
      DestroyObject(bits_.o);
  }

  Bits bits_;
  Tag tag_;
};
static_assert(sizeof(Value) == 16);

// What was written of a large object at its last checkpoints, so that it is not written again: content hashes of its
// sealed chunks. Owned by the object; built and read by checkpoint.cpp only; installed with one atomic store, so that a
// shared object may be checkpointed by several OS threads at once. Dropped (from the changed chunk on, at least) by
// whoever changes a sole-owned object in place.
struct Seals;
void DestroySeals(Seals* seals);

// kString, kSymbol, kBytes, kSecret. Bytes follow the struct; a string grows in place by reallocation when sole-owned.
struct String : Object {
  static bool Accepts(Tag t) { return t == Tag::kString || t == Tag::kSymbol || t == Tag::kBytes || t == Tag::kSecret; }
  uint64_t size = 0;              // bytes
  uint64_t length = 0;            // Unicode scalar values (kBytes: bytes); size == length means ASCII
  uint64_t capacity = 0;          // bytes
  std::atomic<uint64_t> hash{0};  // 0: not yet computed
  std::atomic<Seals*> seals{nullptr};
  char* data() { return reinterpret_cast<char*>(this + 1); }
  const char* data() const { return reinterpret_cast<const char*>(this + 1); }
  bool ascii() const { return size == length; }
};

struct List : Object {
  static bool Accepts(Tag t) { return t == Tag::kList; }
  uint64_t size = 0;
  uint64_t capacity = 0;
  Value* items = nullptr;  // malloc'ed; [0, size) are constructed
  std::atomic<Seals*> seals{nullptr};
};

// Insertion-ordered. Entries stand in order in one array; a deleted entry leaves a hole (absent == true) until half of
// the array is holes. An index of entry numbers (open addressing) exists from 9 entries on. Up to 4 KiB of entries
// (128), holes are closed at once, so that small hashes have one form.
struct Hash : Object {
  static bool Accepts(Tag t) { return t == Tag::kHash; }
  struct Entry {
    Value key;
    Value value;
  };
  uint64_t size = 0;          // living entries
  uint64_t used = 0;          // living entries and holes
  uint64_t capacity = 0;      // entries
  Entry* entries = nullptr;   // a hole has the key tag kFunction, which no key can have
  uint32_t* index = nullptr;  // index_mask + 1 slots, 0 = empty, else as HashSlot (hash_key.h)
  uint64_t index_mask = 0;
  std::atomic<Seals*> seals{nullptr};
  static bool IsHole(const Entry& e) { return e.key.tag() == Tag::kFunction; }
};

// A function with captured values. Identity (==) is (origin, serial): it survives checkpoints and travels.
struct Closure : Object {
  static bool Accepts(Tag t) { return t == Tag::kClosure; }
  uint32_t function = 0;  // index into Program::functions
  uint32_t count = 0;     // captured values, which follow the struct
  uint64_t origin = 0;    // Thread::origin of the creator
  uint64_t serial = 0;    // the creator's count of closures
  Value* captures() { return reinterpret_cast<Value*>(this + 1); }
};

enum class FutureKind : uint8_t {
  kThread = 0,   // the result of thread `id`
  kTimer = 1,    // resolves at deadline_unix_ns with null
  kEvent = 2,    // event(name) called in step `step` of thread `id`; text = name
  kRequest = 3,  // the same for request(name)
  kTimeout = 4,  // inner, or the error `timeout` at deadline_unix_ns; id/step say who made it
};
// Identity (==): equal kind, id, step.
struct Future : Object {
  static bool Accepts(Tag t) { return t == Tag::kFuture; }
  FutureKind kind = FutureKind::kThread;
  uint64_t step = 0;
  int64_t deadline_unix_ns = 0;
  Value id;     // string: tid
  Value text;   // string or null
  Value inner;  // future or null
};

struct Error : Object {
  static bool Accepts(Tag t) { return t == Tag::kError; }
  Value kind;     // string
  Value message;  // string
  Value data;
  // A list of hashes {"function","file","line","thread"}, entry point first, failing line last; null until raised.
  Value trace;
};

// ---- construction ----
Value MakeString(std::string_view utf8);  // precondition: valid UTF-8
Value MakeSymbol(std::string_view name);
Value MakeBytes(std::string_view bytes);
Value MakeSecret(std::string_view name);
Value MakeList(uint64_t capacity = 0);  // empty
Value MakeHash(uint64_t capacity = 0);  // empty
Value MakeClosure(uint32_t function, uint64_t origin, uint64_t serial, Value* captures,
                  uint32_t count);  // moves captures
Value MakeFuture(FutureKind kind, Value id, uint64_t step, int64_t deadline_unix_ns, Value text, Value inner);
Value MakeError(Value kind, Value message, Value data);
Value MakeError(std::string_view kind, std::string_view message);
bool IsValidUtf8(std::string_view bytes);  // no surrogates, no overlong forms, nothing past U+10FFFF

// ---- changing: all take the container by value and give the changed one; a sole owner is changed in place ----
Value ListAppend(Value list, Value item);
Value ListConcat(Value a, Value b);
Value ListSet(Value list, uint64_t index, Value item);    // precondition: index < size
Value ListSlice(Value list, uint64_t from, uint64_t to);  // precondition: from <= to <= size
Value HashSet(Value hash, Value key, Value value);        // precondition: IsKey(key)
Value HashDel(Value hash, const Value& key);
Value StringAppend(Value string, std::string_view utf8);             // kString or kBytes
Value StringSlice(const Value& string, uint64_t from, uint64_t to);  // in scalar values (bytes of kBytes)
// The scalar value at `index`, as a string of length 1 (kBytes: an integer). O(1) for ASCII and bytes.
Value StringAt(const Value& string, uint64_t index);

// ---- asking ----
const Value* HashGet(const Hash& hash, const Value& key);  // null: absent. Valid until the hash changes.
const Value* HashGet(const Hash& hash, std::string_view string_key);
bool IsKey(const Value& v);  // any value but a function, future, secret, NaN, or a list/hash/error holding one
bool Equal(const Value& a, const Value& b);  // ==
enum class Order : int8_t {
  kLess = -1,
  kEqual = 0,
  kGreater = 1,
  kUnordered = 2 /* NaN */,
  kIncomparable = 3 /* type */,
  kTooMuch = 4 /* limit: kWorkBytesMax */
};
Order Compare(const Value& a, const Value& b);  // numbers, strings, bytes, lists
uint64_t HashOf(const Value& v);                // Equal values hash equal; seeded per process
std::string_view TypeName(
    const Value& v);  // null boolean integer float string bytes symbol list hash function future error secret
// As print writes it: a string bare, anything else its source form. Secrets are ***.
std::string Display(const Value& v);
std::string SourceForm(const Value& v);  // strings quoted and escaped
std::string FloatRepr(double d);         // as Python's repr: 1.0, 1e+16, inf, nan
// Bytes this value takes in memory, with all it reaches, each object once.
uint64_t MemorySize(const Value& v);
// Bytes that these values reach, each object once; the values themselves do not count. Past `enough` it stops counting.
uint64_t MemoryReached(std::span<const Value> values, uint64_t enough = UINT64_MAX);

// Makes v and all it reaches safe to be read by several OS threads at once. Call before a value is handed to another
// thread. Cost: the objects not yet shared.
void Share(const Value& v);
// For constants of programs: never counted, never freed.
void MakeImmortal(const Value& v);

inline std::string_view Value::Text() const {
  const String* s = As<String>();
  return {s->data(), static_cast<size_t>(s->size)};
}
inline Value Value::FromText(std::string_view utf8) {
  return MakeString(utf8);
}

}  // namespace teal::vm
