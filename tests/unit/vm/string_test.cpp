// Strings: UTF-8, slices and indexes by scalar value, growing in place.
#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

#include "core/vm/string_base64.h"
#include "core/vm/string_text.h"
#include "core/vm/value.h"
#include "core/vm/value_inline.h"

namespace teal::vm {
namespace {

std::string Encode(const std::vector<char32_t>& scalars) {
  std::string out;
  for (char32_t c : scalars) AppendScalar(c, &out);
  return out;
}

char32_t RandomScalar(std::mt19937& random, bool ascii) {
  if (ascii) return random() % 128;
  switch (random() % 4) {
    case 0:
      return random() % 128;
    case 1:
      return 0x80 + random() % (0x800 - 0x80);
    case 2:
      return 0xE000 + random() % 0x1000;
    default:
      return 0x10000 + random() % 0x100000;
  }
}

TEST(StringTest, RandomOperationsAgreeWithAModelAndCopiesNeverAlias) {
  for (uint32_t seed = 0; seed < 200; seed++) {
    std::mt19937 random(seed);
    bool ascii = seed % 2 == 0;
    Value string = MakeString("");
    std::vector<char32_t> model;
    std::vector<std::pair<Value, std::string>> copies;
    for (int step = 0; step < 100; step++) {
      switch (random() % 4) {
        case 0: {
          std::vector<char32_t> more;
          for (size_t n = random() % 20; n > 0; n--) more.push_back(RandomScalar(random, ascii));
          string = StringAppend(std::move(string), Encode(more));
          model.insert(model.end(), more.begin(), more.end());
          break;
        }
        case 1: {
          size_t from = random() % (model.size() + 1);
          size_t to = from + random() % (model.size() - from + 1);
          Value slice = StringSlice(string, from, to);
          std::vector<char32_t> part(model.begin() + static_cast<ptrdiff_t>(from),
                                     model.begin() + static_cast<ptrdiff_t>(to));
          ASSERT_EQ(slice.Text(), Encode(part));
          ASSERT_EQ(slice.As<String>()->length, part.size());
          if (random() % 4 == 0) {
            string = slice;
            model = part;
          }
          break;
        }
        case 2:
          if (!model.empty()) {
            size_t at = random() % model.size();
            Value one = StringAt(string, at);
            ASSERT_EQ(one.Text(), Encode({model[at]}));
            ASSERT_EQ(one.As<String>()->length, 1u);
          }
          break;
        default:
          copies.push_back({string, Encode(model)});
      }
      ASSERT_EQ(string.Text(), Encode(model));
      ASSERT_EQ(string.As<String>()->length, model.size());
      uint64_t position = 0;
      for (char32_t c : model) ASSERT_EQ(StringNext(*string.As<String>(), &position).Text(), Encode({c}));
      ASSERT_EQ(position, string.Text().size());
    }
    for (auto& [copy, expected] : copies) ASSERT_EQ(copy.Text(), expected);
  }
}

TEST(StringTest, AppendingToASoleOwnerIsAmortised) {
  Value string = MakeString("");
  int moved = 0;
  for (int i = 0; i < 100000; i++) {
    uint64_t capacity = string.As<String>()->capacity;
    string = StringAppend(std::move(string), "x");
    moved += string.As<String>()->capacity != capacity ? 1 : 0;
  }
  EXPECT_LT(moved, 30);
  EXPECT_EQ(string.As<String>()->length, 100000u);
}

TEST(StringTest, Utf8Validity) {
  for (const char* good :
       {"", "a", "é", "€", "😀", "\xF4\x8F\xBF\xBF", "\xEE\x80\x80", "\xED\x9F\xBF", "aaaaaaaaaaaaaaaé"}) {
    EXPECT_TRUE(IsValidUtf8(good)) << good;
  }
  for (const char* bad :
       {"\x80", "\xC0\x80", "\xC1\xBF", "\xE0\x9F\xBF", "\xED\xA0\x80", "\xF0\x8F\xBF\xBF", "\xF4\x90\x80\x80",
        "\xF5\x80\x80\x80", "\xFF", "\xC3", "\xE2\x82", "\xF0\x9F\x98", "\xE2\x28\xA1", "aaaaaaaa\xC3"}) {
    EXPECT_FALSE(IsValidUtf8(bad));
  }
  // Every scalar value is valid and comes back.
  for (char32_t c = 0; c <= 0x10FFFF; c += c < 0x3000 ? 1 : 97) {
    if (c >= 0xD800 && c <= 0xDFFF) continue;
    std::string text;
    AppendScalar(c, &text);
    ASSERT_TRUE(IsValidUtf8(text)) << static_cast<uint32_t>(c);
    size_t bytes;
    ASSERT_EQ(FrontScalar(text, &bytes), c);
    ASSERT_EQ(bytes, text.size());
  }
}

TEST(StringTest, BytesCountBytes) {
  Value bytes = MakeBytes("\xC3\xA9\xFF");
  EXPECT_EQ(bytes.As<String>()->length, 3u);
  EXPECT_EQ(StringAt(bytes, 2).AsInt(), 255);
  EXPECT_EQ(StringSlice(bytes, 1, 2).Text(), "\xA9");
  EXPECT_EQ(StringSlice(bytes, 1, 2).tag(), Tag::kBytes);
  bytes = StringAppend(std::move(bytes), "\x80");
  EXPECT_EQ(bytes.As<String>()->length, 4u);
}

TEST(StringTest, CaseAndSpace) {
  EXPECT_EQ(UpperOf('a'), U'A');
  EXPECT_EQ(UpperOf(U'é'), U'É');
  EXPECT_EQ(UpperOf(U'ß'), U'ß');
  EXPECT_EQ(UpperOf(U'ÿ'), U'Ÿ');
  EXPECT_EQ(LowerOf(U'Ж'), U'ж');
  EXPECT_EQ(LowerOf(U'Ω'), U'ω');
  EXPECT_EQ(LowerOf(U'5'), U'5');
  EXPECT_EQ(UpperOf(0x10FFFF), char32_t{0x10FFFF});
  EXPECT_EQ(TrimSpace(" \t\u00a0x y\u3000\n"), "x y");
  EXPECT_EQ(TrimSpace(" \u2003 "), "");
}

TEST(StringTest, Base64) {
  const std::pair<std::string, std::string> pairs[] = {{"", ""},
                                                       {"f", "Zg=="},
                                                       {"fo", "Zm8="},
                                                       {"foo", "Zm9v"},
                                                       {"foob", "Zm9vYg=="},
                                                       {"fooba", "Zm9vYmE="},
                                                       {"foobar", "Zm9vYmFy"},
                                                       {"\xff\xfe\xfd", "//79"}};
  for (auto& [bytes, text] : pairs) {
    std::string encoded;
    AppendBase64(bytes, &encoded);
    EXPECT_EQ(encoded, text);
    std::string decoded;
    EXPECT_TRUE(DecodeBase64(text, &decoded));
    EXPECT_EQ(decoded, bytes);
  }
  std::string decoded;
  for (const char* bad : {"Zg", "Zg=", "Zh==", "Zm9=", "Z===", "====", "Zg==Zg==", "Zm9v\n", "Zm-v", "=Zg="}) {
    EXPECT_FALSE(DecodeBase64(bad, &decoded)) << bad;
  }
}

}  // namespace
}  // namespace teal::vm
