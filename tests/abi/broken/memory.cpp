// A small memory that keeps the contract, and one defect at a time that it does not: TEAL_BROKEN names it. Each must
// fail exactly the row of docs/abi.md that tests/abi/run says, and the one without a defect none. Reads are answered at
// once, commits by two workers, so that calls are open when `close` comes and commits race.
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <teal/abi.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <cstring>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string>
#include <teal/bytes.hpp>
#include <teal/plugin.hpp>
#include <thread>
#include <utility>
#include <vector>

namespace {

using teal::Bytes;
using teal::Copy;
using teal::View;
using teal::plugin::Done;
using teal::plugin::Error;

// The row of docs/abi.md that each fails is in tests/abi/run.
enum class Defect {
  kNone,
  kLostUpdate,         // a commit decides on what it read before another one's write
  kStaleRead,          // each thread has a cache that others' commits do not clear
  kWrongDueOrder,      // a page of scan_due is in the order of keys
  kDoubleDone,         // `done` twice for a get that finds nothing
  kWriteAfterClose,    // what is open when close comes ends after it
  kDroppedCondition,   // the last of three or more operations is not looked at
  kFalseConflict,      // a commit that comes again is judged as a new one
  kSkippingCursor,     // a cursor counts records instead of naming one
  kLeak,               // each instance leaves something behind
  kBlocking,           // a commit waits on the caller's thread, and TEAL_PLUGIN_BLOCKING is not said
  kVersionReuse,       // versions count anew after a delete
  kException,          // a key of the wrong type throws through open
  kFirstIsBlamed,      // failed_op is always 0
  kFoundWithoutTimes,  // the record found has no due time
  kHalfCommit,         // what stands before the operation in conflict is applied
  kSignedOrder,        // a page of scan is in the order of signed bytes
  kLongPage,           // a page of scan holds a record more than its limit
  kKeyOrderedGet,      // a get gives records in the order of their keys
  kSharedShard,        // of three shards the first has all keys
  kEarlyExpiry,        // a record is gone a second before it expires
  kLateInput,          // inputs are read after `done` returned
  kChatty,             // open writes to standard output
  kOpenSignals,        // the workers take signals
  kInheritedFile,      // a descriptor is not close-on-exec
  kLongCaps,           // caps writes past the caller's struct
  kOnlyItsAge,         // a longer teal_call is refused
  kTrustsServices,     // a service is called without asking whether it is there
  kOwnClock,           // deadlines are in the system's clock
  kWordlessLimit,      // what is too large is returned as a status
  kNoWords,            // a conflict has no message
  kFalseNotApplied,    // a commit past its deadline is applied, and said not to be
};

constexpr std::array<std::pair<std::string_view, Defect>, 32> kDefects = {{
    {"None", Defect::kNone},
    {"LostUpdate", Defect::kLostUpdate},
    {"StaleRead", Defect::kStaleRead},
    {"WrongDueOrder", Defect::kWrongDueOrder},
    {"DoubleDone", Defect::kDoubleDone},
    {"WriteAfterClose", Defect::kWriteAfterClose},
    {"DroppedCondition", Defect::kDroppedCondition},
    {"FalseConflict", Defect::kFalseConflict},
    {"SkippingCursor", Defect::kSkippingCursor},
    {"Leak", Defect::kLeak},
    {"Blocking", Defect::kBlocking},
    {"VersionReuse", Defect::kVersionReuse},
    {"Exception", Defect::kException},
    {"FirstIsBlamed", Defect::kFirstIsBlamed},
    {"FoundWithoutTimes", Defect::kFoundWithoutTimes},
    {"HalfCommit", Defect::kHalfCommit},
    {"SignedOrder", Defect::kSignedOrder},
    {"LongPage", Defect::kLongPage},
    {"KeyOrderedGet", Defect::kKeyOrderedGet},
    {"SharedShard", Defect::kSharedShard},
    {"EarlyExpiry", Defect::kEarlyExpiry},
    {"LateInput", Defect::kLateInput},
    {"Chatty", Defect::kChatty},
    {"OpenSignals", Defect::kOpenSignals},
    {"InheritedFile", Defect::kInheritedFile},
    {"LongCaps", Defect::kLongCaps},
    {"OnlyItsAge", Defect::kOnlyItsAge},
    {"TrustsServices", Defect::kTrustsServices},
    {"OwnClock", Defect::kOwnClock},
    {"WordlessLimit", Defect::kWordlessLimit},
    {"NoWords", Defect::kNoWords},
    {"FalseNotApplied", Defect::kFalseNotApplied},
}};

// Of the process: set by the last configuration that named one.
std::atomic<Defect> g_defect{Defect::kNone};
bool Broken(Defect defect) {
  return g_defect.load() == defect;
}

constexpr uint64_t kKeyBytesMax = 600;
constexpr uint64_t kValueBytesMax = 65'536;
constexpr uint64_t kOpsMax = 8;
constexpr uint64_t kCommitBytesMax = 200'000;
constexpr uint64_t kGetKeysMax = 50;
constexpr uint64_t kPageMax = 100;
constexpr uint64_t kWindowNs = 600'000'000'000;

using Key = std::pair<std::string, std::string>;

struct Record {
  std::string value;
  uint64_t version = 0;
  uint64_t due = 0;
  uint64_t expires = 0;
};

struct Op {
  uint32_t kind;
  uint32_t condition;
  Key key;
  std::string value;
  uint64_t expected;
  uint64_t due;
  uint64_t expires;
};

struct Answer {
  bool conflict = false;
  uint32_t failed = 0;
  std::vector<uint64_t> versions;
  std::optional<std::pair<Key, Record>> found;
};

struct Commit {
  Done done;
  std::vector<Op> ops;
  std::string id;
  uint64_t deadline;
  const teal_call* late = nullptr;  // kLateInput: read after `done`
};

teal_version ToAbi(uint64_t version) {
  teal_version out{};
  std::memcpy(out.opaque, &version, sizeof version);
  return out;
}

uint64_t FromAbi(const teal_version& version) {
  uint64_t out = 0;
  std::memcpy(&out, version.opaque, sizeof out);
  const teal_version again = ToAbi(out);
  return teal::SameVersion(again, version) ? out : UINT64_MAX;  // one that is not ours fits no record
}

teal_record View(const Key& key, const Record& record) {
  return {
      {Bytes(key.first), Bytes(key.second)}, Bytes(record.value), ToAbi(record.version), record.due, record.expires};
}

}  // namespace

// Everything but the workers, which a worker that is late keeps alive.
struct Store {
  std::mutex mutex;
  std::map<Key, Record> records;
  std::map<std::string, Answer> answered;  // by idempotency key
  uint64_t last_version = 0;
  uint64_t number = 0;  // of the instance, for the caches of threads
};

struct teal_instance {
  const teal_host* host = nullptr;
  std::shared_ptr<Store> store = std::make_shared<Store>();
  teal::plugin::OpenCalls calls;
  std::mutex mutex;
  std::condition_variable work;
  std::deque<Commit> queue;
  bool closing = false;
  std::vector<std::thread> workers;
  int file = -1;
};

namespace {

// The records a thread has read, of the instance it read last (kStaleRead).
struct Cache {
  uint64_t store = 0;
  std::map<Key, Record> records;
};
thread_local Cache t_cache;

Cache& CacheOf(const Store& store) {
  if (t_cache.store != store.number) t_cache = {store.number, {}};
  return t_cache;
}

bool Holds(const Op& op, const Record* record) {
  if (op.condition == TEAL_IF_ABSENT) return record == nullptr;
  if (op.condition == TEAL_IF_VERSION) return record != nullptr && record->version == op.expected;
  return true;
}

const Record* Find(const Store& store, const Key& key) {
  const auto at = store.records.find(key);
  return at == store.records.end() ? nullptr : &at->second;
}

std::optional<Answer> Judge(const Store& store, const std::vector<Op>& ops) {
  for (std::size_t n = 0; n < ops.size(); ++n) {
    if (Broken(Defect::kDroppedCondition) && n >= 2 && n + 1 == ops.size()) continue;
    const Record* record = Find(store, ops[n].key);
    if (Holds(ops[n], record)) continue;
    Answer conflict;
    conflict.conflict = true;
    conflict.failed = static_cast<uint32_t>(n);
    if (record != nullptr) conflict.found = {ops[n].key, *record};
    if (Broken(Defect::kFoundWithoutTimes) && conflict.found) conflict.found->second.due = 0;
    if (Broken(Defect::kFirstIsBlamed)) conflict.failed = 0;
    return conflict;
  }
  return std::nullopt;
}

Answer Apply(Store& store, const std::vector<Op>& ops) {
  Answer answer;
  for (const Op& op : ops) {
    const Record* before = Find(store, op.key);
    if (op.kind == TEAL_DELETE) {
      store.records.erase(op.key);
    } else if (op.kind == TEAL_PUT) {
      const uint64_t next =
          Broken(Defect::kVersionReuse) ? (before == nullptr ? 0 : before->version) + 1 : ++store.last_version;
      store.records[op.key] = {op.value, next, op.due, op.expires};
    }
    const Record* after = Find(store, op.key);
    answer.versions.push_back(after == nullptr ? 0 : after->version);
  }
  return answer;
}

Answer Decide(Store& store, const Commit& commit) {
  std::unique_lock lock(store.mutex);
  if (!Broken(Defect::kFalseConflict) && !commit.id.empty()) {
    const auto known = store.answered.find(commit.id);
    if (known != store.answered.end()) return known->second;
  }
  const auto conflict = Judge(store, commit.ops);
  if (Broken(Defect::kLostUpdate) && commit.ops.size() == 1 && !conflict) {
    lock.unlock();
    std::this_thread::sleep_for(std::chrono::microseconds(200));
    lock.lock();
  }
  if (Broken(Defect::kHalfCommit) && conflict) {
    const auto end = commit.ops.begin() + static_cast<std::ptrdiff_t>(conflict->failed);
    Apply(store, std::vector<Op>(commit.ops.begin(), end));
  }
  Answer answer = conflict ? *conflict : Apply(store, commit.ops);
  if (!answer.conflict && !commit.id.empty()) store.answered[commit.id] = answer;
  return answer;
}

uint64_t Now(const teal_host* host) {
  if (!Broken(Defect::kOwnClock)) return host->now_unix_ns(host);
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::nanoseconds>(now).count());
}

void Finish(Store& store, const teal_host* host, Commit commit) {
  if (commit.deadline != 0 && host != nullptr && Now(host) > commit.deadline) {
    if (Broken(Defect::kFalseNotApplied)) Decide(store, commit);
    commit.done.Fail({TEAL_TIMEOUT, "the deadline passed before the commit began", TEAL_NOT_APPLIED, 0, 0});
    return;
  }
  const Answer answer = Decide(store, commit);
  std::vector<teal_version> versions;
  for (const uint64_t version : answer.versions) versions.push_back(ToAbi(version));
  teal_commit_result result{sizeof(teal_commit_result), answer.failed, versions.size(), versions.data(), nullptr};
  if (!answer.conflict) {
    commit.done.Ok(&result);
    return;
  }
  teal_record found{};
  if (answer.found) {
    found = View(answer.found->first, answer.found->second);
    result.found = &found;
  }
  const char* words = Broken(Defect::kNoWords) ? "" : "the condition of an operation does not hold";
  commit.done.Fail({TEAL_CONFLICT, words, TEAL_NOT_APPLIED, 0, 0}, &result);
}

void Work(teal_instance& instance) {
  for (;;) {
    std::unique_lock lock(instance.mutex);
    instance.work.wait(lock, [&] { return instance.closing || !instance.queue.empty(); });
    if (instance.queue.empty()) return;
    Commit commit = std::move(instance.queue.front());
    instance.queue.pop_front();
    lock.unlock();
    const teal_call* late = commit.late;
    // Slow, so that some commits are still open whenever close comes under load.
    if (Broken(Defect::kWriteAfterClose)) std::this_thread::sleep_for(std::chrono::milliseconds(2));
    Finish(*instance.store, instance.host, std::move(commit));
    if (late != nullptr) {
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
      static std::atomic<uint64_t> seen{0};
      seen.fetch_add(late->op_id);
    }
  }
}

// ---- the table ----

teal_status Open(const teal_host* host, teal_bytes config, teal_instance** out, teal_error* error) {
  const auto refuse = [&](std::string words) {
    return teal::plugin::Give(error, {TEAL_INVALID, std::move(words), TEAL_NOT_APPLIED, 0, 0});
  };
  const auto json = nlohmann::json::parse(View(config), nullptr, false);
  if (!json.is_object()) return refuse("the configuration is no JSON object");
  for (const auto& [key, value] : json.items()) {
    if (key != "defect") return refuse("the configuration has the unknown key " + key + "; it may have: defect");
    // As a defect this throws where it is no string.
    if (!Broken(Defect::kException) && !value.is_string()) return refuse("the key defect is a string");
    const auto name = value.get<std::string>();
    const auto* at =
        std::find_if(kDefects.begin(), kDefects.end(), [&](const auto& known) { return known.first == name; });
    if (at == kDefects.end()) return refuse("there is no defect of that name");
    g_defect.store(at->second);
  }
  static std::atomic<uint64_t> instances{0};
  auto instance = std::make_unique<teal_instance>();
  instance->host = host;
  instance->store->number = ++instances;
  if (Broken(Defect::kChatty)) {
    std::printf("opened\n");
    std::fflush(stdout);
  }
  if (Broken(Defect::kInheritedFile)) instance->file = ::open("/dev/null", O_RDONLY);  // NOLINT: without O_CLOEXEC
  if (Broken(Defect::kTrustsServices)) {
    const auto* metrics = static_cast<const teal_metrics*>(host->service(host, TEAL_METRICS_ID));
    metrics->series(host, TEAL_COUNTER, Bytes("opened_total"), Bytes("instances opened"), {nullptr, 0});
  }
  if (Broken(Defect::kLeak)) new std::string(500, 'x');  // NOLINT: nobody frees it
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  if (Broken(Defect::kOpenSignals)) sigemptyset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  for (int n = 0; n < 2; ++n) instance->workers.emplace_back([raw = instance.get()] { Work(*raw); });
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  *out = instance.release();
  return TEAL_OK;
}

void CloseLate(teal_instance* instance) {
  auto late = std::make_shared<std::deque<Commit>>();
  {
    const std::lock_guard lock(instance->mutex);
    late->swap(instance->queue);
  }
  // A `Commit` counts as open in the instance, which is kept.
  std::thread([late, store = instance->store] {
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    for (Commit& commit : *late) Finish(*store, nullptr, std::move(commit));
  }).detach();
}

void Close(teal_instance* instance) {
  instance->calls.Close();
  bool keep = false;
  if (Broken(Defect::kWriteAfterClose)) {
    const std::lock_guard lock(instance->mutex);
    keep = !instance->queue.empty();
  }
  if (keep) CloseLate(instance);
  {
    const std::lock_guard lock(instance->mutex);
    instance->closing = true;
  }
  instance->work.notify_all();
  for (std::thread& worker : instance->workers) worker.join();
  if (instance->file >= 0) ::close(instance->file);
  if (!keep) {
    instance->calls.Wait();
    delete instance;
  }
}

teal_status Cancel(teal_instance*, uint64_t) {
  return TEAL_OK;
}

teal_status Caps(teal_instance*, teal_memory_caps* out) {
  teal_memory_caps caps{};
  caps.key_bytes_max = kKeyBytesMax;
  caps.value_bytes_max = kValueBytesMax;
  caps.commit_ops_max = kOpsMax;
  caps.commit_bytes_max = kCommitBytesMax;
  caps.get_keys_max = kGetKeysMax;
  caps.scan_records_max = kPageMax;
  caps.idempotency_window_ns = kWindowNs;
  if (Broken(Defect::kLongCaps)) {
    caps.struct_size = out->struct_size;
    *out = caps;
    return TEAL_OK;
  }
  teal::GiveOut(out, caps);
  return TEAL_OK;
}

bool WellFormed(const teal_op& op) {
  const bool absent = teal::SameVersion(op.expected, teal::kAbsent);
  if (op.kind < TEAL_PUT || op.kind > TEAL_CHECK || op.condition > TEAL_IF_VERSION) return false;
  if (op.condition != TEAL_IF_VERSION && !absent) return false;
  if (op.kind == TEAL_CHECK && op.condition == TEAL_IF_ANY) return false;
  if (op.kind != TEAL_PUT && (op.value.size != 0 || op.due_unix_ns != 0 || op.expires_unix_ns != 0)) return false;
  return op.key.partition.size != 0 && op.key.sort.size != 0;
}

Error TooLarge(const std::string& what, uint64_t most) {
  return {TEAL_TOO_LARGE, what + " is over its limit of " + std::to_string(most) + "; make it smaller",
          TEAL_NOT_APPLIED, 0, 0};
}

std::optional<Error> OverLimit(const teal_key& key) {
  if (key.partition.size > kKeyBytesMax || key.sort.size > kKeyBytesMax) return TooLarge("a key's part", kKeyBytesMax);
  return std::nullopt;
}

std::optional<Error> OverLimit(const teal_op* ops, uint64_t count) {
  if (count > kOpsMax) return TooLarge("the number of operations", kOpsMax);
  uint64_t bytes = 0;
  for (uint64_t n = 0; n < count; ++n) {
    if (const auto over = OverLimit(ops[n].key)) return over;
    if (ops[n].value.size > kValueBytesMax) return TooLarge("a value", kValueBytesMax);
    bytes += ops[n].key.partition.size + ops[n].key.sort.size + ops[n].value.size;
  }
  if (bytes > kCommitBytesMax) return TooLarge("the commit", kCommitBytesMax);
  return std::nullopt;
}

Key Owned(const teal_key& key) {
  return {Copy(key.partition), Copy(key.sort)};
}

teal_status CommitCall(teal_instance* instance, const teal_call* call, const teal_op* ops, uint64_t count) {
  if (Broken(Defect::kOnlyItsAge) && call->struct_size != sizeof *call) return TEAL_INVALID;
  if (Broken(Defect::kWordlessLimit) && OverLimit(ops, count)) return TEAL_TOO_LARGE;
  std::set<Key> keys;
  for (uint64_t n = 0; n < count; ++n) {
    if (!WellFormed(ops[n]) || !keys.insert(Owned(ops[n].key)).second) return TEAL_INVALID;
  }
  return teal::plugin::Take(call, instance->calls, [&](Done done) {
    if (const auto over = OverLimit(ops, count)) return done.Fail(*over);
    if (Broken(Defect::kBlocking)) std::this_thread::sleep_for(std::chrono::milliseconds(8));
    Commit commit{std::move(done), {}, Copy(call->idempotency_key), call->deadline_unix_ns};
    if (Broken(Defect::kLateInput)) commit.late = call;
    for (uint64_t n = 0; n < count; ++n) {
      const teal_op& op = ops[n];
      commit.ops.push_back({op.kind, op.condition, Owned(op.key), Copy(op.value), FromAbi(op.expected), op.due_unix_ns,
                            op.expires_unix_ns});
      if (Broken(Defect::kStaleRead)) CacheOf(*instance->store).records.erase(commit.ops.back().key);
    }
    const std::lock_guard lock(instance->mutex);
    instance->queue.push_back(std::move(commit));
    instance->work.notify_one();
  });
}

void GivePage(Done& done, const std::vector<teal_record>& records, bool more, const std::string& next) {
  const teal_page page{sizeof(teal_page), more ? 1u : 0u, records.size(), records.data(), Bytes(next)};
  done.Ok(&page);
}

teal_status GetCall(teal_instance* instance, const teal_call* call, const teal_key* keys, uint64_t count) {
  for (uint64_t n = 0; n < count; ++n) {
    if (keys[n].partition.size == 0 || keys[n].sort.size == 0) return TEAL_INVALID;
  }
  return teal::plugin::Take(call, instance->calls, [&](Done done) {
    if (count > kGetKeysMax) return done.Fail(TooLarge("the number of keys", kGetKeysMax));
    Store& store = *instance->store;
    const std::lock_guard lock(store.mutex);
    std::vector<std::pair<Key, Record>> found;
    for (uint64_t n = 0; n < count; ++n) {
      if (const auto over = OverLimit(keys[n])) return done.Fail(*over);
      const Key key = Owned(keys[n]);
      const Record* record = Find(store, key);
      if (Broken(Defect::kEarlyExpiry) && record != nullptr && record->expires != 0 &&
          Now(instance->host) + 1'000'000'000 > record->expires) {
        record = nullptr;
      }
      if (Broken(Defect::kStaleRead)) {
        auto& cached = CacheOf(store).records;
        if (record != nullptr) cached.try_emplace(key, *record);
        const auto at = cached.find(key);
        record = at == cached.end() ? nullptr : &at->second;
      }
      if (record != nullptr) found.emplace_back(key, *record);
    }
    if (Broken(Defect::kKeyOrderedGet)) {
      std::sort(found.begin(), found.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
    }
    std::vector<teal_record> records;
    for (const auto& [key, record] : found) records.push_back(View(key, record));
    GivePage(done, records, false, {});
    if (Broken(Defect::kDoubleDone) && records.empty()) {
      const teal_page page{sizeof(teal_page), 0, 0, nullptr, {nullptr, 0}};
      call->done(call->done_ctx, nullptr, &page);
    }
  });
}

teal_status ScanCall(teal_instance* instance, const teal_call* call, teal_bytes partition, teal_bytes prefix,
                     uint64_t limit, teal_bytes cursor) {
  if (partition.size == 0 || limit == 0) return TEAL_INVALID;
  return teal::plugin::Take(call, instance->calls, [&](Done done) {
    if (partition.size > kKeyBytesMax) return done.Fail(TooLarge("a key's part", kKeyBytesMax));
    Store& store = *instance->store;
    const std::lock_guard lock(store.mutex);
    const std::string in = Copy(partition);
    const std::string from = Copy(prefix);
    const std::string after = Copy(cursor);
    auto at = store.records.lower_bound({in, from});
    uint64_t place = 0;
    if (!after.empty() && Broken(Defect::kSkippingCursor)) {
      place = std::stoull(after);
      for (uint64_t n = 0; n < place && at != store.records.end() && at->first.first == in; ++n) ++at;
    } else if (!after.empty()) {
      at = store.records.upper_bound({in, after});
    }
    const uint64_t most = std::min(limit, kPageMax) + (Broken(Defect::kLongPage) ? 1 : 0);
    std::vector<teal_record> records;
    const auto inside = [&] {
      return at != store.records.end() && at->first.first == in && at->first.second.starts_with(from);
    };
    for (; inside() && records.size() < most; ++at) records.push_back(View(at->first, at->second));
    const bool more = inside();
    std::string next;
    if (more)
      next = Broken(Defect::kSkippingCursor) ? std::to_string(place + records.size()) : Copy(records.back().key.sort);
    if (Broken(Defect::kSignedOrder)) {
      std::sort(records.begin(), records.end(), [](const teal_record& a, const teal_record& b) {
        const auto x = View(a.key.sort);
        const auto y = View(b.key.sort);
        return std::lexicographical_compare(x.begin(), x.end(), y.begin(), y.end(), [](char c, char d) {
          return static_cast<signed char>(c) < static_cast<signed char>(d);
        });
      });
    }
    GivePage(done, records, more, next);
  });
}

uint32_t ShardOf(const Key& key, uint32_t shards) {
  uint64_t hash = 14695981039346656037u;
  const auto add = [&](std::string_view text) {
    for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211u;
    hash = (hash ^ text.size()) * 1099511628211u;
  };
  add(key.first);
  add(key.second);
  return static_cast<uint32_t>((hash >> 32u) % shards);
}

bool InShard(const Key& key, uint32_t shard, uint32_t shards) {
  if (Broken(Defect::kSharedShard) && shards == 3 && shard == 0) return true;
  return ShardOf(key, shards) == shard;
}

teal_status ScanDueCall(teal_instance* instance, const teal_call* call, uint32_t shard, uint32_t shards, uint64_t until,
                        uint64_t limit, teal_bytes cursor) {
  if (shards == 0 || shards > 1024 || shard >= shards || limit == 0) return TEAL_INVALID;
  return teal::plugin::Take(call, instance->calls, [&](Done done) {
    Store& store = *instance->store;
    const std::lock_guard lock(store.mutex);
    std::set<std::pair<uint64_t, Key>> due;
    for (const auto& [key, record] : store.records) {
      if (record.due != 0 && record.due <= until && InShard(key, shard, shards)) due.insert({record.due, key});
    }
    // The cursor: due, a zero byte, the size of the partition, a zero byte, the key's parts.
    auto at = due.begin();
    if (cursor.size != 0) {
      const std::string text = Copy(cursor);
      const std::size_t first = text.find('\0');
      const std::size_t second = text.find('\0', first + 1);
      const std::size_t size = std::stoull(text.substr(first + 1));
      at = due.upper_bound({std::stoull(text), {text.substr(second + 1, size), text.substr(second + 1 + size)}});
    }
    const uint64_t most = std::min(limit, kPageMax);
    std::vector<std::pair<uint64_t, Key>> page;
    for (; at != due.end() && page.size() < most; ++at) page.push_back(*at);
    const bool more = at != due.end();
    std::string next;
    if (more) {
      const auto& [time, key] = page.back();
      next = std::to_string(time) + '\0' + std::to_string(key.first.size()) + '\0' + key.first + key.second;
    }
    if (Broken(Defect::kWrongDueOrder))
      std::sort(page.begin(), page.end(), [](const auto& a, const auto& b) { return a.second < b.second; });
    std::vector<teal_record> records;
    for (const auto& [time, key] : page)
      records.push_back({{Bytes(key.first), Bytes(key.second)}, {nullptr, 0}, {}, time, 0});
    GivePage(done, records, more, next);
  });
}

const teal_memory kMemory = {sizeof(teal_memory),
                             0,
                             Caps,
                             CommitCall,
                             GetCall,
                             ScanCall,
                             ScanDueCall,
                             nullptr,
                             nullptr,
                             nullptr,
                             nullptr,
                             nullptr,
                             nullptr,
                             nullptr,
                             nullptr};

const void* Interface(const char* id) {
  return std::string_view(id) == TEAL_MEMORY_ID ? &kMemory : nullptr;
}

const teal_plugin kPlugin = {sizeof(teal_plugin), TEAL_ABI_MINOR, 0,     0,         "broken",
                             TEAL_PLUGIN_VERSION, Open,           Close, Interface, Cancel};

}  // namespace

extern "C" TEAL_EXPORT const teal_plugin* teal_plugin_v1(void) {
  return &kPlugin;
}
