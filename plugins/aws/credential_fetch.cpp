#include <nlohmann/json.hpp>

#include "plugins/aws/credential_source.hpp"
#include "plugins/aws/encoding.hpp"
#include "plugins/aws/profiles.hpp"
#include "plugins/aws/xml.hpp"

namespace teal::aws {
namespace {

using Json = nlohmann::json;

constexpr uint64_t kMetadataTimeoutNs = 2'000'000'000;  // the instance's own service answers in milliseconds
constexpr uint64_t kAnswerBytesMax = 1 << 20;

std::string Text(const Json& object, const char* key) {
  const auto at = object.find(key);
  return at != object.end() && at->is_string() ? at->get<std::string>() : std::string();
}

Result<Credentials> Checked(Credentials credentials, const std::string& expiry, const std::string& who) {
  const auto expires = ParseTimestamp(expiry);
  if (credentials.keys.access_key_id.empty() || credentials.keys.secret_access_key.empty() || !expires) {
    return Error{TEAL_DENIED, "aws: " + who + " answered with something else than credentials"};
  }
  credentials.expires_unix_s = *expires;
  return credentials;
}

// The answer of the container's and the instance's service.
Result<Credentials> FromJson(const std::string& body, const std::string& who) {
  const Json json = Json::parse(body, nullptr, false);
  if (!json.is_object()) return Checked({}, "", who);
  return Checked({{Text(json, "AccessKeyId"), Text(json, "SecretAccessKey"), Text(json, "Token")}, 0},
                 Text(json, "Expiration"), who);
}

Result<HttpResponse> Answered(Result<HttpResponse> response, const std::string& who, const std::string& advice) {
  if (!response) {
    Error error = response.error();
    error.message = "aws: no credentials: " + who + ": " + error.message + advice;
    error.outcome = TEAL_NOT_APPLIED;
    return error;
  }
  if (response->status / 100 == 2) return response;
  const bool denied = response->status / 100 == 4 && response->status != 429;
  Error error{denied ? TEAL_DENIED : TEAL_UNAVAILABLE,
              "aws: no credentials: " + who + " answered " + std::to_string(response->status)};
  // STS says why in its XML; the others' bodies are left out, since nobody knows what they hold.
  if (const std::string why = XmlText(response->body, "Code"); !why.empty()) error.message += " " + why;
  if (const std::string why = XmlText(response->body, "Message"); !why.empty()) error.message += ": " + why;
  error.message += advice;
  error.vendor_code = response->status;
  error.retry_after_ns = response->RetryAfterNs();
  return error;
}

Result<Credentials> FromSts(Result<HttpResponse> response, const std::string& action) {
  auto answer = Answered(std::move(response), "sts:" + action, "");
  if (!answer) return answer.error();
  const std::string& body = answer->body;
  return Checked({{XmlText(body, "AccessKeyId"), XmlText(body, "SecretAccessKey"), XmlText(body, "SessionToken")}, 0},
                 XmlText(body, "Expiration"), "sts:" + action);
}

std::string Form(const std::string& action, const std::string& role, const std::string& session) {
  return "Action=" + action + "&Version=2011-06-15&RoleArn=" + UriEncode(role, false) +
         "&RoleSessionName=" + UriEncode(session, false);
}

HttpRequest StsRequest(const std::string& endpoint, const std::string& body) {
  HttpRequest request;
  request.url = endpoint + "/";
  request.headers = {{"Content-Type", "application/x-www-form-urlencoded; charset=utf-8"}};
  request.body = body;
  request.response_bytes_max = kAnswerBytesMax;
  return request;
}

Result<std::string> ReadToken(const std::string& path, const char* what) {
  auto text = ReadSmallFile(path);
  if (!text) return text.error();
  if (!*text) return Error{TEAL_DENIED, "aws: " + std::string(what) + " is not there: " + path};
  std::string token = **text;
  while (!token.empty() && (token.back() == '\n' || token.back() == '\r' || token.back() == ' ')) token.pop_back();
  return token;
}

Task<Result<Credentials>> FetchWebIdentity(Operation& operation, const WebIdentity& source, const std::string& sts) {
  auto token = ReadToken(source.token_file, "the web identity token's file");
  if (!token) co_return token.error();
  const std::string action = "AssumeRoleWithWebIdentity";
  const std::string body =
      Form(action, source.role_arn, source.session_name) + "&WebIdentityToken=" + UriEncode(*token, false);
  const HttpRequest request = StsRequest(sts, body);
  Result<HttpResponse> response = co_await Send(operation, request);
  co_return FromSts(std::move(response), action);
}

Task<Result<Credentials>> FetchRole(Operation& operation, const AssumeRole& source, const std::string& sts,
                                    const std::string& region) {
  const std::string action = "AssumeRole";
  std::string body = Form(action, source.role_arn, source.session_name);
  if (!source.external_id.empty()) body += "&ExternalId=" + UriEncode(source.external_id, false);
  HttpRequest request = StsRequest(sts, body);
  request.credentials = std::make_shared<Credentials>(Credentials{source.keys, 0});
  request.signing.region = region;
  request.signing.service = "sts";
  Result<HttpResponse> response = co_await Send(operation, request);
  co_return FromSts(std::move(response), action);
}

Task<Result<Credentials>> FetchContainer(Operation& operation, const ContainerEndpoint& source) {
  std::string authorization = source.authorization;
  if (!source.authorization_file.empty()) {
    auto token = ReadToken(source.authorization_file, "the container's authorization token's file");
    if (!token) co_return token.error();
    authorization = *token;
  }
  HttpRequest request;
  request.method = "GET";
  request.url = source.url;
  request.timeout_ns = kMetadataTimeoutNs;
  request.response_bytes_max = kAnswerBytesMax;
  if (!authorization.empty()) request.headers = {{"Authorization", authorization}};
  Result<HttpResponse> response = co_await Send(operation, request);
  auto answer = Answered(std::move(response), "the container's endpoint", "");
  if (!answer) co_return answer.error();
  co_return FromJson(answer->body, "the container's endpoint");
}

// IMDSv2: a session token first, then the role's name, then its keys. Version 1, without a token, is never used.
Task<Result<Credentials>> FetchInstance(Operation& operation, const InstanceMetadata& source) {
  const std::string who = "the instance's metadata service";
  const std::string advice =
      "; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or a profile, or give the machine a role";
  HttpRequest request;
  request.method = "PUT";
  request.url = source.url + "/latest/api/token";
  request.timeout_ns = kMetadataTimeoutNs;
  request.response_bytes_max = kAnswerBytesMax;
  request.headers = {{"X-aws-ec2-metadata-token-ttl-seconds", "21600"}};
  Result<HttpResponse> response = co_await Send(operation, request);
  auto token = Answered(std::move(response), who, advice);
  if (!token) co_return token.error();

  request.method = "GET";
  request.url = source.url + "/latest/meta-data/iam/security-credentials/";
  request.headers = {{"X-aws-ec2-metadata-token", token->body}};
  response = co_await Send(operation, request);
  auto role = Answered(std::move(response), who, advice);
  if (!role) co_return role.error();

  const std::string name = role->body.substr(0, role->body.find('\n'));
  request.url += UriEncode(name, false);
  response = co_await Send(operation, request);
  auto answer = Answered(std::move(response), who, advice);
  if (!answer) co_return answer.error();
  co_return FromJson(answer->body, who);
}

}  // namespace

Task<Result<Credentials>> Fetch(Operation& operation, const CredentialSource& source, const std::string& sts_endpoint,
                                const std::string& region) {
  if (const auto keys = std::get_if<SigningKeys>(&source)) co_return Credentials{*keys, 0};
  if (const auto web = std::get_if<WebIdentity>(&source)) {
    co_return co_await FetchWebIdentity(operation, *web, sts_endpoint);
  }
  if (const auto role = std::get_if<AssumeRole>(&source)) {
    co_return co_await FetchRole(operation, *role, sts_endpoint, region);
  }
  if (const auto container = std::get_if<ContainerEndpoint>(&source)) {
    co_return co_await FetchContainer(operation, *container);
  }
  co_return co_await FetchInstance(operation, std::get<InstanceMetadata>(source));
}

}  // namespace teal::aws
