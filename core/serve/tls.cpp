#include "core/serve/tls.h"

#include <utility>

// Boost 1.74 needs <utility> before it under C++20.
#include <boost/asio/ssl/context.hpp>

namespace teal::serve {

namespace ssl = boost::asio::ssl;

Result<std::shared_ptr<ssl::context>> TlsContext(const std::string& certificate_file, const std::string& key_file) {
  auto context = std::make_shared<ssl::context>(ssl::context::tls_server);
  boost::system::error_code error;
  context->set_options(ssl::context::default_workarounds | ssl::context::no_tlsv1 | ssl::context::no_tlsv1_1 |
                           ssl::context::no_compression,
                       error);
  SSL_CTX_set_options(context->native_handle(), SSL_OP_NO_RENEGOTIATION | SSL_OP_CIPHER_SERVER_PREFERENCE);
  context->use_certificate_chain_file(certificate_file, error);
  if (error) {
    return Fail(FailureCode::kInvalid, "the certificate " + certificate_file + " cannot be used: " + error.message() +
                                           "; --tls-cert names a PEM file with the certificate and its chain");
  }
  // It may ask for a pass phrase on a terminal, which a service has not.
  context->set_password_callback([](size_t, ssl::context::password_purpose) { return std::string(); }, error);
  context->use_private_key_file(key_file, ssl::context::pem, error);
  if (error) {
    return Fail(FailureCode::kInvalid,
                "the key " + key_file + " cannot be used: " + error.message() +
                    "; --tls-key names a PEM file with the certificate's key, without a pass phrase");
  }
  if (SSL_CTX_check_private_key(context->native_handle()) != 1) {
    return Fail(FailureCode::kInvalid, key_file + " is not the key of the certificate " + certificate_file);
  }
  return context;
}

}  // namespace teal::serve
