// Event streams of the control API (HTML Living Standard, "server-sent events"), and the cursors they go on from.
//
// Each item is an event of its own. The last one of a page carries the cursor behind it as its id: who is cut off goes
// on from the last id (as browsers do, with Last-Event-ID), and may see what came after that id twice. "event: end"
// says that the session has ended and nothing more will come, "event: error" carries an error as the API writes it.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/runtime/service.h"
#include "core/serve/api.h"
#include "core/serve/message.h"

namespace teal::serve {

bool WantsEvents(const RequestHead& head);

// Cursors of the service, which may be any bytes, as text for addresses and headers, and back. nullopt: it is none.
std::string CursorText(std::string_view cursor);
std::optional<std::string> CursorFrom(std::string_view text);
Answer NoCursor();

struct LinesSource {
  runtime::SessionService* service = nullptr;
  std::string sid;
  runtime::LineSort sort = runtime::LineSort::kOutput;
  std::string cursor;  // where to begin
  uint64_t keep_alive_ns = 0;
};
// Answers with an error, or with a stream. slot: is held as long as the stream, or a call of it, is under way.
void FollowLines(LinesSource source, const std::shared_ptr<void>& slot, const std::shared_ptr<Responder>& responder);

// What cannot be waited for is looked at again and again: threads, or what was published.
struct LookSource {
  runtime::SessionService* service = nullptr;
  std::string sid;
  bool threads = true;
};
struct Looked {
  std::vector<std::string> items;  // JSON
  bool ended = false;              // the session has
};
void TakeLook(const LookSource& source, runtime::Done<Looked> done);
std::string DigestOf(const std::vector<std::string>& items);
std::string JoinItems(const std::vector<std::string>& items);
// seen: the digest of what the reader has.
void FollowLooks(const LookSource& source, const std::string& seen, uint64_t look_ns, uint64_t keep_alive_ns,
                 const Api::After& after, const std::shared_ptr<void>& slot,
                 const std::shared_ptr<Responder>& responder);

}  // namespace teal::serve
