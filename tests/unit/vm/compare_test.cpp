// Equality and order: exact between integers and floats, deep, and as the language says for each kind.
#include "core/vm/compare.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "core/vm/value.h"
#include "tests/unit/vm/values.h"

namespace teal::vm {
namespace {

const double kNan = std::numeric_limits<double>::quiet_NaN();
const double kInf = std::numeric_limits<double>::infinity();

TEST(CompareTest, NumbersCompareExactly) {
  const int64_t odd = (int64_t{1} << 53) + 1;
  EXPECT_TRUE(Equal(I(1), F(1.0)));
  EXPECT_TRUE(Equal(F(-0.0), F(0.0)));
  EXPECT_TRUE(Equal(F(-0.0), I(0)));
  EXPECT_FALSE(Equal(I(odd), F(0x1p53)));
  EXPECT_EQ(Compare(I(odd), F(0x1p53)), Order::kGreater);
  EXPECT_EQ(Compare(F(0x1p53), I(odd)), Order::kLess);
  EXPECT_EQ(Compare(I(INT64_MAX), F(0x1p63)), Order::kLess);
  EXPECT_EQ(Compare(F(0x1p63), I(INT64_MAX)), Order::kGreater);
  EXPECT_EQ(Compare(I(INT64_MIN), F(-0x1p63)), Order::kEqual);
  EXPECT_EQ(Compare(I(INT64_MIN), F(-kInf)), Order::kGreater);
  EXPECT_EQ(Compare(I(INT64_MAX), F(kInf)), Order::kLess);
  EXPECT_EQ(Compare(I(3), F(3.5)), Order::kLess);
  EXPECT_EQ(Compare(I(-3), F(-3.5)), Order::kGreater);
  EXPECT_EQ(Compare(F(-3.5), I(-3)), Order::kLess);
  EXPECT_EQ(Compare(I(1), F(kNan)), Order::kUnordered);
  EXPECT_EQ(Compare(F(kNan), F(kNan)), Order::kUnordered);
  EXPECT_FALSE(Equal(F(kNan), F(kNan)));
}

TEST(CompareTest, EqualityOfEachKind) {
  EXPECT_TRUE(Equal(Value(), Value()));
  EXPECT_FALSE(Equal(Value(), Value::Bool(false)));
  EXPECT_FALSE(Equal(Value::Bool(true), I(1)));
  EXPECT_FALSE(Equal(F(1), Value::Bool(true)));
  EXPECT_TRUE(Equal(S("a"), S("a")));
  EXPECT_FALSE(Equal(S("a"), MakeSymbol("a")));
  EXPECT_FALSE(Equal(S("a"), MakeBytes("a")));
  EXPECT_TRUE(Equal(MakeSymbol("a"), MakeSymbol("a")));
  EXPECT_TRUE(Equal(Value::Function(1), Value::Function(1)));
  EXPECT_FALSE(Equal(Value::Function(1), Value::Builtin(1)));
  EXPECT_TRUE(Equal(MakeClosure(1, 2, 3, nullptr, 0), MakeClosure(1, 2, 3, nullptr, 0)));
  EXPECT_FALSE(Equal(MakeClosure(1, 2, 3, nullptr, 0), MakeClosure(1, 2, 4, nullptr, 0)));
  auto future = [](uint64_t step) { return MakeFuture(FutureKind::kEvent, S("1"), step, 0, S("e"), Value()); };
  EXPECT_TRUE(Equal(future(1), future(1)));
  EXPECT_FALSE(Equal(future(1), future(2)));
  Value secret = MakeSecret("s");
  EXPECT_FALSE(Equal(secret, secret));
  EXPECT_TRUE(Equal(MakeError("k", "m"), MakeError("k", "m")));
  EXPECT_FALSE(Equal(MakeError("k", "m"), MakeError("k", "n")));
  Value raised = MakeError("k", "m");
  raised.As<Error>()->trace = MakeList();
  EXPECT_TRUE(Equal(raised, MakeError("k", "m")));
  EXPECT_FALSE(Equal(MakeError(S("k"), S("m"), I(1)), MakeError(S("k"), S("m"), I(2))));
}

TEST(CompareTest, ContainersCompareDeeply) {
  EXPECT_TRUE(Equal(L({I(1), L({F(2)})}), L({F(1), L({I(2)})})));
  EXPECT_FALSE(Equal(L({I(1)}), L({I(1), I(2)})));
  EXPECT_FALSE(Equal(L({L({I(1)}), I(3)}), L({L({I(1)}), I(4)})));
  Value with_nan = L({F(kNan)});
  EXPECT_FALSE(Equal(with_nan, with_nan)) << "nan equals nothing, wherever it stands";
  Value hash_with_nan = HashSet(MakeHash(), S("a"), with_nan);
  EXPECT_FALSE(Equal(hash_with_nan, hash_with_nan));
  Value ab = HashSet(HashSet(MakeHash(), S("a"), I(1)), S("b"), L({I(2)}));
  Value ba = HashSet(HashSet(MakeHash(), S("b"), L({I(2)})), S("a"), I(1));
  EXPECT_TRUE(Equal(ab, ba));
  EXPECT_FALSE(Equal(ab, HashSet(ba, S("a"), I(2))));
  EXPECT_FALSE(Equal(ab, HashSet(HashDel(ba, S("a")), S("c"), I(1))));
}

TEST(CompareTest, OrderOfEachKind) {
  EXPECT_EQ(Compare(S("a"), S("b")), Order::kLess);
  EXPECT_EQ(Compare(S("ab"), S("a")), Order::kGreater);
  EXPECT_EQ(Compare(S("\uFFFD"), S("\U00010000")), Order::kLess) << "by scalar value";
  EXPECT_EQ(Compare(MakeBytes("\x7f"), MakeBytes("\x80")), Order::kLess);
  EXPECT_EQ(Compare(L({}), L({})), Order::kEqual);
  EXPECT_EQ(Compare(L({I(1)}), L({I(1), I(2)})), Order::kLess);
  EXPECT_EQ(Compare(L({I(1), I(3)}), L({I(1), I(2), I(5)})), Order::kGreater);
  EXPECT_EQ(Compare(L({L({I(1)}), I(3)}), L({L({F(1)}), I(4)})), Order::kLess);
  EXPECT_EQ(Compare(L({F(kNan)}), L({F(kNan)})), Order::kUnordered);
  EXPECT_EQ(Compare(L({Value(), I(1)}), L({Value(), I(2)})), Order::kLess);
  EXPECT_EQ(Compare(L({I(1)}), L({S("a")})), Order::kIncomparable);
  EXPECT_EQ(Compare(I(1), S("1")), Order::kIncomparable);
  EXPECT_EQ(Compare(Value(), Value()), Order::kIncomparable);
  EXPECT_EQ(Compare(Value::Bool(true), Value::Bool(false)), Order::kIncomparable);
  EXPECT_EQ(Compare(MakeSymbol("a"), MakeSymbol("b")), Order::kIncomparable);
  EXPECT_EQ(Compare(MakeHash(), MakeHash()), Order::kIncomparable);
}

TEST(CompareTest, SortingOrderIsTotalOverNan) {
  EXPECT_EQ(CompareForSort(F(kNan), F(kNan)), Order::kEqual);
  EXPECT_EQ(CompareForSort(F(kNan), F(kInf)), Order::kGreater);
  EXPECT_EQ(CompareForSort(I(1), F(kNan)), Order::kLess);
  EXPECT_EQ(CompareForSort(L({F(kNan), I(1)}), L({F(kNan), I(2)})), Order::kLess);
}

}  // namespace
}  // namespace teal::vm
