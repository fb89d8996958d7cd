// Who asks, when proxies stand between. A forwarding header counts only as far as named proxies have written it.
#ifndef TEAL_HTTP_PROXIES_HPP
#define TEAL_HTTP_PROXIES_HPP

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace teal::http {

// An IP address; IPv4 as IPv6 has it (::ffff:a.b.c.d).
using Address = std::array<uint8_t, 16>;
std::optional<Address> ReadAddress(std::string_view text);

class Proxies {
 public:
  // "10.0.0.0/8", "::1" … False: it is none.
  bool Add(std::string_view range);
  // peer: the other end of the connection. forwarded_for: all X-Forwarded-For, joined by commas. Goes from the right to
  // the first address that is no trusted proxy; what is no address ends the way.
  std::string SourceOf(const std::string& peer, std::string_view forwarded_for) const;

 private:
  struct Range {
    Address address;
    unsigned bits;
  };
  bool Trusts(const Address& address) const;
  std::vector<Range> ranges_;
};

}  // namespace teal::http

#endif
