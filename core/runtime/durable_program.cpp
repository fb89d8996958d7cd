// Reading programs from the store: a session keeps the one it started with, its foreign code included.
#include "core/runtime/durable.h"
#include "core/runtime/record_codec.h"
#include "core/runtime/session.h"
#include "core/vm/program.h"

namespace teal::runtime {

void DurableSessions::WithProgram(const Sha256& id, std::function<void(const Result<Loaded>&)> call) {
  if (const auto found = programs_.find(id); found != programs_.end()) return call(found->second);
  // All who want it meanwhile get what comes of one reading.
  std::vector<std::function<void(const Result<Loaded>&)>>& all = arriving_[id];
  all.push_back(std::move(call));
  if (all.size() > 1) return;
  ReadProgram(id, [this, id](const Result<Loaded>& loaded) {
    if (loaded.ok() && loaded.value().missing.empty()) programs_.insert_or_assign(id, loaded.value());
    const auto waited = arriving_.extract(id);
    for (const auto& one : waited.mapped()) one(loaded);
  });
}

void DurableSessions::ReadProgram(const Sha256& id, std::function<void(Result<Loaded>)> done) {
  options_.store->Get({record::ProgramKey(id)}, [this, id, done = std::move(done)](auto got) mutable {
    Post([this, id, done = std::move(done), got = std::move(got)]() mutable {
      if (!got.ok()) return done(got.failure());
      if (!got.value()[0]) {
        return done(Fail(FailureCode::kNotFound, "there is no program " + Hex(id) + " in the store"));
      }
      Result<record::Program> read = record::DecodeProgram(got.value()[0]->key, got.value()[0]->bytes);
      if (!read.ok()) return done(read.failure());
      const auto stored = std::make_shared<record::Program>(std::move(*read));
      ReadPart(stored->executable, [this, id, stored, done = std::move(done)](Result<std::string> executable) mutable {
        if (!executable.ok()) {
          return done(Fail(executable.failure().code, "the program " + Hex(id) + ": " + executable.failure().message));
        }
        if (!stored->package) return Load(id, *stored, *executable, nullptr, std::move(done));
        ReadPart(*stored->package, [this, id, stored, executable = std::move(*executable),
                                    done = std::move(done)](Result<std::string> package) mutable {
          const bool is_there = package.ok();
          // A store that cannot be reached says nothing of what is in it.
          if (!is_there && package.failure().code != FailureCode::kCorrupt) return done(package.failure());
          auto bytes = is_there ? std::make_shared<const std::string>(std::move(*package)) : nullptr;
          Load(id, *stored, executable, std::move(bytes), std::move(done));
        });
      });
    });
  });
}

void DurableSessions::ReadPart(const record::Part& part, std::function<void(Result<std::string>)> done) {
  if (part.pieces == 0) return done(part.bytes);
  std::vector<record::Key> keys;
  for (uint64_t i = 0; i < part.pieces; ++i) keys.push_back(record::ProgramPieceKey(part.hash, i));
  options_.store->Get(std::move(keys), [this, hash = part.hash, done = std::move(done)](auto got) mutable {
    Post([hash, done = std::move(done), got = std::move(got)]() mutable {
      if (!got.ok()) return done(got.failure());
      std::string all;
      for (const std::optional<StoreItem>& piece : *got) {
        if (!piece) return done(Fail(FailureCode::kCorrupt, "a piece of " + Hex(hash) + " is missing in the store"));
        Result<std::string> bytes = record::DecodePiece(piece->key, piece->bytes);
        if (!bytes.ok()) return done(bytes.failure());
        all += *bytes;
      }
      if (Sha256Of(all) != hash) return done(Fail(FailureCode::kCorrupt, Hex(hash) + " is damaged in the store"));
      done(std::move(all));
    });
  });
}

void DurableSessions::Load(const Sha256& id, const record::Program& stored, const std::string& executable,
                           std::shared_ptr<const std::string> package, std::function<void(Result<Loaded>)> done) {
  Result<std::shared_ptr<const vm::Program>> program = vm::Program::Load(executable);
  if (!program.ok()) return done(program.failure());
  Loaded loaded{*program, nullptr, stored.name, stored.created_unix_ns, "", nullptr};
  if (shared_) loaded.stored = std::make_shared<const record::Program>(stored);
  if (loaded.program->imports().empty()) return done(std::move(loaded));
  if (options_.foreign_of == nullptr) return done(Fail(FailureCode::kInvalid, "the program needs Python functions"));
  if (stored.package && package == nullptr) {
    loaded.missing = "the package " + Hex(stored.package->hash) + " is damaged in the store";
    return done(std::move(loaded));
  }
  options_.foreign_of({id, loaded.program, std::move(package)},
                      [this, loaded, done = std::move(done)](Result<ForeignCalls*> foreign) mutable {
                        Post([loaded = std::move(loaded), done = std::move(done), foreign]() mutable {
                          if (foreign.ok()) {
                            loaded.foreign = foreign.value();
                          } else {
                            loaded.missing = foreign.failure().message;
                          }
                          done(std::move(loaded));
                        });
                      });
}

// A session that was carried on without its foreign calls leaves memory, if there are some now: it comes back with
// them.
void DurableSessions::ProvideAgain(const std::string& sid, std::function<void(std::optional<ServiceError>)> then) {
  Post([this, sid, then = std::move(then)]() mutable {
    With(sid, [this, sid, then = std::move(then)](Session* session, const ServiceError*) {
      if (session == nullptr || session->ended() || !session->LacksForeign()) {
        return runtime_->Later([then] { then(std::nullopt); });
      }
      runtime_->Later([this, sid, then, program = session->kept()->head.program] {
        WithProgram(program, [this, sid, then](const Result<Loaded>& loaded) {
          if (!loaded.ok()) return then(ErrorOf(loaded.failure()));
          if (!loaded.value().missing.empty()) {
            return then(ServiceError{ServiceError::Code::kConflict,
                                     "the session cannot go on: " + loaded.value().missing,
                                     "when this is mended, resume it again", 0});
          }
          LeaveUntilProvided(sid, then);
        });
      });
    });
  });
}

void DurableSessions::LeaveUntilProvided(const std::string& sid,
                                         std::function<void(std::optional<ServiceError>)> then) {
  std::unique_lock<std::mutex> lock(runtime_->mutex());
  Session* const session = runtime_->Find(sid);
  if (session != nullptr && session->LacksForeign() && !session->ended()) {
    if (session->kept()->wanted || session->kept()->in_air) {
      return session->TellWhenKept([this, sid, then = std::move(then)](const Status&) {
        Post([this, sid, then] { LeaveUntilProvided(sid, then); });
      });
    }
    session->kept()->lost = true;
    runtime_->Drop(*session);
  }
  lock.unlock();
  then(std::nullopt);
}

}  // namespace teal::runtime
