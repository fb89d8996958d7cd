// The text of values. tests/unit/vm/float_repr_fixture.txt holds floats (bits in hexadecimal) and Python's repr of
// them.
#include "core/vm/display.h"

#include <gtest/gtest.h>

#include <bit>
#include <fstream>
#include <limits>
#include <random>

#include "core/vm/builtins.h"
#include "tests/unit/vm/values.h"

namespace teal::vm {
namespace {

TEST(FloatReprTest, AgreesWithPython) {
  std::ifstream fixture(TEAL_SOURCE_DIR "/tests/unit/vm/float_repr_fixture.txt");
  std::string bits;
  std::string repr;
  int count = 0;
  while (fixture >> bits >> repr) {
    double d = std::bit_cast<double>(static_cast<uint64_t>(std::stoull(bits, nullptr, 16)));
    ASSERT_EQ(FloatRepr(d), repr);
    count++;
  }
  EXPECT_GE(count, 3000);
}

TEST(FloatReprTest, ReadsBackAsTheSameFloat) {
  std::mt19937_64 random(1);
  for (int i = 0; i < 20000; i++) {
    double d = std::bit_cast<double>(static_cast<uint64_t>(random()));
    if (d != d) continue;
    ASSERT_EQ(std::strtod(FloatRepr(d).c_str(), nullptr), d);
  }
  EXPECT_EQ(FloatRepr(std::numeric_limits<double>::quiet_NaN()), "nan");
  EXPECT_EQ(FloatRepr(std::numeric_limits<double>::infinity()), "inf");
  EXPECT_EQ(FloatRepr(-std::numeric_limits<double>::infinity()), "-inf");
}

TEST(DisplayTest, EachKind) {
  EXPECT_EQ(Display(Value()), "null");
  EXPECT_EQ(Display(Value::Bool(true)), "true");
  EXPECT_EQ(Display(I(INT64_MIN)), "-9223372036854775808");
  EXPECT_EQ(Display(Value::Float(1)), "1.0");
  EXPECT_EQ(Display(S("a\"\n")), "a\"\n");
  EXPECT_EQ(SourceForm(S("a\"\n\t\r\\\x01\x7f é\u0085\u00a0")), "\"a\\\"\\n\\t\\r\\\\\\x01\\x7f é\\x85\u00a0\"");
  EXPECT_EQ(SourceForm(S(std::string_view("\0", 1))), "\"\\0\"");
  EXPECT_EQ(Display(MakeSymbol("go")), ":go");
  EXPECT_EQ(Display(MakeBytes("a\xff\"\n")), "b\"a\\xff\\\"\\n\"");
  EXPECT_EQ(Display(MakeSecret("password")), "***");
  EXPECT_EQ(Display(Value::Function(0)), "<function>");
  EXPECT_EQ(Display(MakeClosure(0, 0, 0, nullptr, 0)), "<function>");
  EXPECT_EQ(Display(Value::Foreign(0)), "<foreign function>");
  EXPECT_EQ(Display(Value::Builtin(kBuiltin_print)), "<builtin print>");
  EXPECT_EQ(Display(MakeError("type", "no")), "<error type: no>");
  EXPECT_EQ(Display(MakeFuture(FutureKind::kThread, S("1.2"), 0, 0, Value(), Value())), "<future of thread 1.2>");
  EXPECT_EQ(Display(MakeFuture(FutureKind::kTimer, S("1"), 0, 0, Value(), Value())), "<timer>");
  EXPECT_EQ(Display(MakeFuture(FutureKind::kTimeout, S("1"), 0, 0, Value(), Value())), "<timeout>");
  EXPECT_EQ(Display(MakeFuture(FutureKind::kEvent, S("1"), 0, 0, S("paid"), Value())), "<event \"paid\">");
  EXPECT_EQ(Display(MakeFuture(FutureKind::kRequest, S("1"), 0, 0, S("ask"), Value())), "<request \"ask\">");
}

TEST(DisplayTest, Containers) {
  Value list = ListAppend(ListAppend(ListAppend(MakeList(), Value::Bool(true)), S("a")), MakeList());
  EXPECT_EQ(Display(list), "[true, \"a\", []]");
  Value hash = HashSet(HashSet(HashSet(MakeHash(), S("k"), Value::Float(1)), list, MakeHash()), I(3), Value());
  EXPECT_EQ(Display(hash), "{\"k\": 1.0, [true, \"a\", []]: {}, 3: null}");
  hash = HashDel(std::move(hash), S("k"));
  EXPECT_EQ(SourceForm(hash), "{[true, \"a\", []]: {}, 3: null}");
  // Holes of a large hash are not shown.
  Value large = MakeHash();
  for (int i = 0; i < 200; i++) large = HashSet(std::move(large), I(i), I(i));
  for (int i = 0; i < 99; i++) large = HashDel(std::move(large), I(2 * i));
  EXPECT_EQ(Display(large).substr(0, 12), "{1: 1, 3: 3,");
}

TEST(DisplayTest, IsBounded) {
  Value v = S("leaf");
  for (int i = 0; i < 100; i++) v = ListAppend(ListAppend(MakeList(), v), v);
  std::string text = "before";
  EXPECT_FALSE(AppendText(v, false, 1000, &text));
  EXPECT_LE(text.size(), 1010u);
  text = "12345";
  EXPECT_TRUE(AppendText(S("67890"), false, 10, &text));
  EXPECT_FALSE(AppendText(S("x"), false, 10, &text));
  EXPECT_EQ(text, "1234567890");
}

}  // namespace
}  // namespace teal::vm
