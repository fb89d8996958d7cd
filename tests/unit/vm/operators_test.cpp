// The operators: results, and the errors with their kinds and messages.
#include "core/vm/operators.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <string>

#include "core/vm/value_inline.h"
#include "tests/unit/vm/values.h"

namespace teal::vm {
namespace {

using Binary = bool (*)(const Value&, const Value&, Value*);
bool AddOf(const Value& a, const Value& b, Value* result) {
  return Add(Value(a), Value(b), result);
}

// The result in source form, or "kind: message".
std::string Apply(Binary op, const Value& a, const Value& b) {
  Value result;
  if (op(a, b, &result)) return SourceForm(result);
  const Error* error = result.As<Error>();
  return std::string(error->kind.Text()) + ": " + std::string(error->message.Text());
}

TEST(OperatorsTest, Arithmetic) {
  EXPECT_EQ(Apply(AddOf, I(1), I(2)), "3");
  EXPECT_EQ(Apply(AddOf, I(1), F(2)), "3.0");
  EXPECT_EQ(Apply(AddOf, S("a"), S("b")), "\"ab\"");
  EXPECT_EQ(Apply(AddOf, MakeBytes("a"), MakeBytes("b")), "b\"ab\"");
  EXPECT_EQ(Apply(AddOf, ListAppend(MakeList(), I(1)), ListAppend(MakeList(), I(2))), "[1, 2]");
  EXPECT_EQ(Apply(Subtract, I(1), F(0.5)), "0.5");
  EXPECT_EQ(Apply(Multiply, I(3), I(-4)), "-12");
  EXPECT_EQ(Apply(Multiply, F(0.5), I(4)), "2.0");
  EXPECT_EQ(Apply(Divide, I(6), I(3)), "2.0");
  EXPECT_EQ(Apply(AddOf, I(INT64_MAX), I(1)),
            "overflow: the result of 9223372036854775807 + 1 is outside the 64 bits of an integer");
  EXPECT_EQ(Apply(Subtract, I(INT64_MIN), I(1)).substr(0, 9), "overflow:");
  EXPECT_EQ(Apply(Multiply, I(INT64_MIN), I(-1)).substr(0, 9), "overflow:");
  EXPECT_EQ(Apply(AddOf, I(1), S("a")), "type: cannot add: integer 1 + string \"a\"");
  EXPECT_EQ(Apply(AddOf, Value::Bool(true), Value::Bool(true)), "type: cannot add: boolean true + boolean true");
  EXPECT_EQ(Apply(AddOf, MakeSecret("a"), MakeSecret("a")), "type: cannot add: secret + secret");
  EXPECT_EQ(Apply(Subtract, Value(), I(1)), "type: cannot subtract: null - integer 1");
  EXPECT_EQ(Apply(Multiply, S("a"), I(3)), "type: cannot multiply: string \"a\" * integer 3");
  EXPECT_EQ(Apply(Divide, I(1), I(0)), "zero_division: division by zero: 1 / 0");
  EXPECT_EQ(Apply(Divide, F(1), F(-0.0)), "zero_division: division by zero: 1.0 / -0.0");
  Value result;
  EXPECT_TRUE(Negate(I(5), &result));
  EXPECT_EQ(result.AsInt(), -5);
  EXPECT_FALSE(Negate(I(INT64_MIN), &result));
  EXPECT_TRUE(Negate(F(0.0), &result));
  EXPECT_TRUE(std::signbit(result.AsFloat()));
  EXPECT_FALSE(Negate(S("a"), &result));
}

TEST(OperatorsTest, ModuloHasTheSignOfTheDivisor) {
  EXPECT_EQ(Apply(Modulo, I(7), I(3)), "1");
  EXPECT_EQ(Apply(Modulo, I(-7), I(3)), "2");
  EXPECT_EQ(Apply(Modulo, I(7), I(-3)), "-2");
  EXPECT_EQ(Apply(Modulo, I(-7), I(-3)), "-1");
  EXPECT_EQ(Apply(Modulo, I(INT64_MIN), I(-1)), "0");
  EXPECT_EQ(Apply(Modulo, F(-7.5), I(2)), "0.5");
  EXPECT_EQ(Apply(Modulo, F(7.5), I(-2)), "-0.5");
  EXPECT_EQ(Apply(Modulo, F(-6), I(3)), "0.0");
  EXPECT_EQ(Apply(Modulo, F(6), I(-3)), "-0.0");
  EXPECT_EQ(Apply(Modulo, F(5), F(std::numeric_limits<double>::infinity())), "5.0");
  EXPECT_EQ(Apply(Modulo, I(1), I(0)), "zero_division: division by zero: 1 % 0");
  EXPECT_EQ(Apply(Modulo, F(1), I(0)), "zero_division: division by zero: 1.0 % 0");
}

TEST(OperatorsTest, AddInPlaceWhenSoleAndNeverOtherwise) {
  Value list = ListAppend(MakeList(8), I(1));
  Object* before = list.AsObject();
  Value result;
  ASSERT_TRUE(Add(std::move(list), ListAppend(MakeList(), I(2)), &result));
  EXPECT_EQ(result.AsObject(), before);
  Value copy = result;
  Value twice;
  ASSERT_TRUE(AddOf(result, result, &twice));
  EXPECT_EQ(SourceForm(twice), "[1, 2, 1, 2]");
  EXPECT_EQ(SourceForm(copy), "[1, 2]");
  Value text = StringAppend(S("a"), "b");
  before = text.AsObject();
  ASSERT_TRUE(Add(std::move(text), S("c"), &result));
  EXPECT_EQ(SourceForm(result), "\"abc\"");
}

TEST(OperatorsTest, ValuesStayWithinTheirLimit) {
  Value half = S(std::string(kStringBytesMax / 2 + 1, 'x'));
  EXPECT_EQ(Apply(AddOf, half, half), "limit: +: the result would be larger than 64 MiB, the limit of one value");
  Value list = MakeList(kListItemsMax / 2 + 1);
  for (uint64_t i = 0; i < kListItemsMax / 2 + 1; i++) list = ListAppend(std::move(list), Value());
  EXPECT_EQ(Apply(AddOf, list, list), "limit: +: the result would be larger than 64 MiB, the limit of one value");
}

TEST(OperatorsTest, Order) {
  bool less = false;
  Value error;
  EXPECT_TRUE(LessThan(I(1), F(1), false, &less, &error));
  EXPECT_FALSE(less);
  EXPECT_TRUE(LessThan(I(1), F(1), true, &less, &error));
  EXPECT_TRUE(less);
  EXPECT_TRUE(LessThan(F(std::nan("")), I(1), true, &less, &error));
  EXPECT_FALSE(less);
  EXPECT_FALSE(LessThan(I(1), S("a"), false, &less, &error));
  EXPECT_EQ(error.As<Error>()->kind.Text(), "type");
  EXPECT_EQ(error.As<Error>()->message.Text(), "cannot order: integer 1 < string \"a\"");
}

TEST(OperatorsTest, Indexing) {
  Value list = ListAppend(ListAppend(MakeList(), I(10)), I(20));
  EXPECT_EQ(Apply(IndexValue, list, I(1)), "20");
  EXPECT_EQ(Apply(IndexValue, list, I(-2)), "10");
  EXPECT_EQ(Apply(IndexValue, list, I(2)), "index: index 2 is out of range: the list has 2 elements");
  EXPECT_EQ(Apply(IndexValue, list, I(-3)), "index: index -3 is out of range: the list has 2 elements");
  EXPECT_EQ(Apply(IndexValue, list, I(INT64_MIN)).substr(0, 6), "index:");
  EXPECT_EQ(Apply(IndexValue, list, F(0)), "type: an index of a list must be an integer, got float 0.0");
  EXPECT_EQ(Apply(IndexValue, S("hé"), I(-1)), "\"é\"");
  EXPECT_EQ(Apply(IndexValue, S(""), I(0)), "index: index 0 is out of range: the string has 0 elements");
  EXPECT_EQ(Apply(IndexValue, MakeBytes("\xff"), I(0)), "255");
  EXPECT_EQ(Apply(IndexValue, Value(), I(0)), "type: only lists, hashes, strings and bytes have elements, got null");
  Value hash = HashSet(MakeHash(), S("k"), I(1));
  EXPECT_EQ(Apply(IndexValue, hash, S("k")), "1");
  EXPECT_EQ(Apply(IndexValue, hash, S("x")), "null");
  EXPECT_EQ(Apply(FieldValue, hash, S("k")), "1");
  Value error = MakeError(S("k"), S("m"), I(3));
  EXPECT_EQ(Apply(FieldValue, error, S("kind")), "\"k\"");
  EXPECT_EQ(Apply(FieldValue, error, S("message")), "\"m\"");
  EXPECT_EQ(Apply(FieldValue, error, S("data")), "3");
  EXPECT_EQ(Apply(FieldValue, error, S("trace")), "null");
  EXPECT_EQ(Apply(FieldValue, error, S("x")), "type: an error has the fields kind, message, data and trace, not x");
  EXPECT_EQ(Apply(FieldValue, I(1), S("x")), "type: only hashes and errors have fields, got integer 1 for .x");
}

std::string Slice(const Value& v, const Value& from, const Value& to) {
  Value result;
  if (SliceValue(v, from, to, &result)) return SourceForm(result);
  return std::string(result.As<Error>()->message.Text());
}

TEST(OperatorsTest, Slices) {
  Value s = S("abçdé");
  EXPECT_EQ(Slice(s, I(1), I(3)), "\"bç\"");
  EXPECT_EQ(Slice(s, Value(), I(-1)), "\"abçd\"");
  EXPECT_EQ(Slice(s, I(-2), Value()), "\"dé\"");
  EXPECT_EQ(Slice(s, I(-100), I(100)), "\"abçdé\"");
  EXPECT_EQ(Slice(s, I(3), I(1)), "\"\"");
  EXPECT_EQ(Slice(s, I(INT64_MIN), I(INT64_MAX)), "\"abçdé\"");
  Value list = ListAppend(ListAppend(MakeList(), I(1)), I(2));
  EXPECT_EQ(Slice(list, I(1), Value()), "[2]");
  EXPECT_EQ(Slice(list, S("a"), Value()), "slice: a bound must be an integer or null, got string \"a\"");
  EXPECT_EQ(Slice(I(3), I(0), Value()), "slice: the value must be a list, a string or bytes, got integer 3");
}

TEST(OperatorsTest, SetItem) {
  Value result;
  ASSERT_TRUE(SetItem(ListAppend(MakeList(), I(1)), I(-1), I(9), &result));
  EXPECT_EQ(SourceForm(result), "[9]");
  EXPECT_FALSE(SetItem(ListAppend(MakeList(), I(1)), I(1), I(9), &result));
  EXPECT_EQ(result.As<Error>()->kind.Text(), "index");
  EXPECT_FALSE(SetItem(MakeHash(), F(std::nan("")), I(9), &result));
  EXPECT_EQ(result.As<Error>()->message.Text(),
            "set: a key can hold no function, future, secret or nan, got float nan");
  EXPECT_FALSE(SetItem(S("abc"), I(0), S("x"), &result));
  EXPECT_EQ(result.As<Error>()->kind.Text(), "type");
}

TEST(Operators, SecretsAreNotCompared) {
  const auto equal = [](const Value& a, const Value& b) {
    bool holds = false;
    Value error;
    if (EqualTo(a, b, &holds, &error)) return std::string(holds ? "true" : "false");
    return std::string(error.As<Error>()->kind.Text());
  };
  const auto list = [](std::initializer_list<Value> items) {
    Value made = MakeList();
    for (const Value& item : items) made = ListAppend(std::move(made), item);
    return made;
  };
  const Value secret = MakeSecret("A");
  EXPECT_EQ(equal(secret, secret), "type");
  EXPECT_EQ(equal(I(1), secret), "type");
  EXPECT_EQ(equal(secret, Value()), "type");
  EXPECT_EQ(equal(list({I(1), secret}), list({I(1), I(2)})), "type");
  EXPECT_EQ(equal(list({I(1), secret}), list({I(2), secret})), "false");  // different before a secret is met
  EXPECT_EQ(equal(list({I(1)}), list({I(1)})), "true");
}

}  // namespace
}  // namespace teal::vm
