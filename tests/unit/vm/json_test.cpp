// JSON: the forms of each kind, every error with its kind and place, and values that come back as they were.
#include "core/vm/json.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "tests/unit/vm/values.h"

namespace teal::vm {
namespace {

std::string ErrorText(const Value& error) {
  const Error* e = error.As<Error>();
  return std::string(e->kind.Text()) + ": " + std::string(e->message.Text());
}
std::string Encode(const Value& v) {
  std::string out;
  Value error;
  return EncodeJson(v, &out, &error) ? out : ErrorText(error);
}
std::string Decode(std::string_view text) {
  Value value;
  Value error;
  return DecodeJson(text, &value, &error) ? SourceForm(value) : ErrorText(error);
}

TEST(JsonTest, EncodesEachKind) {
  EXPECT_EQ(Encode(Value()), "null");
  EXPECT_EQ(Encode(Value::Bool(true)), "true");
  EXPECT_EQ(Encode(I(INT64_MIN)), "-9223372036854775808");
  EXPECT_EQ(Encode(Value::Float(1)), "1.0");
  EXPECT_EQ(Encode(Value::Float(1e300)), "1e+300");
  EXPECT_EQ(Encode(S("a\"\\/\b\f\n\r\t\x01é")), "\"a\\\"\\\\/\\b\\f\\n\\r\\t\\u0001é\"");
  EXPECT_EQ(Encode(MakeSymbol("sym")), "\"sym\"");
  EXPECT_EQ(Encode(MakeBytes("foob")), "\"Zm9vYg==\"");
  EXPECT_EQ(Encode(MakeSecret("pw")), "\"***\"");
  EXPECT_EQ(Encode(MakeError(S("k"), S("m"), ListAppend(MakeList(), I(1)))),
            R"({"kind":"k","message":"m","data":[1]})");
  Value hash = HashSet(HashSet(MakeHash(), S("b"), MakeList()), S("a"), MakeHash());
  EXPECT_EQ(Encode(ListAppend(ListAppend(MakeList(), hash), I(2))), R"([{"b":[],"a":{}},2])");
}

TEST(JsonTest, WhatHasNoFormIsNamedWithItsPath) {
  Value list = ListAppend(ListAppend(MakeList(), I(0)), HashSet(MakeHash(), S("x"), Value::Function(0)));
  EXPECT_EQ(Encode(list), "type: json: a function has no JSON form, at [1].x");
  EXPECT_EQ(Encode(Value::Function(0)), "type: json: a function has no JSON form");
  EXPECT_EQ(Encode(ListAppend(MakeList(), Value::Float(std::nan("")))),
            "type: json: the float nan has no JSON form, at [0]");
  EXPECT_EQ(Encode(Value::Float(-INFINITY)), "type: json: the float -inf has no JSON form");
  EXPECT_EQ(Encode(ListAppend(MakeList(), HashSet(MakeHash(), I(1), I(2)))),
            "type: json: a key must be a string, got integer 1, at [0]");
  Value future = MakeFuture(FutureKind::kTimer, S("1"), 0, 0, Value(), Value());
  EXPECT_EQ(Encode(MakeError(S("k"), S("m"), future)), "type: json: a future has no JSON form, at .data");
}

TEST(JsonTest, Depth) {
  Value v = MakeList();
  for (int i = 1; i < 100; i++) v = ListAppend(MakeList(), v);
  EXPECT_EQ(Encode(v), std::string(100, '[') + std::string(100, ']'));
  EXPECT_EQ(Encode(ListAppend(MakeList(), v)), "limit: json: the value is nested deeper than 100 levels");
  EXPECT_EQ(Decode(Encode(v)), SourceForm(v));
  EXPECT_EQ(Decode(std::string(101, '[') + std::string(101, ']')),
            "limit: json: lists and hashes are nested deeper than 100 levels, at line 1, column 101");
  EXPECT_EQ(Decode(std::string(1000000, '[')).substr(0, 6), "limit:");
}

TEST(JsonTest, DecodesEachKind) {
  EXPECT_EQ(Decode(" null "), "null");
  EXPECT_EQ(Decode("[true, false,\n1,-0 ,1.0,1e2,-1.5E-1]"), "[true, false, 1, 0, 1.0, 100.0, -0.15]");
  EXPECT_EQ(Decode(R"({"a":{"b":[]},"c":{},"a":2})"), R"({"a": 2, "c": {}})");
  EXPECT_EQ(Decode(R"("\u0041\u00e9\ud83d\ude00\/\"\\\b\f\n\r\t é")"), "\"Aé😀/\\\"\\\\\\x08\\x0c\\n\\r\\t é\"");
  EXPECT_EQ(Decode("9223372036854775807"), "9223372036854775807");
  EXPECT_EQ(Decode("-9223372036854775808"), "-9223372036854775808");
  EXPECT_EQ(Decode("1e-400"), "0.0");
}

TEST(JsonTest, ErrorsSayWhatAndWhere) {
  EXPECT_EQ(Decode(""), "value: json: the text ends where a value must stand, at line 1, column 1");
  EXPECT_EQ(Decode("[1,\n  x]"), "value: json: a value must stand here, at line 2, column 3");
  EXPECT_EQ(Decode("[1 2]"), "value: json: ',' or ']' must stand here, at line 1, column 4");
  EXPECT_EQ(Decode("{\"é\" 2}"), "value: json: ':' must stand behind a key, at line 1, column 6");
  EXPECT_EQ(Decode("{1:2}"), "value: json: a key in quotes must stand here, at line 1, column 2");
  EXPECT_EQ(Decode("1 2"), "value: json: the text goes on behind the value, at line 1, column 3");
  for (const char* bad : {"[1,]",
                          "{\"a\":1,}",
                          "nul",
                          "tru",
                          "+1",
                          ".5",
                          "1.",
                          "1e",
                          "01",
                          "-",
                          "'a'",
                          "\"a",
                          "\"\n\"",
                          "\"\\x\"",
                          "\"\\u12g4\"",
                          "\"\\u12\"",
                          "[",
                          "{",
                          "{\"a\"",
                          "{\"a\":",
                          "NaN",
                          "Infinity",
                          "[1}",
                          "\xff",
                          "\xEF\xBB\xBF"
                          "1"}) {
    EXPECT_EQ(Decode(bad).substr(0, 6), "value:") << bad;
  }
  EXPECT_EQ(Decode("9223372036854775808").substr(0, 9), "overflow:");
  EXPECT_EQ(Decode("-9223372036854775809").substr(0, 9), "overflow:");
  EXPECT_EQ(Decode("1e400").substr(0, 9), "overflow:");
  for (const char* bad : {"\"\\ud83d\"", "\"\\ude00\"", "\"\\ud83d\\u0041\"", "\"\\ud83dx\""}) {
    EXPECT_EQ(Decode(bad).substr(0, 5), "type:") << bad;
  }
}

Value RandomValue(std::mt19937& random, int depth) {
  switch (random() % (depth > 4 ? 5 : 7)) {
    case 0:
      return Value();
    case 1:
      return Value::Bool(random() % 2 == 0);
    case 2:
      return I(static_cast<int64_t>(uint64_t{random()} << 32 | random()));
    case 3:
      return Value::Float(static_cast<double>(random()) / 1000 - 1000000);
    case 4: {
      std::string text;
      for (size_t n = random() % 12; n > 0; n--)
        text.append(random() % 3 == 0 ? "é" : std::string(1, static_cast<char>(random() % 128)));
      return S(text);
    }
    case 5: {
      Value list = MakeList();
      for (size_t n = random() % 6; n > 0; n--) list = ListAppend(std::move(list), RandomValue(random, depth + 1));
      return list;
    }
    default: {
      Value hash = MakeHash();
      for (size_t n = random() % 15; n > 0; n--) {
        hash = HashSet(std::move(hash), S("k" + std::to_string(random() % 30)), RandomValue(random, depth + 1));
      }
      return hash;
    }
  }
}

TEST(JsonTest, ValuesComeBackAndBrokenTextsAreRefused) {
  std::mt19937 random(3);
  for (int i = 0; i < 2000; i++) {
    Value v = RandomValue(random, 0);
    std::string text = Encode(v);
    Value back;
    Value error;
    ASSERT_TRUE(DecodeJson(text, &back, &error)) << text;
    ASSERT_EQ(SourceForm(back), SourceForm(v));
    ASSERT_EQ(Encode(back), text);
    if (!text.empty()) {  // damage: any answer will do but a crash
      text[random() % text.size()] = static_cast<char>(random() % 256);
      Decode(text);
      Decode(text.substr(0, random() % text.size()));
    }
  }
}

}  // namespace
}  // namespace teal::vm
