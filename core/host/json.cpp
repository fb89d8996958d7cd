#include "core/host/json.h"

#include <algorithm>
#include <set>
#include <vector>

namespace teal::host {
namespace {

// "line L, column C" of a byte's position, counted from 1 as the parser does.
std::string Place(std::string_view text, size_t byte) {
  const std::string_view before = text.substr(0, std::min(byte > 0 ? byte - 1 : 0, text.size()));
  const auto line = std::count(before.begin(), before.end(), '\n') + 1;
  const size_t start = before.rfind('\n');
  const size_t column = before.size() - (start == std::string_view::npos ? 0 : start + 1) + 1;
  return "line " + std::to_string(line) + ", column " + std::to_string(column);
}

// What the parser says after its own prefix: "[json.exception.parse_error.101] parse error at line 1, column 2: …".
std::string Reason(const std::string& what) {
  const size_t column = what.find("column ");
  const size_t colon = what.find(": ", column == std::string::npos ? 0 : column);
  return colon == std::string::npos ? what : what.substr(colon + 2);
}

}  // namespace

Result<Json> ParseJson(std::string_view text) {
  std::vector<std::set<std::string>> keys;
  std::string twice;
  bool too_deep = false;
  const Json::parser_callback_t look = [&](int depth, Json::parse_event_t event, Json& parsed) {
    if (depth > kJsonDepthMax) too_deep = true;
    if (event == Json::parse_event_t::object_start) keys.emplace_back();
    if (event == Json::parse_event_t::object_end) keys.pop_back();
    if (event == Json::parse_event_t::key) {
      const auto& key = parsed.get_ref<const std::string&>();
      if (!keys.back().insert(key).second && twice.empty()) twice = key;
    }
    return !too_deep;
  };
  try {
    Json json = Json::parse(text, look);
    if (too_deep) {
      return Fail(FailureCode::kInvalid, "it is nested deeper than " + std::to_string(kJsonDepthMax) + " levels");
    }
    if (!twice.empty()) return Fail(FailureCode::kInvalid, "the key \"" + twice + "\" is there twice in one object");
    return json;
  } catch (const Json::parse_error& e) {
    return Fail(FailureCode::kInvalid, Place(text, e.byte) + ": " + Reason(e.what()));
  } catch (const Json::exception& e) {  // a number out of range
    return Fail(FailureCode::kInvalid, e.what());
  }
}

std::string ToText(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::string KindOf(const Json& json) {
  switch (json.type()) {
    case Json::value_t::null:
      return "null";
    case Json::value_t::boolean:
      return "a boolean";
    case Json::value_t::number_integer:
    case Json::value_t::number_unsigned:
      return "an integer";
    case Json::value_t::number_float:
      return "a number";
    case Json::value_t::string:
      return "a string";
    case Json::value_t::array:
      return "a list";
    default:
      return "an object";
  }
}

std::string NearestName(const std::string& name, const std::vector<std::string>& candidates) {
  std::string best;
  size_t best_distance = std::max<size_t>(1, name.size() / 3) + 1;
  for (const std::string& candidate : candidates) {
    if (name.size() > 256 || candidate.size() > 256) continue;
    std::vector<size_t> before(candidate.size() + 1);
    std::vector<size_t> row(candidate.size() + 1);
    for (size_t j = 0; j < before.size(); ++j) before[j] = j;
    for (size_t i = 1; i <= name.size(); ++i) {
      row[0] = i;
      for (size_t j = 1; j < row.size(); ++j) {
        const size_t change = name[i - 1] == candidate[j - 1] ? 0 : 1;
        row[j] = std::min({before[j] + 1, row[j - 1] + 1, before[j - 1] + change});
      }
      before.swap(row);
    }
    if (before.back() < best_distance) {
      best_distance = before.back();
      best = candidate;
    }
  }
  return best;
}

}  // namespace teal::host
