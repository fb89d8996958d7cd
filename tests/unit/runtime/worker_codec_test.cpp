#include "core/runtime/worker_codec.h"

#include <gtest/gtest.h>

#include <random>

namespace teal::runtime {
namespace {

using vm::Value;

std::string OneArgument(const Value& value, UncarryableValue* problem, std::vector<std::string>* secrets = nullptr) {
  WorkerArguments out;
  const SecretText text = [](std::string_view name, std::string* secret) {
    *secret = name == "db" ? "hunter2" : "not set";
    return name == "db";
  };
  if (!EncodeWorkerArguments({value}, false, text, &out, problem)) return "";
  if (secrets != nullptr) *secrets = out.secrets;
  EXPECT_EQ(out.arguments.substr(0, 5), std::string("[\1\0\0\0", 5));
  return out.arguments.substr(5);
}

Value List(std::vector<Value> items) {
  Value list = vm::MakeList();
  for (Value& item : items) list = vm::ListAppend(std::move(list), std::move(item));
  return list;
}

Value Random(std::mt19937_64& random, int depth) {
  const auto below = [&random](uint64_t n) { return random() % n; };
  switch (below(depth > 0 ? 8 : 6)) {
    case 0:
      return Value();
    case 1:
      return Value::Bool(below(2) == 0);
    case 2:
      return Value::Int(static_cast<int64_t>(random() >> below(64)));
    case 3:
      return Value::Float(static_cast<double>(random()) / 7);
    case 4:
      return vm::MakeString("né " + std::to_string(below(1000)));
    case 5:
      return vm::MakeBytes(std::string("\xff\0", 2) + std::to_string(below(1000)));
    case 6: {
      Value list = vm::MakeList();
      for (uint64_t i = below(6); i > 0; i--) list = vm::ListAppend(std::move(list), Random(random, depth - 1));
      return list;
    }
    default: {
      Value hash = vm::MakeHash();
      for (uint64_t i = below(20); i > 0; i--) {
        Value key = below(3) == 0 ? List({Value::Int(static_cast<int64_t>(i)), Value()})
                                  : vm::MakeString("k" + std::to_string(below(30)));
        hash = vm::HashSet(std::move(hash), std::move(key), Random(random, depth - 1));
      }
      return hash;
    }
  }
}

TEST(WorkerCodec, GivesBackWhatItWasGiven) {
  std::mt19937_64 random(11);
  for (int i = 0; i < 3000; i++) {
    const Value value = Random(random, 5);
    UncarryableValue problem;
    const std::string payload = OneArgument(value, &problem);
    ASSERT_EQ(problem.message, "");
    Value back;
    ASSERT_TRUE(DecodeWorkerPayload(payload, &back));
    ASSERT_TRUE(vm::Equal(value, back)) << vm::SourceForm(value) << "\n" << vm::SourceForm(back);
    ASSERT_EQ(vm::SourceForm(value), vm::SourceForm(back));
    for (size_t cut = 0; cut < payload.size() && cut < 200; cut++) {
      ASSERT_FALSE(DecodeWorkerPayload(payload.substr(0, cut), &back));
    }
  }
}

TEST(WorkerCodec, TurnsSymbolsErrorsAndSecretsIntoWhatPythonHas) {
  UncarryableValue problem;
  std::vector<std::string> secrets;
  const Value error = vm::MakeError(vm::MakeString("k"), vm::MakeString("m"), Value::Int(1));
  const std::string payload = OneArgument(List({vm::MakeSymbol("s"), error, vm::MakeSecret("db")}), &problem, &secrets);
  Value back;
  ASSERT_TRUE(DecodeWorkerPayload(payload, &back));
  EXPECT_EQ(vm::SourceForm(back), R"(["s", {"kind": "k", "message": "m", "data": 1}, "hunter2"])");
  EXPECT_EQ(secrets, std::vector<std::string>{"hunter2"});
}

TEST(WorkerCodec, RefusesWhatCannotTravel) {
  const auto refusal = [](const Value& value) {
    UncarryableValue problem;
    EXPECT_EQ(OneArgument(value, &problem), "");
    return problem.kind + ": " + problem.message;
  };
  const auto hash = [](Value key, Value value) {
    return vm::HashSet(vm::MakeHash(), std::move(key), std::move(value));
  };
  const Value nested = List({Value::Int(1), hash(vm::MakeString("x"), Value::Function(0))});
  EXPECT_EQ(refusal(nested).find("type: argument 1[1].x is a function"), 0u) << refusal(nested);
  EXPECT_NE(refusal(vm::MakeSecret("other")).find("not set"), std::string::npos);
  EXPECT_EQ(refusal(hash(hash(Value(), Value()), Value())).find("type: a key of argument 1 is a hash"), 0u);
  const Value twice = vm::HashSet(hash(Value::Int(1), Value()), Value::Bool(true), Value());
  EXPECT_NE(refusal(twice).find("equal in Python"), std::string::npos);
  const Value symbol = vm::HashSet(hash(vm::MakeString("a"), Value()), vm::MakeSymbol("a"), Value());
  EXPECT_NE(refusal(symbol).find("equal in Python"), std::string::npos);
  Value deep;
  for (int i = 0; i < 101; i++) deep = List({deep});
  EXPECT_NE(refusal(deep).find("nested deeper than 100"), std::string::npos);
}

TEST(WorkerCodec, PutsKeywordsApart) {
  UncarryableValue problem;
  WorkerArguments out;
  const Value keywords = vm::HashSet(vm::MakeHash(), vm::MakeString("size"), Value::Int(3));
  ASSERT_TRUE(EncodeWorkerArguments({Value::Int(1), keywords}, true, nullptr, &out, &problem));
  Value back;
  ASSERT_TRUE(DecodeWorkerPayload(out.arguments, &back));
  EXPECT_EQ(vm::SourceForm(back), "[1]");
  ASSERT_TRUE(DecodeWorkerPayload(out.keywords, &back));
  EXPECT_EQ(vm::SourceForm(back), R"({"size": 3})");
}

}  // namespace
}  // namespace teal::runtime
