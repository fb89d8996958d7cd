// Writing the cells of values, in order, without recursion.
#include <algorithm>

#include "core/base/mutant.h"
#include "core/vm/checkpoint_cells.h"
#include "core/vm/checkpoint_encoder.h"

namespace teal::vm {
namespace {

// The cell's key, its length, and the key of what is in it.
void OpenCell(CellStream* stream, uint64_t inner, format::Cell kind, wire::Type type) {
  stream->out.Byte(stream->key);
  stream->out.Varint(inner);
  stream->out.Varint(wire::Key(kind, type));
}

void NumberCell(CellStream* stream, uint64_t inner, format::Cell kind, uint64_t number) {
  OpenCell(stream, inner, kind, wire::kVarint);
  stream->out.Varint(number);
}

format::Cell TextKind(Tag tag) {
  switch (tag) {
    case Tag::kString:
      return format::kText;
    case Tag::kSymbol:
      return format::kSymbol;
    case Tag::kBytes:
      return format::kBytes;
    default:
      assert(tag == Tag::kSecret);
      return format::kSecret;
  }
}

// Everything but the values that Plan cuts.
void PlainCell(CellStream* stream, const Value& value) {
  uint64_t inner = InnerBytes(value);
  switch (value.tag()) {
    case Tag::kNull:
      return NumberCell(stream, inner, format::kNull, 1);
    case Tag::kBool:
      return NumberCell(stream, inner, format::kBoolean, value.AsBool() ? 1 : 0);
    case Tag::kInt:
      return NumberCell(stream, inner, format::kInteger, wire::ZigZag(value.AsInt()));
    case Tag::kFloat:
      OpenCell(stream, inner, format::kFloatBits, wire::kFixed64);
      return stream->out.Fixed64(std::bit_cast<uint64_t>(value.AsFloat()));
    case Tag::kFunction:
      return NumberCell(stream, inner, format::kFunction, value.AsIndex());
    case Tag::kBuiltin:
      return NumberCell(stream, inner, format::kBuiltin, value.AsIndex());
    case Tag::kForeign:
      return NumberCell(stream, inner, format::kForeign, value.AsIndex());
    case Tag::kString:
    case Tag::kSymbol:
    case Tag::kBytes:
    case Tag::kSecret: {
      std::string_view text = value.Text();
      OpenCell(stream, inner, TextKind(value.tag()), wire::kLength);
      stream->out.Varint(text.size());
      return stream->out.Bytes(text.data(), text.size());
    }
    case Tag::kList:
      return NumberCell(stream, inner, format::kList, value.As<List>()->size);
    case Tag::kHash:
      return NumberCell(stream, inner, format::kHash, value.As<Hash>()->used);
    case Tag::kClosure: {
      const Closure& closure = *value.As<Closure>();
      OpenCell(stream, inner, format::kClosure, wire::kLength);
      stream->out.Varint(ClosureBytes(closure));
      stream->out.Field(format::kClosureFunction, closure.function);
      if (closure.origin != 0) {
        stream->out.Varint(wire::Key(format::kClosureOrigin, wire::kFixed64));
        stream->out.Fixed64(closure.origin);
      }
      return stream->out.Field(format::kClosureSerial, closure.serial);
    }
    case Tag::kFuture: {
      const Future& future = *value.As<Future>();
      OpenCell(stream, inner, format::kFuture, wire::kLength);
      stream->out.Varint(FutureBytes(future));
      stream->out.Field(format::kFutureKind, static_cast<uint64_t>(future.kind));
      stream->out.Field(format::kFutureStep, future.step);
      return stream->out.Field(format::kFutureDeadline, wire::ZigZag(future.deadline_unix_ns));
    }
    case Tag::kError:
      return NumberCell(stream, inner, format::kError, 1);
  }
}

}  // namespace

uint64_t ObjectNumbers::FindOrAdd(const Object* object, uint64_t number) {
  if (slots_.empty()) {
    for (size_t n = 0; n < used_; n++) {
      if (few_[n].object == object) return few_[n].number;
    }
    if (used_ < kFew) {
      few_[used_++] = {object, number};
      return UINT64_MAX;
    }
  }
  if (used_ * 2 >= slots_.size()) Grow();
  for (size_t slot = reinterpret_cast<uintptr_t>(object) / 16 * 0x9e3779b97f4a7c15u >> 20;; slot++) {
    Slot& at = slots_[slot & (slots_.size() - 1)];
    if (at.object == object) return at.number;
    if (at.object == nullptr) {
      at = {object, number};
      used_++;
      return UINT64_MAX;
    }
  }
}

void ObjectNumbers::Grow() {
  std::vector<Slot> old = std::move(slots_);
  if (old.empty()) old.assign(few_, few_ + used_);
  slots_.assign(std::max<size_t>(old.size() * 2, 4 * kFew), Slot{});
  used_ = 0;
  for (const Slot& slot : old) {
    if (slot.object != nullptr) FindOrAdd(slot.object, slot.number);
  }
}

void ValueEncoder::Emit(CellStream* stream, const Value& value) {
  assert(emitting_.empty());
  EmitAll(stream, value, false);
}

void ValueEncoder::EmitAll(CellStream* stream, const Value& value, bool defined) {
  EmitCell(stream, value, defined);
  while (!emitting_.empty()) {
    Cursor& at = emitting_.back();
    if (at.next == at.end) {
      emitting_.pop_back();
      continue;
    }
    const Object* parent = at.object;
    const uint64_t i = at.next++;
    const Value* child = ChildAt(parent, i);
    if (child == nullptr) continue;
    if (IsHoleAt(parent, i)) {
      EmitHole(stream);
    } else {
      EmitCell(stream, *child, false);
    }
  }
}

void ValueEncoder::EmitHole(CellStream* stream) {
  NumberCell(stream, kHoleInnerBytes, format::kHole, 1);
}

void ValueEncoder::EmitCell(CellStream* stream, const Value& value, bool defined) {
  if (!value.IsHeap()) return PlainCell(stream, value);
  const Object* object = value.AsObject();
  const Plan* plan = PlanOf(value);
  if (plan != nullptr && plan->form == Form::kSegment && !defined) {
    OpenCell(stream, kSegmentInnerBytes, format::kSegment, wire::kLength);
    stream->out.Varint(plan->segment.size());
    stream->out.Bytes(plan->segment.data(), plan->segment.size());
    stream->children.push_back(plan->segment);
    return;
  }
  if (!object->Sole() && !TEAL_MUTANT("checkpoint_loses_sharing")) {
    uint64_t number = stream->numbers.FindOrAdd(object, stream->objects);
    if (number != UINT64_MAX) return NumberCell(stream, 1 + wire::VarintSize(number), format::kShared, number);
  }
  stream->objects++;
  if (plan != nullptr && plan->chunked) return EmitChunked(stream, object);
  PlainCell(stream, value);
  uint64_t children = ChildCount(object);
  if (children > 0) emitting_.push_back({object, 0, children});
}

void ValueEncoder::EmitChunked(CellStream* stream, const Object* object) {
  bool text = IsLongText(object->tag);
  // Measure put them there; a shared object's may be another thread's, and are the same.
  const Seals* seals = SealsPlace(const_cast<Object*>(object))->load(std::memory_order_acquire);
  assert(seals != nullptr && seals->sealed() <= ItemCount(object));
  std::string refs;
  seals->EachRoot([&](const Sha256& root) {
    refs.append(reinterpret_cast<const char*>(root.data()), root.size());
    stream->children.push_back(root);
  });
  wire::Out inner;
  inner.Field(format::kChunkedKind, ChunkKind(object));
  inner.Field(format::kChunkedChunks, seals->ends.size());
  inner.Field(format::kChunkedRefs, refs);
  if (text) {
    const String* s = static_cast<const String*>(object);
    inner.Field(format::kChunkedTailBytes, std::string_view(s->data(), s->size).substr(seals->sealed()));
  } else {
    inner.Field(format::kChunkedTail, ItemCount(object) - seals->sealed());
  }
  OpenCell(stream, 1 + wire::VarintSize(inner.size()) + inner.size(), format::kChunked, wire::kLength);
  stream->out.Varint(inner.size());
  stream->out.Bytes(inner.view().data(), inner.size());
  if (text) return;
  uint64_t from = seals->sealed() * ChildrenPerItem(object);
  if (from < ChildCount(object)) emitting_.push_back({object, from, ChildCount(object)});
}

}  // namespace teal::vm
