#include "core/vm/hash_key.h"

#include <sys/random.h>

#include <chrono>
#include <cmath>
#include <unordered_set>
#include <vector>

#include "core/base/mutant.h"
#include "core/vm/value_walk.h"

namespace teal::vm {
namespace {

// Odd constants with balanced bits; a multiplication by them, folded, spreads every input bit over the result.
inline constexpr uint64_t kMixA = 0x9E3779B97F4A7C15u;
inline constexpr uint64_t kMixB = 0xC2B2AE3D27D4EB4Fu;
inline constexpr uint64_t kMixC = 0x165667B19E3779F9u;

// Few values are so large or so entangled that remembering pays before this many containers.
inline constexpr uint64_t kContainersBeforeRemembering = 256;

__extension__ using uint128 = unsigned __int128;

inline uint64_t Mix(uint64_t a, uint64_t b) {
  uint128 product = static_cast<uint128>(a) * b;
  return static_cast<uint64_t>(product) ^ static_cast<uint64_t>(product >> 64);
}

uint64_t FreshSeed() {
  uint64_t seed = 0;
  if (getrandom(&seed, sizeof seed, 0) != static_cast<ssize_t>(sizeof seed)) {
    seed = static_cast<uint64_t>(std::chrono::steady_clock::now().time_since_epoch().count());
  }
  return seed | 1;
}

inline uint64_t Seed() {
  static const uint64_t seed = FreshSeed();
  return seed;
}

inline uint64_t Load8(const char* p) {
  uint64_t word;
  std::memcpy(&word, p, 8);
  return word;
}
inline uint64_t Load4(const char* p) {
  uint32_t word;
  std::memcpy(&word, p, 4);
  return word;
}

uint64_t HashBytes(const char* p, size_t n, uint64_t kind) {
  uint64_t state = Seed() ^ Mix(n ^ kMixA, kind ^ kMixB);
  uint64_t a = 0;
  uint64_t b = 0;
  if (n > 16) {
    size_t left = n;
    for (; left > 16; p += 16, left -= 16) state = Mix(Load8(p) ^ kMixA, Load8(p + 8) ^ state);
    a = Load8(p + left - 16);  // the last 16 bytes, which may overlap what was read
    b = Load8(p + left - 8);
  } else if (n >= 8) {
    a = Load8(p);
    b = Load8(p + n - 8);
  } else if (n >= 4) {
    a = Load4(p);
    b = Load4(p + n - 4);
  } else if (n > 0) {
    a = static_cast<uint64_t>(static_cast<uint8_t>(p[0])) << 16 |
        static_cast<uint64_t>(static_cast<uint8_t>(p[n / 2])) << 8 | static_cast<uint8_t>(p[n - 1]);
  }
  uint64_t code = Mix(Mix(a ^ kMixB, b ^ state), kMixC);
  return code == 0 ? 1 : code;
}

inline uint64_t HashWord(uint64_t word, uint64_t kind) {
  return Mix(word ^ Seed(), kind ^ kMixA);
}

uint64_t HashOfFloat(double d) {
  // An integer's float hashes as the integer, since they are equal.
  if (d >= -0x1p63 && d < 0x1p63 && d == std::floor(d) &&
      !(TEAL_MUTANT("negative_zero_is_another_key") && d == 0 && std::signbit(d)))
    return HashOfInt(static_cast<int64_t>(d));
  uint64_t bits;
  std::memcpy(&bits, &d, sizeof bits);
  return HashWord(bits, kMixC);
}

// Values that hold no others.
uint64_t HashOfLeaf(const Value& v) {
  switch (v.tag()) {
    case Tag::kNull:
      return HashWord(0, 3);
    case Tag::kBool:
      return HashWord(v.AsBool() ? 1 : 0, 5);
    case Tag::kInt:
      return HashOfInt(v.AsInt());
    case Tag::kFloat:
      return HashOfFloat(v.AsFloat());
    case Tag::kFunction:
    case Tag::kBuiltin:
    case Tag::kForeign:
      return HashWord(v.AsIndex(), 7 + static_cast<uint64_t>(v.tag()));
    case Tag::kClosure: {
      const Closure* closure = v.As<Closure>();
      return Mix(closure->origin ^ kMixB, HashWord(closure->serial, 19));
    }
    case Tag::kFuture: {
      const Future* future = v.As<Future>();
      return Mix(HashOfString(future->id.As<String>()),
                 HashWord(future->step, 23 + static_cast<uint64_t>(future->kind)));
    }
    default:
      return HashOfString(v.As<String>());
  }
}

bool IsContainer(Tag tag) {
  return tag == Tag::kList || tag == Tag::kHash || tag == Tag::kError;
}

struct Visit {
  Object* object;
  uint64_t next;  // child
  uint64_t code;
  uint64_t key;  // hash: of the key whose value comes next
};

// The next child to hash, in order; null at the end. Of an error, what == compares.
const Value* NextChild(Visit* visit) {
  uint64_t i = visit->next++;
  if (visit->object->tag == Tag::kList) {
    const List* list = static_cast<const List*>(visit->object);
    return i < list->size ? &list->items[i] : nullptr;
  }
  if (visit->object->tag == Tag::kHash) {
    const Hash* hash = static_cast<const Hash*>(visit->object);
    while (i / 2 < hash->used && Hash::IsHole(hash->entries[i / 2])) i += 2;
    visit->next = i + 1;
    if (i / 2 >= hash->used) return nullptr;
    return i % 2 == 0 ? &hash->entries[i / 2].key : &hash->entries[i / 2].value;
  }
  const Error* error = static_cast<const Error*>(visit->object);
  const Value* fields[] = {&error->kind, &error->message, &error->data};
  return i < 3 ? fields[i] : nullptr;
}

void AddChild(Visit* visit, uint64_t code) {
  if (visit->object->tag != Tag::kHash) {
    visit->code = Mix(visit->code ^ code, kMixB);
  } else if (visit->next % 2 == 1) {
    visit->key = code;
  } else {
    visit->code += Mix(visit->key ^ kMixA, code ^ kMixC);  // the order of entries does not count
  }
}

Visit Begin(Object* object) {
  return {object, 0, HashWord(static_cast<uint64_t>(object->tag), 29), 0};
}

}  // namespace

uint64_t HashOfText(std::string_view utf8) {
  return HashBytes(utf8.data(), utf8.size(), static_cast<uint64_t>(Tag::kString));
}

uint64_t HashOfString(String* s) {
  uint64_t code = s->hash.load(std::memory_order_relaxed);
  if (code != 0) return code;
  CountWork(s->size);
  code = HashBytes(s->data(), s->size, static_cast<uint64_t>(s->tag));
  s->hash.store(code, std::memory_order_relaxed);
  return code;
}

uint64_t HashOfInt(int64_t i) {
  return HashWord(static_cast<uint64_t>(i), kMixB);
}

bool Hasher::Known(const Object* object, uint64_t* code) {
  if (codes_.empty()) return false;
  auto found = codes_.find(object);
  if (found == codes_.end()) return false;
  *code = found->second;
  return true;
}

void Hasher::Remember(const Object* object, uint64_t code) {
  finished_++;
  if (!remember_all_ && (object->Sole() || finished_ <= kContainersBeforeRemembering)) return;
  codes_.emplace(object, code);
}

uint64_t Hasher::Of(const Value& v) {
  if (!IsContainer(v.tag())) return HashOfLeaf(v);
  uint64_t code = 0;
  if (Known(v.AsObject(), &code)) return code;
  std::vector<Visit> visits{Begin(v.AsObject())};
  for (;;) {
    CountWork(sizeof(Value));
    const Value* child = NextChild(&visits.back());
    if (child == nullptr) {
      code = visits.back().code;
      Remember(visits.back().object, code);
      visits.pop_back();
      if (visits.empty()) return code;
      AddChild(&visits.back(), code);
    } else if (!IsContainer(child->tag())) {
      AddChild(&visits.back(), HashOfLeaf(*child));
    } else if (Known(child->AsObject(), &code)) {
      AddChild(&visits.back(), code);
    } else {
      visits.push_back(Begin(child->AsObject()));
    }
  }
}

uint64_t HashOf(const Value& v) {
  return Hasher().Of(v);
}

namespace {
bool IsKeyLeaf(const Value& v) {
  switch (v.tag()) {
    case Tag::kFunction:
    case Tag::kBuiltin:
    case Tag::kForeign:
    case Tag::kClosure:
    case Tag::kFuture:
    case Tag::kSecret:
      return false;
    case Tag::kFloat:
      return v.AsFloat() == v.AsFloat();
    default:
      return true;
  }
}
}  // namespace

bool IsKey(const Value& v) {
  if (!IsContainer(v.tag())) return IsKeyLeaf(v);
  std::vector<Visit> visits{Begin(v.AsObject())};
  std::unordered_set<const Object*> seen;
  uint64_t visited = 0;
  while (!visits.empty()) {
    CountWork(sizeof(Value));
    const Value* child = NextChild(&visits.back());
    if (child == nullptr) {
      visits.pop_back();
    } else if (!IsContainer(child->tag())) {
      if (!IsKeyLeaf(*child)) return false;
    } else {
      Object* object = child->AsObject();
      bool remember = !object->Sole() && ++visited > kContainersBeforeRemembering;
      if (!remember || seen.insert(object).second) visits.push_back(Begin(object));
    }
  }
  return true;
}

}  // namespace teal::vm
