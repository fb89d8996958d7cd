// Running a session again: a new one of the same program, function and arguments. Its arguments are a record of their
// own, written with its first commit.
#include "core/runtime/durable.h"
#include "core/runtime/host_alone.h"
#include "core/runtime/record_codec.h"
#include "core/runtime/session.h"

namespace teal::runtime {

using Code = ServiceError::Code;

void DurableSessions::Rerun(std::string sid, std::string from, Done<SessionView> done) {
  if (from != "start" && from != "0") {
    return done({ServiceError{Code::kUnfit,
                              "no state of step " + from + " is kept: a session can be run again from its start only",
                              "write start", 0},
                 {}});
  }
  Post([this, sid = std::move(sid), done = std::move(done)]() mutable {
    GetRecord(sid, [this, sid, done = std::move(done)](Served<record::Session> record) mutable {
      if (record.error) return done({std::move(record.error), {}});
      auto session = std::make_shared<record::Session>(std::move(record.value));
      options_.store->Get({record::StartKey(sid)}, [this, sid, session, done = std::move(done)](auto got) mutable {
        Post([this, sid, session, done = std::move(done), got = std::move(got)]() mutable {
          if (!got.ok()) return done({ErrorOf(got.failure()), {}});
          auto start = std::make_shared<record::Start>();
          if (const std::optional<StoreItem>& item = got.value()[0]) {
            Result<record::Start> read = record::DecodeStart(item->key, item->bytes);
            if (!read.ok()) return done({ErrorOf(read.failure()), {}});
            *start = std::move(*read);
          }
          WithProgram(session->program, [this, sid, session, start, done](Result<Loaded> loaded) {
            if (!loaded.ok()) return done({ErrorOf(loaded.failure()), {}});
            RerunWith(sid, *session, *start, *loaded, done);
          });
        });
      });
    });
  });
}

void DurableSessions::RerunWith(const std::string& sid, const record::Session& session, const record::Start& start,
                                const Loaded& loaded, const Done<SessionView>& done) {
  SessionStart to;
  to.program = loaded.program;
  to.foreign = loaded.foreign;
  to.limits = options_.limits;
  const auto damaged = [&](const std::string& what) {
    done({ServiceError{Code::kInternal, "the session " + sid + " cannot be run again: " + what, "", 0}, {}});
  };
  if (start.arguments.empty()) {
    uint32_t index = 0;
    const vm::Function* function = loaded.program->FindEntry(session.function, &index);
    if (function == nullptr || !function->parameters.empty()) {
      return done({ServiceError{Code::kUnfit, "the arguments of the session " + sid + " were not kept",
                                "start it anew, with its arguments", 0},
                   {}});
    }
    to.function = vm::Value::Function(index);
  } else {
    Result<vm::Value> function = vm::DecodeValue(start.function.bytes, loaded.program.get());
    if (!function.ok()) return damaged(function.failure().message);
    Result<vm::Value> arguments = vm::DecodeValue(start.arguments.bytes, loaded.program.get());
    if (!arguments.ok()) return damaged(arguments.failure().message);
    if (!function->IsCallable() || arguments->tag() != vm::Tag::kList) return damaged("its start is none");
    to.function = *function;
    vm::Share(to.function);
    const vm::List* list = arguments->As<vm::List>();
    for (uint64_t i = 0; i < list->size; ++i) {
      vm::Share(list->items[i]);
      to.arguments.push_back(list->items[i]);
    }
  }
  StartRequest request;
  request.function = session.function;
  request.source = "rerun";
  for (const record::Label& label : session.labels) {
    if (label.key != "rerun_of") request.labels.emplace_back(label.key, label.value);
  }
  request.labels.emplace_back("rerun_of", sid);
  if (session.deadline_unix_ns > session.created_unix_ns) {
    request.timeout_ns = session.deadline_unix_ns - session.created_unix_ns;
  }
  Begin(request, session.program, RandomSid(), std::move(to),
        [done](Served<StartAnswer> answer) { done({std::move(answer.error), std::move(answer.value.session)}); });
}

}  // namespace teal::runtime
