// What is asked of sessions from outside.
#include <algorithm>
#include <charconv>
#include <numeric>

#include "core/runtime/durable.h"
#include "core/runtime/host_alone.h"
#include "core/runtime/record_codec.h"
#include "core/runtime/session.h"
#include "core/vm/json.h"

namespace teal::runtime {

using Code = ServiceError::Code;

namespace {

constexpr uint64_t kPageRecords = 1'000;
constexpr size_t kEventNameBytesMax = 256;

ServiceError HasEndedError(const std::string& sid) {
  return {Code::kConflict, "the session " + sid + " has ended", "", 0};
}

}  // namespace

// Takes the session into memory, changes it, and answers when that is in the store.
void DurableSessions::Change(std::string sid, std::function<std::optional<ServiceError>(Session&)> change,
                             Done<SessionView> done) {
  Post([this, sid = std::move(sid), change = std::move(change), done = std::move(done)]() mutable {
    With(sid,
         [this, sid, change = std::move(change), done = std::move(done)](Session* session, const ServiceError* why) {
           if (session == nullptr) {
             runtime_->Later([done, error = *why] { done({error, {}}); });
             return;
           }
           if (session->ended()) {
             runtime_->Later([done, sid] { done({HasEndedError(sid), {}}); });
             return;
           }
           if (std::optional<ServiceError> error = change(*session)) {
             runtime_->Later([done, error = std::move(*error)] { done({error, {}}); });
             return;
           }
           session->TellWhenKept([this, sid, done](const Status& status) {
             if (!status.ok()) return done({ErrorOf(status.failure()), {}});
             Get(sid, done);
           });
         });
  });
}

void DurableSessions::Cancel(std::string sid, Done<SessionView> done) {
  Change(
      std::move(sid),
      [](Session& session) -> std::optional<ServiceError> {
        session.CancelAll();
        return std::nullopt;
      },
      std::move(done));
}

void DurableSessions::Terminate(std::string sid, Done<SessionView> done) {
  Change(
      std::move(sid),
      [](Session& session) -> std::optional<ServiceError> {
        session.MarkTerminated();
        session.EndNow(SessionStatus::kCancelled, vm::MakeError("terminated", "the session was terminated"));
        return std::nullopt;
      },
      std::move(done));
}

void DurableSessions::Pause(std::string sid, Done<SessionView> done) {
  Change(
      std::move(sid),
      [now = Now()](Session& session) -> std::optional<ServiceError> {
        if (session.kept()->head.paused) return std::nullopt;
        session.SetPaused(record::Paused{"asked", static_cast<uint64_t>(std::max<int64_t>(now, 1)), {}});
        return std::nullopt;
      },
      std::move(done));
}

void DurableSessions::Resume(std::string sid, Done<SessionView> done) {
  // Not before it has the foreign code of its program again.
  ProvideAgain(sid, [this, sid, done = std::move(done)](std::optional<ServiceError> error) mutable {
    if (error) return done({std::move(error), {}});
    Change(
        sid,
        [](Session& session) -> std::optional<ServiceError> {
          if (session.kept()->head.paused) session.SetPaused(std::nullopt);
          return std::nullopt;
        },
        std::move(done));
  });
}

void DurableSessions::Send(std::string sid, std::string event, std::string value_json, std::string key,
                           uint64_t reply_ns, Done<std::optional<std::string>> done) {
  if (event.empty() || event.size() > kEventNameBytesMax) {
    return done({ServiceError{Code::kInvalid,
                              "an event's name has 1 to " + std::to_string(kEventNameBytesMax) + " bytes", "", 0},
                 {}});
  }
  if (reply_ns > 0) {
    return done(
        {ServiceError{Code::kUnfit, "replies to events are not served by this version", "send without waiting", 0},
         {}});
  }
  Post([this, sid = std::move(sid), event = std::move(event), json = std::move(value_json), key = std::move(key),
        done = std::move(done)]() mutable {
    vm::Value value;
    vm::Value error;
    if (!vm::DecodeJson(json, &value, &error)) {
      return done({ServiceError{Code::kInvalid, "the value: " + std::string(error.As<vm::Error>()->message.Text()),
                                "write JSON", 0},
                   {}});
    }
    if (key.empty()) key = RandomSid();
    With(sid, [this, sid, event, value, key, done](Session* session, const ServiceError* why) {
      if (session == nullptr) {
        runtime_->Later([done, found = *why] { done({found, {}}); });
        return;
      }
      switch (session->Deliver(event, value, key)) {
        case Session::Delivery::kEnded:
          runtime_->Later([done, sid] { done({HasEndedError(sid), {}}); });
          return;
        case Session::Delivery::kFull:
          runtime_->Later([done, sid] {
            done({ServiceError{Code::kOverloaded, "the session " + sid + " has as many events waiting as it may",
                               "send again when it has taken some", 1'000'000'000},
                  {}});
          });
          return;
        case Session::Delivery::kTaken:
        case Session::Delivery::kRepeated:
          // A repeat is told when what it repeats is in the store.
          session->TellWhenKept([done](const Status& status) {
            if (!status.ok()) return done({ErrorOf(status.failure()), {}});
            done({std::nullopt, std::nullopt});
          });
          return;
      }
    });
  });
}

void DurableSessions::Published(std::string sid, Done<std::vector<std::pair<std::string, std::string>>> done) {
  Post([this, sid = std::move(sid), done = std::move(done)]() mutable {
    GetRecord(sid, [done = std::move(done)](Served<record::Session> record) {
      if (record.error) return done({std::move(record.error), {}});
      std::vector<std::pair<std::string, std::string>> all;
      for (const record::Published& one : record.value.published) {
        Result<vm::Value> value = vm::DecodeValue(one.value.bytes, nullptr);
        std::string json;
        vm::Value error;
        if (value.ok() && vm::EncodeJson(*value, &json, &error)) all.emplace_back(one.key, std::move(json));
      }
      done({std::nullopt, std::move(all)});
    });
  });
}

// ---- lines ----

// Lines of all threads in the order of their times; the cursor names the last one: its time, and how many of that time
// came before it. Every commit holds all lines up to it, so none comes later with an earlier time than one that is
// there.
struct DurableSessions::LinesRequest {
  std::string sid;
  LineSort sort = LineSort::kOutput;
  std::string cursor;
  uint64_t limit = 0;
  int64_t until_ns = 0;
  Done<LinesAnswer> done;
  uint64_t after_unix_ns = 0;
  uint64_t after_count = 0;  // of that time
  std::vector<StoreItem> items;
};

void DurableSessions::Lines(std::string sid, LineSort sort, std::string cursor, uint64_t limit, uint64_t wait_ns,
                            Done<LinesAnswer> done) {
  Post(
      [this, sid = std::move(sid), sort, cursor = std::move(cursor), limit, wait_ns, done = std::move(done)]() mutable {
        auto request = std::make_shared<LinesRequest>();
        request->sid = std::move(sid);
        request->sort = sort;
        request->limit = std::clamp<uint64_t>(limit, 1, 10'000);
        const int64_t now = Now();
        request->until_ns =
            wait_ns > static_cast<uint64_t>(INT64_MAX - now) ? INT64_MAX : now + static_cast<int64_t>(wait_ns);
        request->done = std::move(done);
        request->cursor = cursor;
        if (!cursor.empty()) {
          const char* const end = cursor.data() + cursor.size();
          auto [at, error] = std::from_chars(cursor.data(), end, request->after_unix_ns);
          bool good = error == std::errc() && at != end && *at == '.';
          if (good) {
            const auto rest = std::from_chars(at + 1, end, request->after_count);
            good = rest.ec == std::errc() && rest.ptr == end;
          }
          if (!good) {
            return request->done({ServiceError{Code::kInvalid, "cursor: it is none of this list",
                                               "give the cursor of an answer as it was", 0},
                                  {}});
          }
        }
        LinesPage(std::move(request), {});
      });
}

void DurableSessions::LinesPage(std::shared_ptr<LinesRequest> request, std::string page) {
  if (!record::IsSid(request->sid)) {
    return request->done({ServiceError{Code::kNotFound, "there is no session " + request->sid, "", 0}, {}});
  }
  const std::string sid = request->sid;
  options_.store->Scan(sid, {}, kPageRecords, std::move(page),
                       [this, request = std::move(request)](Result<StorePage> got) {
                         Post([this, request, got = std::move(got)]() mutable {
                           if (!got.ok()) return request->done({ErrorOf(got.failure()), {}});
                           for (StoreItem& item : got->items) request->items.push_back(std::move(item));
                           if (got->more) return LinesPage(std::move(request), got->next);
                           AnswerLines(std::move(request));
                         });
                       });
}

void DurableSessions::AnswerLines(std::shared_ptr<LinesRequest> request) {
  static constexpr const char* kLevels[] = {"debug", "info", "warning", "error"};
  std::vector<LineView> lines;
  bool found = false;
  bool ended = false;
  const auto add = [&](const std::string& tid, const std::vector<record::Line>& from) {
    for (const record::Line& line : from) {
      if (static_cast<int>(line.kind) != static_cast<int>(request->sort) + 1) continue;
      if (line.unix_ns < request->after_unix_ns) continue;
      LineView& view = lines.emplace_back();
      view.tid = tid;
      view.unix_ns = line.unix_ns;
      view.text = line.text;
      if (line.kind == record::LineKind::kLog) view.level = kLevels[std::min<uint32_t>(line.level, 3)];
    }
  };
  // Pieces come before what stands in the records of their threads (o/ before s and t/), in their order.
  for (const StoreItem& item : request->items) {
    const std::optional<record::ParsedKey> at = record::Parse(item.key);
    if (!at) continue;
    if (at->kind == record::Kind::kOutput) {
      Result<record::Output> piece = record::DecodeOutput(item.key, item.bytes);
      if (piece.ok()) add(at->tid, piece->lines);
    } else if (at->kind == record::Kind::kThread) {
      Result<record::Thread> thread = record::DecodeThread(item.key, item.bytes);
      if (thread.ok()) add(at->tid, thread->lines);
    } else if (at->kind == record::Kind::kSession) {
      Result<record::Session> session = record::DecodeSession(item.key, item.bytes);
      if (!session.ok()) return request->done({ErrorOf(session.failure()), {}});
      found = !record::IsErase(session->main.status);
      ended = session->ended_unix_ns > 0;
      add(std::string(record::kMainTid), session->main.lines);
    }
  }
  request->items.clear();
  if (!found) return request->done({ServiceError{Code::kNotFound, "there is no session " + request->sid, "", 0}, {}});
  // Those of one time stay in the order of their records.
  std::vector<size_t> order(lines.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::sort(order.begin(), order.end(), [&lines](size_t x, size_t y) {
    return lines[x].unix_ns != lines[y].unix_ns ? lines[x].unix_ns < lines[y].unix_ns : x < y;
  });
  std::vector<LineView> sorted;
  sorted.reserve(lines.size());
  for (const size_t at : order) sorted.push_back(std::move(lines[at]));
  lines = std::move(sorted);
  size_t skip = 0;
  while (skip < lines.size() && skip < request->after_count && lines[skip].unix_ns == request->after_unix_ns) ++skip;
  lines.erase(lines.begin(), lines.begin() + static_cast<ptrdiff_t>(skip));
  if (lines.empty() && !ended && Now() < request->until_ns && !stopped_) {
    // Again after its next commit, or when the time is over.
    following_[request->sid].push_back({request->until_ns, [this, request] { LinesPage(request, {}); }});
    return WaitUntil(request->until_ns);
  }
  LinesAnswer answer;
  answer.ended = ended && lines.size() <= request->limit;
  if (lines.size() > request->limit) lines.resize(request->limit);
  answer.next = request->cursor;
  if (!lines.empty()) {
    const uint64_t last = lines.back().unix_ns;
    uint64_t count = last == request->after_unix_ns ? request->after_count : 0;
    for (const LineView& line : lines) count += line.unix_ns == last ? 1 : 0;
    answer.next = std::to_string(last) + "." + std::to_string(count);
  }
  answer.lines = std::move(lines);
  request->done({std::nullopt, std::move(answer)});
}

// ---- threads ----

void DurableSessions::Threads(std::string sid, Done<std::vector<ThreadView>> done) {
  Post([this, sid = std::move(sid), done = std::move(done)]() mutable {
    With(sid, [this, done = std::move(done)](Session* session, const ServiceError* why) {
      if (session == nullptr) {
        // One that has ended has no threads.
        if (why->code == Code::kConflict) {
          runtime_->Later([done] { done({std::nullopt, {}}); });
        } else {
          runtime_->Later([done, error = *why] { done({error, {}}); });
        }
        return;
      }
      runtime_->Later([done, threads = session->ViewThreads()] { done({std::nullopt, threads}); });
    });
  });
}

}  // namespace teal::runtime
