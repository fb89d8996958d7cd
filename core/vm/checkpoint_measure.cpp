// Where values are cut: weights, chunks and segments.
#include <algorithm>

#include "core/vm/checkpoint_cells.h"
#include "core/vm/checkpoint_encoder.h"

namespace teal::vm {
namespace {

bool IsShared(const Object* object) {
  return object->refs.load(std::memory_order_relaxed) < 0;
}

// The cell of a value with sealed chunks.
uint64_t ChunkedCellBytes(const Object* object, const Seals& seals) {
  uint64_t refs = SealRoots(seals.ends.size()) * sizeof(Sha256);
  uint64_t tail = ItemCount(object) - seals.sealed();
  uint64_t inner = wire::FieldSize(format::kChunkedKind, ChunkKind(object)) +
                   wire::FieldSize(format::kChunkedChunks, seals.ends.size()) + 1 + wire::VarintSize(refs) + refs;
  if (!IsLongText(object->tag)) {
    inner += wire::FieldSize(format::kChunkedTail, tail);
  } else if (tail > 0) {
    inner += 1 + wire::VarintSize(tail) + tail;
  }
  return CellBytes(1 + wire::VarintSize(inner) + inner);
}

}  // namespace

bool SmallMeasure::Add(const Value& value) {
  assert(open_.empty());
  if (!AddOne(value)) return false;
  // Any order will do for adding up: one object's children at a time.
  while (!open_.empty()) {
    const Object* parent = open_.back();
    open_.pop_back();
    const uint64_t end = ChildCount(parent);
    for (uint64_t i = 0; i < end; i++) {
      const Value* child = ChildAt(parent, i);
      if (child == nullptr) continue;
      if (IsHoleAt(parent, i) ? !AddBytes(CellBytes(kHoleInnerBytes)) : !AddOne(*child)) return false;
    }
  }
  return true;
}

bool SmallMeasure::AddOne(const Value& value) {
  if (!AddBytes(CellBytes(InnerBytes(value)))) return false;
  if (value.tag() < Tag::kList) return true;
  const Object* object = value.AsObject();
  if (ItemCount(object) >= format::kChunkItems) return false;
  open_.push_back(object);
  return true;
}

bool ValueEncoder::NeedsPlan(const Value& value) const {
  if (value.tag() >= Tag::kList) return true;
  if (value.tag() < Tag::kString) return false;
  return CellBytes(InnerBytes(value)) > format::kInlineBytesMax || value.As<String>()->size >= format::kChunkBytes;
}

const ValueEncoder::Plan* ValueEncoder::PlanOf(const Value& value) const {
  if (segments_ == nullptr || plans_.empty() || !NeedsPlan(value)) return nullptr;
  auto at = plans_.find(value.AsObject());
  return at == plans_.end() ? nullptr : &at->second;
}

uint64_t ValueEncoder::Measure(const Value& value) {
  assert(segments_ != nullptr && measuring_.empty());
  if (!NeedsPlan(value)) return CellBytes(InnerBytes(value));
  if (const Plan* plan = PlanOf(value)) return plan->weight;
  measuring_.push_back(Begin(value));
  for (;;) {
    Open& open = measuring_.back();
    if (open.next == open.end) {
      Open done = std::move(open);
      measuring_.pop_back();
      uint64_t weight = Finish(std::move(done)).weight;
      if (measuring_.empty()) return weight;
      Account(&measuring_.back(), weight);
      continue;
    }
    const Value* child = ChildAt(open.object, open.next);
    if (child == nullptr) {
      Account(&open, 0);
    } else if (IsHoleAt(open.object, open.next)) {
      Account(&open, CellBytes(kHoleInnerBytes));
    } else if (!NeedsPlan(*child)) {
      Account(&open, CellBytes(InnerBytes(*child)));
    } else if (const Plan* plan = PlanOf(*child)) {
      Account(&open, plan->weight);
    } else {
      measuring_.push_back(Begin(*child));
    }
  }
}

// Starts behind the chunks that this thread gave out at its last checkpoint; at 0 when it did not give out all of them.
ValueEncoder::Open ValueEncoder::Begin(const Value& value) {
  Open open{.object = value.AsObject()};
  open.end = ChildCount(open.object);
  std::atomic<Seals*>* place = SealsPlace(open.object);
  if (place == nullptr) return open;
  Seals* known = place->load(std::memory_order_acquire);
  if (known == nullptr || !segments_->HoldsRoots(*known)) {
    open.seals = std::make_unique<Seals>();
    return open;
  }
  assert(known->sealed() <= ItemCount(open.object));
  open.chunk_start = known->sealed();
  open.next = std::min(open.end, open.chunk_start * ChildrenPerItem(open.object));
  if (!IsShared(open.object)) {
    open.seals.reset(known);
    place->store(nullptr, std::memory_order_relaxed);
  } else if (known->covers == ItemCount(open.object)) {
    open.complete = known;
  } else {
    open.seals = std::make_unique<Seals>();
    open.seals->ends = known->ends;
    open.seals->levels = known->levels;
  }
  return open;
}

void ValueEncoder::Account(Open* open, uint64_t weight) {
  open->weight += weight;
  open->next++;
  if (open->seals == nullptr) return;
  uint64_t per_item = ChildrenPerItem(open->object);
  if (open->next % per_item != 0) return;
  uint64_t item = open->next / per_item;
  if (item % format::kChunkItems == 0 || open->weight >= format::kChunkBytes) CloseChunk(open, item);
}

void ValueEncoder::CloseChunk(Open* open, uint64_t end) {
  CellStream stream(format::kSegmentValues);
  stream.out.Field(format::kSegmentKind, ChunkKind(open->object));
  uint64_t per_item = ChildrenPerItem(open->object);
  assert(emitting_.empty());
  for (uint64_t i = open->chunk_start * per_item; i < end * per_item; i++) {
    const Value* child = ChildAt(open->object, i);
    if (child == nullptr) continue;
    if (IsHoleAt(open->object, i)) {
      EmitHole(&stream);
    } else {
      EmitAll(&stream, *child, false);
    }
  }
  Sha256 hash = segments_->Add(stream.out.view(), std::move(stream.children));
  segments_->Seal(open->seals.get(), hash, end);
  open->chunk_start = end;
  open->weight = 0;
}

void ValueEncoder::SealText(Open* open) {
  const String* text = static_cast<const String*>(open->object);
  for (uint64_t end = open->chunk_start + format::kChunkBytes; end <= text->size; end += format::kChunkBytes) {
    wire::Out out;
    out.Field(format::kSegmentKind, ChunkKind(text));
    out.Field(format::kSegmentBytes, std::string_view(text->data() + end - format::kChunkBytes, format::kChunkBytes));
    segments_->Seal(open->seals.get(), segments_->Add(out.view(), {}), end);
  }
}

void ValueEncoder::InstallSeals(Open* open) {
  std::atomic<Seals*>* place = SealsPlace(open->object);
  open->seals->covers = ItemCount(open->object);
  if (!IsShared(open->object)) {
    Seals* old = place->exchange(open->seals.release(), std::memory_order_relaxed);
    if (old != nullptr) DestroySeals(old);
    return;
  }
  Seals* old = place->load(std::memory_order_acquire);
  if (old != nullptr && old->covers == open->seals->covers) return;
  open->seals->older.reset(old);
  if (place->compare_exchange_strong(old, open->seals.get(), std::memory_order_release, std::memory_order_relaxed)) {
    open->seals.release();
  } else {
    open->seals->older.release();  // another thread was faster, with the same seals
  }
}

const ValueEncoder::Plan& ValueEncoder::Finish(Open open) {
  Value value = Value::Adopt(open.object);  // given back below: the caller's reference
  Plan plan;
  if (open.seals != nullptr && IsLongText(open.object->tag)) SealText(&open);
  const Seals* seals = open.complete != nullptr ? open.complete : open.seals.get();
  if (seals != nullptr && !seals->ends.empty()) {
    plan.form = Form::kChunked;
    plan.chunked = true;
    plan.weight = ChunkedCellBytes(open.object, *seals) + open.weight;
    if (open.complete == nullptr) InstallSeals(&open);
  } else {
    plan.weight = CellBytes(InnerBytes(value)) + open.weight;
  }
  Plan& kept = plans_.insert_or_assign(open.object, plan).first->second;
  if (plan.weight > format::kInlineBytesMax) {
    CellStream stream(format::kSegmentValues);
    stream.out.Field(format::kSegmentKind, format::kOneValue);
    EmitAll(&stream, value, true);
    kept.segment = segments_->Add(stream.out.view(), std::move(stream.children));
    kept.form = Form::kSegment;
    kept.weight = CellBytes(kSegmentInnerBytes);
  }
  value.Release();
  return kept;
}

}  // namespace teal::vm
