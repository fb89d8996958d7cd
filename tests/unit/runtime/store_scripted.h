// A memory store over the simulated memory, with the fate of each call written in the test, in virtual time.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/runtime/memory_store.h"
#include "tests/sim/loop.h"
#include "tests/sim/sim_memory.h"

namespace teal::runtime {

inline constexpr uint64_t kMs = 1'000'000;
inline constexpr uint64_t kSecond = 1'000'000'000;

inline StoreWrite PutOf(const record::Key& key, std::string bytes, StoreCondition condition = StoreCondition::kAny,
                        StoreVersion expected = {}) {
  StoreWrite write;
  write.condition = condition;
  write.key = key;
  write.bytes = std::move(bytes);
  write.expected = expected;
  return write;
}

inline StoreWrite DeleteOf(const record::Key& key, StoreVersion expected) {
  StoreWrite write;
  write.kind = StoreWrite::Kind::kDelete;
  write.condition = StoreCondition::kVersion;
  write.key = key;
  write.expected = expected;
  return write;
}

inline StoreWrite CheckOf(const record::Key& key, StoreVersion expected) {
  StoreWrite write = DeleteOf(key, expected);
  write.kind = StoreWrite::Kind::kCheck;
  return write;
}

// Fates that the tests speak of.
inline sim::Fate Well() {
  return {};
}
inline sim::Fate Failing(teal_status code, uint64_t retry_after_ns = 0) {
  return {.lands = false, .code = code, .retry_after_ns = retry_after_ns};
}
// The reply is lost; the write is applied `lands_after_ns` after it was sent.
inline sim::Fate LostApplied(uint64_t lands_after_ns = 20'000) {
  return {.lands_after_ns = lands_after_ns, .code = TEAL_TIMEOUT, .outcome = TEAL_OUTCOME_UNKNOWN};
}
inline sim::Fate LostNotApplied() {
  return {.lands = false, .code = TEAL_UNAVAILABLE, .outcome = TEAL_OUTCOME_UNKNOWN};
}

class Scripted {
 public:
  explicit Scripted(sim::SimCaps caps = {}) : memory(loop, caps) {
    MemoryStoreOptions options;
    options.seed = 1;
    options.now_ns = [this] { return static_cast<uint64_t>(loop.now()); };
    options.after = [this](uint64_t delay_ns, std::function<void()> run) { loop.After(delay_ns, std::move(run)); };
    store = std::make_unique<MemoryStore>(sim::SimConnection::Table(), connection.instance(), options);
  }
  ~Scripted() {
    connection.Close();
    store.reset();
  }

  // Of the calls to come, in their order; those after these fare well.
  void Commits(std::vector<sim::Fate> fates) { commits_.insert(commits_.end(), fates.begin(), fates.end()); }
  void Gets(std::vector<sim::Fate> fates) { gets_.insert(gets_.end(), fates.begin(), fates.end()); }

  Result<StoreCommitted> Commit(std::vector<StoreWrite> writes) {
    return Wait<StoreCommitted>([&](auto done) { store->Commit(std::move(writes), std::move(done)); });
  }
  Result<std::vector<std::optional<StoreItem>>> Get(std::vector<record::Key> keys) {
    return Wait<std::vector<std::optional<StoreItem>>>(
        [&](auto done) { store->Get(std::move(keys), std::move(done)); });
  }
  // The version that a put without a condition makes.
  StoreVersion Made(const record::Key& key, const std::string& bytes) {
    return Commit({PutOf(key, bytes)}).value().versions.at(0);
  }
  StoreVersion VersionOf(const record::Key& key) const {
    StoreVersion version{};
    if (const auto* record = memory.Find({key.partition, key.sort})) {
      std::copy(std::begin(record->version.opaque), std::end(record->version.opaque), version.begin());
    }
    return version;
  }
  std::string ValueOf(const record::Key& key) const {
    const auto* record = memory.Find({key.partition, key.sort});
    return record == nullptr ? "(absent)" : record->value;
  }
  // What was sent since the last time: c a commit, g a get, s a scan, d a scan_due.
  std::string Sent() { return std::exchange(sent_, ""); }
  std::vector<int64_t> sent_at;

  template <typename T, typename Begin>
  Result<T> Wait(Begin begin) {
    std::optional<Result<T>> result;
    begin([&result](Result<T> given) {
      assert(!result.has_value());
      result.emplace(std::move(given));
    });
    while (!result) {
      if (!loop.RunOne()) return Fail(FailureCode::kInternal, "(the call does not end)");
    }
    return std::move(*result);
  }

  sim::SimLoop loop;
  sim::SimMemory memory;
  sim::SimConnection connection{memory, [this](const sim::CallFacts& facts) { return Decide(facts); }};
  std::unique_ptr<MemoryStore> store;

 private:
  sim::Fate Decide(const sim::CallFacts& facts) {
    sent_ += "cgsd"[static_cast<int>(facts.kind)];
    sent_at.push_back(loop.now());
    std::deque<sim::Fate>* const fates = facts.kind == sim::CallKind::kCommit ? &commits_ : &gets_;
    if (fates->empty()) return Well();
    const sim::Fate fate = fates->front();
    fates->pop_front();
    return fate;
  }

  std::deque<sim::Fate> commits_;
  std::deque<sim::Fate> gets_;  // and scans
  std::string sent_;
};

}  // namespace teal::runtime
