// The threads of a session as `teal inspect` shows them: from memory where this host carries it; else from its records.
#include <map>

#include "core/runtime/durable.h"
#include "core/runtime/record_codec.h"
#include "core/runtime/session.h"

namespace teal::runtime {

using Code = ServiceError::Code;

namespace {

constexpr uint64_t kPageRecords = 1'000;

// What its host last wrote of it; the engine knows more only where the thread runs.
void Tell(const record::Thread& thread, ThreadView* view) {
  if (thread.status == record::Status::kRunning) {
    view->status = "running";
    view->waits_for = "a Python call";
    return;
  }
  if (thread.status != record::Status::kWaiting || !thread.wait) return;
  view->status = "waiting";
  const record::Wait& wait = *thread.wait;
  for (const record::EventWait& event : wait.events) {
    view->waits_for += (view->waits_for.empty() ? "" : ", ") + ("the event " + event.name);
  }
  uint64_t threads = wait.others.size();
  for (const record::Range& range : wait.own) threads += range.count;
  if (threads > 0) {
    view->waits_for += (view->waits_for.empty() ? "" : ", ") +
                       (threads == 1 ? std::string("a thread") : std::to_string(threads) + " threads");
  }
  if (view->waits_for.empty()) view->waits_for = "a time";
}

}  // namespace

void DurableSessions::Threads(std::string sid, Done<std::vector<ThreadView>> done) {
  Post([this, sid = std::move(sid), done = std::move(done)]() mutable {
    if (!shared_ || !record::IsSid(sid)) return ThreadsHere(sid, std::move(done));
    // What is in memory may be what another host has gone on with since.
    StoreVersion before{};
    {
      const std::lock_guard<std::mutex> lock(runtime_->mutex());
      if (Session* session = runtime_->Find(sid)) before = session->kept()->version;
    }
    options_.store->Get({record::SessionKey(sid)}, [this, sid, before, done = std::move(done)](auto got) mutable {
      Post([this, sid, before, done = std::move(done), got = std::move(got)]() mutable {
        if (!got.ok()) return done({ErrorOf(got.failure()), {}});
        const std::optional<StoreItem>& own = got.value()[0];
        if (own) {
          AdoptMail(sid, own, before);
          Result<record::Session> session = record::DecodeSession(own->key, own->bytes);
          if (session.ok() && IsElsewhere(*session)) {
            return ThreadsElsewhere(std::make_shared<std::vector<StoreItem>>(), sid, {}, std::move(done));
          }
        }
        ThreadsHere(sid, std::move(done));
      });
    });
  });
}

void DurableSessions::ThreadsHere(const std::string& sid, Done<std::vector<ThreadView>> done) {
  With(sid, [this, sid, done = std::move(done)](Session* session, const ServiceError* why) {
    if (session != nullptr) {
      runtime_->Later([done, threads = session->ViewThreads()] { done({std::nullopt, threads}); });
    } else if (why == &kElsewhere) {
      runtime_->Later(
          [this, sid, done] { ThreadsElsewhere(std::make_shared<std::vector<StoreItem>>(), sid, {}, done); });
    } else if (why->code == Code::kConflict) {
      runtime_->Later([done] { done({std::nullopt, {}}); });  // one that has ended has no threads
    } else {
      runtime_->Later([done, error = *why] { done({error, {}}); });
    }
  });
}

void DurableSessions::ThreadsElsewhere(std::shared_ptr<std::vector<StoreItem>> items, const std::string& sid,
                                       std::string cursor, Done<std::vector<ThreadView>> done) {
  options_.store->Scan(sid, {}, kPageRecords, std::move(cursor),
                       [this, items, sid, done = std::move(done)](Result<StorePage> page) mutable {
                         Post([this, items, sid, done = std::move(done), page = std::move(page)]() mutable {
                           if (!page.ok()) return done({ErrorOf(page.failure()), {}});
                           for (StoreItem& item : page->items) items->push_back(std::move(item));
                           if (page->more) return ThreadsElsewhere(items, sid, page->next, std::move(done));
                           ViewRecords(sid, *items, std::move(done));
                         });
                       });
}

// The session is read as if it were gone on with here, looked at, and forgotten before anything of it runs.
void DurableSessions::ViewRecords(const std::string& sid, const std::vector<StoreItem>& items,
                                  Done<std::vector<ThreadView>> done) {
  struct Read {
    record::Session session;
    std::vector<std::pair<std::string, record::Thread>> threads;
    std::map<Sha256, std::string> values;
    bool found = false;
  };
  const auto read = std::make_shared<Read>();
  for (const StoreItem& item : items) {
    const std::optional<record::ParsedKey> at = record::Parse(item.key);
    if (!at) continue;
    if (at->kind == record::Kind::kSession) {
      Result<record::Session> session = record::DecodeSession(item.key, item.bytes);
      if (!session.ok()) return done({ErrorOf(session.failure()), {}});
      read->session = std::move(*session);
      read->found = true;
    } else if (at->kind == record::Kind::kThread) {
      Result<record::Thread> thread = record::DecodeThread(item.key, item.bytes);
      if (!thread.ok()) return done({ErrorOf(thread.failure()), {}});
      read->threads.emplace_back(at->tid, std::move(*thread));
    } else if (at->kind == record::Kind::kValue) {
      Result<record::Value> value = record::DecodeValue(item.key, item.bytes);
      if (!value.ok()) return done({ErrorOf(value.failure()), {}});
      read->values.emplace(at->hash, std::move(value->bytes));
    }
  }
  if (!read->found || read->session.ended_unix_ns > 0 || record::IsErase(read->session.main.status)) {
    return done({std::nullopt, {}});  // it has ended meanwhile
  }
  const Sha256 program = read->session.program;
  WithProgram(program, [this, sid, read, done = std::move(done)](Result<Loaded> loaded) {
    if (!loaded.ok()) return done({ErrorOf(loaded.failure()), {}});
    std::map<std::string, record::Thread> as_written;
    for (const auto& [tid, thread] : read->threads) as_written.emplace(tid, thread);
    as_written.emplace(std::string(record::kMainTid), read->session.main);
    auto kept = std::make_unique<KeptSession>();
    kept->exists = kept->listed = true;
    SessionStart start;
    start.program = loaded->program;
    start.foreign = loaded->foreign;
    start.id = sid;
    start.limits = options_.limits;
    std::vector<ThreadView> views;
    {
      const std::lock_guard<std::mutex> lock(runtime_->mutex());
      if (Session* here = runtime_->Find(sid)) {
        views = here->ViewThreads();
        as_written.clear();
      } else {
        Result<Session*> session =
            runtime_->CarryOn(std::move(start), std::move(kept), std::move(read->session), std::move(read->threads),
                              [read](const Sha256& hash) -> Result<std::string> {
                                const auto found = read->values.find(hash);
                                if (found == read->values.end())
                                  return Fail(FailureCode::kNotFound, "no value " + Hex(hash));
                                return found->second;
                              });
        if (!session.ok()) {
          // Its host may have written meanwhile: what was read is of two moments.
          runtime_->Later([done, error = ErrorOf(session.failure())] {
            done({ServiceError{Code::kUnavailable, error.message, "try again", 1'000'000'000}, {}});
          });
          return;
        }
        views = (*session)->ViewThreads();
        (*session)->kept()->lost = true;
        runtime_->Drop(**session);
      }
    }
    for (ThreadView& view : views) {
      const auto written = as_written.find(view.tid);
      if (written != as_written.end() && view.status == "ready") Tell(written->second, &view);
    }
    done({std::nullopt, std::move(views)});
  });
}

}  // namespace teal::runtime
