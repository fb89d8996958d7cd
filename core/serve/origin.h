// Which names a browser may have used to come here. A page of another site can make a browser ask this host, under a
// name of its own that it lets point to 127.0.0.1; it cannot choose the Host and Origin that the browser sends then.
#pragma once

#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace teal::serve {

// Constant after construction; thread-safe.
class HostCheck {
 public:
  // Besides localhost and loopback addresses: names or addresses, with a port or (any port) without.
  explicit HostCheck(const std::vector<std::string>& allowed);

  // local_address: of this end of the connection; asked by that address, no name was involved.
  bool AllowsHost(std::string_view host, std::string_view local_address) const;
  bool AllowsOrigin(std::string_view origin, std::string_view local_address) const;

 private:
  std::set<std::string, std::less<>> allowed_;  // lower case
};

}  // namespace teal::serve
