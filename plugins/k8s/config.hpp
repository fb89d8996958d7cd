// The plugin's section of teal.yaml. The manifest holds its JSON Schema; this reads it and says in words what is wrong.
#pragma once

#include <teal/plugin.hpp>

#include <string>
#include <string_view>

namespace teal::k8s {

struct Config {
  std::string url;         // postgresql://… or key=value words, as libpq takes them
  std::string direct_url;  // of the same database without a pooler between; empty = none
  std::string password_secret;
  std::string schema = "teal";
  int pool_size = 8;
  int connect_timeout_ms = 5000;
  int statement_timeout_ms = 10000;

  std::string password;  // what password_secret names; empty = what the url or libpq's own files say
};

// False = `error` says which key is wrong and why. No message holds any part of a url.
bool ReadConfig(std::string_view json, Config& out, plugin::Error& error);

// `text` without the password that `url` or the configuration gives, wherever it stands.
std::string WithoutPassword(std::string text, const Config& config, const std::string& url);

}  // namespace teal::k8s
