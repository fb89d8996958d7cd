// One comparison or sort is bounded (kWorkBytesMax), also of values whose parts are shared so much that they stand for
// far more than they take.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "core/vm/builtins.h"
#include "core/vm/operators.h"
#include "core/vm/value_walk.h"
#include "tests/unit/vm/values.h"

namespace teal::vm {
namespace {

constexpr uint64_t kTextBytes = 1u << 20;

std::string Message(const Value& error) {
  return std::string(error.As<Error>()->kind.Text()) + ": " + std::string(error.As<Error>()->message.Text());
}

Value Text(uint64_t bytes = kTextBytes) {
  return MakeString(std::string(bytes, 'a'));
}

// `count` elements, taken from `of` in turn.
Value Repeated(const std::vector<Value>& of, uint64_t count) {
  Value list = MakeList(count);
  for (uint64_t i = 0; i < count; i++) list = ListAppend(std::move(list), of[i % of.size()]);
  return list;
}

TEST(Work, SortIsBounded) {
  const Value texts = Repeated({Text(), Text()}, 1u << 16);
  Value args[] = {texts};
  Value result;
  EXPECT_FALSE(PureBuiltinOf(kBuiltin___sort)(args, 1, &result));
  EXPECT_EQ(Message(result), "limit: sort: takes more than 16 GiB of comparing, the limit of one operation");
}

TEST(Work, ComparisonIsBounded) {
  const Value a = Repeated({Text()}, 1u << 15), b = Repeated({Text()}, 1u << 15);
  bool holds = false;
  Value error;
  const uint64_t before = allocated_bytes;
  EXPECT_FALSE(LessThan(a, b, true, &holds, &error));
  EXPECT_EQ(Message(error), "limit: <=: takes more than 16 GiB of comparing, the limit of one operation");
  EXPECT_LT(allocated_bytes - before, kWorkBytesMax + 2 * kTextBytes);
}

TEST(Work, EqualityLooksAtEachPairOfTextsOnce) {
  const Value a = Repeated({Text()}, 1u << 15), b = Repeated({Text()}, 1u << 15);
  bool holds = false;
  Value error;
  const uint64_t before = allocated_bytes;
  EXPECT_TRUE(EqualTo(a, b, &holds, &error));
  EXPECT_TRUE(holds);
  EXPECT_LT(allocated_bytes - before, 1000 * kTextBytes);
}

TEST(Work, EqualityIsBounded) {
  // Every pair of 512 texts and 512 others, which are all equal: 32 GiB.
  std::vector<Value> left, right;
  for (int i = 0; i < 512; i++) {
    left.push_back(Text(kTextBytes / 8));
    right.push_back(Text(kTextBytes / 8));
  }
  Value a = MakeList(), b = MakeList();
  for (const Value& x : left) {
    for (const Value& y : right) {
      a = ListAppend(std::move(a), x);
      b = ListAppend(std::move(b), y);
    }
  }
  bool holds = false;
  Value error;
  EXPECT_FALSE(EqualTo(a, b, &holds, &error));
  EXPECT_EQ(Message(error), "limit: ==: takes more than 16 GiB of comparing, the limit of one operation");
}

TEST(Work, SearchingIsLinear) {
  Value args[] = {Text(), MakeString(std::string(kTextBytes / 2, 'a') + "b")};
  Value result;
  const uint64_t before = allocated_bytes;
  EXPECT_TRUE(PureBuiltinOf(kBuiltin_contains)(args, 2, &result));
  EXPECT_EQ(SourceForm(result), "false");
  EXPECT_LT(allocated_bytes - before, 2 * kTextBytes);
}

TEST(Work, UniqueIsLinearInWhatCannotBeAKey) {
  constexpr uint32_t kCount = 100000;
  Value list = MakeList(2 * kCount);
  for (uint32_t i = 0; i < 2 * kCount; i++) list = ListAppend(std::move(list), Value::Function(i / 2));
  Value args[] = {list};
  Value result;
  const uint64_t before = allocated_bytes;
  EXPECT_TRUE(PureBuiltinOf(kBuiltin_unique)(args, 1, &result));
  EXPECT_EQ(result.As<List>()->size, kCount);
  EXPECT_LT(allocated_bytes - before, 200 * kCount * sizeof(Value));
}

}  // namespace
}  // namespace teal::vm
