// Walks over all that a value reaches: sharing between OS threads, constants, memory.
#include <algorithm>
#include <mutex>
#include <vector>

#include "core/base/mutant.h"
#include "core/vm/value.h"
#include "core/vm/value_walk.h"

namespace teal::vm {
namespace {

// Calls mark(object) for what v reaches, and goes on into the children of those for which it gives true.
template <typename Mark>
void Walk(const Value& v, Mark mark) {
  if (!v.IsHeap() || !mark(v.AsObject())) return;
  std::vector<Object*> pending;
  if (HoldsValues(v.tag()) && !TEAL_MUTANT("share_not_deep")) pending.push_back(v.AsObject());
  while (!pending.empty()) {
    Object* object = pending.back();
    pending.pop_back();
    ForEachChild(object, [&](Value& child) {
      if (!child.IsHeap() || !mark(child.AsObject())) return;
      if (HoldsValues(child.tag())) pending.push_back(child.AsObject());
    });
  }
}

uint64_t ObjectBytes(const Object* object) {
  switch (object->tag) {
    case Tag::kList:
      return sizeof(List) + static_cast<const List*>(object)->capacity * sizeof(Value);
    case Tag::kHash: {
      const Hash* hash = static_cast<const Hash*>(object);
      uint64_t index = hash->index == nullptr ? 0 : (hash->index_mask + 1) * sizeof(uint32_t);
      return sizeof(Hash) + hash->capacity * sizeof(Hash::Entry) + index;
    }
    case Tag::kClosure:
      return sizeof(Closure) + static_cast<const Closure*>(object)->count * sizeof(Value);
    case Tag::kFuture:
      return sizeof(Future);
    case Tag::kError:
      return sizeof(Error);
    default:
      return sizeof(String) + static_cast<const String*>(object)->capacity;
  }
}

// The objects met so far, by address: open addressing, at most half full.
class ObjectSet {
 public:
  // False: it is in already.
  bool Add(const Object* object) {
    if (used_ * 2 >= slots_.size()) Grow();
    used_++;
    return Put(object);
  }

 private:
  bool Put(const Object* object) {
    // Addresses of objects are multiples of 16; the multiplication spreads them over the upper bits.
    size_t at = (reinterpret_cast<uintptr_t>(object) >> 4) * 0x9E3779B97F4A7C15u >> 20;
    for (;; at++) {
      const Object*& slot = slots_[at & (slots_.size() - 1)];
      if (slot == object) return false;
      if (slot != nullptr) continue;
      slot = object;
      return true;
    }
  }
  void Grow() {
    std::vector<const Object*> old = std::move(slots_);
    slots_.assign(std::max<size_t>(old.size() * 2, 16), nullptr);
    for (const Object* object : old) {
      if (object != nullptr) Put(object);
    }
  }
  std::vector<const Object*> slots_;
  size_t used_ = 0;
};

// Constants are never freed; this keeps them in sight of a leak checker.
void KeepForever(Object* object) {
  static std::mutex mutex;
  static std::vector<Object*>* const kept = new std::vector<Object*>;
  std::lock_guard<std::mutex> lock(mutex);
  kept->push_back(object);
}

}  // namespace

void Share(const Value& v) {
  Walk(v, [](Object* object) {
    int32_t refs = object->refs.load(std::memory_order_relaxed);
    if (refs < 0) return false;  // shared or immortal, and so is all it reaches
    object->refs.store(-refs, std::memory_order_relaxed);
    return true;
  });
}

void MakeImmortal(const Value& v) {
  if (v.IsHeap() && v.AsObject()->refs.load(std::memory_order_relaxed) != kImmortal) KeepForever(v.AsObject());
  Walk(v, [](Object* object) {
    if (object->refs.load(std::memory_order_relaxed) == kImmortal) return false;
    object->refs.store(kImmortal, std::memory_order_relaxed);
    return true;
  });
}

uint64_t MemoryReached(std::span<const Value> values, uint64_t enough) {
  uint64_t bytes = 0;
  ObjectSet seen;
  for (const Value& v : values) {
    // Immortal objects belong to their program and count for nothing here.
    Walk(v, [&](Object* object) {
      const int32_t refs = object->refs.load(std::memory_order_relaxed);
      if (refs == kImmortal || bytes > enough) return false;
      if (refs != 1 && !seen.Add(object)) return false;
      bytes += ObjectBytes(object);
      return true;
    });
  }
  return bytes;
}

uint64_t MemorySize(const Value& v) {
  return sizeof(Value) + MemoryReached({&v, 1});
}

}  // namespace teal::vm
