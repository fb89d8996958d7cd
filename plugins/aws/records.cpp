#include "plugins/aws/records.hpp"

#include <algorithm>
#include <charconv>
#include <cstring>

#include "plugins/common/memory_input.hpp"

namespace teal::aws {
namespace {

using Json = nlohmann::json;

constexpr std::size_t kCommitBytes = 16;  // of a version that name its commit

void AppendBinary(std::string& json, const char* name, std::string_view bytes) {
  json.append("\"").append(name).append("\":{\"B\":\"");
  AppendBase64(json, bytes);
  json.append("\"}");
}

void AppendNumber(std::string& json, const char* name, uint64_t number) {
  json.append(",\"").append(name).append("\":{\"N\":\"").append(std::to_string(number)).append("\"}");
}

const std::string* TextOf(const Json& item, const char* name, const char* type) {
  const auto attribute = item.find(name);
  if (attribute == item.end() || !attribute->is_object()) return nullptr;
  const auto value = attribute->find(type);
  return value != attribute->end() && value->is_string() ? &value->get_ref<const std::string&>() : nullptr;
}

// Absent is 0; what is no number of 64 bits sets `sound` to false.
uint64_t NumberOf(const Json& item, const char* name, bool& sound) {
  const std::string* const text = TextOf(item, name, "N");
  if (text == nullptr) {
    sound = sound && !item.contains(name);
    return 0;
  }
  uint64_t number = 0;
  const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), number);
  sound = sound && error == std::errc() && end == text->data() + text->size();
  return number;
}

Error Foreign() {
  return {TEAL_CORRUPT, "an item of the table is not one of Teal's; nothing else may write into this table"};
}

}  // namespace

teal_record StoredRecord::ToAbi() const {
  return {{Bytes(partition), Bytes(sort)}, Bytes(value), version, due_unix_ns, expires_unix_ns};
}

teal_version NewVersion(std::string_view idempotency_key) {
  teal_version version;
  RandomBytes(version.opaque, sizeof version.opaque);
  if (!idempotency_key.empty()) {
    const Sha256Digest digest = Sha256(idempotency_key);
    std::memcpy(version.opaque, digest.data(), kCommitBytes);
  }
  return WithSpilled(version, false);
}

teal_version WithSpilled(teal_version version, bool spilled) {
  version.opaque[sizeof version.opaque - 1] = spilled ? 1 : 0;
  return version;
}

bool HasSpilled(const teal_version& version) {
  return version.opaque[sizeof version.opaque - 1] == 1;
}

bool SameCommit(const teal_version& a, const teal_version& b) {
  return std::memcmp(a.opaque, b.opaque, kCommitBytes) == 0;
}

void AppendKey(std::string& json, std::string_view partition, std::string_view sort) {
  json += '{';
  AppendBinary(json, "pk", partition);
  json += ',';
  AppendBinary(json, "sk", sort);
  json += '}';
}

void AppendItem(std::string& json, const teal_op& op, const teal_version& version, const Spilled* spilled) {
  json += '{';
  AppendBinary(json, "pk", View(op.key.partition));
  json += ',';
  AppendBinary(json, "sk", View(op.key.sort));
  json += ',';
  AppendBinary(json, "ver", AsText(version));
  json += ',';
  if (spilled == nullptr) {
    AppendBinary(json, "val", View(op.value));
  } else {
    AppendBinary(json, "sum", AsText(spilled->digest));
    AppendNumber(json, "len", spilled->size);
  }
  if (op.due_unix_ns != 0) {
    AppendNumber(json, "due", op.due_unix_ns);
    AppendNumber(json, "part", plugin::ShardOf(View(op.key.partition), View(op.key.sort), kIndexParts));
  }
  if (op.expires_unix_ns != 0) {
    AppendNumber(json, "exp", op.expires_unix_ns);
    // Rounded up: the record is there before its time. (MEM-24)
    AppendNumber(json, "ttl", op.expires_unix_ns / 1'000'000'000 + (op.expires_unix_ns % 1'000'000'000 != 0));
  }
  json += '}';
}

void AppendCondition(std::string& json, const teal_op& op) {
  if (op.condition == TEAL_IF_ABSENT) json += ",\"ConditionExpression\":\"attribute_not_exists(pk)\"";
  if (op.condition != TEAL_IF_VERSION) return;
  json += ",\"ConditionExpression\":\"ver = :v\",\"ExpressionAttributeValues\":{";
  AppendBinary(json, ":v", AsText(op.expected));
  json += '}';
}

std::optional<std::string> BinaryOf(const Json& item, const char* name) {
  const std::string* const text = item.is_object() ? TextOf(item, name, "B") : nullptr;
  return text == nullptr ? std::nullopt : FromBase64(*text);
}

Result<StoredRecord> ParseIndexItem(const Json& item) {
  auto partition = BinaryOf(item, "pk");
  auto sort = BinaryOf(item, "sk");
  if (!partition || !sort || partition->empty() || sort->empty()) return Foreign();
  StoredRecord out;
  out.partition = std::move(*partition);
  out.sort = std::move(*sort);
  bool sound = true;
  out.due_unix_ns = NumberOf(item, "due", sound);
  if (!sound) return Foreign();
  return out;
}

Result<StoredRecord> ParseItem(const Json& item) {
  Result<StoredRecord> out = ParseIndexItem(item);
  if (!out) return out;
  const auto version = BinaryOf(item, "ver");
  if (!version || version->size() != sizeof out->version.opaque) return Foreign();
  std::memcpy(out->version.opaque, version->data(), version->size());
  bool sound = true;
  out->expires_unix_ns = NumberOf(item, "exp", sound);
  if (const auto digest = BinaryOf(item, "sum")) {
    Spilled spilled;
    spilled.size = NumberOf(item, "len", sound);
    if (digest->size() != spilled.digest.size()) return Foreign();
    std::copy(digest->begin(), digest->end(), spilled.digest.begin());
    out->spilled = spilled;
  } else if (auto value = BinaryOf(item, "val")) {
    out->value = std::move(*value);
  } else {
    return Foreign();
  }
  if (!sound) return Foreign();
  return out;
}

}  // namespace teal::aws
