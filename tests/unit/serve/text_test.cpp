// Durations, times, percent-encoding and JSON strings of the control API.
#include "core/serve/text.h"

#include <gtest/gtest.h>

namespace teal::serve {
namespace {

TEST(Duration, UnitsAndWhatIsNone) {
  EXPECT_EQ(ParseDuration("0"), 0u);
  EXPECT_EQ(ParseDuration("500ms"), 500'000'000u);
  EXPECT_EQ(ParseDuration("1.5s"), 1'500'000'000u);
  EXPECT_EQ(ParseDuration("10m"), 600'000'000'000u);
  EXPECT_EQ(ParseDuration("2h"), 7'200'000'000'000u);
  EXPECT_EQ(ParseDuration("1d"), 86'400'000'000'000u);
  for (const char* text :
       {"", "5", "s", "-1s", "+1s", "1 s", "1e3s", "1sx", "1us", "infs", "nans", "0x1s", "200000000000d"}) {
    EXPECT_EQ(ParseDuration(text), std::nullopt) << text;
  }
}

TEST(Time, WrittenAndReadBack) {
  EXPECT_EQ(FormatTime(0), "1970-01-01T00:00:00.000000Z");
  EXPECT_EQ(FormatTime(1'769'853'600'123'456'789), "2026-01-31T10:00:00.123456Z");
  EXPECT_EQ(ParseTime("2026-01-31T10:00:00.123456789Z"), 1'769'853'600'123'456'789u);
  EXPECT_EQ(ParseTime("2026-01-31t12:00:00+02:00"), 1'769'853'600'000'000'000u);
  EXPECT_EQ(ParseTime("2024-02-29T00:00:00Z"), 1'709'164'800'000'000'000u);
  for (const char* text :
       {"", "2026", "2026-01-31", "2026-01-31T10:00Z", "2026-01-31T10:00:00", "2026-02-29T00:00:00Z",
        "2026-13-01T00:00:00Z", "2026-01-31T24:00:00Z", "2026-01-31T10:00:00+2:00", "2026-01-31T10:00:00.Z",
        "1969-12-31T23:59:59Z", "2026-01-31T10:00:00Zx", "1970-01-01T00:00:00+01:00"}) {
    EXPECT_EQ(ParseTime(text), std::nullopt) << text;
  }
}

TEST(Percent, DecodesAndRefuses) {
  EXPECT_EQ(PercentDecode("a%20b+%C3%A4", true), "a b \xc3\xa4");
  EXPECT_EQ(PercentDecode("a+b", false), "a+b");
  for (const char* text : {"%", "%1", "%zz", "%00", "%ff", "%C3", "x%4"}) {
    EXPECT_EQ(PercentDecode(text, false), std::nullopt) << text;
  }
  EXPECT_EQ(PercentEncode("a b/\xc3\xa4~"), "a%20b%2F%C3%A4~");
  EXPECT_EQ(PercentDecode(PercentEncode("%+&=#?/ \xe2\x82\xac"), true), "%+&=#?/ \xe2\x82\xac");
}

TEST(Json, StringsOfAnyBytes) {
  EXPECT_EQ(JsonOf("a\"\\\n\t\x01\x7f"), "\"a\\\"\\\\\\n\\u0009\\u0001\\u007f\"");
  EXPECT_EQ(JsonOf("\xe2\x82\xac\xf0\x9f\x98\x80"), "\"\xe2\x82\xac\xf0\x9f\x98\x80\"");
  EXPECT_EQ(JsonOf("a\xff\xe2\x82z"), "\"a\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbdz\"");
  EXPECT_EQ(JsonOrNull(""), "null");
}

TEST(Compare, ConstantTime) {
  EXPECT_TRUE(EqualInConstantTime("", ""));
  EXPECT_TRUE(EqualInConstantTime("abc", "abc"));
  EXPECT_FALSE(EqualInConstantTime("abc", "abd"));
  EXPECT_FALSE(EqualInConstantTime("abc", "ab"));
  EXPECT_FALSE(EqualInConstantTime("bbc", "abc"));
}

}  // namespace
}  // namespace teal::serve
