// Sealed values: what they hide, what they refuse.
#include "core/serve/seal.h"

#include <gtest/gtest.h>

#include <set>

namespace teal::serve {
namespace {

constexpr char kHexKey[] = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
constexpr char kBase64Key[] = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";  // the same
constexpr char kOtherKey[] = "ff0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
const runtime::record::Key kPlace{"abcdefghijklmnopqrstuvwxyz", "s"};

SealKey KeyOf(std::string_view text) {
  return SealKey::Parse(text).value();
}

std::string FromHex(std::string_view digits) {
  std::string out;
  for (size_t i = 0; i < digits.size(); i += 2) {
    out += static_cast<char>(std::stoi(std::string(digits.substr(i, 2)), nullptr, 16));
  }
  return out;
}

TEST(Seal, KeysAreWrittenInTwoWays) {
  EXPECT_EQ(KeyOf(kHexKey).bytes(), KeyOf(kBase64Key).bytes());
  EXPECT_EQ(KeyOf(kHexKey).id(), KeyOf(kBase64Key).id());
  EXPECT_NE(KeyOf(kHexKey).id(), KeyOf(kOtherKey).id());
  for (const std::string text : {"", "password", "0001", "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHg==",
                                 "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8g",
                                 "g00102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"}) {
    const Result<SealKey> key = SealKey::Parse(text);
    ASSERT_FALSE(key.ok()) << text;
    EXPECT_NE(key.failure().message.find("openssl rand -base64 32"), std::string::npos);
    if (text.size() > 4) {
      EXPECT_EQ(key.failure().message.find(text), std::string::npos) << key.failure().message;
    }
  }
}

TEST(Seal, OpensWhatItClosed) {
  const Seal seal(KeyOf(kHexKey), {});
  std::set<std::string> seen;
  for (const std::string& text : {std::string(), std::string("a secret"), std::string(100'000, 'x')}) {
    const std::string sealed = seal.Close(kPlace, text).value();
    EXPECT_EQ(sealed.size(), text.size() + kSealedBytesMore);
    EXPECT_TRUE(IsSealed(sealed));
    EXPECT_EQ(SealedWith(sealed), KeyOf(kHexKey).IdText());
    if (!text.empty()) {
      EXPECT_EQ(sealed.find(text.substr(0, 8)), std::string::npos);
    }
    EXPECT_EQ(seal.Open(kPlace, sealed).value(), text);
    EXPECT_TRUE(seen.insert(sealed).second);
    EXPECT_TRUE(seen.insert(seal.Close(kPlace, text).value()).second) << "the same text was sealed in the same way";
  }
}

TEST(Seal, AnyBitThatChangedIsTold) {
  const Seal seal(KeyOf(kHexKey), {});
  const std::string sealed = seal.Close(kPlace, "a secret").value();
  for (size_t i = 0; i < sealed.size() * 8; ++i) {
    std::string altered = sealed;
    altered[i / 8] = static_cast<char>(altered[i / 8] ^ 1 << i % 8);
    const Result<std::string> opened = seal.Open(kPlace, altered);
    ASSERT_FALSE(opened.ok()) << i;
    EXPECT_EQ(opened.failure().code, FailureCode::kCorrupt);
  }
  for (size_t size = 0; size < sealed.size(); ++size) EXPECT_FALSE(seal.Open(kPlace, sealed.substr(0, size)).ok());
  for (const runtime::record::Key& place : {runtime::record::Key{kPlace.partition, "t/0.1"},
                                            {"bbcdefghijklmnopqrstuvwxyz", "s"},
                                            {"abcdefghijklmnopqrstuvwxy", "zs"}}) {
    EXPECT_FALSE(seal.Open(place, sealed).ok()) << runtime::record::Text(place);
  }
}

TEST(Seal, OlderKeysOpen) {
  const Seal before(KeyOf(kHexKey), {});
  const Seal after(KeyOf(kOtherKey), {KeyOf(kHexKey)});
  const Seal without(KeyOf(kOtherKey), {});
  const std::string sealed = before.Close(kPlace, "a secret").value();
  EXPECT_EQ(after.Open(kPlace, sealed).value(), "a secret");
  EXPECT_TRUE(after.Knows(sealed));
  EXPECT_FALSE(without.Knows(sealed));
  const Result<std::string> refused = without.Open(kPlace, sealed);
  ASSERT_FALSE(refused.ok());
  EXPECT_NE(refused.failure().message.find("encryption.previous"), std::string::npos);
  EXPECT_EQ(SealedWith(after.Close(kPlace, "more").value()), KeyOf(kOtherKey).IdText());
}

// What was sealed once can be opened for ever. Made with Python's `cryptography`, from docs/formats/sealed.md alone.
TEST(Seal, TheFormatStays) {
  const Seal seal(KeyOf(kHexKey), {});
  const std::string sealed =
      FromHex("00544553015f9fc6e66465666768696a6b6c6d6e6f70717273cd6751e480224c57e97d9ef0d8f4c3d6403649f0628ce588");
  EXPECT_EQ(seal.Open(kPlace, sealed).value(), "a secret");
}

}  // namespace
}  // namespace teal::serve
