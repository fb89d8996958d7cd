#include "core/lang/diagnostic.h"

#include <gtest/gtest.h>

namespace teal::lang {
namespace {

TEST(SourceFile, CountsLinesAndColumnsInScalarValues) {
  const SourceFile file("a.tl", "ab\näö€x\r\n\nend");
  EXPECT_EQ(file.LineCount(), 4u);
  EXPECT_EQ(file.Line(2), "äö€x");
  EXPECT_EQ(file.Line(3), "");
  EXPECT_EQ(file.Line(4), "end");
  EXPECT_EQ(file.Line(0), "");
  EXPECT_EQ(file.Line(5), "");
  const uint32_t x = static_cast<uint32_t>(file.text().find('x'));
  EXPECT_EQ(file.At(x).line, 2u);
  EXPECT_EQ(file.At(x).column, 4u);
  EXPECT_EQ(file.At(1000).line, 4u);
  EXPECT_EQ(file.At(1000).column, 4u);
}

TEST(SourceFile, CountsColumnsOfLongLinesFromPlacesNearby) {
  // Lines of scalar values of 1, 2 and 3 bytes, shorter and longer than the distance of what is known of them.
  std::string text;
  std::vector<Position> expected;
  for (uint32_t line = 1; line <= 8; ++line) {
    const uint32_t scalars = line % 2 == 0 ? 7 : line * 900;
    for (uint32_t column = 1; column <= scalars; ++column) {
      const std::string_view scalar = column % 3 == 0 ? "ä" : column % 5 == 0 ? "€" : "x";
      expected.resize(text.size(), {0, 0});  // within a scalar value
      text += scalar;
      expected.push_back({line, column});
    }
    expected.resize(text.size(), {0, 0});
    expected.push_back({line, scalars + 1});
    text += '\n';
  }
  const SourceFile file("a.tl", text);
  for (uint32_t offset = 0; offset < text.size(); ++offset) {
    if (expected[offset].line == 0) continue;
    const Position found = file.At(offset);
    ASSERT_EQ(found.line, expected[offset].line) << offset;
    ASSERT_EQ(found.column, expected[offset].column) << offset;
  }
  EXPECT_EQ(file.At(static_cast<uint32_t>(text.size())).line, 9u);
}

TEST(SourceFile, AnEmptyFileHasOneEmptyLine) {
  const SourceFile file("a.tl", "");
  EXPECT_EQ(file.LineCount(), 1u);
  EXPECT_EQ(file.At(0).line, 1u);
  EXPECT_EQ(file.At(0).column, 1u);
}

TEST(Diagnostics, AreSortedByFirstFileAndPosition) {
  const SourceFile a("a.tl", "one two three");
  const SourceFile b("b.tl", "four");
  Diagnostics diagnostics;
  diagnostics.Error(b, {0, 4}, "b", "h");
  diagnostics.Error(a, {8, 13}, "a3", "h");
  diagnostics.Warning(a, {0, 3}, "a1", "");
  const auto taken = diagnostics.Take();
  ASSERT_EQ(taken.size(), 3u);
  EXPECT_EQ(taken[0].message, "b");
  EXPECT_EQ(taken[1].message, "a1");
  EXPECT_EQ(taken[2].message, "a3");
  EXPECT_FALSE(diagnostics.HasErrors());
}

TEST(Diagnostics, OnePlaceGivesOneAndTheErrorStays) {
  const SourceFile a("a.tl", "one two");
  Diagnostics diagnostics;
  diagnostics.Warning(a, {4, 7}, "warning", "");
  diagnostics.Error(a, {4, 7}, "first", "h");
  diagnostics.Error(a, {4, 5}, "second", "h");
  const auto taken = diagnostics.Take();
  ASSERT_EQ(taken.size(), 1u);
  EXPECT_EQ(taken[0].message, "first");
}

TEST(Diagnostics, StopAtTwentyErrors) {
  const SourceFile a("a.tl", std::string(100, 'x'));
  Diagnostics diagnostics;
  for (uint32_t i = 0; i < 19; ++i) diagnostics.Error(a, {i, i + 1}, "e", "h");
  EXPECT_FALSE(diagnostics.Full());
  diagnostics.Error(a, {19, 20}, "e", "h");
  EXPECT_TRUE(diagnostics.Full());
  diagnostics.Error(a, {20, 21}, "e", "h");
  EXPECT_EQ(diagnostics.Take().size(), kDiagnosticsMax);
}

std::string Rendered(const std::string& text, Span span, bool color = false) {
  const SourceFile file("a.tl", text);
  Diagnostics diagnostics;
  diagnostics.Error(file, span, "wrong", "fix it");
  return RenderText(diagnostics.Take().at(0), color);
}

TEST(RenderText, UnderlinesTheSpan) {
  EXPECT_EQ(Rendered("x = foo\n", {4, 7}), "a.tl:1:5: error: wrong\nx = foo\n    ^~~\nhint: fix it\n");
}

TEST(RenderText, KeepsTabsBeforeTheCaret) {
  EXPECT_EQ(Rendered("\tx\tfoo", {3, 6}), "a.tl:1:4: error: wrong\n\tx\tfoo\n\t \t^~~\nhint: fix it\n");
}

TEST(RenderText, CountsMultiByteTextAsColumns) {
  EXPECT_EQ(Rendered("\"äö€\" é", {10, 12}), "a.tl:1:7: error: wrong\n\"äö€\" é\n      ^\nhint: fix it\n");
}

TEST(RenderText, ASpanOverLinesIsUnderlinedToTheEndOfItsFirst) {
  EXPECT_EQ(Rendered("ab cd\nef", {3, 8}), "a.tl:1:4: error: wrong\nab cd\n   ^~\nhint: fix it\n");
}

TEST(RenderText, AtTheEndOfTheFileTheCaretStandsBehindTheLine) {
  EXPECT_EQ(Rendered("ab", {2, 2}), "a.tl:1:3: error: wrong\nab\n  ^\nhint: fix it\n");
}

TEST(RenderText, ShowsOnlyPartOfALongLine) {
  const std::string shown = Rendered(std::string(5000, 'x') + "y" + std::string(5000, 'z'), {5000, 5001});
  EXPECT_LT(shown.size(), 1000u);
  const size_t line = shown.find('\n') + 1;
  const size_t caret = shown.find('^');
  const size_t caret_line = shown.rfind('\n', caret) + 1;
  EXPECT_EQ(shown[line + (caret - caret_line)], 'y');
}

TEST(RenderText, Colours) {
  EXPECT_EQ(Rendered("ab", {0, 2}, true),
            "\x1b[1ma.tl:1:1: \x1b[31merror: \x1b[0mwrong\nab\n\x1b[31m^~\x1b[0m\nhint: fix it\n");
}

TEST(RenderText, WithoutALineThereIsNoCaret) {
  Diagnostics diagnostics;
  diagnostics.ErrorAt("a.tl", {1, 1}, "is a folder", "name a file");
  EXPECT_EQ(RenderText(diagnostics.Take().at(0), false), "a.tl:1:1: error: is a folder\nhint: name a file\n");
}

TEST(RenderJson, IsOneLineInTheFixedOrderWhateverTheBytes) {
  Diagnostic diagnostic;
  diagnostic.severity = Severity::kWarning;
  diagnostic.file = "a\xFF.tl";
  diagnostic.position = {3, 7};
  diagnostic.message = "say \"x\"\n";
  EXPECT_EQ(RenderJson(diagnostic),
            "{\"file\":\"a\uFFFD.tl\",\"line\":3,\"col\":7,\"severity\":\"warning\","
            "\"message\":\"say \\\"x\\\"\\n\",\"hint\":\"\"}");
}

}  // namespace
}  // namespace teal::lang
