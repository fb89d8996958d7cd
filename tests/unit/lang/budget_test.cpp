// What takes time in proportion to a value counts against a thread's budget, also where it makes nothing; so a thread
// can be stopped on demand whatever it does.
#include <cstdint>
#include <string>

#include "tests/unit/lang/compiling.h"
#include "tests/unit/vm/values.h"

namespace teal::lang {
namespace {

constexpr uint64_t kBudget = 1000;
constexpr int64_t kTurns = 10;
constexpr uint64_t kLargeBytes = 2u << 20;  // so that a turn counts as 16 budgets
static_assert(kLargeBytes / vm::kBytesPerTurn >= 16 * kBudget);

// How often a loop of kTurns turns of `body` is stopped. Its values are made anew for each parameter, so that nothing
// is equal because it is the same object.
uint64_t Stops(const std::string& body) {
  const std::string text =
      "fn main(text, other, needle, spaces, wide, xs, ys, empties, functions, n) {\n"
      "  table = {}\n  table = set(table, other, 1)\n  has_part = contains\n"
      "  for i in range(n) { " +
      body + " }\n}\n";
  const auto program = Loaded(CompileText("a.tl", text));
  uint32_t index = 0;
  if (program == nullptr || program->FindEntry("main", &index) == nullptr) return 0;
  static constexpr uint64_t items = kLargeBytes / sizeof(vm::Value);
  const auto text_of = [](const std::string& part, uint64_t bytes) {
    std::string made;
    while (made.size() < bytes) made += part;
    return vm::S(made);
  };
  const auto list_of = [](auto item) {
    vm::Value list = vm::MakeList(items);
    for (uint64_t i = 0; i < items; ++i) list = vm::ListAppend(std::move(list), item(static_cast<int64_t>(i)));
    return list;
  };
  const auto integer = [](int64_t i) { return vm::I(i); };
  std::vector<vm::Value> arguments{
      text_of("a", kLargeBytes),
      text_of("a", kLargeBytes),
      vm::S(std::string(kLargeBytes / 2, 'a') + "b"),
      text_of(" ", kLargeBytes),
      text_of("é", kLargeBytes),
      list_of(integer),
      list_of(integer),
      list_of([](int64_t) { return vm::S(""); }),
      list_of([](int64_t i) { return vm::Value::Function(static_cast<uint32_t>(i)); }),
      vm::I(kTurns),
  };
  vm::Thread thread(program, "t1", vm::Value::Function(index), std::move(arguments));
  uint64_t stops = 0;
  vm::RunState state;
  while ((state = thread.Run(kBudget)) == vm::RunState::kBudget) ++stops;
  EXPECT_EQ(state, vm::RunState::kDone) << text;
  return stops;
}

TEST(Budget, CountsTurns) {
  EXPECT_EQ(Stops("i + 1"), 0u);
}

class Work : public testing::TestWithParam<const char*> {};

TEST_P(Work, Counts) {
  EXPECT_GE(Stops(GetParam()), static_cast<uint64_t>(kTurns) - 2) << GetParam();
}

INSTANTIATE_TEST_SUITE_P(
    Programs, Work,
    testing::Values("x = text == other", "x = text != other", "x = text < other", "x = text >= other",
                    "if text == other { i }", "if text != other { i }", "if text < other { i }",
                    "if text <= other { i }", "if xs == ys { i }", "x = xs == ys", "x = xs < ys", "if xs > ys { i }",
                    "x = {\"k\": xs} == {\"k\": ys}", "contains(text, \"b\")", "contains(text, needle)",
                    "has_part(text, needle)", "replace(text, \"b\", \"c\")", "split(text, \"b\")", "split(text)",
                    "starts_with(text, other)", "ends_with(text, other)", "trim(spaces)", "join(empties)",
                    "has(xs, -1)", "has(empties, text)", "sum(xs)", "max(xs)", "min(ys)", "unique(functions)",
                    "sha256(text)", "wide[1000000]", "wide[-2:]", "table[text]", "get(table, text)",
                    "try { float(text) } catch { i }", "try { json_decode(text) } catch { i }",
                    "try { base64_decode(spaces) } catch { i }", "format(text)", "reverse(xs)", "flatten(xs)"));

TEST(Budget, TracesOfDeepErrorsCount) {
  const std::string text =
      "fn deep(k, n) {\n  if k == 0 { again(n) } else { deep(k - 1, n); 0 }\n}\n"
      "fn again(n) { for i in range(n) { try { raise(\"k\") } catch { i } } }\n"
      "fn main(k, n) { deep(k, n) }\n";
  const auto program = Loaded(CompileText("a.tl", text));
  ASSERT_NE(program, nullptr);
  uint32_t index = 0;
  ASSERT_NE(program->FindEntry("main", &index), nullptr);
  vm::Thread thread(program, "t1", vm::Value::Function(index), {vm::I(50000), vm::I(kTurns)});
  uint64_t stops = 0;
  vm::RunState state;
  while ((state = thread.Run(10 * kBudget)) == vm::RunState::kBudget) ++stops;
  EXPECT_EQ(state, vm::RunState::kDone);
  EXPECT_GE(stops, static_cast<uint64_t>(kTurns) / 2);
}

TEST(Budget, ConstantsOfTheTopLevelAreBounded) {
  std::string sums = "sum(XS)";
  for (int i = 1; i < 100; ++i) sums += ", sum(XS)";
  const auto output = CompileText("a.tl", "XS = range(1000000)\nYS = [" + sums + "]\nfn main() { YS }\n");
  ASSERT_EQ(output.diagnostics.size(), 1u);
  EXPECT_EQ(output.diagnostics[0].position.line, 2u);
  EXPECT_NE(output.diagnostics[0].message.find("the constants of a program may take 1 GiB"), std::string::npos)
      << output.diagnostics[0].message;
  // As many constants as that, but small ones.
  std::string small;
  for (int i = 0; i < 1000; ++i) small += "C" + std::to_string(i) + " = sum(range(1000))\n";
  EXPECT_TRUE(CompileText("a.tl", small + "fn main() { C999 }\n").ok());
}

}  // namespace
}  // namespace teal::lang
