#include "proxies.hpp"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>
#include <cstring>

#include "text.hpp"

namespace teal::http {

std::optional<Address> ReadAddress(std::string_view text) {
  const std::string copy(text);
  Address address{};
  if (::inet_pton(AF_INET6, copy.c_str(), address.data()) == 1) return address;
  std::array<uint8_t, 4> short_address{};
  if (::inet_pton(AF_INET, copy.c_str(), short_address.data()) != 1) return std::nullopt;
  address[10] = address[11] = 0xFF;
  std::copy(short_address.begin(), short_address.end(), address.begin() + 12);
  return address;
}

bool Proxies::Add(std::string_view range) {
  const size_t slash = range.find('/');
  const std::string_view host = range.substr(0, slash);
  const std::optional<Address> address = ReadAddress(host);
  if (!address) return false;
  const unsigned most = host.find(':') == std::string_view::npos ? 32 : 128;
  unsigned bits = most;
  if (slash != std::string_view::npos) {
    const std::string_view digits = range.substr(slash + 1);
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), bits);
    if (digits.empty() || error != std::errc() || end != digits.data() + digits.size() || bits > most) return false;
  }
  ranges_.push_back({*address, bits + (128 - most)});
  return true;
}

bool Proxies::Trusts(const Address& address) const {
  return std::any_of(ranges_.begin(), ranges_.end(), [&](const Range& range) {
    for (unsigned bit = 0; bit < range.bits; ++bit) {
      const uint8_t mask = static_cast<uint8_t>(0x80u >> (bit % 8));
      if (((address[bit / 8] ^ range.address[bit / 8]) & mask) != 0) return false;
    }
    return true;
  });
}

std::string Proxies::SourceOf(const std::string& peer, std::string_view forwarded_for) const {
  std::string source = peer;
  if (ranges_.empty() || forwarded_for.empty()) return source;
  const std::vector<std::string_view> hops = Split(forwarded_for, ',');
  for (auto hop = hops.rbegin(); hop != hops.rend(); ++hop) {
    const std::optional<Address> present = ReadAddress(source);
    if (!present || !Trusts(*present)) return source;
    const std::string_view next = Trim(*hop);
    if (!ReadAddress(next)) return source;
    source = next;
  }
  return source;
}

}  // namespace teal::http
