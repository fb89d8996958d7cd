#include "tests/sim/floor_world.h"

#include <algorithm>

namespace teal::sim {

using runtime::StoreCommitted;
using runtime::StoreCondition;
using runtime::StoreItem;
using runtime::StorePage;
using runtime::StoreWrite;

namespace {

const std::string& Sid() {
  static const std::string sid(runtime::record::kSidBytes, 'a');
  return sid;
}

}  // namespace

struct FloorWorld::Host {
  Host(FloorWorld& world, uint64_t seed) : store(world.memory_, world.options_.faults, seed) {
    runtime::FloorOptions options;
    options.seed = seed + 1;
    options.now_unix_ns = [&world] { return static_cast<uint64_t>(world.loop_.now()); };
    options.post = [&world, living = alive](std::function<void()> run) {
      world.loop_.After(0, [living, run = std::move(run)] {
        if (*living) run();
      });
    };
    floor = std::make_unique<runtime::FloorStore>(store, options);
  }
  ~Host() { floor.reset(); }
  void Die() {
    *alive = false;
    store.Crash();
  }

  const std::shared_ptr<bool> alive = std::make_shared<bool>(true);
  FaultyStore store;
  std::unique_ptr<runtime::FloorStore> floor;
  // As this host last knew it to be.
  std::string commit;
  runtime::StoreVersion version{};
  bool exists = false;
  std::string acknowledged_before;  // when it began to read
};

FloorWorld::FloorWorld(FloorWorldOptions options, uint64_t seed)
    : options_(options), random_(seed), memory_(loop_, CapsOf(options.faults)), hosts_(options.hosts) {
  for (size_t i = 0; i < hosts_.size(); ++i) Boot(i);
}

FloorWorld::~FloorWorld() {
  for (size_t i = 0; i < hosts_.size(); ++i) Bury(i);
}

void FloorWorld::Wrong(std::string what) {
  if (wrong_.empty()) wrong_ = std::move(what);
}

void FloorWorld::Boot(size_t place) {
  hosts_[place] = std::make_shared<Host>(*this, random_.Next() | 1);
  Go(hosts_[place]);
}

void FloorWorld::Bury(size_t place) {
  const std::shared_ptr<Host>& host = hosts_[place];
  if (host == nullptr) return;
  host->Die();
  orphans_ += host->floor->floor_counters().orphans;
  placeholders_ += host->floor->floor_counters().placeholders;
  for (size_t i = 0; i < faults_.size(); ++i) faults_[i] += host->store.faults()[i];
  dead_.push_back(host);
  hosts_[place] = nullptr;
}

void FloorWorld::Go(const std::shared_ptr<Host>& host) {
  loop_.After(random_.Between(1, 2'000'000'000), [this, host] {
    if (*host->alive) Read(host, std::make_shared<std::vector<StoreItem>>(), {});
  });
}

void FloorWorld::Read(const std::shared_ptr<Host>& host, std::shared_ptr<std::vector<StoreItem>> items,
                      std::string cursor) {
  if (cursor.empty()) host->acknowledged_before = newest_acknowledged_;
  host->floor->Scan(Sid(), {}, 7, std::move(cursor), [this, host, items](Result<StorePage> page) {
    if (!page) {
      if (page.failure().code == FailureCode::kCorrupt) Wrong("a scan failed: " + page.failure().message);
      return Go(host);
    }
    for (StoreItem& item : page->items) items->push_back(std::move(item));
    if (page->more) {
      loop_.After(0, [this, host, items, next = page->next] {
        if (*host->alive) Read(host, items, next);
      });
      return;
    }
    loop_.After(0, [this, host, items] {
      if (!*host->alive) return;
      // As the engine does: one reading of several pages counts if the head is the same after it.
      host->floor->Get({runtime::record::SessionKey(Sid())}, [this, host, items](auto got) {
        if (!got) return Go(host);
        const auto head =
            std::find_if(items->begin(), items->end(), [](const StoreItem& item) { return item.key.sort == "s"; });
        const std::optional<StoreItem>& own = got.value()[0];
        const bool same = own ? head != items->end() && head->version == own->version : head == items->end();
        if (!same) return Go(host);
        CheckRead(host, *items);
        loop_.After(0, [this, host] {
          if (*host->alive) Change(host);
        });
      });
    });
  });
}

FloorWorld::Records FloorWorld::RecordsOf(const std::string& commit) const {
  std::vector<const Commit*> chain;
  for (std::string at = commit; !at.empty(); at = chain.back()->from) chain.push_back(&commits_.at(at));
  Records records;
  for (auto it = chain.rbegin(); it != chain.rend(); ++it) {
    for (const auto& [sort, bytes] : (*it)->changes) {
      if (bytes) {
        records[sort] = *bytes;
      } else {
        records.erase(sort);
      }
    }
  }
  return records;
}

bool FloorWorld::IsBefore(const std::string& commit, std::string later) const {
  while (!later.empty() && later != commit) later = commits_.at(later).from;
  return later == commit;
}

void FloorWorld::CheckRead(const std::shared_ptr<Host>& host, const std::vector<StoreItem>& items) {
  Records records;
  host->exists = false;
  host->commit.clear();
  for (const StoreItem& item : items) {
    if (item.key.sort == "s") {
      host->commit = item.bytes;
      host->version = item.version;
      host->exists = true;
    } else if (!item.key.sort.starts_with("v/") && !records.emplace(item.key.sort, item.bytes).second) {
      Wrong("a scan gives " + item.key.sort + " twice");
    }
  }
  if (!IsBefore(host->acknowledged_before, host->commit)) {
    Wrong("the commit " + host->acknowledged_before + " was acknowledged, and is lost in " + host->commit);
  }
  if (records == RecordsOf(host->commit)) return;
  std::string text = "after the commit " + host->commit + " there is";
  for (const auto& [sort, bytes] : records) text += " " + sort + "=" + bytes;
  text += ", and not";
  for (const auto& [sort, bytes] : RecordsOf(host->commit)) text += " " + sort + "=" + bytes;
  Wrong(text);
}

void FloorWorld::Change(const std::shared_ptr<Host>& host) {
  if (acknowledged_ >= options_.commits) return;
  const std::string id = "c" + std::to_string(++named_);
  Commit& commit = commits_[id];
  commit.from = host->commit;
  std::vector<StoreWrite> writes(1);
  writes[0].key = runtime::record::SessionKey(Sid());
  writes[0].bytes = id;
  writes[0].due_unix_ns = static_cast<uint64_t>(loop_.now()) + 30'000'000'000;
  writes[0].condition = host->exists ? StoreCondition::kVersion : StoreCondition::kAbsent;
  writes[0].expected = host->version;
  const Records before = RecordsOf(host->commit);
  for (int i = 0; i < options_.threads; ++i) {
    const std::string sort = "t/0." + std::to_string(i);
    const uint64_t what = random_.Below(4);
    const bool there = before.contains(sort);
    if (what >= 2 || (what == 1 && !there)) continue;
    StoreWrite& write = writes.emplace_back();
    write.key = {Sid(), sort};
    if (what == 0) {
      write.bytes = id + "-" + std::to_string(i);
      commit.changes[sort] = write.bytes;
    } else {
      write.kind = StoreWrite::Kind::kDelete;
      commit.changes[sort] = std::nullopt;
    }
  }
  host->floor->Commit(std::move(writes), [this, host, id](Result<StoreCommitted> outcome) {
    const bool applied = outcome && outcome->applied;
    if (!applied) return Go(host);
    ++acknowledged_;
    if (IsBefore(newest_acknowledged_, id)) {
      newest_acknowledged_ = id;
    } else if (!IsBefore(id, newest_acknowledged_)) {
      Wrong("two commits go out from one: " + id + " and " + newest_acknowledged_);
    }
    host->commit = id;
    host->version = outcome->versions[0];
    host->exists = true;
    const bool again = random_.Happens(0.7);
    loop_.After(random_.Between(1, 1'000'000'000), [this, host, again] {
      if (!*host->alive) return;
      if (again) return Change(host);
      Read(host, std::make_shared<std::vector<StoreItem>>(), {});
    });
  });
}

std::string FloorWorld::Run() {
  const int64_t until = loop_.now() + 86'400'000'000'000;
  while (acknowledged_ < options_.commits && wrong_.empty() && loop_.now() < until && loop_.RunOne()) {
    for (size_t i = 0; i < hosts_.size(); ++i) {
      if (!random_.Happens(options_.crash_rate)) continue;
      Bury(i);
      Boot(i);
    }
  }
  if (!wrong_.empty()) return wrong_;
  if (acknowledged_ < options_.commits) return "the commits came to no end";
  // The end: all records, and the session; whatever the dead left lands, and is found.
  loop_.RunUntil(loop_.now() + 300'000'000'000);
  for (size_t i = 0; i < hosts_.size(); ++i) Bury(i);
  loop_.RunUntil(loop_.now() + 300'000'000'000);
  const uint64_t ops = options_.faults.commit_ops_max;
  options_.faults = Rough(0);
  options_.faults.commit_ops_max = ops;
  hosts_[0] = std::make_shared<Host>(*this, random_.Next() | 1);
  const std::shared_ptr<Host> host = hosts_[0];
  bool read = false;
  host->floor->Scan(Sid(), {}, 1'000, {}, [&](Result<StorePage> page) {
    if (!page || page->more) return Wrong("the last scan");
    host->acknowledged_before = newest_acknowledged_;
    CheckRead(host, page->items);
    read = true;
  });
  loop_.RunUntil(loop_.now() + 60'000'000'000);
  if (!read || !wrong_.empty()) return wrong_.empty() ? "the last scan never ended" : wrong_;
  std::vector<StoreWrite> writes(1);
  writes[0].key = runtime::record::SessionKey(Sid());
  writes[0].kind = StoreWrite::Kind::kDelete;
  writes[0].condition = StoreCondition::kVersion;
  writes[0].expected = host->version;
  for (const auto& [sort, bytes] : RecordsOf(host->commit)) {
    StoreWrite& write = writes.emplace_back();
    write.kind = StoreWrite::Kind::kDelete;
    write.key = {Sid(), sort};
  }
  bool deleted = false;
  host->floor->Commit(writes, [&](Result<StoreCommitted> outcome) { deleted = outcome && outcome->applied; });
  loop_.RunUntil(loop_.now() + 60'000'000'000);
  if (!deleted) return "the session was not deleted";
  for (const auto& [key, record] : memory_.All()) return "left behind: " + key.second;
  return {};
}

}  // namespace teal::sim
