// Objects: counting, changing in place, sharing, and walks over very deep values.
#include "core/vm/value.h"

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <thread>
#include <vector>

#include "core/vm/value_inline.h"
#include "tests/unit/vm/values.h"

namespace teal::vm {
namespace {

constexpr int kDeep = 1000000;

Value DeepList() {
  Value v = I(1);
  for (int i = 0; i < kDeep; i++) v = ListAppend(MakeList(1), std::move(v));
  return v;
}
Value DeepError() {
  Value v;
  for (int i = 0; i < kDeep; i++) v = MakeError(S("k"), S("m"), std::move(v));
  return v;
}
Value DeepHash() {
  Value v;
  for (int i = 0; i < kDeep; i++) v = HashSet(MakeHash(1), I(0), std::move(v));
  return v;
}
Value DeepClosure() {
  Value v;
  for (int i = 0; i < kDeep; i++) v = MakeClosure(1, 2, static_cast<uint64_t>(i), &v, 1);
  return v;
}
Value DeepTimeout() {
  Value v;
  Value id = S("t");
  for (int i = 0; i < kDeep; i++) v = MakeFuture(FutureKind::kTimeout, id, 1, 2, Value(), std::move(v));
  return v;
}

// A list of two references to a list of two references to …: 2^levels paths.
Value Diamond(int levels) {
  Value v = ListAppend(MakeList(), I(7));
  for (int i = 0; i < levels; i++) {
    Value twice = ListAppend(MakeList(2), v);
    v = ListAppend(std::move(twice), v);
  }
  return v;
}

TEST(ValueTest, VeryDeepValuesAreWalkedWithoutTheCStack) {
  Value (*const makers[])() = {DeepList, DeepError, DeepHash, DeepClosure, DeepTimeout};
  for (auto make : makers) {
    Value a = make();
    Value b = make();
    EXPECT_TRUE(Equal(a, b)) << TypeName(a);
    EXPECT_EQ(HashOf(a), HashOf(b));
    IsKey(a);
    EXPECT_GT(Display(a).size(), 0u);
    EXPECT_GT(MemorySize(a), 0u);
    Share(a);
    EXPECT_LT(a.AsObject()->refs.load(), 0);
  }
  Value a = DeepList();
  Value b = DeepList();
  EXPECT_EQ(Compare(a, b), Order::kEqual);
  EXPECT_TRUE(IsKey(a));
  EXPECT_EQ(Display(a).size(), 2u * kDeep + 1);
  EXPECT_EQ(MemorySize(a), sizeof(Value) + kDeep * (sizeof(List) + sizeof(Value)));
}

TEST(ValueTest, WalksOverSharedPartsAreLinear) {
  Value a = Diamond(200);
  Value b = Diamond(200);
  EXPECT_TRUE(Equal(a, b));
  EXPECT_TRUE(Equal(a, a));
  EXPECT_EQ(Compare(a, b), Order::kEqual);
  EXPECT_EQ(HashOf(a), HashOf(b));
  EXPECT_TRUE(IsKey(a));
  EXPECT_LT(MemorySize(a), 200u * 200u);
  Share(a);
}

TEST(ValueTest, SharedAndImmortalValuesAreNeverChanged) {
  Value list = ListAppend(MakeList(), S("a"));
  Share(list);
  Object* shared = list.AsObject();
  Value longer = ListAppend(std::move(list), S("b"));
  EXPECT_NE(longer.AsObject(), shared);
  EXPECT_EQ(longer.As<List>()->size, 2u);
  Value constant = S("constant");
  MakeImmortal(constant);
  Value copy = constant;
  EXPECT_EQ(constant.AsObject()->refs.load(), kImmortal);
  Value appended = StringAppend(std::move(copy), "!");
  EXPECT_EQ(constant.Text(), "constant");
  EXPECT_EQ(appended.Text(), "constant!");
  Share(constant);
  EXPECT_EQ(constant.AsObject()->refs.load(), kImmortal);
}

TEST(ValueTest, SharingKeepsTheCountOfReferences) {
  Value inner = S("inner");
  Value a = ListAppend(MakeList(), inner);
  Value b = a;
  Share(b);
  EXPECT_EQ(a.AsObject()->refs.load(), -2);
  EXPECT_EQ(inner.AsObject()->refs.load(), -2);
  {
    Value c = a;
    EXPECT_EQ(a.AsObject()->refs.load(), -3);
  }
  a = Value();
  EXPECT_EQ(b.AsObject()->refs.load(), -1);
  b = Value();
  EXPECT_EQ(inner.AsObject()->refs.load(), -1);
}

TEST(ValueTest, ThreadsMayHoldAndReadSharedValuesAtOnce) {
  for (int round = 0; round < 20; round++) {
    Value root = MakeHash();
    for (int i = 0; i < 50; i++) {
      root = HashSet(std::move(root), S("key" + std::to_string(i)), ListAppend(MakeList(), S("v")));
    }
    Share(root);
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; t++) {
      threads.emplace_back([root] {
        std::vector<Value> held;
        for (int i = 0; i < 500; i++) {
          const Value* found = HashGet(*root.As<Hash>(), S("key" + std::to_string(i % 50)));
          ASSERT_NE(found, nullptr);
          held.push_back(*found);
          held.back() = ListAppend(std::move(held.back()), I(i));
          held.push_back(root);
          HashOf(root);
          if (i % 10 == 0) held.clear();
        }
      });
    }
    root = Value();
    for (std::thread& thread : threads) thread.join();
  }
}

// ---- lists against a model ----

void CheckList(const Value& list, const std::vector<int64_t>& model) {
  const List* l = list.As<List>();
  ASSERT_EQ(l->size, model.size());
  for (size_t i = 0; i < model.size(); i++) ASSERT_EQ(l->items[i].Text(), std::to_string(model[i]));
}

TEST(ListTest, RandomOperationsAgreeWithAModelAndCopiesNeverAlias) {
  for (uint32_t seed = 0; seed < 100; seed++) {
    std::mt19937 random(seed);
    Value list = MakeList(seed % 7);
    std::vector<int64_t> model;
    std::vector<std::pair<Value, std::vector<int64_t>>> copies;
    for (int64_t step = 0; step < 500; step++) {
      switch (random() % 8) {
        case 0:
        case 1:
        case 2:
          list = ListAppend(std::move(list), S(std::to_string(step)));
          model.push_back(step);
          break;
        case 3:
          if (!model.empty()) {
            size_t at = random() % model.size();
            list = ListSet(std::move(list), at, S(std::to_string(step)));
            model[at] = step;
          }
          break;
        case 4: {
          size_t from = random() % (model.size() + 1);
          size_t to = from + random() % (model.size() - from + 1);
          if (random() % 3 != 0) {
            from = std::min<size_t>(from, 1);
            to = model.size();
          }
          list = ListSlice(std::move(list), from, to);
          model = std::vector<int64_t>(model.begin() + static_cast<ptrdiff_t>(from),
                                       model.begin() + static_cast<ptrdiff_t>(to));
          break;
        }
        case 5:
          if (model.size() < 200) {
            Value other = random() % 2 == 0 && !copies.empty() ? copies[0].first : list;
            std::vector<int64_t> other_model = random() % 2 == 0 ? model : model;
            if (other.AsObject() != list.AsObject()) other_model = copies[0].second;
            list = ListConcat(std::move(list), std::move(other));
            model.insert(model.end(), other_model.begin(), other_model.end());
          }
          break;
        case 6:
          copies.push_back({list, model});
          break;
        case 7: {
          Value item = S(std::to_string(step));
          if (TryAppendInPlace(list, item, true)) {
            ASSERT_TRUE(item.IsNull());
            model.push_back(step);
          }
          break;
        }
      }
      CheckList(list, model);
    }
    for (auto& [copy, expected] : copies) CheckList(copy, expected);
  }
}

TEST(ListTest, AppendingToASoleOwnerIsInPlace) {
  Value list = MakeList();
  for (int i = 0; i < 100000; i++) {
    Object* before = list.AsObject();
    list = ListAppend(std::move(list), I(i));
    ASSERT_EQ(list.AsObject(), before);
  }
  Value copy = list;
  list = ListAppend(std::move(list), I(1));
  EXPECT_NE(list.AsObject(), copy.AsObject());
  EXPECT_EQ(copy.As<List>()->size, 100000u);
}

TEST(ListTest, FastPathsRefuseWhatIsShared) {
  Value list = ListAppend(MakeList(8), I(1));
  Value copy = list;
  Value item = I(5);
  EXPECT_FALSE(TryAppendInPlace(list, item, true));
  EXPECT_FALSE(TrySetInPlace(list, I(0), item, true));
  copy = Value();
  EXPECT_FALSE(TrySetInPlace(list, I(0), list, false)) << "a list in itself";
  EXPECT_FALSE(TryAppendInPlace(list, list, false)) << "a list in itself";
  Value kept = S("kept");
  EXPECT_TRUE(TryAppendInPlace(list, kept, false));
  EXPECT_FALSE(kept.IsNull());
  EXPECT_FALSE(kept.AsObject()->Sole());
  list = ListSlice(std::move(list), 0, 1);
  EXPECT_TRUE(TrySetInPlace(list, I(0), item, true));
  EXPECT_FALSE(TrySetInPlace(list, I(1), item, true));
  EXPECT_FALSE(TrySetInPlace(list, I(-1), item, true));
  EXPECT_EQ(TryIndex(list, I(0))->AsInt(), 5);
  EXPECT_EQ(TryIndex(list, I(-1))->AsInt(), 5);
  EXPECT_EQ(TryIndex(list, I(1)), nullptr);
  EXPECT_EQ(TryIndex(list, I(-2)), nullptr);
  EXPECT_EQ(TryIndex(list, I(INT64_MIN)), nullptr);
  EXPECT_EQ(TryIndex(list, Value::Float(0)), nullptr);
}

TEST(ValueTest, TypeNames) {
  EXPECT_EQ(TypeName(Value()), "null");
  EXPECT_EQ(TypeName(Value::Bool(true)), "boolean");
  EXPECT_EQ(TypeName(I(1)), "integer");
  EXPECT_EQ(TypeName(Value::Float(1)), "float");
  EXPECT_EQ(TypeName(S("")), "string");
  EXPECT_EQ(TypeName(MakeSymbol("a")), "symbol");
  EXPECT_EQ(TypeName(MakeBytes("")), "bytes");
  EXPECT_EQ(TypeName(MakeSecret("a")), "secret");
  EXPECT_EQ(TypeName(MakeList()), "list");
  EXPECT_EQ(TypeName(MakeHash()), "hash");
  EXPECT_EQ(TypeName(Value::Builtin(1)), "function");
  EXPECT_EQ(TypeName(Value::Foreign(1)), "function");
  EXPECT_EQ(TypeName(MakeClosure(0, 0, 0, nullptr, 0)), "function");
  EXPECT_EQ(TypeName(MakeError("a", "b")), "error");
  EXPECT_EQ(TypeName(MakeFuture(FutureKind::kTimer, S("t"), 0, 0, Value(), Value())), "future");
}

}  // namespace
}  // namespace teal::vm
