#include "core/lang/parser.h"

#include <gtest/gtest.h>

#include <regex>

#include "core/lang/format.h"

namespace teal::lang {
namespace {

struct Parsed {
  std::unique_ptr<SourceFile> file;
  std::unique_ptr<Module> module;
  std::vector<Diagnostic> diagnostics;
};

Parsed ParseText(const std::string& text) {
  Parsed parsed;
  parsed.file = std::make_unique<SourceFile>("a.tl", text);
  Diagnostics diagnostics;
  parsed.module = Parse(*parsed.file, diagnostics);
  parsed.diagnostics = diagnostics.Take();
  return parsed;
}

// The statements of a body as one line: nodes without spans, children in parentheses.
std::string Shape(const std::string& body) {
  const Parsed parsed = ParseText("fn main() {\n" + body + "\n}\n");
  for (const Diagnostic& diagnostic : parsed.diagnostics) {
    EXPECT_EQ(diagnostic.severity, Severity::kWarning) << body << "\n" << RenderText(diagnostic, false);
  }
  const std::string dump = std::regex_replace(DumpTree(*parsed.module), std::regex(" \\d+:\\d+-\\d+:\\d+\n"), "\n");
  const std::string head = "module\n  function main\n    block\n";
  EXPECT_TRUE(dump.starts_with(head)) << dump;
  std::string out;
  size_t depth = 3;
  bool first = true;
  for (size_t at = head.size(); at < dump.size();) {
    const size_t end = dump.find('\n', at);
    const size_t indent = dump.find_first_not_of(' ', at) - at;
    if (indent / 2 > depth && !first) {
      out += "(";
    } else {
      for (size_t i = indent / 2; i < depth; ++i) out += ")";
      if (!first) out += ", ";
    }
    depth = indent / 2;
    first = false;
    out += dump.substr(at + indent, end - at - indent);
    at = end + 1;
  }
  for (; depth > 3; --depth) out += ")";
  return out;
}

// "line:col message | hint" of each error and warning, a line each.
std::string Complaints(const std::string& text) {
  std::string out;
  for (const Diagnostic& found : ParseText(text).diagnostics) {
    out += std::to_string(found.position.line) + ":" + std::to_string(found.position.column) + " " + found.message +
           " | " + found.hint + "\n";
  }
  return out;
}

// Only positions and messages.
std::string Messages(const std::string& text) {
  return std::regex_replace(Complaints(text), std::regex(" \\| [^\n]*\n"), "\n");
}

TEST(Parser, Precedence) {
  EXPECT_EQ(Shape("a || b && c == d < e + f * -g"),
            "binary ||(name a, binary &&(name b, binary ==(name c, binary <(name d, binary +(name e, binary *(name f, "
            "unary -(name g)))))))");
  EXPECT_EQ(Shape("a - b + c"), "binary - +(name a, name b, name c)");
  EXPECT_EQ(Shape("x = y = a |> f"), "assign(name x, assign(name y, pipe(name a, name f)))");
  EXPECT_EQ(Shape("await async f(x)"), "unary await(unary async(call(name f, name x)))");
  EXPECT_EQ(Shape("await x.y[0]"), "unary await(index(field y(name x), int 0))");
  EXPECT_EQ(Shape("x |> await |> f(1)"), "pipe(name x, unary await, call(name f, int 1))");
}

TEST(Parser, NewlinesEndStatements) {
  EXPECT_EQ(Shape("a\nb"), "name a, name b");
  EXPECT_EQ(Shape("a\n(b)"), "name a, name b");
  EXPECT_EQ(Shape("a\n[b]"), "name a, list(name b)");
  EXPECT_EQ(Shape("a\n!b"), "name a, unary !(name b)");
  EXPECT_EQ(Shape("a\n{}"), "name a, hash");
  EXPECT_EQ(Shape("return\na"), "return, name a");
  EXPECT_EQ(Shape("x |> await\ny"), "pipe(name x, unary await), name y");
}

TEST(Parser, NewlinesThatDoNot) {
  for (const char* op : {"&&", "||", "==", "!=", "<", "<=", ">", ">=", "+", "*", "/", "%"}) {
    const std::string expected = std::string("binary ") + op + "(name a, name b)";
    EXPECT_EQ(Shape(std::string("a\n\n// why\n") + op + " b"), expected);
    EXPECT_EQ(Shape(std::string("a ") + op + " // why\n\nb"), expected);
  }
  EXPECT_EQ(Shape("a -\nb"), "binary -(name a, name b)");
  EXPECT_EQ(Shape("a\n- b"), "binary -(name a, name b)");
  EXPECT_EQ(Shape("a\n\n  .b"), "field b(name a)");
  EXPECT_EQ(Shape("a.\nb"), "field b(name a)");
  EXPECT_EQ(Shape("a =\nb"), "assign(name a, name b)");
  EXPECT_EQ(Shape("a\n|> f\n|> g"), "pipe(name a, name f, name g)");
  EXPECT_EQ(Shape("f(a\n,\nb\n)"), "call(name f, name a, name b)");
  EXPECT_EQ(Shape("f\n(\na\n-b)"), "name f, binary -(name a, name b)");
  EXPECT_EQ(Shape("if a\n{ 1 }\n\n// c\nelse\n{ 2 }"), "if(name a, block(int 1), else(block(int 2)))");
  EXPECT_EQ(Shape("try { 1 }\ncatch e\n{ 2 }\nfinally\n{ 3 }"),
            "try(block(int 1), catch e(block(int 2)), finally(block(int 3)))");
}

TEST(Parser, ABlockInsideBracketsRestoresTheRule) {
  EXPECT_EQ(Shape("f(fn() {\na\n(b)\n})"), "call(name f, fn(block(name a, name b)))");
  EXPECT_EQ(Shape("[fn() {\na\n}\n]"), "list(fn(block(name a)))");
}

TEST(Parser, AMinusAtTheBeginningOfALineIsWarnedOf) {
  EXPECT_EQ(Shape("a\n-b"), "name a, unary -(name b)");
  EXPECT_EQ(Complaints("fn f() {\n  x = a\n  -b\n}"),
            "3:3 `-` begins a new statement here | this reads `a; -b`; for the difference `a - b` put a space after "
            "the `-`\n");
  EXPECT_EQ(Complaints("fn f() {\n  a;\n  -b\n}"), "");
}

TEST(Parser, SymbolsOnlyWhereAnOperandMayBegin) {
  EXPECT_EQ(Shape("{\"a\":x}"), "hash(string \"a\", name x)");
  EXPECT_EQ(Shape("xs[a:b]"), "slice(name xs, from(name a), to(name b))");
  EXPECT_EQ(Shape("xs[:b]"), "index(name xs, symbol b)");
  EXPECT_EQ(Shape("xs[: b]"), "slice(name xs, to(name b))");
  EXPECT_EQ(Shape("xs[:]"), "slice(name xs)");
  EXPECT_EQ(Shape("{:a: :b}"), "hash(symbol a, symbol b)");
  EXPECT_EQ(Shape(":if"), "symbol if");
}

TEST(Parser, KeywordArguments) {
  EXPECT_EQ(Shape("f(:size 3)"), "call(name f, keyword size(int 3))");
  EXPECT_EQ(Shape("f(:size -3)"), "call(name f, keyword size(unary -(int 3)))");
  EXPECT_EQ(Shape("f(:size)"), "call(name f, symbol size)");
  EXPECT_EQ(Shape("f(:size, 3,)"), "call(name f, symbol size, int 3)");
  EXPECT_EQ(Shape("f(1, :a :b)"), "call(name f, int 1, keyword a(symbol b))");
  EXPECT_EQ(Shape("f(:a == b)"), "call(name f, binary ==(symbol a, name b))");
  EXPECT_EQ(Complaints("fn m() { f(:a 1, 2, 3) }"),
            "1:18 positional argument after a keyword argument | move it before `:a`, or name it too\n");
}

TEST(Parser, FormatStrings) {
  EXPECT_EQ(Shape("f\"total {n} in {h[\"k\"]} {{x}}\""),
            "format(text \"total \", name n, text \" in \", index(name h, string \"k\"), text \" {x}\")");
  EXPECT_EQ(Shape("f'{f\"{ {1: \"}\"} }\"}'"), "format(format(hash(int 1, string \"}\")))");
  EXPECT_EQ(Shape("f\"\\u{41}{x}\""), "format(text \"A\", name x)");
}

TEST(Parser, HashesInHeads) {
  EXPECT_EQ(Shape("if f({\"a\": 1}) { 2 }"), "if(call(name f, hash(string \"a\", int 1)), block(int 2))");
  EXPECT_EQ(Shape("for x in ({}) { x }"), "for x(hash, block(name x))");
  EXPECT_EQ(Complaints("fn m() { if x == {\"a\": 1} { 2 } }"),
            "1:18 a hash needs parentheses here | write `({…})`; a `{` without them opens the block\n");
  EXPECT_EQ(Complaints("fn m() { if { 2 } }"),
            "1:13 `if` needs an expression before its block | write e.g. `if c {…}`\n");
}

TEST(Parser, Imports) {
  const Parsed parsed = ParseText(
      "import(f, :python src.main, 1, g);\nimport(h, src.main)\nimport \"lib/u.tl\" as u\n"
      "#[pure]\n#[retry(max=3)]\nfrom src.import import a, b as c\n");
  ASSERT_TRUE(parsed.diagnostics.empty());
  const auto& items = parsed.module->items;
  ASSERT_EQ(items.size(), 4u);
  EXPECT_EQ(items[0].functions[0].function.text, "f");
  EXPECT_EQ(items[0].functions[0].local.text, "g");
  EXPECT_EQ(items[0].functions[0].arity, 1u);
  EXPECT_EQ(items[0].module.text, "src.main");
  EXPECT_EQ(items[1].functions[0].arity, std::nullopt);
  EXPECT_EQ(items[2].path, "lib/u.tl");
  EXPECT_EQ(items[2].name.text, "u");
  EXPECT_EQ(items[3].attributes.size(), 2u);
  EXPECT_EQ(items[3].functions[1].function.text, "b");
  EXPECT_EQ(items[3].functions[1].local.text, "c");
}

TEST(Parser, StrayExpressionsAreKept) {
  const Parsed parsed = ParseText("print(1)\nN = 3");
  ASSERT_EQ(parsed.module->items.size(), 2u);
  EXPECT_EQ(parsed.module->items[0].kind, ItemKind::kStray);
  EXPECT_EQ(parsed.module->items[1].kind, ItemKind::kConstant);
}

TEST(Parser, NestingOf200IsTheLimit) {
  const auto nested = [](size_t n, const char* open, const char* close) {
    std::string text = "fn m() { ";
    for (size_t i = 0; i < n; ++i) text += open;
    text += "1";
    for (size_t i = 0; i < n; ++i) text += close;
    return text + "\n}\nfn other() { x = }";
  };
  const std::string other = "3:18 expected an expression, found `}`\n";
  for (const auto& [open, close] : {std::pair{"(", ")"}, {"[", "]"}, {"-", ""}, {"f(", ")"}, {"{1: ", "}"}}) {
    EXPECT_EQ(Messages(nested(200, open, close)), other) << open;
    const std::string found = Messages(nested(201, open, close));
    EXPECT_NE(found.find("nesting deeper than 200 levels\n" + other), std::string::npos) << open << found;
  }
  std::string chain = "x";
  for (int i = 0; i < 300; ++i) chain += ".a";
  EXPECT_NE(Messages("A = " + chain).find("nesting deeper than 200 levels"), std::string::npos);
  std::string sum = "1";
  for (int i = 0; i < 5000; ++i) sum += " + 1";
  EXPECT_EQ(Messages("A = " + sum), "");
}

TEST(Parser, At255ParametersIsTheLimit) {
  const auto with = [](int n) {
    std::string text = "fn f(";
    for (int i = 0; i < n; ++i) text += "a" + std::to_string(i) + ",";
    return text + ") {}";
  };
  EXPECT_EQ(Messages(with(255)), "");
  EXPECT_NE(Messages(with(256)).find("more than 255 parameters"), std::string::npos);
}

TEST(ParserErrors, OneMistakeGivesOneError) {
  struct Case {
    const char* text;
    const char* expected;
  };
  for (
      const Case& c : {
          Case{"fn m() {\n f(a, b\n x = 3\n y()\n}\nfn g() { 1 }",
               "3:2 expected `,` or `)` before this line | `(` opened at 2:3 is not closed, or a `,` is missing\n"},
          Case{"fn m() {\n print(\"abc)\n x = 3\n}",
               "2:8 unterminated string | close it with `\"` on its line; a new line inside is written `\\n`\n"},
          Case{"fn m() {\n x = (1 + 2\n}\nfn g() {}",
               "3:1 `}` does not match `(` opened at 2:6 | close that one first, with `)`\n"},
          Case{"fn m() {\n  if a {\n    x = 1\n}\nfn g() {}", "2:8 `{` is never closed | close it with `}`\n"},
          Case{"fn m() { x = [1, 2\n", "1:14 `[` is never closed | close it with `]`\n"},
          Case{"fn m() {\n x = 1 }\n }\n y = f()\nfn g() {}",
               "3:2 `}` closes nothing | remove it, or open a block before\n"},
          Case{"fn m() { a b }",
               "1:12 expected the end of the statement, found `b` | statements are separated by a new line or `;`\n"},
          Case{"fn m() { x\n= 3 }", "2:1 expected an expression, found `=` | put the `=` on the line of the name\n"},
          Case{
              "fn m() { await\nx }",
              "1:10 nothing follows `await` on its line | a new line ends the statement here; put what `await` applies "
              "to on the same line\n"},
          Case{"fn m() { x = return 3 }",
               "1:14 `return` stands inside an expression | make it a statement of its own, e.g. `if c {return}`\n"},
          Case{"fn m() { try { 1 } }",
               "1:10 `try` has neither a `catch` nor a `finally` | add `catch e {…}` or `finally {…}` after its "
               "block\n"},
          Case{"fn m() { fn g(a) { a }\n g(1) }",
               "1:13 a function with a name stands at top level only | write `g = fn(…) {…}`, or move it out\n"},
          Case{"fn m() { f\"a {n\" }\nfn g() {}",
               "1:14 `{` in an f-string is not closed on its line | close it with `}`; a brace of the text is doubled: "
               "`{{`\n"},
          Case{"fn m() { f\"a } b\" }", "1:14 single `}` in an f-string | a brace of the text is doubled: `}}`\n"},
          Case{"fn m() { let x = 3 }",
               "1:14 expected the end of the statement, found `x` | a variable needs no word before its name: write `x "
               "= …`\n"},
          Case{"#[pure]\nx = 3",
               "1:1 an attribute stands before an import or a function | put it on the line before `fn name(…)`, "
               "`import(…)` or `from … import`\n"},
          Case{"fn m() { /* open", "1:10 unterminated comment | close it with `*/`\n"},
          Case{"fn m() { a & b }", "1:12 unexpected character `&` | `and` is written `&&`\n"},
          Case{"fn m() {\n foo(a))\n x\n}", "2:8 `)` closes nothing | remove it, or open it before\n"},
      }) {
    EXPECT_EQ(Complaints(c.text), c.expected) << c.text;
  }
}

TEST(ParserErrors, TwoMistakesGiveTwo) {
  EXPECT_EQ(
      Messages("fn m() {\n x = )\n y = 2\n z = *\n}\nfn () {}\nfn g( {}\n"),
      "2:6 `)` closes nothing\n4:6 expected an expression, found `*`\n7:7 expected a parameter's name, found `{`\n");
}

TEST(ParserErrors, EndAtTwenty) {
  std::string text = "fn m() {\n";
  for (int i = 0; i < 50; ++i) text += "x = )\n";
  EXPECT_EQ(ParseText(text + "}").diagnostics.size(), kDiagnosticsMax);
}

TEST(ParserErrors, NoPrefixOfAProgramIsFatal) {
  const std::string text =
      "#[retry(max=3)]\nimport(f, src.main, 1)\nfn m(a, b) {\n  x = f\"a {b[\"k\"]} c\" |> f(:k -1)\n"
      "  try { for k, v in ({1: [2]}) { } } catch e if e { \"s\" } finally { fn() { -x } }\n}\n";
  for (size_t i = 0; i <= text.size(); ++i) {
    EXPECT_LE(ParseText(text.substr(0, i)).diagnostics.size(), 2u) << text.substr(0, i);
    ParseText(text.substr(i));
    std::string without = text;
    if (i < text.size()) ParseText(without.erase(i, 1));
  }
}

}  // namespace
}  // namespace teal::lang
