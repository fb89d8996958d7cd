#include "core/host/http/library.h"

#include <cstdio>

#include "core/host/http/loop.h"

namespace {

using teal::host::http::Faults;
using teal::host::http::Loop;

teal_status TEAL_CALL Send(const teal_host* host, const teal_call* call, const teal_http_request* request) {
  return Loop::Get()->Send(host, call, request);
}

teal_status TEAL_CALL Cancel(const teal_host* host, uint64_t op_id) {
  return Loop::Get()->Cancel(host, op_id);
}

int SetFaults(const char* json, char* error, size_t error_size) {
  auto faults = Faults::Parse(json);
  if (!faults) {
    std::snprintf(error, error_size, "%s", faults.failure().message.c_str());
    return 1;
  }
  Loop::Get()->SetFaults(std::move(faults).value());
  return 0;
}

void Stats(teal_http_stats* out) {
  *out = Loop::Get()->Stats();
}

constexpr teal_http kHttp = {sizeof(teal_http), 0, Send, Cancel};
constexpr teal_http_library kLibrary = {sizeof(teal_http_library), TEAL_HTTP_LIBRARY_VERSION, &kHttp, SetFaults, Stats};

}  // namespace

extern "C" TEAL_EXPORT const teal_http_library* teal_http_library_v1() {
  return Loop::Get() == nullptr ? nullptr : &kLibrary;
}
