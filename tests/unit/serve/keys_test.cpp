// Keys on disk: making, keeping, revoking, and files that are not to be trusted.
#include "core/serve/keys.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace teal::serve {
namespace {

class Keys : public ::testing::Test {
 protected:
  Keys() {
    std::string made = std::filesystem::temp_directory_path().string() + "/teal-keys-XXXXXX";
    folder_ = ::mkdtemp(made.data());
  }
  ~Keys() override { std::filesystem::remove_all(folder_); }
  std::string Path(const std::string& name) const { return folder_ + "/" + name; }
  void Write(const std::string& name, const std::string& text, mode_t mode) const {
    std::ofstream(Path(name)) << text;
    ::chmod(Path(name).c_str(), mode);
  }
  std::string folder_;
};

TEST_F(Keys, TheOwnKeyIsMadeOnce) {
  const Result<std::string> first = ReadOrMakeKey(Path("key"));
  ASSERT_TRUE(first.ok());
  EXPECT_EQ(first.value().size(), 5u + 64u);
  EXPECT_EQ(ReadOrMakeKey(Path("key")).value(), first.value());
  struct stat status{};
  ASSERT_EQ(::stat(Path("key").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777u, 0600u);
  EXPECT_NE(ReadOrMakeKey(Path("other")).value(), first.value());
}

TEST_F(Keys, OwnKeysThatAreNone) {
  Write("open", "teal_" + std::string(64, '0') + "\n", 0644);
  EXPECT_EQ(ReadOrMakeKey(Path("open")).failure().code, FailureCode::kInvalid);
  Write("short", "abc\n", 0600);
  EXPECT_EQ(ReadOrMakeKey(Path("short")).failure().code, FailureCode::kInvalid);
  Write("spaces", std::string(40, 'a') + " " + std::string(40, 'b'), 0600);
  EXPECT_EQ(ReadOrMakeKey(Path("spaces")).failure().code, FailureCode::kInvalid);
  EXPECT_FALSE(ReadOrMakeKey(Path("no/folder")).ok());
}

TEST_F(Keys, NamedKeysAreKeptAsHashes) {
  const Result<std::string> key = AddKey(Path("keys"), "board", Role::kRead);
  ASSERT_TRUE(key.ok());
  std::ifstream in(Path("keys"));
  const std::string text((std::istreambuf_iterator<char>(in)), {});
  EXPECT_EQ(text.find(key.value()), std::string::npos);
  const Result<std::vector<KeyEntry>> kept = ReadKeys(Path("keys"));
  ASSERT_EQ(kept.value().size(), 1u);
  EXPECT_EQ(kept.value()[0].digest, Sha256Of(key.value()));
  EXPECT_EQ(AddKey(Path("keys"), "board", Role::kAdmin).failure().code, FailureCode::kInvalid);
  EXPECT_EQ(AddKey(Path("keys"), kOwnKeyName, Role::kAdmin).failure().code, FailureCode::kInvalid);
  EXPECT_EQ(AddKey(Path("keys"), "a b", Role::kRead).failure().code, FailureCode::kInvalid);
  EXPECT_EQ(RevokeKey(Path("keys"), "other").failure().code, FailureCode::kNotFound);
  EXPECT_TRUE(RevokeKey(Path("keys"), "board").ok());
  EXPECT_TRUE(ReadKeys(Path("keys")).value().empty());
}

TEST_F(Keys, DamagedFilesAreRefused) {
  for (const char* text : {"", "{", "[]", "{\"keys\":{}}", "{\"keys\":[{}]}",
                           "{\"keys\":[{\"name\":\"a\",\"role\":\"king\",\"sha256\":\"00\"}]}"}) {
    Write("keys", text, 0600);
    EXPECT_EQ(ReadKeys(Path("keys")).failure().code, FailureCode::kCorrupt) << text;
  }
  Write("keys", "{\"keys\":[]}", 0666);
  EXPECT_FALSE(ReadKeys(Path("keys")).ok());
}

TEST_F(Keys, TheRingKnowsWhoseKeyItIs) {
  const std::string made = AddKey(Path("keys"), "board", Role::kOperate).value();
  const std::string own = ReadOrMakeKey(Path("key")).value();
  const auto ring = KeyRing::Open(own, Path("keys"));
  ASSERT_TRUE(ring.ok());
  EXPECT_EQ(ring.value()->Find(own)->name, kOwnKeyName);
  EXPECT_EQ(ring.value()->Find(own)->role, Role::kAdmin);
  EXPECT_EQ(ring.value()->Find(made)->name, "board");
  EXPECT_EQ(ring.value()->Find(made)->role, Role::kOperate);
  EXPECT_FALSE(ring.value()->Find("").has_value());
  EXPECT_FALSE(ring.value()->Find(made + "0").has_value());
  EXPECT_FALSE(ring.value()->Find(std::string(kKeyBytesMax + 1, 'a')).has_value());
}

}  // namespace
}  // namespace teal::serve
