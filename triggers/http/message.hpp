// A request as it came, and an answer as it goes.
#ifndef TEAL_HTTP_MESSAGE_HPP
#define TEAL_HTTP_MESSAGE_HPP

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <teal/abi.h>

namespace teal::http {

using HeaderList = std::vector<std::pair<std::string, std::string>>;

struct Request {
  uint64_t token = 0;
  std::string method;
  std::string path;    // raw, begins with a slash
  std::string query;   // raw, without the question mark
  HeaderList headers;  // names in lower case
  std::string body;
  std::string peer;

  // All values of a header, joined by ", ". Of a Cookie: by "; ".
  std::string Header(std::string_view name) const;
  bool Has(std::string_view name) const;
};

// Without its body, which comes later. False: the target is none (400).
bool ReadHead(const teal_arrival& arrival, Request* out);

struct Answer {
  int status = 200;
  HeaderList headers;
  std::string body;
};

// {"error":{"kind","message"}}
Answer ErrorAnswer(int status, std::string_view kind, std::string_view message);

}  // namespace teal::http

#endif
