#include "answers.hpp"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <optional>

#include "text.hpp"

namespace teal::http {
namespace {

using Json = nlohmann::json;

constexpr std::array<std::string_view, 8> kOfTheConnection = {
    "connection", "content-length", "date", "keep-alive", "trailer", "transfer-encoding", "upgrade", "te"};

Answer Unfit(const std::string& why, const std::string& sid) {
  Answer answer = ErrorAnswer(500, "bad_answer", why);
  if (sid.empty()) return answer;
  answer.body.pop_back();
  answer.body += ",\"sid\":" + JsonString(sid) + "}";
  return answer;
}

std::string Dump(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

// As a header has it: texts, numbers, booleans.
std::optional<std::string> Scalar(const Json& value) {
  if (value.is_string()) return value.get<std::string>();
  if (value.is_number() || value.is_boolean()) return Dump(value);
  return std::nullopt;
}

bool IsOfTheConnection(const std::string& lower_name) {
  return std::find(kOfTheConnection.begin(), kOfTheConnection.end(), lower_name) != kOfTheConnection.end();
}

// Empty, or what is wrong.
std::string AddHeaders(const Json& headers, Answer* answer) {
  if (headers.is_null()) return "";
  if (!headers.is_object()) return "`headers` of the answer is no hash";
  for (const auto& [name, value] : headers.items()) {
    const std::string lower = Lower(name);
    if (value.is_null() || IsOfTheConnection(lower)) continue;
    for (const Json& one : value.is_array() ? value : Json::array({value})) {
      const std::optional<std::string> text = Scalar(one);
      if (!text || !IsSendable(lower, *text))
        return "a header of the answer has a name or a value that HTTP does not have";
      answer->headers.emplace_back(lower, *text);
    }
  }
  return "";
}

std::string AddCookies(const Json& cookies, Answer* answer) {
  if (cookies.is_null()) return "";
  if (!cookies.is_array()) return "`cookies` of the answer is no list";
  for (const Json& cookie : cookies) {
    if (!cookie.is_string() || !IsSendable("set-cookie", cookie.get<std::string>())) {
      return "a cookie of the answer is no text that a header can hold";
    }
    answer->headers.emplace_back("set-cookie", cookie.get<std::string>());
  }
  return "";
}

void AddType(std::string_view type, Answer* answer) {
  const auto is_type = [](const auto& header) { return header.first == "content-type"; };
  if (std::any_of(answer->headers.begin(), answer->headers.end(), is_type)) return;
  answer->headers.emplace_back("content-type", type);
}

Answer WholeAnswer(const Json& value, const Json& status, const std::string& sid) {
  const auto part = [&](const char* key) {
    const auto at = value.find(key);
    return at == value.end() ? Json() : *at;
  };
  Answer answer;
  // As an integer, or as a float without a fraction.
  const double number = status.is_number() ? status.get<double>() : 0;
  answer.status = number >= 200 && number <= 599 ? static_cast<int>(number) : 0;
  if (answer.status == 0 || answer.status != number) return Unfit("the answer has no status from 200 to 599", sid);
  for (const char* const key : {"headers", "multiValueHeaders"}) {
    const std::string wrong = AddHeaders(part(key), &answer);
    if (!wrong.empty()) return Unfit(wrong, sid);
  }
  const std::string wrong = AddCookies(part("cookies"), &answer);
  if (!wrong.empty()) return Unfit(wrong, sid);
  const Json body = part("body");
  const Json encoded = part("isBase64Encoded");
  if (body.is_string() && encoded.is_boolean() && encoded.get<bool>()) {
    std::optional<std::string> bytes = DecodeBase64(body.get_ref<const std::string&>(), false);
    if (!bytes) return Unfit("the body of the answer says it is Base64, and is not", sid);
    answer.body = std::move(*bytes);
    AddType("application/octet-stream", &answer);
  } else if (body.is_string()) {
    answer.body = body.get<std::string>();
    AddType("text/plain; charset=utf-8", &answer);
  } else if (!body.is_null()) {
    answer.body = Dump(body);
    AddType("application/json", &answer);
  }
  return answer;
}

}  // namespace

bool IsSendable(std::string_view name, std::string_view value) {
  const bool token = !name.empty() && std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
  });
  return token && std::all_of(value.begin(), value.end(), [](char c) {
           const auto byte = static_cast<unsigned char>(c);
           return (byte >= 0x20 && byte != 0x7f) || c == '\t';
         });
}

Answer AnswerOf(std::string_view value_json, const std::string& sid) {
  const std::string_view text = value_json.empty() ? "null" : value_json;
  // Only what may be a whole answer or a text is read: other JSON goes out as it is.
  if (text != "null" && text.front() != '{' && text.front() != '"') {
    return {200, {{"content-type", "application/json"}}, std::string(text)};
  }
  const Json value = Json::parse(text, nullptr, false);
  if (value.is_discarded()) return Unfit("the function's value is no JSON", sid);
  if (value.is_null()) return {204, {}, ""};
  if (value.is_string()) return {200, {{"content-type", "text/plain; charset=utf-8"}}, value.get<std::string>()};
  if (const auto code = value.find("statusCode"); code != value.end()) return WholeAnswer(value, *code, sid);
  const auto status = value.find("status");
  if (status != value.end() && status->is_number()) return WholeAnswer(value, *status, sid);
  return {200, {{"content-type", "application/json"}}, std::string(text)};
}

void AddCors(const Request& request, const Cors& cors, Answer* answer) {
  const bool any = std::find(cors.origins.begin(), cors.origins.end(), "*") != cors.origins.end();
  if (!any) answer->headers.emplace_back("vary", "origin");
  const std::string origin = request.Header("origin");
  if (origin.empty()) return;
  if (!any && std::find(cors.origins.begin(), cors.origins.end(), origin) == cors.origins.end()) return;
  answer->headers.emplace_back("access-control-allow-origin", any ? "*" : origin);
  if (cors.credentials) answer->headers.emplace_back("access-control-allow-credentials", "true");
  answer->headers.emplace_back("access-control-expose-headers", "location, retry-after");
}

Answer OptionsAnswer(const Request& request, const Cors* cors, const std::string& allow) {
  Answer answer;
  answer.status = 204;
  answer.headers = {{"allow", allow}};
  if (cors == nullptr) return answer;
  AddCors(request, *cors, &answer);
  const auto allows = [](const auto& header) { return header.first == "access-control-allow-origin"; };
  if (std::none_of(answer.headers.begin(), answer.headers.end(), allows)) return answer;
  if (!request.Has("access-control-request-method")) return answer;
  answer.headers.emplace_back("access-control-allow-methods", allow);
  std::string names;
  for (const std::string& name : cors->headers) names += (names.empty() ? "" : ", ") + name;
  if (!names.empty()) answer.headers.emplace_back("access-control-allow-headers", names);
  if (cors->max_age_s > 0) answer.headers.emplace_back("access-control-max-age", std::to_string(cors->max_age_s));
  return answer;
}

}  // namespace teal::http
