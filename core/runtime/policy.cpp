#include "core/runtime/policy.h"

#include <algorithm>
#include <cmath>

namespace teal::runtime {
namespace {

// The argument named `key`, or the one at `position` if it was given without a name.
const vm::Value* Find(const vm::Attribute& attribute, std::string_view key, size_t position) {
  for (const vm::AttributeArgument& argument : attribute.arguments) {
    if (argument.key == key) return &argument.value;
  }
  if (position < attribute.arguments.size() && attribute.arguments[position].key.empty()) {
    return &attribute.arguments[position].value;
  }
  return nullptr;
}

double Number(const vm::Attribute& attribute, std::string_view key, size_t position, double otherwise) {
  const vm::Value* value = Find(attribute, key, position);
  if (value == nullptr) return otherwise;
  if (value->IsInt()) return static_cast<double>(value->AsInt());
  return value->IsFloat() ? value->AsFloat() : otherwise;
}

void ReadRetry(const vm::Attribute& attribute, CallPolicy* policy) {
  policy->retries = true;
  const double attempts = Number(attribute, "max", 0, policy->attempts_max);
  policy->attempts_max = static_cast<uint32_t>(std::clamp(attempts, 1.0, 1e9));
  policy->first_seconds = Number(attribute, "first", 1, policy->first_seconds);
  policy->factor = Number(attribute, "factor", 2, policy->factor);
  policy->cap_seconds = Number(attribute, "cap", 3, policy->cap_seconds);
  const vm::Value* on = Find(attribute, "on", 4);
  if (on == nullptr || on->tag() != vm::Tag::kList) return;
  policy->on_listed = true;
  const vm::List* kinds = on->As<vm::List>();
  for (uint64_t i = 0; i < kinds->size; ++i) {
    const vm::Tag tag = kinds->items[i].tag();
    if (tag == vm::Tag::kString || tag == vm::Tag::kSymbol) policy->on.emplace_back(kinds->items[i].Text());
  }
}

uint32_t Count(const vm::Attribute& attribute) {
  return static_cast<uint32_t>(std::clamp(Number(attribute, "limit", 0, 1), 1.0, 4e9));
}

// The parameter that the attribute's argument `key` names; empty: none.
std::string Parameter(const vm::Attribute& attribute) {
  for (const vm::AttributeArgument& argument : attribute.arguments) {
    if (argument.parameter) return std::string(argument.value.Text());
  }
  return {};
}

void ReadRate(const vm::Attribute& attribute, LimitPolicy* limits) {
  limits->begins_max = Count(attribute);
  limits->per_seconds = Number(attribute, "per", 1, limits->per_seconds);
  limits->begins_key = Parameter(attribute);
}

// `seconds` or its key word of the attribute's definition.
double Seconds(const vm::Attribute& attribute) {
  if (attribute.arguments.empty()) return 0;
  const vm::Value& value = attribute.arguments.front().value;
  if (value.IsInt()) return static_cast<double>(value.AsInt());
  return value.IsFloat() ? value.AsFloat() : 0;
}

}  // namespace

bool CallPolicy::TriesAgain(std::string_view kind, uint32_t attempt) const {
  if (!retries || attempt >= attempts_max) return false;
  if (on_listed) return std::find(on.begin(), on.end(), kind) != on.end();
  return kind != "cancelled" && kind != "type" && kind != "arity" && kind != "overflow";
}

double CallPolicy::DelayAfter(uint32_t attempt) const {
  const double delay = first_seconds * std::pow(factor, static_cast<double>(attempt) - 1);
  return std::isnan(delay) ? 0 : std::clamp(delay, 0.0, std::max(cap_seconds, 0.0));
}

CallPolicy PolicyOf(const std::vector<vm::Attribute>& attributes) {
  CallPolicy policy;
  for (const vm::Attribute& attribute : attributes) {
    if (attribute.name == "retry") ReadRetry(attribute, &policy);
    if (attribute.name == "timeout") policy.timeout_seconds = Seconds(attribute);
    if (attribute.name == "heartbeat") policy.heartbeat_seconds = Seconds(attribute);
    if (attribute.name == "pure") policy.pure = true;
    if (attribute.name == "at_most_once") policy.at_most_once = true;
    if (attribute.name == "priority") policy.priority = static_cast<float>(Number(attribute, "level", 0, 0));
    if (attribute.name == "rate") ReadRate(attribute, &policy.limits);
    if (attribute.name == "concurrency") {
      policy.limits.running_max = Count(attribute);
      policy.limits.running_key = Parameter(attribute);
    }
  }
  return policy;
}

}  // namespace teal::runtime
