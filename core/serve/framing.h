// What of HTTP/1.1's framing the parser lets through and this server does not: whoever stands before it (a proxy) may
// read such a request differently, and what one takes for a body the other takes for the next request (RFC 9112,
// sections 5.2, 6.1, 6.3 and 11.2). Each is one refusal, then the connection closes.
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

#include "core/serve/message.h"

namespace teal::serve {

inline constexpr size_t kTargetBytesMax = 8 * 1024;  // of the request's first line

// Whether a line of the header section begins with a space: a folded header. For one request's header bytes, piece by
// piece.
class FoldWatch {
 public:
  bool Sees(std::string_view piece);

 private:
  char last_ = 0;
};

// A line feed that no carriage return stands before, in what the parser has not taken yet.
bool HasBareLineFeed(std::string_view text);

// What the header section says of the body.
struct BodyFraming {
  size_t length_headers = 0;
  bool lengths_are_a_list = false;
  size_t encoding_headers = 0;
  std::string_view encoding;  // of the one Transfer-Encoding
  bool http_1_0 = false;
};
std::optional<Answer> WhyUnclear(const BodyFraming& framing);

// 414 where the first line is what is too long, else 431. `unparsed`: the request so far.
Answer HeadTooLong(std::string_view unparsed, size_t header_bytes_max);

// Whether a target lies under /teal/, also in absolute form. No other path ever does: nothing is decoded here or there.
bool IsControlTarget(std::string_view target);

}  // namespace teal::serve
