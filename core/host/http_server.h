// "teal.host.http_server/1": the meeting place of the host's HTTP server and the one plugin that listens behind it.
//
// The server brings each request in two steps (Arrive, Deliver) and is called back with its answer, once; the plugin
// sees the table of abi.h. No lock is held while the other side is called.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "teal/abi.h"

namespace teal::host {

using HeaderList = std::vector<std::pair<std::string, std::string>>;

struct ArrivedRequest {
  std::string method;
  std::string target;
  HeaderList headers;          // names in lower case
  std::string source_address;  // an IP address
  bool tls = false;
};

struct ServerAnswer {
  int status = 200;
  HeaderList headers;  // names are tokens, values without control characters
  std::string body;
};

// Thread-safe.
class HttpServer {
 public:
  using AnswerFn = std::function<void(ServerAnswer)>;

  // What comes of a request's head: it has its answer, or its body is to be read and brought with `token`.
  struct Verdict {
    std::optional<ServerAnswer> answer;
    uint64_t token = 0;
    uint64_t body_bytes_max = 0;
  };

  // Whether a plugin listens now.
  bool IsListened() const;

  // --- For the server. `answer` is called at most once, on any thread, after Arrive returned; never after Leave. ---
  Verdict Arrive(const ArrivedRequest& request, uint64_t body_bytes_max, AnswerFn answer);
  // too_large: the body is longer than Arrive said, and `body` is empty.
  void Deliver(uint64_t token, const ArrivedRequest& request, std::string_view body, bool too_large);
  // Nobody waits for the answer any more. Harmless after it.
  void Leave(uint64_t token);

  // --- For the table. `owner`: the teal_host of the plugin. ---
  teal_status Listen(const teal_host* owner, const teal_http_handler* handler);
  void Unlisten(const teal_host* owner);
  teal_status Answer(const teal_host* owner, uint64_t token, const teal_http_answer* answer);

 private:
  struct Pending {
    AnswerFn answer;
    bool in_head = false;  // its head is with the handler: an answer is a refusal
    std::optional<ServerAnswer> refusal;
  };
  // The handler, which is not taken away before Exit; nullopt: nobody listens.
  std::optional<teal_http_handler> Enter();
  void Exit();

  mutable std::mutex mutex_;
  // Guarded by mutex_.
  std::condition_variable none_inside_;
  const teal_host* owner_ = nullptr;
  bool leaving_ = false;  // no call of the handler begins any more
  teal_http_handler handler_{};
  uint64_t inside_ = 0;  // calls of the handler under way
  uint64_t last_token_ = 0;
  std::unordered_map<uint64_t, Pending> pending_;
};

// The table; HostContext::services has the HttpServer it works on.
const teal_http_server* HttpServerTable();

}  // namespace teal::host
