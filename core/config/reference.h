// `${env:NAME}` and `${secret:NAME}` in strings of teal.yaml. They stay as written in the tree and get their value when
// the string is used; `$${` is a plain `${`.
#pragma once

#include <map>
#include <optional>
#include <ostream>
#include <string>
#include <variant>
#include <vector>

#include "core/config/tree.h"

namespace teal::config {

inline constexpr size_t kSecretBytesMax = 64 * 1024;
inline constexpr int kSecretCommandSecondsMax = 30;

// A text that must not be shown: streams print ***, and its memory is wiped. Use() where the value itself is needed.
class Secret {
 public:
  explicit Secret(std::string text) : text_(std::move(text)) {}
  Secret(const Secret&) = default;
  Secret& operator=(const Secret&) = default;
  ~Secret();
  const std::string& Use() const { return text_; }
  friend std::ostream& operator<<(std::ostream& out, const Secret&) { return out << "***"; }

 private:
  std::string text_;
};

// Strings whose references cannot be read, or name no kind of reference.
std::vector<Error> CheckReferences(const Node& root);

// Whether a source of the form {command: […]} may run its command: in serve, run and deploy.
enum class Commands { kRefused, kRun };

// Gives strings of the tree their values. Not thread-safe. The tree outlives it.
class Resolver {
 public:
  // `root` has passed CheckSchema. folder: where teal.yaml stands, absolute.
  Resolver(const Node& root, std::string folder, Commands commands);

  // The text of a string with every reference replaced. An Error holds the place of the string.
  std::variant<Secret, Error> Text(const Node& string);
  // The secret `name` of the section `secrets`; if it is not there, of the environment variable TEAL_SECRET_<NAME> or
  // the folder TEAL_SECRETS_DIR. `asked`: the place for an Error.
  std::variant<Secret, Error> SecretOf(const std::string& name, const Place& asked);

 private:
  std::variant<Secret, Error> EnvironmentOf(const std::string& name, const Place& asked);
  std::variant<Secret, Error> FromSource(const std::string& name, const Node& source, const Place& asked);
  // The variables of env_file, read once.
  std::optional<Error> ReadEnvFile();

  const Node& root_;
  const std::string folder_;
  const Commands commands_;
  bool env_file_read_ = false;
  std::map<std::string, Secret> env_file_;
};

}  // namespace teal::config
