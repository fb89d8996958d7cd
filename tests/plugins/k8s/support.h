// What the tests of the plugin k8s stand on: the plugin loaded as a host loads it, stores in schemas of their own on
// the servers that `run` started, and SQL from outside.
#pragma once

#include <gtest/gtest.h>
#include <libpq-fe.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <teal/host.hpp>
#include <thread>
#include <vector>

namespace teal::k8s_test {

const teal_plugin* Plugin();
std::string Env(const char* name);  // of what `run` sets; fails the test if it is not there

inline constexpr uint64_t kSecond = 1'000'000'000;

// A host with a clock that can be moved and a log that can be read.
class Host {
 public:
  Host();
  const teal_host* abi() const { return &abi_; }
  uint64_t Now() const;
  void Move(int64_t ns) { offset_ += ns; }
  std::string log() const;

 private:
  teal_host abi_{};
  std::atomic<int64_t> offset_{0};
  mutable std::mutex mutex_;
  std::string log_;
};

// An instance; closed with this object.
class Store {
 public:
  explicit Store(const std::string& config);
  ~Store() { Close(); }
  Store(const Store&) = delete;
  Store& operator=(const Store&) = delete;
  void Close();

  host::Memory memory() const { return host::Memory(table_, instance_); }
  teal_instance* instance() const { return instance_; }
  Host& host() { return host_; }
  uint64_t features() const { return memory().Caps().features; }

  // One operation.
  host::CommitResult Put(std::string_view partition, std::string_view sort, std::string_view value,
                         uint64_t due = 0) const;
  host::CommitResult Create(std::string_view partition, std::string_view sort, std::string_view value) const;
  host::CommitResult Replace(std::string_view partition, std::string_view sort, std::string_view value,
                             const teal_version& expected, host::CallOptions options = {}) const;
  host::CommitResult Delete(std::string_view partition, std::string_view sort) const;
  // The record, or none.
  std::optional<host::Record> Get(std::string_view partition, std::string_view sort) const;

 private:
  Host host_;
  const teal_memory* table_ = nullptr;
  teal_instance* instance_ = nullptr;
};

// Why an open fails; fails the test if it does not.
host::Error OpenError(const std::string& config);

// A schema nobody has used, dropped at the end of the program's run with its server.
std::string FreshSchema();
// The section of a store: `more` are further members, with a comma before each.
std::string Section(const std::string& url, const std::string& schema, const std::string& more = "");

// SQL from outside the plugin, as the superuser over `url`; the first column of the first row, or empty.
std::string Sql(const std::string& sql, const std::string& url = Env("TEAL_K8S_ADMIN_URL"));

// The server as a process.
void KillServer();     // SIGKILL to all of it
void RestartServer();  // on the same port and data
// Runs the script of a peer; its line of JSON.
std::string Peer(const std::string& words);

// Waits until `true_now` is true, at most this long.
inline constexpr std::chrono::seconds kPatience{30};
testing::AssertionResult Becomes(const std::function<bool()>& true_now);

// Runs `body(i)` on `count` threads at once.
void Together(int count, const std::function<void(int)>& body);

// With the error's words; the call that gives the result is made once.
template <typename Result>
testing::AssertionResult IsOk(const Result& result) {
  if (result.error.code == TEAL_OK) return testing::AssertionSuccess();
  return testing::AssertionFailure() << "error " << result.error.code << ": " << result.error.message;
}
#define ASSERT_OK(result) ASSERT_TRUE(::teal::k8s_test::IsOk(result))
#define EXPECT_OK(result) EXPECT_TRUE(::teal::k8s_test::IsOk(result))

}  // namespace teal::k8s_test
