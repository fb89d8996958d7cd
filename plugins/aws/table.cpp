#include "plugins/aws/table.hpp"

#include <algorithm>

#include "plugins/aws/backoff.hpp"
#include "plugins/aws/records.hpp"

namespace teal::aws {
namespace {

constexpr uint64_t kPollNs = 500'000'000;

Json KeySchema(const char* hash, const char* range) {
  return Json::array(
      {{{"AttributeName", hash}, {"KeyType", "HASH"}}, {{"AttributeName", range}, {"KeyType", "RANGE"}}});
}

std::string CreateBody(const Config& config) {
  const auto attribute = [](const char* name, const char* type) {
    return Json{{"AttributeName", name}, {"AttributeType", type}};
  };
  const Json index = {{"IndexName", kIndexName},
                      {"KeySchema", KeySchema("part", "due")},
                      {"Projection", {{"ProjectionType", "KEYS_ONLY"}}}};
  return Json{{"TableName", config.table},
              {"BillingMode", "PAY_PER_REQUEST"},
              {"AttributeDefinitions", Json::array({attribute("pk", "B"), attribute("sk", "B"), attribute("part", "N"),
                                                    attribute("due", "N")})},
              {"KeySchema", KeySchema("pk", "sk")},
              {"GlobalSecondaryIndexes", Json::array({index})}}
      .dump();
}

std::string Text(const Json& object, const char* key) {
  const auto at = object.is_object() ? object.find(key) : object.end();
  return at != object.end() && at->is_string() ? at->get<std::string>() : std::string();
}

// The type of an attribute: "B", "N", "S", or "" if the table does not define it.
std::string TypeOf(const Json& table, const std::string& name) {
  for (const Json& attribute : table.value("AttributeDefinitions", Json::array())) {
    if (Text(attribute, "AttributeName") == name) return Text(attribute, "AttributeType");
  }
  return {};
}

// "pk HASH, sk RANGE" in words for messages and for comparing.
std::string Shape(const Json& owner, const Json& table) {
  std::string out;
  for (const Json& key : owner.value("KeySchema", Json::array())) {
    const std::string name = Text(key, "AttributeName");
    out += (out.empty() ? "" : ", ") + name + " " + TypeOf(table, name) + " " + Text(key, "KeyType");
  }
  return out;
}

std::optional<Error> WrongShape(const Json& table, const Config& config) {
  const std::string head = "the table " + config.table + " has another shape: ";
  const std::string wanted = "pk B HASH, sk B RANGE";
  if (const std::string shape = Shape(table, table); shape != wanted) {
    return Error{TEAL_INVALID, head + "its key is (" + shape + "), not (" + wanted + "); name another table"};
  }
  const Json indexes = table.value("GlobalSecondaryIndexes", Json::array());
  const auto index =
      std::find_if(indexes.begin(), indexes.end(), [](const Json& i) { return Text(i, "IndexName") == kIndexName; });
  const std::string index_wanted = "part N HASH, due N RANGE";
  if (index == indexes.end()) {
    return Error{TEAL_INVALID,
                 head + "it lacks the global index \"" + kIndexName + "\" with the key (" + index_wanted + ")"};
  }
  if (const std::string shape = Shape(*index, table); shape != index_wanted) {
    return Error{TEAL_INVALID,
                 head + "the key of its index \"" + kIndexName + "\" is (" + shape + "), not (" + index_wanted + ")"};
  }
  return std::nullopt;
}

bool Active(const Json& table) {
  if (Text(table, "TableStatus") == "CREATING") return false;
  const Json indexes = table.value("GlobalSecondaryIndexes", Json::array());
  return std::none_of(indexes.begin(), indexes.end(), [](const Json& index) {
    return Text(index, "IndexName") == kIndexName &&
           (Text(index, "IndexStatus") == "CREATING" || index.value("Backfilling", false));
  });
}

// Racing creators: the one that comes second finds the table in use, which is as good.
Task<Status> Create(Operation& operation, DynamoDb& dynamodb, const Config& config) {
  const std::string body = CreateBody(config);
  Backoff backoff(config.attempts);
  for (;;) {
    Answer answer = co_await dynamodb.Once(operation, "CreateTable", body);
    const bool in_use = Text(answer.body, "__type").ends_with("ResourceInUseException");
    if (answer.ok() || in_use) co_return Nothing{};
    const bool again = co_await backoff.Again(operation, answer.failure);
    if (!again) co_return std::move(answer.failure.error);
  }
}

Task<Result<TableFacts>> Expiry(Operation& operation, DynamoDb& dynamodb, const Config& config) {
  const std::string name = Json{{"TableName", config.table}}.dump();
  Answer answer = co_await dynamodb.Read(operation, "DescribeTimeToLive", name);
  if (!answer.ok()) co_return std::move(answer.failure.error);
  const Json facts = answer.body.value("TimeToLiveDescription", Json::object());
  const std::string state = Text(facts, "TimeToLiveStatus");
  if (state == "ENABLED" || state == "ENABLING") {
    if (Text(facts, "AttributeName") == "ttl") co_return TableFacts{true};
    co_return Error{TEAL_INVALID, "the table " + config.table +
                                      " has another shape: its time to live is on the attribute \"" +
                                      Text(facts, "AttributeName") + "\", not \"ttl\""};
  }
  if (!config.create_table) co_return TableFacts{false};
  const std::string body =
      Json{{"TableName", config.table}, {"TimeToLiveSpecification", {{"Enabled", true}, {"AttributeName", "ttl"}}}}
          .dump();
  // Once a change of it within an hour is all that DynamoDB takes; another creator may have been first.
  answer = co_await dynamodb.Once(operation, "UpdateTimeToLive", body);
  if (answer.ok() || Text(answer.body, "__type").ends_with("ValidationException")) co_return TableFacts{true};
  co_return std::move(answer.failure.error);
}

}  // namespace

Task<Result<TableFacts>> PrepareTable(Operation& operation, DynamoDb& dynamodb, const Config& config) {
  const std::string name = Json{{"TableName", config.table}}.dump();
  bool created = false;
  for (;;) {
    Answer answer = co_await dynamodb.Read(operation, "DescribeTable", name);
    if (answer.failure.trouble == Trouble::kNoTable && config.create_table) {
      if (!created) {
        Status made = co_await Create(operation, dynamodb, config);
        if (!made) co_return std::move(made.error());
        created = true;
      }
    } else if (!answer.ok()) {
      co_return std::move(answer.failure.error);
    } else {
      const Json table = answer.body.value("Table", Json::object());
      if (auto wrong = WrongShape(table, config)) co_return std::move(*wrong);
      if (Active(table)) break;
    }
    co_await Sleep(operation, kPollNs);
    if (operation.Stopped()) {
      co_return Error{TEAL_TIMEOUT, "the table " + config.table + " is still being made; try again in a minute"};
    }
  }
  co_return co_await Expiry(operation, dynamodb, config);
}

}  // namespace teal::aws
