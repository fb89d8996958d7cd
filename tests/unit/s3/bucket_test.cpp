// Folders as buckets: written into and read, and never left.
#include "triggers/s3/bucket.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "tests/unit/s3/folder.h"

namespace teal::s3 {
namespace {

namespace fs = std::filesystem;

class Buckets : public testing::Test {
 protected:
  std::string base() const { return folder_.path() + "/buckets"; }
  std::string Put(const std::string& key, const std::string& text) {
    std::string wrong;
    const auto path = PutObject(
        base(), "uploads", key,
        [&](int fd) -> std::optional<std::string> {
          if (::write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size())) return std::nullopt;
          return "cannot write";
        },
        &wrong);
    return path ? *path : "wrong: " + wrong;
  }
  std::string Get(const std::string& key) {
    std::string wrong;
    const Fd bucket = OpenBucket(base(), "uploads", &wrong);
    if (!bucket.valid()) return "wrong: " + wrong;
    const auto path = FindObject(bucket.get(), key);
    if (!path) return "none";
    std::ifstream file(base() + "/uploads/" + *path, std::ios::binary);
    return std::string(std::istreambuf_iterator<char>(file), {});
  }
  size_t LeftAside() { return static_cast<size_t>(std::distance(fs::directory_iterator(base() + "/.incoming"), {})); }

  TestFolder folder_;
};

TEST_F(Buckets, GiveWhatWasPut) {
  EXPECT_EQ(Put("in/a.jpg", "1"), "in/a.jpg");
  EXPECT_EQ(Put("in/a.jpg", "2"), "in/a.jpg");
  EXPECT_EQ(Get("in/a.jpg"), "2");
  EXPECT_EQ(Get("in"), "none");
  EXPECT_EQ(Get("in/b.jpg"), "none");
  EXPECT_EQ(LeftAside(), 0u);
}

TEST_F(Buckets, AKeyMayBeThePrefixOfOthers) {
  EXPECT_EQ(Put("a", "file"), "a");
  EXPECT_EQ(Put("a/b", "below"), "a%/b");
  EXPECT_EQ(Put("c/d", "below"), "c/d");
  EXPECT_EQ(Put("c", "file"), "c");  // the folder makes way
  EXPECT_EQ(Put("c/", "slash"), "c%/%");
  EXPECT_EQ(Get("a"), "file");
  EXPECT_EQ(Get("a/b"), "below");
  EXPECT_EQ(Get("c"), "file");
  EXPECT_EQ(Get("c/d"), "below");
  EXPECT_EQ(Get("c/"), "slash");
}

TEST_F(Buckets, AreNotLeft) {
  EXPECT_EQ(Put("../../escaped", "x"), "%2E%2E/%2E%2E/escaped");
  EXPECT_EQ(Get("../../escaped"), "x");
  EXPECT_FALSE(fs::exists(folder_.path() + "/escaped"));
  fs::create_directory(folder_.path() + "/outside");
  std::ofstream(folder_.path() + "/outside/secret") << "secret";
  fs::create_symlink(folder_.path() + "/outside", base() + "/uploads/link");
  fs::create_symlink(folder_.path() + "/outside/secret", base() + "/uploads/file");
  EXPECT_EQ(Get("link/secret"), "none");
  EXPECT_EQ(Get("file"), "none");
  EXPECT_TRUE(Put("link/new", "x").starts_with("wrong: "));
  EXPECT_FALSE(fs::exists(folder_.path() + "/outside/new"));
  EXPECT_EQ(LeftAside(), 0u);
}

TEST_F(Buckets, ABucketThatIsALinkIsRefused) {
  fs::create_directories(base());
  fs::create_directory(folder_.path() + "/outside");
  fs::create_symlink(folder_.path() + "/outside", base() + "/uploads");
  EXPECT_NE(Put("a", "x").find("symbolic link"), std::string::npos);
}

TEST_F(Buckets, WhatFailsLeavesNothing) {
  std::string wrong;
  const auto path =
      PutObject(base(), "uploads", "a", [](int) { return std::optional<std::string>("no more input"); }, &wrong);
  EXPECT_FALSE(path);
  EXPECT_EQ(wrong, "no more input");
  EXPECT_EQ(Get("a"), "none");
  EXPECT_EQ(LeftAside(), 0u);
  EXPECT_TRUE(Put("", "x").starts_with("wrong: "));
}

TEST_F(Buckets, FindNamesPutThereByHand) {
  ASSERT_EQ(Put("x", ""), "x");
  std::ofstream(base() + "/uploads/100%.jpg") << "hand";
  EXPECT_EQ(Get("100%.jpg"), "hand");
}

TEST_F(Buckets, KnowAFileThatIsBeingWritten) {
  ASSERT_EQ(Put("a", "x"), "a");
  const std::string path = base() + "/uploads/a";
  const Fd reader(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  EXPECT_EQ(IsBeingWritten(reader.get()), Writing::kNo);
  {
    const Fd writer(::open(path.c_str(), O_WRONLY | O_APPEND | O_CLOEXEC));
    EXPECT_EQ(IsBeingWritten(reader.get()), Writing::kYes);
  }
  EXPECT_EQ(IsBeingWritten(reader.get()), Writing::kNo);
}

TEST_F(Buckets, AStampTellsVersions) {
  ASSERT_EQ(Put("a", "x"), "a");
  const std::string path = base() + "/uploads/a";
  const auto stamp = [&] { return *StampOf(Fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC)).get()); };
  const Stamp first = stamp();
  fs::permissions(path, fs::perms::owner_read | fs::perms::owner_write);
  EXPECT_EQ(stamp(), first);
  ASSERT_EQ(Put("a", "x"), "a");
  EXPECT_FALSE(stamp() == first);
  EXPECT_FALSE(StampOf(Fd(::open(base().c_str(), O_RDONLY | O_CLOEXEC)).get()));
}

}  // namespace
}  // namespace teal::s3
