// A trigger's section of teal.yaml: which events of which objects it is for.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace teal::s3 {

struct Rule {
  std::string bucket;  // a name, without local://
  std::vector<std::string> events{"s3:ObjectCreated:*"};
  std::string prefix, suffix;

  bool ForKey(std::string_view key) const { return key.starts_with(prefix) && key.ends_with(suffix); }
  // "s3:ObjectCreated:Put" against "s3:ObjectCreated:*"
  bool ForType(std::string_view type) const;
};

// nullopt: *wrong says which key is wrong and what to write.
std::optional<Rule> ReadRule(std::string_view json, std::string* wrong);

}  // namespace teal::s3
