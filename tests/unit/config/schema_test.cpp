#include "core/config/schema.h"

#include <gtest/gtest.h>

#include <fstream>
#include <set>
#include <sstream>

#include "core/host/schema.h"

namespace teal::config {
namespace {

using host::Json;

Node TreeOf(const std::string& text) {
  return std::get<Node>(ParseTree("teal.yaml", text));
}

// Every keyword of a schema must be one that the walk knows, or one that only people read.
void CheckKeywords(const Json& schema, const std::string& at) {
  static const std::set<std::string> known = {
      "$schema",  "$ref",          "oneOf",         "type",       "enum",
      "pattern",  "minimum",       "maximum",       "properties", "additionalProperties",
      "required", "minProperties", "maxProperties", "items",      "minItems",
      "title",    "examples",      "description",   "definitions"};
  if (schema.is_boolean()) return;
  for (const auto& [key, value] : schema.items()) {
    EXPECT_EQ(known.count(key), 1u) << at << "/" << key;
    if (key == "properties" || key == "definitions") {
      for (const auto& [name, one] : value.items()) CheckKeywords(one, at + "/" + name);
    } else if (key == "items" || key == "additionalProperties") {
      CheckKeywords(value, at + "/" + key);
    } else if (key == "oneOf") {
      for (const Json& one : value) CheckKeywords(one, at + "/oneOf");
    }
  }
}

TEST(Schema, IsASchemaOfKnownKeywords) {
  const Status checked = host::CheckSchema(kSchemaText);
  EXPECT_TRUE(checked.ok()) << (checked.ok() ? "" : checked.failure().message);
  CheckKeywords(ProjectSchema(), "#");
}

TEST(Schema, EveryPropertyIsDescribed) {
  const Json& schema = ProjectSchema();
  for (const auto& [name, one] : schema["properties"].items()) EXPECT_TRUE(one.contains("description")) << name;
}

// Valijson is what editors stand for here.
TEST(Schema, MeansTheSameToValijson) {
  const char* const cases[] = {
      "name: a\n",
      "name: [a]\n",
      "nme: a\n",
      "limits: {steps: 5, cancel_grace: 2m}\n",
      "limits: {steps: 0}\n",
      "limits: {steps: 1.5}\n",
      "limits: {cancel_grace: 2 m}\n",
      "limits: {cancel_grace: -2}\n",
      "limits: {cancel_grace: 2}\n",
      "limits:\n",
      "python: {version: \"3.12\"}\n",
      "python: {version: \"4\"}\n",
      "retention: 7d\n",
      "retention: {sessions: 7d, events: 30d}\n",
      "retention: [7d]\n",
      "functions: {f: {timeout: 2m, memory: 1024, events: [http: GET /a, s3: uploads, schedule: rate(5 minutes)]}}\n",
      "functions: {f: {events: [http: {path: /a, methods: GET, cors: true}]}}\n",
      "functions: {f: {events: [http: {path: /a, methods: [GET, 5]}]}}\n",
      "functions: {f: {events: [http: {path: /a, methods: []}]}}\n",
      "functions: {f: {events: [{}]}}\n",
      "functions: {f: {events: [{http: GET /, s3: uploads}]}}\n",
      "functions: {f: {events: [s3: {bucket: uploads, events: [s3:ObjectCreated:*], rules: [{prefix: a}]}]}}\n",
      "functions: {f: {events: [s3: {events: [s3:ObjectCreated:*]}]}}\n",
      "functions: {f: {events: [s3: {bucket: Up, event: s3:ObjectCreated:Put}]}}\n",
      "functions: {f: {events: [s3: {bucket: up, event: s3:ObjectCreate:Put}]}}\n",
      "functions: {f: {events: [schedule: {cron: \"0 3 * * *\", catchup: all(5), overlap: skip, jitter: 30s}]}}\n",
      "functions: {f: {events: [schedule: {cron: \"0 3 * * *\", catchup: all(0)}]}}\n",
      "backends: {local: {memory: {kind: rocksdb, path: x}}, other: {a: [1]}}\n",
      "backends: {local: {memory: {path: x}}}\n",
      "backends: {other: 5}\n",
      "secrets: {a: {env: A}, b: {file: b}, c: {command: [pass, show, c]}}\n",
      "secrets: {a: {env: A, file: b}}\n",
      "secrets: {a: {command: pass show c}}\n",
      "secrets: {a: {command: []}}\n",
      "on_end: [{webhook: x}, {queue: y}, {sns: z}]\n",
      "on_end: [{webhok: x}]\n",
      "env: {A: 1, B: true, C: text}\n",
      "env: {A: {}}\n",
      "encryption: {}\n",
  };
  int refused = 0;
  for (const char* const text : cases) {
    const Node tree = TreeOf(text);
    const bool fine = CheckSchema(tree, ProjectSchema()).empty();
    refused += fine ? 0 : 1;
    const Result<std::string> other = host::ValidateConfig(kSchemaText, host::ToText(ToJson(tree)), "");
    EXPECT_EQ(fine, other.ok()) << text << (other.ok() ? "" : other.failure().message);
  }
  EXPECT_EQ(refused, 25);
}

// docs/configuration.md has a row for each key of each section: | `key` | description |.
TEST(Schema, IsWhatTheDocumentSays) {
  std::ifstream in(TEAL_SOURCE_DIR "/docs/configuration.md");
  std::stringstream text;
  text << in.rdbuf();
  const std::string document = text.str();
  size_t rows = 0;
  const auto look = [&](const Json& schema, const std::string& place) {
    for (const auto& [key, one] : schema["properties"].items()) {
      const std::string row = "| `" + key + "` | " + one.value("description", "") + " |\n";
      EXPECT_NE(document.find(row), std::string::npos) << place << ": " << row;
      ++rows;
    }
  };
  const Json& schema = ProjectSchema();
  look(schema, "top");
  for (const auto& [name, one] : schema["definitions"].items()) {
    if (one.contains("properties")) look(one, name);
    if (!one.contains("oneOf")) continue;
    for (const Json& branch : one["oneOf"]) {
      if (branch.contains("properties")) look(branch, name);
    }
  }
  size_t in_document = 0;
  for (size_t at = document.find("\n| `"); at != std::string::npos; at = document.find("\n| `", at + 1)) ++in_document;
  EXPECT_EQ(in_document, rows);
}

}  // namespace
}  // namespace teal::config
