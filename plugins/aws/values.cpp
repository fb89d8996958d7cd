#include "plugins/aws/values.hpp"

namespace teal::aws {
namespace {

constexpr int kMovesMax = 16;  // times a record may be replaced while its value is fetched

}  // namespace

std::string Values::ObjectKey(const teal_version& version, std::string_view partition, std::string_view sort) const {
  std::string key(1, static_cast<char>(partition.size() >> 8));
  key += static_cast<char>(partition.size() & 255);
  key.append(partition).append(sort);
  return config_.bucket_prefix + "values/" + Hex(AsText(version)) + "-" + Hex(AsText(Sha256(key)).substr(0, 8));
}

Task<Status> Values::Put(Operation& operation, const teal_op& op, const teal_version& version, Spilled& out) {
  out.size = op.value.size;
  out.digest = Sha256(View(op.value));
  co_return co_await s3_->Put(operation, ObjectKey(version, View(op.key.partition), View(op.key.sort)), View(op.value),
                              false);
}

Task<bool> Values::Remove(Operation& operation, const StoredRecord& record) {
  if (!record.spilled || s3_ == nullptr) co_return true;
  co_return co_await Remove(operation, ObjectKey(record.version, record.partition, record.sort));
}

Task<bool> Values::Remove(Operation& operation, std::string object) {
  Status removed = co_await s3_->Delete(operation, object);
  if (removed) co_return true;
  operation.context().Log(TEAL_LOG_WARNING, "the object " + object + " is left over: " + removed.error().message);
  co_return false;
}

Task<Result<std::optional<StoredRecord>>> Values::ReadItem(Operation& operation, std::string_view partition,
                                                           std::string_view sort) {
  std::string body = "{\"TableName\":\"" + config_.table + "\",\"ConsistentRead\":true,\"Key\":";
  AppendKey(body, partition, sort);
  body += '}';
  Answer answer = co_await dynamodb_.Read(operation, "GetItem", body);
  if (!answer.ok()) co_return std::move(answer.failure.error);
  const auto item = answer.body.find("Item");
  if (item == answer.body.end()) co_return std::optional<StoredRecord>();
  auto record = ParseItem(*item);
  if (!record) co_return std::move(record.error());
  co_return std::optional<StoredRecord>(std::move(*record));
}

Task<Result<std::optional<StoredRecord>>> Values::Read(Operation& operation, std::string_view partition,
                                                       std::string_view sort) {
  auto record = co_await ReadItem(operation, partition, sort);
  if (!record || !*record || !(*record)->spilled) co_return std::move(record);
  co_return co_await Load(operation, std::move(**record));
}

Task<Result<std::optional<StoredRecord>>> Values::Load(Operation& operation, StoredRecord record) {
  for (int moves = 0; moves < kMovesMax; ++moves) {
    if (!record.spilled) co_return std::optional<StoredRecord>(std::move(record));
    if (s3_ == nullptr) {
      co_return Error{TEAL_INVALID, "a value of this table is in S3: give the `bucket` it was written to"};
    }
    const std::string object = ObjectKey(record.version, record.partition, record.sort);
    auto value = co_await s3_->Get(operation, object, 0, record.spilled->size + 1);
    const bool missing = !value && value.error().code == TEAL_NOT_FOUND;
    if (!value && !missing) co_return std::move(value.error());
    if (!missing) {
      if (value->size() != record.spilled->size || Sha256(*value) != record.spilled->digest) {
        co_return Error{TEAL_CORRUPT,
                        "the object " + object + " is not what was written; restore it from its versions"};
      }
      record.value = std::move(*value);
      co_return std::optional<StoredRecord>(std::move(record));
    }
    auto now = co_await ReadItem(operation, record.partition, record.sort);
    if (!now) co_return std::move(now.error());
    if (!*now) co_return std::optional<StoredRecord>();
    if (SameVersion((*now)->version, record.version)) {
      co_return Error{TEAL_CORRUPT, "the object " + object + " of a record is gone; restore it from its versions"};
    }
    record = std::move(**now);
  }
  co_return Error{TEAL_THROTTLED, "a record was replaced faster than its value in S3 could be fetched",
                  TEAL_NOT_APPLIED, 100'000'000};
}

}  // namespace teal::aws
