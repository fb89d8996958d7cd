#include "core/config/triggers.h"

#include <algorithm>
#include <cctype>
#include <cstdint>
#include <map>
#include <set>

#include "core/config/schema.h"
#include "core/host/json.h"

namespace teal::config {
namespace {

std::string TextAt(const Node& options, const char* key) {
  const Node* const node = options.Find(key);
  return node == nullptr ? "" : node->text;
}

// One string, or a list of them.
std::vector<std::string> Texts(const Node* node) {
  if (node == nullptr) return {};
  if (node->kind != Kind::kList) return {node->text};
  std::vector<std::string> texts;
  for (const Node& item : node->items) texts.push_back(item.text);
  return texts;
}

std::string PlaceText(const Place& place) {
  return *place.file + ":" + std::to_string(place.line);
}

bool IsNameChar(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

std::vector<std::string_view> Segments(std::string_view path) {
  std::vector<std::string_view> segments;
  for (size_t at = 1; at <= path.size();) {
    const size_t end = std::min(path.find('/', at), path.size());
    segments.push_back(path.substr(at, end - at));
    at = end + 1;
  }
  return segments;
}

// The path with the names of its parameters left out: routes of one shape take the same requests.
std::string ShapeOf(std::string_view path) {
  std::string shape;
  for (const std::string_view segment : Segments(path)) {
    const bool parameter = !segment.empty() && segment.front() == '{';
    const bool rest = parameter && segment[segment.size() - 2] == '+';
    shape += "/" + (rest ? "{+}" : parameter ? "{}" : std::string(segment));
  }
  return shape;
}

class Reader {
 public:
  explicit Reader(std::vector<Error>* errors) : errors_(errors) {}

  std::vector<Trigger> Read(const Node& tree) {
    const Node* const functions = tree.Find("functions");
    if (functions == nullptr) return {};
    for (const Entry& function : functions->entries) {
      const Node* const events = function.value.Find("events");
      if (events == nullptr) continue;
      for (const Node& event : events->items) ReadEvent(function, event.entries.front());
    }
    return std::move(triggers_);
  }

 private:
  void Wrong(const Place& place, std::string message, std::string hint) {
    if (errors_->size() < kErrorsMax) errors_->push_back(ErrorAt(place, std::move(message), std::move(hint)));
  }

  // The value of `key` or of its alias; both: told.
  const Node* Either(const Node& options, const char* key, const char* alias) {
    const Node* const first = options.Find(key);
    const Node* const second = options.Find(alias);
    if (first != nullptr && second != nullptr) {
      Wrong(second->place, std::string("`") + alias + "` and `" + key + "` mean the same", "keep one of the two");
    }
    return first != nullptr ? first : second;
  }

  void ReadEvent(const Entry& function, const Entry& event) {
    Trigger trigger;
    trigger.function = function.key;
    trigger.function_place = function.place;
    trigger.place = event.place;
    if (event.value.kind == Kind::kMap) trigger.options = &event.value;
    const size_t before = errors_->size();
    if (event.key == "s3") {
      trigger.what = S3(event.value);
    } else if (event.key == "schedule") {
      trigger.what = Schedule(event.value);
    } else if (event.key == "http" || event.key == "httpApi") {
      trigger.what = Http(event.value);
    } else {
      trigger.what = PluginTrigger{event.key};
      const std::vector<std::string> own = {"http", "httpApi", "s3", "schedule"};
      if (!host::NearestName(event.key, own).empty()) {
        const Error unknown = UnknownName(event.place, "kind of trigger", event.key, own);
        Wrong(event.place, unknown.message, unknown.hint);
      }
    }
    if (errors_->size() == before) CheckAgainstOthers(trigger);
    if (errors_->size() == before) triggers_.push_back(std::move(trigger));
  }

  HttpTrigger Http(const Node& node) {
    HttpTrigger http;
    Place place = node.place;
    if (node.IsScalar()) {
      const size_t space = node.text.find_first_of(" \t");
      const std::string method = space == std::string::npos ? "" : node.text.substr(0, space);
      const size_t path = space == std::string::npos ? 0 : node.text.find_first_not_of(" \t", space);
      http.path = path == std::string::npos ? "" : node.text.substr(path);
      if (!method.empty()) http.methods = {method};
    } else {
      const Node* const path = Either(node, "path", "route");
      if (path == nullptr) {
        Wrong(node.place, "http needs the key `path`", "write path: /orders/{id} below http");
        return http;
      }
      place = path->place;
      http.path = path->text;
      if (path == node.Find("route") && http.path.substr(0, 1) != "/") http.path.insert(0, "/");
      http.methods = Texts(Either(node, "methods", "method"));
      const Node* const auth = Either(node, "auth", "authLevel");
      if (auth != nullptr) http.auth = auth->text == "function" || auth->text == "admin" ? "key" : auth->text;
      for (const char* const kind : {"hmac", "jwt"}) {
        if (http.auth == kind && node.Find(kind) == nullptr) {
          Wrong(auth->place, std::string("auth: ") + kind + " needs the key `" + kind + "`",
                std::string("write ") + kind + " below http, with what it checks");
        }
      }
    }
    for (std::string& method : http.methods) {
      for (char& c : method) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
      if (method == "ANY" || method == "*") {
        http.methods.clear();
        break;
      }
      if (method.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZ") != std::string::npos) {
        Wrong(place, "the route begins with no method of HTTP", "write, for example, http: GET /path");
        return http;
      }
    }
    if (const std::optional<std::string> wrong = WrongRoute(http.path)) {
      Wrong(place, "the route " + *wrong, "write, for example, /orders/{id} or /files/{rest+}");
    }
    return http;
  }

  S3Trigger S3(const Node& node) {
    S3Trigger s3;
    s3.events = {"s3:ObjectCreated:*"};
    if (node.IsScalar()) {
      s3.bucket = node.text;
      return s3;
    }
    s3.bucket = TextAt(node, "bucket");
    if (const Node* const events = Either(node, "events", "event")) s3.events = Texts(events);
    s3.prefix = TextAt(node, "prefix");
    s3.suffix = TextAt(node, "suffix");
    const Node* const rules = node.Find("rules");
    if (rules == nullptr) return s3;
    std::set<std::string> seen;
    for (const char* const key : {"prefix", "suffix"}) {
      if (node.Find(key) != nullptr) seen.insert(key);
    }
    for (const Node& rule : rules->items) {
      for (const Entry& entry : rule.entries) {
        if (!seen.insert(entry.key).second) {
          Wrong(entry.place, "a second `" + entry.key + "` for one trigger", "write a trigger for each");
        }
        (entry.key == "prefix" ? s3.prefix : s3.suffix) = entry.value.text;
      }
    }
    return s3;
  }

  ScheduleTrigger Schedule(const Node& node) {
    ScheduleTrigger schedule;
    if (node.IsScalar()) {
      schedule.expression = node.text;
      return schedule;
    }
    int given = 0;
    for (const char* const key : {"cron", "rate", "at"}) {
      const Node* const expression = node.Find(key);
      if (expression == nullptr) continue;
      ++given;
      schedule.expression = expression->text;
      const bool bare = expression->text.rfind(std::string(key) + "(", 0) != 0;
      if (bare && std::string(key) != "cron") schedule.expression = std::string(key) + "(" + expression->text + ")";
    }
    if (given != 1) {
      Wrong(node.place, "schedule needs one of the keys `cron`, `rate` and `at`",
            "write, for example, cron: \"0 3 * * *\"");
    }
    if (node.Find("timezone") != nullptr) schedule.timezone = TextAt(node, "timezone");
    return schedule;
  }

  void CheckAgainstOthers(const Trigger& trigger) {
    if (const HttpTrigger* const http = std::get_if<HttpTrigger>(&trigger.what)) CheckRoute(trigger, *http);
    if (const S3Trigger* const s3 = std::get_if<S3Trigger>(&trigger.what)) CheckRules(trigger, *s3);
  }

  void CheckRoute(const Trigger& trigger, const HttpTrigger& http) {
    std::map<std::string, const Place>& taken = routes_[ShapeOf(http.path)];  // by method; "" stands for any
    const auto clash = [&](const std::string& method) {
      for (const auto& [other, place] : taken) {
        if (other != method && !other.empty() && !method.empty()) continue;
        Wrong(trigger.place,
              "two triggers on one route: " + (method.empty() ? "any method of" : method) + " " + http.path +
                  " is taken in " + PlaceText(place),
              "change one of the two");
        return true;
      }
      return false;
    };
    const std::vector<std::string> methods = http.methods.empty() ? std::vector<std::string>{""} : http.methods;
    for (const std::string& method : methods) {
      if (clash(method)) return;
    }
    for (const std::string& method : methods) taken.emplace(method, trigger.place);
  }

  static bool SameEvents(const S3Trigger& a, const S3Trigger& b) {
    const auto covers = [](const std::string& pattern, const std::string& event) {
      return pattern == event ||
             (pattern.back() == '*' && event.compare(0, pattern.size() - 1, pattern, 0, pattern.size() - 1) == 0);
    };
    return std::any_of(a.events.begin(), a.events.end(), [&](const std::string& one) {
      return std::any_of(b.events.begin(), b.events.end(),
                         [&](const std::string& other) { return covers(one, other) || covers(other, one); });
    });
  }

  void CheckRules(const Trigger& trigger, const S3Trigger& s3) {
    const auto begins = [](const std::string& a, const std::string& b) { return a.starts_with(b) || b.starts_with(a); };
    const auto ends = [](const std::string& a, const std::string& b) { return a.ends_with(b) || b.ends_with(a); };
    std::vector<std::pair<S3Trigger, Place>>& taken = buckets_[s3.bucket];
    for (const auto& [other, place] : taken) {
      if (!SameEvents(s3, other) || !begins(s3.prefix, other.prefix) || !ends(s3.suffix, other.suffix)) continue;
      return Wrong(
          trigger.place,
          "rules of the bucket " + s3.bucket + " overlap: an object can meet these and those in " + PlaceText(place),
          "choose prefixes or suffixes of which no key has both");
    }
    taken.emplace_back(s3, trigger.place);
  }

  std::vector<Error>* const errors_;
  std::vector<Trigger> triggers_;
  std::map<std::string, std::map<std::string, const Place>> routes_;  // by shape, then method
  std::map<std::string, std::vector<std::pair<S3Trigger, Place>>> buckets_;
};

}  // namespace

std::vector<Trigger> ReadTriggers(const Node& tree, std::vector<Error>* errors) {
  return Reader(errors).Read(tree);
}

std::string KindOf(const Trigger& trigger) {
  if (const PluginTrigger* const other = std::get_if<PluginTrigger>(&trigger.what)) return other->kind;
  if (std::holds_alternative<HttpTrigger>(trigger.what)) return "http";
  return std::holds_alternative<S3Trigger>(trigger.what) ? "s3" : "schedule";
}

Passed PassedBy(const Trigger& trigger) {
  if (std::holds_alternative<PluginTrigger>(trigger.what)) return {0, SIZE_MAX, "(event)"};  // its plugin knows
  // on_http keeps the shape it had before there were requests.
  if (trigger.function == "on_http" && std::holds_alternative<HttpTrigger>(trigger.what)) {
    return {3, 3, "(method, path, event)"};
  }
  if (std::holds_alternative<HttpTrigger>(trigger.what)) return {1, 1, "(request)"};
  if (std::holds_alternative<S3Trigger>(trigger.what)) return {3, 3, "(bucket, key, event)"};
  return {0, 1, "(event)"};
}

std::optional<std::string> WrongRoute(std::string_view path) {
  if (path.empty() || path[0] != '/') return "does not begin with /";
  if (path.size() > 1024) return "is longer than 1024 bytes";
  if (path == "/") return std::nullopt;
  std::set<std::string_view> names;
  const std::vector<std::string_view> segments = Segments(path);
  for (size_t i = 0; i < segments.size(); ++i) {
    const std::string_view segment = segments[i];
    if (segment.empty()) return path.back() == '/' ? "ends with /" : "has an empty segment: //";
    if (segment == "." || segment == "..") return "has the segment " + std::string(segment);
    if (segment.front() == '{' && segment.back() == '}' && segment.size() > 2) {
      std::string_view name = segment.substr(1, segment.size() - 2);
      if (name.back() == '+') {
        if (i + 1 < segments.size()) return "has " + std::string(segment) + " before its end";
        name.remove_suffix(1);
      }
      if (name.empty() || (name[0] >= '0' && name[0] <= '9') || !std::all_of(name.begin(), name.end(), IsNameChar)) {
        return "has a parameter with a bad name: " + std::string(segment);
      }
      if (!names.insert(name).second) return "has the parameter {" + std::string(name) + "} twice";
      continue;
    }
    for (const char c : segment) {
      if (c == '{' || c == '}') return "has a parameter that is no whole segment: " + std::string(segment);
      if (static_cast<unsigned char>(c) <= ' ' || c == '?' || c == '#' || c == '%' || c == 0x7f) {
        return "has a character that no segment holds: space, ?, # and % cannot be matched";
      }
    }
  }
  return std::nullopt;
}

}  // namespace teal::config
