// Where keys come from, in this order, the first that is configured:
//   1. `credentials` of the plugin's section
//   2. `profile` of the plugin's section
//   3. AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN
//   4. AWS_WEB_IDENTITY_TOKEN_FILE and AWS_ROLE_ARN (EKS, GitHub Actions): STS AssumeRoleWithWebIdentity
//   5. the profile AWS_PROFILE or "default" of the shared files, if it has keys or a role
//   6. AWS_CONTAINER_CREDENTIALS_RELATIVE_URI or _FULL_URI (ECS, EKS Pod Identity, Lambda's own are 3)
//   7. the instance's role: IMDSv2, unless AWS_EC2_METADATA_DISABLED is true
// A profile may hold keys, role_arn with web_identity_token_file, or role_arn with a source_profile that holds keys.
// Not offered, and said so by name: credential_process, credential_source, SSO, MFA, chains of roles.
#pragma once

#include <string>
#include <variant>

#include "plugins/aws/config.hpp"
#include "plugins/aws/http.hpp"

namespace teal::aws {

struct WebIdentity {
  std::string role_arn;
  std::string token_file;
  std::string session_name;
};
struct AssumeRole {
  std::string role_arn;
  std::string external_id;
  std::string session_name;
  SigningKeys keys;
};
struct ContainerEndpoint {
  std::string url;
  std::string authorization;
  std::string authorization_file;
};
struct InstanceMetadata {
  std::string url;
};
using CredentialSource = std::variant<SigningKeys, WebIdentity, AssumeRole, ContainerEndpoint, InstanceMetadata>;

// Reads the shared files. Sends nothing.
Result<CredentialSource> ChooseSource(const Config& config, const Environment& environment);

// Asks the source. `sts_endpoint` and `region` are for those that go through STS. Messages hold no keys.
Task<Result<Credentials>> Fetch(Operation& operation, const CredentialSource& source, const std::string& sts_endpoint,
                                const std::string& region);

}  // namespace teal::aws
