#include "core/config/reference.h"

#include <string.h>

#include <cstdlib>
#include <filesystem>
#include <sstream>

#include "core/config/schema.h"
#include "core/config/secret_command.h"
#include "core/host/file.h"
#include "core/host/secrets.h"

namespace teal::config {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kEnv = "env";
constexpr std::string_view kSecret = "secret";

// A piece of a string: plain text, or the kind and the name of a reference.
struct Piece {
  std::string kind;  // empty: plain
  std::string text;
};

// The pieces of the string; or what is wrong with it.
std::variant<std::vector<Piece>, Error> Split(const Node& node) {
  const std::string& text = node.text;
  std::vector<Piece> pieces;
  std::string plain;
  for (size_t at = 0; at < text.size();) {
    if (text.compare(at, 3, "$${") == 0) {
      plain += "${";
      at += 3;
      continue;
    }
    if (text.compare(at, 2, "${") != 0) {
      plain += text[at++];
      continue;
    }
    const size_t end = text.find('}', at);
    const size_t colon = text.find(':', at);
    const std::string hint = "write ${env:NAME} or ${secret:NAME}, or $${ for a plain ${";
    if (end == std::string::npos) return ErrorAt(node.place, "a reference has no end: the } is missing", hint);
    if (colon == std::string::npos || colon > end) return ErrorAt(node.place, "a reference names no kind", hint);
    Piece piece{text.substr(at + 2, colon - at - 2), text.substr(colon + 1, end - colon - 1)};
    if (piece.kind != kEnv && piece.kind != kSecret) {
      Error error = UnknownName(node.place, "kind of reference", piece.kind, {std::string(kEnv), std::string(kSecret)});
      error.hint = hint;
      return error;
    }
    if (!host::IsSecretName(piece.text)) {
      return ErrorAt(node.place, "a reference has a name of other than letters, digits, `.`, `_` and `-`", hint);
    }
    if (!plain.empty()) pieces.push_back({"", std::move(plain)});
    plain.clear();
    pieces.push_back(std::move(piece));
    at = end + 1;
  }
  if (!plain.empty()) pieces.push_back({"", std::move(plain)});
  return pieces;
}

void Collect(const Node& node, std::vector<Error>* errors) {
  if (errors->size() >= kErrorsMax) return;
  if (node.kind == Kind::kString && node.text.find("${") != std::string::npos) {
    auto pieces = Split(node);
    if (Error* const error = std::get_if<Error>(&pieces)) errors->push_back(std::move(*error));
  }
  for (const Node& item : node.items) Collect(item, errors);
  for (const Entry& entry : node.entries) Collect(entry.value, errors);
}

std::variant<Secret, Error> Checked(std::string text, const std::string& name, const Place& asked) {
  if (text.size() > kSecretBytesMax) {
    return ErrorAt(asked, "the secret `" + name + "` is longer than 64 KiB", "keep data out of secrets");
  }
  return Secret(std::move(text));
}

}  // namespace

Secret::~Secret() {
  ::explicit_bzero(text_.data(), text_.size());
}

std::vector<Error> CheckReferences(const Node& root) {
  std::vector<Error> errors;
  Collect(root, &errors);
  return errors;
}

Resolver::Resolver(const Node& root, std::string folder, Commands commands)
    : root_(root), folder_(std::move(folder)), commands_(commands) {}

std::variant<Secret, Error> Resolver::Text(const Node& string) {
  if (string.kind != Kind::kString) return Secret(string.text);
  auto pieces = Split(string);
  if (Error* const error = std::get_if<Error>(&pieces)) return std::move(*error);
  std::string text;
  for (const Piece& piece : std::get<0>(pieces)) {
    if (piece.kind.empty()) {
      text += piece.text;
      continue;
    }
    auto value = piece.kind == kEnv ? EnvironmentOf(piece.text, string.place) : SecretOf(piece.text, string.place);
    if (Error* const error = std::get_if<Error>(&value)) return std::move(*error);
    text += std::get<Secret>(value).Use();
  }
  Secret whole(text);
  ::explicit_bzero(text.data(), text.size());
  return whole;
}

std::optional<Error> Resolver::ReadEnvFile() {
  const Node* const file = root_.Find("env_file");
  if (env_file_read_ || file == nullptr) return std::nullopt;
  const Result<std::string> text =
      host::ReadSmallFile((fs::path(folder_) / file->text).string(), runtime::kConfigBytesMax);
  if (!text) return ErrorAt(file->place, "env_file: " + text.failure().message, "write the file, or drop env_file");
  std::istringstream in(text.value());
  std::string line;
  for (int number = 1; std::getline(in, line); ++number) {
    while (!line.empty() && (line.back() == '\r' || line.back() == ' ')) line.pop_back();
    const size_t begin = line.find_first_not_of(" \t");
    if (begin == std::string::npos || line[begin] == '#') continue;
    const size_t equals = line.find('=', begin);
    if (equals == std::string::npos) {
      Place place{std::make_shared<const std::string>((fs::path(folder_) / file->text).string()), number, 1};
      return ErrorAt(place, "is no NAME=value", "write a variable a line; # begins a comment");
    }
    std::string value = line.substr(equals + 1);
    if (value.size() >= 2 && value.front() == value.back() && (value[0] == '"' || value[0] == '\'')) {
      value = value.substr(1, value.size() - 2);
    }
    env_file_.insert_or_assign(line.substr(begin, equals - begin), Secret(std::move(value)));
  }
  env_file_read_ = true;
  return std::nullopt;
}

std::variant<Secret, Error> Resolver::EnvironmentOf(const std::string& name, const Place& asked) {
  if (const char* const value = std::getenv(name.c_str())) return Secret(value);
  if (std::optional<Error> error = ReadEnvFile()) return std::move(*error);
  const auto found = env_file_.find(name);
  if (found != env_file_.end()) return found->second;
  return ErrorAt(asked, "the environment variable " + name + " is not set", "set it, or write it into env_file");
}

std::variant<Secret, Error> Resolver::SecretOf(const std::string& name, const Place& asked) {
  const Node* const sources = root_.Find("secrets");
  if (const Node* const source = sources == nullptr ? nullptr : sources->Find(name)) {
    return FromSource(name, *source, asked);
  }
  const Result<std::optional<std::string>> found = host::DefaultSecrets()->Get(name);
  if (!found) return ErrorAt(asked, found.failure().message, "correct the source of the secret");
  if (found.value().has_value()) return Secret(*found.value());
  std::vector<std::string> known;
  if (sources != nullptr) {
    for (const Entry& entry : sources->entries) known.push_back(entry.key);
  }
  Error error = UnknownName(asked, "secret", name, known);
  error.hint = "write below secrets where " + name + " comes from: env, file or command";
  return error;
}

std::variant<Secret, Error> Resolver::FromSource(const std::string& name, const Node& source, const Place& asked) {
  if (const Node* const env = source.Find("env")) return EnvironmentOf(env->text, env->place);
  if (const Node* const file = source.Find("file")) {
    const fs::path path = fs::path(folder_) / file->text;
    const auto in_folder = host::MakeFileSecrets(path.parent_path().string());
    const Result<std::optional<std::string>> found = in_folder->Get(path.filename().string());
    if (!found) return ErrorAt(file->place, found.failure().message, "correct the file of the secret `" + name + "`");
    if (found.value().has_value()) return Checked(*found.value(), name, file->place);
    return ErrorAt(file->place, "there is no file " + path.string() + " for the secret `" + name + "`", "write it");
  }
  const Node* const command = source.Find("command");
  if (commands_ == Commands::kRefused) {
    return ErrorAt(asked, "the secret `" + name + "` comes from a command, and none is run here",
                   "commands run in teal serve, run and deploy only");
  }
  std::vector<std::string> words;
  for (const Node& word : command->items) words.push_back(word.text);
  Result<std::string> printed = RunSecretCommand(words, folder_);
  if (!printed) {
    return ErrorAt(command->place, "the command of the secret `" + name + "` " + printed.failure().message,
                   "try it in a shell, in the folder of teal.yaml");
  }
  return Secret(std::move(*printed));
}

}  // namespace teal::config
