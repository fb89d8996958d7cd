#include "plugins/local/committer.hpp"

#include <algorithm>
#include <array>
#include <cassert>
#include <chrono>

#include "plugins/local/quiet.hpp"
#include "plugins/local/replay.hpp"

namespace teal::local {
namespace {

using plugin::Error;
using rocksdb::Slice;
using rocksdb::Status;

constexpr std::size_t kGroupCommitsMax = 1024;
constexpr uint64_t kExpiredAtOnce = 500;
constexpr uint64_t kExpiryEveryNs = 1'000'000'000;

Slice ToSlice(std::string_view text) {
  return {text.data(), text.size()};
}

bool Same(const teal_version& a, const teal_version& b) {
  return SameVersion(a, b);
}

uint64_t BytesOf(const teal_op* ops, uint64_t count) {
  uint64_t bytes = 0;
  for (uint64_t i = 0; i < count; ++i) bytes += ops[i].key.partition.size + ops[i].key.sort.size + ops[i].value.size;
  return bytes;
}

}  // namespace

Committer::Committer(Files& files, Log& log, Store& store, plugin::Watchers& watchers, Clock now, Say say,
                     Settings settings)
    : files_(files),
      log_(log),
      store_(store),
      watchers_(watchers),
      now_(std::move(now)),
      say_(std::move(say)),
      settings_(settings) {
  put_in_ = log_.NextNumber() - 1;
}

void Committer::Start() {
  const Quiet quiet;
  flusher_ = std::thread([this] { Flush(); });
  committer_ = std::thread([this] { Run(); });
}

void Committer::Stop() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  queued_.notify_all();
  committer_.join();
  FlushAll().PermitUncheckedError();  // what it could not write is in the log
  {
    const std::lock_guard lock(mutex_);
    stop_flushing_ = true;
  }
  flush_asked_.notify_all();
  flusher_.join();
}

void Committer::Add(const teal_call* call, const teal_op* ops, uint64_t count, plugin::Done done) {
  bool was_empty = false;
  {
    const std::lock_guard lock(mutex_);
    was_empty = queue_.empty();
    if (!stopped_) queue_.push_back({call, ops, count, std::move(done)});
  }
  if (done) return done.Fail({TEAL_CLOSED, "the memory was closed before the commit was begun"});
  if (was_empty) queued_.notify_one();
}

void Committer::Cancel(uint64_t op_id) {
  std::deque<Pending> cancelled;
  {
    const std::lock_guard lock(mutex_);
    const auto at = std::find_if(queue_.begin(), queue_.end(),
                                 [op_id](const Pending& pending) { return pending.call->op_id == op_id; });
    if (at == queue_.end()) return;
    cancelled.push_back(std::move(*at));
    queue_.erase(at);
  }
  cancelled.front().done.Fail({TEAL_CANCELLED, "cancelled before it was begun"});
}

std::vector<Committer::Pending> Committer::TakeGroup(bool& stopping) {
  std::vector<Pending> commits;
  std::unique_lock lock(mutex_);
  queued_.wait_for(lock, std::chrono::seconds(1), [this] { return stop_ || !queue_.empty(); });
  uint64_t bytes = 0;
  uint64_t ops = 0;
  while (!queue_.empty() && commits.size() < kGroupCommitsMax) {
    const Pending& next = queue_.front();
    bytes += BytesOf(next.ops, next.count);
    ops += next.count;
    if (!commits.empty() && (bytes > settings_.group_bytes_max || ops > kGroupOpsMax)) break;
    commits.push_back(std::move(queue_.front()));
    queue_.pop_front();
  }
  stopping = stopped_ = stop_ && queue_.empty() && commits.empty();
  return commits;
}

void Committer::Run() {
  bool stopping = false;
  while (!stopping) {
    std::vector<Pending> commits = TakeGroup(stopping);
    if (!commits.empty()) Commit(std::move(commits));
    const uint64_t now = now_();
    if (now >= looked_for_expired_ns_ + kExpiryEveryNs || now < looked_for_expired_ns_) {
      looked_for_expired_ns_ = now;
      Expire();
    }
  }
}

void Committer::Commit(std::vector<Pending> commits) {
  Group group;
  group.commits = std::move(commits);
  group.outcomes.resize(group.commits.size());
  Error error;
  if (log_.Broken()) {
    error = LogBroken();
    return Answer(group, &error);
  }
  if (!Recover(error)) return Answer(group, &error);
  const uint64_t now = now_();
  for (std::size_t i = 0; i < group.commits.size(); ++i) {
    const uint64_t deadline = group.commits[i].call->deadline_unix_ns;
    if (deadline != 0 && deadline <= now) {
      group.outcomes[i].error = Error{TEAL_TIMEOUT, "the deadline was over before the commit was begun"};
    } else {
      Decide(group, i);
    }
  }
  if (group.writes > 0 && !MakeDurable(group, error)) return Answer(group, &error);
  Answer(group, nullptr);
}

Committer::State* Committer::Find(Group& group, const std::string& record_key, std::optional<Error>& error) {
  auto& slot = group.states[record_key];
  if (slot != nullptr) return slot.get();
  auto state = std::make_unique<State>();
  if (const StoredRecord* recent = recent_.Find(record_key)) {
    state->exists = true;
    state->has_value = false;
    state->record = *recent;
  } else if (!Read(record_key, *state, error)) {
    return nullptr;
  }
  slot = std::move(state);
  return slot.get();
}

bool Committer::Read(const std::string& record_key, State& state, std::optional<Error>& error) {
  const Status status = store_.Read(record_key, &state.bytes);
  if (status.IsNotFound()) return true;
  if (!status.ok()) {
    error = ToError(status, "cannot read the record");
    return false;
  }
  const auto record = ReadRecord({state.bytes.data(), state.bytes.size()});
  if (!record) {
    error = Error{TEAL_CORRUPT, "the record found is damaged; restore a backup"};
    return false;
  }
  state.exists = state.has_value = true;
  state.record = *record;
  return true;
}

void Committer::Decide(Group& group, std::size_t index) {
  const Pending& commit = group.commits[index];
  Outcome& outcome = group.outcomes[index];
  if (!told_unknown_.empty() && commit.call->idempotency_key.size != 0) {
    const auto told = told_unknown_.find(Copy(commit.call->idempotency_key));
    if (told != told_unknown_.end() && told->second.size() == commit.count) {
      outcome.versions = told->second;
      return;
    }
  }
  std::vector<std::pair<std::string, State*>> at(commit.count);
  for (uint64_t i = 0; i < commit.count; ++i) {
    const teal_op& op = commit.ops[i];
    at[i].first = RecordKey(View(op.key.partition), View(op.key.sort));
    State* const state = Find(group, at[i].first, outcome.error);
    if (state == nullptr) return;
    at[i].second = state;
    outcome.rests_on_group = outcome.rests_on_group || state->from_group;
    const bool holds = op.condition == TEAL_IF_ANY || (op.condition == TEAL_IF_ABSENT && !state->exists) ||
                       (op.condition == TEAL_IF_VERSION && state->exists && Same(state->record.version, op.expected));
    if (holds) continue;
    assert(state->has_value || !state->from_group);
    if (!state->has_value && !Read(at[i].first, *state, outcome.error)) return;
    outcome.failed_op = static_cast<uint32_t>(i);
    outcome.error = Error{TEAL_CONFLICT, "the condition of operation " + std::to_string(i) + " fails"};
    if (state->exists) {
      outcome.found = teal_record{op.key, Bytes(state->record.value), state->record.version, state->record.due,
                                  state->record.expires};
    }
    return;
  }
  outcome.versions.resize(commit.count);
  for (uint64_t i = 0; i < commit.count; ++i) {
    const teal_op& op = commit.ops[i];
    State& state = *at[i].second;
    if (op.kind == TEAL_PUT) {
      Put(group, op, at[i].first, state, {++written_, settings_.opening});
      outcome.versions[i] = state.record.version;
      outcome.writes = true;
    } else if (op.kind == TEAL_DELETE && state.exists) {
      Remove(group, at[i].first, state);
      outcome.writes = true;
    } else if (op.kind == TEAL_CHECK && state.exists) {
      outcome.versions[i] = state.record.version;
    }
  }
}

// A key of the indexes is written once between two deletions, which is what SingleDelete asks for: both then vanish
// where they meet, and the front of the due index stays short.
void Committer::Remove(Group& group, std::string_view record_key, State& state) {
  group.batch.Delete(ToSlice(record_key));
  if (state.record.due != 0) group.batch.SingleDelete(TimeKey(kDueSpace, state.record.due, record_key));
  if (state.record.expires != 0) group.batch.SingleDelete(TimeKey(kExpirySpace, state.record.expires, record_key));
  state.exists = false;
  state.from_group = state.has_value = true;  // what the store still has is no longer so
  state.record = {};
  ++group.writes;
}

void Committer::Put(Group& group, const teal_op& op, std::string_view record_key, State& state, VersionParts version) {
  const auto index = [&](char space, uint64_t before, uint64_t after) {
    if (before == after) return;
    if (before != 0) group.batch.SingleDelete(TimeKey(space, before, record_key));
    if (after != 0) group.batch.Put(TimeKey(space, after, record_key), Slice());
  };
  index(kDueSpace, state.record.due, op.due_unix_ns);
  index(kExpirySpace, state.record.expires, op.expires_unix_ns);
  std::string head;
  AppendRecord(head, version, op.due_unix_ns, op.expires_unix_ns, {});
  const std::array<Slice, 2> value = {Slice(head), ToSlice(View(op.value))};
  const Slice key = ToSlice(record_key);
  group.batch.Put(rocksdb::SliceParts(&key, 1), rocksdb::SliceParts(value.data(), 2));
  if (op.due_unix_ns != 0) group.least_due = std::min(group.least_due, op.due_unix_ns);
  state.exists = state.has_value = true;
  state.from_group = true;
  state.record = {ToVersion(version), op.due_unix_ns, op.expires_unix_ns, View(op.value)};
  ++group.writes;
}

Error Committer::LogBroken() const {
  return {TEAL_UNAVAILABLE, "nothing is written any more, since the commit log failed (" + log_.Broken().message() +
                                "): look after the disk, then have the store opened again; reads go on"};
}

// True: the group is durable and in the store. False: `error` says why not and what became of it.
bool Committer::MakeDurable(Group& group, Error& error) {
  const uint64_t number = log_.NextNumber();
  std::string applied;
  AppendBigEndian(applied, number, 8);
  group.batch.Put(ToSlice(kAppliedKey), applied);
  const std::string& payload = group.batch.Data();
  if (!WaitForRoom(payload.size(), error)) return false;
  if (const auto failed = log_.Append(payload, settings_.sync)) {
    recent_.Clear();
    const bool ended = static_cast<bool>(log_.Broken());
    error = {TEAL_UNAVAILABLE,
             "the commit log could not be written: " + failed.message() +
                 "; whether this commit stands is known after " +
                 (ended ? "the store was opened again" : "the next commit"),
             TEAL_OUTCOME_UNKNOWN};
    if (ended) {
      say_(TEAL_LOG_ERROR, LogBroken().message);
    } else {
      error.retry_after_ns = 100'000'000;
    }
    return false;
  }
  if (!store_.Write(group.batch, group.least_due).ok() && !Recover(error)) {
    // Durable, so it stands; only RocksDB does not take it yet. It is put in before anything else is.
    recent_.Clear();
    error.message = "this commit is written down but cannot be shown yet: " + error.message;
    error.outcome = TEAL_OUTCOME_UNKNOWN;
    for (std::size_t i = 0; i < group.commits.size(); ++i) {
      const teal_bytes key = group.commits[i].call->idempotency_key;
      if (key.size != 0 && group.outcomes[i].writes) told_unknown_[Copy(key)] = group.outcomes[i].versions;
    }
    return false;
  }
  for (const auto& [record_key, state] : group.states) {
    if (!state->from_group) continue;
    if (state->exists) {
      recent_.Put(record_key, state->record);
    } else {
      recent_.Remove(record_key);
    }
  }
  const std::lock_guard lock(mutex_);
  put_in_ = number;
  return true;
}

bool Committer::Recover(Error& error) {
  if (!store_.Failing()) return true;
  recent_.Clear();
  {
    // While entries are put in anew, and for a flush that began before, nothing may be released.
    const std::lock_guard lock(mutex_);
    put_in_ = 0;
    ++reopened_;
  }
  if (auto failed = store_.Reopen()) {
    error = *failed;
    return false;
  }
  if (auto failed = Replay(log_, store_, !settings_.sync)) {
    error = *failed;
    return false;
  }
  store_.SetWhole();
  const std::lock_guard lock(mutex_);
  put_in_ = log_.NextNumber() - 1;
  return true;
}

bool Committer::WaitForRoom(uint64_t bytes, Error& error) {
  if (bytes > log_.PayloadBytesMax()) {
    error = {TEAL_TOO_LARGE, "the commit needs " + std::to_string(bytes) + " bytes of the commit log, which takes " +
                                 std::to_string(log_.PayloadBytesMax())};
    return false;
  }
  for (;;) {
    bool rotated = false;
    const bool has_room = log_.MakeRoom(bytes, rotated);
    if (has_room && !rotated) return true;
    std::unique_lock lock(mutex_);
    flush_wanted_ = true;
    flush_asked_.notify_all();
    if (has_room) return true;  // the segment just left is released while this one fills
    const uint64_t before = flushes_;
    flushed_.wait(lock, [&] { return flushes_ > before; });
    if (!flush_status_.ok()) {
      error = ToError(flush_status_, "cannot write the records");
      return false;
    }
  }
}

void Committer::Answer(Group& group, const Error* failure) {
  const auto answer = [&](std::size_t i) {
    Pending& commit = group.commits[i];
    const Outcome& outcome = group.outcomes[i];
    if (failure != nullptr && (!outcome.error || outcome.rests_on_group)) {
      Error error = *failure;
      if (!outcome.writes) error.outcome = TEAL_NOT_APPLIED;
      return commit.done.Fail(error);
    }
    teal_commit_result result{};
    result.struct_size = sizeof result;
    if (outcome.error) {
      result.failed_op = outcome.failed_op;
      result.found = outcome.found ? &*outcome.found : nullptr;
      return commit.done.Fail(*outcome.error, outcome.error->code == TEAL_CONFLICT ? &result : nullptr);
    }
    ++files_.counters().commits;
    result.count = commit.count;
    result.versions = outcome.versions.data();
    commit.done.Ok(&result);
  };
  if (failure == nullptr && watchers_.Any()) {
    for (std::size_t i = 0; i < group.commits.size(); ++i) {
      if (!group.outcomes[i].writes) continue;
      for (uint64_t j = 0; j < group.commits[i].count; ++j) {
        if (group.commits[i].ops[j].kind != TEAL_CHECK) watchers_.Tell(group.commits[i].ops[j].key);
      }
    }
  }
  // A record found may be an operation's of the same group, which is the host's until that commit is answered.
  for (std::size_t i = 0; i < group.commits.size(); ++i) {
    if (group.outcomes[i].found) answer(i);
  }
  for (std::size_t i = 0; i < group.commits.size(); ++i) {
    if (!group.outcomes[i].found) answer(i);
  }
}

void Committer::Expire() {
  Error error;
  if (log_.Broken() || !Recover(error)) return;
  for (;;) {
    const uint64_t now = now_();
    std::vector<std::string> keys;
    if (store_.Expired(now, kExpiredAtOnce, keys) || keys.empty()) return;
    Group group;
    std::optional<Error> unreadable;
    for (const std::string& key : keys) {
      State* const state = Find(group, key, unreadable);
      if (state != nullptr && state->exists && state->record.expires != 0 && state->record.expires <= now) {
        Remove(group, key, *state);
      }
    }
    if (group.writes == 0 || !MakeDurable(group, error) || keys.size() < kExpiredAtOnce) return;
    const std::lock_guard lock(mutex_);
    if (!queue_.empty()) return;  // callers first; the rest a second later
  }
}

Status Committer::FlushAll() {
  std::unique_lock lock(mutex_);
  const uint64_t target = put_in_;
  while (log_.Released() < target) {
    flush_wanted_ = true;
    flush_asked_.notify_all();
    const uint64_t before = flushes_;
    flushed_.wait(lock, [&] { return flushes_ > before; });
    if (!flush_status_.ok()) return flush_status_;
  }
  return Status::OK();
}

void Committer::Flush() {
  std::unique_lock lock(mutex_);
  for (;;) {
    flush_asked_.wait(lock, [this] { return flush_wanted_ || stop_flushing_; });
    if (stop_flushing_) return;
    flush_wanted_ = false;
    const uint64_t target = put_in_;
    const uint64_t reopened = reopened_;
    lock.unlock();
    Status status = store_.Flush();
    lock.lock();
    if (status.ok() && reopened == reopened_ && target > log_.Released()) log_.Release(target);
    flush_status_ = status;
    ++flushes_;
    flushed_.notify_all();
  }
}

}  // namespace teal::local
