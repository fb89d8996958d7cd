// The bodies of requests.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>

#include "core/runtime/service.h"
#include "core/serve/message.h"

namespace teal::serve {

struct StartBody {
  runtime::StartRequest request;
  uint64_t wait_ns = 0;  // 0: the answer comes when the session is durable
};

// Of POST /sessions. 400 with line and column for what is no JSON, with the nearest name for an unknown field.
std::variant<StartBody, Answer> ReadStart(std::string_view body);

// Of POST /sessions/{sid}/rerun: where from; `start` if it says nothing.
std::variant<std::string, Answer> ReadRerun(std::string_view body);
// Of POST /backup: {"folder"}, an absolute path.
std::variant<std::string, Answer> ReadBackup(std::string_view body);
// Of POST /programs: {"name","executable","package"?,"activate"?}, the two in Base64.
std::variant<runtime::NewProgram, Answer> ReadProgram(std::string_view body);

struct FireBody {
  uint64_t at_unix_ns = 0;  // 0: now
  std::string event_json;   // empty: none
};
// Of POST /triggers/{name}/fire: {"at"?,"event"?}, or nothing.
std::variant<FireBody, Answer> ReadFire(std::string_view body);

// The value of an event, as JSON. content_type: JSON, or nothing said: JSON, nothing is null; text/…: a string; other
// bytes: their Base64.
std::variant<std::string, Answer> ReadEvent(std::string_view content_type, std::string_view body);

}  // namespace teal::serve
