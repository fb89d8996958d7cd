// Requests and answers as the control API sees them, whatever carried them.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/serve/keys.h"

namespace teal::serve {

enum class Method : uint8_t { kGet, kPost, kDelete, kOther };

// What is known of a request before its body is read.
struct RequestHead {
  Method method = Method::kOther;
  std::string target;  // path and query, as it was sent
  std::vector<std::string> hosts;
  std::vector<std::string> origins;
  std::string key;  // of x-teal-key, or of Authorization: Bearer; empty: none was sent
  std::string content_type;
  std::string accept;
  std::string idempotency_key;
  std::string last_event_id;
  std::string traceparent;
  std::string local_address;  // of this end of the connection, without a port
  bool peer_is_loopback = false;
};

struct Answer {
  int status = 200;
  std::string body;
  std::string content_type = "application/json";
  std::string location;        // empty: none
  uint64_t retry_after_s = 0;  // 0: none
  // Of a plugin: these are all its headers but those of the connection, and the fields above but `status` and `body`
  // say nothing. They hold no control characters.
  bool is_plugins = false;
  std::vector<std::pair<std::string, std::string>> headers;
};

// A piece of an event stream.
struct FeedPart {
  std::string text;   // whole events and comments
  bool last = false;  // the stream ends behind it
};

// Where an event stream comes from. One Next at a time. Destroyed, perhaps during a Next, when nobody reads any more.
class Feed {
 public:
  virtual ~Feed() = default;
  // `done` is called once, on any thread, perhaps before Next returns; not after the feed is destroyed or ended.
  virtual void Next(std::function<void(FeedPart)> done) = 0;
};

// Where the answer to one request goes. Thread-safe. The first answer counts, what comes after it is dropped.
class Responder {
 public:
  virtual ~Responder() = default;
  virtual void Give(Answer answer) = 0;
  virtual void Follow(std::shared_ptr<Feed> feed) = 0;
  // Called, on any thread and at most once, if the server stops while there is no answer: it should make one soon.
  virtual void OnStop(std::function<void()> stop) = 0;
};

}  // namespace teal::serve
