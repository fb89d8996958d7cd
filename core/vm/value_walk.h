// What the files that implement values share: memory, and the walk over an object's children.
#pragma once

#include <cstdio>
#include <cstdlib>
#include <new>

#include "core/vm/value.h"

namespace teal::vm {

// Bytes that this OS thread ever allocated for values (a reallocation counts anew), and what CountWork added. It
// measures work: whatever takes time in proportion to a value adds to it. See Interpreter::Run.
inline constinit thread_local uint64_t allocated_bytes = 0;

// For work that allocates nothing: so many bytes are compared, searched, hashed or moved. An element that is looked at
// counts as a Value.
inline void CountWork(uint64_t bytes) {
  allocated_bytes += bytes;
}

// What one comparison or sort may count; past it, the error `limit`. No thread can be stopped within one. Only values
// that stand for far more than kStateBytesMax, because their parts are shared, take so much.
inline constexpr uint64_t kWorkBytesMax = uint64_t{16} << 30;

// Whether what was begun at that reading of allocated_bytes has gone past kWorkBytesMax.
inline bool TooMuchWork(uint64_t begun) {
  return allocated_bytes - begun > kWorkBytesMax;
}

// Never null: a process without memory cannot go on.
inline void* Allocate(size_t bytes) {
  allocated_bytes += bytes;
  void* memory = std::malloc(bytes);
  if (memory == nullptr) {
    std::fputs("teal: out of memory\n", stderr);
    std::abort();
  }
  return memory;
}
inline void* Reallocate(void* old, size_t bytes) {
  allocated_bytes += bytes;
  void* memory = std::realloc(old, bytes);
  if (memory == nullptr) {
    std::fputs("teal: out of memory\n", stderr);
    std::abort();
  }
  return memory;
}

// A new object with one reference; `extra` bytes follow the struct.
template <typename T>
T* NewObject(Tag tag, size_t extra = 0) {
  T* object = new (Allocate(sizeof(T) + extra)) T;
  object->refs.store(1, std::memory_order_relaxed);
  object->tag = tag;
  return object;
}

// True for the kinds that hold other values.
inline bool HoldsValues(Tag tag) {
  return tag >= Tag::kList && tag <= Tag::kError;
}

// Calls visit(Value&) for every value the object holds directly, in a fixed order. Holes of a hash are left out.
template <typename Visit>
void ForEachChild(Object* object, Visit visit) {
  switch (object->tag) {
    case Tag::kList: {
      List* list = static_cast<List*>(object);
      for (uint64_t i = 0; i < list->size; i++) visit(list->items[i]);
      return;
    }
    case Tag::kHash: {
      Hash* hash = static_cast<Hash*>(object);
      for (uint64_t i = 0; i < hash->used; i++) {
        if (Hash::IsHole(hash->entries[i])) continue;
        visit(hash->entries[i].key);
        visit(hash->entries[i].value);
      }
      return;
    }
    case Tag::kClosure: {
      Closure* closure = static_cast<Closure*>(object);
      for (uint32_t i = 0; i < closure->count; i++) visit(closure->captures()[i]);
      return;
    }
    case Tag::kFuture: {
      Future* future = static_cast<Future*>(object);
      visit(future->id);
      visit(future->text);
      visit(future->inner);
      return;
    }
    case Tag::kError: {
      Error* error = static_cast<Error*>(object);
      visit(error->kind);
      visit(error->message);
      visit(error->data);
      visit(error->trace);
      return;
    }
    default:
      return;
  }
}

// Of an object that its sole owner changes elsewhere than at its end: what was written of it no longer holds.
template <typename T>
void DropSeals(T* object) {
  Seals* seals = object->seals.load(std::memory_order_relaxed);
  if (seals == nullptr) return;
  object->seals.store(nullptr, std::memory_order_relaxed);
  DestroySeals(seals);
}

}  // namespace teal::vm
