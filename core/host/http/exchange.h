// One call of "teal.host.http/1" on its way: what is asked, the attempt that is under way, the answer so far. Belongs
// to the loop's thread, but for Check, which runs where the call comes in.
#pragma once

#include <curl/curl.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/host/http/faults.h"
#include "teal/abi.h"

namespace teal::host::http {

inline constexpr uint64_t kConnectNsDefault = 5'000'000'000;
inline constexpr uint64_t kTimeoutNsDefault = 30'000'000'000;
inline constexpr uint64_t kResponseBytesDefault = 16 * 1024 * 1024;
inline constexpr uint64_t kRequestHeadersMax = 256;
inline constexpr size_t kUrlBytesMax = 64 * 1024;
inline constexpr size_t kResponseHeaderBytesMax = 256 * 1024;  // all of an answer's
inline constexpr size_t kResponseHeadersMax = 1024;

// How an attempt ended.
struct Outcome {
  teal_status code = TEAL_OK;  // OK: the server answered
  std::string message;
  bool may_retry = true;        // the same request could do better
  uint64_t retry_after_ns = 0;  // of the answer, or 0
};

struct Exchange {
  Exchange(const teal_host* its_host, const teal_call* its_call, const teal_http_request* its_request);
  ~Exchange();
  Exchange(const Exchange&) = delete;
  Exchange& operator=(const Exchange&) = delete;

  // What is wrong with the request, as a message; empty: nothing.
  std::string Check();
  bool safe() const { return (request.flags & TEAL_HTTP_SAFE) != 0; }
  uint32_t status() const { return status_; }
  bool HasBody() const { return !body_.empty(); }

  // A new attempt: forgets the last answer, asks the signing hook. The hook's status; OK: Prepare may follow.
  teal_status Sign(uint64_t now_unix_ns);
  // Sets `easy` up for this attempt, which may take `ns_max`. False: out of memory.
  bool Prepare(CURL* easy, uint64_t ns_max);
  // What curl's result means, when `easy` is done.
  Outcome Read(CURLcode code);
  // The attempt's answer becomes one that a server could have given.
  void Replace(uint32_t new_status, const std::string& retry_after, const std::string& new_body);
  // `done` with the answer there is.
  void EndWithAnswer();
  void EndWithError(teal_status code, std::string_view message, uint64_t retry_after_ns);

  const teal_host* const host;
  const teal_call* const call;
  teal_http_request request{};  // in this host's layout
  std::string origin;           // "https://host:port" for messages: what follows may be secret

  uint64_t attempts = 0;
  bool sent_before = false;        // something of an earlier attempt may have left
  bool sent = false;               // of this one
  bool again = false;              // curl wanted to send it a second time by itself
  std::optional<Fault> fault;      // of this attempt
  std::vector<std::string> lines;  // its headers, "Name: value"

  CURL* easy = nullptr;  // while it is curl's

 private:
  static size_t OnHeader(char* data, size_t size, size_t count, void* self);
  static size_t OnBody(char* data, size_t size, size_t count, void* self);
  static int OnRequest(void* self, char*, char*, int, int);

  bool AddLine(std::string_view name, std::string_view value);

  curl_slist* list_ = nullptr;
  std::string method_;
  std::string url_;
  bool bad_line_ = false;
  bool too_large_ = false;
  uint32_t status_ = 0;
  size_t header_bytes_ = 0;
  std::vector<std::pair<std::string, std::string>> headers_;
  std::string body_;
  char words_[CURL_ERROR_SIZE] = {};
};

}  // namespace teal::host::http
