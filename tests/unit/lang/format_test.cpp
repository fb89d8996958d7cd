#include "core/lang/format.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <regex>

#include "core/lang/parser.h"

namespace teal::lang {
namespace {

std::string Formatted(const std::string& text) {
  const SourceFile file("a.tl", text);
  Diagnostics diagnostics;
  const auto module = Parse(file, diagnostics);
  EXPECT_FALSE(diagnostics.HasErrors()) << text << RenderText(diagnostics.Take().at(0), false);
  return Format(*module);
}

std::string TreeWithoutSpans(const std::string& text) {
  const SourceFile file("a.tl", text);
  Diagnostics diagnostics;
  const auto module = Parse(file, diagnostics);
  EXPECT_FALSE(diagnostics.HasErrors()) << text << RenderText(diagnostics.Take().at(0), false);
  static const std::regex kSpan(" \\d+:\\d+-\\d+:\\d+\n");
  return std::regex_replace(DumpTree(*module), kSpan, "\n");
}

std::vector<std::string> CommentsOf(const std::string& text) {
  const SourceFile file("a.tl", text);
  Diagnostics diagnostics;
  const auto module = Parse(file, diagnostics);
  std::vector<std::string> found;
  for (const Comment& comment : module->comments) {
    found.emplace_back(text.substr(comment.span.begin, comment.span.end - comment.span.begin));
  }
  std::sort(found.begin(), found.end());
  return found;
}

// The body of a function, formatted.
std::string Body(const std::string& body) {
  const std::string whole = Formatted("fn main() {\n" + body + "\n}");
  const std::string head = "fn main() {\n";
  EXPECT_TRUE(whole.starts_with(head)) << whole;
  std::string out;
  std::string inside = whole.substr(head.size(), whole.size() - head.size() - 2);
  for (size_t at = 0; at < inside.size();) {
    const size_t end = inside.find('\n', at);
    const std::string line = inside.substr(at, end - at);
    out += (line.starts_with("  ") ? line.substr(2) : line) + "\n";
    at = end + 1;
  }
  return out;
}

TEST(Format, Statements) {
  EXPECT_EQ(Body("x=1;y = 2\n\n\n\nz=3;;"), "x = 1\ny = 2\n\nz = 3\n");
  EXPECT_EQ(Body("return"), "return\n");
  EXPECT_EQ(Body("return   [1,2,]"), "return [1, 2]\n");
  EXPECT_EQ(Body("a = b = c"), "a = b = c\n");
}

TEST(Format, ParenthesesOnlyWhereNeeded) {
  EXPECT_EQ(Body("((a) + (b * c)) * (d)"), "(a + b * c) * d\n");
  EXPECT_EQ(Body("(a - b) - c"), "(a - b) - c\n");
  EXPECT_EQ(Body("a - (b - c)"), "a - (b - c)\n");
  EXPECT_EQ(Body("(await f)(x)"), "(await f)(x)\n");
  EXPECT_EQ(Body("await (f(x))"), "await f(x)\n");
  EXPECT_EQ(Body("-(-x)"), "--x\n");
  EXPECT_EQ(Body("!(a == b)"), "!(a == b)\n");
  EXPECT_EQ(Body("(x = 3) + 1"), "(x = 3) + 1\n");
  EXPECT_EQ(Body("(a |> b) || c"), "(a |> b) || c\n");
  EXPECT_EQ(Body("f((:a)(3), (:a) - 3)"), "f((:a)(3), (:a) - 3)\n");
  EXPECT_EQ(Body("if x == ({\"a\": 1}) { 1 }"), "if x == ({\"a\": 1}) { 1 }\n");
  EXPECT_EQ(Body("if f({\"a\": 1}) { 1 }"), "if f({\"a\": 1}) { 1 }\n");
}

TEST(Format, LiteralsKeepTheirSpelling) {
  EXPECT_EQ(Body("[1_000, 0xFF, 1e-3, 1.50, 90m, 1.5s]"), "[1_000, 0xFF, 1e-3, 1.50, 90m, 1.5s]\n");
  EXPECT_EQ(Body("'a'"), "\"a\"\n");
  EXPECT_EQ(Body("'say \"hi\"'"), "'say \"hi\"'\n");
  EXPECT_EQ(Body("\"say \\\"hi\\\"\""), "'say \"hi\"'\n");
  EXPECT_EQ(Body("'it\\'s'"), "\"it's\"\n");
  EXPECT_EQ(Body("'\\x41\\u{1F600}\\n'"), "\"\\x41\\u{1F600}\\n\"\n");
  EXPECT_EQ(Body("f'a {  x } \"'"), "f'a {  x } \"'\n");
}

TEST(Format, SlicesNeverBecomeSymbols) {
  EXPECT_EQ(Body("xs[ : b]"), "xs[: b]\n");
  EXPECT_EQ(Body("xs[:2]"), "xs[:2]\n");
  EXPECT_EQ(Body("xs[a : b]"), "xs[a:b]\n");
  EXPECT_EQ(Body("xs[x |> await : b]"), "xs[x |> await : b]\n");
  EXPECT_EQ(Body("xs[:b]"), "xs[:b]\n");
}

TEST(Format, LongCallsBreakByArgument) {
  const std::string a(40, 'a');
  EXPECT_EQ(Body("f(" + a + ", " + a + ", " + a + ")"), "f(\n  " + a + ",\n  " + a + ",\n  " + a + ",\n)\n");
  EXPECT_EQ(Body("x = " + a + " - " + a + " - " + a), "x = " + a + "\n  - " + a + "\n  - " + a + "\n");
  EXPECT_EQ(Body("map(xs, fn(x) {\ny = x\ny })"), "map(xs, fn(x) {\n  y = x\n  y\n})\n");
}

TEST(Format, CommentsKeepTheirPlace) {
  EXPECT_EQ(Body("// one\nx = 1 // two\n\n// three"), "// one\nx = 1 // two\n\n// three\n");
  EXPECT_EQ(Body("x = [1, // one\n2]"), "x = [\n  1, // one\n  2,\n]\n");
  EXPECT_EQ(Body("x = /* why */ 3"), "x = /* why */ 3\n");
  EXPECT_EQ(Body("xs // the list\n|> f // first\n|> g"), "xs // the list\n  |> f // first\n  |> g\n");
  EXPECT_EQ(Body("if a { // yes\n1 }\n// no\nelse { 2 }"), "if a { // yes\n  1\n} else {\n  // no\n  2\n}\n");
}

TEST(Format, TopLevel) {
  EXPECT_EQ(Formatted("import(f,:python src.main,1);fn a(){1}fn b(x,y,){\nx}\nN=3"),
            "import(f, :python src.main, 1)\n\nfn a() { 1 }\n\nfn b(x, y) {\n  x\n}\n\nN = 3\n");
  EXPECT_EQ(Formatted("#[retry(max = 5, on = ['Timeout'])]\n#[pure()]\nfrom src.main import f , g as h"),
            "#[retry(max=5, on=[\"Timeout\"])]\n#[pure]\nfrom src.main import f, g as h\n");
  EXPECT_EQ(Formatted("import 'lib/util.tl' as util"), "import \"lib/util.tl\" as util\n");
  EXPECT_EQ(Formatted(""), "");
  EXPECT_EQ(Formatted("// only"), "// only\n");
  EXPECT_EQ(Formatted("\xEF\xBB\xBF"
                      "A = 1\r\nB = 2\r\n"),
            "A = 1\nB = 2\n");
}

// Bodies of a function that use every construct, with comments in odd places.
const char* const kBodies[] = {
    "",
    ";",
    "null",
    "true; false",
    "1; 1_000; 0xff; 3.14; 1e-3; 500ms; 1.5s; 2h; 1d",
    "-9223372036854775808",
    "\"a\\n\\t\\\\\"",
    "'it\\'s \"x\"'",
    "\"\\q\"",
    ":sym; :if; f(:sym)",
    "[]; [1,]; [1, [2, [3]]]",
    "{}; {1: 2,}",
    "{\"a\":x, :b: 2, [1]: {}}",
    "x = y = 3",
    "a || b && c == d != e < f <= g > h >= i + j - k * l / m % n",
    "(a || b) && (c == (d < e))",
    "a - (b - c) - (d + e)",
    "(a + b) + c",
    "a / (b * c)",
    "- -x; !(!x); -(x + y)",
    "async f(x); await async f(x); await all([async f(1), async f(2)])",
    "await x |> g",
    "x |> await",
    "x |> await |> f(y) |> g",
    "(x |> f) |> g",
    "x = a |> b(1, :k 2)",
    "f(:size 3); f(:size -3); f(:size); f(:size, 3)",
    "f(:a :b); f(:a == x); f(:k [1]); f(:k (1 + 2)); f(:k x = 3)",
    "f(1)(2)[3].x.if",
    "xs[1]; xs[-1]; xs[a:b]; xs[:]",
    "xs[a:]; xs[:2]; xs[ : b]; xs[:b]; xs[f(x):y + 1]; xs[a::b]",
    "f\"total {n} in {h.place}\"",
    "f'{{a}} {h[\"k\"]} {f\"{x}\"} \\u{1F600}'",
    "f\"{ {\"a\": \"}\"}[\"a\"] }\"",
    "fn(a) { a }",
    "lambda(a, b) {\na\nb\n}",
    "g = fn() {}",
    "(fn(a) { a })(3)",
    "fn(a) { a }(3)",
    "if a {}",
    "if a { 1 } else { 2 }",
    "if a {\n1\n} else if b {\n2\n}\nelse\n{ 3 }",
    "x = if a { 1 } else { 2 } + 3",
    "if (a) { 1 }\n(b)\n[c]",
    "if x == ({}) { 1 }",
    "while ({\"a\": 1}).a { break }",
    "for x in xs { continue }",
    "for k, v in h\n{ print(k) }",
    "for x in [1, 2] {\n if x { break }\n}",
    "while true { return 3 }",
    "try { f() } catch e if e.kind == \"x\" { 1 } catch { 2 } finally { 3 }",
    "try {\nf()\n} finally {\ng()\n}",
    "try { 1 } catch e if e == ({}) { 2 }",
    "return",
    "return {\"a\": 1}",
    "return // why\n",
    "x\n- y",
    "x\n-y",
    "a;\n-b",
    "x\n+ y",
    "x\n|> f\n|> g",
    "x\n.y\n.z()",
    "x =\n3",
    "f(a,\nb\n)",
    "x\n(y)",
    "x\n[y]",
    "{\"a\": 1}",
    "(-x)",
    "({})",
    "x = /* a */ 3 /* b */ // c",
    "/* a */ x /* b */ + /* c */ y /* d */",
    "f(/* none */)",
    "f(a /* x */, /* y */ b)",
    "f(a, // one\nb // two\n// three\n)",
    "[// empty\n]",
    "{ // h\n\"a\": // key\n1 }",
    "x = // why\nf(a, b)",
    "a + // one\nb // two\n+ c // three",
    "(a // in\n)",
    "((// deep\na))",
    "fn(a, // first\nb) { a }",
    "if a // cond\n{ 1 } /* x */ else /* y */ { 2 } // end",
    "if /* c */ a { /* only */ }",
    "{ /* e */ }",
    "xs[/* i */ 1 // one\n]",
    "x = /* multi\nline */ 3",
    "f(fn() { // open\n1 // one\n})",
    "try // t\n{ 1 }\n// c\ncatch e { 2 }",
    "return /* v */ 3",
    "x |> /* s */ f // f\n// own\n|> g // g",
    "a.b // c\n.d",
    "f(a.b // c\n.d, e)",
    "xs |> map(fn(x) {\n// c\nx\n}) |> filter(fn(y) { y })",
    "async /* w */ f()",
    "a + b.c // c1\n.d",
    "// a\n\n\n\n// b\nx\n\n// c\n",
    "x // a\n// b\n\n\n// c",
    "/* a */ /* b */ x /* c */ /* d */",
    "map = 3; wait = 4; not = map(wait); type?",
    "- x - -y\n - z",
    "very_long_function_name(aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa, bbbbbbbbbbbbbbbbbbbbbbbbbbbbb, [ccccccccccccccc, "
    "ddddddddddd])",
    "x = aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa && bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb || "
    "ccccccccccccccccccccccccccccc",
    "x = {\"aaaaaaaaaaaaaaaaaaaaaaaa\": bbbbbbbbbbbbbbbbbbbbbbbbbbbbb, \"ccccccccccccccccccccc\": fn(x) { "
    "ddddddddddddddddddd(x) }}",
    "if aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa == ({\"bbbbbbbbbbbbbbbbbbbbbbbbbb\": 1}) && "
    "ccccccccccccccccccccccccccccccc { 1 }",
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa |> bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb(1) |> ccccccccccccccccccccccccc |> "
    "await",
    "x = if aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa { bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb } else { "
    "ccccccccccccc }",
};

const char* const kPrograms[] = {
    "import(f, src.main, 1)",
    "import(f, :python src.main, 1,)",
    "import(f, src.main, 0x2, local)",
    "import(f, src.main)",
    "import(f, src.main, local)",
    "import(f /* c */, src.main // d\n)",
    "import \"lib/util.tl\" as util // u",
    "from src.main import f, g as h",
    "#[timeout(30s)] #[rate(100, per=1m, key=customer)]\n// note\nfn f(customer) { 1 }",
    "A = 1; B = -2\n\n\nC = {\"a\": [1]}",
    "fn a() { 1 } fn b() { 2 }",
    "// head\n\nfn a() {} // tail\n// more\n\n\n// end",
    "fn a(// none\n) {}",
    "fn a(b,\n// c\nd) // e\n{ b }",
    "#[pure]\n\n// between\n#[retry] // r\nfn a() {}",
    "print(1)\n(2)",
};

void ExpectSameMeaning(const std::string& text) {
  const std::string once = Formatted(text);
  EXPECT_EQ(TreeWithoutSpans(once), TreeWithoutSpans(text)) << text << "\n---\n" << once;
  EXPECT_EQ(Formatted(once), once) << text;
  EXPECT_EQ(CommentsOf(once), CommentsOf(text)) << text << "\n---\n" << once;
}

TEST(FormatProperty, KeepsTreeAndCommentsAndIsIdempotent) {
  for (const char* const body : kBodies) ExpectSameMeaning(std::string("fn main(a) {\n") + body + "\n}\n");
  for (const char* const program : kPrograms) ExpectSameMeaning(program);
}

TEST(FormatProperty, HoldsForTheBodiesInsideOtherConstructs) {
  for (const char* const body : kBodies) {
    const std::string inner = std::string("{\n") + body + "\n}";
    ExpectSameMeaning("fn main() { x = [1, fn(a) " + inner + ", 2] }");
    ExpectSameMeaning("fn main() { if a " + inner + " else " + inner + " }");
    ExpectSameMeaning("fn main() { y = 1 + f(x, fn() " + inner + ") |> g }");
  }
}

TEST(DumpTree, PrintsANodeALineWithItsSpan) {
  const SourceFile file("a.tl", "A = 1 +\n  -2");
  Diagnostics diagnostics;
  EXPECT_EQ(DumpTree(*Parse(file, diagnostics)),
            "module 1:1-2:5\n"
            "  constant A 1:1-2:5\n"
            "    binary + 1:5-2:5\n"
            "      int 1 1:5-1:6\n"
            "      unary - 2:3-2:5\n"
            "        int 2 2:4-2:5\n");
}

}  // namespace
}  // namespace teal::lang
