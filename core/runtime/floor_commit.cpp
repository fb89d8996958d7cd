// A commit through the floor store.
//
//   1. a session that is not there yet, and whose first commit has other records: a placeholder, which is due some
//   time,
//      so that what a crash leaves of the creation is found;
//   2. the other records, each under its sort key and this attempt's number and nonce: nobody reads those;
//   3. the head: the caller's `s` and what counts from now on, if the head is still the one that this goes out from;
//   4. off the path: deletes of what was replaced, and writes elsewhere.
//
// 2 and 3 are one commit of the store below where they fit into one. docs/decisions/0009 argues why this is a commit.
#include <algorithm>
#include <cassert>

#include "core/base/mutant.h"
#include "core/runtime/floor_core.h"

namespace teal::runtime::floor {
namespace {

using Kind = StoreWrite::Kind;

class SessionCommit : public std::enable_shared_from_this<SessionCommit> {
 public:
  SessionCommit(std::shared_ptr<Core> core, std::string sid, std::vector<StoreWrite> writes, size_t head,
                std::function<void(Result<StoreCommitted>)> done)
      : core_(std::move(core)), sid_(std::move(sid)), writes_(std::move(writes)), head_(head), done_(std::move(done)) {}

  // Not from a sink.
  void Begin() {
    const StoreWrite& head = writes_[head_];
    if (head.condition == StoreCondition::kAbsent) return Prepare();
    if (head.condition == StoreCondition::kVersion) {
      from_ = core_->Cached(sid_, head.expected);
      if (from_ != nullptr) return Prepare();
    }
    Load();
  }

 private:
  const record::Key HeadKey() const { return record::SessionKey(sid_); }

  void Load() {
    core_->Load(sid_, [self = shared_from_this()](Result<Loaded> loaded) {
      if (!loaded) return self->done_(loaded.failure());
      self->TakeLoaded(std::move(*loaded));
    });
  }

  // In a sink.
  void TakeLoaded(Loaded loaded) {
    const StoreWrite& head = writes_[head_];
    const bool holds =
        head.condition == StoreCondition::kAny || (head.condition == StoreCondition::kAbsent && !loaded.record) ||
        (head.condition == StoreCondition::kVersion && loaded.record && loaded.record->version == head.expected);
    if (!holds) return Conflict(std::move(loaded.record), false);
    from_ = std::move(loaded.state);
    core_->Post([self = shared_from_this()] { self->Prepare(); });
  }

  // What is to be written, from `from_` on. Not from a sink.
  void Prepare() {
    attempt_ = {from_ != nullptr ? from_->number + 1 : 1, core_->Random()};
    if (TEAL_MUTANT("floor_names_come_back")) attempt_.nonce = 1;
    parts_.clear();
    part_of_.clear();
    replaced_.clear();
    chunks_written_ = 0;
    next_ = std::make_shared<State>();
    next_->number = attempt_.number;
    next_->due_unix_ns = writes_[head_].due_unix_ns;
    if (from_ != nullptr) {
      next_->recent = from_->recent;
      next_->chunks = from_->chunks;
      next_->base = from_->base;
    }
    for (size_t i = 0; i < writes_.size(); ++i) {
      if (i != head_ && writes_[i].key.partition == sid_) Apply(i);
    }
    if (SizeOf(next_->recent) > kRecentBytes) WriteChunks();
    GatherWork();
    if (writes_[head_].kind == Kind::kDelete) return SendEnd();
    const std::string bytes = HeadBytes(next_.get(), &writes_[head_].bytes);
    if (bytes.size() > core_->below().limits().value_bytes_max) {
      return done_(Fail(FailureCode::kTooLarge, "the record " + record::Text(HeadKey()) + " takes " +
                                                    std::to_string(bytes.size()) + " bytes; this memory takes " +
                                                    std::to_string(core_->below().limits().value_bytes_max)));
    }
    StoreWrite head = HeadWrite(bytes, writes_[head_].due_unix_ns);
    head.expires_unix_ns = writes_[head_].expires_unix_ns;
    if (parts_.empty()) return SendHead(std::move(head));
    if (FitsWhole(head)) return SendWhole(std::move(head));
    if (from_ == nullptr && !TEAL_MUTANT("floor_no_placeholder")) return SendPlaceholder();
    if (TEAL_MUTANT("floor_head_first")) return SendHead(std::move(head));
    core_->Each(parts_, [self = shared_from_this(), head](Result<std::vector<StoreCommitted>> outcome) mutable {
      if (!outcome) return self->done_(outcome.failure());
      for (size_t i = 0; i < outcome->size(); ++i) {
        if (!(*outcome)[i].applied) {
          return self->done_(Fail(FailureCode::kInternal, "somebody has written " + record::Text(self->parts_[i].key) +
                                                              ", which nobody could know"));
        }
      }
      self->core_->counters().parts += outcome->size() - self->chunks_written_;
      self->core_->counters().chunks += self->chunks_written_;
      self->core_->Post([self, head = std::move(head), outcome = std::move(*outcome)]() mutable {
        for (StoreCommitted& one : outcome) self->part_versions_.push_back(one.versions[0]);
        self->SendHead(std::move(head));
      });
    });
  }

  // One of the caller's other writes in this session.
  void Apply(size_t index) {
    StoreWrite& write = writes_[index];
    const std::string& sort = write.key.sort;
    if (SortOf(sort) == Sort::kValue) {
      if (write.kind == Kind::kDelete) {
        replaced_.push_back(write.key);
        return;
      }
      parts_.push_back(write);
      part_of_.push_back(index);
      return;
    }
    if (const Attempt* const before = from_ != nullptr ? from_->Find(sort) : nullptr) {
      replaced_.push_back({sid_, NameOf(sort, *before)});
    }
    if (write.kind == Kind::kDelete) {
      if (next_->InBase(sort)) {
        next_->recent[sort] = std::nullopt;
      } else {
        next_->recent.erase(sort);
      }
      return;
    }
    next_->recent[sort] = attempt_;
    StoreWrite& part = parts_.emplace_back();
    part.condition = TEAL_MUTANT("floor_names_come_back") ? StoreCondition::kAny : StoreCondition::kAbsent;
    part.key = {sid_, NameOf(sort, attempt_)};
    part.bytes = write.bytes;
    part_of_.push_back(index);
  }

  // The whole directory anew: it has changed too much for the head to say what differs.
  void WriteChunks() {
    Directory all;
    for (const auto& [sort, attempt] : next_->Live()) all.emplace(sort, attempt);
    for (size_t i = 0; i < next_->chunks.size(); ++i) {
      replaced_.push_back({sid_, NameOf(ChunkSort(i), next_->chunks[i])});
    }
    next_->chunks.clear();
    next_->base = nullptr;
    next_->recent.clear();
    if (SizeOf(all) <= kRecentBytes / 2) {
      next_->recent = std::move(all);
      return;
    }
    Directory chunk;
    size_t bytes = 0;
    const auto write = [&] {
      const record::Key key{sid_, NameOf(ChunkSort(next_->chunks.size()), attempt_)};
      StoreWrite& part = parts_.emplace_back();
      part.condition = StoreCondition::kAbsent;
      part.key = key;
      part.bytes = EncodeChunk(key, chunk);
      part_of_.push_back(SIZE_MAX);
      next_->chunks.push_back(attempt_);
      ++chunks_written_;
      chunk.clear();
      bytes = 0;
    };
    for (const auto& entry : all) {
      chunk.insert(entry);
      bytes += entry.first.size() + 16;  // an attempt of its own, at most
      if (bytes >= kChunkBytes) write();
    }
    if (!chunk.empty()) write();
    next_->base = std::make_shared<Directory>(std::move(all));
  }

  // What is to be done elsewhere: this commit's, and what the heads before it left open.
  void GatherWork() {
    auto work = std::make_shared<WorkState>();
    for (size_t i = 0; i < writes_.size(); ++i) {
      const StoreWrite& write = writes_[i];
      if (write.key.partition == sid_) continue;
      work->all.push_back({write.key, write.kind == Kind::kDelete, write.bytes});
    }
    const std::shared_ptr<WorkState> before = from_ != nullptr ? from_->work : nullptr;
    if (before != nullptr && before->stage != WorkState::kDone) {
      if (work->all.empty()) {
        next_->work = before;
        return;
      }
      for (const Work& one : before->all) {
        const auto same = [&one](const Work& other) { return other.key == one.key; };
        if (std::none_of(work->all.begin(), work->all.end(), same)) work->all.push_back(one);
      }
    }
    if (!work->all.empty() && !TEAL_MUTANT("floor_forgets_work")) next_->work = std::move(work);
  }

  std::string HeadBytes(const State* state, const std::string* record) const {
    Head head;
    head.attempt = {state->number, attempt_.nonce};
    if (record != nullptr) head.record = *record;
    head.recent = state->recent;
    head.chunks = state->chunks;
    if (state->work != nullptr) head.work = state->work->all;
    return EncodeHead(HeadKey(), head);
  }

  StoreWrite HeadWrite(std::string bytes, uint64_t due_unix_ns) const {
    StoreWrite write;
    write.key = HeadKey();
    write.bytes = std::move(bytes);
    write.due_unix_ns = due_unix_ns;
    write.condition = from_ == nullptr ? StoreCondition::kAbsent : StoreCondition::kVersion;
    if (from_ != nullptr) write.expected = from_->version;
    if (TEAL_MUTANT("floor_head_without_condition")) write.condition = StoreCondition::kAny;
    return write;
  }

  bool FitsWhole(const StoreWrite& head) const {
    const StoreLimits& limits = core_->below().limits();
    if (parts_.size() + 1 > limits.commit_ops_max) return false;
    uint64_t bytes = 0;
    for (const StoreWrite& part : parts_) {
      bytes += part.key.partition.size() + part.key.sort.size() + part.bytes.size();
    }
    return bytes + sid_.size() + 1 + head.bytes.size() <= limits.commit_bytes_max;
  }

  void SendWhole(StoreWrite head) {
    std::vector<StoreWrite> all;
    all.reserve(parts_.size() + 1);
    all.push_back(std::move(head));
    all.insert(all.end(), parts_.begin(), parts_.end());
    core_->Commit(std::move(all), [self = shared_from_this()](Result<StoreCommitted> outcome) {
      if (outcome && outcome->applied) {
        self->core_->counters().parts += self->parts_.size() - self->chunks_written_;
        self->core_->counters().chunks += self->chunks_written_;
        self->part_versions_.assign(outcome->versions.begin() + 1, outcome->versions.end());
      }
      self->Landed(std::move(outcome));
    });
  }

  void SendHead(StoreWrite head) {
    std::vector<StoreWrite> one;
    one.push_back(std::move(head));
    core_->Commit(std::move(one),
                  [self = shared_from_this()](Result<StoreCommitted> outcome) { self->Landed(std::move(outcome)); });
  }

  // In a sink.
  void Landed(Result<StoreCommitted> outcome) {
    if (!outcome) return done_(outcome.failure());
    if (!outcome->applied) return Refused(std::move(*outcome));
    ++core_->counters().heads;
    next_->version = outcome->versions[0];
    core_->Remember(sid_, next_);
    if (TEAL_MUTANT("floor_head_first")) {
      core_->Post([self = shared_from_this()] { self->core_->Each(self->parts_, [](const auto&) {}); });
    }
    StoreCommitted committed{.applied = true, .versions = std::vector<StoreVersion>(writes_.size())};
    committed.versions[head_] = next_->version;
    for (size_t i = 0; i < part_versions_.size(); ++i) {
      if (part_of_[i] != SIZE_MAX) committed.versions[part_of_[i]] = part_versions_[i];
    }
    core_->Delete(std::move(replaced_), &core_->counters().replaced);
    core_->DoWork(next_->work);
    done_(std::move(committed));
  }

  // The head is another one. A placeholder is none for the caller. In a sink.
  void Refused(StoreCommitted refused) {
    core_->Take(sid_, std::move(refused.found),
                [self = shared_from_this(), doubtful = refused.doubtful](Result<Loaded> loaded) {
                  if (!loaded) return self->done_(loaded.failure());
                  const StoreCondition condition = self->writes_[self->head_].condition;
                  const bool again =
                      condition == StoreCondition::kAny || (condition == StoreCondition::kAbsent && !loaded->record);
                  // In doubt, this very commit may have been applied, and its session ended since.
                  if (!again || (doubtful && condition != StoreCondition::kAny)) {
                    return self->Conflict(std::move(loaded->record), doubtful);
                  }
                  if (++self->tries_ > kTriesMax) {
                    return self->done_(Fail(FailureCode::kUnavailable,
                                            "others are creating the session " + self->sid_ + " all the time"));
                  }
                  self->part_versions_.clear();
                  self->from_ = std::move(loaded->state);
                  self->core_->Post([self] { self->Prepare(); });
                });
  }

  void Conflict(std::optional<StoreItem> found, bool doubtful) {
    done_(StoreCommitted{.conflict = static_cast<uint32_t>(head_), .found = std::move(found), .doubtful = doubtful});
  }

  // ---- Placeholders ----

  void SendPlaceholder() {
    State state;
    state.number = attempt_.number;
    state.placeholder = true;
    state.due_unix_ns = core_->NowUnixNs() + kCreationNs;
    std::vector<StoreWrite> one;
    one.push_back(HeadWrite(HeadBytes(&state, nullptr), state.due_unix_ns));
    core_->Commit(std::move(one), [self = shared_from_this(), state](Result<StoreCommitted> outcome) mutable {
      if (!outcome) return self->done_(outcome.failure());
      if (!outcome->applied) return self->Refused(std::move(*outcome));
      ++self->core_->counters().placeholders;
      state.version = outcome->versions[0];
      self->from_ = std::make_shared<const State>(std::move(state));
      self->core_->Post([self] { self->Prepare(); });
    });
  }

  // `s` is deleted: it becomes a placeholder, and goes when all else of its partition has gone.
  void SendEnd() {
    if (from_ == nullptr)
      return done_(StoreCommitted{.applied = true, .versions = std::vector<StoreVersion>(writes_.size())});
    if (!next_->Live().empty()) {
      return done_(Fail(FailureCode::kInvalid, "the session " + sid_ + " has records besides the one to be deleted"));
    }
    auto state = std::make_shared<State>();
    state->number = attempt_.number;
    state->placeholder = true;
    state->due_unix_ns = core_->NowUnixNs();
    state->work = next_->work;
    std::vector<StoreWrite> one;
    one.push_back(HeadWrite(HeadBytes(state.get(), nullptr), state->due_unix_ns));
    core_->Commit(std::move(one), [self = shared_from_this(), state](Result<StoreCommitted> outcome) {
      if (!outcome) return self->done_(outcome.failure());
      if (!outcome->applied) return self->Refused(std::move(*outcome));
      ++self->core_->counters().heads;
      state->version = outcome->versions[0];
      self->core_->Remember(self->sid_, state);
      self->core_->Collect(self->sid_, &state->version);
      self->done_(StoreCommitted{.applied = true, .versions = std::vector<StoreVersion>(self->writes_.size())});
    });
  }

  const std::shared_ptr<Core> core_;
  const std::string sid_;
  std::vector<StoreWrite> writes_;
  const size_t head_;
  const std::function<void(Result<StoreCommitted>)> done_;
  // Owned by whoever has the commit at the moment.
  StatePtr from_;  // null: there is no `s`
  std::shared_ptr<State> next_;
  Attempt attempt_;
  std::vector<StoreWrite> parts_;
  std::vector<size_t> part_of_;  // the caller's write; SIZE_MAX: a chunk
  std::vector<StoreVersion> part_versions_;
  std::vector<record::Key> replaced_;
  size_t chunks_written_ = 0;
  int tries_ = 0;
};

Failure Unfit(const std::string& what) {
  return Fail(FailureCode::kInvalid, "a commit that the floor store cannot make: " + what);
}

}  // namespace

void StartCommit(const std::shared_ptr<Core>& core, std::vector<StoreWrite> writes,
                 std::function<void(Result<StoreCommitted>)> done) {
  size_t head = writes.size();
  bool sessions = false;
  bool others = false;
  for (size_t i = 0; i < writes.size(); ++i) {
    if (!record::IsSid(writes[i].key.partition)) continue;
    sessions = true;
    switch (SortOf(writes[i].key.sort)) {
      case Sort::kHead:
        if (head != writes.size()) return done(Unfit("it changes two sessions"));
        head = i;
        break;
      case Sort::kValue:
        break;
      case Sort::kPart:
        others = true;
        break;
    }
  }
  if (head == writes.size()) {
    if (others) return done(Unfit("it changes a session without its own record"));
    if (!sessions) return core->Commit(std::move(writes), std::move(done));
    return core->Each(std::move(writes), [done = std::move(done)](Result<std::vector<StoreCommitted>> outcome) {
      if (!outcome) return done(outcome.failure());
      StoreCommitted all{.applied = true};
      for (uint32_t i = 0; i < outcome->size(); ++i) {
        StoreCommitted& one = (*outcome)[i];
        if (!one.applied) {
          one.conflict = i;
          return done(std::move(one));
        }
        all.versions.push_back(one.versions[0]);
      }
      done(std::move(all));
    });
  }
  if (writes[head].kind == Kind::kCheck) return done(Unfit("it only looks at a session"));
  const std::string sid = writes[head].key.partition;
  for (size_t i = 0; i < writes.size(); ++i) {
    if (i == head) continue;
    if (writes[i].kind == Kind::kCheck || writes[i].condition != StoreCondition::kAny) {
      return done(Unfit("a condition on " + record::Text(writes[i].key)));
    }
    if (writes[i].due_unix_ns != 0) return done(Unfit("a due time of " + record::Text(writes[i].key)));
  }
  std::make_shared<SessionCommit>(core, sid, std::move(writes), head, std::move(done))->Begin();
}

}  // namespace teal::runtime::floor
