#include "core/host/secrets.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstdlib>

#include "core/host/call.h"
#include "core/host/file.h"
#include "core/host/json.h"
#include "core/host/services.h"

namespace teal::host {
namespace {

bool IsWordChar(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

class EnvironmentSecrets : public SecretSource {
 public:
  Result<std::optional<std::string>> Get(const std::string& name) override {
    std::string variable = "TEAL_SECRET_";
    for (const char c : name)
      variable += IsWordChar(c) ? (c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c) : '_';
    const char* const value = std::getenv(variable.c_str());
    if (value == nullptr) return std::optional<std::string>();
    std::string secret = value;
    if (secret.size() > kSecretBytesMax) return Fail(FailureCode::kTooLarge, variable + " is longer than 64 KiB");
    return std::optional(std::move(secret));
  }
};

class FileSecrets : public SecretSource {
 public:
  explicit FileSecrets(std::string folder) : folder_(std::move(folder)) {}

  Result<std::optional<std::string>> Get(const std::string& name) override {
    const std::string path = folder_ + "/" + name;
    struct stat status{};
    if (::stat(path.c_str(), &status) != 0) {
      if (errno == ENOENT || errno == ENOTDIR) return std::optional<std::string>();
      return Fail(FailureCode::kUnavailable, path + " cannot be read: " + ErrnoText(errno));
    }
    if ((status.st_mode & (S_IRWXO | S_IWGRP)) != 0) {
      return Fail(FailureCode::kInvalid, path + " is open to others; run: chmod o-rwx,g-w '" + path + "'");
    }
    Result<std::string> text = ReadSmallFile(path, kSecretBytesMax);
    if (!text) return text.failure();
    if (!text->empty() && text->back() == '\n') text->pop_back();
    if (!text->empty() && text->back() == '\r') text->pop_back();
    return std::optional(std::move(text).value());
  }

 private:
  const std::string folder_;
};

class SecretChain : public SecretSource {
 public:
  explicit SecretChain(std::vector<std::shared_ptr<SecretSource>> sources) : sources_(std::move(sources)) {}

  Result<std::optional<std::string>> Get(const std::string& name) override {
    for (const auto& source : sources_) {
      Result<std::optional<std::string>> found = source->Get(name);
      if (!found || found.value().has_value()) return found;
    }
    return std::optional<std::string>();
  }

 private:
  const std::vector<std::shared_ptr<SecretSource>> sources_;
};

void Collect(const Json& json, std::set<std::string>* names) {
  constexpr std::string_view kBegin = "${secret:";
  if (json.is_string()) {
    const auto& text = json.get_ref<const std::string&>();
    for (size_t at = text.find(kBegin); at != std::string::npos; at = text.find(kBegin, at + 1)) {
      const size_t end = text.find('}', at);
      if (end == std::string::npos) return;
      const std::string name = text.substr(at + kBegin.size(), end - at - kBegin.size());
      if (IsSecretName(name)) names->insert(name);
    }
  }
  if (!json.is_structured()) return;
  for (const Json& item : json) Collect(item, names);
}

teal_status TEAL_CALL GetSecret(const teal_host* host, const teal_call* call, teal_bytes name) {
  const HostContext& context = ContextOf(host);
  const std::string wanted(ViewOf(name));
  if (!IsSecretName(wanted)) {
    EndWith(call, TEAL_INVALID, "a secret's name is letters, digits, '.', '_' and '-', at most 128");
  } else if (context.secrets.count(wanted) == 0) {
    EndWith(call, TEAL_DENIED,
            "the section of plugin \"" + context.plugin_id + "\" does not name ${secret:" + wanted + "}");
  } else {
    const Result<std::optional<std::string>> found = context.services->secrets()->Get(wanted);
    if (!found) {
      EndWith(call, TEAL_UNAVAILABLE, "the secret " + wanted + ": " + found.failure().message);
    } else if (!found.value()) {
      EndWith(call, TEAL_NOT_FOUND,
              "there is no secret " + wanted + "; set it in the environment or as a file in TEAL_SECRETS_DIR");
    } else {
      context.services->log().Hide(*found.value());
      const teal_bytes bytes = BytesOf(*found.value());
      End(call, &bytes);
    }
  }
  return TEAL_OK;
}

}  // namespace

std::shared_ptr<SecretSource> MakeEnvironmentSecrets() {
  return std::make_shared<EnvironmentSecrets>();
}

std::shared_ptr<SecretSource> MakeFileSecrets(std::string folder) {
  return std::make_shared<FileSecrets>(std::move(folder));
}

std::shared_ptr<SecretSource> MakeSecretChain(std::vector<std::shared_ptr<SecretSource>> sources) {
  return std::make_shared<SecretChain>(std::move(sources));
}

std::shared_ptr<SecretSource> DefaultSecrets() {
  std::vector<std::shared_ptr<SecretSource>> sources = {MakeEnvironmentSecrets()};
  const char* const folder = std::getenv("TEAL_SECRETS_DIR");
  if (folder != nullptr && folder[0] != '\0') sources.push_back(MakeFileSecrets(AbsolutePath(folder)));
  return MakeSecretChain(std::move(sources));
}

bool IsSecretName(std::string_view name) {
  if (name.empty() || name.size() > kSecretNameBytesMax || name[0] == '.') return false;
  for (const char c : name) {
    if (!IsWordChar(c) && c != '.' && c != '_' && c != '-') return false;
  }
  return true;
}

std::set<std::string> SecretsNamedIn(std::string_view config_json) {
  std::set<std::string> names;
  const Result<Json> json = ParseJson(config_json);
  if (json) Collect(json.value(), &names);
  return names;
}

const teal_secrets* SecretsTable() {
  static const teal_secrets table = {sizeof(teal_secrets), 0, GetSecret};
  return &table;
}

}  // namespace teal::host
