// "teal.host.http/1" as the host sees it: libteal_http.so, opened when the first plugin asks for it, so that the `teal`
// executable links neither libcurl nor OpenSSL.
#pragma once

#include <cstdint>
#include <string>

#include "core/base/result.h"
#include "core/host/http/library.h"
#include "teal/abi.h"

namespace teal::host {

// One for each process, like the library. Thread-safe.
class HttpLibrary {
 public:
  // `path` empty: <exe>/lib/teal/libteal_http.so, then <exe>/../lib/teal/libteal_http.so. Loaded once; never unloaded.
  static Result<HttpLibrary*> Load(const std::string& path);

  const teal_http* table() const { return library_->http; }
  // Puts faults under all calls from now on; empty: takes them away. What `faults_json` holds: core/host/http/faults.h.
  // Not for production: only tests and the conformance kit call it.
  Status SetFaults(const std::string& faults_json);
  teal_http_stats Stats() const;

 private:
  explicit HttpLibrary(const teal_http_library* library) : library_(library) {}
  const teal_http_library* const library_;
};

}  // namespace teal::host
