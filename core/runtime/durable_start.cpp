// Starting sessions (P-22): the first commit makes the record, if there is none of that id.
#include <algorithm>
#include <cassert>

#include "core/runtime/durable.h"
#include "core/runtime/host_alone.h"
#include "core/runtime/session.h"
#include "core/vm/json.h"

namespace teal::runtime {

namespace {

constexpr size_t kLabelsMax = 64;
constexpr size_t kLabelBytesMax = 256;  // of key and of value
constexpr size_t kIdBytesMax = 1024;
constexpr uint64_t kRunsMax = 1'000'000;  // restarts under one id

std::string SidOfStart(const StartRequest& request, uint64_t run) {
  if (request.id.empty()) return RandomSid();
  // The lengths keep two pairs of source and id from being one text.
  return runtime::SidOf("session\n" + std::to_string(request.source.size()) + "\n" + request.source + "\n" +
                        std::to_string(request.id.size()) + "\n" + request.id + "\n" + std::to_string(run));
}

std::string SignatureOf(const vm::Function& function) {
  std::string text = "fn " + function.name + "(";
  for (size_t i = 0; i < function.parameters.size(); ++i) {
    text += (i == 0 ? "" : ", ") + std::string(function.parameters[i].Text());
  }
  return text + ")";
}

ServiceError Unfit(ServiceError::Code code, std::string message, std::string hint) {
  return {code, std::move(message), std::move(hint), 0};
}

bool ReadJson(const std::string& text, vm::Value* value, std::string* why) {
  vm::Value error;
  if (vm::DecodeJson(text, value, &error)) return true;
  *why = std::string(error.As<vm::Error>()->message.Text());
  return false;
}

}  // namespace

std::string DurableSessions::SidOf(const StartRequest& request) {
  return SidOfStart(request, 0);
}

std::optional<ServiceError> DurableSessions::Prepare(const StartRequest& request, SessionStart* start) {
  using Code = ServiceError::Code;
  const auto loaded = programs_.find(active_);
  if (loaded == programs_.end()) {
    return Unfit(Code::kUnavailable, "the host has no program", "give it one: teal serve FILE.tl");
  }
  const vm::Program& program = *loaded->second.program;
  uint32_t index = 0;
  const vm::Function* function = program.FindEntry(request.function, &index);
  if (function == nullptr) {
    std::string names;
    for (const std::string_view name : program.EntryNames()) names += (names.empty() ? "" : ", ") + std::string(name);
    return Unfit(Code::kUnfit, "the program has no function " + request.function,
                 names.empty() ? "write one" : "there is " + names);
  }
  vm::Value arguments;
  std::string why;
  if (!ReadJson(request.arguments_json, &arguments, &why)) return Unfit(Code::kInvalid, "args: " + why, "write JSON");
  if (arguments.tag() != vm::Tag::kList) return Unfit(Code::kInvalid, "args is no list", "write [1, \"two\"]");
  const vm::List* list = arguments.As<vm::List>();
  const size_t taken = function->parameters.size();
  if (list->size < taken || (list->size > taken && !request.drop_arguments)) {
    return Unfit(Code::kUnfit,
                 request.function + " takes " + std::to_string(function->parameters.size()) + " arguments, not " +
                     std::to_string(list->size),
                 "it is declared as " + SignatureOf(*function));
  }
  if (request.labels.size() > kLabelsMax) {
    return Unfit(Code::kTooLarge, "more than " + std::to_string(kLabelsMax) + " labels", "give fewer");
  }
  for (const auto& [key, value] : request.labels) {
    if (key.empty() || key.size() > kLabelBytesMax || value.size() > kLabelBytesMax) {
      return Unfit(Code::kTooLarge,
                   "a label without a key, or one of more than " + std::to_string(kLabelBytesMax) + " bytes",
                   "make it shorter");
    }
  }
  if (request.id.size() > kIdBytesMax) {
    return Unfit(Code::kTooLarge, "an id of more than " + std::to_string(kIdBytesMax) + " bytes", "make it shorter");
  }
  start->program = loaded->second.program;
  start->foreign = loaded->second.foreign;
  start->function = vm::Value::Function(index);
  start->limits = options_.limits;
  for (uint64_t i = 0; i < taken; ++i) {
    vm::Share(list->items[i]);
    start->arguments.push_back(list->items[i]);
  }
  return std::nullopt;
}

void DurableSessions::Start(StartRequest request, Done<StartAnswer> done) {
  Post([this, request = std::move(request), done = std::move(done)]() mutable {
    StartHere(std::move(request), 0, std::move(done));
  });
}

void DurableSessions::StartHere(StartRequest request, uint64_t run, Done<StartAnswer> done) {
  if (stopped_) return done({ServiceError{ServiceError::Code::kUnavailable, "the host stops", "", 1'000'000'000}, {}});
  SessionStart start;
  if (std::optional<ServiceError> error = Prepare(request, &start)) return done({std::move(error), {}});
  vm::Value event;
  if (!request.event_name.empty()) {
    std::string why;
    if (!ReadJson(request.event_json, &event, &why)) {
      return done({Unfit(ServiceError::Code::kInvalid, "event.value: " + why, "write JSON"), {}});
    }
  }
  if (runtime_->sessions().size() >= options_.carried_max) {
    return done({ServiceError{ServiceError::Code::kOverloaded,
                              "the host carries " + std::to_string(options_.carried_max) + " sessions",
                              "try again later", 1'000'000'000},
                 {}});
  }
  const std::string sid = SidOfStart(request, run);
  bool known = false;
  {
    const std::lock_guard<std::mutex> lock(runtime_->mutex());
    known = runtime_->Find(sid) != nullptr;
  }
  if (known || coming_.count(sid) > 0) return AnswerKnown(request, sid, run, std::move(done));
  Begin(request, active_, sid, std::move(start), [this, request, sid, run, done](Served<StartAnswer> answer) mutable {
    // kConflict: the store has one of that id, and that was found by trying.
    if (!answer.error || answer.error->code != ServiceError::Code::kConflict) return done(std::move(answer));
    AnswerKnown(request, sid, run, std::move(done));
  });
}

void DurableSessions::Begin(StartRequest request, const Sha256& program, std::string sid, SessionStart start,
                            Done<StartAnswer> done) {
  auto kept = std::make_unique<KeptSession>();
  record::Session& head = kept->head;
  head.program = program;
  head.function = request.function;
  head.source = request.source;
  head.id = request.id;
  for (auto& [key, value] : request.labels) head.labels.push_back({key, value, {}});
  std::sort(head.labels.begin(), head.labels.end(), [](const auto& a, const auto& b) { return a.key < b.key; });
  head.labels.erase(
      std::unique(head.labels.begin(), head.labels.end(), [](const auto& a, const auto& b) { return a.key == b.key; }),
      head.labels.end());
  head.created_unix_ns = head.started_unix_ns = static_cast<uint64_t>(std::max<int64_t>(Now(), 1));
  head.retention_ns = options_.constants.retention_ns;
  if (request.timeout_ns > 0) head.deadline_unix_ns = head.created_unix_ns + request.timeout_ns;
  start.id = sid;
  StartAnswer answer;
  answer.created = true;
  answer.session = ViewOf(sid, head);
  vm::Value event;
  std::string ignored;
  if (!request.event_name.empty()) ReadJson(request.event_json, &event, &ignored);
  const std::lock_guard<std::mutex> lock(runtime_->mutex());
  Session* session = runtime_->Carry(std::move(start), std::move(kept));
  if (!request.event_name.empty()) session->Deliver(request.event_name, std::move(event));
  session->TellWhenKept([this, program, self = session->shared_from_this(), answer = std::move(answer),
                         done = std::move(done)](const Status& status) mutable {
    if (status.ok()) {
      ++started_;
      // A short one has ended with its first commit.
      if (self->kept()->last != nullptr) answer.session = ViewOf(answer.session.sid, *self->kept()->last);
      if (!shared_ || self->kept()->last != nullptr) return done({std::nullopt, std::move(answer)});
      return HoldProgram(program, [done = std::move(done), answer = std::move(answer)]() mutable {
        done({std::nullopt, std::move(answer)});
      });
    }
    ServiceError error = ErrorOf(status.failure());
    if (MustAskAgain(status)) error.code = ServiceError::Code::kConflict;
    done({std::move(error), {}});
  });
}

// A session has this id: P-22.
void DurableSessions::AnswerKnown(const StartRequest& request, const std::string& sid, uint64_t run,
                                  Done<StartAnswer> done) {
  GetRecord(
      sid,
      [this, request, sid, run, done = std::move(done)](Served<record::Session> record) mutable {
        if (record.error) {
          // In memory, and its first commit on its way: it answers when that is there.
          if (record.error->code != ServiceError::Code::kNotFound) return done({std::move(record.error), {}});
          const std::lock_guard<std::mutex> lock(runtime_->mutex());
          Session* session = runtime_->Find(sid);
          if (session == nullptr) {
            runtime_->Later([this, request = std::move(request), run, done = std::move(done)]() mutable {
              StartHere(std::move(request), run, std::move(done));
            });
            return;
          }
          session->TellWhenKept([this, request = std::move(request), sid, run, done = std::move(done)](
                                    const Status&) mutable { StartHere(std::move(request), run, std::move(done)); });
          return;
        }
        if (record::IsErase(record.value.main.status) && request.on_conflict != OnConflict::kRestart &&
            record.value.main.cancel != record::Cancel::kTerminate) {
          return done({ServiceError{ServiceError::Code::kConflict,
                                    "the session of the id " + request.id + " has ended, and its record is erased",
                                    "use another id, or restart it", 0},
                       {}});
        }
        StartAnswer answer;
        answer.session = ViewOf(sid, record.value);
        if (request.on_conflict == OnConflict::kReject) {
          return done({ServiceError{ServiceError::Code::kConflict, "there is a session with the id " + request.id,
                                    "it is " + sid, 0},
                       {}});
        }
        // After a restart the newest run is the one that counts.
        StartRequest next = request;
        const bool restart = request.on_conflict == OnConflict::kRestart;
        const bool was_restarted = record.value.main.cancel == record::Cancel::kTerminate;
        if (restart || was_restarted) {
          if (run >= kRunsMax) {
            return done(
                {ServiceError{ServiceError::Code::kConflict, "too many restarts under one id", "use another", 0}, {}});
          }
          if (was_restarted) return StartHere(std::move(next), run + 1, std::move(done));
          if (!HasEnded(answer.session.status)) {
            Terminate(sid,
                      [this, next = std::move(next), run, done = std::move(done)](Served<SessionView> ended) mutable {
                        if (ended.error && ended.error->code != ServiceError::Code::kConflict) {
                          return done({std::move(ended.error), {}});
                        }
                        Post([this, next = std::move(next), run, done = std::move(done)]() mutable {
                          StartHere(std::move(next), run + 1, std::move(done));
                        });
                      });
            return;
          }
          return StartHere(std::move(next), run + 1, std::move(done));
        }
        if (request.event_name.empty()) return done({std::nullopt, std::move(answer)});
        Send(sid, request.event_name, request.event_json, {}, 0,
             [answer = std::move(answer), done = std::move(done)](Served<std::optional<std::string>> sent) mutable {
               done({std::move(sent.error), std::move(answer)});
             });
      },
      /*erased_too=*/true);
}

}  // namespace teal::runtime
