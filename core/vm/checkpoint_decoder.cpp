#include "core/vm/checkpoint_decoder.h"

#include <algorithm>
#include <unordered_set>

#include "core/base/mutant.h"
#include "core/vm/builtins.h"
#include "core/vm/value_inline.h"

namespace teal::vm {
namespace {

using wire::In;
using wire::Key;

// Another reference to an object that is alive.
Value Again(const Object* object) {
  Value borrowed = Value::Adopt(const_cast<Object*>(object));
  Value again(borrowed);
  borrowed.Release();
  return again;
}

// Integers that equal none of the hash's keys, one for each hole.
std::vector<Value> PlaceholderKeys(const std::vector<Value>& operands, size_t base) {
  size_t holes = 0;
  for (size_t i = base; i < operands.size(); i += 2) holes += operands[i].tag() == Tag::kFunction ? 1u : 0u;
  if (holes == 0) return {};
  std::unordered_set<int64_t> taken;
  for (size_t i = base; i < operands.size(); i += 2) {
    const Value& key = operands[i];
    if (key.IsInt()) taken.insert(key.AsInt());
    if (key.IsFloat() && key.AsFloat() >= -0x1p63 && key.AsFloat() < 0x1p63)
      taken.insert(static_cast<int64_t>(key.AsFloat()));
  }
  std::vector<Value> keys;
  for (int64_t candidate = INT64_MIN; keys.size() < holes; candidate++) {
    if (!taken.contains(candidate)) keys.push_back(Value::Int(candidate));
  }
  return keys;
}

bool IsTrace(const Value& trace) {
  if (trace.IsNull()) return true;
  if (trace.tag() != Tag::kList) return false;
  const List* list = trace.As<List>();
  return std::all_of(list->items, list->items + list->size, [](const Value& v) { return v.tag() == Tag::kHash; });
}

bool TrueField(In* in) {
  uint64_t v = 0;
  return in->Varint(&v) && (v == 1 || in->Fail("a mark that is not 1"));
}

}  // namespace

Failure CorruptAt(std::string_view where, const In& in) {
  return Fail(FailureCode::kCorrupt,
              std::string(where) + ": " + in.error() + ", at byte " + std::to_string(in.error_offset()));
}

bool CellDecoder::Read(In* in, uint64_t count, std::vector<Value>* values) {
  if (count > in->remaining()) return in->Fail("fewer values than there must be");
  for (uint64_t i = 0; i < count; i++) {
    Value value;
    if (!ReadOne(in, false, &value)) return false;
    values->push_back(std::move(value));
  }
  return true;
}

bool CellDecoder::ReadAll(In* in, std::vector<Value>* values) {
  while (in->ok() && in->remaining() > 0) {
    Value value;
    if (!ReadOne(in, false, &value)) return false;
    values->push_back(std::move(value));
  }
  return in->ok();
}

bool CellDecoder::ReadEntries(In* in, std::vector<Value>* values) {
  while (in->ok() && in->remaining() > 0) {
    Value key;
    Value value;
    if (!ReadOne(in, true, &key)) return false;
    if (key.tag() != Tag::kFunction && !ReadOne(in, false, &value)) return false;
    values->push_back(std::move(key));
    values->push_back(std::move(value));
  }
  return in->ok();
}

bool CellDecoder::ReadOne(In* in, bool entry_key, Value* value) {
  assert(open_.empty() && operands_.empty());
  bool hole_allowed = entry_key;
  do {
    if (!ReadCell(in, hole_allowed)) return false;
    while (!open_.empty() && open_.back().remaining == 0) {
      if (!Close(in)) return false;
    }
    hole_allowed = !open_.empty() && open_.back().kind == format::kHash && open_.back().remaining % 2 == 0;
  } while (!open_.empty());
  assert(operands_.size() == 1);
  *value = std::move(operands_.back());
  operands_.clear();
  return true;
}

// One cell: pushes its value, or opens what the next cells belong to.
bool CellDecoder::ReadCell(In* in, bool hole_allowed) {
  if (!in->Take(key_)) return in->Fail("a value must stand here");
  const char* outer = nullptr;
  if (!in->Enter(&outer)) return false;
  if (!open_.empty()) open_.back().remaining--;
  if (!Unfold(in, 1, 0)) return false;
  uint64_t v = 0;
  uint32_t key = 0;
  if (in->remaining() == 0) return in->Fail("a value of no kind");
  if (!in->Varint32(&key)) return false;
  const uint32_t kind = key >> 3;
  switch (key) {
    case Key(format::kInteger, wire::kVarint):
      if (!in->Varint(&v)) return false;
      operands_.push_back(Value::Int(wire::UnZigZag(v)));
      break;
    case Key(format::kText, wire::kLength):
    case Key(format::kSymbol, wire::kLength):
    case Key(format::kBytes, wire::kLength):
    case Key(format::kSecret, wire::kLength):
      if (!ReadText(in, kind)) return false;
      break;
    case Key(format::kNull, wire::kVarint):
      if (!TrueField(in)) return false;
      operands_.emplace_back();
      break;
    case Key(format::kBoolean, wire::kVarint):
      if (!in->Varint(&v)) return false;
      if (v > 1) return in->Fail("a boolean that is neither 0 nor 1");
      operands_.push_back(Value::Bool(v != 0));
      break;
    case Key(format::kFloatBits, wire::kFixed64):
      if (!in->Fixed64(&v)) return false;
      operands_.push_back(Value::Float(std::bit_cast<double>(v)));
      break;
    case Key(format::kShared, wire::kVarint):
      if (!ReadShared(in)) return false;
      break;
    case Key(format::kList, wire::kVarint):
    case Key(format::kHash, wire::kVarint):
      if (!in->Varint(&v) || !in->Leave(outer)) return false;
      if (v > in->remaining()) return in->Fail("a number of elements that is beyond the end");
      plain_ = plain_ && v < format::kChunkItems;
      return OpenObject(in, {kind, 0, kind == format::kHash ? v * 2 : v, operands_.size()});
    case Key(format::kClosure, wire::kLength):
      return ReadClosure(in) && in->Leave(outer);
    case Key(format::kFuture, wire::kLength):
      return ReadFuture(in) && in->Leave(outer);
    case Key(format::kError, wire::kVarint):
      return TrueField(in) && in->Leave(outer) && OpenObject(in, {kind, 0, 4, operands_.size()});
    case Key(format::kChunked, wire::kLength):
      plain_ = false;
      return ReadChunked(in, outer);
    case Key(format::kSegment, wire::kLength):
      plain_ = false;
      if (!ReadSegment(in)) return false;
      break;
    case Key(format::kHole, wire::kVarint):
      if (!TrueField(in)) return false;
      if (!hole_allowed) return in->Fail("a hole where no key can stand");
      operands_.push_back(Value::Function(0));
      if (!open_.empty()) {
        operands_.emplace_back();
        open_.back().remaining--;
      }
      break;
    case Key(format::kFunction, wire::kVarint):
    case Key(format::kBuiltin, wire::kVarint):
    case Key(format::kForeign, wire::kVarint):
      if (hole_allowed) return in->Fail("a key that can be none");
      if (!ReadIndex(in, kind)) return false;
      break;
    default:
      return in->Fail("a value of a kind that is not known");
  }
  return in->Leave(outer);
}

// Objects are counted as their cells come, and can be referred to once they are complete.
void CellDecoder::PushObject(Value value) {
  objects_.push_back(value.AsObject());
  operands_.push_back(std::move(value));
}

bool CellDecoder::OpenObject(In* in, Open open) {
  if (!in->ok()) return false;
  open.number = objects_.size();
  objects_.push_back(nullptr);
  open_.push_back(open);
  return true;
}

bool CellDecoder::ReadText(In* in, uint32_t kind) {
  std::string_view text;
  if (!in->Bytes(&text)) return false;
  if (kind == format::kBytes) {
    PushObject(MakeBytes(text));
    return true;
  }
  if (!IsValidUtf8(text)) return in->Fail("a text that is not UTF-8");
  PushObject(kind == format::kText ? MakeString(text) : kind == format::kSymbol ? MakeSymbol(text) : MakeSecret(text));
  return true;
}

bool CellDecoder::ReadClosure(In* in) {
  const char* outer = nullptr;
  Open open{format::kClosure, 0, 0, operands_.size()};
  if (!in->Enter(&outer) || !in->Field(format::kClosureFunction, &open.function)) return false;
  if (in->Take(Key(format::kClosureOrigin, wire::kFixed64))) {
    if (!in->Fixed64(&open.origin)) return false;
    if (open.origin == 0) return in->Fail("a default value is written out");
  }
  if (!in->Field(format::kClosureSerial, &open.serial) || !in->Leave(outer)) return false;
  if (context_.program == nullptr) {
    needs_program_ = true;
    return in->Fail("a function, which needs a program");
  }
  if (open.function >= context_.program->functions().size()) return in->Fail("a function that the program has not");
  open.remaining = context_.program->functions()[open.function].captures;
  return OpenObject(in, open);
}

bool CellDecoder::ReadFuture(In* in) {
  const char* outer = nullptr;
  Open open{format::kFuture, 0, 3, operands_.size()};
  uint32_t kind = 0;
  uint64_t deadline = 0;
  if (!in->Enter(&outer) || !in->Field(format::kFutureKind, &kind) || !in->Field(format::kFutureStep, &open.step) ||
      !in->Field(format::kFutureDeadline, &deadline) || !in->Leave(outer)) {
    return false;
  }
  if (kind > static_cast<uint32_t>(FutureKind::kTimeout)) return in->Fail("a future of a kind that is not known");
  open.future = static_cast<FutureKind>(kind);
  open.deadline = wire::UnZigZag(deadline);
  return OpenObject(in, open);
}

bool CellDecoder::ReadShared(In* in) {
  uint64_t number = 0;
  if (!in->Varint(&number)) return false;
  if (number >= objects_.size() || objects_[number] == nullptr) return in->Fail("a reference to no object before it");
  plain_ = false;
  operands_.push_back(Again(objects_[number]));
  return true;
}

bool CellDecoder::ReadIndex(In* in, uint32_t kind) {
  uint32_t index = 0;
  if (!in->Varint32(&index)) return false;
  if (kind == format::kBuiltin) {
    if (index >= kBuiltinIdEnd || BuiltinOf(static_cast<uint16_t>(index)).name.empty())
      return in->Fail("a builtin that does not exist");
    operands_.push_back(Value::Builtin(index));
    return true;
  }
  if (context_.program == nullptr) {
    needs_program_ = true;
    return in->Fail("a function, which needs a program");
  }
  if (kind == format::kForeign) {
    if (index >= context_.program->imports().size()) return in->Fail("a foreign function that the program has not");
    operands_.push_back(Value::Foreign(index));
    return true;
  }
  const std::vector<Function>& functions = context_.program->functions();
  if (index >= functions.size()) return in->Fail("a function that the program has not");
  if (functions[index].captures > 0) return in->Fail("a function without the values that it captures");
  operands_.push_back(Value::Function(index));
  return true;
}

bool CellDecoder::Unfold(In* in, uint64_t values, uint64_t bytes) {
  context_.values += values;
  context_.bytes += bytes;
  if (context_.values > kDecodedValuesMax) return in->Fail("more values than a thread can have");
  if (context_.bytes > kStateBytesMax * 4) return in->Fail("more bytes than a thread can have");
  return true;
}

bool CellDecoder::ReadSegment(In* in) {
  std::string_view hash;
  if (!in->Bytes(&hash)) return false;
  Sha256 key{};
  if (hash.size() != key.size()) return in->Fail("a hash that is not 32 bytes");
  std::memcpy(key.data(), hash.data(), key.size());
  auto at = context_.segments.find(key);
  if (at == context_.segments.end() || at->second.kind != format::kOneValue)
    return in->Fail("a segment that is no value");
  operands_.push_back(at->second.values.front());
  return true;
}

// Leaves the cell, that is entered, itself: its elements come after it.
bool CellDecoder::ReadChunked(In* in, const char* cell_outer) {
  const char* outer = nullptr;
  uint32_t kind = 0;
  uint64_t chunks = 0;
  uint64_t tail = 0;
  std::string_view refs;
  std::string_view tail_bytes;
  if (!in->Enter(&outer) || !in->Field(format::kChunkedKind, &kind) || !in->Field(format::kChunkedChunks, &chunks) ||
      !in->Field(format::kChunkedRefs, &refs) || !in->Field(format::kChunkedTail, &tail) ||
      !in->Field(format::kChunkedTailBytes, &tail_bytes) || !in->Leave(outer) || !in->Leave(cell_outer)) {
    return false;
  }
  if (kind < format::kTextChunk || kind > format::kHashChunk) return in->Fail("chunks of a kind that is not known");
  std::vector<const DecodedSegment*> leaves;
  if (!LeavesOf(context_.segments, chunks, refs, kind, &leaves)) return in->Fail("chunks that are not as they must be");
  bool text = kind == format::kTextChunk || kind == format::kBytesChunk;
  if (text ? tail != 0 : !tail_bytes.empty()) return in->Fail("a rest of the wrong kind");
  if (text) {
    std::string whole;
    if (!Unfold(in, 0, leaves.size() * format::kChunkBytes + tail_bytes.size())) return false;
    whole.reserve(leaves.size() * format::kChunkBytes + tail_bytes.size());
    for (const DecodedSegment* leaf : leaves) whole += leaf->bytes;
    whole += tail_bytes;
    if (whole.size() > kStringBytesMax) return in->Fail("a text that is too long");
    if (kind == format::kTextChunk && !IsValidUtf8(whole)) return in->Fail("a text that is not UTF-8");
    PushObject(kind == format::kTextChunk ? MakeString(whole) : MakeBytes(whole));
    return true;
  }
  if (tail > in->remaining()) return in->Fail("a number of elements that is beyond the end");
  Open open{kind == format::kListChunk ? format::kList : format::kHash, 0, 0, operands_.size()};
  open.remaining = kind == format::kListChunk ? tail : tail * 2;
  for (const DecodedSegment* leaf : leaves) {
    if (!Unfold(in, leaf->values.size(), 0)) return false;
    operands_.insert(operands_.end(), leaf->values.begin(), leaf->values.end());
  }
  return OpenObject(in, open);
}

// All children of the innermost open object are there: makes it.
bool CellDecoder::Close(In* in) {
  Open open = open_.back();
  open_.pop_back();
  Value* children = operands_.data() + open.base;
  uint64_t count = operands_.size() - open.base;
  Value value;
  switch (open.kind) {
    case format::kList: {
      if (count > kListItemsMax) return in->Fail("a list that is too long");
      value = MakeList(count);
      List* list = value.As<List>();
      for (uint64_t i = 0; i < count; i++) new (&list->items[list->size++]) Value(std::move(children[i]));
      break;
    }
    case format::kHash:
      if (!CloseHash(in, open, &value)) return false;
      break;
    case format::kClosure:
      value = MakeClosure(open.function, open.origin, open.serial, children, static_cast<uint32_t>(count));
      break;
    case format::kFuture:
      if (children[0].tag() != Tag::kString) return in->Fail("a future whose thread is no text");
      if (!children[1].IsNull() && children[1].tag() != Tag::kString) return in->Fail("a future whose name is no text");
      if (!children[2].IsNull() && children[2].tag() != Tag::kFuture) return in->Fail("a future around what is none");
      value = MakeFuture(open.future, std::move(children[0]), open.step, open.deadline, std::move(children[1]),
                         std::move(children[2]));
      break;
    default:
      assert(open.kind == format::kError);
      if (children[0].tag() != Tag::kString) return in->Fail("an error whose kind is no text");
      if (children[1].tag() != Tag::kString) return in->Fail("an error whose message is no text");
      if (!IsTrace(children[3])) return in->Fail("an error whose trace is no list of places");
      value = MakeError(std::move(children[0]), std::move(children[1]), std::move(children[2]));
      value.As<Error>()->trace = std::move(children[3]);
  }
  operands_.resize(open.base);
  objects_[open.number] = value.AsObject();
  operands_.push_back(std::move(value));
  return true;
}

// A hash with holes is made with placeholders in their places, which are deleted at the end: HashDel leaves a hole
// each.
bool CellDecoder::CloseHash(In* in, const Open& open, Value* value) {
  uint64_t used = (operands_.size() - open.base) / 2;
  if (used > kHashEntriesMax) return in->Fail("a hash that is too large");
  std::vector<Value> placeholders = PlaceholderKeys(operands_, open.base);
  uint64_t holes = placeholders.size();
  if (holes > 0 && (used <= 128 || holes >= used / 2)) return in->Fail("a hash with more holes than there can be");
  *value = MakeHash(used);
  uint64_t next_hole = 0;
  for (uint64_t i = 0; i < used; i++) {
    Value& key = operands_[open.base + 2 * i];
    if (key.tag() == Tag::kFunction) {
      *value = HashSet(std::move(*value), placeholders[next_hole++], Value());
    } else {
      if (!IsKey(key)) return in->Fail("a key that can be none");
      *value = HashSet(std::move(*value), std::move(key), std::move(operands_[open.base + 2 * i + 1]));
    }
    if (value->As<Hash>()->size != i + 1) return in->Fail("a key that stands there twice");
  }
  for (const Value& placeholder : placeholders)
    if (!TEAL_MUTANT("checkpoint_fills_holes")) *value = HashDel(std::move(*value), placeholder);
  assert(value->As<Hash>()->used == used);
  return true;
}

}  // namespace teal::vm
