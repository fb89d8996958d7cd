#include "core/serve/api_follow.h"

#include <utility>

#include "core/serve/answer.h"
#include "core/serve/text.h"

namespace teal::serve {
namespace {

using runtime::LinesAnswer;
using runtime::Served;

constexpr char kKeepAlive[] = ": keep-alive\n\n";
constexpr char kEnd[] = "event: end\ndata: {}\n\n";

std::string ErrorEvent(const runtime::ServiceError& error) {
  return "event: error\ndata: " + ErrorAnswer(error).body + "\n\n";
}

// One page as events; nothing: a sign of life.
FeedPart PartOf(runtime::LineSort sort, const LinesAnswer& page) {
  FeedPart part;
  for (size_t i = 0; i < page.lines.size(); ++i) {
    if (i + 1 == page.lines.size()) part.text += "id: " + CursorText(page.next) + "\n";
    part.text += "data: " + LineJson(sort, page.lines[i]) + "\n\n";
  }
  part.last = page.ended;
  if (page.ended) part.text += kEnd;
  if (part.text.empty()) part.text = kKeepAlive;
  return part;
}

class LinesFeed : public Feed, public std::enable_shared_from_this<LinesFeed> {
 public:
  LinesFeed(LinesSource source, LinesAnswer first, std::shared_ptr<void> slot)
      : source_(std::move(source)), first_(std::move(first)), slot_(std::move(slot)) {}

  void Next(std::function<void(FeedPart)> done) override {
    if (first_) {
      const LinesAnswer page = std::move(*first_);
      first_.reset();
      source_.cursor = page.next;
      return done(PartOf(source_.sort, page));
    }
    source_.service->Lines(source_.sid, source_.sort, source_.cursor, kFeedItems, source_.keep_alive_ns,
                           [weak = weak_from_this(), slot = slot_, done = std::move(done)](Served<LinesAnswer> served) {
                             const std::shared_ptr<LinesFeed> self = weak.lock();
                             if (self == nullptr) return;
                             if (served.error) return done({ErrorEvent(*served.error), true});
                             self->source_.cursor = served.value.next;
                             done(PartOf(self->source_.sort, served.value));
                           });
  }

 private:
  // Used by one Next at a time.
  LinesSource source_;
  std::optional<LinesAnswer> first_;
  const std::shared_ptr<void> slot_;
};

class LookFeed : public Feed, public std::enable_shared_from_this<LookFeed> {
 public:
  LookFeed(LookSource source, std::string seen, uint64_t look_ns, uint64_t keep_alive_ns, Api::After after,
           std::shared_ptr<void> slot)
      : source_(std::move(source)),
        look_ns_(look_ns),
        keep_alive_ns_(keep_alive_ns),
        after_(std::move(after)),
        slot_(std::move(slot)),
        seen_(std::move(seen)) {}

  void First(Looked looked) { first_ = std::move(looked); }

  void Next(std::function<void(FeedPart)> done) override {
    if (first_) {
      const Looked looked = std::move(*first_);
      first_.reset();
      return Give(looked, true, done);
    }
    quiet_ns_ = 0;
    Again(std::move(done));
  }

 private:
  void Again(std::function<void(FeedPart)> done) {
    after_(look_ns_, [weak = weak_from_this(), done = std::move(done)] {
      const std::shared_ptr<LookFeed> self = weak.lock();
      if (self == nullptr) return;
      self->quiet_ns_ += self->look_ns_;
      TakeLook(self->source_, [weak, slot = self->slot_, done](Served<Looked> served) {
        const std::shared_ptr<LookFeed> alive = weak.lock();
        if (alive == nullptr) return;
        if (served.error) return done({ErrorEvent(*served.error), true});
        alive->Give(served.value, alive->quiet_ns_ >= alive->keep_alive_ns_, done);
      });
    });
  }

  // must: a sign of life is due.
  void Give(const Looked& looked, bool must, const std::function<void(FeedPart)>& done) {
    FeedPart part;
    const std::string digest = DigestOf(looked.items);
    if (digest != seen_) {
      part.text = "id: " + digest + "\ndata: [" + JoinItems(looked.items) + "]\n\n";
      seen_ = digest;
    }
    part.last = looked.ended;
    if (looked.ended) part.text += kEnd;
    if (part.text.empty() && !must) return Again(done);
    if (part.text.empty()) part.text = kKeepAlive;
    done(std::move(part));
  }

  const LookSource source_;
  const uint64_t look_ns_, keep_alive_ns_;
  const Api::After after_;
  const std::shared_ptr<void> slot_;
  // Used by one Next at a time.
  std::string seen_;
  std::optional<Looked> first_;
  uint64_t quiet_ns_ = 0;
};

}  // namespace

bool WantsEvents(const RequestHead& head) {
  return head.accept.find("text/event-stream") != std::string::npos;
}

std::string CursorText(std::string_view cursor) {
  std::string text;
  for (const char c : cursor) {
    const auto byte = static_cast<unsigned char>(c);
    text.push_back("0123456789abcdef"[byte >> 4u]);
    text.push_back("0123456789abcdef"[byte & 15u]);
  }
  return text;
}

std::optional<std::string> CursorFrom(std::string_view text) {
  if (text.size() % 2 != 0) return std::nullopt;
  std::string cursor;
  for (size_t i = 0; i < text.size(); i += 2) {
    const size_t high = std::string_view("0123456789abcdef").find(text[i]);
    const size_t low = std::string_view("0123456789abcdef").find(text[i + 1]);
    if (high == std::string_view::npos || low == std::string_view::npos) return std::nullopt;
    cursor.push_back(static_cast<char>(high << 4u | low));
  }
  return cursor;
}

Answer NoCursor() {
  return ErrorAnswer(400, "invalid", "this is no cursor of this host",
                     "give what an answer had as \"next\" or \"cursor\", or nothing");
}

void FollowLines(LinesSource source, const std::shared_ptr<void>& slot, const std::shared_ptr<Responder>& responder) {
  runtime::SessionService* const service = source.service;
  const std::string sid = source.sid;
  const std::string cursor = source.cursor;
  const runtime::LineSort sort = source.sort;
  // The first page tells whether there is such a session, before the answer's status is sent.
  service->Lines(sid, sort, cursor, kFeedItems, 0,
                 [source = std::move(source), slot, responder](Served<LinesAnswer> served) {
                   if (served.error) return responder->Give(ErrorAnswer(*served.error));
                   responder->Follow(std::make_shared<LinesFeed>(source, std::move(served.value), slot));
                 });
}

void TakeLook(const LookSource& source, runtime::Done<Looked> done) {
  // Whether it has ended is asked first: what is read after that is its last state.
  source.service->Get(source.sid, [source, done = std::move(done)](Served<runtime::SessionView> session) {
    if (session.error) return done({session.error, {}});
    const bool ended = HasEnded(session.value.status);
    if (source.threads) {
      return source.service->Threads(source.sid, [ended, done](Served<std::vector<runtime::ThreadView>> served) {
        Looked looked{{}, ended};
        for (const runtime::ThreadView& thread : served.value) looked.items.push_back(ThreadJson(thread));
        done({served.error, std::move(looked)});
      });
    }
    source.service->Published(source.sid,
                              [ended, done](Served<std::vector<std::pair<std::string, std::string>>> served) {
                                Looked looked{{}, ended};
                                for (const auto& [key, value] : served.value) {
                                  looked.items.push_back("{\"key\":" + JsonOf(key) + ",\"value\":" + value + "}");
                                }
                                done({served.error, std::move(looked)});
                              });
  });
}

std::string DigestOf(const std::vector<std::string>& items) {
  return Hex(Sha256Of(JoinItems(items))).substr(0, 32);
}

std::string JoinItems(const std::vector<std::string>& items) {
  std::string joined;
  for (size_t i = 0; i < items.size(); ++i) joined += (i > 0 ? "," : "") + items[i];
  return joined;
}

void FollowLooks(const LookSource& source, const std::string& seen, uint64_t look_ns, uint64_t keep_alive_ns,
                 const Api::After& after, const std::shared_ptr<void>& slot,
                 const std::shared_ptr<Responder>& responder) {
  TakeLook(source, [=](Served<Looked> served) {
    if (served.error) return responder->Give(ErrorAnswer(*served.error));
    const auto feed = std::make_shared<LookFeed>(source, seen, look_ns, keep_alive_ns, after, slot);
    feed->First(std::move(served.value));
    responder->Follow(feed);
  });
}

}  // namespace teal::serve
