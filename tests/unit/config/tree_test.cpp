#include "core/config/tree.h"

#include <gtest/gtest.h>

namespace teal::config {
namespace {

std::string Told(const std::string& text) {
  const auto tree = ParseTree("t.yaml", text);
  const Error* const error = std::get_if<Error>(&tree);
  if (error == nullptr) return "fine";
  EXPECT_FALSE(error->hint.empty());
  return std::to_string(error->line) + ":" + std::to_string(error->column) + ": " + error->message;
}

TEST(Tree, KnowsKindsAndPlaces) {
  const auto tree = ParseTree("t.yaml", "a: 1\nb: [x, \"2\", 1.5, true, ~, yes, 3.10]\nc:\n  d: &k v\n  e: *k\n");
  const Node& root = std::get<Node>(tree);
  EXPECT_EQ(root.Find("a")->kind, Kind::kInteger);
  const Kind kinds[] = {Kind::kString, Kind::kString, Kind::kNumber, Kind::kBoolean,
                        Kind::kNull,   Kind::kString, Kind::kNumber};
  const Node& list = *root.Find("b");
  ASSERT_EQ(list.items.size(), std::size(kinds));
  for (size_t i = 0; i < std::size(kinds); ++i) EXPECT_EQ(list.items[i].kind, kinds[i]) << i;
  EXPECT_EQ(list.items[6].text, "3.10");
  const Node& d = *root.Find("c")->Find("d");
  EXPECT_EQ(*d.place.file, "t.yaml");
  EXPECT_EQ(d.place.line, 4);
  EXPECT_EQ(root.Find("c")->Find("e")->text, "v");
  EXPECT_EQ(root.Find("nothing"), nullptr);
}

TEST(Tree, RefusesWhatIsNoTree) {
  EXPECT_EQ(Told("a: 1\nb: 2\na: 3\n"), "3:1: the key `a` is there twice, first in line 1");
  EXPECT_EQ(Told("a: 1\n---\nb: 2\n").substr(0, 2), "2:");
  EXPECT_NE(Told("a: 1\n---\nb: 2\n").find("a second document begins here"), std::string::npos);
  EXPECT_EQ(Told("a:\n\tb: 1\n"), "2:1: a tab indents this line");
  EXPECT_EQ(Told("a: [1\nb: 2\n").substr(0, 17), "2:2: is not YAML:");
  EXPECT_EQ(Told("? [a]\n: 1\n"), "1:3: a key is a string");
  EXPECT_EQ(Told("a: !!python/object x\n"), "1:4: the tag tag:yaml.org,2002:python/object has no meaning here");
  EXPECT_EQ(Told("a: &x [1, *x]\n"), "1:11: an alias stands within its own anchor");
}

TEST(Tree, IsBounded) {
  EXPECT_EQ(Told(std::string(64, '[') + std::string(64, ']')), "fine");
  EXPECT_EQ(Told(std::string(65, '[') + std::string(65, ']')), "1:65: is nested deeper than 64 levels");
  EXPECT_NE(Told(std::string(400'000, '[')).find("is nested deeper than 64 levels"), std::string::npos);
  std::string laughs = "a: &a [x, x, x, x, x, x, x, x, x, x]\n";
  for (char c = 'b'; c < 'k'; ++c) {
    const std::string before = std::string("*") + static_cast<char>(c - 1);
    laughs += std::string(1, c) + ": &" + c + " [";
    for (int i = 0; i < 10; ++i) laughs += (i == 0 ? "" : ", ") + before;
    laughs += "]\n";
  }
  EXPECT_NE(Told(laughs).find("has more than 100000 values"), std::string::npos);
  std::string deep = "a: &a [1]\n";
  for (char c = 'b'; c <= 'z'; ++c)
    deep += std::string(1, c) + ": &" + c + " [[[*" + static_cast<char>(c - 1) + "]]]\n";
  EXPECT_NE(Told(deep).find("is nested deeper than 64 levels"), std::string::npos);
  std::string many = "[";
  for (int i = 0; i < 100'001; ++i) many += "1,";
  EXPECT_NE(Told(many + "1]").find("has more than 100000 values"), std::string::npos);
}

}  // namespace
}  // namespace teal::config
