// The hash table against a model, and keys of every kind.
#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "core/vm/value.h"
#include "tests/unit/vm/values.h"

namespace teal::vm {
namespace {

// What a hash should hold: keys and values in order of insertion.
using Model = std::vector<std::pair<int64_t, int64_t>>;

Value KeyOf(int64_t k) {
  switch (k % 4) {
    case 0:
      return I(k);
    case 1:
      return S("key" + std::to_string(k));
    case 2:
      return Value::Float(static_cast<double>(k) + 0.5);
    default: {
      Value list = ListAppend(MakeList(), I(k));
      return ListAppend(list, S("x"));
    }
  }
}

void Check(const Value& hash, const Model& model) {
  const Hash* h = hash.As<Hash>();
  ASSERT_EQ(h->size, model.size());
  size_t next = 0;
  uint64_t holes = 0;
  for (uint64_t i = 0; i < h->used; i++) {
    if (Hash::IsHole(h->entries[i])) {
      holes++;
      continue;
    }
    ASSERT_TRUE(Equal(h->entries[i].key, KeyOf(model[next].first)));
    ASSERT_EQ(h->entries[i].value.AsInt(), model[next].second);
    next++;
  }
  ASSERT_EQ(next, model.size());
  ASSERT_EQ(h->used - h->size, holes);
  if (h->used <= 128) {
    ASSERT_EQ(holes, 0u);
  }
  ASSERT_EQ(h->index != nullptr, h->used >= 9);
  for (auto [k, v] : model) {
    const Value* found = HashGet(*h, KeyOf(k));
    ASSERT_NE(found, nullptr);
    ASSERT_EQ(found->AsInt(), v);
  }
}

TEST(HashTest, RandomOperationsAgreeWithAModelAndCopiesNeverAlias) {
  for (uint32_t seed = 0; seed < 24; seed++) {
    std::mt19937 random(seed);
    int64_t keys = seed % 4 == 0 ? 12 : seed % 4 == 1 ? 100 : 700;
    Value hash = MakeHash(seed % 3 * 5);
    Model model;
    std::vector<std::pair<Value, Model>> copies;
    for (int step = 0; step < 3000; step++) {
      int64_t k = static_cast<int64_t>(random() % static_cast<uint32_t>(keys));
      auto at = std::find_if(model.begin(), model.end(), [k](auto& e) { return e.first == k; });
      if (random() % 100 < (step / 500 % 2 == 0 ? 70u : 30u)) {
        hash = HashSet(std::move(hash), KeyOf(k), I(step));
        if (at == model.end())
          model.push_back({k, step});
        else
          at->second = step;
      } else {
        hash = HashDel(std::move(hash), KeyOf(k));
        if (at != model.end()) model.erase(at);
      }
      if (random() % 50 == 0) copies.push_back({hash, model});
      if (random() % 50 == 0 && !copies.empty()) {
        auto& [copy, copy_model] = copies[random() % copies.size()];
        std::swap(copy, hash);
        std::swap(copy_model, model);
      }
      if (step % 250 == 0) Check(hash, model);
    }
    Check(hash, model);
    for (auto& [copy, expected] : copies) Check(copy, expected);
  }
}

TEST(HashTest, ASoleOwnerIsChangedInPlaceAndASharedOneIsNot) {
  Value hash = HashSet(MakeHash(), S("a"), I(1));
  Object* before = hash.AsObject();
  hash = HashSet(std::move(hash), S("b"), I(2));
  EXPECT_EQ(hash.AsObject(), before);
  hash = HashSet(std::move(hash), S("a"), I(3));
  EXPECT_EQ(hash.AsObject(), before);
  Value other = hash;
  hash = HashSet(std::move(hash), S("a"), I(4));
  EXPECT_NE(hash.AsObject(), before);
  EXPECT_EQ(HashGet(*other.As<Hash>(), "a")->AsInt(), 3);
  EXPECT_EQ(HashGet(*hash.As<Hash>(), "a")->AsInt(), 4);
  hash = HashDel(Value(other), S("a"));
  EXPECT_EQ(HashGet(*hash.As<Hash>(), "a"), nullptr);
  EXPECT_NE(HashGet(*other.As<Hash>(), "a"), nullptr);
}

TEST(HashTest, EqualKeysAreOneKeyAndTheFirstSpellingStays) {
  for (int fill : {0, 20}) {
    Value hash = MakeHash();
    for (int i = 0; i < fill; i++) hash = HashSet(hash, S("fill" + std::to_string(i)), I(i));
    hash = HashSet(hash, I(1), S("int"));
    hash = HashSet(hash, Value::Float(1.0), S("float"));
    hash = HashSet(hash, Value::Float(-0.0), S("minus"));
    hash = HashSet(hash, I(0), S("zero"));
    const Hash* h = hash.As<Hash>();
    EXPECT_EQ(h->size, static_cast<uint64_t>(fill) + 2);
    EXPECT_TRUE(h->entries[fill].key.IsInt());
    EXPECT_EQ(h->entries[fill].value.Text(), "float");
    EXPECT_TRUE(h->entries[fill + 1].key.IsFloat());
    EXPECT_EQ(h->entries[fill + 1].value.Text(), "zero");
    EXPECT_EQ(HashGet(*h, S("1")), nullptr);
    EXPECT_EQ(HashGet(*h, Value::Bool(true)), nullptr);
    // 2^53 + 1 is no float: the nearest one is another key.
    hash = HashSet(hash, I((int64_t{1} << 53) + 1), S("odd"));
    EXPECT_EQ(HashGet(*hash.As<Hash>(), Value::Float(0x1p53)), nullptr);
  }
}

TEST(HashTest, WhatIsNoKeyIsFoundNowhere) {
  Value hash = MakeHash();
  for (int i = 0; i < 200; i++) hash = HashSet(std::move(hash), I(i), I(i));
  for (int i = 0; i < 50; i++) hash = HashDel(std::move(hash), I(i));
  ASSERT_GT(hash.As<Hash>()->used, hash.As<Hash>()->size) << "the test needs holes";
  EXPECT_EQ(HashGet(*hash.As<Hash>(), Value::Function(0)), nullptr);
  EXPECT_EQ(HashGet(*hash.As<Hash>(), Value::Float(std::numeric_limits<double>::quiet_NaN())), nullptr);
}

TEST(HashTest, IsKey) {
  double nan = std::numeric_limits<double>::quiet_NaN();
  auto in_list = [](Value v) { return ListAppend(MakeList(), std::move(v)); };
  EXPECT_TRUE(IsKey(Value()));
  EXPECT_TRUE(IsKey(MakeSymbol("s")));
  EXPECT_TRUE(IsKey(MakeBytes("\xff")));
  EXPECT_TRUE(IsKey(in_list(in_list(I(1)))));
  EXPECT_TRUE(IsKey(MakeError("k", "m")));
  EXPECT_FALSE(IsKey(Value::Function(1)));
  EXPECT_FALSE(IsKey(Value::Builtin(1)));
  EXPECT_FALSE(IsKey(Value::Float(nan)));
  EXPECT_FALSE(IsKey(MakeSecret("s")));
  EXPECT_FALSE(IsKey(in_list(in_list(Value::Float(nan)))));
  EXPECT_FALSE(IsKey(in_list(MakeFuture(FutureKind::kThread, S("1"), 0, 0, Value(), Value()))));
  EXPECT_FALSE(IsKey(MakeError(S("k"), S("m"), in_list(Value::Function(2)))));
  EXPECT_FALSE(IsKey(HashSet(MakeHash(), S("a"), MakeSecret("s"))));
}

TEST(HashTest, EqualValuesHashEqual) {
  EXPECT_EQ(HashOf(I(3)), HashOf(Value::Float(3.0)));
  EXPECT_EQ(HashOf(I(0)), HashOf(Value::Float(-0.0)));
  EXPECT_EQ(HashOf(I(INT64_MIN)), HashOf(Value::Float(-0x1p63)));
  EXPECT_NE(HashOf(S("a")), HashOf(MakeSymbol("a")));
  Value ab = HashSet(HashSet(MakeHash(), S("a"), I(1)), S("b"), I(2));
  Value ba = HashSet(HashSet(MakeHash(), S("b"), Value::Float(2.0)), S("a"), I(1));
  EXPECT_TRUE(Equal(ab, ba));
  EXPECT_EQ(HashOf(ab), HashOf(ba));
  Value swapped = HashSet(HashSet(MakeHash(), S("a"), I(2)), S("b"), I(1));
  EXPECT_NE(HashOf(ab), HashOf(swapped));
  Value grown = StringAppend(S("ab"), "c");
  uint64_t short_code = HashOf(grown);
  grown = StringAppend(std::move(grown), "d");
  EXPECT_NE(HashOf(grown), short_code);
  EXPECT_EQ(HashOf(grown), HashOf(S("abcd")));
}

TEST(HashTest, HashesOfStringsOfEveryLengthDiffer) {
  std::vector<uint64_t> codes;
  for (int n = 0; n < 100; n++) {
    codes.push_back(HashOf(S(std::string(static_cast<size_t>(n), 'x'))));
    for (int at = 0; at < n; at++) {
      std::string s(static_cast<size_t>(n), 'x');
      s[static_cast<size_t>(at)] = 'y';
      codes.push_back(HashOf(S(s)));
    }
  }
  std::sort(codes.begin(), codes.end());
  EXPECT_EQ(std::adjacent_find(codes.begin(), codes.end()), codes.end());
}

TEST(HashTest, KeysNestedInKeys) {
  // A tower of hashes, each the only key of the next.
  auto tower = [](int height) {
    Value v = MakeHash();
    for (int i = 0; i < height; i++) {
      // Set without HashSet, which would check the whole tower as a key at every step.
      Value next = HashSet(MakeHash(1), I(0), I(i));
      next.As<Hash>()->entries[0].key = std::move(v);
      v = std::move(next);
    }
    return v;
  };
  Value a = tower(200000);
  Value b = tower(200000);
  EXPECT_TRUE(IsKey(a));
  EXPECT_EQ(HashOf(a), HashOf(b));
  EXPECT_TRUE(Equal(a, b));
  EXPECT_FALSE(Equal(a, tower(200001)));
}

TEST(HashTest, ContainerKeysAreFoundWhateverTheOrder) {
  for (int64_t n : {5, 300}) {
    Value up = MakeHash();
    Value down = MakeHash();
    auto key = [](int64_t i) { return ListAppend(ListAppend(MakeList(), I(i)), I(-i)); };
    for (int64_t i = 0; i < n; i++) up = HashSet(std::move(up), key(i), I(i));
    for (int64_t i = n; i-- > 0;) down = HashSet(std::move(down), key(i), I(i));
    EXPECT_TRUE(Equal(up, down));
    EXPECT_EQ(HashOf(up), HashOf(down));
    down = HashSet(std::move(down), key(3), I(0));
    EXPECT_FALSE(Equal(up, down));
  }
}

}  // namespace
}  // namespace teal::vm
