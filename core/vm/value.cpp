// Objects: construction, counting, destruction.
#include "core/vm/value.h"

#include "core/vm/value_walk.h"

namespace teal::vm {
namespace {

// Objects that died but still hold values wait in a list that runs through the objects themselves: destroying needs
// neither memory nor the C stack. Each kind lends a field that is no longer needed.
void Link(Object* dead, Object** first) {
  Object* next = *first;
  switch (dead->tag) {
    case Tag::kList:
      DropSeals(static_cast<List*>(dead));
      static_cast<List*>(dead)->capacity = reinterpret_cast<uintptr_t>(next);
      break;
    case Tag::kHash:
      DropSeals(static_cast<Hash*>(dead));
      static_cast<Hash*>(dead)->capacity = reinterpret_cast<uintptr_t>(next);
      break;
    case Tag::kClosure:
      static_cast<Closure*>(dead)->origin = reinterpret_cast<uintptr_t>(next);
      break;
    case Tag::kFuture:
      static_cast<Future*>(dead)->step = reinterpret_cast<uintptr_t>(next);
      break;
    default:
      assert(dead->tag == Tag::kError);
      // The kind is a string: dropping it here goes no deeper.
      static_cast<Error*>(dead)->kind = Value::Int(static_cast<int64_t>(reinterpret_cast<uintptr_t>(next)));
      break;
  }
  *first = dead;
}

Object* Unlink(Object* dead) {
  switch (dead->tag) {
    case Tag::kList:
      return reinterpret_cast<Object*>(static_cast<List*>(dead)->capacity);
    case Tag::kHash:
      return reinterpret_cast<Object*>(static_cast<Hash*>(dead)->capacity);
    case Tag::kClosure:
      return reinterpret_cast<Object*>(static_cast<Closure*>(dead)->origin);
    case Tag::kFuture:
      return reinterpret_cast<Object*>(static_cast<Future*>(dead)->step);
    default:
      return reinterpret_cast<Object*>(static_cast<Error*>(dead)->kind.AsInt());
  }
}

void FreeString(String* string) {
  DropSeals(string);
  std::free(string);
}

// Gives up one reference; true when it was the last.
bool DropReference(Object* object) {
  int32_t refs = object->refs.load(std::memory_order_relaxed);
  if (refs > 1) {
    object->refs.store(refs - 1, std::memory_order_relaxed);
    return false;
  }
  if (refs == 1) return true;
  return refs != kImmortal && ReleaseShared(object);
}

// Frees what an object owns beside the values it holds, and itself.
void FreeShell(Object* object) {
  if (object->tag == Tag::kList) std::free(static_cast<List*>(object)->items);
  if (object->tag == Tag::kHash) {
    std::free(static_cast<Hash*>(object)->entries);
    std::free(static_cast<Hash*>(object)->index);
  }
  std::free(object);
}

}  // namespace

void DestroyObject(Object* object) {
  assert(object->refs.load(std::memory_order_relaxed) != kImmortal);
  if (!HoldsValues(object->tag)) return FreeString(static_cast<String*>(object));
  Object* pending = nullptr;
  Link(object, &pending);
  while (pending != nullptr) {
    Object* dead = pending;
    pending = Unlink(dead);
    ForEachChild(dead, [&pending](Value& child) {
      if (!child.IsHeap()) return;
      Object* held = child.Release();
      if (!DropReference(held)) return;
      if (HoldsValues(held->tag))
        Link(held, &pending);
      else
        FreeString(static_cast<String*>(held));
    });
    FreeShell(dead);
  }
}

void RetainShared(Object* object) {
  // Whoever retains holds a reference already, so nothing need be ordered.
  [[maybe_unused]] int32_t before = object->refs.fetch_sub(1, std::memory_order_relaxed);
  assert(before < 0 && before > kImmortal + 1);
}

bool ReleaseShared(Object* object) {
  // Release: our reads come before the freeing. Acquire: the one that frees sees all others' reads done.
  int32_t before = object->refs.fetch_add(1, std::memory_order_acq_rel);
  assert(before < 0);
  return before == -1;
}

Value MakeClosure(uint32_t function, uint64_t origin, uint64_t serial, Value* captures, uint32_t count) {
  Closure* closure = NewObject<Closure>(Tag::kClosure, count * sizeof(Value));
  closure->function = function;
  closure->count = count;
  closure->origin = origin;
  closure->serial = serial;
  for (uint32_t i = 0; i < count; i++) new (&closure->captures()[i]) Value(std::move(captures[i]));
  return Value::Adopt(closure);
}

Value MakeFuture(FutureKind kind, Value id, uint64_t step, int64_t deadline_unix_ns, Value text, Value inner) {
  assert(id.tag() == Tag::kString);
  assert(text.IsNull() || text.tag() == Tag::kString);
  assert(inner.IsNull() || inner.tag() == Tag::kFuture);
  Future* future = NewObject<Future>(Tag::kFuture);
  future->kind = kind;
  future->step = step;
  future->deadline_unix_ns = deadline_unix_ns;
  future->id = std::move(id);
  future->text = std::move(text);
  future->inner = std::move(inner);
  return Value::Adopt(future);
}

Value MakeError(Value kind, Value message, Value data) {
  assert(kind.tag() == Tag::kString);
  assert(message.tag() == Tag::kString);
  Error* error = NewObject<Error>(Tag::kError);
  error->kind = std::move(kind);
  error->message = std::move(message);
  error->data = std::move(data);
  return Value::Adopt(error);
}

Value MakeError(std::string_view kind, std::string_view message) {
  return MakeError(MakeString(kind), MakeString(message), Value());
}

std::string_view TypeName(const Value& v) {
  switch (v.tag()) {
    case Tag::kNull:
      return "null";
    case Tag::kBool:
      return "boolean";
    case Tag::kInt:
      return "integer";
    case Tag::kFloat:
      return "float";
    case Tag::kString:
      return "string";
    case Tag::kSymbol:
      return "symbol";
    case Tag::kBytes:
      return "bytes";
    case Tag::kList:
      return "list";
    case Tag::kHash:
      return "hash";
    case Tag::kFuture:
      return "future";
    case Tag::kError:
      return "error";
    case Tag::kSecret:
      return "secret";
    case Tag::kFunction:
    case Tag::kBuiltin:
    case Tag::kForeign:
    case Tag::kClosure:
      return "function";
  }
  return "null";
}

}  // namespace teal::vm
