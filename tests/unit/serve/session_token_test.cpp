#include "core/serve/session_token.h"

#include <gtest/gtest.h>

namespace teal::serve {
namespace {

constexpr char kSid[] = "abcdefghijklmnopqrstuvwxyz";
constexpr uint64_t kNow = 1'800'000'000;

TEST(SessionTokens, AreOfOneSessionForATime) {
  const SessionTokens tokens("own key");
  const std::string token = tokens.Make(kSid, kNow);
  EXPECT_TRUE(tokens.Allows(token, kSid, kNow));
  EXPECT_TRUE(tokens.Allows(token, kSid, kNow + kTokenSeconds - 1));
  EXPECT_FALSE(tokens.Allows(token, kSid, kNow + kTokenSeconds));
  EXPECT_FALSE(tokens.Allows(token, "bbcdefghijklmnopqrstuvwxyz", kNow));
  EXPECT_FALSE(SessionTokens("another key").Allows(token, kSid, kNow));
  EXPECT_TRUE(SessionTokens("own key").Allows(token, kSid, kNow)) << "another host with the same key file";
}

TEST(SessionTokens, NothingElseIsAToken) {
  const SessionTokens tokens("own key");
  const std::string token = tokens.Make(kSid, kNow);
  for (size_t i = 0; i < token.size(); ++i) {
    std::string altered = token;
    altered[i] = altered[i] == '0' ? '1' : '0';
    EXPECT_FALSE(tokens.Allows(altered, kSid, kNow)) << altered;
    EXPECT_FALSE(tokens.Allows(token.substr(0, i), kSid, kNow));
  }
  for (const std::string& text : {std::string(), std::string("."), "9" + token, token + "0", std::string(1000, '.')}) {
    EXPECT_FALSE(tokens.Allows(text, kSid, kNow)) << text;
  }
}

// HMAC-SHA-256 as Python's hmac has it.
TEST(SessionTokens, TheFormIsTheDocuments) {
  EXPECT_EQ(SessionTokens("own key").Make(kSid, kNow),
            "1800086400.beacd3dc3bedba7466c7fc66a800b29017a5d8eca0e58486fb863fdcf608d6ff");
}

}  // namespace
}  // namespace teal::serve
