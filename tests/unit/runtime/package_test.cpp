// Packages: the same files give the same bytes, and nothing else is read.
#include "core/runtime/package.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace teal::runtime {
namespace {

std::string Written(Package package) {
  Result<std::string> bytes = EncodePackage(std::move(package));
  EXPECT_TRUE(bytes.ok()) << (bytes.ok() ? "" : bytes.failure().message);
  return bytes.ok() ? *bytes : "";
}

FailureCode CodeOf(Package package) {
  Result<std::string> bytes = EncodePackage(std::move(package));
  EXPECT_FALSE(bytes.ok());
  return bytes.ok() ? FailureCode::kInternal : bytes.failure().code;
}

TEST(Package, IsWrittenAsTheDocumentSays) {
  const std::string bytes = Written({{{"a.py", "x"}}, ""});
  EXPECT_EQ(bytes, std::string("teal package 1\n\x0a\x09\x0a\x04"
                               "a.py\x12\x01x"));
  EXPECT_EQ(Written({{}, ""}), "teal package 1\n");
  EXPECT_EQ(Written({{}, "six==1.0"}), std::string("teal package 1\n\x12\x08six==1.0"));
}

TEST(Package, TheOrderOfTheFilesDoesNotMatter) {
  std::vector<PackageFile> files = {
      {"src/b.py", "2"}, {"src/a.py", "1"}, {"a", ""}, {"src-b", "3"}, {"z/ä.txt", {"\0\xff", 2}}};
  std::sort(files.begin(), files.end(), [](const auto& a, const auto& b) { return a.path < b.path; });
  const std::string once = Written({files, "lock"});
  do {
    EXPECT_EQ(Written({files, "lock"}), once);
  } while (
      std::next_permutation(files.begin(), files.end(), [](const auto& a, const auto& b) { return a.path < b.path; }));
  const Result<Package> read = DecodePackage(once);
  ASSERT_TRUE(read.ok()) << read.failure().message;
  EXPECT_EQ(read.value(), (Package{files, "lock"}));
}

TEST(Package, HostilePaths) {
  for (const std::string& path :
       {std::string(), std::string("/etc/passwd"), std::string(".."), std::string("../a"), std::string("a/../b"),
        std::string("a/.."), std::string("./a"), std::string("a/./b"), std::string("a//b"), std::string("a/"),
        std::string("a\\b"), std::string("a\nb"), std::string("a\0b", 3), std::string("a\x7f"), std::string("\xff.py"),
        std::string("\xc0\xae\xc0\xae/a"), std::string(256, 'a'), std::string(513, 'a')}) {
    EXPECT_NE(WhyNoPackagePath(path), "") << path;
    EXPECT_EQ(CodeOf({{{path, "x"}}, ""}), FailureCode::kInvalid) << path;
    // Written by somebody else, too.
    std::string inner = std::string("\x0a") + static_cast<char>(path.size() & 127);
    if (path.size() > 127) inner += static_cast<char>(path.size() >> 7), inner[1] = static_cast<char>(inner[1] | 0x80);
    inner += path;
    if (inner.size() > 127) continue;
    const Result<Package> read =
        DecodePackage(std::string("teal package 1\n\x0a") + static_cast<char>(inner.size()) + inner);
    ASSERT_FALSE(read.ok()) << path;
    EXPECT_EQ(read.failure().code, FailureCode::kCorrupt);
  }
  std::string deep = "a";
  for (size_t i = 1; i < kPackagePartsMax; ++i) deep += "/a";
  EXPECT_EQ(WhyNoPackagePath(deep), "");
  EXPECT_NE(WhyNoPackagePath(deep + "/a"), "");
  for (const char* path : {"a", "..a", "a..", "...", "a b", "ä/ö.py", ".hidden"}) EXPECT_EQ(WhyNoPackagePath(path), "");
}

TEST(Package, PathsThatDoNotGoTogether) {
  EXPECT_EQ(CodeOf({{{"a", "1"}, {"a", "1"}}, ""}), FailureCode::kInvalid);
  EXPECT_EQ(CodeOf({{{"a", "1"}, {"a/b", "2"}}, ""}), FailureCode::kInvalid);
  // `a-` sorts between the file and what is below the folder.
  EXPECT_EQ(CodeOf({{{"a", "1"}, {"a-", "1"}, {"a/b/c", "2"}}, ""}), FailureCode::kInvalid);
  EXPECT_NE(Written({{{"ab", "1"}, {"a/b", "2"}}, ""}), "");
}

TEST(Package, Limits) {
  EXPECT_EQ(CodeOf({{{"a", std::string(kPackageBytesMax, 'x')}}, ""}), FailureCode::kTooLarge);
  EXPECT_EQ(CodeOf({{}, std::string(kPackageRequirementsMax + 1, 'x')}), FailureCode::kTooLarge);
  std::vector<PackageFile> files;
  for (size_t i = 0; i < kPackageFilesMax; ++i) files.push_back({std::to_string(i), ""});
  EXPECT_NE(Written({files, ""}), "");
  files.push_back({"more", ""});
  EXPECT_EQ(CodeOf({files, ""}), FailureCode::kTooLarge);
  EXPECT_EQ(DecodePackage(std::string(kPackageBytesMax + 1, 'x')).failure().code, FailureCode::kTooLarge);
}

TEST(Package, DamageIsFound) {
  const std::string whole = Written({{{"a.py", "x = 1\n"}, {"b/c.py", "y = 2\n"}}, "six==1.0\n"});
  for (size_t end = 0; end < whole.size(); ++end) {
    // What is cut between two fields is another package, and is told by its hash.
    const Result<Package> cut = DecodePackage(whole.substr(0, end));
    if (cut.ok()) {
      EXPECT_EQ(Written(cut.value()), whole.substr(0, end));
    }
  }
  size_t refused = 0;
  for (size_t at = 0; at < whole.size(); ++at) {
    for (const int flip : {1, 0x80}) {
      std::string other = whole;
      other[at] = static_cast<char>(other[at] ^ flip);
      const Result<Package> read = DecodePackage(other);
      if (read.ok()) {
        EXPECT_EQ(Written(read.value()), other);
      } else {
        ++refused;
      }
    }
  }
  EXPECT_GT(refused, whole.size() / 2);
}

TEST(Package, OnlyOneWayToWriteIt) {
  const std::string head = "teal package 1\n";
  const std::string a = std::string("\x0a\x09\x0a\x04") + "a.py\x12\x01x";
  const std::string b = std::string("\x0a\x09\x0a\x04") + "b.py\x12\x01x";
  EXPECT_TRUE(DecodePackage(head + a + b).ok());
  EXPECT_FALSE(DecodePackage(head + b + a).ok()) << "out of order";
  EXPECT_FALSE(DecodePackage(head + a + a).ok()) << "twice";
  EXPECT_FALSE(DecodePackage(head + a + std::string("\x18\x01")).ok()) << "a field that is not known";
  EXPECT_FALSE(DecodePackage(head + a + std::string("\x12\x00", 2)).ok()) << "an empty field";
  EXPECT_FALSE(DecodePackage(head + std::string("\x12\x01y") + a).ok()) << "fields out of order";
  EXPECT_FALSE(DecodePackage("teal package 2\n" + a).ok());
  EXPECT_FALSE(DecodePackage("").ok());
}

}  // namespace
}  // namespace teal::runtime
