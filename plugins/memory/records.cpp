#include "plugins/memory/records.hpp"

#include <cassert>
#include <cstring>
#include <teal/bytes.hpp>

#include "plugins/common/memory_input.hpp"

namespace teal::memory {
namespace {

KeyView ToView(const teal_key& key) {
  return {View(key.partition), View(key.sort)};
}

// A cursor of scan_due: the due time, the size of the partition (both big-endian), partition, sort of the last record.
constexpr std::size_t kDueCursorHead = 12;

void AppendBigEndian(std::string& out, uint64_t value, int bytes) {
  for (int shift = (bytes - 1) * 8; shift >= 0; shift -= 8) out.push_back(static_cast<char>(value >> shift));
}

uint64_t BigEndian(std::string_view in) {
  uint64_t value = 0;
  for (const char c : in) value = value << 8 | static_cast<uint8_t>(c);
  return value;
}

}  // namespace

teal_record Records::ToAbi(const Map::value_type& entry) {
  const auto& [key, record] = entry;
  return {{Bytes(key.partition), Bytes(key.sort)}, Bytes(record.value), record.version, record.due, record.expires};
}

teal_version Records::NextVersion() {
  teal_version version{};
  ++written_;
  for (int i = 0; i < 8; ++i) version.opaque[i] = static_cast<uint8_t>(written_ >> (56 - 8 * i));
  std::memcpy(version.opaque + 8, store_.data(), store_.size());
  return version;
}

Records::Outcome Records::Commit(const teal_op* ops, uint64_t count) {
  Outcome outcome;
  std::vector<Map::iterator> at(count);
  for (uint64_t i = 0; i < count; ++i) {
    at[i] = records_.find(ToView(ops[i].key));
    const bool exists = at[i] != records_.end();
    const bool holds =
        ops[i].condition == TEAL_IF_ANY || (ops[i].condition == TEAL_IF_ABSENT && !exists) ||
        (ops[i].condition == TEAL_IF_VERSION && exists && SameVersion(at[i]->second.version, ops[i].expected));
    if (holds) continue;
    outcome.failed_op = static_cast<uint32_t>(i);
    if (exists) outcome.found.push_back(ToAbi(*at[i]));
    return outcome;
  }
  outcome.applied = true;
  outcome.versions.resize(count);
  for (uint64_t i = 0; i < count; ++i) {
    const bool exists = at[i] != records_.end();
    if (ops[i].kind == TEAL_PUT) {
      outcome.versions[i] = NextVersion();
      Put(ops[i], outcome.versions[i]);
    } else if (exists && ops[i].kind == TEAL_DELETE) {
      Erase(at[i]);
    } else if (exists) {
      outcome.versions[i] = at[i]->second.version;
    }
  }
  return outcome;
}

void Records::Put(const teal_op& op, const teal_version& version) {
  const auto [at, created] = records_.try_emplace(Key{Copy(op.key.partition), Copy(op.key.sort)});
  Record& record = at->second;
  if (record.due != 0) due_.erase({record.due, &at->first});
  if (record.expires != 0) expires_.erase({record.expires, &at->first});
  record = {Copy(op.value), version, op.due_unix_ns, op.expires_unix_ns};
  if (record.due != 0) due_.insert({record.due, &at->first});
  if (record.expires != 0) expires_.insert({record.expires, &at->first});
}

void Records::Erase(Map::iterator at) {
  if (at->second.due != 0) due_.erase({at->second.due, &at->first});
  if (at->second.expires != 0) expires_.erase({at->second.expires, &at->first});
  records_.erase(at);
}

std::vector<teal_record> Records::Get(const teal_key* keys, uint64_t count) const {
  std::vector<teal_record> found;
  found.reserve(count);
  for (uint64_t i = 0; i < count; ++i) {
    const auto at = records_.find(ToView(keys[i]));
    if (at != records_.end()) found.push_back(ToAbi(*at));
  }
  return found;
}

Page Records::Scan(std::string_view partition, std::string_view prefix, uint64_t limit, std::string_view after) const {
  Page page;
  auto at = after.empty() ? records_.lower_bound(KeyView{partition, prefix})
                          : records_.upper_bound(KeyView{partition, after});
  uint64_t bytes = 0;
  for (; at != records_.end() && at->first.partition == partition && at->first.sort.starts_with(prefix); ++at) {
    if (page.records.size() == limit || bytes > plugin::kPageBytes) {
      page.more = true;
      page.next = Copy(page.records.back().key.sort);
      break;
    }
    page.records.push_back(ToAbi(*at));
    bytes += at->second.value.size();
  }
  return page;
}

bool Records::ScanDue(uint32_t shard, uint32_t shards, uint64_t until, uint64_t limit, std::string_view cursor,
                      Page& page) const {
  auto at = due_.begin();
  if (!cursor.empty()) {
    if (cursor.size() < kDueCursorHead) return false;
    const uint64_t size = BigEndian(cursor.substr(8, 4));
    if (size > cursor.size() - kDueCursorHead) return false;
    const Key last{std::string(cursor.substr(kDueCursorHead, size)), std::string(cursor.substr(kDueCursorHead + size))};
    at = due_.upper_bound({BigEndian(cursor.substr(0, 8)), &last});
  }
  for (; at != due_.end() && at->first <= until; ++at) {
    const Key& key = *at->second;
    if (plugin::ShardOf(key.partition, key.sort, shards) != shard) continue;
    if (page.records.size() == limit) {
      const teal_record& last = page.records.back();
      AppendBigEndian(page.next, last.due_unix_ns, 8);
      AppendBigEndian(page.next, last.key.partition.size, 4);
      page.next.append(View(last.key.partition)).append(View(last.key.sort));
      page.more = true;
      break;
    }
    page.records.push_back({{Bytes(key.partition), Bytes(key.sort)}, {}, {}, at->first, 0});
  }
  return true;
}

void Records::Expire(uint64_t now) {
  while (!expires_.empty() && expires_.begin()->first <= now) {
    const auto at = records_.find(*expires_.begin()->second);
    assert(at != records_.end());
    Erase(at);
  }
}

}  // namespace teal::memory
