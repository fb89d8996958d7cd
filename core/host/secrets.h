// "teal.host.secrets/1": where secrets come from. A plugin gets only those its own section names as `${secret:NAME}`.
#pragma once

#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.h"
#include "teal/abi.h"

namespace teal::host {

inline constexpr size_t kSecretNameBytesMax = 128;
inline constexpr size_t kSecretBytesMax = 64 * 1024;

// Thread-safe.
class SecretSource {
 public:
  virtual ~SecretSource() = default;
  // nullopt: this source has none of that name. A Failure's message never holds a part of a secret.
  virtual Result<std::optional<std::string>> Get(const std::string& name) = 0;
};

// The variable TEAL_SECRET_<NAME>, the name in capitals with `_` for every other character.
std::shared_ptr<SecretSource> MakeEnvironmentSecrets();
// The file <folder>/<name>; one line end at its end is not part of the secret. A file others may read is refused.
std::shared_ptr<SecretSource> MakeFileSecrets(std::string folder);
// The first that has it.
std::shared_ptr<SecretSource> MakeSecretChain(std::vector<std::shared_ptr<SecretSource>> sources);
// Environment, then the folder $TEAL_SECRETS_DIR if it is set.
std::shared_ptr<SecretSource> DefaultSecrets();

// [A-Za-z0-9._-]+, not beginning with a dot, at most kSecretNameBytesMax.
bool IsSecretName(std::string_view name);
// The names in every string of a section (JSON) of the form ${secret:NAME}, at any depth.
std::set<std::string> SecretsNamedIn(std::string_view config_json);

// The table for Services.
const teal_secrets* SecretsTable();

}  // namespace teal::host
