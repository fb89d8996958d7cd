#include "core/host/trust.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <thread>

#include "samples.h"

namespace teal::host {
namespace {

TEST(Trust, IsKeptInAFileOfTheUsersOwn) {
  const TempFolder folder;
  const std::string path = folder / "config/teal/trusted.json";
  EXPECT_FALSE(TrustStore::Read(path).value().Contains("aa"));
  ASSERT_TRUE(TrustStore::Add(path, {"aa", "one", "/x/one.so"}).ok());
  ASSERT_TRUE(TrustStore::Add(path, {"bb", "two", "/x/two.so"}).ok());
  ASSERT_TRUE(TrustStore::Add(path, {"aa", "one", "/y/one.so"}).ok());
  const TrustStore store = TrustStore::Read(path).value();
  ASSERT_EQ(store.entries().size(), 2U);
  EXPECT_TRUE(store.Contains("aa"));
  EXPECT_EQ(store.entries()[1].path, "/y/one.so");
  struct stat status{};
  ASSERT_EQ(::stat(path.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600U);
  ASSERT_TRUE(TrustStore::Remove(path, "one").ok());
  EXPECT_FALSE(TrustStore::Read(path).value().Contains("aa"));
  EXPECT_EQ(TrustStore::Remove(path, "one").failure().code, FailureCode::kNotFound);
}

TEST(Trust, DoesNotRelyOnWhatOthersCanWrite) {
  const TempFolder folder;
  const std::string path = folder / "teal/trusted.json";
  ASSERT_TRUE(TrustStore::Add(path, {"aa", "one", "/x"}).ok());
  ::chmod(path.c_str(), 0622);
  EXPECT_EQ(TrustStore::Read(path).failure().message,
            "what is trusted cannot be relied on: " + path + " is writable by others; run: chmod go-w '" + path + "'");
  ::chmod(path.c_str(), 0600);
  ::chmod((folder / "teal").c_str(), 0777);
  EXPECT_EQ(TrustStore::Read(path).failure().code, FailureCode::kInvalid);
  ::chmod((folder / "teal").c_str(), 0700);
  if (::geteuid() == 0) {
    ASSERT_EQ(::chown(path.c_str(), 12345, 12345), 0);
    EXPECT_NE(TrustStore::Read(path).failure().message.find("belongs to another user (uid 12345)"), std::string::npos);
  }
}

TEST(Trust, ADamagedFileTrustsNothingAndIsKept) {
  const TempFolder folder;
  const std::string path = folder / "trusted.json";
  for (const char* text :
       {"", "{", "[]", "{\"trusted\": 2, \"plugins\": []}", "{\"trusted\": 1, \"plugins\": [{\"id\": 3}]}"}) {
    WriteFile(path, text);
    EXPECT_EQ(TrustStore::Read(path).failure().code, FailureCode::kCorrupt) << text;
    EXPECT_FALSE(TrustStore::Add(path, {"aa", "one", "/x"}).ok()) << text;
    EXPECT_EQ(ReadFile(path), text);
  }
}

TEST(Trust, ManyAtOnceLoseNothing) {
  const TempFolder folder;
  const std::string path = folder / "trusted.json";
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&, i] { EXPECT_TRUE(TrustStore::Add(path, {std::to_string(i), "p", "/x"}).ok()); });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(TrustStore::Read(path).value().entries().size(), 8U);
}

}  // namespace
}  // namespace teal::host
