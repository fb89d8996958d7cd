#include "jwt.hpp"

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "text.hpp"

namespace teal::http {
namespace {

using Json = nlohmann::json;
using KeyPtr = std::shared_ptr<EVP_PKEY>;

template <typename T, void (*Free)(T*)>
struct Freed {
  void operator()(T* pointer) const { Free(pointer); }
};
using Number = std::unique_ptr<BIGNUM, Freed<BIGNUM, BN_free>>;
using Builder = std::unique_ptr<OSSL_PARAM_BLD, Freed<OSSL_PARAM_BLD, OSSL_PARAM_BLD_free>>;
using Params = std::unique_ptr<OSSL_PARAM, Freed<OSSL_PARAM, OSSL_PARAM_free>>;
using KeyContext = std::unique_ptr<EVP_PKEY_CTX, Freed<EVP_PKEY_CTX, EVP_PKEY_CTX_free>>;
using HashContext = std::unique_ptr<EVP_MD_CTX, Freed<EVP_MD_CTX, EVP_MD_CTX_free>>;
using Signature = std::unique_ptr<ECDSA_SIG, Freed<ECDSA_SIG, ECDSA_SIG_free>>;

const unsigned char* Raw(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

std::string TextAt(const Json& object, const char* key) {
  const auto at = object.find(key);
  return at != object.end() && at->is_string() ? at->get<std::string>() : "";
}

// Of a member in base64url; empty: it is missing or none.
std::string BytesAt(const Json& object, const char* key) {
  return DecodeBase64(TextAt(object, key), true).value_or("");
}

KeyPtr MakeKey(const char* type, OSSL_PARAM_BLD* builder) {
  const Params params(OSSL_PARAM_BLD_to_param(builder));
  const KeyContext context(EVP_PKEY_CTX_new_from_name(nullptr, type, nullptr));
  EVP_PKEY* key = nullptr;
  if (params == nullptr || context == nullptr || EVP_PKEY_fromdata_init(context.get()) != 1 ||
      EVP_PKEY_fromdata(context.get(), &key, EVP_PKEY_PUBLIC_KEY, params.get()) != 1) {
    return nullptr;
  }
  return KeyPtr(key, EVP_PKEY_free);
}

KeyPtr RsaKey(const Json& json) {
  const std::string modulus = BytesAt(json, "n");
  const std::string exponent = BytesAt(json, "e");
  if (modulus.empty() || modulus.size() > 1024 || exponent.empty() || exponent.size() > 8) return nullptr;
  const Number n(BN_bin2bn(Raw(modulus), static_cast<int>(modulus.size()), nullptr));
  const Number e(BN_bin2bn(Raw(exponent), static_cast<int>(exponent.size()), nullptr));
  const Builder builder(OSSL_PARAM_BLD_new());
  if (builder == nullptr || OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_N, n.get()) != 1 ||
      OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_E, e.get()) != 1) {
    return nullptr;
  }
  KeyPtr key = MakeKey("RSA", builder.get());
  return key != nullptr && EVP_PKEY_get_bits(key.get()) >= kRsaBitsMin ? key : nullptr;
}

KeyPtr CurveKey(const Json& json) {
  const std::string x = BytesAt(json, "x");
  const std::string y = BytesAt(json, "y");
  if (TextAt(json, "crv") != "P-256" || x.size() != 32 || y.size() != 32) return nullptr;
  const std::string point = "\x04" + x + y;
  const Builder builder(OSSL_PARAM_BLD_new());
  if (builder == nullptr ||
      OSSL_PARAM_BLD_push_utf8_string(builder.get(), OSSL_PKEY_PARAM_GROUP_NAME, "prime256v1", 0) != 1 ||
      OSSL_PARAM_BLD_push_octet_string(builder.get(), OSSL_PKEY_PARAM_PUB_KEY, point.data(), point.size()) != 1) {
    return nullptr;
  }
  return MakeKey("EC", builder.get());
}

KeyPtr EdwardsKey(const Json& json) {
  const std::string x = BytesAt(json, "x");
  if (TextAt(json, "crv") != "Ed25519" || x.size() != 32) return nullptr;
  return KeyPtr(EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nullptr, Raw(x), x.size()), EVP_PKEY_free);
}

// A key of the set; without a `key`: it is of no use here.
SigningKey ReadKey(const Json& json) {
  const std::string use = TextAt(json, "use");
  if (!use.empty() && use != "sig") return {};
  const std::string kind = TextAt(json, "kty");
  SigningKey key;
  if (kind == "RSA") key = {"RS256", RsaKey(json)};
  if (kind == "EC") key = {"ES256", CurveKey(json)};
  if (kind == "OKP") key = {"EdDSA", EdwardsKey(json)};
  const std::string algorithm = TextAt(json, "alg");
  if (!algorithm.empty() && algorithm != key.algorithm && !(algorithm == "Ed25519" && key.algorithm == "EdDSA"))
    return {};
  return key;
}

// ES256 has r and s side by side; OpenSSL wants them in DER.
std::string DerOf(const std::string& signature) {
  if (signature.size() != 64) return "";
  const Signature pair(ECDSA_SIG_new());
  Number r(BN_bin2bn(Raw(signature), 32, nullptr));
  Number s(BN_bin2bn(Raw(signature) + 32, 32, nullptr));
  if (pair == nullptr || ECDSA_SIG_set0(pair.get(), r.get(), s.get()) != 1) return "";
  r.release();
  s.release();
  unsigned char* der = nullptr;
  const int size = i2d_ECDSA_SIG(pair.get(), &der);
  if (size <= 0) return "";
  std::string out(reinterpret_cast<const char*>(der), static_cast<size_t>(size));
  OPENSSL_free(der);
  return out;
}

bool IsSigned(const Token& token, const SigningKey& key) {
  const HashContext digest(EVP_MD_CTX_new());
  const EVP_MD* const hash = key.algorithm == "EdDSA" ? nullptr : EVP_sha256();
  const std::string signature = key.algorithm == "ES256" ? DerOf(token.signature) : token.signature;
  return digest != nullptr && EVP_DigestVerifyInit(digest.get(), nullptr, hash, nullptr, key.key.get()) == 1 &&
         EVP_DigestVerify(digest.get(), Raw(signature), signature.size(), Raw(token.signed_part),
                          token.signed_part.size()) == 1;
}

// A time in seconds; nullopt: missing or no number.
std::optional<double> TimeAt(const Json& claims, const char* key) {
  const auto at = claims.find(key);
  if (at == claims.end() || !at->is_number() || !std::isfinite(at->get<double>())) return std::nullopt;
  return at->get<double>();
}

bool IsFor(const Json& claims, const std::string& audience) {
  const auto at = claims.find("aud");
  if (at == claims.end()) return false;
  for (const Json& one : at->is_array() ? *at : Json::array({*at})) {
    if (one.is_string() && one.get_ref<const std::string&>() == audience) return true;
  }
  return false;
}

}  // namespace

Verdict WrongToken(const std::string& why) {
  Verdict verdict;
  verdict.refusal = ErrorAnswer(403, "forbidden", why);
  verdict.refusal->headers.emplace_back("www-authenticate", "Bearer error=\"invalid_token\"");
  return verdict;
}

std::optional<KeySet> ReadKeySet(std::string_view text) {
  if (!IsJson(text)) return std::nullopt;
  const Json json = Json::parse(text, nullptr, false);
  const auto keys = json.is_object() ? json.find("keys") : json.end();
  if (!json.is_object() || keys == json.end() || !keys->is_array()) return std::nullopt;
  KeySet set;
  for (const Json& one : *keys) {
    if (!one.is_object()) continue;
    SigningKey key = ReadKey(one);
    if (key.key != nullptr) set.try_emplace(TextAt(one, "kid"), std::move(key));
  }
  return set;
}

std::optional<Answer> ReadToken(const std::string& authorization, Token* out) {
  constexpr std::string_view kBearer = "bearer ";
  if (Lower(authorization.substr(0, kBearer.size())) != kBearer) {
    Answer answer = ErrorAnswer(401, "unauthorized", "a token is needed: Authorization: Bearer …");
    answer.headers.emplace_back("www-authenticate", "Bearer");
    return answer;
  }
  const std::string_view text = std::string_view(authorization).substr(kBearer.size());
  const std::vector<std::string_view> parts = Split(text, '.');
  if (text.size() > kTokenBytesMax || parts.size() != 3) return WrongToken("this is no signed token").refusal;
  const std::optional<std::string> header = DecodeBase64(parts[0], true);
  std::optional<std::string> claims = DecodeBase64(parts[1], true);
  std::optional<std::string> signature = DecodeBase64(parts[2], true);
  if (!header || !claims || !signature || !IsJson(*header) || !IsJson(*claims)) {
    return WrongToken("this is no signed token").refusal;
  }
  const Json head = Json::parse(*header, nullptr, false);
  if (!head.is_object() || !Json::parse(*claims, nullptr, false).is_object()) {
    return WrongToken("this is no signed token").refusal;
  }
  out->algorithm = TextAt(head, "alg");
  out->key_id = TextAt(head, "kid");
  if (out->algorithm != "RS256" && out->algorithm != "ES256" && out->algorithm != "EdDSA") {
    return WrongToken("the token is not signed by RS256, ES256 or EdDSA").refusal;
  }
  // What must be understood and is not (RFC 7515, section 4.1.11).
  if (head.contains("crit")) return WrongToken("the token has critical parts that are not known here").refusal;
  out->claims_json = std::move(*claims);
  out->signature = std::move(*signature);
  out->signed_part = text.substr(0, parts[0].size() + 1 + parts[1].size());
  return std::nullopt;
}

Verdict CheckToken(const Token& token, const SigningKey& key, const std::string& issuer, const std::string& audience,
                   uint64_t now_s) {
  if (token.algorithm != key.algorithm) return WrongToken("the token's algorithm is not that of its key");
  if (!IsSigned(token, key)) return WrongToken("the token's signature is wrong");
  const Json claims = Json::parse(token.claims_json, nullptr, false);
  if (TextAt(claims, "iss") != issuer) return WrongToken("the token is of another issuer");
  if (!IsFor(claims, audience)) return WrongToken("the token is for another audience");
  const auto now = static_cast<double>(now_s);
  const std::optional<double> expires = TimeAt(claims, "exp");
  if (!expires) return WrongToken("the token has no `exp`");
  if (now >= *expires + kClockSkewS) return WrongToken("the token has expired");
  if (claims.contains("nbf")) {
    const std::optional<double> begins = TimeAt(claims, "nbf");
    if (!begins || now + kClockSkewS < *begins) return WrongToken("the token is not valid yet");
  }
  Verdict verdict;
  verdict.caller.principal = TextAt(claims, "sub");
  verdict.caller.claims_json = token.claims_json;
  return verdict;
}

}  // namespace teal::http
