#include "plugins/k8s/config.hpp"

#include <libpq-fe.h>

#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>

#include "plugins/common/config.hpp"

namespace teal::k8s {
namespace {

using nlohmann::json;

struct OptionsDeleter {
  void operator()(PQconninfoOption* options) const noexcept { PQconninfoFree(options); }
};
using Options = std::unique_ptr<PQconninfoOption, OptionsDeleter>;

bool Wrong(plugin::Error& error, const std::string& text) {
  error = {TEAL_INVALID, text, TEAL_NOT_APPLIED, 0, 0};
  return false;
}

std::string Value(const Options& options, std::string_view keyword) {
  for (const PQconninfoOption* option = options.get(); option->keyword != nullptr; ++option) {
    if (keyword == option->keyword && option->val != nullptr) return option->val;
  }
  return {};
}

// libpq's own words about a url may quote it, with pieces of a password that was not encoded: they are not passed on.
bool CheckUrl(const std::string& key, const std::string& url, plugin::Error& error) {
  const std::string advice = "; percent-encode special characters of user and password, as in p%40ss";
  char* reason = nullptr;
  const Options options(PQconninfoParse(url.c_str(), &reason));
  PQfreemem(reason);
  if (!options) return Wrong(error, key + ": is not what libpq reads (postgresql://user@host:port/database)" + advice);
  const std::string port = Value(options, "port");
  const bool numbers = std::all_of(port.begin(), port.end(), [](char c) { return (c >= '0' && c <= '9') || c == ','; });
  if (!numbers) return Wrong(error, key + ": its port is no number" + advice);
  const std::string host = Value(options, "host");
  const std::string database = Value(options, "dbname");
  if (host.find('@') != std::string::npos || database.find('@') != std::string::npos) {
    return Wrong(error, key + ": has an @ within host or database" + advice);
  }
  return true;
}

bool ReadText(const json& section, const char* key, std::string& out, plugin::Error& error) {
  const auto found = section.find(key);
  if (found == section.end()) return true;
  if (!found->is_string() || found->get_ref<const std::string&>().empty()) {
    return Wrong(error, std::string(key) + ": must be a text that is not empty");
  }
  out = found->get<std::string>();
  if (out.find('\0') != std::string::npos) return Wrong(error, std::string(key) + ": holds a zero byte");
  return true;
}

bool ReadNumber(const json& section, const char* key, int low, int high, int& out, plugin::Error& error) {
  const auto found = section.find(key);
  if (found == section.end()) return true;
  if (!found->is_number_integer() || *found < low || *found > high) {
    return Wrong(error, std::string(key) + ": must be a whole number from " + std::to_string(low) + " to " +
                            std::to_string(high));
  }
  out = found->get<int>();
  return true;
}

bool ReadSchema(const json& section, Config& out, plugin::Error& error) {
  if (!ReadText(section, "schema", out.schema, error)) return false;
  const auto letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; };
  const auto inner = [&](char c) { return letter(c) || (c >= '0' && c <= '9'); };
  if (out.schema.size() > 48 || !letter(out.schema[0]) || !std::all_of(out.schema.begin(), out.schema.end(), inner) ||
      out.schema.starts_with("pg_")) {
    return Wrong(error,
                 "schema: must be 1 to 48 letters, digits and underscores, not begin with a digit, and not with pg_");
  }
  return true;
}

}  // namespace

bool ReadConfig(std::string_view text, Config& out, plugin::Error& error) {
  json section;
  const auto refused = plugin::ParseConfig(
      text,
      {"url", "direct_url", "password_secret", "schema", "pool_size", "connect_timeout_ms", "statement_timeout_ms"},
      section);
  if (refused) {
    error = *refused;
    return false;
  }
  if (!section.contains("url")) {
    return Wrong(error, "url is missing: where PostgreSQL is, as in postgresql://teal@db.example:5432/teal");
  }
  return ReadText(section, "url", out.url, error) && ReadText(section, "direct_url", out.direct_url, error) &&
         ReadText(section, "password_secret", out.password_secret, error) && ReadSchema(section, out, error) &&
         ReadNumber(section, "pool_size", 1, 64, out.pool_size, error) &&
         ReadNumber(section, "connect_timeout_ms", 100, 60000, out.connect_timeout_ms, error) &&
         ReadNumber(section, "statement_timeout_ms", 100, 600000, out.statement_timeout_ms, error) &&
         CheckUrl("url", out.url, error) && (out.direct_url.empty() || CheckUrl("direct_url", out.direct_url, error));
}

std::string WithoutPassword(std::string text, const Config& config, const std::string& url) {
  const Options options(PQconninfoParse(url.c_str(), nullptr));
  for (const std::string& secret : {config.password, options ? Value(options, "password") : std::string()}) {
    if (secret.empty()) continue;
    for (std::size_t at = 0; (at = text.find(secret, at)) != std::string::npos; at += 3) {
      text.replace(at, secret.size(), "***");
    }
  }
  return text;
}

}  // namespace teal::k8s
