// Equality and order, by value and without recursion.
#include "core/vm/compare.h"

#include <algorithm>
#include <cmath>
#include <memory>
#include <unordered_set>
#include <vector>

#include "core/base/mutant.h"
#include "core/vm/hash_key.h"
#include "core/vm/value.h"
#include "core/vm/value_walk.h"

namespace teal::vm {
namespace {

// Pairs of objects already found equal, or about to be: a value that reaches an object in many ways is compared in
// linear time. Only pairs that can come up twice are kept, and only in large comparisons.
class PairsSeen {
 public:
  bool First(const Object* a, const Object* b) {
    CountWork(sizeof(Value));
    if (a->Sole() && b->Sole()) return true;
    if (++count_ <= kPairsBeforeRemembering) return true;
    return pairs_.insert({a, b}).second;
  }

 private:
  static constexpr uint64_t kPairsBeforeRemembering = 256;
  using Pair = std::pair<const Object*, const Object*>;
  struct PairHash {
    size_t operator()(const Pair& p) const {
      return std::hash<const void*>()(p.first) * 0x9E3779B97F4A7C15u + std::hash<const void*>()(p.second);
    }
  };
  uint64_t count_ = 0;
  std::unordered_set<Pair, PairHash> pairs_;
};

Order OrderOf(bool less, bool greater) {
  return less ? Order::kLess : greater ? Order::kGreater : Order::kEqual;
}

Order CompareFloats(double a, double b) {
  if (a != a || b != b) return Order::kUnordered;
  return OrderOf(a<b, a> b);
}

// Exact: the integer is not rounded to a float.
Order CompareIntFloat(int64_t i, double d) {
  if (d != d) return Order::kUnordered;
  if (TEAL_MUTANT("compare_int_as_float")) return CompareFloats(static_cast<double>(i), d);
  if (d >= 0x1p63) return Order::kLess;
  if (d < -0x1p63) return Order::kGreater;
  double whole = std::trunc(d);
  int64_t w = static_cast<int64_t>(whole);
  if (i != w) return OrderOf(i < w, true);
  return OrderOf(d > whole, d < whole);
}

Order Reverse(Order order) {
  if (order == Order::kLess) return Order::kGreater;
  if (order == Order::kGreater) return Order::kLess;
  return order;
}

Order CompareNumbers(const Value& a, const Value& b) {
  if (a.IsInt() && b.IsInt()) return OrderOf(a.AsInt() < b.AsInt(), a.AsInt() > b.AsInt());
  if (a.IsInt()) return CompareIntFloat(a.AsInt(), b.AsFloat());
  if (b.IsInt()) return Reverse(CompareIntFloat(b.AsInt(), a.AsFloat()));
  return CompareFloats(a.AsFloat(), b.AsFloat());
}

bool TextEqual(const Value& a, const Value& b) {
  if (a.AsObject() == b.AsObject()) return true;
  const std::string_view x = a.Text(), y = b.Text();
  if (x.size() != y.size()) return false;
  CountWork(x.size());
  return x == y;
}

bool FutureEqual(const Value& a, const Value& b) {
  const Future* x = a.As<Future>();
  const Future* y = b.As<Future>();
  return x == y || (x->kind == y->kind && x->step == y->step && TextEqual(x->id, y->id));
}

bool IsContainer(Tag tag) {
  return tag == Tag::kList || tag == Tag::kHash || tag == Tag::kError;
}

enum class Verdict { kEqual, kDifferent, kGoIn /* containers of one kind: depends on what they hold */ };

Verdict EqualOutside(const Value& a, const Value& b) {
  auto verdict = [](bool equal) { return equal ? Verdict::kEqual : Verdict::kDifferent; };
  if (a.tag() != b.tag()) return verdict(a.IsNumber() && b.IsNumber() && CompareNumbers(a, b) == Order::kEqual);
  switch (a.tag()) {
    case Tag::kNull:
      return Verdict::kEqual;
    case Tag::kBool:
      return verdict(a.AsBool() == b.AsBool());
    case Tag::kInt:
      return verdict(a.AsInt() == b.AsInt());
    case Tag::kFloat:
      return verdict(a.AsFloat() == b.AsFloat());
    case Tag::kFunction:
    case Tag::kBuiltin:
    case Tag::kForeign:
      return verdict(a.AsIndex() == b.AsIndex());
    case Tag::kString:
    case Tag::kSymbol:
    case Tag::kBytes:
      return verdict(TextEqual(a, b));
    case Tag::kSecret:
      return Verdict::kDifferent;  // cannot be compared: equal to nothing, itself included
    case Tag::kClosure: {
      const Closure* x = a.As<Closure>();
      const Closure* y = b.As<Closure>();
      return verdict(x == y || (x->origin == y->origin && x->serial == y->serial));
    }
    case Tag::kFuture:
      return verdict(FutureEqual(a, b));
    case Tag::kList:
      return a.As<List>()->size == b.As<List>()->size ? Verdict::kGoIn : Verdict::kDifferent;
    case Tag::kHash:
      return a.As<Hash>()->size == b.As<Hash>()->size ? Verdict::kGoIn : Verdict::kDifferent;
    case Tag::kError:
      return Verdict::kGoIn;
  }
  return Verdict::kDifferent;
}

bool IsSecret(const Value& a, const Value& b) {
  return a.tag() == Tag::kSecret || b.tag() == Tag::kSecret;
}

struct Visit {
  Object* a;
  Object* b;
  uint64_t next;
};

// Texts from here on are remembered as containers are: one long text may stand in a list millions of times.
constexpr uint64_t kLongTextBytes = 1024;

bool IsLongText(const Value& v) {
  return (v.tag() == Tag::kString || v.tag() == Tag::kSymbol || v.tag() == Tag::kBytes) &&
         v.As<String>()->size >= kLongTextBytes;
}

class Equality {
 public:
  explicit Equality(Hindrance* hindrance = nullptr) : hindrance_(hindrance), begun_(allocated_bytes) {}
  bool Run(const Value& a, const Value& b) {
    if (!Meet(a, b)) return false;
    while (!visits_.empty()) {
      if (!Step()) return false;
      if (hindrance_ != nullptr && TooMuchWork(begun_)) {
        *hindrance_ = Hindrance::kTooMuch;
        return false;
      }
    }
    return true;
  }

 private:
  // False when a and b are different; what remains to be compared goes on the stack.
  // The same object twice is gone into as well: it may hold a NaN, which equals nothing.
  bool Meet(const Value& a, const Value& b) {
    CountWork(sizeof(Value));
    if (IsLongText(a) && IsLongText(b) && !seen_.First(a.AsObject(), b.AsObject())) return true;
    Verdict verdict = EqualOutside(a, b);
    if (hindrance_ != nullptr && IsSecret(a, b)) *hindrance_ = Hindrance::kSecret;
    if (TEAL_MUTANT("same_list_is_equal") && verdict == Verdict::kGoIn && a.AsObject() == b.AsObject()) return true;
    if (verdict == Verdict::kGoIn && seen_.First(a.AsObject(), b.AsObject())) {
      visits_.push_back({a.AsObject(), b.AsObject(), 0});
    }
    return verdict != Verdict::kDifferent;
  }

  bool Step() {
    Visit& visit = visits_.back();
    uint64_t i = visit.next++;
    if (visit.a->tag == Tag::kList) {
      const List* x = static_cast<const List*>(visit.a);
      const List* y = static_cast<const List*>(visit.b);
      if (i < x->size) return Meet(x->items[i], y->items[i]);
    } else if (visit.a->tag == Tag::kHash) {
      const Hash* x = static_cast<const Hash*>(visit.a);
      if (i < x->used) return MeetEntry(x->entries[i], *static_cast<const Hash*>(visit.b));
    } else {
      const Error* x = static_cast<const Error*>(visit.a);
      const Error* y = static_cast<const Error*>(visit.b);
      // What went wrong, not where: the trace does not count.
      if (i == 0) return Meet(x->kind, y->kind);
      if (i == 1) return Meet(x->message, y->message);
      if (i == 2) return Meet(x->data, y->data);
    }
    visits_.pop_back();
    return true;
  }

  bool MeetEntry(const Hash::Entry& entry, const Hash& other) {
    if (Hash::IsHole(entry)) return true;
    if (!IsContainer(entry.key.tag())) {
      const Value* value = HashGet(other, entry.key);
      return value != nullptr && Meet(entry.value, *value);
    }
    // Looking up a key that holds values would compare inside a comparison. Its partner is the key with the same hash;
    // whether they are equal is decided on the stack.
    if (hasher_ == nullptr) hasher_ = std::make_unique<Hasher>(true);
    uint64_t code = hasher_->Of(entry.key);
    const Hash::Entry* partner = nullptr;
    if (other.index == nullptr) {
      for (uint64_t i = 0; i < other.used && partner == nullptr; i++) partner = Candidate(other.entries[i], code);
    } else {
      for (uint64_t slot = code & other.index_mask; partner == nullptr; slot = (slot + 1) & other.index_mask) {
        if (other.index[slot] == 0) return false;
        partner = Candidate(other.entries[EntryOfSlot(other.index[slot])], code);
      }
    }
    return partner != nullptr && Meet(entry.key, partner->key) && Meet(entry.value, partner->value);
  }

  const Hash::Entry* Candidate(const Hash::Entry& entry, uint64_t code) {
    return IsContainer(entry.key.tag()) && hasher_->Of(entry.key) == code ? &entry : nullptr;
  }

  Hindrance* const hindrance_;  // may be null: then there is no limit
  const uint64_t begun_;
  std::vector<Visit> visits_;
  PairsSeen seen_;
  std::unique_ptr<Hasher> hasher_;
};

bool IsOrderedText(Tag tag) {
  return tag == Tag::kString || tag == Tag::kBytes;
}

// kEqual also for two lists, which depend on what they hold (*go_in).
Order CompareOutside(const Value& a, const Value& b, bool* go_in) {
  *go_in = false;
  if (a.IsNumber() && b.IsNumber()) return CompareNumbers(a, b);
  if (a.tag() != b.tag()) return Order::kIncomparable;
  if (a.tag() == Tag::kList) {
    *go_in = true;
    return Order::kEqual;
  }
  if (!IsOrderedText(a.tag())) return Order::kIncomparable;
  if (a.AsObject() == b.AsObject()) return Order::kEqual;
  // Bytes of UTF-8 order as the scalar values do.
  const std::string_view x = a.Text(), y = b.Text();
  CountWork(std::min(x.size(), y.size()));
  const int order = x.compare(y);
  return OrderOf(order < 0, order > 0);
}

}  // namespace

bool Equal(const Value& a, const Value& b) {
  Verdict verdict = EqualOutside(a, b);
  if (verdict != Verdict::kGoIn) return verdict == Verdict::kEqual;
  return Equality().Run(a, b);
}

bool EqualUnless(const Value& a, const Value& b, Hindrance* hindrance) {
  *hindrance = IsSecret(a, b) ? Hindrance::kSecret : Hindrance::kNone;
  Verdict verdict = EqualOutside(a, b);
  if (verdict != Verdict::kGoIn) return verdict == Verdict::kEqual;
  return Equality(hindrance).Run(a, b);
}

namespace {

bool IsNan(const Value& v) {
  return v.IsFloat() && v.AsFloat() != v.AsFloat();
}

// Lists: the first elements that are not equal decide, else the length. So elements that have no order of their own
// (null, symbols, …) may stand in compared lists as long as they are equal.
Order CompareDeep(const Value& a, const Value& b, bool nan_last) {
  auto outside = [nan_last](const Value& x, const Value& y, bool* go_in) {
    Order order = CompareOutside(x, y, go_in);
    if (order != Order::kUnordered || !nan_last) return order;
    return OrderOf(!IsNan(x), !IsNan(y));
  };
  bool go_in;
  Order order = outside(a, b, &go_in);
  if (!go_in) return order;
  const uint64_t begun = allocated_bytes;
  PairsSeen seen;
  std::vector<Visit> visits{{a.AsObject(), b.AsObject(), 0}};
  while (!visits.empty()) {
    if (TooMuchWork(begun)) return Order::kTooMuch;
    CountWork(sizeof(Value));
    Visit& visit = visits.back();
    const List* x = static_cast<const List*>(visit.a);
    const List* y = static_cast<const List*>(visit.b);
    uint64_t i = visit.next++;
    if (i >= x->size || i >= y->size) {
      if (x->size != y->size) return OrderOf(x->size < y->size, true);
      visits.pop_back();
      continue;
    }
    order = outside(x->items[i], y->items[i], &go_in);
    if (go_in) {
      Object* left = x->items[i].AsObject();
      Object* right = y->items[i].AsObject();
      if (seen.First(left, right)) visits.push_back({left, right, 0});
    } else if (order == Order::kIncomparable) {
      Hindrance hindrance;
      if (!EqualUnless(x->items[i], y->items[i], &hindrance))
        return hindrance == Hindrance::kTooMuch ? Order::kTooMuch : order;
    } else if (order != Order::kEqual) {
      return order;
    }
  }
  return Order::kEqual;
}

}  // namespace

Order Compare(const Value& a, const Value& b) {
  return CompareDeep(a, b, false);
}
Order CompareForSort(const Value& a, const Value& b) {
  return CompareDeep(a, b, true);
}

}  // namespace teal::vm
