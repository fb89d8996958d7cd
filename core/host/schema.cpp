#include "core/host/schema.h"

#define VALIJSON_USE_EXCEPTIONS 1  // else it prints and aborts
#include <algorithm>
#include <exception>
#include <set>
#include <valijson/adapters/nlohmann_json_adapter.hpp>
#include <valijson/schema.hpp>
#include <valijson/schema_parser.hpp>
#include <valijson/validator.hpp>
#include <vector>

#include "core/host/json.h"

namespace teal::host {
namespace {

using valijson::adapters::NlohmannJsonAdapter;

// Draft 7, but for what reaches outside the document.
const std::set<std::string>& Keywords() {
  static const std::set<std::string> keywords = {"$comment",
                                                 "$schema",
                                                 "additionalItems",
                                                 "additionalProperties",
                                                 "allOf",
                                                 "anyOf",
                                                 "const",
                                                 "contains",
                                                 "default",
                                                 "definitions",
                                                 "dependencies",
                                                 "description",
                                                 "else",
                                                 "enum",
                                                 "examples",
                                                 "exclusiveMaximum",
                                                 "exclusiveMinimum",
                                                 "format",
                                                 "if",
                                                 "items",
                                                 "maximum",
                                                 "maxItems",
                                                 "maxLength",
                                                 "maxProperties",
                                                 "minimum",
                                                 "minItems",
                                                 "minLength",
                                                 "minProperties",
                                                 "multipleOf",
                                                 "not",
                                                 "oneOf",
                                                 "pattern",
                                                 "patternProperties",
                                                 "properties",
                                                 "propertyNames",
                                                 "required",
                                                 "then",
                                                 "title",
                                                 "type",
                                                 "uniqueItems",
                                                 "$ref"};
  return keywords;
}

// Keywords whose value is a schema, a list of schemas, or an object of schemas.
bool HoldsSchema(const std::string& key) {
  return key == "additionalItems" || key == "additionalProperties" || key == "contains" || key == "else" ||
         key == "if" || key == "items" || key == "not" || key == "propertyNames" || key == "then";
}
bool HoldsSchemaList(const std::string& key) {
  return key == "allOf" || key == "anyOf" || key == "oneOf" || key == "items";
}
bool HoldsSchemaMap(const std::string& key) {
  return key == "definitions" || key == "patternProperties" || key == "properties";
}

// The first thing wrong, or empty. Closes objects that name their properties and say nothing of others.
std::string Prepare(Json* schema, const std::string& place) {
  if (schema->is_boolean()) return {};
  if (!schema->is_object()) return place + " must be a schema, an object, and is " + KindOf(*schema);
  for (auto& [key, value] : schema->items()) {
    const std::string here = place + "/" + key;
    if (Keywords().count(key) == 0) {
      const std::string nearest = NearestName(key, {Keywords().begin(), Keywords().end()});
      return here + " is no keyword of JSON Schema draft 7" +
             (nearest.empty() ? "" : "; did you mean " + nearest + "?");
    }
    if (key == "$ref" && (!value.is_string() || value.get_ref<const std::string&>().rfind("#/", 0) != 0)) {
      return here + " must point into this document: \"#/definitions/…\"";
    }
    std::string wrong;
    if (HoldsSchemaMap(key)) {
      if (!value.is_object()) return here + " must be an object of schemas";
      for (auto& [name, item] : value.items()) {
        if (wrong.empty()) wrong = Prepare(&item, here + "/" + name);
      }
    } else if (HoldsSchemaList(key) && value.is_array()) {
      for (size_t i = 0; i < value.size() && wrong.empty(); ++i)
        wrong = Prepare(&value[i], here + "/" + std::to_string(i));
    } else if (HoldsSchema(key)) {
      wrong = Prepare(&value, here);
    }
    if (!wrong.empty()) return wrong;
  }
  if (schema->contains("properties") && !schema->contains("additionalProperties") &&
      !schema->contains("patternProperties")) {
    (*schema)["additionalProperties"] = false;
  }
  return {};
}

Result<Json> PreparedSchema(std::string_view schema_json) {
  Result<Json> schema = ParseJson(schema_json);
  if (!schema) return Fail(FailureCode::kInvalid, "the schema is not JSON: " + schema.failure().message);
  const std::string wrong = Prepare(&schema.value(), "#");
  if (!wrong.empty()) return Fail(FailureCode::kInvalid, "the schema: " + wrong);
  return schema;
}

Status Compile(const Json& json, valijson::Schema* schema) {
  try {
    valijson::SchemaParser parser(valijson::SchemaParser::kDraft7);
    parser.populateSchema(NlohmannJsonAdapter(json), *schema);
    return Unit{};
  } catch (const std::exception& e) {
    return Fail(FailureCode::kInvalid, std::string("the schema: ") + e.what());
  }
}

// Absent keys with a default, where properties say so.
void FillDefaults(const Json& schema, Json* value) {
  if (!schema.is_object() || !value->is_object()) return;
  const auto properties = schema.find("properties");
  if (properties == schema.end()) return;
  for (const auto& [name, property] : properties->items()) {
    if (!property.is_object()) continue;
    if (!value->contains(name) && property.contains("default")) (*value)[name] = property["default"];
    if (value->contains(name)) FillDefaults(property, &(*value)[name]);
  }
}

// Valijson's place of an error, "<root>", "[key]", "[3]": the value there, its schema as far as properties and items
// tell it, and its name as the user writes it.
struct Place {
  std::string name;
  const Json* value = nullptr;
  const Json* schema = nullptr;
};

Place PlaceOf(const std::vector<std::string>& context, const Json& config, const Json& schema,
              const std::string& prefix) {
  Place place{prefix, &config, &schema};
  for (const std::string& step : context) {
    if (step.size() < 2 || step.front() != '[' || step.back() != ']') continue;
    const std::string key = step.substr(1, step.size() - 2);
    const Json* next_schema = nullptr;
    if (place.value != nullptr && place.value->is_array()) {
      place.name += step;
      const size_t index = std::strtoull(key.c_str(), nullptr, 10);
      place.value = index < place.value->size() ? &(*place.value)[index] : nullptr;
      if (place.schema != nullptr && place.schema->contains("items")) next_schema = &(*place.schema)["items"];
    } else {
      place.name += (place.name.empty() ? "" : ".") + key;
      const bool there = place.value != nullptr && place.value->is_object() && place.value->contains(key);
      place.value = there ? &(*place.value)[key] : nullptr;
      if (place.schema != nullptr && place.schema->contains("properties") &&
          (*place.schema)["properties"].contains(key)) {
        next_schema = &(*place.schema)["properties"][key];
      }
    }
    place.schema = next_schema != nullptr && next_schema->is_object() ? next_schema : nullptr;
  }
  return place;
}

std::string Between(const std::string& text, char quote) {
  const size_t begin = text.rfind(quote, text.rfind(quote) - 1);
  return text.substr(begin + 1, text.rfind(quote) - begin - 1);
}

// What Valijson says, in the user's terms. Its words are looked at for the keyword only; what is not known stays as it
// is.
std::string Explain(const Place& place, const std::string& words) {
  const std::string name = place.name.empty() ? "the section" : place.name;
  const auto says = [&](const char* text) { return words.find(text) != std::string::npos; };
  const std::string is = place.value == nullptr ? "" : ", and is " + ToText(*place.value);
  if (says("'additionalProperties'")) {
    const std::string key = Between(words, '\'');
    std::vector<std::string> known;
    if (place.schema != nullptr && place.schema->contains("properties")) {
      for (const auto& [property, unused] : (*place.schema)["properties"].items()) known.push_back(property);
    }
    const std::string nearest = NearestName(key, known);
    std::string all;
    for (const std::string& property : known) all += (all.empty() ? "" : ", ") + property;
    const std::string full = place.name.empty() ? key : place.name + "." + key;
    if (!nearest.empty()) return full + ": there is no such key; did you mean " + nearest + "?";
    return full + ": there is no such key; known are: " + (all.empty() ? "none" : all);
  }
  if (says("Missing required property")) {
    const std::string key = Between(words, '\'');
    std::string message = (place.name.empty() ? key : place.name + "." + key) + ": is missing";
    if (place.schema != nullptr && place.schema->contains("properties") &&
        (*place.schema)["properties"].contains(key)) {
      const Json& property = (*place.schema)["properties"][key];
      if (property.is_object() && property.contains("description") && property["description"].is_string()) {
        message += ": " + property["description"].get<std::string>();
      }
    }
    return message;
  }
  if (place.schema != nullptr && says("'type'") && place.schema->contains("type")) {
    const Json& type = (*place.schema)["type"];
    std::string types;
    for (const Json& one : type.is_array() ? type : Json::array({type}))
      types += (types.empty() ? "" : " or ") + ToText(one);
    return name + ": must be of type " + types + is;
  }
  if (place.schema != nullptr && says("enum") && place.schema->contains("enum")) {
    std::string values;
    for (const Json& one : (*place.schema)["enum"]) values += (values.empty() ? "" : ", ") + ToText(one);
    return name + ": must be one of " + values + is;
  }
  if (place.schema != nullptr && says("'pattern'") && place.schema->contains("pattern")) {
    return name + ": must match " + ToText((*place.schema)["pattern"]) + is;
  }
  return name + ": " + words + (is.empty() ? "" : " It" + is.substr(5));
}

// std::regex, which Valijson uses, recurses for each character.
bool HasLongString(const Json& json) {
  if (json.is_string()) return json.get_ref<const std::string&>().size() > kPatternSubjectBytesMax;
  if (!json.is_structured()) return false;
  return std::any_of(json.begin(), json.end(), HasLongString);
}

}  // namespace

Status CheckSchema(std::string_view schema_json) {
  const Result<Json> json = PreparedSchema(schema_json);
  if (!json) return json.failure();
  valijson::Schema schema;
  return Compile(json.value(), &schema);
}

Result<std::string> ValidateConfig(std::string_view schema_json, std::string_view config_json,
                                   const std::string& prefix) {
  const std::string before = prefix.empty() ? "" : prefix + ": ";
  if (config_json.size() > kConfigBytesMax) return Fail(FailureCode::kTooLarge, before + "is larger than 1 MiB");
  Result<Json> config = ParseJson(config_json);
  if (!config) return Fail(FailureCode::kInvalid, before + config.failure().message);
  const Result<Json> json = PreparedSchema(schema_json);
  if (!json) return Fail(FailureCode::kInvalid, before + json.failure().message);
  valijson::Schema schema;
  if (Status compiled = Compile(json.value(), &schema); !compiled) {
    return Fail(FailureCode::kInvalid, before + compiled.failure().message);
  }
  if (HasLongString(config.value())) {
    return Fail(FailureCode::kTooLarge, before + "has a string longer than 8 KiB");
  }
  FillDefaults(json.value(), &config.value());
  valijson::ValidationResults results;
  try {
    valijson::Validator validator(valijson::Validator::kStrongTypes);
    if (validator.validate(schema, NlohmannJsonAdapter(config.value()), &results)) return ToText(config.value());
  } catch (const std::exception& e) {  // a `pattern` that is no regular expression
    return Fail(FailureCode::kInvalid, before + "the schema: " + e.what());
  }
  // An inner error comes before those of what holds it, which say no more.
  std::string message;
  valijson::ValidationResults::Error error;
  std::vector<std::string> told;
  while (results.popError(error)) {
    const bool holds_told = error.description.find("Failed to validate against schema associated with property") == 0 ||
                            error.description.find("Failed to validate item #") == 0;
    if (holds_told && !told.empty()) continue;
    const Place place = PlaceOf(error.context, config.value(), json.value(), prefix);
    const std::string line = Explain(place, error.description);
    if (std::find(told.begin(), told.end(), line) != told.end()) continue;
    told.push_back(line);
    message += (message.empty() ? "" : "\n") + line;
  }
  return Fail(FailureCode::kInvalid, message);
}

}  // namespace teal::host
