#include "core/runtime/large_records.h"

#include <algorithm>
#include <cassert>

#include "core/runtime/record_codec.h"
#include "core/vm/checkpoint_crc.h"

namespace teal::runtime {

namespace {

constexpr uint64_t kPartBytes = 256 << 10;
constexpr uint64_t kPartBesides = 1 << 10;        // what a part's record has besides its bytes, at most
constexpr uint64_t kSlackBytes = 64 << 10;        // of a commit, for what the memory counts besides
constexpr uint64_t kWorthSplitting = 4 << 10;     // smaller records stay whole
constexpr uint64_t kCommitBytesMax = 256u << 20;  // of one commit, in all its parts

// The list: letter, version, size of the whole, its SHA-256, the SHA-256 of each part, check.
constexpr char kLetter = 'x';
constexpr char kVersion = 1;
constexpr size_t kHeadBytes = 2 + 8;
constexpr size_t kCheckBytes = 4;

uint64_t SizeOf(const StoreWrite& write) {
  return write.key.partition.size() + write.key.sort.size() + write.bytes.size();
}

std::string_view BytesOf(const Sha256& hash) {
  return {reinterpret_cast<const char*>(hash.data()), hash.size()};
}

uint32_t CheckOf(const record::Key& key, std::string_view bytes) {
  return vm::Crc32c(bytes) ^ vm::Crc32c(key.partition + "\n" + key.sort);
}

bool IsList(std::string_view bytes) {
  return bytes.size() >= kHeadBytes + 2 * sizeof(Sha256) + kCheckBytes && bytes[0] == kLetter && bytes[1] == kVersion;
}

struct List {
  uint64_t size = 0;
  Sha256 whole{};
  std::vector<Sha256> parts;
};

bool ReadList(const record::Key& key, std::string_view bytes, List* list) {
  const std::string_view body = bytes.substr(0, bytes.size() - kCheckBytes);
  uint32_t check = 0;
  for (size_t i = 0; i < kCheckBytes; ++i) {
    check |= static_cast<uint32_t>(static_cast<uint8_t>(bytes[body.size() + i])) << 8 * i;
  }
  if (check != CheckOf(key, body) || (body.size() - kHeadBytes) % sizeof(Sha256) != 0) return false;
  for (size_t i = 0; i < 8; ++i) list->size |= static_cast<uint64_t>(static_cast<uint8_t>(body[2 + i])) << 8 * i;
  for (size_t at = kHeadBytes; at < body.size(); at += sizeof(Sha256)) {
    Sha256 hash;
    std::copy_n(body.begin() + static_cast<ptrdiff_t>(at), hash.size(), reinterpret_cast<char*>(hash.data()));
    if (at == kHeadBytes) {
      list->whole = hash;
    } else {
      list->parts.push_back(hash);
    }
  }
  return true;
}

}  // namespace

struct LargeRecords::Plan {
  std::vector<std::vector<StoreWrite>> commits;  // the last is the one that counts
  size_t next = 0;
  size_t writes = 0;          // of the caller
  std::vector<size_t> place;  // of each write of the last commit, among the caller's
  std::function<void(Result<StoreCommitted>)> done;
};

LargeRecords::LargeRecords(Store* store, Later later)
    : store_(store),
      later_(std::move(later)),
      limits_(store->limits()),
      value_max_(limits_.value_bytes_max),
      commit_max_(limits_.commit_bytes_max - std::min(limits_.commit_bytes_max / 2, kSlackBytes)) {
  limits_.value_bytes_max = std::max<uint64_t>(value_max_, record::kRecordBytesMax);
  limits_.commit_bytes_max = std::max(limits_.commit_bytes_max, kCommitBytesMax);
}

void LargeRecords::Commit(std::vector<StoreWrite> writes, std::function<void(Result<StoreCommitted>)> done) {
  uint64_t bytes = 0;
  bool large = false;
  for (const StoreWrite& write : writes) {
    bytes += SizeOf(write);
    large = large || write.bytes.size() > value_max_;
  }
  if (limits_.shared) {
    done = [this, done = std::move(done)](Result<StoreCommitted> outcome) { JoinFound(std::move(outcome), done); };
  }
  if (!large && bytes <= commit_max_) return store_->Commit(std::move(writes), std::move(done));
  CommitLarge(std::move(writes), std::move(done));
}

// Only who shares the store looks at it, so only then is it worth the reading.
void LargeRecords::JoinFound(Result<StoreCommitted> outcome, std::function<void(Result<StoreCommitted>)> done) {
  if (!outcome.ok() || !outcome->found || !IsList(outcome->found->bytes)) return done(std::move(outcome));
  auto committed = std::make_shared<StoreCommitted>(std::move(*outcome));
  Join({&*committed->found}, [committed, done = std::move(done)](const Status& joined) {
    if (!joined.ok()) return done(joined.failure());
    done(std::move(*committed));
  });
}

// The record becomes the list of its parts.
Status LargeRecords::Split(StoreWrite* write, std::vector<StoreWrite>* parts) const {
  const uint64_t most = std::min(kPartBytes, value_max_ - std::min(value_max_ / 2, kPartBesides));
  const std::string whole = std::move(write->bytes);
  std::string list{kLetter, kVersion};
  for (int shift = 0; shift < 64; shift += 8) list += static_cast<char>(static_cast<uint64_t>(whole.size()) >> shift);
  list += BytesOf(Sha256Of(whole));
  for (size_t at = 0; at < whole.size(); at += most) {
    record::Value value;
    value.bytes = whole.substr(at, most);
    const Sha256 hash = Sha256Of(value.bytes);
    list += BytesOf(hash);
    StoreWrite part;
    part.key = record::ValueKey(write->key.partition, hash);
    Result<std::string> bytes = record::Encode(part.key, value);
    if (!bytes.ok()) return bytes.failure();
    part.bytes = std::move(*bytes);
    const bool twice =
        std::any_of(parts->begin(), parts->end(), [&](const StoreWrite& other) { return other.key == part.key; });
    if (!twice) parts->push_back(std::move(part));
  }
  const uint32_t check = CheckOf(write->key, list);
  for (int shift = 0; shift < 32; shift += 8) list += static_cast<char>(check >> shift);
  write->bytes = std::move(list);
  return Unit{};
}

void LargeRecords::CommitLarge(std::vector<StoreWrite> writes, std::function<void(Result<StoreCommitted>)> done) {
  auto plan = std::make_shared<Plan>();
  plan->writes = writes.size();
  plan->done = std::move(done);
  const auto may_split = [](const StoreWrite& write) {
    return write.kind == StoreWrite::Kind::kPut && record::IsSid(write.key.partition);
  };
  std::vector<StoreWrite> before;
  uint64_t bytes = 0;
  for (StoreWrite& write : writes) {
    if (write.bytes.size() > value_max_ && may_split(write)) {
      if (Status s = Split(&write, &before); !s.ok()) return plan->done(s.failure());
    }
    bytes += SizeOf(write);
  }
  // What never changes may go before: values.
  std::vector<StoreWrite> counts;
  for (size_t i = 0; i < writes.size(); ++i) {
    StoreWrite& write = writes[i];
    if (bytes > commit_max_ && may_split(write) && write.condition == StoreCondition::kAny &&
        write.key.sort.starts_with("v/")) {
      bytes -= SizeOf(write);
      before.push_back(std::move(write));
      continue;
    }
    plan->place.push_back(i);
    counts.push_back(std::move(write));
  }
  // Then the largest of the others, until the rest fits.
  while (bytes > commit_max_) {
    const auto largest = std::max_element(counts.begin(), counts.end(), [&](const StoreWrite& a, const StoreWrite& b) {
      return (may_split(a) ? a.bytes.size() : 0) < (may_split(b) ? b.bytes.size() : 0);
    });
    if (largest == counts.end() || !may_split(*largest) || largest->bytes.size() < kWorthSplitting ||
        IsList(largest->bytes)) {
      break;  // the store says what is too much
    }
    bytes -= largest->bytes.size();
    if (Status s = Split(&*largest, &before); !s.ok()) return plan->done(s.failure());
    bytes += largest->bytes.size();
  }
  uint64_t size = 0;
  for (StoreWrite& write : before) {
    const bool opens = plan->commits.empty() || size + SizeOf(write) > commit_max_ ||
                       plan->commits.back().size() >= limits_.commit_ops_max;
    if (opens) {
      plan->commits.emplace_back();
      size = 0;
    }
    size += SizeOf(write);
    plan->commits.back().push_back(std::move(write));
  }
  plan->commits.push_back(std::move(counts));
  SendNext(std::move(plan));
}

void LargeRecords::SendNext(std::shared_ptr<Plan> plan) {
  const bool last = plan->next + 1 == plan->commits.size();
  std::vector<StoreWrite> writes = std::move(plan->commits[plan->next++]);
  store_->Commit(std::move(writes), [this, plan, last](Result<StoreCommitted> outcome) {
    if (!last) {
      if (!outcome.ok() || !outcome->applied) return plan->done(std::move(outcome));
      return later_([this, plan] { SendNext(plan); });
    }
    if (outcome.ok() && outcome->applied) {
      std::vector<StoreVersion> versions(plan->writes);
      for (size_t i = 0; i < outcome->versions.size(); ++i) versions[plan->place[i]] = outcome->versions[i];
      outcome->versions = std::move(versions);
    } else if (outcome.ok() && outcome->conflict < plan->place.size()) {
      outcome->conflict = static_cast<uint32_t>(plan->place[outcome->conflict]);
    }
    plan->done(std::move(outcome));
  });
}

void LargeRecords::Join(std::vector<StoreItem*> items, std::function<void(const Status&)> done) {
  auto lists = std::make_shared<std::vector<std::pair<StoreItem*, List>>>();
  std::vector<record::Key> keys;
  for (StoreItem* item : items) {
    List list;
    if (!ReadList(item->key, item->bytes, &list)) {
      return done(
          Fail(FailureCode::kCorrupt, "the record " + record::Text(item->key) + ", a list of parts, is damaged"));
    }
    for (const Sha256& part : list.parts) keys.push_back(record::ValueKey(item->key.partition, part));
    lists->emplace_back(item, std::move(list));
  }
  later_([this, lists, keys = std::move(keys), done = std::move(done)]() mutable {
    store_->Get(std::move(keys), [lists, done = std::move(done)](Result<std::vector<std::optional<StoreItem>>> got) {
      if (!got.ok()) return done(got.failure());
      size_t at = 0;
      for (auto& [item, list] : *lists) {
        std::string whole;
        for (size_t i = 0; i < list.parts.size(); ++i, ++at) {
          const std::optional<StoreItem>& part = got.value()[at];
          Result<record::Value> value =
              part ? record::DecodeValue(part->key, part->bytes)
                   : Result<record::Value>(Fail(FailureCode::kCorrupt,
                                                "a part of the record " + record::Text(item->key) + " is missing"));
          if (!value.ok()) return done(value.failure());
          whole += value->bytes;
        }
        if (whole.size() != list.size || Sha256Of(whole) != list.whole) {
          return done(Fail(FailureCode::kCorrupt,
                           "the parts of the record " + record::Text(item->key) + " are not those of its list"));
        }
        item->bytes = std::move(whole);
      }
      done(Unit{});
    });
  });
}

void LargeRecords::Get(std::vector<record::Key> keys,
                       std::function<void(Result<std::vector<std::optional<StoreItem>>>)> done) {
  store_->Get(std::move(keys),
              [this, done = std::move(done)](Result<std::vector<std::optional<StoreItem>>> got) mutable {
                const auto is_list = [](const std::optional<StoreItem>& item) { return item && IsList(item->bytes); };
                if (!got.ok() || std::none_of(got->begin(), got->end(), is_list)) return done(std::move(got));
                auto items = std::make_shared<std::vector<std::optional<StoreItem>>>(std::move(*got));
                std::vector<StoreItem*> lists;
                for (std::optional<StoreItem>& item : *items) {
                  if (is_list(item)) lists.push_back(&*item);
                }
                Join(std::move(lists), [items, done = std::move(done)](const Status& joined) {
                  if (!joined.ok()) return done(joined.failure());
                  done(std::move(*items));
                });
              });
}

void LargeRecords::Scan(std::string partition, std::string prefix, uint64_t limit, std::string cursor,
                        std::function<void(Result<StorePage>)> done) {
  store_->Scan(std::move(partition), std::move(prefix), limit, std::move(cursor),
               [this, done = std::move(done)](Result<StorePage> got) mutable {
                 const auto is_list = [](const StoreItem& item) { return IsList(item.bytes); };
                 if (!got.ok() || std::none_of(got->items.begin(), got->items.end(), is_list)) {
                   return done(std::move(got));
                 }
                 auto page = std::make_shared<StorePage>(std::move(*got));
                 std::vector<StoreItem*> lists;
                 for (StoreItem& item : page->items) {
                   if (is_list(item)) lists.push_back(&item);
                 }
                 Join(std::move(lists), [page, done = std::move(done)](const Status& joined) {
                   if (!joined.ok()) return done(joined.failure());
                   done(std::move(*page));
                 });
               });
}

void LargeRecords::ScanDue(uint32_t shard, uint32_t shards, uint64_t until_unix_ns, uint64_t limit, std::string cursor,
                           std::function<void(Result<StorePage>)> done) {
  store_->ScanDue(shard, shards, until_unix_ns, limit, std::move(cursor), std::move(done));
}

}  // namespace teal::runtime
