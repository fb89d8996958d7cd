// The hash a function is called with, as JSON.
#ifndef TEAL_HTTP_REQUEST_HPP
#define TEAL_HTTP_REQUEST_HPP

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "message.hpp"
#include "settings.hpp"

namespace teal::http {

// Who asks, as far as it was proved.
struct Caller {
  std::string principal;    // the key's name, the token's `sub`; empty: anyone
  std::string claims_json;  // of a token, an object; empty: none
};

using Parameters = std::vector<std::pair<std::string, std::string>>;

// The name-value pairs of a query; nullopt: it cannot be decoded.
std::optional<Parameters> QueryOf(const std::string& query);

// nullopt: the query cannot be decoded (400). Keys and tokens that prove who asks are not among its headers.
std::optional<std::string> RequestJson(const Request& request, const Parameters& parameters, const Caller& caller,
                                       Auth auth, const std::string& source_ip, const std::string& request_id);

}  // namespace teal::http

#endif
