#include "auth.hpp"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "text.hpp"

namespace teal::http {
namespace {

constexpr char kSignature[] = "x-hub-signature-256";

Verdict Missing(const std::string& header) {
  Verdict verdict;
  verdict.refusal = ErrorAnswer(401, "unauthorized", "the header " + header + " is missing");
  verdict.refusal->headers.emplace_back("www-authenticate", header);
  return verdict;
}

Verdict Wrong(const std::string& what) {
  Verdict verdict;
  verdict.refusal = ErrorAnswer(403, "forbidden", what);
  return verdict;
}

}  // namespace

Verdict CheckKey(const Request& request, const std::multimap<std::string, std::string>& keys) {
  if (!request.Has("x-teal-key")) return Missing("x-teal-key");
  const std::string given = Sha256(request.Header("x-teal-key"));
  Verdict verdict = Wrong("nobody has this key");
  for (const auto& [name, key] : keys) {
    if (!EqualInConstantTime(given, Sha256(key))) continue;
    verdict.refusal.reset();
    verdict.caller.principal = name;
  }
  return verdict;
}

Verdict HasSignature(const Request& request) {
  return request.Has(kSignature) ? Verdict{} : Missing(kSignature);
}

Verdict CheckSignature(const Request& request, std::string_view secret) {
  std::string mac(EVP_MAX_MD_SIZE, '\0');
  unsigned size = 0;
  if (HMAC(EVP_sha256(), secret.data(), static_cast<int>(secret.size()),
           reinterpret_cast<const unsigned char*>(request.body.data()), request.body.size(),
           reinterpret_cast<unsigned char*>(mac.data()), &size) == nullptr) {
    return Wrong("the signature cannot be checked");
  }
  mac.resize(size);
  if (EqualInConstantTime(Lower(request.Header(kSignature)), "sha256=" + Hex(mac))) return {};
  return Wrong("the signature is not that of this body");
}

}  // namespace teal::http
