// A memory for Teal in C++: records in an ordered map under one mutex, with the helpers of teal/plugin.hpp. It keeps
// nothing over the end of the process. docs/write-a-memory-plugin.md walks through the same in C.
#include <algorithm>
#include <array>
#include <compare>
#include <map>
#include <mutex>
#include <optional>
#include <teal/plugin.hpp>
#include <utility>
#include <vector>

using teal::Bytes;
using teal::Copy;
using teal::SameVersion;
using teal::View;
using teal::plugin::Done;
using teal::plugin::Error;
using teal::plugin::Give;

namespace {

// The limits this memory declares in its capabilities, and refuses to exceed.
constexpr uint64_t kKeyBytesMax = 1024;
constexpr uint64_t kValueBytesMax = 1 << 20;
constexpr uint64_t kCommitOpsMax = 64;
constexpr uint64_t kCommitBytesMax = 8 << 20;
constexpr uint64_t kPageRecordsMax = 1000;

struct Key {
  std::string partition, sort;  // std::string compares its characters as unsigned bytes
  auto operator<=>(const Key&) const = default;
};
Key KeyOf(const teal_key& key) {
  return {Copy(key.partition), Copy(key.sort)};
}

struct Stored {
  std::string value;
  teal_version version{};
  uint64_t due = 0, expires = 0;
};

teal_record RecordOf(const Key& key, const Stored& stored) {
  return {{Bytes(key.partition), Bytes(key.sort)}, Bytes(stored.value), stored.version, stored.due, stored.expires};
}

bool WellFormed(const teal_op& op) {
  const bool plain = op.value.size == 0 && op.due_unix_ns == 0 && op.expires_unix_ns == 0;
  return op.kind >= TEAL_PUT && op.kind <= TEAL_CHECK && op.condition <= TEAL_IF_VERSION &&
         op.key.partition.size != 0 && op.key.sort.size != 0 && (op.kind == TEAL_PUT || plain) &&
         !(op.kind == TEAL_CHECK && op.condition == TEAL_IF_ANY) &&
         (op.condition == TEAL_IF_VERSION) == !SameVersion(op.expected, teal::kAbsent);
}

bool SameKey(const teal_key& a, const teal_key& b) {
  return View(a.partition) == View(b.partition) && View(a.sort) == View(b.sort);
}

// Whether two operations have one key. More than the limit are refused anyway.
bool AnyTwice(const teal_op* ops, uint64_t count) {
  for (uint64_t i = 0; i < std::min(count, kCommitOpsMax); ++i) {
    for (uint64_t j = 0; j < i; ++j) {
      if (SameKey(ops[i].key, ops[j].key)) return true;
    }
  }
  return false;
}

Error KeyTooLarge() {
  return {TEAL_TOO_LARGE, "a part of a key takes at most 1024 bytes"};
}

std::optional<Error> TooLarge(const teal_op* ops, uint64_t count) {
  if (count > kCommitOpsMax) return Error{TEAL_TOO_LARGE, "a commit takes at most 64 operations: split it"};
  uint64_t bytes = 0;
  for (const teal_op* op = ops; op != ops + count; ++op) {
    if (std::max(op->key.partition.size, op->key.sort.size) > kKeyBytesMax) return KeyTooLarge();
    if (op->value.size > kValueBytesMax) return Error{TEAL_TOO_LARGE, "a value takes at most 1 MiB"};
    bytes += op->key.partition.size + op->key.sort.size + op->value.size;
  }
  if (bytes > kCommitBytesMax) return Error{TEAL_TOO_LARGE, "a commit takes at most 8 MiB: split it"};
  return std::nullopt;
}

// The same in every process of this build, so that several sweepers can share the shards.
uint32_t ShardOf(const Key& key, uint32_t shards) {
  uint64_t hash = 14695981039346656037u;  // FNV-1a
  const auto add = [&](std::string_view bytes) {
    for (const char c : bytes) hash = (hash ^ static_cast<uint8_t>(c)) * 1099511628211u;
  };
  add(key.partition);
  add(std::string_view("\0", 1));
  add(key.sort);
  return static_cast<uint32_t>((hash ^ hash >> 32) % shards);
}

// What a cursor of scan_due says: the record after which to go on.
struct DuePlace {
  uint64_t due = 0;
  Key key;
  auto operator<=>(const DuePlace&) const = default;

  std::string Cursor() const {
    std::string cursor(16, '\0');
    const uint64_t size = key.partition.size();
    std::memcpy(cursor.data(), &due, 8);
    std::memcpy(cursor.data() + 8, &size, 8);
    return cursor + key.partition + key.sort;
  }
  static std::optional<DuePlace> Of(std::string_view cursor) {
    DuePlace place;
    uint64_t size = 0;
    if (cursor.size() < 18) return std::nullopt;
    std::memcpy(&place.due, cursor.data(), 8);
    std::memcpy(&size, cursor.data() + 8, 8);
    if (size == 0 || size >= cursor.size() - 16) return std::nullopt;
    place.key = {std::string(cursor.substr(16, size)), std::string(cursor.substr(16 + size))};
    return place;
  }
};

void GivePage(Done& done, const std::vector<teal_record>& records, std::string_view next) {
  const teal_page page{sizeof page, next.empty() ? 0u : 1u, records.size(), records.empty() ? nullptr : records.data(),
                       Bytes(next)};
  done.Ok(&page);
}

}  // namespace

struct teal_instance {
  teal::plugin::OpenCalls calls;
  std::mutex mutex;  // guards what follows; held during `done`, too, whose results are views of it
  std::map<Key, Stored> records;
  uint64_t incarnation = 0;  // makes versions of this instance differ from those of any other
  uint64_t last_version = 0;

  teal_version NextVersion() {
    teal_version version{};
    ++last_version;  // never comes back, not even after a delete
    std::memcpy(version.opaque, &last_version, sizeof last_version);
    std::memcpy(version.opaque + 8, &incarnation, sizeof incarnation);
    return version;
  }
};

namespace {

teal_status TEAL_CALL Caps(teal_instance*, teal_memory_caps* out) {
  teal_memory_caps caps{};
  caps.key_bytes_max = kKeyBytesMax;
  caps.value_bytes_max = kValueBytesMax;
  caps.commit_ops_max = kCommitOpsMax;
  caps.commit_bytes_max = kCommitBytesMax;
  caps.get_keys_max = kPageRecordsMax;
  caps.scan_records_max = kPageRecordsMax;
  teal::GiveOut(out, caps);
  return TEAL_OK;
}

bool Holds(const teal_op& op, const Stored* now) {
  if (op.condition == TEAL_IF_ABSENT) return now == nullptr;
  if (op.condition == TEAL_IF_VERSION) return now != nullptr && SameVersion(now->version, op.expected);
  return true;
}

teal_status TEAL_CALL Commit(teal_instance* memory, const teal_call* call, const teal_op* ops, uint64_t count) {
  if (count == 0 || !std::all_of(ops, ops + count, WellFormed) || AnyTwice(ops, count)) return TEAL_INVALID;
  return teal::plugin::Take(call, memory->calls, [&](Done done) {
    if (const auto error = TooLarge(ops, count)) return done.Fail(*error);
    std::vector<Key> keys;
    for (uint64_t i = 0; i < count; ++i) keys.push_back(KeyOf(ops[i].key));
    teal_commit_result result{};
    result.struct_size = sizeof result;
    const std::lock_guard lock(memory->mutex);
    // First all conditions, then all changes: all operations or none.
    for (uint64_t i = 0; i < count; ++i) {
      const auto at = memory->records.find(keys[i]);
      const Stored* now = at == memory->records.end() ? nullptr : &at->second;
      if (Holds(ops[i], now)) continue;
      teal_record in_the_way{};
      if (now != nullptr) {
        in_the_way = RecordOf(at->first, *now);
        result.found = &in_the_way;
      }
      result.failed_op = static_cast<uint32_t>(i);
      return done.Fail({TEAL_CONFLICT, "a condition does not hold"}, &result);
    }
    std::vector<teal_version> versions(count);
    for (uint64_t i = 0; i < count; ++i) {
      if (ops[i].kind == TEAL_PUT) {
        versions[i] = memory->NextVersion();
        memory->records.insert_or_assign(
            std::move(keys[i]), Stored{Copy(ops[i].value), versions[i], ops[i].due_unix_ns, ops[i].expires_unix_ns});
      } else if (ops[i].kind == TEAL_DELETE) {
        memory->records.erase(keys[i]);
      } else if (const auto at = memory->records.find(keys[i]); at != memory->records.end()) {
        versions[i] = at->second.version;
      }
    }
    result.count = count;
    result.versions = versions.data();
    done.Ok(&result);
  });
}

teal_status TEAL_CALL Get(teal_instance* memory, const teal_call* call, const teal_key* keys, uint64_t count) {
  const auto keyless = [](const teal_key& key) { return key.partition.size == 0 || key.sort.size == 0; };
  if (count == 0 || std::any_of(keys, keys + count, keyless)) return TEAL_INVALID;
  return teal::plugin::Take(call, memory->calls, [&](Done done) {
    for (uint64_t i = 0; i < count; ++i) {
      if (std::max(keys[i].partition.size, keys[i].sort.size) > kKeyBytesMax) return done.Fail(KeyTooLarge());
    }
    if (count > kPageRecordsMax) return done.Fail({TEAL_TOO_LARGE, "a get takes at most 1000 keys: split it"});
    std::vector<teal_record> records;
    const std::lock_guard lock(memory->mutex);
    for (uint64_t i = 0; i < count; ++i) {
      if (const auto at = memory->records.find(KeyOf(keys[i])); at != memory->records.end()) {
        records.push_back(RecordOf(at->first, at->second));
      }
    }
    GivePage(done, records, {});
  });
}

// The cursor is the sort key of the last record given: it needs no state here, and stays good whatever is written.
teal_status TEAL_CALL Scan(teal_instance* memory, const teal_call* call, teal_bytes partition, teal_bytes prefix,
                           uint64_t limit, teal_bytes cursor) {
  if (partition.size == 0 || limit == 0) return TEAL_INVALID;
  return teal::plugin::Take(call, memory->calls, [&](Done done) {
    if (std::max(partition.size, prefix.size) > kKeyBytesMax) return done.Fail(KeyTooLarge());
    std::vector<teal_record> records;
    const std::lock_guard lock(memory->mutex);
    auto at = cursor.size != 0 ? memory->records.upper_bound({Copy(partition), Copy(cursor)})
                               : memory->records.lower_bound({Copy(partition), Copy(prefix)});
    for (; at != memory->records.end(); ++at) {
      if (at->first.partition != View(partition) || !at->first.sort.starts_with(View(prefix))) break;
      if (records.size() == std::min(limit, kPageRecordsMax))
        return GivePage(done, records, View(records.back().key.sort));
      records.push_back(RecordOf(at->first, at->second));
    }
    GivePage(done, records, {});
  });
}

teal_status TEAL_CALL ScanDue(teal_instance* memory, const teal_call* call, uint32_t shard, uint32_t shards,
                              uint64_t until, uint64_t limit, teal_bytes cursor) {
  if (shards > 1024 || shard >= shards || limit == 0) return TEAL_INVALID;
  return teal::plugin::Take(call, memory->calls, [&](Done done) {
    const auto after = DuePlace::Of(View(cursor));
    if (!after && cursor.size != 0)
      return done.Fail({TEAL_INVALID, "the cursor is not one of this memory; begin without one"});
    std::vector<DuePlace> due;
    {
      const std::lock_guard lock(memory->mutex);
      for (const auto& [key, stored] : memory->records) {
        if (stored.due == 0 || stored.due > until || ShardOf(key, shards) != shard) continue;
        DuePlace place{stored.due, key};
        if (!after || place > *after) due.push_back(std::move(place));
      }
    }
    std::sort(due.begin(), due.end());
    const uint64_t taken = std::min({limit, kPageRecordsMax, uint64_t{due.size()}});
    std::vector<teal_record> records;  // keys and due times only
    for (uint64_t i = 0; i < taken; ++i) {
      records.push_back({{Bytes(due[i].key.partition), Bytes(due[i].key.sort)}, {}, {}, due[i].due, 0});
    }
    GivePage(done, records, taken < due.size() ? due[taken - 1].Cursor() : std::string());
  });
}

// The manifest's schema allows an empty object only, and the host has checked it; the kit checks that we do not rely on
// it.
bool IsEmptyObject(std::string_view json) {
  std::string packed;
  for (const char c : json) {
    if (std::string_view(" \t\r\n").find(c) == std::string_view::npos) packed += c;
  }
  return packed == "{}";
}

teal_status TEAL_CALL Open(const teal_host* host, teal_bytes config, teal_instance** out, teal_error* error) {
  return teal::plugin::GuardWithError(error, [&] {
    if (!IsEmptyObject(View(config))) {
      return Give(error, {TEAL_INVALID, "this memory takes no settings: write {} instead of " + Copy(config)});
    }
    auto* const memory = new teal_instance;
    memory->incarnation = host->now_unix_ns(host) ^ static_cast<uint64_t>(reinterpret_cast<uintptr_t>(memory));
    *out = memory;
    return TEAL_OK;
  });
}

void TEAL_CALL Close(teal_instance* memory) {
  memory->calls.Close();
  memory->calls.Wait();
  delete memory;
}

// Watches and blobs are not offered: their slots are NULL, and the capabilities do not name them.
constexpr teal_memory kMemory{sizeof(teal_memory),
                              0,
                              Caps,
                              Commit,
                              Get,
                              Scan,
                              ScanDue,
                              nullptr,
                              nullptr,
                              nullptr,
                              nullptr,
                              nullptr,
                              nullptr,
                              nullptr,
                              nullptr};

const void* TEAL_CALL GetInterface(const char* id) {
  return std::string_view(id) == TEAL_MEMORY_ID ? &kMemory : nullptr;
}

// A hint: by the time it comes, the call has ended.
teal_status TEAL_CALL Cancel(teal_instance*, uint64_t) {
  return TEAL_OK;
}

constexpr teal_plugin kPlugin{sizeof(teal_plugin), TEAL_ABI_MINOR, 0, 0, "memory_cpp", "1.0.0", Open, Close,
                              GetInterface,        Cancel};

}  // namespace

extern "C" TEAL_EXPORT const teal_plugin* TEAL_CALL teal_plugin_v1(void);
const teal_plugin* teal_plugin_v1(void) {
  return &kPlugin;
}
