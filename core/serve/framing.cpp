#include "core/serve/framing.h"

#include <algorithm>
#include <string>

#include "core/serve/answer.h"

namespace teal::serve {
namespace {

bool IsChunked(std::string_view coding) {
  constexpr std::string_view kChunked = "chunked";
  return std::equal(coding.begin(), coding.end(), kChunked.begin(), kChunked.end(),
                    [](char a, char b) { return (a >= 'A' && a <= 'Z' ? a - 'A' + 'a' : a) == b; });
}

Answer Unclear(const std::string& what) {
  return ErrorAnswer(400, "invalid", what,
                     "send one Content-Length, or Transfer-Encoding: chunked, and no header twice or folded");
}

}  // namespace

bool FoldWatch::Sees(std::string_view piece) {
  for (const char c : piece) {
    if (last_ == '\n' && (c == ' ' || c == '\t')) return true;
    last_ = c;
  }
  return false;
}

bool HasBareLineFeed(std::string_view text) {
  for (size_t at = text.find('\n'); at != std::string_view::npos; at = text.find('\n', at + 1)) {
    if (at == 0 || text[at - 1] != '\r') return true;
  }
  return false;
}

std::optional<Answer> WhyUnclear(const BodyFraming& framing) {
  if (framing.length_headers > 1 || framing.lengths_are_a_list) return Unclear("the request has two lengths");
  if (framing.encoding_headers == 0) return std::nullopt;
  if (framing.length_headers > 0) return Unclear("the request has a Content-Length and a Transfer-Encoding");
  if (framing.http_1_0) return Unclear("HTTP/1.0 has no Transfer-Encoding");
  if (framing.encoding_headers > 1) return Unclear("the request has two Transfer-Encoding headers");
  if (IsChunked(framing.encoding)) return std::nullopt;
  return ErrorAnswer(501, "unsupported", "this Transfer-Encoding is not known here", "send chunked, or a length");
}

Answer HeadTooLong(std::string_view unparsed, size_t header_bytes_max) {
  if (std::min(unparsed.find('\n'), unparsed.size()) > kTargetBytesMax) {
    return ErrorAnswer(414, "too_large",
                       "the target of the request is longer than " + std::to_string(kTargetBytesMax) + " bytes",
                       "send less in the path and the query, more in the body");
  }
  return ErrorAnswer(431, "too_large", "the headers are longer than " + std::to_string(header_bytes_max) + " bytes",
                     "send fewer and shorter headers");
}

bool IsControlTarget(std::string_view target) {
  if (!target.starts_with('/')) {
    const size_t scheme = target.find("://");
    if (scheme == std::string_view::npos) return false;
    const size_t path = target.find('/', scheme + 3);
    if (path == std::string_view::npos) return false;
    target.remove_prefix(path);
  }
  return target.starts_with("/teal/") || target.substr(0, target.find('?')) == "/teal";
}

}  // namespace teal::serve
