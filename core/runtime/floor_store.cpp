#include "core/runtime/floor_store.h"

#include <pthread.h>

#include <cassert>
#include <chrono>
#include <csignal>
#include <random>

#include "core/base/mutant.h"
#include "core/runtime/floor_core.h"

namespace teal::runtime {
namespace floor {
namespace {

uint64_t SystemUnixNs() {
  return static_cast<uint64_t>(
      std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::system_clock::now().time_since_epoch())
          .count());
}

Failure Closing() {
  return Fail(FailureCode::kUnavailable, "the memory is being closed");
}

// Each write of a list by itself.
class EachCall : public std::enable_shared_from_this<EachCall> {
 public:
  EachCall(std::shared_ptr<Core> core, std::vector<StoreWrite> writes,
           std::function<void(Result<std::vector<StoreCommitted>>)> done)
      : core_(std::move(core)), writes_(std::move(writes)), done_(std::move(done)), outcomes_(writes_.size()) {}

  // Not from a sink.
  void Send() {
    for (;;) {
      size_t at = 0;
      {
        const std::lock_guard lock(mutex_);
        if (failed_ || next_ == writes_.size() || going_ == kParallelMax) return;
        at = next_++;
        ++going_;
      }
      std::vector<StoreWrite> one;
      one.push_back(std::move(writes_[at]));
      core_->Commit(std::move(one), [self = shared_from_this(), at](Result<StoreCommitted> outcome) {
        self->Landed(at, std::move(outcome));
      });
    }
  }

 private:
  void Landed(size_t at, Result<StoreCommitted> outcome) {
    bool first_failure = false;
    bool more = false;
    bool over = false;
    {
      const std::lock_guard lock(mutex_);
      --going_;
      first_failure = !outcome && !failed_;
      if (!outcome) {
        failed_ = true;
      } else {
        outcomes_[at] = std::move(*outcome);
        ++ended_;
      }
      over = !failed_ && ended_ == outcomes_.size();
      more = !failed_ && next_ < outcomes_.size();
    }
    if (first_failure) return done_(outcome.failure());
    if (over) return done_(std::move(outcomes_));
    if (more) core_->Post([self = shared_from_this()] { self->Send(); });
  }

  const std::shared_ptr<Core> core_;
  std::vector<StoreWrite> writes_;
  const std::function<void(Result<std::vector<StoreCommitted>>)> done_;
  std::mutex mutex_;
  // Guarded by mutex_.
  std::vector<StoreCommitted> outcomes_;
  size_t next_ = 0;
  size_t going_ = 0;
  size_t ended_ = 0;
  bool failed_ = false;
};

}  // namespace

Sort SortOf(std::string_view sort) {
  if (sort == "s") return Sort::kHead;
  return sort.starts_with("v/") ? Sort::kValue : Sort::kPart;
}

// ---- Heads ----

const Attempt* State::Find(std::string_view sort) const {
  if (const auto at = recent.find(sort); at != recent.end()) return at->second ? &*at->second : nullptr;
  if (base == nullptr) return nullptr;
  const auto at = base->find(sort);
  return at == base->end() ? nullptr : &*at->second;
}

std::vector<std::pair<std::string_view, Attempt>> State::Live() const {
  std::vector<std::pair<std::string_view, Attempt>> live;
  for (const auto& [sort, attempt] : recent) {
    if (attempt) live.emplace_back(sort, *attempt);
  }
  if (base == nullptr) return live;
  for (const auto& [sort, attempt] : *base) {
    if (!recent.contains(sort)) live.emplace_back(sort, *attempt);
  }
  return live;
}

bool State::IsOrphan(const Name& name) const {
  if (name.attempt.number > number && !TEAL_MUTANT("floor_collects_what_comes")) return false;
  if (const Attempt* live = Find(name.sort); live != nullptr && *live == name.attempt) return false;
  for (size_t i = 0; i < chunks.size(); ++i) {
    if (chunks[i] == name.attempt && name.sort == ChunkSort(i)) return false;
  }
  return true;
}

StatePtr Core::Cached(const std::string& sid, const StoreVersion& version) {
  const std::lock_guard lock(mutex_);
  const auto at = cached_at_.find(sid);
  if (at == cached_at_.end() || at->second->second->version != version) return nullptr;
  cached_.splice(cached_.begin(), cached_, at->second);
  return at->second->second;
}

void Core::Remember(const std::string& sid, StatePtr state) {
  const std::lock_guard lock(mutex_);
  if (const auto at = cached_at_.find(sid); at != cached_at_.end()) {
    if (state == nullptr) {
      cached_.erase(at->second);
      cached_at_.erase(at);
      return;
    }
    at->second->second = std::move(state);
    cached_.splice(cached_.begin(), cached_, at->second);
    return;
  }
  if (state == nullptr) return;
  cached_.emplace_front(sid, std::move(state));
  cached_at_.emplace(sid, cached_.begin());
  if (cached_.size() <= kCachedMax) return;
  cached_at_.erase(cached_.back().first);
  cached_.pop_back();
}

void Core::Load(const std::string& sid, std::function<void(Result<Loaded>)> done) {
  Get({record::SessionKey(sid)}, [self = shared_from_this(), sid, done = std::move(done)](Result<Items> got) mutable {
    if (!got) return done(got.failure());
    self->Take(sid, std::move((*got)[0]), std::move(done));
  });
}

void Core::Take(const std::string& sid, std::optional<StoreItem> found, std::function<void(Result<Loaded>)> done,
                int tries) {
  if (!found) {
    Remember(sid, nullptr);
    return done(Loaded{});
  }
  Result<Head> read = DecodeHead(found->key, found->bytes);
  if (!read) return done(read.failure());
  Loaded loaded;
  if (read->record) {
    loaded.record = StoreItem{found->key, std::move(*read->record), found->version, found->due_unix_ns};
  }
  if (StatePtr cached = Cached(sid, found->version)) {
    loaded.state = std::move(cached);
    return done(std::move(loaded));
  }
  auto state = std::make_shared<State>();
  state->version = found->version;
  state->number = read->attempt.number;
  state->due_unix_ns = found->due_unix_ns;
  state->placeholder = !loaded.record;
  state->recent = std::move(read->recent);
  state->chunks = std::move(read->chunks);
  if (!read->work.empty()) {
    state->work = std::make_shared<WorkState>();
    state->work->all = std::move(read->work);
  }
  const auto finish = [self = shared_from_this(), sid, done](const std::shared_ptr<State>& whole, Loaded with) {
    self->Remember(sid, whole);
    self->DoWork(whole->work);
    with.state = whole;
    done(std::move(with));
  };
  if (state->chunks.empty()) return finish(state, std::move(loaded));
  std::vector<record::Key> keys;
  for (size_t i = 0; i < state->chunks.size(); ++i) keys.push_back({sid, NameOf(ChunkSort(i), state->chunks[i])});
  Post([self = shared_from_this(), sid, done, tries, finish, state, keys = std::move(keys),
        loaded = std::move(loaded)]() mutable {
    self->Get(std::move(keys), [self, sid, done, tries, finish, state, loaded = std::move(loaded)](Result<Items> got) {
      if (!got) return done(got.failure());
      auto base = std::make_shared<Directory>();
      for (std::optional<StoreItem>& item : *got) {
        if (!item) {
          // Another commit replaces chunks, and then deletes those that were there.
          if (tries == kTriesMax) return done(Fail(FailureCode::kCorrupt, "the session " + sid + " lacks a chunk"));
          return self->Post([self, sid, done, tries] {
            self->Get({record::SessionKey(sid)}, [self, sid, done, tries](Result<Items> again) {
              if (!again) return done(again.failure());
              self->Take(sid, std::move((*again)[0]), done, tries + 1);
            });
          });
        }
        Result<Directory> chunk = DecodeChunk(item->key, item->bytes);
        if (!chunk) return done(chunk.failure());
        base->merge(*chunk);
      }
      state->base = std::move(base);
      finish(state, loaded);
    });
  });
}

// ---- What is done off the path ----

void Core::DoWork(const std::shared_ptr<WorkState>& work) {
  if (work == nullptr) return;
  int open = WorkState::kOpen;
  if (!work->stage.compare_exchange_strong(open, WorkState::kGoing)) return;
  std::vector<StoreWrite> writes;
  for (const Work& one : work->all) {
    StoreWrite& write = writes.emplace_back();
    write.kind = one.remove ? StoreWrite::Kind::kDelete : StoreWrite::Kind::kPut;
    write.condition = one.remove ? StoreCondition::kAny : StoreCondition::kAbsent;
    write.key = one.key;
    write.bytes = one.bytes;
  }
  Post([self = shared_from_this(), work, writes = std::move(writes)]() mutable {
    self->Each(std::move(writes), [self, work](const Result<std::vector<StoreCommitted>>& outcome) {
      if (outcome) self->counters_.elsewhere += work->all.size();
      work->stage = outcome ? WorkState::kDone : WorkState::kOpen;
    });
  });
}

void Core::Delete(std::vector<record::Key> keys, std::atomic<uint64_t>* count) {
  if (keys.empty()) return;
  std::vector<StoreWrite> writes;
  for (record::Key& key : keys) {
    StoreWrite& write = writes.emplace_back();
    write.kind = StoreWrite::Kind::kDelete;
    write.key = std::move(key);
  }
  Post([self = shared_from_this(), count, writes = std::move(writes)]() mutable {
    const size_t many = writes.size();
    // What is not deleted now is an orphan, and found by who takes the session up.
    self->Each(std::move(writes), [self, count, many](const Result<std::vector<StoreCommitted>>& outcome) {
      if (outcome) *count += many;
    });
  });
}

void Core::Collect(const std::string& sid, const StoreVersion* own) {
  {
    const std::lock_guard lock(mutex_);
    if (!collecting_.insert(sid).second) return;
  }
  const StoreVersion version = own != nullptr ? *own : StoreVersion{};
  Post([self = shared_from_this(), sid, version, has = own != nullptr] {
    StartCollect(self, sid, has ? &version : nullptr);
  });
}

void Core::CollectEnded(const std::string& sid) {
  const std::lock_guard lock(mutex_);
  collecting_.erase(sid);
}

// ---- The store below ----

Core::Core(Store& below, FloorOptions options)
    : below_(below), options_(std::move(options)), limits_(below.limits()), random_(options_.seed) {
  assert(limits_.value_bytes_max >= 8 * kHeadRoomBytes);
  limits_.value_bytes_max -= kHeadRoomBytes;
  limits_.commit_ops_max = kOpsMax;
  limits_.commit_bytes_max = kBytesMax;
  if (!options_.now_unix_ns) options_.now_unix_ns = &SystemUnixNs;
  if (random_ == 0) {
    std::random_device device;
    random_ = uint64_t{device()} << 32 | device();
  }
}

// SplitMix64 (Steele, Lea, Flood: Fast Splittable Pseudorandom Number Generators, 2014).
uint64_t Core::Random() {
  const std::lock_guard lock(mutex_);
  random_ += 0x9e3779b97f4a7c15;
  uint64_t x = random_;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
  x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
  return x ^ (x >> 31);
}

bool Core::closing() {
  const std::lock_guard lock(mutex_);
  return closing_;
}

void Core::Get(std::vector<record::Key> keys, std::function<void(Result<Items>)> done) {
  if (closing()) return done(Closing());
  below_.Get(std::move(keys), std::move(done));
}

void Core::Commit(std::vector<StoreWrite> writes, std::function<void(Result<StoreCommitted>)> done) {
  if (closing()) return done(Closing());
  below_.Commit(std::move(writes), std::move(done));
}

void Core::Scan(std::string partition, std::string prefix, uint64_t limit, std::string cursor,
                std::function<void(Result<StorePage>)> done) {
  if (closing()) return done(Closing());
  below_.Scan(std::move(partition), std::move(prefix), limit, std::move(cursor), std::move(done));
}

void Core::Each(std::vector<StoreWrite> writes, std::function<void(Result<std::vector<StoreCommitted>>)> done) {
  if (writes.empty()) return done(std::vector<StoreCommitted>());
  std::make_shared<EachCall>(shared_from_this(), std::move(writes), std::move(done))->Send();
}

// ---- Turns ----

void Core::Post(std::function<void()> run) {
  std::unique_lock lock(mutex_);
  if (closing_) {
    lock.unlock();
    return run();
  }
  posted_.push_back(std::move(run));
  if (options_.post) {
    lock.unlock();
    return options_.post([self = shared_from_this()] { self->RunOne(); });
  }
  if (thread_.joinable()) return changed_.notify_one();
  // Signals are the business of the threads that ask for them.
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  thread_ = std::thread([this] { RunThread(); });
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

void Core::RunOne() {
  std::unique_lock lock(mutex_);
  if (posted_.empty()) return;  // Close was first
  const std::function<void()> run = std::move(posted_.front());
  posted_.pop_front();
  lock.unlock();
  run();
}

void Core::RunThread() {
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait(lock, [this] { return closing_ || !posted_.empty(); });
    if (closing_) return;
    const std::function<void()> run = std::move(posted_.front());
    posted_.pop_front();
    lock.unlock();
    run();
    lock.lock();
  }
}

void Core::Close() {
  std::deque<std::function<void()>> posted;
  {
    const std::lock_guard lock(mutex_);
    closing_ = true;
    posted.swap(posted_);
    changed_.notify_all();
  }
  if (thread_.joinable()) thread_.join();
  for (const std::function<void()>& run : posted) run();
}

}  // namespace floor

FloorStore::FloorStore(Store& below, FloorOptions options)
    : core_(std::make_shared<floor::Core>(below, std::move(options))) {}

FloorStore::~FloorStore() {
  core_->Close();
}

const FloorCounters& FloorStore::floor_counters() const {
  return core_->counters();
}
const StoreLimits& FloorStore::limits() const {
  return core_->limits();
}
const StoreCounters& FloorStore::counters() const {
  return core_->below().counters();
}

void FloorStore::Get(std::vector<record::Key> keys,
                     std::function<void(Result<std::vector<std::optional<StoreItem>>>)> done) {
  floor::StartGet(core_, std::move(keys), std::move(done));
}

void FloorStore::Commit(std::vector<StoreWrite> writes, std::function<void(Result<StoreCommitted>)> done) {
  floor::StartCommit(core_, std::move(writes), std::move(done));
}

void FloorStore::Scan(std::string partition, std::string prefix, uint64_t limit, std::string cursor,
                      std::function<void(Result<StorePage>)> done) {
  floor::StartScan(core_, std::move(partition), std::move(prefix), limit, std::move(cursor), std::move(done));
}

void FloorStore::ScanDue(uint32_t shard, uint32_t shards, uint64_t until_unix_ns, uint64_t limit, std::string cursor,
                         std::function<void(Result<StorePage>)> done) {
  core_->below().ScanDue(shard, shards, until_unix_ns, limit, std::move(cursor), std::move(done));
}

}  // namespace teal::runtime
