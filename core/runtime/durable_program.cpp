// Programs in the store: a session keeps the one it started with.
#include <algorithm>
#include <future>

#include "core/runtime/durable.h"
#include "core/runtime/record_codec.h"
#include "core/runtime/session.h"
#include "core/vm/program.h"

namespace teal::runtime {

namespace {

// Bytes of an executable that lie in its record; a longer one lies in pieces of as many.
uint64_t PieceBytes(const StoreLimits& limits) {
  return std::min<uint64_t>(limits.value_bytes_max / 2, 256 << 10);
}

// One executable being read, piece by piece.
struct Reading {
  Sha256 id{};
  record::Program program;
  std::string bytes;
};

}  // namespace

Status DurableSessions::Activate(std::string name, std::string_view executable) {
  std::promise<Status> done;
  ActivateSoon(std::move(name), std::string(executable), [&done](const Status& status) { done.set_value(status); });
  return done.get_future().get();
}

void DurableSessions::ActivateSoon(std::string name, std::string executable, std::function<void(const Status&)> done) {
  Post([this, name = std::move(name), executable = std::move(executable), done = std::move(done)]() mutable {
    ActivateHere(std::move(name), executable, std::move(done));
  });
}

void DurableSessions::ActivateHere(std::string name, const std::string& executable,
                                   std::function<void(const Status&)> done) {
  Result<std::shared_ptr<const vm::Program>> program = vm::Program::Load(executable);
  if (!program.ok()) return done(program.failure());
  record::Program stored;
  stored.name = name;
  stored.created_unix_ns = static_cast<uint64_t>(std::max<int64_t>(Now(), 1));
  stored.executable.hash = Sha256Of(executable);
  stored.executable.size = executable.size();
  const Sha256 id = record::ProgramId(stored.executable.hash, Sha256{});
  Result<Loaded> loaded = LoadedOf(*program, std::move(name), stored.created_unix_ns);
  if (!loaded.ok()) return done(loaded.failure());
  auto writes = std::make_shared<std::vector<StoreWrite>>();  // one after the other; the record itself is the last
  const auto add = [&writes](record::Key key, Result<std::string> bytes) -> Status {
    if (!bytes.ok()) return bytes.failure();
    StoreWrite& write = writes->emplace_back();
    write.condition = StoreCondition::kAbsent;
    write.key = std::move(key);
    write.bytes = std::move(*bytes);
    return Unit{};
  };
  const uint64_t piece = PieceBytes(options_.store->limits());
  if (executable.size() <= piece) {
    stored.executable.bytes = executable;
  } else {
    for (uint64_t at = 0; at < executable.size(); at += piece, ++stored.executable.pieces) {
      const record::Key key = record::ProgramPieceKey(stored.executable.hash, stored.executable.pieces);
      const std::string_view bytes = std::string_view(executable).substr(at, piece);
      if (Status s = add(key, record::EncodePiece(key, bytes)); !s.ok()) return done(s);
    }
  }
  const record::Key key = record::ProgramKey(id);
  if (Status s = add(key, record::Encode(key, stored)); !s.ok()) return done(s);
  WriteProgram(writes, 0, [this, id, loaded = std::move(*loaded), done = std::move(done)](const Status& status) {
    if (status.ok()) {
      programs_.emplace(id, loaded);
      active_ = id;
    }
    done(status);
  });
}

void DurableSessions::WriteProgram(std::shared_ptr<std::vector<StoreWrite>> writes, size_t at,
                                   std::function<void(const Status&)> done) {
  std::vector<StoreWrite> one;
  one.push_back(std::move((*writes)[at]));
  options_.store->Commit(std::move(one),
                         [this, writes, at, done = std::move(done)](Result<StoreCommitted> outcome) mutable {
                           Post([this, writes, at, done = std::move(done), outcome = std::move(outcome)]() mutable {
                             // A record that is there already is the same one: its key is its hash.
                             if (!outcome.ok()) return done(outcome.failure());
                             if (at + 1 == writes->size()) return done(Unit{});
                             WriteProgram(writes, at + 1, std::move(done));
                           });
                         });
}

Result<DurableSessions::Loaded> DurableSessions::LoadedOf(std::shared_ptr<const vm::Program> program, std::string name,
                                                          uint64_t created_unix_ns) {
  Loaded loaded{program, nullptr, std::move(name), created_unix_ns};
  if (program->imports().empty()) return loaded;
  if (options_.foreign_of == nullptr) return Fail(FailureCode::kInvalid, "the program needs Python functions");
  Result<ForeignCalls*> foreign = options_.foreign_of(program);
  if (!foreign.ok()) return foreign.failure();
  loaded.foreign = *foreign;
  return loaded;
}

void DurableSessions::WithProgram(const Sha256& id, std::function<void(Result<Loaded>)> call) {
  if (const auto found = programs_.find(id); found != programs_.end()) return call(found->second);
  const auto finish = [this, call](const std::shared_ptr<Reading>& reading) {
    if (Sha256Of(reading->bytes) != reading->program.executable.hash) {
      return call(Fail(FailureCode::kCorrupt, "the program " + Hex(reading->id) + " is damaged in the store"));
    }
    Result<std::shared_ptr<const vm::Program>> program = vm::Program::Load(reading->bytes);
    if (!program.ok()) return call(program.failure());
    Result<Loaded> loaded = LoadedOf(*program, reading->program.name, reading->program.created_unix_ns);
    if (!loaded.ok()) return call(loaded.failure());
    call(programs_.emplace(reading->id, std::move(*loaded)).first->second);
  };
  auto reading = std::make_shared<Reading>();
  reading->id = id;
  options_.store->Get({record::ProgramKey(id)}, [this, reading, call, finish](auto got) {
    Post([this, reading, call, finish, got = std::move(got)]() mutable {
      if (!got.ok()) return call(got.failure());
      if (!got.value()[0])
        return call(Fail(FailureCode::kNotFound, "there is no program " + Hex(reading->id) + " in the store"));
      Result<record::Program> program = record::DecodeProgram(got.value()[0]->key, got.value()[0]->bytes);
      if (!program.ok()) return call(program.failure());
      reading->program = std::move(*program);
      const record::Part& part = reading->program.executable;
      if (part.pieces == 0) {
        reading->bytes = part.bytes;
        return finish(reading);
      }
      std::vector<record::Key> keys;
      for (uint64_t i = 0; i < part.pieces; ++i) keys.push_back(record::ProgramPieceKey(part.hash, i));
      options_.store->Get(std::move(keys), [this, reading, call, finish](auto pieces) {
        Post([reading, call, finish, pieces = std::move(pieces)]() mutable {
          if (!pieces.ok()) return call(pieces.failure());
          for (const std::optional<StoreItem>& piece : *pieces) {
            Result<std::string> bytes =
                piece ? record::DecodePiece(piece->key, piece->bytes)
                      : Result<std::string>(
                            Fail(FailureCode::kCorrupt, "a piece of the program " + Hex(reading->id) + " is missing"));
            if (!bytes.ok()) return call(bytes.failure());
            reading->bytes += *bytes;
          }
          finish(reading);
        });
      });
    });
  });
}

void DurableSessions::Programs(Done<std::vector<ProgramView>> done) {
  Post([this, done = std::move(done)] {
    std::vector<ProgramView> views;
    const std::lock_guard<std::mutex> lock(runtime_->mutex());
    for (const auto& [id, loaded] : programs_) {
      ProgramView& view = views.emplace_back();
      view.hash = Hex(id);
      view.name = loaded.name;
      view.created_unix_ns = loaded.created_unix_ns;
      view.active = id == active_;
      for (const auto& session : runtime_->sessions()) {
        if (session->kept()->head.program == id && !session->ended()) ++view.sessions;
      }
    }
    runtime_->Later([done, views = std::move(views)] { done({std::nullopt, views}); });
  });
}

}  // namespace teal::runtime
