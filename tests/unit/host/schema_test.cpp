#include "core/host/schema.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace teal::host {
namespace {

constexpr const char* kSchema = R"({
  "type": "object",
  "properties": {
    "data_dir": {"type": "string", "description": "where the records are kept"},
    "sync": {"type": "string", "enum": ["always", "never"], "default": "always"},
    "cache_mib": {"type": "integer", "minimum": 1, "maximum": 1024, "default": 64},
    "table": {"type": "string", "pattern": "^[a-z]+$"},
    "retry": {"type": "object", "properties": {"times": {"type": "integer", "default": 3}}},
    "hosts": {"type": "array", "items": {"type": "object", "properties": {"port": {"type": "integer"}}}}
  },
  "required": ["data_dir"],
  "additionalProperties": false
})";

std::string Check(const std::string& config, const std::string& schema = kSchema) {
  const Result<std::string> result = ValidateConfig(schema, config, "backends.x");
  return result ? result.value() : result.failure().message;
}

TEST(Schema, FillsInDefaults) {
  EXPECT_EQ(Check(R"({"data_dir": "d", "retry": {}})"),
            R"({"cache_mib":64,"data_dir":"d","retry":{"times":3},"sync":"always"})");
  EXPECT_EQ(Check(R"({"data_dir": "d", "sync": "never", "cache_mib": 1})"),
            R"({"cache_mib":1,"data_dir":"d","sync":"never"})");
}

TEST(Schema, SaysWhatIsWrongAndWhere) {
  EXPECT_EQ(Check("{}"), "backends.x.data_dir: is missing: where the records are kept");
  EXPECT_EQ(Check(R"({"data_dir": "d", "cach_mib": 3})"),
            "backends.x.cach_mib: there is no such key; did you mean cache_mib?");
  EXPECT_EQ(Check(R"({"data_dir": "d", "zzz": 3})"),
            "backends.x.zzz: there is no such key; known are: cache_mib, data_dir, hosts, retry, sync, table");
  EXPECT_EQ(Check(R"({"data_dir": 7})"), "backends.x.data_dir: must be of type \"string\", and is 7");
  EXPECT_EQ(Check(R"({"data_dir": "d", "cache_mib": 1.5})"),
            "backends.x.cache_mib: must be of type \"integer\", and is 1.5");
  EXPECT_EQ(Check(R"({"data_dir": "d", "sync": "maybe"})"),
            "backends.x.sync: must be one of \"always\", \"never\", and is \"maybe\"");
  EXPECT_EQ(Check(R"({"data_dir": "d", "table": "A1"})"), "backends.x.table: must match \"^[a-z]+$\", and is \"A1\"");
  EXPECT_EQ(
      Check(R"({"data_dir": "d", "cache_mib": 0})").rfind("backends.x.cache_mib: Expected number greater than", 0), 0U)
      << Check(R"({"data_dir": "d", "cache_mib": 0})");
  EXPECT_EQ(Check(R"({"data_dir": "d", "retry": {"time": 1}})"),
            "backends.x.retry.time: there is no such key; did you mean times?");
  EXPECT_EQ(Check(R"({"data_dir": "d", "hosts": [{"port": 1}, {"port": "x"}]})"),
            "backends.x.hosts[1].port: must be of type \"integer\", and is \"x\"");
}

TEST(Schema, SaysAllThatIsWrong) {
  const std::string all = Check(R"({"table": 1, "retry": {"times": "x"}})");
  EXPECT_NE(all.find("backends.x.retry.times: must be of type \"integer\", and is \"x\""), std::string::npos) << all;
  EXPECT_NE(all.find("backends.x.data_dir: is missing"), std::string::npos) << all;
  EXPECT_NE(all.find("backends.x.table: must be of type \"string\", and is 1"), std::string::npos) << all;
  EXPECT_EQ(std::count(all.begin(), all.end(), '\n'), 2) << all;
}

TEST(Schema, BadConfigIsNoCrash) {
  EXPECT_EQ(Check("{\"a\":").rfind("backends.x: line 1, column 6: ", 0), 0U) << Check("{\"a\":");
  EXPECT_EQ(Check("[]"), "backends.x: must be of type \"object\", and is []");
  EXPECT_EQ(Check(R"({"data_dir": ")" + std::string(10'000, 'a') + "\"}"),
            "backends.x: has a string longer than 8 KiB");
}

TEST(Schema, IsHeldToTheDraft) {
  const auto why = [](const char* schema) {
    const Status status = CheckSchema(schema);
    return status ? "(none)" : status.failure().message;
  };
  EXPECT_EQ(why(kSchema), "(none)");
  EXPECT_EQ(why(R"({"type": "object", "propertys": {}})"),
            "the schema: #/propertys is no keyword of JSON Schema draft 7; did you mean properties?");
  EXPECT_EQ(why(R"({"type": "object", "properties": {"a": {"$ref": "http://x/y"}}})"),
            "the schema: #/properties/a/$ref must point into this document: \"#/definitions/…\"");
  EXPECT_EQ(why(R"({"properties": {"a": 3}})"),
            "the schema: #/properties/a must be a schema, an object, and is an integer");
  EXPECT_NE(why(R"({"type": "objekt"})"), "(none)");
  EXPECT_EQ(
      Check(
          R"({"a": 1})",
          R"({"type":"object","properties":{"a":{"$ref":"#/definitions/n"}},"definitions":{"n":{"type":"integer"}}})"),
      R"({"a":1})");
  EXPECT_NE(Check(R"({"a": "x"})", R"({"type":"object","properties":{"a":{"type":"string","pattern":"("}}})")
                .find("the schema"),
            std::string::npos);
}

}  // namespace
}  // namespace teal::host
