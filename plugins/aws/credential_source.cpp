#include "plugins/aws/credential_source.hpp"

#include "plugins/aws/profiles.hpp"

namespace teal::aws {
namespace {

constexpr const char* kSessionName = "teal";

std::string Get(const Profile& profile, const std::string& key) {
  const auto at = profile.find(key);
  return at == profile.end() ? std::string() : at->second;
}

SigningKeys KeysOf(const Profile& profile) {
  return {Get(profile, "aws_access_key_id"), Get(profile, "aws_secret_access_key"), Get(profile, "aws_session_token")};
}

bool Whole(const SigningKeys& keys) {
  return !keys.access_key_id.empty() && !keys.secret_access_key.empty();
}

Result<CredentialSource> FromRole(const Profiles& profiles, const std::string& name, const Profile& profile) {
  const std::string role = Get(profile, "role_arn");
  std::string session = Get(profile, "role_session_name");
  if (session.empty()) session = kSessionName;
  const std::string where = "aws: the profile \"" + name + "\"";
  if (const std::string file = Get(profile, "web_identity_token_file"); !file.empty()) {
    return CredentialSource(WebIdentity{role, file, session});
  }
  if (!Get(profile, "mfa_serial").empty()) return Error{TEAL_INVALID, where + " wants MFA, which is not offered"};
  const std::string source = Get(profile, "source_profile");
  if (source.empty()) {
    return Error{TEAL_INVALID, where +
                                   " has role_arn without source_profile or web_identity_token_file; "
                                   "credential_source is not offered"};
  }
  const auto at = profiles.find(source);
  const SigningKeys keys = at == profiles.end() ? SigningKeys{} : KeysOf(at->second);
  if (!Whole(keys)) {
    return Error{TEAL_INVALID, where + " names source_profile \"" + source +
                                   "\", which holds no keys; chains of roles are not offered"};
  }
  return CredentialSource(AssumeRole{role, Get(profile, "external_id"), session, keys});
}

// Nothing if the profile says nothing about credentials.
Result<std::optional<CredentialSource>> FromProfile(const Config& config, const Environment& environment) {
  using Found = std::optional<CredentialSource>;
  const std::string name = ProfileName(config, environment);
  const bool asked_for = !config.profile.empty() || environment("AWS_PROFILE");
  auto profiles = ReadProfiles(environment);
  if (!profiles) return profiles.error();
  const auto at = profiles->find(name);
  if (at == profiles->end()) {
    if (!asked_for) return Found();
    return Error{TEAL_INVALID, "aws: there is no profile \"" + name + "\" in ~/.aws/config or ~/.aws/credentials"};
  }
  const Profile& profile = at->second;
  if (!Get(profile, "role_arn").empty()) {
    auto role = FromRole(*profiles, name, profile);
    if (!role) return role.error();
    return Found(std::move(*role));
  }
  if (const SigningKeys keys = KeysOf(profile); Whole(keys)) return Found(keys);
  for (const char* key : {"credential_process", "sso_session", "sso_start_url", "login_session"}) {
    if (Get(profile, key).empty()) continue;
    return Error{TEAL_INVALID, "aws: the profile \"" + name + "\" uses " + key +
                                   ", which is not offered; export its keys into the environment"};
  }
  if (!config.profile.empty())
    return Error{TEAL_INVALID, "aws: the profile \"" + name + "\" holds no keys and no role"};
  return Found();
}

// Plain HTTP only to where AWS's agents listen: the token would be read on the way.
Result<CredentialSource> FromContainer(const Environment& environment, const std::string& url) {
  std::string_view host, path, query;
  const bool valid = SplitUrl(url, host, path, query);
  std::string_view name = host;
  if (!name.starts_with('[')) name = name.substr(0, name.find(':'));
  const bool local = name == "localhost" || name.starts_with("127.") || name == "169.254.170.2" ||
                     name == "169.254.170.23" || host.starts_with("[::1]") || host.starts_with("[fd00:ec2::23]");
  if (!valid || (!url.starts_with("https://") && !local)) {
    return Error{TEAL_INVALID, "aws: AWS_CONTAINER_CREDENTIALS_FULL_URI must be https, or http on this machine"};
  }
  return CredentialSource(ContainerEndpoint{url, environment("AWS_CONTAINER_AUTHORIZATION_TOKEN").value_or(""),
                                            environment("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE").value_or("")});
}

}  // namespace

Result<CredentialSource> ChooseSource(const Config& config, const Environment& environment) {
  if (!config.access_key_id.empty()) {
    return CredentialSource(SigningKeys{config.access_key_id, config.secret_access_key, config.session_token});
  }
  if (config.profile.empty()) {
    const auto id = environment("AWS_ACCESS_KEY_ID");
    const auto secret = environment("AWS_SECRET_ACCESS_KEY");
    if (id && secret) return CredentialSource(SigningKeys{*id, *secret, environment("AWS_SESSION_TOKEN").value_or("")});
    if (id || secret) {
      return Error{TEAL_INVALID, "aws: of AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY only one is set"};
    }
    const auto token_file = environment("AWS_WEB_IDENTITY_TOKEN_FILE");
    const auto role = environment("AWS_ROLE_ARN");
    if (token_file && role) {
      return CredentialSource(
          WebIdentity{*role, *token_file, environment("AWS_ROLE_SESSION_NAME").value_or(kSessionName)});
    }
  }
  auto profile = FromProfile(config, environment);
  if (!profile) return profile.error();
  if (*profile) return std::move(**profile);
  if (const auto path = environment("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI")) {
    return FromContainer(environment, "http://169.254.170.2" + *path);
  }
  if (const auto url = environment("AWS_CONTAINER_CREDENTIALS_FULL_URI")) return FromContainer(environment, *url);
  if (environment("AWS_EC2_METADATA_DISABLED").value_or("") == "true") {
    return Error{
        TEAL_DENIED,
        "aws: no credentials found: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or a profile, or give the "
        "machine a role"};
  }
  std::string url = config.imds_endpoint;
  if (url.empty()) url = environment("AWS_EC2_METADATA_SERVICE_ENDPOINT").value_or("http://169.254.169.254");
  while (!url.empty() && url.back() == '/') url.pop_back();
  return CredentialSource(InstanceMetadata{url});
}

}  // namespace teal::aws
