// What the compiler must catch: position, message and hint of every diagnostic, to the letter.
#include "core/lang/check.h"

#include "tests/unit/lang/compiling.h"

namespace teal::lang {
namespace {

// "line:column severity: message | hint", one a line.
std::string Checked(const std::string& text) {
  CompileOptions options;
  options.check_python_files = false;
  std::string out;
  for (const Diagnostic& each : CompileText("a.tl", text, options).diagnostics) {
    out += std::to_string(each.position.line) + ":" + std::to_string(each.position.column) +
           (each.severity == Severity::kError ? " error: " : " warning: ") + each.message + " | " + each.hint + "\n";
  }
  return out;
}

struct Case {
  const char* name;
  const char* text;
  const char* expected;
};
class Diagnosed : public testing::TestWithParam<Case> {};

TEST_P(Diagnosed, Exactly) {
  EXPECT_EQ(Checked(GetParam().text), GetParam().expected);
}

INSTANTIATE_TEST_SUITE_P(
    Check, Diagnosed,
    testing::Values(
        Case{"nothing", "fn main() { 1 }\n", ""},
        Case{"unknown_name", "fn main() { lenght([1]) }\n",
             "1:13 error: unknown name `lenght` | did you mean `length`?\n"},
        Case{"count", "fn f(a) { a }\nfn main() { f(1, 2) }\n",
             "2:13 error: `f` takes 1 argument, not 2 | it is `fn f(a)`\n"},
        Case{"duplicate_function", "fn f() { 1 }\nfn f() { 2 }\n",
             "2:4 error: duplicate function `f` | the function `f` is already on line 1; rename one of them\n"},
        Case{"duplicate_parameter", "fn g(a, a) { a }\n",
             "1:9 error: duplicate parameter `a` | give each parameter its own name\n"},
        Case{"unreachable", "fn main() {\n  return 1\n  2\n}\n",
             "3:3 error: unreachable code after `return` | remove it, or move it before the `return`\n"},
        Case{"async_of_a_number", "fn main() { async 5 }\n",
             "1:19 error: `async` of a number, which cannot be called | write `async f(…)`: the call is what the new "
             "thread runs\n"},
        Case{"missing_file", "import \"nope.tl\" as nope\nfn main() { 1 }\n",
             "1:8 error: there is no file nope.tl | check the path; an import's is relative to the importing file\n"},
        Case{"duplicate_key", "fn main() { {\"a\": 1, \"a\": 2} }\n",
             "1:22 error: duplicate key \"a\" in a hash | a hash has each key once; remove one of the two\n"},
        Case{"assign_to_element", "fn main() { xs = [1]\n  xs[0] = 2 }\n",
             "2:3 error: assignment to something that is no variable | values are immutable: write `xs = set(xs, i, "
             "v)`\n"},
        Case{"unknown_attribute", "#[retri(1)]\nfn main() { 1 }\n",
             "1:3 error: unknown attribute `retri` | did you mean `retry`?\n"},
        Case{"unknown_attribute_argument", "#[retry(maxi=3)]\nfn main() { 1 }\n",
             "1:9 error: `retry` has no argument `maxi` | did you mean `max`?\n"},
        Case{"brackets", "fn main() { f(1, [2) }\n",
             "1:20 error: `)` does not match `[` opened at 1:18 | close that one first, with `]`\n"},
        Case{"unterminated_string", "fn main() { \"abc\n}\n",
             "1:13 error: unterminated string | close it with `\"` on its line; a new line inside is written `\\n`\n"},
        Case{"break_outside", "fn main() { break }\n",
             "1:13 error: `break` outside a loop | `break` belongs in the body of a `for` or `while`\n"},
        Case{
            "return_in_finally", "fn main() { try { 1 } finally { return 2 } }\n",
            "1:33 error: `return` in a `finally` | a `finally` only cleans up: its value is dropped, and it cannot end "
            "the function\n"},
        Case{"async_in_while", "fn main() { while true { async main() } }\n",
             "1:26 warning: `async` in a `while` without any `await` in the loop | each turn starts a thread and none "
             "is waited for; collect the futures and await them in the loop, or use `pmap`\n"},
        Case{"await_of_a_list", "fn main() { await [async main()] }\n",
             "1:13 warning: `await` of a list does not wait for the futures in it | write `all([…])`\n"},
        Case{
            "outer_unchanged", "fn main() { x = 1\n  f = fn() { x = 2 }\n  f() }\n",
            "2:14 warning: outer_unchanged: this does not change the `x` outside | a closure captures by value; return "
            "the new value, or use another name\n"},
        Case{"unassigned", "fn main() { if sid() { q = 1 }\n  q }\n",
             "2:3 warning: `q` is not assigned on every path to here | it is `null` until then; assign it before\n"},
        Case{"unknown_escape", "fn main() { \"\\q\" }\n",
             "1:14 warning: unknown escape `\\q` stays as written | write `\\\\q` for a backslash\n"}),
    [](const auto& each) { return each.param.name; });

TEST(Check, GoesOnAfterTheFirstErrorUpToTwenty) {
  std::string text;
  for (int i = 0; i < 30; ++i) text += "fn f" + std::to_string(i) + "() { nothing_here }\n";
  EXPECT_EQ(CompileText("a.tl", text).diagnostics.size(), kDiagnosticsMax);
}

TEST(Check, ShowsTheLineAndACaret) {
  const CompileOutput output = CompileText("a.tl", "fn main() {\n  x = 1 + zzzz\n}\n");
  ASSERT_EQ(output.diagnostics.size(), 1u);
  EXPECT_NE(RenderText(output.diagnostics[0], false).find("\n  x = 1 + zzzz\n          ^~~~\nhint: "),
            std::string::npos);
}

}  // namespace
}  // namespace teal::lang
