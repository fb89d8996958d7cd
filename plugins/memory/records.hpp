// The records of one in-process memory: the reference of what teal.memory/1 means, with nothing to distract from it.
// Not synchronised: the plugin holds its one mutex around every function, which makes each of them linearizable. What
// is handed out as views lives until the next function that changes something.
#pragma once

#include <teal/abi.h>

#include <array>
#include <compare>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace teal::memory {

struct Key {
  std::string partition;
  std::string sort;
  // std::string compares as unsigned bytes, the order the border asks for.
  auto operator<=>(const Key&) const = default;
};
// The same, not owned.
struct KeyView {
  std::string_view partition;
  std::string_view sort;
};
struct KeyOrder {
  using is_transparent = void;
  template <typename A, typename B>
  bool operator()(const A& a, const B& b) const {
    const auto by_partition = std::string_view(a.partition) <=> std::string_view(b.partition);
    return by_partition != 0 ? by_partition < 0 : std::string_view(a.sort) < std::string_view(b.sort);
  }
};

struct Record {
  std::string value;
  teal_version version{};
  uint64_t due = 0;      // unix ns, 0 = never
  uint64_t expires = 0;  // unix ns, 0 = never
};

// A page being made. `next` is the cursor when `more`.
struct Page {
  std::vector<teal_record> records;
  std::string next;
  bool more = false;
};

class Records {
 public:
  // `store` sets the versions of this store apart from those of all others: random.
  explicit Records(std::array<uint8_t, 16> store) : store_(store) {}

  // What a commit came to: the versions, or the first operation whose condition does not hold and the record in the
  // way.
  struct Outcome {
    bool applied = false;
    uint32_t failed_op = 0;
    std::vector<teal_version> versions;
    std::vector<teal_record> found;  // none or one
  };
  // `ops` are well formed and within the limits. All are applied or none.
  Outcome Commit(const teal_op* ops, uint64_t count);

  std::vector<teal_record> Get(const teal_key* keys, uint64_t count) const;

  // `after` is the last sort part of the page before, or empty.
  Page Scan(std::string_view partition, std::string_view prefix, uint64_t limit, std::string_view after) const;

  // False if the cursor is none of ours.
  bool ScanDue(uint32_t shard, uint32_t shards, uint64_t until, uint64_t limit, std::string_view cursor,
               Page& page) const;

  // Removes every record whose time is over at `now`.
  void Expire(uint64_t now);

 private:
  using Map = std::map<Key, Record, KeyOrder>;
  // (time, key): the keys are those of the map's nodes, which do not move.
  struct TimeOrder {
    bool operator()(const std::pair<uint64_t, const Key*>& a, const std::pair<uint64_t, const Key*>& b) const {
      return a.first != b.first ? a.first < b.first : *a.second < *b.second;
    }
  };
  using TimeIndex = std::set<std::pair<uint64_t, const Key*>, TimeOrder>;

  static teal_record ToAbi(const Map::value_type& entry);
  teal_version NextVersion();
  void Put(const teal_op& op, const teal_version& version);
  void Erase(Map::iterator at);

  const std::array<uint8_t, 16> store_;
  uint64_t written_ = 0;  // counts writes; no version is used twice
  Map records_;
  TimeIndex due_;      // records with a due time
  TimeIndex expires_;  // records that expire
};

}  // namespace teal::memory
