#include "core/config/trigger_sections.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "core/config/project.h"
#include "core/config/schema.h"

namespace teal::config {
namespace {

using host::Json;

bool IsTriggerName(const std::string& name) {
  return !name.empty() && name.size() <= kTriggerNameBytesMax && std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-' ||
           c == '.';
  });
}

class SectionReader {
 public:
  SectionReader(Resolver* resolver, std::vector<Error>* errors) : resolver_(resolver), errors_(errors) {}

  Json Resolved(const Node& node) {
    if (node.kind == Kind::kList) {
      Json list = Json::array();
      for (const Node& item : node.items) list.push_back(Resolved(item));
      return list;
    }
    if (node.kind == Kind::kMap) {
      Json map = Json::object();
      for (const Entry& entry : node.entries) map[entry.key] = Resolved(entry.value);
      return map;
    }
    if (node.kind != Kind::kString || resolver_ == nullptr) return ToJson(node);
    std::variant<Secret, Error> text = resolver_->Text(node);
    if (Secret* const secret = std::get_if<Secret>(&text)) return secret->Use();
    if (errors_->size() < kErrorsMax) errors_->push_back(std::get<Error>(text));
    return node.text;
  }

  // The options that ReadTriggers does not take apart, as they are written.
  Json Rest(const Trigger& trigger, const std::vector<std::string>& taken) {
    Json rest = Json::object();
    if (trigger.options == nullptr) return rest;
    for (const Entry& entry : trigger.options->entries) {
      if (entry.key == "name" || std::find(taken.begin(), taken.end(), entry.key) != taken.end()) continue;
      rest[entry.key] = Resolved(entry.value);
    }
    return rest;
  }

  // Texts that ReadTriggers has taken out of the tree may still hold references.
  Json Text(const std::string& text, const Trigger& trigger) {
    Node node;
    node.kind = Kind::kString;
    node.text = text;
    node.place = trigger.place;
    return Resolved(node);
  }

  Json SectionOf(const Trigger& trigger) {
    if (const HttpTrigger* const http = std::get_if<HttpTrigger>(&trigger.what)) {
      Json section = Rest(trigger, {"path", "route", "methods", "method", "auth", "authLevel"});
      section["path"] = http->path;
      section["methods"] = http->methods;
      section["auth"] = http->auth;
      return section;
    }
    if (const S3Trigger* const s3 = std::get_if<S3Trigger>(&trigger.what)) {
      Json section = Rest(trigger, {"bucket", "events", "event", "prefix", "suffix", "rules"});
      section["bucket"] = Text(s3->bucket, trigger);
      section["events"] = s3->events;
      section["prefix"] = Text(s3->prefix, trigger);
      section["suffix"] = Text(s3->suffix, trigger);
      return section;
    }
    if (std::holds_alternative<PluginTrigger>(trigger.what)) return Rest(trigger, {});
    const ScheduleTrigger& schedule = std::get<ScheduleTrigger>(trigger.what);
    Json section = Rest(trigger, {"cron", "rate", "at", "timezone"});
    section["expression"] = Text(schedule.expression, trigger);
    section["timezone"] = Text(schedule.timezone, trigger);
    return section;
  }

 private:
  Resolver* const resolver_;
  std::vector<Error>* const errors_;
};

}  // namespace

std::vector<TriggerSection> ReadTriggerSections(const Node& tree, Resolver* resolver, std::vector<Error>* errors) {
  const std::vector<Trigger> triggers = ReadTriggers(tree, errors);
  std::map<std::string, size_t> of_kind;  // by FUNCTION.KIND
  for (const Trigger& trigger : triggers) ++of_kind[trigger.function + "." + KindOf(trigger)];
  std::map<std::string, size_t> numbered;
  std::map<std::string, const Place*> names;
  SectionReader reader(resolver, errors);
  std::vector<TriggerSection> sections;
  for (const Trigger& trigger : triggers) {
    TriggerSection section;
    section.kind = KindOf(trigger);
    section.function = trigger.function;
    section.place = trigger.place;
    const std::string stem = trigger.function + "." + section.kind;
    const size_t number = ++numbered[stem];
    section.name = of_kind[stem] == 1 ? stem : stem + "." + std::to_string(number);
    if (const Node* const name = trigger.options == nullptr ? nullptr : trigger.options->Find("name")) {
      section.name = name->text;
      if (!IsTriggerName(section.name)) {
        errors->push_back(ErrorAt(name->place, "this is no name of a trigger",
                                  "write at most 100 letters, digits, dots, hyphens and underscores"));
      }
    }
    const auto [taken, is_new] = names.emplace(section.name, &trigger.place);
    if (!is_new && errors->size() < kErrorsMax) {
      errors->push_back(
          ErrorAt(trigger.place, "two triggers have the name " + section.name, "give one another with `name`"));
    }
    section.config_json = host::ToText(reader.SectionOf(trigger));
    if (const Node* const functions = tree.Find("functions")) {
      const Node* const function = functions->Find(trigger.function);
      if (const Node* const timeout = function == nullptr ? nullptr : function->Find("timeout")) {
        section.timeout_ns = static_cast<uint64_t>(std::llround(SecondsOf(*timeout) * 1e9));
      }
    }
    sections.push_back(std::move(section));
  }
  return sections;
}

host::Json InstanceConfigOf(const Node& tree, const std::string& kind, const std::string& schema_json, const Json& own,
                            Resolver* resolver, std::vector<Error>* errors) {
  const Json schema = Json::parse(schema_json, nullptr, false);
  const Json properties = schema.is_object() && schema.contains("properties") ? schema["properties"] : Json::object();
  SectionReader reader(resolver, errors);
  Json config = Json::object();
  for (const auto& [key, value] : own.items()) {
    if (properties.contains(key)) config[key] = value;
  }
  const Node* const keys = tree.Find("keys");
  if (keys != nullptr && properties.contains("keys")) config["keys"] = reader.Resolved(*keys);
  const Node* const sections = tree.Find("triggers");
  const Node* const section = sections == nullptr ? nullptr : sections->Find(kind);
  if (section == nullptr) return config;
  const Json over = reader.Resolved(*section);
  for (const auto& [key, value] : over.items()) config[key] = value;
  return config;
}

}  // namespace teal::config
