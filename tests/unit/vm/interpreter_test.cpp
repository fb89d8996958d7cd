// Every opcode, its fast and slow paths and its errors. What needs answers from outside is in thread_test.cpp.
#include <gtest/gtest.h>

#include "tests/unit/vm/running.h"

namespace teal::vm {
namespace {

struct Case {
  const char* body;  // of main, with registers 12
  const char* answer;
};

// Runs each with a large budget and with one that stops at every place where it can.
void Check(std::initializer_list<Case> cases) {
  for (const Case& c : cases) {
    const std::string text = std::string("function main() registers 12\n") + c.body;
    EXPECT_EQ(Answer(text), c.answer) << c.body;
    EXPECT_EQ(Answer(text, 1), c.answer) << c.body;
  }
}

TEST(Interpreter, Moves) {
  Check({
      {"kNop\n kLoadConst r1 \"a\"\n kMove r2 r1\n kAdd r0 r1 r2\n kReturn r0", "\"aa\""},
      {"kLoadConst r1 \"a\"\n kTake r2 r1\n kNewList r0 r1 2\n kReturn r0", "[null, \"a\"]"},
      {"kLoadTrue r1\n kLoadFalse r2\n kLoadNull r3\n kNewList r0 r1 3\n kReturn r0", "[true, false, null]"},
      {"kLoadInt r0 -70000\n kReturn r0", "-70000"},
      {"kLoadConst r0 #9223372036854775807\n kReturn r0", "9223372036854775807"},
      {"kLoadConst r0 2.5\n kReturn r0", "2.5"},
      {"kLoadFunction r0 @main\n kLoadFunction r1 @main\n kEqual r0 r0 r1\n kReturn r0", "true"},
      {"kLoadBuiltin r0 %length\n kLoadConst r1 \"abc\"\n kCall r0 1 r0\n kReturn r0", "3"},
      {"kReturnNull", "null"},
  });
}

TEST(Interpreter, Arithmetic) {
  Check({
      {"kLoadInt r1 2\n kLoadInt r2 3\n kAdd r0 r1 r2\n kReturn r0", "5"},
      {"kLoadInt r1 2\n kLoadInt r2 3\n kSub r0 r1 r2\n kReturn r0", "-1"},
      {"kLoadInt r1 2\n kLoadInt r2 3\n kMul r0 r1 r2\n kReturn r0", "6"},
      {"kLoadInt r1 3\n kLoadInt r2 2\n kDiv r0 r1 r2\n kReturn r0", "1.5"},
      {"kLoadInt r1 -7\n kLoadInt r2 3\n kMod r0 r1 r2\n kReturn r0", "2"},
      {"kLoadInt r1 7\n kLoadInt r2 -3\n kMod r0 r1 r2\n kReturn r0", "-2"},
      {"kLoadInt r1 2\n kAddImm r0 r1 -5\n kReturn r0", "-3"},
      {"kLoadConst r1 2.5\n kAddImm r0 r1 1\n kReturn r0", "3.5"},
      {"kLoadInt r1 2\n kAddConst r0 r1 0.5\n kReturn r0", "2.5"},
      {"kLoadConst r1 2.5\n kSubConst r0 r1 0.5\n kReturn r0", "2.0"},
      {"kLoadConst r1 2.5\n kMulConst r0 r1 2.0\n kReturn r0", "5.0"},
      {"kLoadConst r1 5.0\n kDivConst r0 r1 2.0\n kReturn r0", "2.5"},
      {"kLoadInt r1 -7\n kModConst r0 r1 #4\n kReturn r0", "1"},
      {"kLoadInt r1 7\n kNegate r0 r1\n kReturn r0", "-7"},
      {"kLoadConst r1 1.5\n kNegate r0 r1\n kReturn r0", "-1.5"},
      {"kLoadInt r1 0\n kNot r0 r1\n kReturn r0", "false"},
      {"kLoadConst r1 \"ab\"\n kAddConst.b r1 r1 \"c\"\n kReturn r1", "\"abc\""},
  });
}

TEST(Interpreter, ArithmeticErrors) {
  for (const char* body : {
           "kLoadConst r1 #9223372036854775807\n kAddImm r0 r1 1\n kReturn r0",
           "kLoadConst r1 #9223372036854775807\n kAdd r0 r1 r1\n kReturn r0",
           "kLoadConst r1 #9223372036854775807\n kMul r0 r1 r1\n kReturn r0",
           "kLoadConst r1 #-9223372036854775808\n kSubConst r0 r1 #1\n kReturn r0",
           "kLoadConst r1 #-9223372036854775808\n kNegate r0 r1\n kReturn r0",
       }) {
    EXPECT_EQ(Answer(std::string("function main() registers 3\n") + body).substr(0, 9), "overflow:") << body;
  }
  for (const char* op : {"kDiv", "kMod"}) {
    const std::string answer = Answer(std::string("function main() registers 3\n kLoadInt r1 1\n kLoadInt r2 0\n ") +
                                      op + " r0 r1 r2\n kReturn r0");
    EXPECT_EQ(answer.substr(0, 14), "zero_division:") << op;
  }
  for (const char* op : {"kAdd", "kSub", "kMul", "kDiv", "kMod", "kLess", "kLessEqual"}) {
    const std::string answer =
        Answer(std::string("function main() registers 3\n kLoadInt r1 1\n ") + op + " r0 r1 r2\n kReturn r0");
    EXPECT_EQ(answer.substr(0, 5), "type:") << op;
  }
}

TEST(Interpreter, Comparison) {
  const char* kInts = "kLoadInt r1 1\n kLoadInt r2 2\n";
  const char* kFloats = "kLoadConst r1 1.0\n kLoadConst r2 2.0\n";
  const char* kMixed = "kLoadInt r1 1\n kLoadConst r2 2.0\n";
  const char* kStrings = "kLoadConst r1 \"a\"\n kLoadConst r2 \"b\"\n";
  struct Comparison {
    const char* name;
    bool lower, equal, higher;
  };
  for (const char* operands : {kInts, kFloats, kMixed, kStrings}) {
    for (const Comparison& c : {Comparison{"Equal", false, true, false},
                                {"NotEqual", true, false, true},
                                {"Less", true, false, false},
                                {"LessEqual", true, true, false}}) {
      const std::pair<const char*, bool> orders[] = {{"r1 r2", c.lower}, {"r1 r1", c.equal}, {"r2 r1", c.higher}};
      for (const auto& [order, holds] : orders) {
        const std::string start = std::string("function main() registers 3\n") + operands;
        EXPECT_EQ(Answer(start + "k" + c.name + " r0 " + order + "\n kReturn r0"), holds ? "true" : "false")
            << c.name << order;
        const std::string ends = "\n kLoadFalse r0\n kReturn r0\n yes: kLoadTrue r0\n kReturn r0";
        EXPECT_EQ(Answer(start + "kJump" + c.name + " " + order + " yes" + ends), holds ? "true" : "false")
            << c.name << order;
      }
    }
  }
}

TEST(Interpreter, Jumps) {
  struct Jump {
    const char* text;
    bool taken;
  };
  for (const Jump& j : {
           Jump{"kJump yes", true},
           {"kJumpIfTrue r1 yes", true},
           {"kJumpIfTrue r9 yes", false},
           {"kJumpIfFalse r1 yes", false},
           {"kJumpIfFalse r9 yes", true},
           {"kJumpNotLess r1 r2 yes", false},
           {"kJumpNotLess r2 r1 yes", true},
           {"kJumpNotLessEqual r1 r1 yes", false},
           {"kJumpNotLessEqual r2 r1 yes", true},
           {"kJumpEqualImm r1 1 yes", true},
           {"kJumpEqualImm r3 1 yes", true},
           {"kJumpEqualImm r4 1 yes", false},
           {"kJumpNotEqualImm r1 1 yes", false},
           {"kJumpNotEqualImm r4 1 yes", true},
           {"kJumpLessImm r1 2 yes", true},
           {"kJumpLessImm r3 1 yes", false},
           {"kJumpNotLessImm r1 2 yes", false},
           {"kJumpNotLessImm r3 1 yes", true},
           {"kJumpGreaterImm r1 0 yes", true},
           {"kJumpGreaterImm r3 1 yes", false},
           {"kJumpNotGreaterImm r1 0 yes", false},
           {"kJumpNotGreaterImm r3 1 yes", true},
           {"kJumpEqualConst r4 \"x\" yes", true},
           {"kJumpNotEqualConst r4 \"x\" yes", false},
           {"kJumpCancelled r1 yes", false},
       }) {
    const std::string text = std::string(
                                 "function main() registers 12\n kLoadInt r1 1\n kLoadInt r2 2\n kLoadConst r3 1.0\n"
                                 "kLoadConst r4 \"x\"\n") +
                             j.text + "\n kLoadFalse r0\n kReturn r0\n yes: kLoadTrue r0\n kReturn r0";
    EXPECT_EQ(Answer(text), j.taken ? "true" : "false") << j.text;
  }
  EXPECT_EQ(Answer("function main() registers 2\n kJumpLessImm r0 1 out\n out: kReturn r0").substr(0, 5), "type:");
}

TEST(Interpreter, RangeLoops) {
  auto sum = [](const char* from, const char* to, const char* step) {
    return Answer(std::string("function main() registers 6\n kLoadInt r0 0\n kLoadConst r1 ") + from +
                      "\n kLoadConst r2 " + to + "\n kLoadConst r3 " + step +
                      "\n kRangePrepare r1 out\n top: kAdd r0 r0 r4\n kRangeLoop r1 top\n out: kReturn r0",
                  3);
  };
  EXPECT_EQ(sum("#0", "#5", "#1"), "10");
  EXPECT_EQ(sum("#5", "#0", "#-2"), "9");
  EXPECT_EQ(sum("#5", "#0", "#1"), "0");
  EXPECT_EQ(sum("#9223372036854775806", "#9223372036854775807", "#5"), "9223372036854775806");
  EXPECT_EQ(sum("#-9223372036854775807", "#-9223372036854775808", "#-9"), "-9223372036854775807");
  EXPECT_EQ(sum("#0", "#5", "#0").substr(0, 6), "value:");
  EXPECT_EQ(sum("#0", "2.0", "#1").substr(0, 5), "type:");
  Check({{"kLoadNull r1\n kJump loop\n top: kReturn r0\n loop: kRangeLoop r1 top\n kReturn r0",
          "internal: the registers of a range loop do not hold integers"}});
}

TEST(Interpreter, Iteration) {
  auto gathered = [](const char* make, int names) {
    return Answer(std::string("function main() registers 12\n kNewList r0 r0 0\n") + make + "\n kIterPrepare r1 " +
                      std::to_string(names) + "\n kJump next\n body: kAppend.b r0 r0 r3\n" +
                      (names == 2 ? "kAppend.b r0 r0 r4\n" : "") + "next: kIterNext" + std::to_string(names) +
                      " r1 body\n kReturn r0",
                  1);
  };
  const char* kList = "kLoadInt r1 7\n kLoadConst r2 \"x\"\n kNewList r1 r1 2";
  const char* kHash = "kLoadConst r1 \"a\"\n kLoadInt r2 1\n kLoadConst r3 \"b\"\n kLoadInt r4 2\n kNewHash r1 r1 2";
  EXPECT_EQ(gathered(kList, 1), "[7, \"x\"]");
  EXPECT_EQ(gathered(kList, 2), "[0, 7, 1, \"x\"]");
  EXPECT_EQ(gathered(kHash, 1), "[\"a\", \"b\"]");
  EXPECT_EQ(gathered(kHash, 2), "[\"a\", 1, \"b\", 2]");
  EXPECT_EQ(gathered("kLoadConst r1 \"aé✓\"", 1), "[\"a\", \"é\", \"✓\"]");
  EXPECT_EQ(gathered("kLoadConst r1 \"aé✓\"", 2), "[0, \"a\", 1, \"é\", 2, \"✓\"]");
  EXPECT_EQ(gathered("kLoadInt r1 7", 1).substr(0, 5), "type:");
  // Positions that no loop makes.
  Check(
      {{"kLoadConst r1 \"é\"\n kLoadInt r2 1\n kJump next\n body: kReturn r3\n next: kIterNext1 r1 body\n kReturn r0",
        "internal: the position of a loop is damaged"},
       {"kLoadConst r1 \"e\"\n kLoadInt r2 -1\n kJump next\n body: kReturn r3\n next: kIterNext2 r1 body\n kReturn r0",
        "internal: the position of a loop is damaged"},
       {"kLoadInt r2 0\n kJump next\n body: kReturn r3\n next: kIterNext1 r1 body\n kReturn r0",
        "internal: what a loop goes through has changed its type"}});
}

constexpr const char* kAdder =
    "\nfunction add(x, y) captures 1 registers 5\n kAdd r3 r0 r1\n kAdd r3 r3 r2\n kReturn r3";

TEST(Interpreter, Calls) {
  const std::string adder = kAdder;
  const std::string make = "function main() registers 6\n kLoadConst r1 \"z\"\n kClosure r0 @add r1\n";
  EXPECT_EQ(Answer(make + "kLoadConst r1 \"x\"\n kLoadConst r2 \"y\"\n kCall r0 2 r3\n kReturn r3" + adder), "\"xyz\"");
  EXPECT_EQ(Answer(make + "kLoadConst r1 \"x\"\n kLoadConst r2 \"y\"\n kTailCall r0 2\n kReturn r0" + adder),
            "\"xyz\"");
  EXPECT_EQ(Answer(make + "kLoadConst r1 \"x\"\n kCall r0 1 r3\n kReturn r3" + adder),
            "arity: add takes 2 arguments, 1 was given");
  EXPECT_EQ(
      Answer(make + "kLoadConst r1 \"x\"\n kLoadConst r2 \"y\"\n kNewList r1 r1 2\n kApply r3 r0 r1\n kReturn r3" +
             adder),
      "\"xyz\"");
  EXPECT_EQ(Answer(make + "kNewList r1 r1 0\n kApply r3 r0 r1\n kReturn r3" + adder),
            "arity: add takes 2 arguments, 0 were given");
  Check(
      {{"kCall r0 0 r1\n kReturn r1", "type: null is not a function"},
       {"kLoadInt r0 7\n kTailCall r0 0\n kReturn r0", "type: integer is not a function: 7 was called"},
       {"kLoadInt r0 7\n kApply r1 r0 r0\n kReturn r0", "type: integer is not a function: 7 was called"},
       {"kLoadBuiltin r0 %length\n kCall r0 2 r1\n kReturn r1", "arity: length takes 1 argument, 2 were given"},
       {"kLoadBuiltin r0 %length\n kLoadConst r1 \"ab\"\n kTailCall r0 1\n kReturn r0", "2"},
       {"kLoadBuiltin r0 %max\n kLoadInt r1 1\n kLoadInt r2 2\n kNewList r1 r1 2\n kApply r0 r0 r1\n kReturn r0", "2"},
       {"kLoadConst r3 \"abc\"\n kCallBuiltin r3 1 %length\n kReturn r3", "3"}});
}

TEST(Interpreter, Keywords) {
  const std::string f = "\nfunction f(a, b, c) registers 4\n kNewList r3 r0 3\n kReturn r3";
  auto call = [&](const char* pairs, int count, const char* op) {
    return Answer("function main() registers 12\n kLoadFunction r0 @f\n kLoadInt r1 1\n" + std::string(pairs) +
                  "kNewHash r2 r3 " + std::to_string(count) + "\n" + op + f);
  };
  const char* kBoth = "kLoadConst r3 \"c\"\n kLoadInt r4 3\n kLoadConst r5 :b\n kLoadInt r6 2\n";
  EXPECT_EQ(call(kBoth, 2, "kCall.k r0 2 r0\n kReturn r0"), "[1, 2, 3]");
  EXPECT_EQ(call(kBoth, 2, "kTailCall.k r0 2\n kReturn r0"), "[1, 2, 3]");
  EXPECT_EQ(call(kBoth, 2, "kNewList r1 r1 2\n kApply.k r0 r0 r1\n kReturn r0"), "[1, 2, 3]");
  EXPECT_EQ(call(kBoth, 1, "kCall.k r0 2 r0\n kReturn r0"), "arity: f: the argument b is missing");
  EXPECT_EQ(call("kLoadConst r3 \"a\"\n", 1, "kCall.k r0 2 r0\n kReturn r0"),
            "arity: f: the argument a is given twice");
  EXPECT_EQ(call("kLoadConst r3 \"q\"\n", 1, "kCall.k r0 2 r0\n kReturn r0"), "arity: f has no parameter q");
  EXPECT_EQ(call("", 0, "kLoadBuiltin r0 %length\n kCall.k r0 2 r0\n kReturn r0"),
            "arity: length takes no keyword arguments");
  EXPECT_EQ(call("", 0, "kCall.k r0 1 r0\n kReturn r0"), "internal: keyword arguments that are no hash");
}

TEST(Interpreter, SelfRegister) {
  const std::string text =
      "\nfunction fact(n) captures 1 self registers 8\n kJumpGreaterImm r0 1 more\n kReturn r1\n"
      "more: kMove r3 r2\n kAddImm r4 r0 -1\n kCall r3 1 r3\n kMul r3 r3 r0\n kReturn r3";
  EXPECT_EQ(Answer("function main() registers 4\n kLoadInt r1 1\n kClosure r0 @fact r1\n kLoadInt r1 6\n kCall r0 1 "
                   "r0\n kReturn r0" +
                   text),
            "720");
  const std::string plain =
      "\nfunction fact(n) self registers 8\n kJumpGreaterImm r0 1 more\n kReturn r0\n"
      "more: kMove r3 r1\n kAddImm r4 r0 -1\n kCall r3 1 r3\n kMul r3 r3 r0\n kReturn r3";
  EXPECT_EQ(Answer("function main() registers 4\n kLoadInt r0 5\n kCallFunction r0 @fact r0\n kReturn r0" + plain),
            "120");
  EXPECT_EQ(Answer("function main() registers 4\n kLoadInt r0 5\n kTailCallFunction r0 @fact" + plain), "120");
}

// A call ends the life of the caller's registers above its arguments, and callees start with nulls.
TEST(Interpreter, CallsClearWhatTheyOverlap) {
  EXPECT_EQ(Answer("function main() registers 6\n kLoadConst r2 \"stale\"\n kLoadConst r3 \"stale\"\n kLoadInt r1 1\n"
                   "kCallFunction r1 @f r0\n kNewList r1 r1 5\n kNewList r0 r0 2\n kReturn r0\n"
                   "function f(x) registers 3\n kNewList r0 r0 3\n kReturn r0"),
            "[[1, null, null], [null, null, null, null, null]]");
}

TEST(Interpreter, DeepRecursionAndTailCalls) {
  const std::string down =
      "\nfunction down(n) registers 2\n kJumpGreaterImm r0 0 more\n kReturn r0\n"
      "more: kAddImm r1 r0 -1\n kCallFunction r1 @down r1\n kAddImm r1 r1 1\n kReturn r1";
  EXPECT_EQ(Answer("function main() registers 2\n kLoadInt r0 99998\n kCallFunction r0 @down r0\n kReturn r0" + down),
            "99998");
  EXPECT_EQ(Answer("function main() registers 2\n kLoadInt r0 100000\n kCallFunction r0 @down r0\n kReturn r0" + down),
            "stack_overflow: more than 100,000 calls within each other");
  // Caught in the caller, which goes on.
  EXPECT_EQ(
      Answer("function main() registers 2\n kLoadInt r0 100000\n try: kCallFunction r0 @down r0\n end: kReturn r0\n"
             "caught: kField r0 r1 \"kind\"\n kReturn r0\n handler try end caught r1" +
             down),
      "\"stack_overflow\"");
  const std::string loop =
      "\nfunction loop(n, m) registers 4\n kJumpGreaterImm r0 0 more\n kReturn r1\n"
      "more: kAddImm r2 r0 -1\n kAddImm r3 r1 1\n kTailCallFunction r2 @other\n"
      "function other(n, m) registers 6\n kLoadFunction r3 @loop\n kMove r4 r0\n kMove r5 r1\n kTailCall r3 2\n "
      "kReturn r3";
  auto thread = Started(
      "function main() registers 2\n kLoadConst r0 #300000\n kLoadInt r1 0\n kCallFunction r0 @loop r0\n kReturn r0" +
      loop);
  EXPECT_EQ(Outcome(*thread), "300000");
  EXPECT_LT(thread->MemorySize(), 4096u);
}

// s with a byte more, n times, all kept: 1 MiB each.
constexpr const char* kHoarder =
    "function main(s, n) registers 6\n try: kNewList r2 r2 0\ntop: kAddConst r3 r0 \"x\"\n kAppend.bc r2 r2 r3\n"
    " kAddImm r1 r1 -1\n kJumpGreaterImm r1 0 top\n end: kReturn r1\n"
    "caught: kLoadNull r2\n kField r0 r4 \"kind\"\n kReturn r0\n handler try end caught r4";

TEST(Interpreter, AThreadsValuesAreLimited) {
  const Value text = MakeString(std::string(1u << 20, 's'));
  const auto run = [&text](int64_t n, uint64_t budget) {
    auto thread = Started(kHoarder, {text, Value::Int(n)});
    const std::string outcome = Outcome(*thread, budget);
    EXPECT_LT(thread->MemorySize(), kStateBytesMax + kMeasureBytesMin);
    return outcome;
  };
  EXPECT_EQ(run(1000, 1u << 30), "\"limit\"");
  EXPECT_EQ(run(1000, 1), "\"limit\"");
  EXPECT_EQ(run(100, 1u << 30), "0");
  // What is given up does not count.
  EXPECT_EQ(Outcome(*Started("function main(s, n) registers 4\ntop: kAddConst r2 r0 \"x\"\n kAddImm r1 r1 -1\n"
                             " kJumpGreaterImm r1 0 top\n kReturn r1",
                             {text, Value::Int(1000)})),
            "0");
}

TEST(Interpreter, LargeValuesUseUpTheBudget) {
  auto thread = Started(kHoarder, {MakeString(std::string(1u << 20, 's')), Value::Int(100)});
  int runs = 1;
  for (; thread->Run(10000) == RunState::kBudget; runs++) {
  }
  EXPECT_EQ(SourceForm(thread->result()), "0");
  EXPECT_GT(runs, 50);
}

TEST(Interpreter, Data) {
  Check({
      {"kLoadInt r1 1\n kLoadInt r2 2\n kNewList r0 r1 2\n kAppend.b r0 r0 r1\n kReturn r0", "[1, 2, null]"},
      {"kNewList r0 r0 0\n kMove r1 r0\n kLoadInt r2 5\n kAppend.bc r0 r0 r2\n kNewList r0 r0 3\n kReturn r0",
       "[[5], [], null]"},
      {"kLoadInt r2 5\n kAppend r0 r1 r2\n kReturn r0", "[5]"},
      {"kLoadConst r1 \"k\"\n kLoadInt r2 2\n kNewHash r0 r1 1\n kField r0 r0 \"k\"\n kReturn r0", "2"},
      {"kLoadConst r1 \"k\"\n kLoadInt r2 2\n kNewHash r0 r1 1\n kLoadConst r1 \"k\"\n kIndex r0 r0 r1\n kReturn r0",
       "2"},
      {"kLoadFunction r1 @main\n kNewHash r0 r1 1\n kReturn r0", "type: function cannot be a key of a hash"},
      {"kLoadInt r1 4\n kLoadInt r2 5\n kNewList r0 r1 2\n kLoadInt r1 -1\n kIndex r0 r0 r1\n kReturn r0", "5"},
      {"kLoadInt r1 4\n kLoadInt r2 5\n kNewList r0 r1 2\n kIndexImm r0 r0 -2\n kReturn r0", "4"},
      {"kLoadConst r1 \"abcd\"\n kLoadInt r2 1\n kLoadNull r3\n kSlice r0 r1\n kReturn r0", "\"bcd\""},
      {"kNewList r1 r1 3\n kLoadInt r2 1\n kLoadInt r3 9\n kSetItem r0 r1\n kReturn r0", "[null, 9, null]"},
      {"kNewHash r1 r1 0\n kLoadInt r2 1\n kLoadInt r3 9\n kSetItem r0 r1\n kReturn r0", "{1: 9}"},
      {"kNewList r0 r1 3\n kLoadInt r1 1\n kLoadInt r2 9\n kUpdate.bc r0 r1 r2\n kReturn r0", "[null, 9, null]"},
      {"kNewList r0 r1 3\n kLoadInt r1 -1\n kLoadInt r2 9\n kUpdate r0 r1 r2\n kNewList r0 r0 3\n kReturn r0",
       "[[null, null, 9], -1, 9]"},
      {"kNewHash r0 r0 0\n kLoadConst r1 \"k\"\n kLoadInt r2 9\n kUpdate r0 r1 r2\n kReturn r0", "{\"k\": 9}"},
      // A list into itself, and registers that only damaged code takes twice.
      {"kNewList r0 r0 1\n kLoadInt r1 0\n kUpdate r0 r1 r0\n kReturn r0", "[[null]]"},
      {"kNewList r0 r0 1\n kLoadInt r1 0\n kUpdate.c r0 r1 r0\n kReturn r0",
       "type: set: the first argument must be a hash or a list, got null"},
      {"kNewHash r0 r0 0\n kMove r1 r0\n kUpdate r0 r0 r0\n kNewList r0 r0 2\n kReturn r0", "[{{}: {}}, {}]"},
      // Another owner does not see the change.
      {"kNewList r0 r1 1\n kMove r1 r0\n kLoadInt r2 0\n kLoadTrue r3\n kUpdate r0 r2 r3\n kNewList r0 r0 2\n"
       " kReturn r0",
       "[[true], [null]]"},
      {"kLoadConst r1 \"a\"\n kLoadInt r2 1\n kLoadTrue r3\n kFormat r0 r1 3\n kReturn r0", "\"a1true\""},
  });
  EXPECT_EQ(Answer("function main() registers 3\n kNewList r0 r0 0\n kIndexImm r0 r0 0\n kReturn r0").substr(0, 6),
            "index:");
  EXPECT_EQ(Answer("function main() registers 3\n kIndexImm r0 r0 0\n kReturn r0").substr(0, 5), "type:");
}

// A handler finds the variable that the failed instruction would have changed, with the elements it had.
TEST(Interpreter, AFailedChangeLeavesItsOperand) {
  for (const char* change : {"kAdd.b r0 r0 r1", "kAdd.bc r0 r0 r1", "kAddConst.b r0 r0 \"x\"", "kUpdate r0 r2 r1",
                             "kUpdate.bc r0 r2 r1", "kAdd.c r0 r2 r0", "kAdd.bc r0 r2 r0"}) {
    EXPECT_EQ(Answer("function main() registers 5\n kLoadInt r0 7\n kNewList r0 r0 1\n kLoadInt r1 5\n kLoadInt r2 9\n"
                     " try: " +
                     std::string(change) + "\n end: kReturn r1\n caught: kReturn r0\n handler try end caught r4\n"),
              "[7]")
        << change;
  }
  EXPECT_EQ(Answer("function main() registers 5\n kLoadInt r0 7\n try: kAppend.bc r0 r0 r1\n end: kReturn r1\n"
                   " caught: kReturn r0\n handler try end caught r4\n"),
            "7");
}

TEST(Interpreter, Errors) {
  Check({
      {"kLoadConst r1 \"k\"\n kLoadConst r2 \"m\"\n kRaiseNew r1", "k: m"},
      {"kLoadInt r1 1\n kRaiseNew r1", "type: the kind of an error is a string, not integer"},
      {"kRaise r1", "type: null cannot be raised: raise takes an error, or kind, message and data"},
      {"kLoadConst r1 \"cancelled\"\n kLoadConst r2 \"m\"\n try: kRaiseNew r1\n end: caught: kJumpCancelled r0 yes\n "
       "kReturnNull\n"
       "yes: kRaise r0\n handler try end caught r0",
       "cancelled: m"},
      // An error in a finally keeps the pending one.
      {"kLoadConst r1 \"a\"\n kLoadConst r2 \"first\"\n t1: kRaiseNew r1\n e1: kLoadConst r1 \"b\"\n kLoadConst r2 "
       "\"second\"\n"
       "t2: kRaiseNew r1\n e2: kSuppress r4\n kField r0 r5 \"data\"\n kField r0 r0 \"suppressed\"\n kField r0 r0 "
       "\"message\"\n"
       "kReturn r0\n handler t1 e1 e1 r4\n handler t2 e2 e2 r5",
       "\"first\""},
  });
}

TEST(Interpreter, TracesRunFromTheEntryToTheFailingLine) {
  const std::string text = R"(function main() registers 2
  kCallFunction r0 @lib r0
  kReturn r0
function lib() library registers 2
  kCallFunction r0 @f r0
  kReturn r0
function f() registers 3
  kLoadInt r0 20
  kTailCallFunction r0 @g
function g(n) registers 3
  kAddImm r1 r0 -1
  kJumpGreaterImm r0 0 more
  kRaise r2
more: kTailCallFunction r1 @g)";
  auto thread = Started(text);
  EXPECT_EQ(Outcome(*thread).substr(0, 5), "type:");
  const List* trace = thread->result().As<Error>()->trace.As<List>();
  // main, the last 16 replaced functions, g.
  ASSERT_EQ(trace->size, 18u);
  auto line = [&](uint64_t n) { return HashGet(*trace->items[n].As<Hash>(), "line")->AsInt(); };
  EXPECT_EQ(line(0), 2);
  EXPECT_EQ(line(1), 14);
  EXPECT_EQ(line(17), 13);
  EXPECT_EQ(SourceForm(trace->items[17]),
            "{\"function\": \"g\", \"file\": \"test.tl\", \"line\": 13, \"thread\": \"t1\"}");
}

TEST(Interpreter, LongTracesAreShortened) {
  auto thread = Started(
      "function main(n) registers 2\n kJumpGreaterImm r0 0 more\n kRaise r1\n"
      "more: kAddImm r1 r0 -1\n kCallFunction r1 @main r1\n kReturn r1",
      {Value::Int(499)});
  Outcome(*thread);
  const List* trace = thread->result().As<Error>()->trace.As<List>();
  ASSERT_EQ(trace->size, 121u);
  EXPECT_EQ(Display(*HashGet(*trace->items[20].As<Hash>(), "function")), "… 380 calls left out …");
}

TEST(Interpreter, ReRaisedErrorsKeepTheirTrace) {
  auto thread = Started(
      "function main() registers 4\n try: kLoadConst r1 \"k\"\n kLoadConst r2 \"m\"\n kRaiseNew r1\n"
      "end: kRaise r0\n handler try end end r0");
  EXPECT_EQ(Outcome(*thread), "k: m");
  const List* trace = thread->result().As<Error>()->trace.As<List>();
  EXPECT_EQ(HashGet(*trace->items[0].As<Hash>(), "line")->AsInt(), 4);
}

}  // namespace
}  // namespace teal::vm
