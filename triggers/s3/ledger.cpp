#include "triggers/s3/ledger.hpp"

#include <algorithm>
#include <cassert>
#include <iterator>
#include <utility>

namespace teal::s3 {
namespace {

constexpr char kVersion = 1;
constexpr char kLeaf = 'L';
constexpr char kSplit = 'S';
constexpr std::size_t kBitsMax = 128;
constexpr std::size_t kEntryBytes = 16 + 16 + 2;  // and the key

std::string BitsOf(const Digest& object) {
  std::string bits(kBitsMax, '0');
  for (std::size_t at = 0; at < kBitsMax; ++at) {
    if ((object[at / 8] >> (7 - at % 8) & 1) != 0) bits[at] = '1';
  }
  return bits;
}

// The smallest digest that begins with `bits`.
Digest FirstOf(const std::string& bits) {
  Digest digest{};
  for (std::size_t at = 0; at < bits.size(); ++at) {
    if (bits[at] == '1') digest[at / 8] = static_cast<uint8_t>(digest[at / 8] | 1 << (7 - at % 8));
  }
  return digest;
}

bool Begins(const Digest& digest, const std::string& bits) {
  for (std::size_t at = 0; at < bits.size(); ++at) {
    if (((digest[at / 8] >> (7 - at % 8) & 1) != 0) != (bits[at] == '1')) return false;
  }
  return true;
}

}  // namespace

bool Ledger::Read(const std::string& bits, std::optional<std::string_view> value, std::vector<std::string>* more) {
  if (!value) {
    leaves_.insert(bits);
    return true;
  }
  std::string_view rest = *value;
  if (rest.size() < 2 || rest[0] != kVersion || (rest[1] != kLeaf && rest[1] != kSplit)) return false;
  const bool split = rest[1] == kSplit;
  rest.remove_prefix(2);
  if (split) {
    if (!rest.empty() || bits.size() >= kBitsMax) return false;
    more->push_back(bits + "0");
    more->push_back(bits + "1");
    return true;
  }
  while (!rest.empty()) {
    if (rest.size() < kEntryBytes) return false;
    Digest object, stamp;
    std::copy_n(rest.begin(), object.size(), object.begin());
    std::copy_n(rest.begin() + 16, stamp.size(), stamp.begin());
    const auto size = static_cast<std::size_t>(static_cast<uint8_t>(rest[32]) | static_cast<uint8_t>(rest[33]) << 8);
    if (rest.size() < kEntryBytes + size || !Begins(object, bits)) return false;
    kept_[object] = {stamp, std::string(rest.substr(kEntryBytes, size)), 0};
    rest.remove_prefix(kEntryBytes + size);
  }
  leaves_.insert(bits);
  return true;
}

Ledger::Kept* Ledger::Find(const Digest& object) {
  const auto found = kept_.find(object);
  return found == kept_.end() ? nullptr : &found->second;
}

void Ledger::Set(const Digest& object, const Digest& stamp, std::string key) {
  Kept& kept = kept_[object];
  kept.stamp = stamp;
  kept.key = std::move(key);
  dirty_.insert(LeafOf(object));
}

void Ledger::Erase(const Digest& object) {
  if (kept_.erase(object) > 0) dirty_.insert(LeafOf(object));
}

// No leaf begins another, and every digest begins with one: the last that is not after the digest's bits.
std::string Ledger::LeafOf(const Digest& object) const {
  const auto after = leaves_.upper_bound(BitsOf(object));
  assert(after != leaves_.begin());
  return *std::prev(after);
}

std::string Ledger::WriteLeaf(const std::string& bits) const {
  std::string value{kVersion, kLeaf};
  for (auto at = kept_.lower_bound(FirstOf(bits)); at != kept_.end() && Begins(at->first, bits); ++at) {
    const auto& [object, kept] = *at;
    value.append(object.begin(), object.end());
    value.append(kept.stamp.begin(), kept.stamp.end());
    value += static_cast<char>(kept.key.size() & 0xFF);
    value += static_cast<char>(kept.key.size() >> 8);
    value += kept.key;
  }
  return value;
}

void Ledger::TakeLeaf(const std::string& bits, Round* round) {
  std::string value = WriteLeaf(bits);
  if (value.size() <= kLeafBytesMax) {
    round->leaves.push_back({bits, std::move(value)});
    return;
  }
  leaves_.erase(bits);
  unmarked_.insert(bits);
  for (const char* const next : {"0", "1"}) {
    leaves_.insert(bits + next);
    TakeLeaf(bits + next, round);
  }
}

Ledger::Round Ledger::Take() {
  Round round;
  for (const std::string& bits : std::exchange(dirty_, {})) TakeLeaf(bits, &round);
  for (const std::string& bits : unmarked_) round.marks.push_back({bits, std::string{kVersion, kSplit}});
  std::sort(round.marks.begin(), round.marks.end(),
            [](const Round::Write& a, const Round::Write& b) { return a.bits.size() > b.bits.size(); });
  return round;
}

void Ledger::Stored(const Round& round) {
  for (const Round::Write& mark : round.marks) unmarked_.erase(mark.bits);
}

void Ledger::NotStored(const Round& round) {
  // Meanwhile a leaf of the round was not split: splits are made by Take alone.
  for (const Round::Write& leaf : round.leaves) dirty_.insert(leaf.bits);
}

}  // namespace teal::s3
