// Keys of objects, and where they lie.
#include "triggers/s3/keys.hpp"

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

namespace teal::s3 {
namespace {

std::string Joined(const std::vector<std::string>& path) {
  std::string joined;
  for (const std::string& name : path) joined += (joined.empty() ? "" : "/") + name;
  return joined;
}

std::string KeyAt(const std::vector<std::string>& path) {
  std::string prefix;
  for (size_t at = 0; at + 1 < path.size(); ++at) prefix = KeyOfFolder(prefix, path[at]);
  return KeyOfFile(prefix, path.back());
}

TEST(Keys, LieWhereTheirNameSays) {
  const std::pair<std::string, std::string> known[] = {
      {"in/a.jpg", "in/a.jpg"},
      {"a b+c&d.jpg", "a b+c&d.jpg"},
      {"Überraschung/日本.png", "Überraschung/日本.png"},
      {"100%.jpg", "100%25.jpg"},
      {"../../etc/passwd", "%2E%2E/%2E%2E/etc/passwd"},
      {"./a", "%2E/a"},
      {"...", "..."},
      {".hidden/.x", ".hidden/.x"},
      {"/a", "%/a"},
      {"a//b", "a/%/b"},
      {"a/", "a/%"},
      {"/", "%/%"},
      {"a\nb\x7f", "a%0Ab%7F"},
      {std::string("a\xc2\x85z"), "a%C2%85z"},
      {std::string("a\xff") + "b", "a%FFb"},
      {"a%20b", "a%2520b"},
  };
  for (const auto& [key, path] : known) {
    EXPECT_EQ(Joined(PathOfKey(key)), path) << key;
    EXPECT_EQ(KeyAt(PathOfKey(key)), key) << path;
  }
}

TEST(Keys, LongComponentsAreCutBetweenCharacters) {
  const std::string key = "in/" + std::string(199, 'a') + "日本" + std::string(230, 'b') + "/c";
  const std::vector<std::string> path = PathOfKey(key);
  ASSERT_EQ(path.size(), 5u);
  EXPECT_EQ(path[1], std::string(199, 'a') + "%~");
  EXPECT_EQ(path[2], "日本" + std::string(194, 'b') + "%~");
  EXPECT_EQ(KeyAt(path), key);
  // A component of control characters triples.
  const std::string wild = std::string(1000, '\x01') + "/x";
  for (const std::string& name : PathOfKey(wild)) EXPECT_LE(name.size(), kNameBytesMax + 2);
  EXPECT_EQ(KeyAt(PathOfKey(wild)), wild);
}

TEST(Keys, AnyKeyComesBackFromItsPath) {
  std::mt19937 random(7);
  const std::string pieces[] = {"a",
                                "b",
                                "/",
                                "//",
                                ".",
                                "..",
                                "%",
                                "%2",
                                "%20",
                                "%~",
                                "~",
                                " ",
                                "é",
                                "\x01",
                                "日",
                                "x.jpg",
                                std::string(190, 'q'),
                                std::string(70, '%')};
  for (int round = 0; round < 20'000; ++round) {
    std::string key;
    const size_t count = 1 + random() % 8;
    for (size_t i = 0; i < count; ++i) key += pieces[random() % std::size(pieces)];
    if (WrongKey(key)) continue;
    const std::vector<std::string> path = PathOfKey(key);
    for (const std::string& name : path) {
      ASSERT_FALSE(name.empty() || name == "." || name == ".." || name.size() > 255 ||
                   name.find('/') != std::string::npos)
          << key;
    }
    ASSERT_EQ(KeyAt(path), key) << Joined(path);
  }
}

TEST(Keys, NamesPutThereByHandStandForThemselves) {
  EXPECT_EQ(KeyOfFile("in/", "100%.jpg"), "in/100%.jpg");
  EXPECT_EQ(KeyOfFile("", "a%20b"), "a%20b");
  EXPECT_EQ(KeyOfFile("", "%"), "%");
  EXPECT_EQ(KeyOfFile("", "%2f"), "%2f");
  EXPECT_EQ(KeyOfFile("", "%2F"), "%2F");  // no slash comes out of a name
  EXPECT_EQ(KeyOfFile("a/", "%"), "a/");
  EXPECT_EQ(KeyOfFolder("", "short%~"), "short%~/");
  EXPECT_EQ(KeyOfFolder("", "a%"), "a/");
}

TEST(Keys, WrongOnesAreNamed) {
  EXPECT_FALSE(WrongKey("a"));
  EXPECT_FALSE(WrongKey(std::string(1024, 'a')));
  EXPECT_TRUE(WrongKey(""));
  EXPECT_TRUE(WrongKey(std::string(1025, 'a')));
  EXPECT_TRUE(WrongKey("\xff"));
  EXPECT_TRUE(WrongKey("\xc0\xaf"));
  EXPECT_TRUE(WrongKey(std::string_view("a\0b", 3)));
  EXPECT_FALSE(WrongBucket("up.loads-1"));
  for (const char* const wrong : {"", "ab", "..", "../x", "a/b", "Uploads", "-ab", "ab-", ".incoming"}) {
    EXPECT_TRUE(WrongBucket(wrong)) << wrong;
  }
  EXPECT_TRUE(WrongBucket(std::string(64, 'a')));
}

}  // namespace
}  // namespace teal::s3
