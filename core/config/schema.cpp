#include "core/config/schema.h"

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <regex>

namespace teal::config {
namespace {

using host::Json;

const Json* Find(const Json& schema, const char* keyword) {
  const auto found = schema.find(keyword);
  return found == schema.end() ? nullptr : &*found;
}

bool IsOfType(Kind kind, const std::string& type) {
  switch (kind) {
    case Kind::kNull:
      return type == "null";
    case Kind::kBoolean:
      return type == "boolean";
    case Kind::kInteger:
      return type == "integer" || type == "number";
    case Kind::kNumber:
      return type == "number";
    case Kind::kString:
      return type == "string";
    case Kind::kList:
      return type == "array";
    case Kind::kMap:
      return type == "object";
  }
  return false;
}

bool Admits(const Json& schema, Kind kind) {
  const Json* const type = Find(schema, "type");
  if (type == nullptr) return true;
  if (type->is_string()) return IsOfType(kind, type->get_ref<const std::string&>());
  return std::any_of(type->begin(), type->end(),
                     [&](const Json& one) { return IsOfType(kind, one.get_ref<const std::string&>()); });
}

std::string Number(const Json& number) {
  return host::ToText(number);
}

// What a value of this schema is, for "KEY is …".
std::string WhatIs(const Json& schema) {
  if (const Json* const title = Find(schema, "title")) return title->get<std::string>();
  const Json* const minimum = Find(schema, "minimum");
  const Json* const maximum = Find(schema, "maximum");
  if (minimum != nullptr && maximum != nullptr) {
    return "a whole number from " + Number(*minimum) + " to " + Number(*maximum);
  }
  if (const Json* const values = Find(schema, "enum")) {
    std::string all;
    for (const Json& value : *values) all += (all.empty() ? "one of " : ", ") + value.get<std::string>();
    return all;
  }
  const Json* const type = Find(schema, "type");
  const std::string name = type != nullptr && type->is_string() ? type->get<std::string>() : "";
  if (name == "object") return "a mapping";
  if (name == "array") return "a list";
  if (name == "boolean") return "true or false";
  if (name == "string") return "a string";
  return "of another kind";
}

std::string HintOf(const Json& schema, const std::string& key) {
  if (const Json* const examples = Find(schema, "examples")) {
    const Json& example = examples->front();
    const std::string text = example.is_string() ? example.get<std::string>() : host::ToText(example);
    return key.empty() ? "begin, for example, with " + text : "write, for example, " + key + ": " + text;
  }
  if (const Json* const values = Find(schema, "enum")) {
    return "write, for example, " + key + ": " + values->front().get<std::string>();
  }
  if (Admits(schema, Kind::kMap)) return "write its keys below " + key + ", one a line";
  if (Admits(schema, Kind::kList)) return "write the items below " + key + ", each after a dash";
  if (Admits(schema, Kind::kBoolean) && !Admits(schema, Kind::kString)) return "write " + key + ": true";
  return "write " + key + ": text";
}

class Checker {
 public:
  Checker(const Json& schema, std::vector<Error>* errors) : root_(schema), errors_(errors) {}

  // `key`: under which the value stands; empty for the file.
  void Check(const Node& node, const Json& at, const std::string& key) {
    if (errors_->size() >= kErrorsMax) return;
    const Json* schema = &Follow(at);
    if (const Json* const branches = Find(*schema, "oneOf")) {
      const auto branch = std::find_if(branches->begin(), branches->end(),
                                       [&](const Json& one) { return Admits(Follow(one), node.kind); });
      if (branch == branches->end()) return Refuse(node, *schema, key);
      return Check(node, *branch, key);
    }
    if (!Admits(*schema, node.kind) || !FitsScalar(node, *schema)) return Refuse(node, *schema, key);
    if (node.kind == Kind::kMap) CheckMap(node, *schema, key);
    if (node.kind == Kind::kList) CheckList(node, *schema, key);
  }

 private:
  const Json& Follow(const Json& schema) const {
    const Json* at = &schema;
    while (const Json* const ref = Find(*at, "$ref")) {
      at = &root_.at(Json::json_pointer(ref->get_ref<const std::string&>().substr(1)));
    }
    return *at;
  }

  void Refuse(const Node& node, const Json& schema, const std::string& key) {
    const std::string name = key.empty() ? "the file" : key;
    errors_->push_back(ErrorAt(node.place, name + " is " + WhatIs(schema), HintOf(schema, key)));
  }

  bool FitsScalar(const Node& node, const Json& schema) {
    if (!node.IsScalar()) return true;
    if (const Json* const values = Find(schema, "enum")) {
      if (std::none_of(values->begin(), values->end(), [&](const Json& value) { return value == node.text; })) {
        return false;
      }
    }
    if (node.kind == Kind::kInteger || node.kind == Kind::kNumber) {
      const Json value = ToJson(node);
      const Json* const minimum = Find(schema, "minimum");
      const Json* const maximum = Find(schema, "maximum");
      if ((minimum != nullptr && value < *minimum) || (maximum != nullptr && value > *maximum)) return false;
    }
    const Json* const pattern = Find(schema, "pattern");
    if (pattern == nullptr || node.kind != Kind::kString) return true;
    return node.text.size() <= kPatternSubjectBytesMax &&
           std::regex_search(node.text, std::regex(pattern->get_ref<const std::string&>()));
  }

  void CheckMap(const Node& node, const Json& schema, const std::string& key) {
    const Json* const properties = Find(schema, "properties");
    const Json* const others = Find(schema, "additionalProperties");
    for (const Entry& entry : node.entries) {
      if (errors_->size() >= kErrorsMax) return;
      const Json* const known = properties == nullptr ? nullptr : Find(*properties, entry.key.c_str());
      if (known != nullptr) {
        Check(entry.value, *known, entry.key);
      } else if (others != nullptr && others->is_object()) {
        Check(entry.value, *others, entry.key);
      } else if (others != nullptr && !others->get<bool>()) {
        std::vector<std::string> names;
        for (const auto& [name, unused] : properties->items()) names.push_back(name);
        errors_->push_back(UnknownName(entry.place, "key", entry.key, names));
      }
    }
    const Json* const least = Find(schema, "minProperties");
    const Json* const most = Find(schema, "maxProperties");
    if ((least != nullptr && node.entries.size() < least->get<size_t>()) ||
        (most != nullptr && node.entries.size() > most->get<size_t>())) {
      Refuse(node, schema, key);
    }
    const Json* const required = Find(schema, "required");
    if (required == nullptr) return;
    for (const Json& name : *required) {
      const std::string wanted = name.get<std::string>();
      if (node.Find(wanted) != nullptr) continue;
      const std::string what = Follow(properties->at(wanted)).value("title", "a value");
      const std::string told = properties->at(wanted).value("description", what);
      errors_->push_back(ErrorAt(node.place, key + " needs the key `" + wanted + "`: " + told,
                                 "write " + wanted + ": … below " + key));
    }
  }

  void CheckList(const Node& node, const Json& schema, const std::string& key) {
    if (const Json* const least = Find(schema, "minItems"); least != nullptr && node.items.size() < *least) {
      return Refuse(node, schema, key);
    }
    const Json* const items = Find(schema, "items");
    if (items == nullptr) return;
    for (const Node& item : node.items) Check(item, *items, "an item of " + key);
  }

  const Json& root_;
  std::vector<Error>* const errors_;
};

}  // namespace

const Json& ProjectSchema() {
  static const Json schema = Json::parse(kSchemaText);
  return schema;
}

std::vector<Error> CheckSchema(const Node& root, const Json& schema) {
  std::vector<Error> errors;
  Checker(schema, &errors).Check(root, schema, "");
  return errors;
}

Error UnknownName(const Place& place, const std::string& what, const std::string& name,
                  const std::vector<std::string>& known) {
  const std::string nearest = host::NearestName(name, known);
  std::string all;
  for (const std::string& one : known) all += (all.empty() ? "" : ", ") + one;
  return ErrorAt(place,
                 "unknown " + what + " `" + name + "`" + (nearest.empty() ? "" : ": did you mean `" + nearest + "`?"),
                 all.empty() ? "there is none here" : "known here: " + all);
}

Json ToJson(const Node& node) {
  switch (node.kind) {
    case Kind::kNull:
      return nullptr;
    case Kind::kBoolean:
      return node.text[0] == 't' || node.text[0] == 'T';
    case Kind::kInteger: {
      int64_t value = 0;
      const char* const begin = node.text.data() + (node.text[0] == '+' ? 1 : 0);
      std::from_chars(begin, node.text.data() + node.text.size(), value);
      return value;
    }
    case Kind::kNumber: {
      double value = 0;
      const char* const begin = node.text.data() + (node.text[0] == '+' ? 1 : 0);
      std::from_chars(begin, node.text.data() + node.text.size(), value);
      return value;
    }
    case Kind::kString:
      return node.text;
    case Kind::kList: {
      Json list = Json::array();
      for (const Node& item : node.items) list.push_back(ToJson(item));
      return list;
    }
    case Kind::kMap: {
      Json map = Json::object();
      for (const Entry& entry : node.entries) map[entry.key] = ToJson(entry.value);
      return map;
    }
  }
  return nullptr;
}

}  // namespace teal::config
