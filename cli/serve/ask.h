// One command's talk with a host: requests, their errors as exit codes, values as the language has them.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "cli/globals.h"
#include "cli/serve/http_client.h"
#include "cli/serve/place.h"
#include "core/vm/value.h"

namespace teal::cli {

// The text of a string in a hash, or nothing.
std::string_view TextIn(const vm::Value& hash, std::string_view key);
// Null if it is absent.
vm::Value ValueIn(const vm::Value& hash, std::string_view key);

class Ask {
 public:
  Ask(const Globals& globals, HostPlace place);

  // The answer's JSON; nullopt: failed, which has been reported, and code() says how. Statuses below 300 are answers.
  std::optional<vm::Value> Get(const std::string& target);
  std::optional<vm::Value> Post(const std::string& target, const std::string& json, const std::string& key = "");
  std::optional<vm::Value> Delete(const std::string& target);
  // The same, waiting up to silence_ns for the answer.
  std::optional<vm::Value> GetSlowly(const std::string& target, uint64_t silence_ns);
  std::optional<vm::Value> PostSlowly(const std::string& target, const std::string& json, const std::string& key,
                                      uint64_t silence_ns);

  // Follows an event stream from `target`, going on from its last event where the connection breaks, until on_item
  // gives false or the stream has ended. on_item: the JSON of an item. False: failed, reported.
  bool Follow(const std::string& target, const std::function<bool(const vm::Value&)>& on_item);

  int code() const { return code_; }
  int status() const { return status_; }  // of the last answer
  // The body of the last answer, as it came.
  const std::string& body() const { return body_; }

 private:
  std::optional<vm::Value> Carry(HttpRequest request, bool patient);
  void Report(const Failure& failure);
  void ReportRefusal(const vm::Value& answer);
  bool PauseBeforeRetry(uint64_t* lost_since_ns);

  const Globals& globals_;
  const HostPlace place_;
  HttpClient client_;
  bool reached_ = false;  // once it was, a host that is gone is waited for: it may be restarting
  int code_ = kExitDone;
  int status_ = 0;
  std::string body_;
};

}  // namespace teal::cli
