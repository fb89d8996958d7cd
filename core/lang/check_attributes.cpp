#include "core/lang/check_attributes.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <span>

#include "core/lang/fold.h"

namespace teal::lang {
namespace {

using vm::Value;

enum class Type : uint8_t { kCount, kSeconds, kNumber, kNames, kParameter };

struct ArgumentRule {
  std::string_view name;
  Type type;
  bool required = false;
  double standard = 0;  // kNames, kParameter: the default is null
};
struct AttributeRule {
  std::string_view name;
  std::span<const ArgumentRule> arguments;
};

constexpr ArgumentRule kRetry[] = {{"max", Type::kCount, false, 5},
                                   {"first", Type::kSeconds, false, 1},
                                   {"factor", Type::kNumber, false, 2},
                                   {"cap", Type::kSeconds, false, 60},
                                   {"on", Type::kNames}};
constexpr ArgumentRule kSeconds[] = {{"seconds", Type::kSeconds, true}};
constexpr ArgumentRule kMemory[] = {{"mib", Type::kCount, true}};
constexpr ArgumentRule kConcurrency[] = {{"limit", Type::kCount, true}, {"key", Type::kParameter}};
constexpr ArgumentRule kRate[] = {
    {"limit", Type::kCount, true}, {"per", Type::kSeconds, false, 60}, {"key", Type::kParameter}};
constexpr ArgumentRule kPriority[] = {{"level", Type::kNumber, true}};

// Sorted by name: the canonical order.
constexpr std::array kRules = {
    AttributeRule{"at_most_once", {}},    AttributeRule{"concurrency", kConcurrency},
    AttributeRule{"heartbeat", kSeconds}, AttributeRule{"memory", kMemory},
    AttributeRule{"priority", kPriority}, AttributeRule{"pure", {}},
    AttributeRule{"rate", kRate},         AttributeRule{"retry", kRetry},
    AttributeRule{"timeout", kSeconds},
};

const AttributeRule* FindRule(std::string_view name) {
  for (const AttributeRule& rule : kRules) {
    if (rule.name == name) return &rule;
  }
  return nullptr;
}

// Which argument of the attribute each rule argument is given by; -1: left out.
std::vector<int> Bind(const AttributeRule& rule, const Attribute& attribute) {
  std::vector<int> bound(rule.arguments.size(), -1);
  size_t position = 0;
  for (size_t i = 0; i < attribute.arguments.size(); ++i) {
    const Attribute::Arg& argument = attribute.arguments[i];
    size_t at = position;
    if (argument.key) {
      for (at = 0; at < rule.arguments.size() && rule.arguments[at].name != argument.key->text;) ++at;
    } else {
      ++position;
    }
    if (at < bound.size() && bound[at] < 0) bound[at] = static_cast<int>(i);
  }
  return bound;
}

class Checker {
 public:
  Checker(Program& program, Unit& unit, const Item& item) : program_(program), unit_(unit), item_(item) {}

  void Run() {
    for (size_t i = 0; i < item_.attributes.size(); ++i) {
      const Attribute& attribute = item_.attributes[i];
      const AttributeRule* rule = FindRule(attribute.name.text);
      if (rule == nullptr) {
        std::vector<std::string_view> names;
        for (const AttributeRule& each : kRules) names.push_back(each.name);
        Error(attribute.name.span, "unknown attribute `" + attribute.name.text + "`",
              Hint(Nearest(attribute.name.text, names), "there are ", names));
        continue;
      }
      for (size_t j = 0; j < i; ++j) {
        if (item_.attributes[j].name.text != attribute.name.text) continue;
        Error(attribute.name.span, "duplicate attribute `" + attribute.name.text + "`", "state it once");
        break;
      }
      if (item_.kind != ItemKind::kFunction && item_.kind != ItemKind::kImportForeign) {
        Error(attribute.span, "an attribute belongs to a function or an import",
              "put it on the line before a `fn` or an `import(…)`");
        continue;
      }
      Arguments(*rule, attribute);
    }
  }

 private:
  static std::string Hint(std::string_view nearest, std::string_view before, const std::vector<std::string_view>& all) {
    if (!nearest.empty()) return "did you mean `" + std::string(nearest) + "`?";
    std::string hint(before);
    for (size_t i = 0; i < all.size(); ++i) hint += (i == 0 ? "`" : ", `") + std::string(all[i]) + "`";
    return hint;
  }
  void Error(Span span, std::string message, std::string hint) {
    program_.diagnostics->Error(*unit_.file, span, std::move(message), std::move(hint));
  }

  void Arguments(const AttributeRule& rule, const Attribute& attribute) {
    const std::string shown = "`" + attribute.name.text + "`";
    size_t position = 0;
    bool keyed = false;
    std::vector<bool> given(rule.arguments.size(), false);
    for (const Attribute::Arg& argument : attribute.arguments) {
      size_t at = position;
      if (argument.key) {
        keyed = true;
        for (at = 0; at < rule.arguments.size() && rule.arguments[at].name != argument.key->text;) ++at;
        if (at == rule.arguments.size()) {
          std::vector<std::string_view> names;
          for (const ArgumentRule& each : rule.arguments) names.push_back(each.name);
          Error(argument.key->span, shown + " has no argument `" + argument.key->text + "`",
                names.empty() ? shown + " takes no arguments"
                              : Hint(Nearest(argument.key->text, names), "it has ", names));
          continue;
        }
      } else if (keyed) {
        Error(argument.span, "a positional argument after a named one", "named arguments come last");
        continue;
      } else if (position >= rule.arguments.size()) {
        Error(argument.span, "too many arguments for " + shown,
              rule.arguments.empty() ? shown + " takes no arguments"
                                     : "it takes at most " + std::to_string(rule.arguments.size()));
        return;
      } else {
        ++position;
      }
      if (given[at]) {
        Error(argument.span, "repeated argument `" + std::string(rule.arguments[at].name) + "`", "give it once");
        continue;
      }
      given[at] = true;
      Value(rule.arguments[at], shown, argument);
    }
    for (size_t i = 0; i < rule.arguments.size(); ++i) {
      if (!rule.arguments[i].required || given[i]) continue;
      Error(attribute.span, shown + " needs its argument `" + std::string(rule.arguments[i].name) + "`",
            rule.arguments[i].type == Type::kSeconds ? "for example " + attribute.name.text + "(30s)"
                                                     : "for example " + attribute.name.text + "(10)");
    }
  }

  void Value(const ArgumentRule& rule, const std::string& shown, const Attribute::Arg& argument) {
    const std::string name = "the argument `" + std::string(rule.name) + "` of " + shown;
    if (rule.type == Type::kParameter) return Parameter(name, argument);
    if (argument.value->kind == ExprKind::kName) {
      return Error(argument.value->span, name + " must be a literal", "attributes are read before the program runs");
    }
    vm::Value value;
    Folder folder(program_, unit_, nullptr);
    if (folder.Evaluate(*argument.value, &value) != Folder::Outcome::kValue) {
      return Error(argument.value->span, name + " must be a literal", "attributes are read before the program runs");
    }
    const double number = value.IsInt() ? static_cast<double>(value.AsInt()) : value.IsFloat() ? value.AsFloat() : 0;
    switch (rule.type) {
      case Type::kCount:
        if (value.IsInt() && value.AsInt() >= 1) return;
        return Error(argument.value->span, name + " must be a whole number of at least 1", "write for example 5");
      case Type::kSeconds:
        if (value.IsNumber() && number > 0 && number <= kSecondsMax) return;
        return Error(argument.value->span, name + " must be a duration above 0", "write for example 500ms, 30s or 5m");
      case Type::kNumber:
        if (value.IsNumber()) return;
        return Error(argument.value->span, name + " must be a number", "write for example 2");
      case Type::kNames: {
        bool fits = value.tag() == vm::Tag::kList;
        for (uint64_t i = 0; fits && i < value.As<vm::List>()->size; ++i) {
          const vm::Tag tag = value.As<vm::List>()->items[i].tag();
          fits = tag == vm::Tag::kString || tag == vm::Tag::kSymbol;
        }
        if (fits) return;
        return Error(argument.value->span, name + " must be a list of kinds of errors",
                     "write for example [\"Timeout\"]");
      }
      case Type::kParameter:
        return;
    }
  }

  void Parameter(const std::string& name, const Attribute::Arg& argument) {
    if (argument.value->kind != ExprKind::kName) {
      return Error(argument.value->span, name + " must name a parameter", "write the parameter's name, without quotes");
    }
    if (item_.kind != ItemKind::kFunction) return;  // Python knows its parameters
    const std::string& text = As<NameExpr>(*argument.value).name;
    std::vector<std::string_view> names;
    for (const Ident& parameter : item_.parameters) {
      if (parameter.text == text) return;
      names.push_back(parameter.text);
    }
    const std::string_view nearest = Nearest(text, names);
    Error(argument.value->span, "`" + item_.name.text + "` has no parameter `" + text + "`",
          nearest.empty() ? "name one of its parameters" : "did you mean `" + std::string(nearest) + "`?");
  }

  static constexpr double kSecondsMax = 366.0 * 86400 * 100;
  Program& program_;
  Unit& unit_;
  const Item& item_;
};

vm::Value Evaluate(Program& program, Unit& unit, const Expr& expr) {
  vm::Value value;
  Folder folder(program, unit, nullptr);
  [[maybe_unused]] const auto outcome = folder.Evaluate(expr, &value);
  assert(outcome == Folder::Outcome::kValue);
  return value;
}

}  // namespace

void CheckAttributes(Program& program, Unit& unit, const Item& item) {
  Checker(program, unit, item).Run();
}

void WriteAttributes(Program& program, Unit& unit, const Item& item,
                     google::protobuf::RepeatedPtrField<proto::Attribute>* out) {
  for (const AttributeRule& rule : kRules) {
    const auto found = std::find_if(item.attributes.begin(), item.attributes.end(),
                                    [&](const Attribute& each) { return each.name.text == rule.name; });
    if (found == item.attributes.end()) continue;
    proto::Attribute* attribute = out->Add();
    attribute->set_name(std::string(rule.name));
    const std::vector<int> bound = Bind(rule, *found);
    for (size_t i = 0; i < bound.size(); ++i) {
      if (bound[i] < 0) continue;
      const Expr& expr = *found->arguments[static_cast<size_t>(bound[i])].value;
      proto::Attribute::Argument* argument = attribute->add_arguments();
      argument->set_key(std::string(rule.arguments[i].name));
      if (rule.arguments[i].type == Type::kParameter) {
        argument->set_parameter(true);
        argument->mutable_value()->set_text(As<NameExpr>(expr).name);
      } else {
        WriteConstant(Evaluate(program, unit, expr), argument->mutable_value());
      }
    }
  }
}

std::vector<vm::Value> AttributeValues(Program& program, Unit& unit, const Attribute& attribute) {
  const AttributeRule* rule = FindRule(attribute.name.text);
  assert(rule != nullptr);
  const std::vector<int> bound = Bind(*rule, attribute);
  std::vector<vm::Value> values;
  for (size_t i = 0; i < bound.size(); ++i) {
    const ArgumentRule& each = rule->arguments[i];
    if (bound[i] >= 0 && each.type != Type::kParameter) {
      values.push_back(Evaluate(program, unit, *attribute.arguments[static_cast<size_t>(bound[i])].value));
    } else if (each.type == Type::kNames || each.type == Type::kParameter) {
      values.emplace_back();
    } else {
      values.push_back(vm::Value::Int(static_cast<int64_t>(each.standard)));
    }
  }
  return values;
}

}  // namespace teal::lang
