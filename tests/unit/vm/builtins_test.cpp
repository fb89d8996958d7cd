// Every pure builtin: what it gives, and its errors with their kinds.
#include "core/vm/builtins.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "core/vm/value_inline.h"
#include "tests/unit/vm/values.h"

namespace teal::vm {
namespace {

const double kNan = std::numeric_limits<double>::quiet_NaN();
const double kInf = std::numeric_limits<double>::infinity();

// The result in source form, or "kind: message".
std::string Call(std::string_view name, std::vector<Value> args) {
  std::optional<uint16_t> id = FindBuiltin(name);
  if (!id) return "no builtin " + std::string(name);
  const BuiltinInfo& info = BuiltinOf(*id);
  EXPECT_GE(args.size(), info.least) << name;
  EXPECT_LE(args.size(), info.most) << name;
  Value result;
  if (PureBuiltinOf(*id)(args.data(), static_cast<uint32_t>(args.size()), &result)) return SourceForm(result);
  const Error* error = result.As<Error>();
  return std::string(error->kind.Text()) + ": " + std::string(error->message.Text());
}
std::string Kind(std::string_view name, std::vector<Value> args) {
  std::string text = Call(name, std::move(args));
  return text.substr(0, text.find(": "));
}

TEST(BuiltinsTest, TheTable) {
  EXPECT_EQ(FindBuiltin("print"), uint16_t{kBuiltin_print});
  EXPECT_EQ(FindBuiltin("nothing"), std::nullopt);
  EXPECT_EQ(FindBuiltin(""), std::nullopt);
  EXPECT_EQ(BuiltinOf(kBuiltin_print).kind, BuiltinKind::kHost);
  EXPECT_EQ(BuiltinOf(kBuiltin___wait).kind, BuiltinKind::kInner);
  EXPECT_EQ(PureBuiltinOf(kBuiltin_print), nullptr);
  EXPECT_TRUE(BuiltinOf(19).name.empty());
  EXPECT_TRUE(BuiltinOf(60000).name.empty());
  EXPECT_EQ(PureBuiltinOf(60000), nullptr);
  for (uint16_t id = 0; id < kBuiltinIdEnd; id++) {
    const BuiltinInfo& info = BuiltinOf(id);
    if (info.name.empty()) continue;
    EXPECT_EQ(FindBuiltin(info.name), id);
    EXPECT_EQ(PureBuiltinOf(id) != nullptr, info.kind == BuiltinKind::kPure) << info.name;
  }
}

// No pure builtin crashes on arguments of the wrong kinds, and every failure is an error with a kind.
TEST(BuiltinsTest, AnyArgumentsGiveAValueOrAnError) {
  std::vector<Value> all = {Value(),
                            Value::Bool(true),
                            I(0),
                            I(-1),
                            I(INT64_MIN),
                            I(INT64_MAX),
                            F(0.5),
                            F(kNan),
                            F(-kInf),
                            F(1e300),
                            S(""),
                            S("a é"),
                            MakeSymbol("s"),
                            MakeBytes("\xff"),
                            MakeSecret("x"),
                            L({}),
                            L({I(1), S("a")}),
                            L({F(kNan), I(3), I(1)}),
                            H({}),
                            H({{S("a"), I(1)}}),
                            Value::Function(0),
                            Value::Builtin(1),
                            MakeError("k", "m"),
                            MakeFuture(FutureKind::kTimer, S("1"), 0, 0, Value(), Value())};
  std::mt19937 random(5);
  for (uint16_t id = 0; id < kBuiltinIdEnd; id++) {
    PureBuiltin builtin = PureBuiltinOf(id);
    if (builtin == nullptr) continue;
    uint32_t most = std::min<uint32_t>(BuiltinOf(id).most, 4);
    for (int round = 0; round < 3000; round++) {
      uint32_t count = BuiltinOf(id).least + random() % (most - BuiltinOf(id).least + 1);
      std::vector<Value> args;
      for (uint32_t i = 0; i < count; i++) args.push_back(all[random() % all.size()]);
      Value result;
      if (!builtin(args.data(), count, &result)) {
        ASSERT_EQ(result.tag(), Tag::kError) << BuiltinOf(id).name;
        ASSERT_FALSE(result.As<Error>()->kind.Text().empty());
      }
    }
  }
  for (const Value& v : all)
    ASSERT_FALSE(v.IsHeap() && v.AsObject()->refs.load() != 1) << "arguments were copied, never kept";
}

TEST(BuiltinsTest, Base) {
  EXPECT_EQ(Call("list", {I(1), S("a")}), "[1, \"a\"]");
  EXPECT_EQ(Call("hash", {S("a"), I(1), S("a"), I(2)}), "{\"a\": 2}");
  EXPECT_EQ(Call("hash", {S("a")}), "arity: hash: takes keys and values in pairs, got 1 arguments");
  EXPECT_EQ(Kind("hash", {F(kNan), I(1)}), "type");
  EXPECT_EQ(Call("conc", {L({I(1)}), L({I(2)})}), "[1, 2]");
  EXPECT_EQ(Call("conc", {I(1), Value()}), "[1]");
  EXPECT_EQ(Call("conc", {Value(), L({I(2)})}), "[null, 2]");
  EXPECT_EQ(Call("conc", {L({}), I(2)}), "type: conc: the second argument must be a list, got integer 2");
  EXPECT_EQ(Call("append", {Value(), I(1)}), "[1]");
  EXPECT_EQ(Call("append", {L({I(1)}), L({})}), "[1, []]");
  EXPECT_EQ(Call("append", {S("a"), I(1)}), "type: append: the first argument must be a list, got string \"a\"");
  EXPECT_EQ(Call("first", {L({I(1), I(2)})}), "1");
  EXPECT_EQ(Call("first", {L({})}), "null");
  EXPECT_EQ(Call("first", {Value()}), "null");
  EXPECT_EQ(Call("rest", {L({I(1), I(2)})}), "[2]");
  EXPECT_EQ(Call("rest", {L({})}), "[]");
  EXPECT_EQ(Call("rest", {Value()}), "[]");
  EXPECT_EQ(Call("nth", {L({I(1), I(2)}), I(-1)}), "2");
  EXPECT_EQ(Call("nth", {L({I(1)}), I(1)}), "null");
  EXPECT_EQ(Call("nth", {Value(), I(1)}), "null");
  EXPECT_EQ(Kind("nth", {L({I(1)}), F(0)}), "type");
  EXPECT_EQ(Call("length", {S("aé")}), "2");
  EXPECT_EQ(Call("len", {H({{I(1), I(2)}})}), "1");
  EXPECT_EQ(Call("len", {MakeBytes("é")}), "2");
  EXPECT_EQ(Call("length", {Value()}),
            "type: length: the argument must be a list, a hash, a string or bytes, got null");
  for (const Value& v : {Value(), L({}), S(""), H({})}) EXPECT_EQ(Call("nullp", {v}), "true");
  for (const Value& v : {I(0), Value::Bool(false), L({Value()}), MakeBytes("")}) EXPECT_EQ(Call("nullp", {v}), "false");
  EXPECT_EQ(Call("atomp", {L({})}), "false");
  EXPECT_EQ(Call("atomp", {H({})}), "false");
  EXPECT_EQ(Call("atomp", {S("")}), "true");
  EXPECT_EQ(Call("get", {H({{S("a"), Value()}}), S("a"), I(5)}), "null");
  EXPECT_EQ(Call("get", {H({}), S("a")}), "null");
  EXPECT_EQ(Call("get", {H({}), S("a"), I(5)}), "5");
  EXPECT_EQ(Call("get", {L({I(7)}), I(-1)}), "7");
  EXPECT_EQ(Call("get", {L({I(7)}), I(1), I(0)}), "0");
  EXPECT_EQ(Kind("get", {Value(), I(1)}), "type");
  EXPECT_EQ(Call("set", {H({}), S("a"), I(1)}), "{\"a\": 1}");
  EXPECT_EQ(Call("set", {L({I(1)}), I(0), I(2)}), "[2]");
  EXPECT_EQ(Kind("set", {L({I(1)}), I(1), I(2)}), "index");
  EXPECT_EQ(Call("type", {MakeSymbol("a")}), "\"symbol\"");
  EXPECT_EQ(Call("str", {L({S("a")})}), R"("[\"a\"]")");
  EXPECT_EQ(Call("str", {S("a")}), "\"a\"");
  EXPECT_EQ(Call("str", {MakeSecret("pw")}), "\"***\"");
  EXPECT_EQ(Call("secret", {S("pw")}), "***");
  EXPECT_EQ(Kind("secret", {S("")}), "value");
  EXPECT_EQ(Call("assert", {I(0)}), "0");
  EXPECT_EQ(Call("assert", {Value()}), "assert: assertion failed: the value is null");
  EXPECT_EQ(Call("assert", {Value::Bool(false), S("why")}), "assert: why");
  EXPECT_EQ(Call("__error", {S("k"), I(5), Value()}), "<error k: 5>");
  EXPECT_EQ(Kind("__error", {I(1), S("m"), Value()}), "type");
}

TEST(BuiltinsTest, Strings) {
  EXPECT_EQ(Call("split", {S(" a  b\u3000c ")}), R"(["a", "b", "c"])");
  EXPECT_EQ(Call("split", {S("")}), "[]");
  EXPECT_EQ(Call("split", {S("a,,b,"), S(",")}), R"(["a", "", "b", ""])");
  EXPECT_EQ(Call("split", {S(""), S(",")}), R"([""])");
  EXPECT_EQ(Call("split", {S("a"), S("")}), "value: split: the separator must not be empty");
  EXPECT_EQ(Call("split", {I(5)}), "type: split: the string must be a string, got integer 5");
  EXPECT_EQ(Call("join", {L({S("a"), S("b")}), S("-")}), "\"a-b\"");
  EXPECT_EQ(Call("join", {L({S("a"), S("b")})}), "\"ab\"");
  EXPECT_EQ(Call("join", {L({}), S("-")}), "\"\"");
  EXPECT_EQ(Call("join", {L({S("a"), I(1)})}), "type: join: element 1 must be a string, got integer 1");
  EXPECT_EQ(Kind("join", {L({S("a"), MakeSecret("x")})}), "type");
  EXPECT_EQ(Call("trim", {S("\t a b \n")}), "\"a b\"");
  EXPECT_EQ(Call("upper", {S("aé1")}), "\"AÉ1\"");
  EXPECT_EQ(Call("lower", {S("AÉ1")}), "\"aé1\"");
  EXPECT_EQ(Call("replace", {S("aXbX"), S("X"), S("--")}), "\"a--b--\"");
  EXPECT_EQ(Call("replace", {S("aaa"), S("aa"), S("b")}), "\"ba\"");
  EXPECT_EQ(Call("replace", {MakeBytes("ab"), MakeBytes("a"), MakeBytes("")}), "b\"b\"");
  EXPECT_EQ(Kind("replace", {S("a"), S(""), S("b")}), "value");
  EXPECT_EQ(Kind("replace", {S("a"), S("a"), MakeBytes("b")}), "type");
  EXPECT_EQ(Kind("replace", {S(std::string(1000000, 'a')), S("a"), S(std::string(100, 'b'))}), "limit");
  EXPECT_EQ(Call("contains", {S("abc"), S("bc")}), "true");
  EXPECT_EQ(Call("starts_with", {S("abc"), S("bc")}), "false");
  EXPECT_EQ(Call("ends_with", {MakeBytes("abc"), MakeBytes("bc")}), "true");
  EXPECT_EQ(Call("ends_with", {S("abc"), I(1)}),
            "type: ends_with: the second argument must be a string, got integer 1");
}

TEST(BuiltinsTest, Format) {
  EXPECT_EQ(Call("format", {S("{} {name} {{{1}}}"), S("a"), H({{S("name"), I(3)}})}), R"("a 3 {{\"name\": 3}}")");
  EXPECT_EQ(Call("format", {S("{:.2f} {0:.0f}"), F(2.5)}), "\"2.50 2\"");
  EXPECT_EQ(Call("format", {S("{}"), S("bare")}), "\"bare\"");
  EXPECT_EQ(Call("format", {S("{}{}"), I(1)}),
            "value: format: the template wants argument 1 (from 0), but there are 1");
  EXPECT_EQ(Call("format", {S("{x}"), I(1)}), "value: format: {x} needs a hash as the last argument");
  EXPECT_EQ(Call("format", {S("{x}"), H({})}), "value: format: the hash has no key \"x\"");
  EXPECT_EQ(Kind("format", {S("{"), I(1)}), "value");
  EXPECT_EQ(Kind("format", {S("a } b"), I(1)}), "value");
  EXPECT_EQ(Kind("format", {S("{:x}"), I(1)}), "value");
  EXPECT_EQ(Kind("format", {S("{:.999f}"), I(1)}), "value");
  EXPECT_EQ(Kind("format", {S("{:.2f}"), S("a")}), "type");
  EXPECT_EQ(Call("format", {S("{:.100f}"), F(-1.7976931348623157e308)}).size(), 2u + 1 + 309 + 1 + 100);
}

TEST(BuiltinsTest, Conversions) {
  EXPECT_EQ(Call("int", {S(" -12 ")}), "-12");
  EXPECT_EQ(Call("int", {S("+12")}), "12");
  EXPECT_EQ(Call("int", {F(-3.9)}), "-3");
  EXPECT_EQ(Call("int", {I(5)}), "5");
  EXPECT_EQ(Call("int", {S("12x")}), "value: int: the string must be a decimal integer, got string \"12x\"");
  for (const char* bad : {"", " ", "+", "+-1", "--1", "1.0", "0x10", "1 2"})
    EXPECT_EQ(Kind("int", {S(bad)}), "value") << bad;
  EXPECT_EQ(Kind("int", {S("9223372036854775808")}), "overflow");
  EXPECT_EQ(Kind("int", {F(1e19)}), "overflow");
  EXPECT_EQ(Kind("int", {F(0x1p63)}), "overflow");
  EXPECT_EQ(Call("int", {F(-0x1p63)}), "-9223372036854775808");
  EXPECT_EQ(Kind("int", {F(kNan)}), "value");
  EXPECT_EQ(Kind("int", {Value::Bool(true)}), "type");
  EXPECT_EQ(Call("float", {I(1)}), "1.0");
  EXPECT_EQ(Call("float", {S("1e3")}), "1000.0");
  EXPECT_EQ(Call("float", {S(" +.5 ")}), "0.5");
  EXPECT_EQ(Call("float", {S("1e400")}), "inf");
  EXPECT_EQ(Call("float", {S("-inf")}), "-inf");
  EXPECT_EQ(Call("parse_float", {I(2)}), "2.0");
  EXPECT_EQ(Call("parse_float", {S("x")}), "value: parse_float: the string must be a decimal number, got string \"x\"");
  for (const char* bad : {"", "1e", "nan(1)", "0x1p3", "1,5"}) EXPECT_EQ(Kind("float", {S(bad)}), "value") << bad;
}

TEST(BuiltinsTest, Rounding) {
  EXPECT_EQ(Call("round", {F(2.5)}), "2");
  EXPECT_EQ(Call("round", {F(3.5)}), "4");
  EXPECT_EQ(Call("round", {F(-2.5)}), "-2");
  EXPECT_EQ(Call("round", {I(7)}), "7");
  EXPECT_EQ(Call("round", {F(2.675), I(2)}), "2.67");
  EXPECT_EQ(Call("round", {F(0.125), I(2)}), "0.12");
  EXPECT_EQ(Call("round", {F(1234.5), I(-2)}), "1200.0");
  EXPECT_EQ(Call("round", {F(25.0), I(-1)}), "20.0");
  EXPECT_EQ(Call("round", {F(35.0), I(-1)}), "40.0");
  EXPECT_EQ(Call("round", {F(25.000001), I(-1)}), "30.0");
  EXPECT_EQ(Call("round", {F(99.9), I(-2)}), "100.0");
  EXPECT_EQ(Call("round", {F(49.0), I(-2)}), "0.0");
  EXPECT_EQ(Call("round", {F(-999.0), I(-3)}), "-1000.0");
  EXPECT_EQ(Call("round", {F(5.0), I(-400)}), "0.0");
  EXPECT_EQ(Call("round", {F(5.125), I(2000)}), "5.125");
  EXPECT_EQ(Call("round", {I(25), I(-1)}), "20");
  EXPECT_EQ(Call("round", {I(35), I(-1)}), "40");
  EXPECT_EQ(Call("round", {I(-25), I(-1)}), "-20");
  EXPECT_EQ(Call("round", {I(-26), I(-1)}), "-30");
  EXPECT_EQ(Call("round", {I(INT64_MAX), I(-19)}),
            "overflow: round: the result is too large, of integer 9223372036854775807");
  EXPECT_EQ(Call("round", {I(5), I(INT64_MIN)}), "0");
  EXPECT_EQ(Kind("round", {F(1.7976931348623157e308), I(-308)}), "overflow");
  EXPECT_EQ(Kind("round", {F(kInf)}), "value");
  EXPECT_EQ(Call("round", {F(kInf), I(1)}), "inf");
  EXPECT_EQ(Call("floor", {F(-1.5)}), "-2");
  EXPECT_EQ(Call("ceil", {F(-1.5)}), "-1");
  EXPECT_EQ(Call("floor", {I(3)}), "3");
  EXPECT_EQ(Kind("ceil", {F(1e300)}), "overflow");
  EXPECT_EQ(Call("abs", {I(-3)}), "3");
  EXPECT_EQ(Call("abs", {F(-0.0)}), "0.0");
  EXPECT_EQ(Kind("abs", {I(INT64_MIN)}), "overflow");
}

TEST(BuiltinsTest, Numbers) {
  EXPECT_EQ(Call("min", {I(3), F(1), I(1)}), "1.0");
  EXPECT_EQ(Call("max", {L({I(3), F(3), I(1)})}), "3");
  EXPECT_EQ(Call("min", {S("b"), S("a")}), "\"a\"");
  EXPECT_EQ(Call("max", {I(3), F(kNan), I(5)}), "nan");
  EXPECT_EQ(Call("min", {L({})}), "value: min: the list is empty");
  EXPECT_EQ(Call("min", {I(3)}), "type: min: a single argument must be a list, got integer 3");
  EXPECT_EQ(Call("max", {I(3), S("a")}), "type: max: cannot order string \"a\" and integer 3");
  EXPECT_EQ(Kind("min", {L({Value()})}), "type");
  EXPECT_EQ(Call("sum", {L({})}), "0");
  EXPECT_EQ(Call("sum", {L({I(1), I(2)})}), "3");
  EXPECT_EQ(Call("sum", {L({I(1), F(0.5), I(2)})}), "3.5");
  EXPECT_EQ(Kind("sum", {L({I(INT64_MAX), I(1)})}), "overflow");
  EXPECT_EQ(Call("sum", {L({I(1), S("a")})}), "type: sum: element 1 must be a number, got string \"a\"");
  EXPECT_EQ(Call("div", {I(-7), I(2)}), "-4");
  EXPECT_EQ(Call("div", {I(7), I(-2)}), "-4");
  EXPECT_EQ(Call("div", {F(-7), I(2)}), "-4.0");
  EXPECT_EQ(Call("div", {F(7.5), F(2)}), "3.0");
  EXPECT_EQ(Call("div", {F(1), F(0.1)}), "9.0");
  EXPECT_EQ(Kind("div", {I(1), I(0)}), "zero_division");
  EXPECT_EQ(Kind("div", {F(1), F(0)}), "zero_division");
  EXPECT_EQ(Kind("div", {I(INT64_MIN), I(-1)}), "overflow");
  EXPECT_EQ(Call("sqrt", {I(9)}), "3.0");
  EXPECT_EQ(Kind("sqrt", {F(-1)}), "value");
  EXPECT_EQ(Call("pow", {I(2), I(62)}), "4611686018427387904");
  EXPECT_EQ(Call("pow", {I(-2), I(63)}), "-9223372036854775808");
  EXPECT_EQ(Kind("pow", {I(2), I(63)}), "overflow");
  EXPECT_EQ(Call("pow", {I(-1), I(INT64_MAX)}), "-1");
  EXPECT_EQ(Call("pow", {I(0), I(0)}), "1");
  EXPECT_EQ(Call("pow", {I(2), I(-1)}), "0.5");
  EXPECT_EQ(Kind("pow", {I(0), I(-1)}), "zero_division");
  EXPECT_EQ(Kind("pow", {F(-8), F(0.5)}), "value");
  EXPECT_EQ(Kind("pow", {F(1e300), I(2)}), "overflow");
  EXPECT_EQ(Call("exp", {I(0)}), "1.0");
  EXPECT_EQ(Kind("exp", {I(1000)}), "overflow");
  EXPECT_EQ(Call("log", {I(1)}), "0.0");
  EXPECT_EQ(Call("log", {I(8), I(2)}), "3.0");
  EXPECT_EQ(Call("log", {I(1000), I(10)}), "3.0");
  EXPECT_EQ(Kind("log", {I(0)}), "value");
  EXPECT_EQ(Kind("log", {I(2), I(1)}), "value");
}

TEST(BuiltinsTest, Lists) {
  EXPECT_EQ(Call("range", {I(3)}), "[0, 1, 2]");
  EXPECT_EQ(Call("range", {I(2), I(5)}), "[2, 3, 4]");
  EXPECT_EQ(Call("range", {I(5), I(0), I(-2)}), "[5, 3, 1]");
  EXPECT_EQ(Call("range", {I(5), I(0)}), "[]");
  EXPECT_EQ(Call("range", {I(INT64_MAX - 1), I(INT64_MAX), I(INT64_MAX)}), "[9223372036854775806]");
  EXPECT_EQ(Call("range", {I(INT64_MIN), I(INT64_MAX), I(INT64_MAX)}),
            "[-9223372036854775808, -1, 9223372036854775806]");
  EXPECT_EQ(Call("range", {I(INT64_MAX), I(INT64_MIN), I(INT64_MIN)}), "[9223372036854775807, -1]");
  EXPECT_EQ(Kind("range", {I(0), I(1), I(0)}), "value");
  EXPECT_EQ(Kind("range", {I(INT64_MIN), I(INT64_MAX)}), "limit");
  EXPECT_EQ(Kind("range", {I(kListItemsMax + 1)}), "limit");
  EXPECT_EQ(Call("__sort", {L({I(3), F(1.5), I(-2), F(kNan), I(1)})}), "[-2, 1, 1.5, 3, nan]");
  EXPECT_EQ(Call("__sort", {L({I(3), I(1), I(2)})}), "[1, 2, 3]");
  EXPECT_EQ(Call("__sort", {L({S("b"), S("a")})}), R"(["a", "b"])");
  EXPECT_EQ(Call("__sort", {L({F(1), I(1), F(0)})}), "[0.0, 1.0, 1]");
  EXPECT_EQ(Call("__sort", {L({L({I(2)}), L({I(1), I(5)}), L({I(1)})})}), "[[1], [1, 5], [2]]");
  EXPECT_EQ(Call("__sort", {L({})}), "[]");
  EXPECT_EQ(Kind("__sort", {L({I(1), S("a")})}), "type");
  EXPECT_EQ(Kind("__sort", {L({Value()})}), "type");
  EXPECT_EQ(Call("reverse", {L({I(1), I(2)})}), "[2, 1]");
  EXPECT_EQ(Call("reverse", {S("aé")}), "\"éa\"");
  EXPECT_EQ(Call("reverse", {S("ab")}), "\"ba\"");
  EXPECT_EQ(Call("reverse", {MakeBytes("\xff"
                                       "a")}),
            "b\"a\\xff\"");
  EXPECT_EQ(Call("slice", {L({I(1), I(2), I(3)}), I(1)}), "[2, 3]");
  EXPECT_EQ(Call("slice", {S("abc"), I(0), I(-1)}), "\"ab\"");
  EXPECT_EQ(Call("zip", {L({I(1), I(2)}), L({I(3)})}), "[[1, 3]]");
  EXPECT_EQ(Kind("zip", {L({}), I(1)}), "type");
  EXPECT_EQ(Call("enumerate", {L({S("a")})}), "[[0, \"a\"]]");
  EXPECT_EQ(Call("unique", {L({I(1), F(1), L({}), L({}), Value::Function(1), Value::Function(1)})}),
            "[1, [], <function>]");
  EXPECT_EQ(Call("unique", {L({F(kNan), F(kNan)})}), "[nan, nan]");
  EXPECT_EQ(Call("flatten", {L({I(1), L({I(2), L({I(3)})}), L({})})}), "[1, 2, [3]]");
  EXPECT_EQ(Call("has", {L({I(1)}), F(1)}), "true");
  EXPECT_EQ(Call("has", {H({{S("a"), Value()}}), S("a")}), "true");
  EXPECT_EQ(Call("has", {S("abc"), S("d")}), "false");
  EXPECT_EQ(Kind("has", {I(1), I(1)}), "type");
}

TEST(BuiltinsTest, SortIsStableAndLeavesSharedListsAlone) {
  std::mt19937 random(2);
  std::vector<Value> items;
  for (int64_t i = 0; i < 1000; i++)
    items.push_back(random() % 2 == 0 ? I(random() % 20) : F(static_cast<double>(random() % 20)));
  Value list = L(items);
  Value args[] = {list};
  Value sorted;
  ASSERT_TRUE(PureBuiltinOf(kBuiltin___sort)(args, 1, &sorted));
  std::stable_sort(items.begin(), items.end(),
                   [](const Value& a, const Value& b) { return Compare(a, b) == Order::kLess; });
  EXPECT_EQ(SourceForm(sorted), SourceForm(L(items)));
  EXPECT_NE(SourceForm(list), SourceForm(sorted));
}

TEST(BuiltinsTest, Hashes) {
  Value h = H({{S("a"), I(1)}, {S("b"), I(2)}});
  EXPECT_EQ(Call("keys", {h}), R"(["a", "b"])");
  EXPECT_EQ(Call("values", {h}), "[1, 2]");
  EXPECT_EQ(Call("items", {h}), R"([["a", 1], ["b", 2]])");
  EXPECT_EQ(Call("del", {h, S("a")}), R"({"b": 2})");
  EXPECT_EQ(Call("del", {h, Value::Function(0)}), R"({"a": 1, "b": 2})");
  EXPECT_EQ(Call("merge", {h, H({{S("c"), I(3)}, {S("a"), I(9)}})}), R"({"a": 9, "b": 2, "c": 3})");
  EXPECT_EQ(Call("merge", {h, I(1)}), "type: merge: argument 2 must be a hash, got integer 1");
  EXPECT_EQ(SourceForm(h), R"({"a": 1, "b": 2})");
}

TEST(BuiltinsTest, Encodings) {
  EXPECT_EQ(Call("json_encode", {L({I(1), S("a")})}), R"("[1,\"a\"]")");
  EXPECT_EQ(Call("json_decode", {S("[1.0]")}), "[1.0]");
  EXPECT_EQ(Call("json_decode", {MakeBytes("{}")}), "{}");
  EXPECT_EQ(Kind("json_decode", {S("[")}), "value");
  EXPECT_EQ(Kind("json_decode", {I(1)}), "type");
  EXPECT_EQ(Kind("json_encode", {Value::Function(1)}), "type");
  EXPECT_EQ(Call("base64_encode", {S("foob")}), "\"Zm9vYg==\"");
  EXPECT_EQ(Call("base64_decode", {S("Zm9vYg==")}), "b\"foob\"");
  EXPECT_EQ(Kind("base64_decode", {S("?")}), "value");
  EXPECT_EQ(Call("sha256", {S("abc")}), "\"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad\"");
}

}  // namespace
}  // namespace teal::vm
