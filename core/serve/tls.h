// The server's side of TLS 1.2 and 1.3, through OpenSSL.
#pragma once

#include <memory>
#include <string>

#include "core/base/result.h"

namespace boost::asio::ssl {
class context;
}

namespace teal::serve {

// kInvalid, with the name of the file, for files that cannot be read, are no PEM, or do not belong together.
Result<std::shared_ptr<boost::asio::ssl::context>> TlsContext(const std::string& certificate_file,
                                                              const std::string& key_file);

}  // namespace teal::serve
