// What the tests of the Python workers share: a folder of Python files, and a pool whose calls can be waited for.
#pragma once

#include <gtest/gtest.h>
#include <stdlib.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "core/runtime/worker_pool.h"

extern char** environ;

namespace teal::runtime {

class TempFolder {
 public:
  TempFolder() {
    std::string name = (std::filesystem::temp_directory_path() / "teal-worker-XXXXXX").string();
    path_ = mkdtemp(name.data());
  }
  ~TempFolder() { std::filesystem::remove_all(path_); }
  void Write(const std::string& name, std::string_view text) const {
    std::filesystem::create_directories(std::filesystem::path(path_ + "/" + name).parent_path());
    std::ofstream(path_ + "/" + name) << text;
  }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

inline std::vector<std::string> Environment() {
  std::vector<std::string> all;
  for (char** e = environ; *e != nullptr; e++) all.emplace_back(*e);
  return all;
}

// Encoded argument lists: Args(1, "a").
inline void WriteArg(MarshalWriter& w, int value) {
  w.Int(value);
}
inline void WriteArg(MarshalWriter& w, double value) {
  w.Float(value);
}
inline void WriteArg(MarshalWriter& w, const char* value) {
  w.Text(value);
}
inline void WriteArg(MarshalWriter& w, const std::string& value) {
  w.Text(value);
}
template <typename... T>
std::string Args(const T&... values) {
  std::string out;
  MarshalWriter w(&out);
  w.ListHead(sizeof...(values));
  (WriteArg(w, values), ...);
  return out;
}

inline int64_t AsInt(const std::string& payload) {
  int64_t value = -1;
  bool fits = false;
  MarshalReader r(payload);
  EXPECT_TRUE(r.Int(&value, &fits) && fits) << "payload of " << payload.size() << " bytes";
  return value;
}
inline std::string AsText(const std::string& payload) {
  std::string_view text;
  MarshalReader r(payload);
  EXPECT_TRUE(r.Text(&text)) << "payload of " << payload.size() << " bytes";
  return std::string(text);
}

// A pool over one module `m` with the functions named. The tag of a call is a number from 1.
class TestPool : public WorkerEvents {
 public:
  struct Ended {
    CallOutcome outcome;
    uint64_t order = 0;  // 1: the first call that ended
  };

  TestPool(std::string_view python, std::vector<std::string> functions, int processes = 1) {
    folder.Write("m.py", python);
    options.project_folder = folder.path();
    options.modules = {{"m", std::move(functions)}};
    options.processes_max = processes;
    options.environment = Environment();
  }
  ~TestPool() override { pool.reset(); }

  void Start() {
    pool = std::make_unique<WorkerPool>(options, this);
    Result<WorkerLoadReport> loaded = pool->Load();
    ASSERT_TRUE(loaded.ok()) << loaded.failure().message;
    report = *loaded;
    for (const WorkerLoadFailure& f : report.failures)
      ADD_FAILURE() << f.kind << ": " << f.message << "\n" << f.traceback;
  }

  CallRequest Request(const std::string& function, std::string arguments) {
    CallRequest request;
    const auto& names = options.modules[0].functions;
    request.function = static_cast<uint32_t>(std::find(names.begin(), names.end(), function) - names.begin());
    request.arguments = std::move(arguments);
    request.context.session = "s";
    request.context.thread = "t";
    return request;
  }
  // Gives the tag.
  uint64_t Begin(CallRequest request) {
    uint64_t tag;
    {
      std::lock_guard lock(mu);
      tag = ++begun;
    }
    request.tag = tag;
    request.done = [this, tag](CallOutcome&& outcome) {
      std::lock_guard lock(mu);
      Ended& end = ended[tag];
      EXPECT_EQ(end.order, 0u) << "a call ended twice";
      end.outcome = std::move(outcome);
      end.order = ++count;
      changed.notify_all();
    };
    const uint64_t id = pool->Call(std::move(request));
    std::lock_guard lock(mu);
    ids[tag] = id;
    return tag;
  }
  uint64_t Begin(const std::string& function, std::string arguments = Args()) {
    return Begin(Request(function, std::move(arguments)));
  }
  Ended Wait(uint64_t tag, int seconds = 20) {
    std::unique_lock lock(mu);
    const bool there = changed.wait_for(lock, std::chrono::seconds(seconds), [&] { return ended.count(tag) != 0; });
    EXPECT_TRUE(there) << "call " << tag << " has not ended";
    return there ? ended[tag] : Ended{};
  }
  CallOutcome Do(const std::string& function, std::string arguments = Args()) {
    return Wait(Begin(function, std::move(arguments))).outcome;
  }
  std::string Output(uint64_t tag) {
    std::lock_guard lock(mu);
    return output[tag];
  }
  // Waits until call `tag` has printed `text`.
  void WaitForOutput(uint64_t tag, const std::string& text) {
    std::unique_lock lock(mu);
    EXPECT_TRUE(
        changed.wait_for(lock, std::chrono::seconds(60), [&] { return output[tag].find(text) != std::string::npos; }))
        << "printed only: " << output[tag];
  }

  void OnOutput(uint64_t tag, int stream, std::string_view text) override {
    std::lock_guard lock(mu);
    EXPECT_EQ(ended.count(tag), 0u) << "output after the end";
    output[tag] += text;
    if (stream == 2) errors[tag] += text;
    changed.notify_all();
  }
  void OnHeartbeat(uint64_t tag, std::string_view data) override {
    std::lock_guard lock(mu);
    beats[tag].emplace_back(data);
    changed.notify_all();
  }
  void OnLog(uint64_t tag, std::string_view level, std::string_view message, std::string_view) override {
    std::lock_guard lock(mu);
    logs[tag] += std::string(level) + ":" + std::string(message) + "\n";
    changed.notify_all();
  }
  void OnStrayOutput(int, std::string_view text) override {
    std::lock_guard lock(mu);
    stray += text;
    changed.notify_all();
  }

  TempFolder folder;
  WorkerPoolOptions options;
  std::unique_ptr<WorkerPool> pool;
  WorkerLoadReport report;
  std::mutex mu;
  std::condition_variable changed;
  uint64_t begun = 0, count = 0;
  std::map<uint64_t, Ended> ended;
  std::map<uint64_t, uint64_t> ids;  // by tag
  std::map<uint64_t, std::string> output, errors, logs;
  std::map<uint64_t, std::vector<std::string>> beats;
  std::string stray;
};

}  // namespace teal::runtime
