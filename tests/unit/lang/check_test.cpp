// What the compiler must catch: position, message and hint of every diagnostic, to the letter.
#include "core/lang/check.h"

#include <stdlib.h>

#include <filesystem>
#include <fstream>

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
        Case{"duplicate_import", "import(f, m, 0)\nfrom n import f\nfn main() { f() }\n",
             "2:15 error: duplicate import `f` | the import `f` is already on line 1; rename one of them\n"},
        Case{"duplicate_of_import", "from m import f\nfn f() { 1 }\n",
             "2:4 error: duplicate function `f` | the import `f` is already on line 1; rename one of them\n"},
        Case{"duplicate_in_one_import", "from m import f, f\nfn main() { f() }\n",
             "1:18 error: duplicate import `f` | the import `f` is already on line 1; rename one of them\n"},
        Case{"unknown_keyword", "fn f(size) { size }\nfn main() { f(:sise 1) }\n",
             "2:15 error: `f` has no parameter `sise` | did you mean `:size`?\n"},
        Case{"far_keyword", "fn f(size) { size }\nfn main() { f(:colour 1) }\n",
             "2:15 error: `f` has no parameter `colour` | it is `fn f(size)`\n"},
        Case{"keyword_given_twice", "fn f(a, b) { a }\nfn main() { f(1, :a 2) }\n",
             "2:18 error: the parameter `a` of `f` is given twice | it is `fn f(a, b)`\n"},
        Case{"keyword_of_a_builtin", "fn main() { length(:xs [1]) }\n",
             "1:20 error: `length` takes no keyword arguments | pass the value by position; `(:xs)` in parentheses is "
             "the symbol\n"},
        Case{"foreign_count", "import(f, m, 2)\nfn main() { f(1) }\n",
             "2:13 warning: `f` is imported with 2 arguments, and called with 1 | Python decides whether that works; "
             "correct the call, or the number in the import\n"},
        Case{"foreign_count_is_unknown", "from m import f\nfn main() { f(1) }\n", ""},
        Case{"minus_line", "fn main() {\n  x = 5\n  -x\n}\n",
             "3:3 warning: `-` begins a new statement here | this reads `5; -x`; for the difference `5 - x` put "
             "a space after the `-`\n"},
        Case{"minus_line_with_a_space", "fn main() {\n  5\n  - 2\n}\n", ""},
        Case{"unknown_escape", "fn main() { \"\\q\" }\n",
             "1:14 warning: unknown escape `\\q` stays as written | write `\\\\q` for a backslash\n"}),
    [](const auto& each) { return each.param.name; });

// Files that are read from a folder of their own.
class CheckFiles : public testing::Test {
 protected:
  CheckFiles() {
    std::string name = (std::filesystem::temp_directory_path() / "teal-check-XXXXXX").string();
    EXPECT_NE(mkdtemp(name.data()), nullptr);
    folder_ = name;
  }
  ~CheckFiles() override { std::filesystem::remove_all(folder_); }

  std::string Write(const std::string& name, const std::string& text) {
    std::ofstream(folder_ / name, std::ios::binary) << text;
    return (folder_ / name).string();
  }
  // As Checked; the folder is shown as `/`.
  std::string CheckedFile(const std::string& path) {
    std::string out;
    for (const Diagnostic& each : CompileFile(path).diagnostics) {
      std::string text = each.file + ":" + std::to_string(each.position.line) + ":" +
                         std::to_string(each.position.column) + ": " + each.message + " | " + each.hint + "\n";
      for (size_t at; (at = text.find(folder_.string())) != std::string::npos;) {
        text.erase(at, folder_.string().size());
      }
      out += text;
    }
    return out;
  }

  std::filesystem::path folder_;
};

TEST_F(CheckFiles, ModulesInARing) {
  const std::string a = Write("a.tl", "import \"b.tl\" as b\nfn main() { b.f() }\n");
  Write("b.tl", "fn g() { 1 }\nimport \"c.tl\" as c\nfn f() { c.f() }\n");
  Write("c.tl", "import \"b.tl\" as b\nfn f() { b.g() }\n");
  EXPECT_EQ(
      CheckedFile(a),
      "/c.tl:1:8: modules import each other in a ring: /b.tl → /c.tl → /b.tl | move what they share into a module "
      "that imports none of them\n");
  const std::string own = Write("own.tl", "import \"own.tl\" as o\nfn main() { 1 }\n");
  EXPECT_EQ(CheckedFile(own),
            "/own.tl:1:8: modules import each other in a ring: /own.tl → /own.tl | move what they share into a module "
            "that imports none of them\n");
}

TEST_F(CheckFiles, TwoImportsOfOneModule) {
  Write("m.tl", "fn f() { 1 }\n");
  EXPECT_EQ(CheckedFile(Write("two.tl", "import \"m.tl\" as m\nimport \"m.tl\" as n\nfn main() { m.f() + n.f() }\n")),
            "");
  EXPECT_EQ(CheckedFile(Write("same.tl", "import \"m.tl\" as m\nimport \"m.tl\" as m\nfn main() { m.f() }\n")),
            "/same.tl:2:18: duplicate module `m` | the module `m` is already on line 1; rename one of them\n");
}

TEST_F(CheckFiles, FilesThatAreNoProgram) {
  for (const char* text : {"", "\n\n", " ;\n;", "\xEF\xBB\xBF", "\xEF\xBB\xBF;"}) {
    EXPECT_EQ(CheckedFile(Write("empty.tl", text)),
              "/empty.tl:1:1: this program is empty | write at least `fn main() { … }`\n");
  }
  EXPECT_EQ(CheckedFile(folder_.string()), ":1:1:  is a folder | name a source file in it, such as /main.tl\n");
  EXPECT_EQ(
      CheckedFile((folder_ / "none.tl").string()),
      "/none.tl:1:1: there is no file /none.tl | check the path; an import's is relative to the importing file\n");
  EXPECT_EQ(CheckedFile((folder_ / "empty").string()),
            "/empty:1:1: there is no file /empty | did you mean /empty.tl?\n");
  EXPECT_EQ(CheckedFile(Write("latin.tl", "fn main() {\n  \"h\xc3\xa9\xe9\"\n}\n")),
            "/latin.tl:2:6: this file is not UTF-8 | save it as UTF-8; the first wrong byte is number 19\n");
  // Root may read every file, but not what is no memory of this process.
  EXPECT_EQ(
      CheckedFile("/proc/self/mem"),
      "/proc/self/mem:1:1: cannot read /proc/self/mem: Input/output error | check the file and its file system\n");
  EXPECT_EQ(
      CheckedFile((folder_ / "empty.tl/inner.tl").string()),
      "/empty.tl/inner.tl:1:1: there is no file /empty.tl/inner.tl | check the path; an import's is relative to the "
      "importing file\n");
}

TEST_F(CheckFiles, LargestFile) {
  std::string text = "fn main() { 1 }\n";
  text.append(kSourceBytesMax - text.size(), '\n');
  ASSERT_EQ(text.size(), 50u << 20);
  EXPECT_EQ(CheckedFile(Write("most.tl", text)), "");
  EXPECT_EQ(
      CheckedFile(Write("more.tl", text + "\n")),
      "/more.tl:1:1: this file is larger than 50 MB | a source file that large is likely data: keep data in a file "
      "that the program's Python code reads\n");
}

// The limit itself is allowed: as many functions as there may be, the library's included, and one more.
TEST(Check, MostFunctions) {
  const auto program = [](size_t count) {
    std::string text = "fn main() { 1 }\n";
    for (size_t i = 1; i < count; ++i) text += "fn f" + std::to_string(i) + "() { 1 }\n";
    return CompileText("a.tl", text);
  };
  const auto most = program(vm::kFunctionsMax);
  ASSERT_TRUE(most.ok()) << Shown(most);
  const auto loaded = Loaded(most);
  ASSERT_NE(loaded, nullptr);
  EXPECT_EQ(loaded->EntryNames().size(), vm::kFunctionsMax);
  const auto more = program(vm::kFunctionsMax + 1);
  ASSERT_EQ(more.diagnostics.size(), 1u);
  EXPECT_EQ(more.diagnostics[0].message, "this program has 65536 functions, with closures and those of the library");
  EXPECT_EQ(more.diagnostics[0].hint, "a program has at most 65535; split it into several");
}

TEST(Check, MostRegisters) {
  // Each variable is a register; the value that is returned is one of them.
  const auto program = [](uint32_t count) {
    std::string text = "fn main() {\n";
    for (uint32_t i = 0; i < count; ++i) text += "v" + std::to_string(i) + " = " + std::to_string(i) + "\n";
    return text + "v" + std::to_string(count - 1) + "\n}\n";
  };
  EXPECT_EQ(ValueOf(program(vm::kRegistersMax)), std::to_string(vm::kRegistersMax - 1));
  const auto more = CompileText("a.tl", program(vm::kRegistersMax + 1));
  ASSERT_EQ(more.diagnostics.size(), 1u);
  EXPECT_EQ(more.diagnostics[0].message, "this function is too large: it needs more than 60000 registers");
  EXPECT_EQ(more.diagnostics[0].hint, "split it into several functions");
}

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
