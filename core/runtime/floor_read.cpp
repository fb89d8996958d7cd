// Reading through the floor store: the names that count become sort keys again.
//
// A scan proves itself. It takes a page of names, then the head, and each record that the head lists within the page
// must be there under that very name; what a name holds never changes. So a page that is stale, or torn by a commit
// meanwhile, is noticed, whatever the store below promises of its scans (P-1).
#include <algorithm>
#include <cassert>

#include "core/runtime/floor_core.h"

namespace teal::runtime::floor {
namespace {

using Got = std::function<void(Result<Items>)>;

// What a dead host left of a creation, or of an end: whoever reads it sees to it.
void CollectIfOverdue(const std::shared_ptr<Core>& core, const std::string& sid, const Loaded& loaded) {
  const StatePtr& state = loaded.state;
  if (state != nullptr && state->placeholder && state->due_unix_ns <= core->NowUnixNs()) core->Collect(sid, nullptr);
}

// ---- Get ----

// One record that lies under a name.
class PartGet : public std::enable_shared_from_this<PartGet> {
 public:
  PartGet(std::shared_ptr<Core> core, record::Key key, std::function<void(Result<std::optional<StoreItem>>)> done)
      : core_(std::move(core)), key_(std::move(key)), done_(std::move(done)) {}

  // Not from a sink.
  void Begin() {
    core_->Load(key_.partition, [self = shared_from_this()](Result<Loaded> loaded) {
      if (!loaded) return self->done_(loaded.failure());
      const Attempt* const live = loaded->state != nullptr ? loaded->state->Find(self->key_.sort) : nullptr;
      if (live == nullptr) return self->done_(std::optional<StoreItem>());
      self->core_->Post([self, attempt = *live, version = loaded->state->version] { self->Read(attempt, version); });
    });
  }

 private:
  void Read(const Attempt& attempt, const StoreVersion& version) {
    if (missing_ && version == missing_at_) {
      return done_(Fail(FailureCode::kCorrupt, "the record " + record::Text(key_) + " is missing, and listed"));
    }
    core_->Get({{key_.partition, NameOf(key_.sort, attempt)}}, [self = shared_from_this(), version](Result<Items> got) {
      if (!got) return self->done_(got.failure());
      std::optional<StoreItem>& item = (*got)[0];
      if (item) {
        item->key = self->key_;
        return self->done_(std::move(item));
      }
      self->missing_ = true;  // replaced meanwhile, then
      self->missing_at_ = version;
      self->core_->Post([self] { self->Begin(); });
    });
  }

  const std::shared_ptr<Core> core_;
  const record::Key key_;
  const std::function<void(Result<std::optional<StoreItem>>)> done_;
  bool missing_ = false;
  StoreVersion missing_at_{};
};

struct Gathering {
  std::mutex mutex;
  Got done;
  // Guarded by mutex.
  Items items;
  size_t open = 0;
  std::optional<Failure> failure;
};

void End(const std::shared_ptr<Gathering>& all, size_t at, Result<std::optional<StoreItem>> one) {
  {
    const std::lock_guard lock(all->mutex);
    if (one) {
      all->items[at] = std::move(*one);
    } else if (!all->failure) {
      all->failure = one.failure();
    }
    if (--all->open > 0) return;
  }
  if (all->failure) return all->done(*all->failure);
  all->done(std::move(all->items));
}

// ---- Scan ----

// A cursor: where the page before ended, its length before it in four digits, and the cursor of the store below.
constexpr size_t kLengthDigits = 4;

std::string CursorOf(const std::string& last, const std::string& below) {
  std::string length = std::to_string(last.size());
  assert(length.size() <= kLengthDigits);
  length.insert(0, kLengthDigits - length.size(), '0');
  return length + last + below;
}

bool ReadCursor(const std::string& cursor, std::string* last, std::string* below) {
  if (cursor.empty()) return true;
  if (cursor.size() < kLengthDigits) return false;
  size_t length = 0;
  for (size_t i = 0; i < kLengthDigits; ++i) {
    if (cursor[i] < '0' || cursor[i] > '9') return false;
    length = length * 10 + static_cast<size_t>(cursor[i] - '0');
  }
  if (cursor.size() < kLengthDigits + length) return false;
  *last = cursor.substr(kLengthDigits, length);
  *below = cursor.substr(kLengthDigits + length);
  return true;
}

class PartitionScan : public std::enable_shared_from_this<PartitionScan> {
 public:
  PartitionScan(std::shared_ptr<Core> core, std::string sid, std::string prefix, uint64_t limit,
                std::function<void(Result<StorePage>)> done)
      : core_(std::move(core)),
        sid_(std::move(sid)),
        prefix_(std::move(prefix)),
        limit_(limit),
        done_(std::move(done)) {}

  bool SetCursor(const std::string& cursor) { return ReadCursor(cursor, &after_, &cursor_); }

  // Not from a sink.
  void Begin() {
    core_->Scan(sid_, prefix_, limit_, cursor_, [self = shared_from_this()](Result<StorePage> page) {
      if (!page) return self->done_(page.failure());
      self->page_ = std::move(*page);
      self->core_->Post([self] { self->Check(); });
    });
  }

 private:
  void Check() {
    core_->Load(sid_, [self = shared_from_this()](Result<Loaded> loaded) {
      if (!loaded) return self->done_(loaded.failure());
      self->Compare(std::move(*loaded));
    });
  }

  // Whether a name lies in what this page covers.
  bool Covers(std::string_view name) const {
    if (!name.starts_with(prefix_) || name <= after_) return false;
    return !page_.more || (!page_.items.empty() && name <= page_.items.back().key.sort);
  }

  // In a sink.
  void Compare(Loaded loaded) {
    const StatePtr& state = loaded.state;
    items_.clear();
    std::map<std::string, size_t> there;  // names, and where in the page
    std::vector<record::Key> orphans;
    for (size_t i = 0; i < page_.items.size(); ++i) {
      const std::string& name = page_.items[i].key.sort;
      switch (SortOf(name)) {
        case Sort::kHead:
          break;
        case Sort::kValue:
          items_.push_back(page_.items[i]);
          break;
        case Sort::kPart: {
          there.emplace(name, i);
          const std::optional<Name> parsed = ParseName(name);
          if (state != nullptr && parsed && state->IsOrphan(*parsed)) orphans.push_back(page_.items[i].key);
          break;
        }
      }
    }
    std::vector<record::Key> missing;
    std::vector<std::string> missing_sorts;
    if (state != nullptr) {
      for (const auto& [sort, attempt] : state->Live()) {
        std::string name = NameOf(sort, attempt);
        if (!Covers(name)) continue;
        if (const auto at = there.find(name); at != there.end()) {
          StoreItem& item = items_.emplace_back(page_.items[at->second]);
          item.key.sort = sort;
        } else {
          missing_sorts.emplace_back(sort);
          missing.push_back({sid_, std::move(name)});
        }
      }
    }
    core_->Delete(std::move(orphans), &core_->counters().orphans);
    if (missing.empty()) return Finish(std::move(loaded));
    core_->Post([self = shared_from_this(), missing = std::move(missing), sorts = std::move(missing_sorts),
                 loaded = std::move(loaded)]() mutable {
      self->ReadMissing(std::move(missing), std::move(sorts), std::move(loaded));
    });
  }

  // The page is older than the head, or has been torn. What the head lists is read by name; if that is gone, too, the
  // head has been replaced.
  void ReadMissing(std::vector<record::Key> keys, std::vector<std::string> sorts, Loaded loaded) {
    core_->Get(std::move(keys), [self = shared_from_this(), sorts = std::move(sorts),
                                 loaded = std::move(loaded)](Result<Items> got) mutable {
      if (!got) return self->done_(got.failure());
      for (size_t i = 0; i < sorts.size(); ++i) {
        std::optional<StoreItem>& item = (*got)[i];
        if (!item) return self->Again(loaded.state->version);
        item->key.sort = sorts[i];
        self->items_.push_back(std::move(*item));
      }
      self->Finish(std::move(loaded));
    });
  }

  void Again(const StoreVersion& version) {
    const auto damaged = [this] {
      return Fail(FailureCode::kCorrupt, "the session " + sid_ + " lacks a record that is listed");
    };
    if (++tries_ > kTriesMax) return done_(damaged());
    if (missing_once_ && version == missing_at_) return done_(damaged());
    missing_once_ = true;
    missing_at_ = version;
    core_->Post([self = shared_from_this()] { self->Begin(); });
  }

  // In a sink.
  void Finish(Loaded loaded) {
    if (loaded.record && Covers("s")) items_.push_back(std::move(*loaded.record));
    std::sort(items_.begin(), items_.end(),
              [](const StoreItem& a, const StoreItem& b) { return a.key.sort < b.key.sort; });
    StorePage page;
    page.items = std::move(items_);
    page.more = page_.more;
    if (page_.more) page.next = CursorOf(page_.items.empty() ? after_ : page_.items.back().key.sort, page_.next);
    CollectIfOverdue(core_, sid_, loaded);
    done_(std::move(page));
  }

  const std::shared_ptr<Core> core_;
  const std::string sid_;
  const std::string prefix_;
  const uint64_t limit_;
  const std::function<void(Result<StorePage>)> done_;
  std::string after_;   // the name with which the page before ended
  std::string cursor_;  // of the store below
  StorePage page_;
  std::vector<StoreItem> items_;
  int tries_ = 0;
  bool missing_once_ = false;
  StoreVersion missing_at_{};
};

}  // namespace

void StartGet(const std::shared_ptr<Core>& core, std::vector<record::Key> keys, Got done) {
  auto all = std::make_shared<Gathering>();
  all->items.resize(keys.size());
  all->done = std::move(done);
  std::vector<record::Key> plain;
  std::vector<size_t> plain_at;
  std::vector<size_t> parts;
  for (size_t i = 0; i < keys.size(); ++i) {
    if (record::IsSid(keys[i].partition) && SortOf(keys[i].sort) == Sort::kPart) {
      parts.push_back(i);
    } else {
      plain.push_back(keys[i]);
      plain_at.push_back(i);
    }
  }
  all->open = parts.size() + plain.size();
  if (keys.empty()) return all->done(Items());
  for (const size_t at : parts) {
    std::make_shared<PartGet>(core, keys[at], [all, at](auto one) { End(all, at, std::move(one)); })->Begin();
  }
  if (plain.empty()) return;
  core->Get(std::move(plain), [core, all, plain_at = std::move(plain_at)](Result<Items> got) {
    for (size_t i = 0; i < plain_at.size(); ++i) {
      const size_t at = plain_at[i];
      if (!got) {
        End(all, at, got.failure());
        continue;
      }
      std::optional<StoreItem>& item = (*got)[i];
      if (!item || !record::IsSid(item->key.partition) || SortOf(item->key.sort) != Sort::kHead) {
        End(all, at, std::move(item));
        continue;
      }
      const std::string sid = item->key.partition;
      core->Take(sid, std::move(item), [core, sid, all, at](Result<Loaded> loaded) {
        if (!loaded) return End(all, at, loaded.failure());
        CollectIfOverdue(core, sid, *loaded);
        End(all, at, std::move(loaded->record));
      });
    }
  });
}

void StartScan(const std::shared_ptr<Core>& core, std::string partition, std::string prefix, uint64_t limit,
               std::string cursor, std::function<void(Result<StorePage>)> done) {
  if (!record::IsSid(partition)) {
    return core->Scan(std::move(partition), std::move(prefix), limit, std::move(cursor), std::move(done));
  }
  auto scan = std::make_shared<PartitionScan>(core, partition, std::move(prefix), limit, done);
  if (!scan->SetCursor(cursor)) return done(Fail(FailureCode::kInvalid, "the cursor is none of this store"));
  scan->Begin();
}

}  // namespace teal::runtime::floor
