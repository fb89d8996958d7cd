#include "plugins/k8s/reads.hpp"

#include <algorithm>
#include <cassert>

#include "plugins/k8s/limits.hpp"

namespace teal::k8s {
namespace {

__extension__ using Wide = unsigned __int128;

int64_t Limit(uint64_t limit) {
  return static_cast<int64_t>(std::min(limit, kLimits.scan_records_max));
}

teal_version VersionAt(const PGresult* result, int row, int column) {
  const std::string_view bytes = DataAt(result, row, column);
  teal_version version{};
  std::memcpy(version.opaque, bytes.data(), std::min(bytes.size(), sizeof version.opaque));
  return version;
}

// The first key after all that begin with `prefix`; empty = there is none.
std::string After(std::string_view prefix) {
  std::string out(prefix);
  while (!out.empty() && static_cast<unsigned char>(out.back()) == 0xFF) out.pop_back();
  if (!out.empty()) out.back() = static_cast<char>(static_cast<unsigned char>(out.back()) + 1);
  return out;
}

teal_page PageOf(const std::vector<teal_record>& records, bool more, std::string_view next) {
  teal_page page{};
  page.struct_size = sizeof page;
  page.more = more ? 1 : 0;
  page.count = records.size();
  page.records = records.data();
  page.next = more ? Bytes(next) : teal_bytes{nullptr, 0};
  return page;
}

}  // namespace

void Get::Bind(Params& params) {
  std::vector<std::string_view> partitions, sorts;
  for (uint64_t i = 0; i < count_; ++i) {
    partitions.push_back(View(keys_[i].partition));
    sorts.push_back(View(keys_[i].sort));
  }
  params.Datas(partitions);
  params.Datas(sorts);
}

bool Get::Answer(const PGresult* result) {
  std::vector<teal_record> records(static_cast<std::size_t>(PQntuples(result)));
  for (int row = 0; row < PQntuples(result); ++row) {
    const auto number = static_cast<uint64_t>(IntAt(result, row, 0));
    assert(number < count_);
    records[static_cast<std::size_t>(row)] = {keys_[number], Bytes(DataAt(result, row, 1)), VersionAt(result, row, 2),
                                              TimeAt(result, row, 3), TimeAt(result, row, 4)};
  }
  const teal_page page = PageOf(records, false, {});
  Succeed(&page);
  return false;
}

bool Scan::Good(std::string_view cursor, std::string_view prefix) {
  return cursor.empty() || (cursor.size() > 1 && cursor.size() <= 1 + kLimits.key_bytes_max && cursor[0] == 'S' &&
                            cursor.substr(1).starts_with(prefix));
}

Scan::Scan(plugin::Done done, const teal_call& call, uint64_t now, std::string_view partition, std::string_view prefix,
           uint64_t limit, std::string_view cursor)
    : ReadCall(std::move(done), call, now),
      partition_(partition),
      from_(prefix),
      to_(After(prefix)),
      limit_(Limit(limit)) {
  if (cursor.empty()) return;
  from_ = cursor.substr(1);
  from_.push_back('\0');  // the next possible key
}

void Scan::Bind(Params& params) {
  params.Data(partition_);
  params.Data(from_);
  if (to_.empty()) {
    params.NoData();
  } else {
    params.Data(to_);
  }
  params.Long(limit_ + 1);  // one more tells whether there is more
  params.Long(static_cast<int64_t>(plugin::kPageBytes));
}

bool Scan::Answer(const PGresult* result) {
  const int rows = std::min(PQntuples(result), static_cast<int>(limit_));
  bool more = PQntuples(result) > rows;
  uint64_t bytes = 0;
  std::vector<teal_record> records(static_cast<std::size_t>(rows));
  for (int row = 0; row < rows; ++row) {
    records[static_cast<std::size_t>(row)] = {{Bytes(partition_), Bytes(DataAt(result, row, 0))},
                                              Bytes(DataAt(result, row, 1)),
                                              VersionAt(result, row, 2),
                                              TimeAt(result, row, 3),
                                              TimeAt(result, row, 4)};
    bytes += DataAt(result, row, 1).size();
  }
  more = more || bytes >= plugin::kPageBytes;
  const std::string next = rows == 0 ? std::string() : "S" + std::string(DataAt(result, rows - 1, 0));
  const teal_page page = PageOf(records, more, next);
  Succeed(&page);
  return false;
}

bool ScanDue::Good(std::string_view cursor) {
  return cursor.empty() || (cursor.size() == 17 && cursor[0] == 'D');
}

ScanDue::ScanDue(plugin::Done done, const teal_call& call, uint64_t now, uint32_t shard, uint32_t shards,
                 uint64_t until, uint64_t limit, std::string_view cursor)
    : ReadCall(std::move(done), call, now),
      until_(Flipped(until)),
      after_due_(INT64_MIN),
      after_hash_(INT64_MIN),
      limit_(Limit(limit)) {
  // Part s of S: the hashes from s/S of all up to (s + 1)/S, rounded up.
  const auto bound = [shards](uint32_t part) { return ((Wide{part} << 64) + shards - 1) / shards; };
  low_ = Flipped(static_cast<uint64_t>(bound(shard)));
  high_ = Flipped(static_cast<uint64_t>(bound(shard + 1) - 1));
  if (cursor.empty()) return;
  std::memcpy(&after_due_, cursor.data() + 1, sizeof after_due_);
  std::memcpy(&after_hash_, cursor.data() + 9, sizeof after_hash_);
}

void ScanDue::Bind(Params& params) {
  params.Long(until_);
  params.Long(low_);
  params.Long(high_);
  params.Long(after_due_);
  params.Long(after_hash_);
  params.Long(limit_ + 1);
}

bool ScanDue::Answer(const PGresult* result) {
  const int rows = std::min(PQntuples(result), static_cast<int>(limit_));
  std::vector<teal_record> records(static_cast<std::size_t>(rows));
  for (int row = 0; row < rows; ++row) {
    teal_record& record = records[static_cast<std::size_t>(row)];
    record.key = {Bytes(DataAt(result, row, 0)), Bytes(DataAt(result, row, 1))};
    record.due_unix_ns = TimeAt(result, row, 2);
  }
  std::string next;
  if (rows > 0) {
    const int64_t last[2] = {LongAt(result, rows - 1, 2), LongAt(result, rows - 1, 3)};
    next.assign("D").append(reinterpret_cast<const char*>(last), sizeof last);
  }
  const teal_page page = PageOf(records, PQntuples(result) > rows, next);
  Succeed(&page);
  return false;
}

}  // namespace teal::k8s
