#include "plugins/aws/reads.hpp"

#include <algorithm>
#include <map>

#include "plugins/aws/backoff.hpp"
#include "plugins/aws/cursor.hpp"

namespace teal::aws {
namespace {

constexpr std::size_t kLoadsAtOnce = 8;

using KeyView = std::pair<std::string_view, std::string_view>;

KeyView ViewOf(const teal_key& key) {
  return {View(key.partition), View(key.sort)};
}

// The items of one answer, appended. The first that is none of ours is an error.
std::optional<Error> TakeItems(const Json& items, std::vector<StoredRecord>& out) {
  for (const Json& item : items) {
    auto record = ParseItem(item);
    if (!record) return std::move(record.error());
    out.push_back(std::move(*record));
  }
  return std::nullopt;
}

}  // namespace

Task<Result<Page>> Reads::Get(Operation& operation, std::span<const teal_key> keys) {
  Page page;
  if (keys.size() == 1) {
    const KeyView key = ViewOf(keys[0]);
    auto record = co_await values_.Read(operation, key.first, key.second);
    if (!record) co_return std::move(record.error());
    if (*record) page.records.push_back(std::move(**record));
    co_return std::move(page);
  }
  auto found = co_await Batch(operation, keys);
  if (!found) co_return std::move(found.error());
  std::optional<Error> failure = co_await LoadAll(operation, *found);
  if (failure) co_return std::move(*failure);
  std::map<KeyView, StoredRecord*> by_key;
  for (StoredRecord& record : *found) by_key[{record.partition, record.sort}] = &record;
  for (const teal_key& key : keys) {  // an answer has them in any order (MEM-16)
    const auto at = by_key.find(ViewOf(key));
    if (at != by_key.end()) page.records.push_back(*at->second);
  }
  co_return std::move(page);
}

// BatchGetItem gives what fits into 16 MB and the rate; the rest is asked for again, with a pause.
Task<Result<std::vector<StoredRecord>>> Reads::Batch(Operation& operation, std::span<const teal_key> keys) {
  std::string wanted;
  for (const teal_key& key : keys) {
    if (!wanted.empty()) wanted += ',';
    const KeyView view = ViewOf(key);
    AppendKey(wanted, view.first, view.second);
  }
  const std::string head = "{\"RequestItems\":{\"" + config_.table + "\":{\"ConsistentRead\":true,\"Keys\":";
  std::string list = "[" + wanted + "]";
  std::vector<StoredRecord> records;
  Backoff backoff(config_.attempts);
  for (;;) {
    const std::string body = head + list + "}}}";
    const std::size_t had = records.size();
    Answer answer = co_await dynamodb_.Read(operation, "BatchGetItem", body);
    if (!answer.ok()) co_return std::move(answer.failure.error);
    const Json tables = answer.body.value("Responses", Json::object());
    const auto items = tables.find(config_.table);
    if (items != tables.end()) {
      if (auto failure = TakeItems(*items, records)) co_return std::move(*failure);
    }
    const Json left = answer.body.value("UnprocessedKeys", Json::object());
    const auto rest = left.find(config_.table);
    if (rest == left.end() || !rest->is_object() || !rest->contains("Keys") || (*rest)["Keys"].empty()) {
      co_return std::move(records);
    }
    list = (*rest)["Keys"].dump();
    if (records.size() != had) {  // it goes on
      backoff = Backoff(config_.attempts);
      continue;
    }
    const ServiceError throttled{Trouble::kThrottled,
                                 {TEAL_THROTTLED, "dynamodb:BatchGetItem is throttled; raise the table's capacity",
                                  TEAL_NOT_APPLIED, backoff.next_ns()},
                                 0};
    const bool again = co_await backoff.Again(operation, throttled);
    if (!again && operation.Stopped()) co_return operation.WhyStopped();
    if (!again) co_return throttled.error;
  }
}

Task<std::optional<Error>> Reads::LoadAll(Operation& operation, std::vector<StoredRecord>& records) {
  std::vector<std::size_t> spilled;
  for (std::size_t i = 0; i < records.size(); ++i) {
    if (records[i].spilled) spilled.push_back(i);
  }
  std::optional<Error> failure;
  std::vector<bool> gone(records.size());
  const auto load = [&](std::size_t n) -> Task<bool> {  // lives as long as the ForEach below
    const std::size_t i = spilled[n];
    auto loaded = co_await values_.Load(operation, records[i]);
    if (!loaded) {
      failure = std::move(loaded.error());
      co_return false;
    }
    gone[i] = !loaded->has_value();
    if (*loaded) records[i] = std::move(**loaded);
    co_return true;
  };
  co_await ForEach(spilled.size(), kLoadsAtOnce, std::ref(load));
  std::size_t i = 0;
  std::erase_if(records, [&](const StoredRecord&) { return gone[i++]; });
  co_return failure;
}

Task<Result<Page>> Reads::Scan(Operation& operation, std::string_view partition, std::string_view prefix,
                               uint64_t limit, std::string_view cursor) {
  std::string body = "{\"TableName\":\"" + config_.table +
                     "\",\"ConsistentRead\":true,\"Limit\":" + std::to_string(std::min(limit, kScanRecordsMax)) +
                     ",\"KeyConditionExpression\":\"pk = :p" + (prefix.empty() ? "" : " AND begins_with(sk, :s)") +
                     "\",\"ExpressionAttributeValues\":{\":p\":{\"B\":\"";
  AppendBase64(body, partition);
  if (!prefix.empty()) {
    body += "\"},\":s\":{\"B\":\"";
    AppendBase64(body, prefix);
  }
  body += "\"}}";
  if (!cursor.empty()) {
    const auto last = ParseScanCursor(cursor);
    if (!last || !last->starts_with(prefix)) co_return WrongCursor();
    body += ",\"ExclusiveStartKey\":";
    AppendKey(body, partition, *last);
  }
  body += '}';
  Answer answer = co_await dynamodb_.Read(operation, "Query", body);
  if (!answer.ok()) co_return std::move(answer.failure.error);
  Page page;
  if (auto failure = TakeItems(answer.body.value("Items", Json::array()), page.records)) co_return std::move(*failure);
  if (const auto last = answer.body.find("LastEvaluatedKey"); last != answer.body.end()) {
    const auto sort = BinaryOf(*last, "sk");
    if (!sort) co_return Error{TEAL_INTERNAL, "dynamodb:Query: the answer's LastEvaluatedKey has no sort key"};
    page.next = ScanCursor(*sort);
  }
  std::optional<Error> failure = co_await LoadAll(operation, page.records);
  if (failure) co_return std::move(*failure);
  co_return std::move(page);
}

}  // namespace teal::aws
