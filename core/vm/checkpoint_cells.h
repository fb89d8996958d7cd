// The shape of a value's cells: which children follow an object's cell, and how many bytes each cell takes.
#pragma once

#include "core/vm/checkpoint_format.h"
#include "core/vm/checkpoint_wire.h"
#include "core/vm/value.h"

namespace teal::vm {

// Children that follow the object's own cell: elements, 2 x entries (holes count), captures, parts.
inline uint64_t ChildCount(const Object* object) {
  switch (object->tag) {
    case Tag::kList:
      return static_cast<const List*>(object)->size;
    case Tag::kHash:
      return static_cast<const Hash*>(object)->used * 2;
    case Tag::kClosure:
      return static_cast<const Closure*>(object)->count;
    case Tag::kFuture:
      return 3;
    case Tag::kError:
      return 4;
    default:
      return 0;
  }
}

// Null: this place has no cell (the value of a hole).
inline const Value* ChildAt(const Object* object, uint64_t i) {
  switch (object->tag) {
    case Tag::kList:
      return &static_cast<const List*>(object)->items[i];
    case Tag::kHash: {
      const Hash::Entry& entry = static_cast<const Hash*>(object)->entries[i / 2];
      if (i % 2 == 0) return &entry.key;
      return Hash::IsHole(entry) ? nullptr : &entry.value;
    }
    case Tag::kClosure:
      return const_cast<Closure*>(static_cast<const Closure*>(object))->captures() + i;
    case Tag::kFuture: {
      const Future* future = static_cast<const Future*>(object);
      return i == 0 ? &future->id : i == 1 ? &future->text : &future->inner;
    }
    default: {
      assert(object->tag == Tag::kError);
      const Error* error = static_cast<const Error*>(object);
      return i == 0 ? &error->kind : i == 1 ? &error->message : i == 2 ? &error->data : &error->trace;
    }
  }
}

// Whether child i is a hole of a hash, which stands in for its key.
inline bool IsHoleAt(const Object* object, uint64_t i) {
  return object->tag == Tag::kHash && i % 2 == 0 && Hash::IsHole(static_cast<const Hash*>(object)->entries[i / 2]);
}

// Bytes of a cell: its key, its length and what is in it.
constexpr uint64_t CellBytes(uint64_t inner) {
  return 1 + wire::VarintSize(inner) + inner;
}

inline uint64_t ClosureBytes(const Closure& c) {
  return wire::FieldSize(format::kClosureFunction, c.function) + (c.origin == 0 ? 0 : 9) +
         wire::FieldSize(format::kClosureSerial, c.serial);
}
inline uint64_t FutureBytes(const Future& f) {
  return wire::FieldSize(format::kFutureKind, static_cast<uint64_t>(f.kind)) +
         wire::FieldSize(format::kFutureStep, f.step) +
         wire::FieldSize(format::kFutureDeadline, wire::ZigZag(f.deadline_unix_ns));
}

// What is in the value's own cell when it is neither shared nor cut nor a hole.
inline uint64_t InnerBytes(const Value& value) {
  using wire::VarintSize;
  switch (value.tag()) {
    case Tag::kNull:
    case Tag::kBool:
    case Tag::kError:
      return 2;
    case Tag::kInt:
      return 1 + VarintSize(wire::ZigZag(value.AsInt()));
    case Tag::kFloat:
      return 9;
    case Tag::kFunction:
    case Tag::kBuiltin:
    case Tag::kForeign:
      return 2 + VarintSize(value.AsIndex());
    case Tag::kString:
    case Tag::kSymbol:
    case Tag::kBytes:
    case Tag::kSecret: {
      uint64_t size = value.As<String>()->size;
      return 1 + VarintSize(size) + size;
    }
    case Tag::kList:
      return 1 + VarintSize(value.As<List>()->size);
    case Tag::kHash:
      return 1 + VarintSize(value.As<Hash>()->used);
    case Tag::kClosure: {
      uint64_t size = ClosureBytes(*value.As<Closure>());
      return 1 + VarintSize(size) + size;
    }
    case Tag::kFuture: {
      uint64_t size = FutureBytes(*value.As<Future>());
      return 1 + VarintSize(size) + size;
    }
  }
  assert(false);
  return 0;
}

inline constexpr uint64_t kHoleInnerBytes = 3;
inline constexpr uint64_t kSegmentInnerBytes = 2 + 1 + sizeof(Sha256);

// ---- what is cut into chunks ----

inline bool IsLongText(Tag tag) {
  return tag == Tag::kString || tag == Tag::kBytes;
}

// Where an object keeps its seals; null: it is of a kind that is never cut into chunks.
inline std::atomic<Seals*>* SealsPlace(Object* object) {
  switch (object->tag) {
    case Tag::kString:
    case Tag::kBytes:
      return &static_cast<String*>(object)->seals;
    case Tag::kList:
      return &static_cast<List*>(object)->seals;
    case Tag::kHash:
      return &static_cast<Hash*>(object)->seals;
    default:
      return nullptr;
  }
}

// Items as chunks count them: bytes, elements, entries (holes count).
inline uint64_t ItemCount(const Object* object) {
  switch (object->tag) {
    case Tag::kString:
    case Tag::kBytes:
      return static_cast<const String*>(object)->size;
    case Tag::kList:
      return static_cast<const List*>(object)->size;
    case Tag::kHash:
      return static_cast<const Hash*>(object)->used;
    default:
      return 0;
  }
}

inline uint64_t ChildrenPerItem(const Object* object) {
  return object->tag == Tag::kHash ? 2 : 1;
}

inline format::SegmentKind ChunkKind(const Object* object) {
  switch (object->tag) {
    case Tag::kString:
      return format::kTextChunk;
    case Tag::kBytes:
      return format::kBytesChunk;
    case Tag::kList:
      return format::kListChunk;
    default:
      assert(object->tag == Tag::kHash);
      return format::kHashChunk;
  }
}

}  // namespace teal::vm
