// Which host looks for which of the sessions that are due: by parts, of which each has a record with who holds it and
// until when. For thrift only (section 7 of the protocol): a session that two hosts take up is carried by the one whose
// commit comes first. So nothing here waits for anything, and a part that changes hands is swept by both for a while.
#include <algorithm>
#include <map>

#include "core/runtime/durable.h"
#include "core/runtime/record_codec.h"

namespace teal::runtime {

namespace {

constexpr uint32_t kParts = 16;
constexpr int64_t kPartsEveryNs = 5'000'000'000;
constexpr uint64_t kPartLeaseNs = 20'000'000'000;
// What is due for so long is anybody's: whoever holds its part does not see to it.
constexpr int64_t kAnybodysNs = 30'000'000'000;

uint32_t PartOf(std::string_view sid) {
  uint32_t hash = 2166136261u;
  for (const char c : sid) hash = (hash ^ static_cast<uint8_t>(c)) * 16777619u;
  return (hash >> 8) % kParts;
}

}  // namespace

bool DurableSessions::Sweeps(const std::string& sid, int64_t late_ns) const {
  if (!shared_ || late_ns > kAnybodysNs) return true;
  const uint32_t part = PartOf(sid);
  return part < parts_.size() && parts_[part].until_ns > Now();
}

void DurableSessions::LookAtParts(int64_t now) {
  next_parts_ns_ = options_.sweeps ? now + kPartsEveryNs : INT64_MAX;
  if (!options_.sweeps) return;
  std::vector<record::Key> keys;
  for (uint32_t part = 0; part < kParts; ++part) keys.push_back(record::SweeperPartKey(part));
  options_.store->Get(std::move(keys), [this](auto got) {
    Post([this, got = std::move(got)] {
      if (got.ok() && !stopped_) DivideParts(got.value());
    });
  });
}

// Takes what is free, up to this host's share; with less than that, from the one that has most.
void DurableSessions::DivideParts(const std::vector<std::optional<StoreItem>>& items) {
  const auto now = static_cast<uint64_t>(Now());
  parts_.resize(kParts);
  std::map<record::Incarnation, std::vector<uint32_t>> held;
  held[options_.incarnation];
  std::vector<uint32_t> free;
  std::vector<uint64_t> until(kParts, 0);
  for (uint32_t part = 0; part < kParts; ++part) {
    parts_[part] = {};
    record::SweeperPart found;
    if (items[part]) {
      parts_[part].exists = true;
      parts_[part].version = items[part]->version;
      Result<record::SweeperPart> read = record::DecodeSweeperPart(items[part]->key, items[part]->bytes);
      if (read.ok()) found = std::move(*read);
    }
    const bool lives = found.holder && found.until_unix_ns + options_.constants.skew_max_ns > now;
    if (!lives) {
      free.push_back(part);
      continue;
    }
    until[part] = found.until_unix_ns;
    held[*found.holder].push_back(part);
    if (*found.holder == options_.incarnation) parts_[part].until_ns = static_cast<int64_t>(found.until_unix_ns);
  }
  const std::vector<uint32_t>& mine = held[options_.incarnation];
  const size_t most = (kParts + held.size() - 1) / held.size();
  const size_t least = kParts / held.size();
  std::vector<uint32_t> write;
  for (const uint32_t part : mine) {
    if (until[part] < now + kPartLeaseNs / 2) write.push_back(part);
  }
  size_t have = mine.size();
  for (size_t i = 0; i < free.size() && have < most; ++i, ++have) write.push_back(free[i]);
  if (have < least) {
    auto richest = held.end();
    for (auto at = held.begin(); at != held.end(); ++at) {
      if (at->first != options_.incarnation && (richest == held.end() || at->second.size() > richest->second.size()))
        richest = at;
    }
    while (richest != held.end() && have < least && richest->second.size() > have + 1) {
      write.push_back(richest->second.back());
      richest->second.pop_back();
      ++have;
    }
  }
  for (const uint32_t part : write) {
    SweptPart held_now = parts_[part];
    held_now.until_ns = static_cast<int64_t>(now + kPartLeaseNs);
    WritePart(part, held_now);
  }
}

void DurableSessions::WritePart(uint32_t part, const SweptPart& held_now) {
  record::SweeperPart record;
  record.holder = options_.incarnation;
  record.until_unix_ns = static_cast<uint64_t>(std::max<int64_t>(held_now.until_ns, 1));
  StoreWrite write;
  write.key = record::SweeperPartKey(part);
  write.condition = held_now.exists ? StoreCondition::kVersion : StoreCondition::kAbsent;
  write.expected = held_now.version;
  Result<std::string> bytes = record::Encode(write.key, record);
  if (!bytes.ok()) return;
  write.bytes = std::move(*bytes);
  options_.store->Commit({std::move(write)}, [this, part, until = held_now.until_ns](auto outcome) {
    if (!outcome.ok() || !outcome->applied) return;  // another was faster
    Post([this, part, until, version = outcome->versions[0]] {
      if (part < parts_.size()) parts_[part] = {version, true, until};
    });
  });
}

// The others need not wait for the end of what this host holds.
void DurableSessions::LeaveParts() {
  const int64_t now = Now();
  for (uint32_t part = 0; part < parts_.size(); ++part) {
    if (parts_[part].until_ns <= now) continue;
    SweptPart left = parts_[part];
    left.until_ns = 1;
    parts_[part].until_ns = 0;
    WritePart(part, left);
  }
}

}  // namespace teal::runtime
