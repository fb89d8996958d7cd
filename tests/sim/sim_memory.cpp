#include "tests/sim/sim_memory.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "teal/bytes.hpp"

namespace teal::sim {

namespace {

void Must(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "simulated memory: %s\n", what);
  std::abort();
}

}  // namespace

// ---- Records ----

teal_version SimMemory::NextVersion() {
  teal_version version{};
  ++written_;
  for (int i = 0; i < 8; ++i) version.opaque[i] = static_cast<uint8_t>(written_ >> (56 - 8 * i));
  std::memset(version.opaque + 8, 0x5e, sizeof version.opaque - 8);
  return version;
}

const SimMemory::Record* SimMemory::Find(const Key& key) const {
  const auto it = records_.find(key);
  if (it == records_.end() || !it->second.back().record) return nullptr;
  return &*it->second.back().record;
}

const SimMemory::Record* SimMemory::FindAsOf(const std::vector<Version>& versions, int64_t unix_ns) const {
  for (auto it = versions.rbegin(); it != versions.rend(); ++it) {
    if (it->since_unix_ns <= unix_ns) return it->record ? &*it->record : nullptr;
  }
  return nullptr;
}

void SimMemory::Set(const Key& key, std::optional<Record> record) {
  std::vector<Version>& versions = records_[key];
  std::optional<Record> before;
  if (watch_ && !versions.empty()) before = versions.back().record;
  versions.push_back({loop_.now(), std::move(record)});
  if (watch_) {
    const std::optional<Record>& after = versions.back().record;
    watch_(key, before ? &*before : nullptr, after ? &*after : nullptr);
  }
  // What is older than the one that held when the history begins is needed by nobody.
  const int64_t begin = loop_.now() - static_cast<int64_t>(history_ns_);
  size_t old = 0;
  while (old + 1 < versions.size() && versions[old + 1].since_unix_ns <= begin) ++old;
  versions.erase(versions.begin(), versions.begin() + static_cast<ptrdiff_t>(old));
}

void SimMemory::Put(const Key& key, std::string value, uint64_t due_unix_ns) {
  Set(key, Record{std::move(value), NextVersion(), due_unix_ns, 0});
}

void SimMemory::Delete(const Key& key) {
  if (Find(key) != nullptr) Set(key, std::nullopt);
}

void SimMemory::Touch(const Key& key) {
  const Record* const found = Find(key);
  if (found == nullptr) return;
  Record record = *found;
  record.version = NextVersion();
  Set(key, std::move(record));
}

std::vector<std::pair<SimMemory::Key, SimMemory::Record>> SimMemory::All() const {
  std::vector<std::pair<Key, Record>> all;
  for (const auto& [key, versions] : records_) {
    if (versions.back().record) all.emplace_back(key, *versions.back().record);
  }
  return all;
}

SimMemory::Verdict SimMemory::Apply(const std::vector<teal_op>& ops) {
  Verdict verdict;
  for (uint32_t i = 0; i < ops.size(); ++i) {
    const Record* const found = Find({Copy(ops[i].key.partition), Copy(ops[i].key.sort)});
    const bool holds =
        ops[i].condition == TEAL_IF_ANY || (ops[i].condition == TEAL_IF_ABSENT && found == nullptr) ||
        (ops[i].condition == TEAL_IF_VERSION && found != nullptr && SameVersion(found->version, ops[i].expected));
    if (holds) continue;
    verdict.failed = i;
    return verdict;
  }
  for (const teal_op& op : ops) {
    const Key key{Copy(op.key.partition), Copy(op.key.sort)};
    teal_version version{};
    if (op.kind == TEAL_PUT) {
      version = NextVersion();
      Set(key, Record{Copy(op.value), version, op.due_unix_ns, op.expires_unix_ns});
    } else if (op.kind == TEAL_DELETE) {
      Delete(key);
    } else if (const Record* const found = Find(key)) {
      version = found->version;
    }
    verdict.versions.push_back(version);
  }
  return verdict;
}

// ---- Calls ----

// One call, with copies of what it was given: a late landing needs them after the callback.
struct SimConnection::Open {
  uint64_t number = 0;
  const teal_call* call = nullptr;
  Fate fate;
  CallKind kind = CallKind::kCommit;
  bool landed = false;
  bool dropped = false;  // its host has died, and it does not land

  std::vector<std::pair<SimMemory::Key, std::string>> texts;  // what ops and keys point to
  std::vector<teal_op> ops;
  std::string partition;
  std::string prefix;
  std::string cursor;
  uint64_t limit = 0;
  uint32_t shard = 0;
  uint32_t shards = 1;
  uint64_t until_unix_ns = 0;

  // What it gives once it has landed.
  std::optional<uint32_t> failed;
  std::vector<teal_version> versions;
  std::vector<std::pair<SimMemory::Key, SimMemory::Record>> found;
  bool more = false;
  std::string next;
};

namespace {

teal_record ToAbi(const std::pair<SimMemory::Key, SimMemory::Record>& record) {
  const auto& [key, r] = record;
  return {{Bytes(key.first), Bytes(key.second)}, Bytes(r.value), r.version, r.due_unix_ns, r.expires_unix_ns};
}

uint32_t ShardOf(const SimMemory::Key& key, uint32_t shards) {
  uint64_t hash = 0xcbf29ce484222325;  // FNV-1a
  for (const std::string* part : {&key.first, &key.second}) {
    for (const char c : *part) hash = (hash ^ static_cast<uint8_t>(c)) * 0x100000001b3;
    hash = (hash ^ 0xff) * 0x100000001b3;
  }
  return static_cast<uint32_t>((hash >> 16) % shards);
}

// Where a record stands among what is due; also the cursor.
std::string DuePlace(uint64_t due, const SimMemory::Key& key) {
  std::string place;
  for (int i = 56; i >= 0; i -= 8) place.push_back(static_cast<char>(due >> i));
  return place + key.first + '\0' + key.second;
}

}  // namespace

SimConnection::SimConnection(SimMemory& memory, Decide decide) : memory_(memory), decide_(std::move(decide)) {}

SimConnection::~SimConnection() {
  Must(open_.empty(), "a connection went with calls open");
}

teal_status SimConnection::Begin(std::shared_ptr<Open> call, const CallFacts& facts) {
  Must(!in_sink_, "called from inside a callback");
  if (closed_) return TEAL_CLOSED;
  call->number = ++begun_;
  call->kind = facts.kind;
  if (!cut_) call->fate = decide_(facts);
  const Fate& fate = call->fate;
  Must(fate.code != TEAL_OK || fate.lands, "a fate with a true result that never lands");
  Must(fate.code == TEAL_OK || fate.outcome == TEAL_OUTCOME_UNKNOWN || !fate.lands, "a fate applied as not applied");
  if (fate.refused != TEAL_OK) return fate.refused;
  open_.emplace(call->number, call);
  if (cut_) return TEAL_OK;  // nobody hears
  if (fate.at_once) {
    if (fate.lands) memory_.Land(*call);
    Reply(*call);
    return TEAL_OK;
  }
  // A write may land when its host is long gone.
  if (fate.lands) {
    memory_.loop().After(fate.lands_after_ns, [memory = &memory_, call] { memory->Land(*call); });
  }
  const uint64_t replies =
      fate.code == TEAL_OK ? std::max(fate.lands_after_ns, fate.replies_after_ns) : fate.replies_after_ns;
  memory_.loop().After(replies, [this, alive = std::weak_ptr(alive_), call] {
    if (!alive.expired()) Reply(*call);
  });
  return TEAL_OK;
}

void SimMemory::Land(SimConnection::Open& call) {
  if (call.dropped) return;
  call.landed = true;
  if (call.kind == CallKind::kCommit) return LandCommit(call);
  if (call.kind != CallKind::kGet) return LandScan(call);
  for (const auto& [key, value] : call.texts) {
    if (const Record* const found = Find(key)) call.found.emplace_back(key, *found);
  }
}

void SimMemory::LandCommit(SimConnection::Open& call) {
  if (call.fate.touched) Touch(call.texts.front().first);
  Verdict verdict = Apply(call.ops);
  call.failed = verdict.failed;
  call.versions = std::move(verdict.versions);
  if (!call.failed && call.fate.own_conflict) {
    for (uint32_t i = 0; i < call.ops.size() && !call.failed; ++i) {
      if (call.ops[i].kind == TEAL_PUT) call.failed = i;
    }
  }
  if (!call.failed) return;
  const Key& key = call.texts[*call.failed].first;
  if (const Record* const found = Find(key)) call.found.emplace_back(key, *found);
}

void SimMemory::LandScan(SimConnection::Open& call) {
  const int64_t as_of = loop_.now() - static_cast<int64_t>(call.fate.stale_ns);
  const uint64_t most = std::min(call.limit, caps_.scan_records_max);
  std::map<std::string, std::pair<Key, Record>> places;  // by what the cursor counts in
  const bool all = call.kind == CallKind::kScanDue;
  for (auto it = all ? records_.begin() : records_.lower_bound({call.partition, call.prefix}); it != records_.end();
       ++it) {
    const auto& [key, versions] = *it;
    if (!all && key.first != call.partition) break;
    const Record* const record = FindAsOf(versions, as_of);
    if (record == nullptr) continue;
    if (all) {
      if (record->due_unix_ns == 0 || record->due_unix_ns > call.until_unix_ns) continue;
      if (ShardOf(key, call.shards) != call.shard) continue;
      places.emplace(DuePlace(record->due_unix_ns, key), std::pair(key, Record{{}, {}, record->due_unix_ns, 0}));
    } else if (key.second.starts_with(call.prefix)) {
      places.emplace(key.second, std::pair(key, *record));
    }
  }
  for (auto it = places.upper_bound(call.cursor); it != places.end(); ++it) {
    if (call.found.size() == most) {
      call.more = true;
      return;
    }
    call.next = it->first;
    call.found.push_back(std::move(it->second));
  }
}

void SimConnection::Reply(Open& call) {
  if (cut_ || !open_.contains(call.number)) return;  // nobody hears, or Close has answered
  if (call.fate.code != TEAL_OK) {
    teal_error error{};
    error.struct_size = sizeof error;
    error.code = call.fate.code;
    error.outcome = call.fate.outcome;
    error.retry_after_ns = call.fate.retry_after_ns;
    std::strcpy(error.message, "so the simulation wants it");
    return Answer(call, &error, nullptr);
  }
  Must(call.landed, "a true result of a call that has not landed");
  std::vector<teal_record> records;
  for (const auto& found : call.found) records.push_back(ToAbi(found));
  if (call.kind != CallKind::kCommit) {
    teal_page page{};
    page.struct_size = sizeof page;
    page.more = call.more ? 1 : 0;
    page.count = records.size();
    page.records = records.data();
    if (call.more) page.next = Bytes(call.next);
    return Answer(call, nullptr, &page);
  }
  teal_commit_result result{};
  result.struct_size = sizeof result;
  if (!call.failed) {
    result.count = call.versions.size();
    result.versions = call.versions.data();
    return Answer(call, nullptr, &result);
  }
  result.failed_op = *call.failed;
  result.found = records.empty() ? nullptr : records.data();
  teal_error error{};
  error.struct_size = sizeof error;
  error.code = TEAL_CONFLICT;
  error.outcome = TEAL_NOT_APPLIED;
  std::strcpy(error.message, "a condition does not hold");
  Answer(call, &error, &result);
}

void SimConnection::Answer(Open& call, const teal_error* error, const void* result) {
  const std::shared_ptr<Open> kept = open_.extract(call.number).mapped();
  Must(!in_sink_, "a callback inside a callback");
  in_sink_ = true;
  kept->call->done(kept->call->done_ctx, error, result);
  in_sink_ = false;
}

void SimConnection::Cut(const std::function<bool()>& lands) {
  cut_ = true;
  for (const auto& [number, call] : open_) {
    if (call->landed || !call->fate.lands) continue;
    if (call->kind != CallKind::kCommit || !lands()) call->dropped = true;
  }
}

void SimConnection::Close() {
  closed_ = true;
  teal_error error{};
  error.struct_size = sizeof error;
  error.code = TEAL_CLOSED;
  error.outcome = TEAL_OUTCOME_UNKNOWN;
  std::strcpy(error.message, "the memory is closed");
  while (!open_.empty()) {
    const std::shared_ptr<Open> call = open_.begin()->second;
    if (!cut_) call->dropped = true;
    Answer(*call, &error, nullptr);
  }
}

// ---- The table ----

struct SimTable {
  static SimConnection& Of(teal_instance* instance) { return *reinterpret_cast<SimConnection*>(instance); }

  static std::shared_ptr<SimConnection::Open> Opened(const teal_call* call) {
    auto open = std::make_shared<SimConnection::Open>();
    open->call = call;
    return open;
  }

  static teal_status TEAL_CALL Caps(teal_instance* instance, teal_memory_caps* out) {
    const SimCaps& caps = Of(instance).memory_.caps();
    teal_memory_caps value{};
    value.features = TEAL_MEMORY_DURABLE | (caps.shared ? TEAL_MEMORY_SHARED : 0);
    value.key_bytes_max = caps.key_bytes_max;
    value.value_bytes_max = caps.value_bytes_max;
    value.commit_ops_max = caps.commit_ops_max;
    value.commit_bytes_max = caps.commit_bytes_max;
    value.get_keys_max = caps.get_keys_max;
    value.scan_records_max = caps.scan_records_max;
    GiveOut(out, value);
    return TEAL_OK;
  }

  static teal_status TEAL_CALL Commit(teal_instance* instance, const teal_call* call, const teal_op* ops,
                                      uint64_t count) {
    const SimCaps& caps = Of(instance).memory_.caps();
    Must(count >= 1 && count <= caps.commit_ops_max, "a commit of none or too many operations");
    auto open = Opened(call);
    open->ops.assign(ops, ops + count);
    open->texts.reserve(count);
    CallFacts facts{.kind = CallKind::kCommit, .partition = View(ops[0].key.partition)};
    for (teal_op& op : open->ops) {
      Must(op.value.size <= caps.value_bytes_max, "a value over value_bytes_max");
      Must(op.condition != TEAL_IF_VERSION || !SameVersion(op.expected, kAbsent), "a condition on the version zero");
      auto& [key, value] = open->texts.emplace_back();
      key = {Copy(op.key.partition), Copy(op.key.sort)};
      value = Copy(op.value);
      op.key = {Bytes(key.first), Bytes(key.second)};
      op.value = Bytes(value);
      facts.grows = facts.grows || op.kind == TEAL_PUT;
    }
    return Of(instance).Begin(std::move(open), facts);
  }

  static teal_status TEAL_CALL Get(teal_instance* instance, const teal_call* call, const teal_key* keys,
                                   uint64_t count) {
    Must(count >= 1 && count <= Of(instance).memory_.caps().get_keys_max, "a get of none or too many keys");
    auto open = Opened(call);
    for (uint64_t i = 0; i < count; ++i) {
      open->texts.emplace_back(SimMemory::Key{Copy(keys[i].partition), Copy(keys[i].sort)}, "");
    }
    return Of(instance).Begin(std::move(open), {.kind = CallKind::kGet, .partition = View(keys[0].partition)});
  }

  static teal_status TEAL_CALL Scan(teal_instance* instance, const teal_call* call, teal_bytes partition,
                                    teal_bytes prefix, uint64_t limit, teal_bytes cursor) {
    auto open = Opened(call);
    open->partition = Copy(partition);
    open->prefix = Copy(prefix);
    open->limit = limit;
    open->cursor = Copy(cursor);
    return Of(instance).Begin(std::move(open), {.kind = CallKind::kScan, .partition = View(partition)});
  }

  static teal_status TEAL_CALL ScanDue(teal_instance* instance, const teal_call* call, uint32_t shard, uint32_t shards,
                                       uint64_t until, uint64_t limit, teal_bytes cursor) {
    auto open = Opened(call);
    open->shard = shard;
    open->shards = shards;
    open->until_unix_ns = until;
    open->limit = limit;
    open->cursor = Copy(cursor);
    return Of(instance).Begin(std::move(open), {.kind = CallKind::kScanDue, .shard = shard});
  }
};

const teal_memory* SimConnection::Table() {
  static const teal_memory table = [] {
    teal_memory t{};
    t.struct_size = sizeof t;
    t.caps = &SimTable::Caps;
    t.commit = &SimTable::Commit;
    t.get = &SimTable::Get;
    t.scan = &SimTable::Scan;
    t.scan_due = &SimTable::ScanDue;
    return t;
  }();
  return &table;
}

}  // namespace teal::sim
