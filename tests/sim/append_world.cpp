#include "tests/sim/append_world.h"

#include <algorithm>
#include <map>
#include <set>

namespace teal::sim {

using runtime::StoreCommitted;
using runtime::StoreCondition;
using runtime::StoreItem;
using runtime::StoreWrite;

struct AppendWorld::Client {
  FaultyStore* host = nullptr;
  size_t place = 0;
  std::string name;
  int left = 0;
  int tries = 0;
  std::map<int, std::optional<StoreItem>> known;  // lists as it last saw or wrote them
  std::string again;                              // an id to append although it may be there (a wrong client)
};

namespace {

runtime::record::Key KeyOf(int list) {
  return {"list" + std::to_string(list), "s"};
}

std::vector<std::string> IdsOf(const std::string& value) {
  std::vector<std::string> ids;
  for (size_t at = 0; at < value.size();) {
    const size_t end = value.find(' ', at);
    ids.push_back(value.substr(at, end - at));
    at = end + 1;
  }
  return ids;
}

bool Has(const std::optional<StoreItem>& found, const std::string& id) {
  if (!found) return false;
  const std::vector<std::string> ids = IdsOf(found->bytes);
  return std::find(ids.begin(), ids.end(), id) != ids.end();
}

}  // namespace

AppendWorld::AppendWorld(AppendOptions options, uint64_t seed)
    : options_(options), random_(seed), memory_(loop_, CapsOf(options.faults)) {
  hosts_.resize(static_cast<size_t>(options_.hosts));
  for (size_t place = 0; place < hosts_.size(); ++place) StartHost(place);
  for (int i = 0; i < options_.crashes; ++i) {
    const size_t place = random_.Below(hosts_.size());
    loop_.After(random_.Between(0, 3'000'000'000), [this, place] {
      trace_ += std::to_string(loop_.now()) + " crash " + std::to_string(place) + "\n";
      hosts_[place]->Crash();
      StartHost(place);
    });
  }
}

AppendWorld::~AppendWorld() = default;

void AppendWorld::StartHost(size_t place) {
  all_hosts_.push_back(std::make_unique<FaultyStore>(memory_, options_.faults, random_.Next()));
  hosts_[place] = all_hosts_.back().get();
  for (int i = 0; i < options_.clients; ++i) {
    auto client = std::make_shared<Client>();
    client->host = hosts_[place];
    client->place = place;
    client->name = std::to_string(all_hosts_.size()) + "." + std::to_string(i);
    client->left = options_.appends;
    loop_.After(random_.Between(0, 100'000'000), [this, client] { Go(client); });
  }
}

void AppendWorld::Note(const std::shared_ptr<Client>& client, const std::string& what) {
  trace_ += std::to_string(loop_.now()) + " " + client->name + " " + what + "\n";
}

// A callback only hands on: what it leads to is run by the loop.
void AppendWorld::Go(const std::shared_ptr<Client>& client) {
  if (client->host != hosts_[client->place]) return;  // it crashed
  if (client->left == 0) return;
  if (client->known.empty() || random_.Happens(0.3)) {
    ReadLists(client);
  } else {
    AppendOne(client);
  }
}

void AppendWorld::ReadLists(const std::shared_ptr<Client>& client) {
  std::vector<runtime::record::Key> keys;
  for (int list = 0; list < options_.lists; ++list) keys.push_back(KeyOf(list));
  const int64_t began = loop_.now();
  client->host->Get(std::move(keys), [this, client, began](Result<std::vector<std::optional<StoreItem>>> got) {
    Note(client, got ? "read" : "read: " + got.failure().message);
    if (got) {
      for (int list = 0; list < options_.lists; ++list) {
        std::optional<StoreItem>& item = (*got)[static_cast<size_t>(list)];
        reads_.push_back({list, item ? item->bytes : "", began, loop_.now()});
        client->known[list] = std::move(item);
      }
    }
    loop_.After(random_.Between(0, 50'000'000), [this, client] { Go(client); });
  });
}

void AppendWorld::AppendOne(const std::shared_ptr<Client>& client) {
  Append append;
  append.id = client->again.empty() ? client->name + "." + std::to_string(client->tries++) : client->again;
  client->again.clear();
  append.lists.push_back(static_cast<int>(random_.Below(static_cast<uint64_t>(options_.lists))));
  if (options_.faults.commit_ops_max > 1 && options_.lists > 1 && random_.Happens(0.4)) {
    append.lists.push_back((append.lists[0] + 1) % options_.lists);
  }
  append.began = loop_.now();
  std::vector<StoreWrite> writes;
  for (const int list : append.lists) {
    const std::optional<StoreItem>& known = client->known[list];
    StoreWrite write;
    write.key = KeyOf(list);
    write.bytes = (known ? known->bytes : "") + append.id + " ";
    write.condition = known ? StoreCondition::kVersion : StoreCondition::kAbsent;
    if (known) write.expected = known->version;
    if (options_.blind) {
      write.condition = StoreCondition::kAny;
      write.expected = {};
    }
    writes.push_back(std::move(write));
  }
  const size_t index = appends_.size();
  appends_.push_back(append);
  std::vector<std::string> bytes;
  for (const StoreWrite& write : writes) bytes.push_back(write.bytes);
  client->host->Commit(std::move(writes), [this, client, index, bytes](Result<StoreCommitted> result) {
    if (result && result->applied) {
      for (size_t i = 0; i < bytes.size(); ++i) {
        const int list = appends_[index].lists[i];
        client->known[list] = StoreItem{KeyOf(list), bytes[i], result->versions[i]};
      }
    }
    Ended(client, index, std::move(result));
  });
}

void AppendWorld::Ended(const std::shared_ptr<Client>& client, size_t index, Result<StoreCommitted> result) {
  Append& append = appends_[index];
  append.ended = loop_.now();
  using Outcome = Append::Fate;
  if (!result) {
    const bool unknown = result.failure().message.find("outcome is unknown") != std::string::npos;
    append.fate = unknown ? Outcome::kOpen : Outcome::kRefused;
    if (unknown && options_.assume_applied) append.fate = Outcome::kAcknowledged;
    if (unknown && options_.write_again) client->again = append.id;
    client->known.clear();
    Note(client, append.id + ": " + result.failure().message);
  } else if (result->applied) {
    append.fate = Outcome::kAcknowledged;
    Note(client, append.id + ": applied");
  } else {
    // As a runner finds its own commit id. The lists only grow, so what is not there now was not applied.
    const bool there = result->doubtful && !options_.trust_doubtful && Has(result->found, append.id);
    append.fate = there ? Outcome::kAcknowledged : Outcome::kRefused;
    client->known[append.lists[result->conflict]] = std::move(result->found);
    if (there) client->known.clear();
    Note(client, append.id + (there ? ": found" : result->doubtful ? ": doubtful" : ": conflict"));
  }
  if (append.fate == Outcome::kAcknowledged) --client->left;
  loop_.After(random_.Between(0, 50'000'000), [this, client] { Go(client); });
}

int AppendWorld::acknowledged() const {
  return static_cast<int>(std::count_if(appends_.begin(), appends_.end(),
                                        [](const Append& a) { return a.fate == Append::Fate::kAcknowledged; }));
}

std::string AppendWorld::Run() {
  constexpr uint64_t kStepsMax = 2'000'000;
  while (loop_.RunOne()) {
    if (loop_.ran() > kStepsMax) return "the run does not end";
  }
  for (const FaultyStore* host : hosts_) {
    if (host->open_calls() != 0) return "a call has not ended";
  }
  for (const auto& host : all_hosts_) {
    for (size_t i = 0; i < kFaults; ++i) faults_[i] += host->faults()[i];
  }
  return Check();
}

// ---- Checks ----

std::string AppendWorld::Check() const {
  std::map<int, std::set<std::string>> there;
  for (int list = 0; list < options_.lists; ++list) {
    const SimMemory::Record* const record = memory_.Find({KeyOf(list).partition, KeyOf(list).sort});
    const std::string value = record == nullptr ? "" : record->value;
    const std::vector<std::string> ids = IdsOf(value);
    there[list] = {ids.begin(), ids.end()};
    if (there[list].size() != ids.size()) return "an id was applied twice to list " + std::to_string(list);
    if (std::string wrong = CheckList(list, ids, value); !wrong.empty()) return wrong;
  }
  for (const Append& append : appends_) {
    size_t count = 0;
    for (const int list : append.lists) count += there[list].count(append.id);
    if (count != 0 && count != append.lists.size()) return append.id + " was applied by half";
    if (append.fate == Append::Fate::kAcknowledged && count == 0) return append.id + " was acknowledged and is lost";
    if (append.fate == Append::Fate::kRefused && count != 0) return append.id + " was refused and is there";
  }
  return "";
}

std::string AppendWorld::CheckList(int list, const std::vector<std::string>& ids, const std::string& value) const {
  std::map<std::string, size_t> places;
  for (size_t i = 0; i < ids.size(); ++i) places[ids[i]] = i;
  std::vector<const Append*> appended;
  for (const Append& append : appends_) {
    if (places.contains(append.id) && std::count(append.lists.begin(), append.lists.end(), list) != 0) {
      appended.push_back(&append);
    }
  }
  for (const Append* first : appended) {
    if (first->fate != Append::Fate::kAcknowledged) continue;
    for (const Append* second : appended) {
      if (first->ended < second->began && places[first->id] > places[second->id]) {
        return second->id + " began after " + first->id + " was acknowledged, and stands before it";
      }
    }
  }
  for (const Read& read : reads_) {
    if (read.list != list) continue;
    if (!value.starts_with(read.seen)) return "a read gave what never was: " + read.seen;
    const size_t seen = IdsOf(read.seen).size();
    for (const Append* append : appended) {
      if (append->fate == Append::Fate::kAcknowledged && append->ended < read.began && places[append->id] >= seen) {
        return append->id + " was acknowledged before a read that does not give it";
      }
      if (append->began > read.ended && places[append->id] < seen) return append->id + " was read before it began";
    }
  }
  return "";
}

}  // namespace teal::sim
