#include "core/lang/lexer.h"

#include <gtest/gtest.h>

#include "core/lang/lexer_literal.h"

namespace teal::lang {
namespace {

struct Lexed {
  std::vector<TokenKind> kinds;
  std::vector<std::string> texts;
  std::vector<Comment> comments;
  std::vector<Diagnostic> diagnostics;
};

Lexed Lex(const std::string& text) {
  const SourceFile file("a.tl", text);
  Diagnostics diagnostics;
  Lexed lexed;
  Lexer lexer(file, diagnostics, lexed.comments);
  for (Token token = lexer.Next(0); token.kind != TokenKind::kEnd; token = lexer.Next(token.end)) {
    lexed.kinds.push_back(token.kind);
    lexed.texts.push_back(text.substr(token.begin, token.end - token.begin));
  }
  lexed.diagnostics = diagnostics.Take();
  return lexed;
}

TEST(Lexer, OnlyTheBaseWordsAreKeywords) {
  for (const std::string word :
       {"fn", "lambda", "if", "else",  "async", "await",    "true",   "false", "null",  "import", "from",
        "as", "for",    "in", "while", "break", "continue", "return", "try",   "catch", "finally"}) {
    const TokenKind kind = ClassifyWord(word);
    EXPECT_TRUE(IsKeyword(kind)) << word;
    EXPECT_EQ(Spelling(kind), word);
    EXPECT_EQ(ClassifyWord(word + "x"), TokenKind::kName);
    EXPECT_EQ(Lex(word + "?").kinds, std::vector{TokenKind::kName});
  }
  for (const char* word : {"map", "wait", "not", "raise", "If", "i", "f", "fo", "whilst", "_", "asyncs", "z"}) {
    EXPECT_EQ(ClassifyWord(word), TokenKind::kName) << word;
  }
}

TEST(Lexer, Punctuation) {
  const Lexed lexed = Lex("( ) [ ] { } , ; : . = |> ! #[ || && == != < <= > >= + - * / %");
  EXPECT_TRUE(lexed.diagnostics.empty());
  ASSERT_EQ(lexed.kinds.size(), 27u);
  for (size_t i = 0; i < lexed.kinds.size(); ++i) EXPECT_EQ(Spelling(lexed.kinds[i]), lexed.texts[i]);
}

TEST(Lexer, CommentsAreGatheredOnce) {
  const std::string text = "a // one  \n/* two\n */ b /* three */";
  const SourceFile file("a.tl", text);
  Diagnostics diagnostics;
  std::vector<Comment> comments;
  Lexer lexer(file, diagnostics, comments);
  EXPECT_TRUE(lexer.Next(1).newline_before);
  EXPECT_TRUE(lexer.Next(1).newline_before);
  lexer.Next(static_cast<uint32_t>(text.find('b')) + 1);
  ASSERT_EQ(comments.size(), 3u);
  EXPECT_EQ(text.substr(comments[0].span.begin, comments[0].span.end - comments[0].span.begin), "// one");
  EXPECT_FALSE(comments[0].block);
  EXPECT_TRUE(comments[1].block);
}

TEST(Lexer, Numbers) {
  struct Case {
    const char* text;
    TokenKind kind;
  };
  for (const Case& c :
       {Case{"42", TokenKind::kInt}, Case{"1_000", TokenKind::kInt}, Case{"0xff_0", TokenKind::kInt},
        Case{"9223372036854775808", TokenKind::kInt}, Case{"3.14", TokenKind::kFloat}, Case{"1e-3", TokenKind::kFloat},
        Case{"2E+5", TokenKind::kFloat}, Case{"007", TokenKind::kInt}, Case{"500ms", TokenKind::kDuration},
        Case{"1.5s", TokenKind::kDuration}, Case{"1d", TokenKind::kDuration}, Case{"1e-400", TokenKind::kFloat}}) {
    const Lexed lexed = Lex(c.text);
    EXPECT_EQ(lexed.kinds, std::vector{c.kind}) << c.text;
    EXPECT_TRUE(lexed.diagnostics.empty()) << c.text;
  }
  EXPECT_EQ(Lex("1.x").kinds, (std::vector{TokenKind::kInt, TokenKind::kDot, TokenKind::kName}));
  EXPECT_EQ(DecodeInt("1_000"), 1000u);
  EXPECT_EQ(DecodeInt("0x7fff_ffff_ffff_ffff"), 0x7fffffffffffffffu);
  EXPECT_EQ(DecodeFloat("1_0.5e1"), 105.0);
  EXPECT_EQ(DecodeFloat("1e-400"), 0.0);
}

TEST(Lexer, BadNumbers) {
  struct Case {
    const char* text;
    const char* message;
  };
  for (const Case& c :
       {Case{"1__0", "misplaced `_` in a number"}, Case{"1_", "misplaced `_` in a number"},
        Case{"0x", "a hexadecimal number needs digits after `0x`"}, Case{"0xfg", "`g` is no hexadecimal digit"},
        Case{"12abc", "`12abc` is neither a number nor a name"}, Case{"0b11", "`0b11` is no number"},
        Case{"1e", "the exponent of `1e` has no digits"}, Case{"1.2.3", "a number has one decimal point"},
        Case{"9223372036854775809", "integer literal does not fit 64 bits"},
        Case{"0x8000000000000001", "integer literal does not fit 64 bits"},
        Case{"1e999", "number too large for a float"}, Case{"9e18d", "duration too long"}}) {
    const Lexed lexed = Lex(c.text);
    EXPECT_EQ(lexed.kinds, std::vector{TokenKind::kBadNumber}) << c.text;
    ASSERT_EQ(lexed.diagnostics.size(), 1u) << c.text;
    EXPECT_EQ(lexed.diagnostics[0].message, c.message);
    EXPECT_FALSE(lexed.diagnostics[0].hint.empty());
    EXPECT_EQ(lexed.diagnostics[0].width, std::string(c.text).size());
  }
}

TEST(Lexer, DurationsAreExactSeconds) {
  EXPECT_EQ(DecodeDuration("10m").whole_seconds, 600);
  EXPECT_EQ(DecodeDuration("1d").whole_seconds, 86400);
  EXPECT_EQ(DecodeDuration("2000ms").whole_seconds, 2);
  EXPECT_TRUE(DecodeDuration("1.1m").integral);
  EXPECT_EQ(DecodeDuration("1.1m").whole_seconds, 66);
  EXPECT_FALSE(DecodeDuration("500ms").integral);
  EXPECT_EQ(DecodeDuration("500ms").seconds, 0.5);
  EXPECT_EQ(DecodeDuration("1e1s").whole_seconds, 10);
}

std::string Decoded(const std::string& inside, std::vector<Diagnostic>* found = nullptr, bool format = false) {
  const SourceFile file("a.tl", inside);
  Diagnostics diagnostics;
  std::string decoded = DecodeString(file, {0, static_cast<uint32_t>(inside.size())}, format, diagnostics);
  const auto taken = diagnostics.Take();
  if (found != nullptr) {
    *found = taken;
  } else {
    EXPECT_TRUE(taken.empty()) << inside;
  }
  return decoded;
}

TEST(Strings, Escapes) {
  EXPECT_EQ(Decoded("\\n\\t\\r\\\\\\\"\\'"), "\n\t\r\\\"'");
  EXPECT_EQ(Decoded("a\\0b"), std::string("a\0b", 3));
  EXPECT_EQ(Decoded("\\x41\\xe9"), "Aé");
  EXPECT_EQ(Decoded("\\u00e9\\u20AC\\u{1F600}\\u{10FFFF}"), "é€😀\xF4\x8F\xBF\xBF");
  EXPECT_EQ(Decoded("{{x}}", nullptr, true), "{x}");
}

TEST(Strings, AnUnknownEscapeStaysWithAWarning) {
  std::vector<Diagnostic> found;
  EXPECT_EQ(Decoded("a\\é\\q", &found), "a\\é\\q");
  ASSERT_EQ(found.size(), 2u);
  EXPECT_EQ(found[0].severity, Severity::kWarning);
  EXPECT_EQ(found[0].message, "unknown escape `\\é` stays as written");
  EXPECT_EQ(found[0].position.column, 2u);
  EXPECT_EQ(found[0].width, 2u);
}

TEST(Strings, MalformedEscapesAreErrors) {
  struct Case {
    const char* text;
    const char* message;
  };
  for (const Case& c :
       {Case{"\\u{D800}", "a surrogate is no character"}, Case{"\\udfff", "a surrogate is no character"},
        Case{"\\u{110000}", "no character has this number"},
        Case{"\\u{999999999999999}", "no character has this number"},
        Case{"\\u{}", "`\\u{` needs hexadecimal digits and a closing brace"},
        Case{"\\u12", "`\\u` needs four hexadecimal digits or braces"},
        Case{"\\x1", "`\\x` needs two hexadecimal digits"}}) {
    std::vector<Diagnostic> found;
    Decoded(c.text, &found);
    ASSERT_EQ(found.size(), 1u) << c.text;
    EXPECT_EQ(found[0].message, c.message);
    EXPECT_EQ(found[0].severity, Severity::kError);
  }
}

TEST(Lexer, AnUnterminatedStringLeavesTheClosersOfItsLine) {
  const Lexed lexed = Lex("print(\"abc);\nx");
  EXPECT_EQ(lexed.texts, (std::vector<std::string>{"print", "(", "\"abc", ")", ";", "x"}));
  ASSERT_EQ(lexed.diagnostics.size(), 1u);
  EXPECT_EQ(lexed.diagnostics[0].message, "unterminated string");
  EXPECT_EQ(lexed.diagnostics[0].hint, "close it with `\"` on its line; a new line inside is written `\\n`");
  EXPECT_EQ(lexed.diagnostics[0].position.column, 7u);
}

TEST(Lexer, AnUnterminatedCommentIsReportedAtItsBeginning) {
  const Lexed lexed = Lex("a /* b");
  ASSERT_EQ(lexed.diagnostics.size(), 1u);
  EXPECT_EQ(lexed.diagnostics[0].message, "unterminated comment");
  EXPECT_EQ(lexed.diagnostics[0].position.column, 3u);
}

TEST(Lexer, OddCharactersHaveHints) {
  struct Case {
    const char* text;
    const char* message;
    const char* hint;
  };
  for (const Case& c :
       {Case{"&", "unexpected character `&`", "`and` is written `&&`"},
        Case{"|", "unexpected character `|`", "`or` is written `||`, a pipe `|>`"},
        Case{"# x", "unexpected character `#`", "comments begin with `//`, attributes with `#[`"},
        Case{"“a”", "unexpected character `“`", "strings are written with the straight quotes `\"` or `'`"},
        Case{"^", "unexpected character `^`", "for powers call `pow(a, b)`"},
        Case{"\xC2\xA0", "unexpected invisible character", "replace it by a plain space"},
        Case{"\x01", "unexpected control character U+0001",
             "remove it; inside a string write it as an escape, e.g. `\\x00`"},
        Case{"é", "unexpected character `é`",
             "names are made of the letters A to Z, digits and `_`; other characters belong in strings or comments"}}) {
    const Lexed lexed = Lex(c.text);
    ASSERT_GE(lexed.diagnostics.size(), 1u) << c.text;
    EXPECT_EQ(lexed.diagnostics[0].message, c.message);
    EXPECT_EQ(lexed.diagnostics[0].hint, c.hint);
  }
}

}  // namespace
}  // namespace teal::lang
