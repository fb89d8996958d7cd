#include "plugins/aws/due.hpp"

#include <algorithm>

#include "plugins/common/memory_input.hpp"

namespace teal::aws {
namespace {

constexpr std::size_t kQueriesAtOnce = 16;

void SortByDue(std::vector<StoredRecord>& records) {
  std::stable_sort(records.begin(), records.end(),
                   [](const StoredRecord& a, const StoredRecord& b) { return a.due_unix_ns < b.due_unix_ns; });
}

}  // namespace

std::vector<uint32_t> DueShard::Parts() const {
  std::vector<uint32_t> parts;
  for (uint32_t part = shard % kIndexParts; part < kIndexParts; part += std::min(shards, kIndexParts))
    parts.push_back(part);
  return parts;
}

bool DueShard::Has(const StoredRecord& record) const {
  if (shards <= kIndexParts) return true;
  const uint32_t part = shard % kIndexParts;
  const uint32_t pieces = (shards - 1 - part) / kIndexParts + 1;  // shards that share this part
  return plugin::ShardOf(record.partition, record.sort, kIndexParts * pieces) / kIndexParts == shard / kIndexParts;
}

Task<Result<Page>> DueIndex::Scan(Operation& operation, DueShard shard, uint64_t until_unix_ns, uint64_t limit,
                                  std::string_view cursor) {
  limit = std::min(limit, kScanRecordsMax);
  if (cursor.empty()) co_return co_await First(operation, shard, until_unix_ns, limit);
  const auto from = ParseDueCursor(cursor);
  const std::vector<uint32_t> parts = shard.Parts();
  if (!from || std::find(parts.begin(), parts.end(), from->part) == parts.end()) co_return WrongCursor();
  co_return co_await Walk(operation, shard, *from, until_unix_ns, limit);
}

Task<Result<Page>> DueIndex::First(Operation& operation, DueShard shard, uint64_t until_unix_ns, uint64_t limit) {
  const std::vector<uint32_t> parts = shard.Parts();
  std::vector<StoredRecord> records;
  bool whole = true;
  std::optional<Error> failure;
  const auto query = [&](std::size_t i) -> Task<bool> {  // lives as long as the ForEach below
    DueCursor from;
    from.part = parts[i];
    auto piece = co_await Query(operation, shard, from, until_unix_ns, limit);
    if (!piece) {
      failure = std::move(piece.error());
      co_return false;
    }
    std::move(piece->records.begin(), piece->records.end(), std::back_inserter(records));
    whole = whole && !piece->next;
    co_return true;
  };
  co_await ForEach(parts.size(), kQueriesAtOnce, std::ref(query));
  if (failure) co_return std::move(*failure);
  SortByDue(records);
  Page page;
  if (!whole || records.size() > limit) {
    DueCursor begin;
    begin.part = parts[0];
    page.next = ToText(begin);
  }
  records.resize(std::min<uint64_t>(records.size(), limit));
  page.records = std::move(records);
  co_return std::move(page);
}

Task<Result<Page>> DueIndex::Walk(Operation& operation, DueShard shard, DueCursor from, uint64_t until_unix_ns,
                                  uint64_t limit) {
  const std::vector<uint32_t> parts = shard.Parts();
  Page page;
  std::size_t at = static_cast<std::size_t>(std::find(parts.begin(), parts.end(), from.part) - parts.begin());
  while (page.records.size() < limit) {
    auto piece = co_await Query(operation, shard, from, until_unix_ns, limit - page.records.size());
    if (!piece) co_return std::move(piece.error());
    std::move(piece->records.begin(), piece->records.end(), std::back_inserter(page.records));
    if (piece->next) {
      from = std::move(*piece->next);
    } else if (++at < parts.size()) {
      from = DueCursor{};
      from.part = parts[at];
    } else {
      break;
    }
  }
  if (at < parts.size()) page.next = ToText(from);
  SortByDue(page.records);
  co_return std::move(page);
}

Task<Result<DueIndex::Piece>> DueIndex::Query(Operation& operation, DueShard shard, DueCursor from,
                                              uint64_t until_unix_ns, uint64_t limit) {
  std::string body =
      "{\"TableName\":\"" + config_.table + "\",\"IndexName\":\"" + kIndexName +
      "\",\"Limit\":" + std::to_string(limit) +
      ",\"KeyConditionExpression\":\"part = :p AND due <= :u\",\"ExpressionAttributeValues\":{\":p\":{\"N\":\"" +
      std::to_string(from.part) + "\"},\":u\":{\"N\":\"" + std::to_string(until_unix_ns) + "\"}}";
  if (!from.partition.empty()) {
    body += ",\"ExclusiveStartKey\":";
    AppendKey(body, from.partition, from.sort);
    body.pop_back();
    body += ",\"part\":{\"N\":\"" + std::to_string(from.part) + "\"},\"due\":{\"N\":\"" +
            std::to_string(from.due_unix_ns) + "\"}}";
  }
  body += '}';
  Answer answer = co_await dynamodb_.Read(operation, "Query", body);
  if (!answer.ok()) co_return std::move(answer.failure.error);
  Piece piece;
  for (const Json& item : answer.body.value("Items", Json::array())) {
    auto record = ParseIndexItem(item);
    if (!record) co_return std::move(record.error());
    if (shard.Has(*record)) piece.records.push_back(std::move(*record));
  }
  if (const auto last = answer.body.find("LastEvaluatedKey"); last != answer.body.end()) {
    auto record = ParseIndexItem(*last);
    if (!record) co_return std::move(record.error());
    piece.next = DueCursor{from.part, std::move(record->partition), std::move(record->sort), record->due_unix_ns};
  }
  co_return std::move(piece);
}

}  // namespace teal::aws
