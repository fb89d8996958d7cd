// Adding, activating and removing programs (P-30). These change records that others may look at meanwhile, so one is
// done at a time; another host is kept off by the condition of each write.
#include <algorithm>
#include <charconv>

#include "core/base/mutant.h"
#include "core/runtime/durable.h"
#include "core/runtime/package.h"
#include "core/runtime/record_codec.h"
#include "core/runtime/session.h"
#include "core/vm/program.h"

namespace teal::runtime {

using Code = ServiceError::Code;

namespace {

constexpr uint64_t kPagePrograms = 64;
constexpr uint64_t kLookedAtMax = 100'000;  // sessions, for the counts of a list

// Bytes of a part that lie in its program's record; a longer one lies in pieces of as many.
uint64_t PieceBytes(const StoreLimits& limits) {
  return std::min<uint64_t>(limits.value_bytes_max / 4, 256 << 10);
}

Failure NoProgram(const std::string& hash) {
  return Fail(FailureCode::kNotFound, "there is no program " + hash);
}

std::optional<Sha256> IdOf(const std::string& hash) {
  const std::optional<record::ParsedKey> at = record::Parse({"p", hash});
  if (!at || at->kind != record::Kind::kProgram) return std::nullopt;
  return at->hash;
}

// kInvalid: its foreign code cannot be loaded.
ServiceError UnfitOr(const Failure& failure) {
  ServiceError error = ErrorOf(failure);
  if (failure.code == FailureCode::kInvalid) error.code = Code::kUnfit;
  return error;
}

uint64_t NewestOf(const auto& all) {
  uint64_t newest = 0;
  for (const auto& one : all) newest = std::max(newest, one.program.activated_unix_ns);
  return newest;
}

}  // namespace

void DurableSessions::Turn(std::function<void()> work) {
  turns_.push_back(std::move(work));
  if (turns_.size() == 1) turns_.front()();
}

void DurableSessions::EndTurn() {
  // Not from within the one that ends.
  Post([this] {
    turns_.pop_front();
    if (!turns_.empty()) turns_.front()();
  });
}

void DurableSessions::ListPrograms(std::function<void(Result<StoredPrograms>)> done) {
  ListPage(std::make_shared<StoredPrograms>(), {}, std::move(done));
}

void DurableSessions::ListPage(std::shared_ptr<StoredPrograms> all, std::string cursor,
                               std::function<void(Result<StoredPrograms>)> done) {
  options_.store->Scan("p", {}, kPagePrograms, std::move(cursor),
                       [this, all, done = std::move(done)](Result<StorePage> page) mutable {
                         Post([this, all, done = std::move(done), page = std::move(page)]() mutable {
                           if (!page.ok()) return done(page.failure());
                           for (const StoreItem& item : page->items) {
                             const std::optional<record::ParsedKey> at = record::Parse(item.key);
                             if (!at || at->kind != record::Kind::kProgram) continue;  // of a newer release
                             Result<record::Program> read = record::DecodeProgram(item.key, item.bytes);
                             if (!read.ok()) return done(read.failure());
                             all->push_back({at->hash, std::move(*read), item.version});
                           }
                           if (page->more) return ListPage(all, page->next, std::move(done));
                           done(std::move(*all));
                         });
                       });
}

ProgramView DurableSessions::ViewOf(const StoredProgram& stored) const {
  ProgramView view;
  view.hash = Hex(stored.id);
  view.name = stored.program.name;
  view.created_unix_ns = stored.program.created_unix_ns;
  view.active = stored.id == active_;
  return view;
}

void DurableSessions::ChangeProgram(const Sha256& id, std::function<bool(record::Program&)> change,
                                    std::function<void(Result<StoredProgram>)> done) {
  const record::Key key = record::ProgramKey(id);
  options_.store->Get({key}, [this, id, key, change = std::move(change), done = std::move(done)](auto got) mutable {
    Post([this, id, key, change = std::move(change), done = std::move(done), got = std::move(got)]() mutable {
      if (!got.ok()) return done(got.failure());
      const std::optional<StoreItem>& item = got.value()[0];
      if (!item) return done(NoProgram(Hex(id)));
      Result<record::Program> read = record::DecodeProgram(key, item->bytes);
      if (!read.ok()) return done(read.failure());
      StoredProgram stored{id, std::move(*read), item->version};
      if (!change(stored.program)) return done(std::move(stored));
      Result<std::string> bytes = record::Encode(key, stored.program);
      if (!bytes.ok()) return done(bytes.failure());
      std::vector<StoreWrite> writes(1);
      writes[0].condition = StoreCondition::kVersion;
      writes[0].key = key;
      writes[0].expected = item->version;
      writes[0].bytes = std::move(*bytes);
      options_.store->Commit(std::move(writes), [this, id, change = std::move(change), done = std::move(done),
                                                 stored = std::move(stored)](Result<StoreCommitted> outcome) mutable {
        Post([this, id, change = std::move(change), done = std::move(done), stored = std::move(stored),
              outcome = std::move(outcome)]() mutable {
          if (!outcome.ok()) return done(outcome.failure());
          if (!outcome->applied) return ChangeProgram(id, std::move(change), std::move(done));
          stored.version = outcome->versions[0];
          done(std::move(stored));
        });
      });
    });
  });
}

// ---- adding ----

struct DurableSessions::Adding {
  NewProgram program;
  Sha256 id{};
  record::Program stored;
  Loaded loaded;
  std::vector<StoreWrite> writes;  // of pieces
  std::function<void(Result<ProgramAnswer>)> done;
};

void DurableSessions::AddHere(NewProgram program, std::function<void(Result<ProgramAnswer>)> done) {
  auto adding = std::make_shared<Adding>();
  adding->done = std::move(done);
  adding->program = std::move(program);
  record::Program& stored = adding->stored;
  stored.name = adding->program.name;
  stored.created_unix_ns = static_cast<uint64_t>(std::max<int64_t>(Now(), 1));
  const auto fill = [&](record::Part& part, const std::string& bytes) -> Status {
    part.hash = Sha256Of(bytes);
    part.size = bytes.size();
    const uint64_t piece = PieceBytes(options_.store->limits());
    if (bytes.size() <= piece) {
      part.bytes = bytes;
      return Unit{};
    }
    for (uint64_t at = 0; at < bytes.size(); at += piece, ++part.pieces) {
      StoreWrite& write = adding->writes.emplace_back();
      write.condition = StoreCondition::kAbsent;
      write.key = record::ProgramPieceKey(part.hash, part.pieces);
      Result<std::string> encoded = record::EncodePiece(write.key, std::string_view(bytes).substr(at, piece));
      if (!encoded.ok()) return encoded.failure();
      write.bytes = std::move(*encoded);
    }
    return Unit{};
  };
  Status filled = fill(stored.executable, adding->program.executable);
  if (filled.ok() && adding->program.package) filled = fill(stored.package.emplace(), *adding->program.package);
  if (!filled.ok()) return adding->done(filled.failure());
  adding->id = record::ProgramId(stored.executable.hash, stored.package ? stored.package->hash : Sha256{});
  if (const auto found = programs_.find(adding->id); found != programs_.end()) {
    adding->loaded = found->second;
    return WriteParts(adding, 0);
  }
  auto package =
      adding->program.package ? std::make_shared<const std::string>(std::move(*adding->program.package)) : nullptr;
  Load(adding->id, stored, adding->program.executable, std::move(package), [this, adding](Result<Loaded> loaded) {
    if (!loaded.ok()) return adding->done(loaded.failure());
    if (!loaded->missing.empty()) return adding->done(Fail(FailureCode::kInvalid, loaded->missing));
    adding->loaded = std::move(*loaded);
    WriteParts(adding, 0);
  });
}

// Pieces first, then what names them. One that is there already is the same: its key is its hash.
void DurableSessions::WriteParts(std::shared_ptr<Adding> adding, size_t at) {
  if (at == adding->writes.size()) return PutAdded(adding);
  std::vector<StoreWrite> one;
  one.push_back(std::move(adding->writes[at]));
  options_.store->Commit(std::move(one), [this, adding, at](Result<StoreCommitted> outcome) {
    Post([this, adding, at, outcome = std::move(outcome)] {
      if (!outcome.ok()) return adding->done(outcome.failure());
      WriteParts(adding, at + 1);
    });
  });
}

void DurableSessions::PutAdded(std::shared_ptr<Adding> adding) {
  const record::Key key = record::ProgramKey(adding->id);
  Result<std::string> bytes = record::Encode(key, adding->stored);
  if (!bytes.ok()) return adding->done(bytes.failure());
  std::vector<StoreWrite> writes(1);
  writes[0].condition = StoreCondition::kAbsent;
  writes[0].key = key;
  writes[0].bytes = std::move(*bytes);
  options_.store->Commit(std::move(writes), [this, adding](Result<StoreCommitted> outcome) {
    Post([this, adding, outcome = std::move(outcome)] {
      if (!outcome.ok()) return adding->done(outcome.failure());
      const bool created = outcome.value().applied;
      programs_.insert_or_assign(adding->id, adding->loaded);
      const auto finish = [adding, created](const Result<ProgramView>& view) {
        if (!view.ok()) return adding->done(view.failure());
        adding->done(ProgramAnswer{view.value(), created});
      };
      if (adding->program.activate) return ActivateHere(adding->id, finish);
      // One that was being removed is wanted again.
      ChangeProgram(
          adding->id,
          [](record::Program& stored) {
            const bool retiring = stored.status == record::ProgramStatus::kRetiring;
            stored.status = record::ProgramStatus::kLive;
            return retiring;
          },
          [this, finish](const Result<StoredProgram>& stored) {
            finish(stored.ok() ? Result<ProgramView>(ViewOf(stored.value())) : stored.failure());
          });
    });
  });
}

void DurableSessions::ActivateSoon(NewProgram program, std::function<void(const Status&)> done) {
  Post([this, program = std::move(program), done = std::move(done)]() mutable {
    Turn([this, program = std::move(program), done = std::move(done)] {
      AddHere(program, [this, done](const Result<ProgramAnswer>& answer) {
        EndTurn();
        done(answer.ok() ? Status(Unit{}) : Status(answer.failure()));
      });
    });
  });
}

void DurableSessions::AddProgram(NewProgram program, Done<ProgramAnswer> done) {
  Post([this, program = std::move(program), done = std::move(done)]() mutable {
    const auto refuse = [&done](Code code, std::string message, std::string hint) {
      done({ServiceError{code, std::move(message), std::move(hint), 0}, {}});
    };
    const Result<std::shared_ptr<const vm::Program>> loaded = vm::Program::Load(program.executable);
    if (!loaded.ok()) {
      return refuse(Code::kInvalid, "executable: " + loaded.failure().message,
                    "send what this release of Teal compiled, unchanged");
    }
    if (program.package) {
      if (const Result<Package> package = DecodePackage(*program.package); !package.ok()) {
        return refuse(package.failure().code == FailureCode::kTooLarge ? Code::kTooLarge : Code::kInvalid,
                      "package: " + package.failure().message, "docs/formats/package.md has its format");
      }
    } else if (!loaded.value()->imports().empty()) {
      return refuse(Code::kUnfit, "the program imports Python functions, and there is no package with them",
                    "send both");
    }
    Turn([this, program = std::move(program), done = std::move(done)] {
      AddHere(program, [this, done](const Result<ProgramAnswer>& answer) {
        EndTurn();
        if (answer.ok()) return done({std::nullopt, answer.value()});
        done({UnfitOr(answer.failure()), {}});
      });
    });
  });
}

// ---- activating ----

// In a turn.
void DurableSessions::ActivateHere(const Sha256& id, std::function<void(Result<ProgramView>)> done) {
  WithProgram(id, [this, id, done = std::move(done)](const Result<Loaded>& loaded) mutable {
    if (!loaded.ok()) return done(loaded.failure());
    if (!loaded.value().missing.empty()) return done(Fail(FailureCode::kInvalid, loaded.value().missing));
    ListPrograms([this, id, done = std::move(done)](const Result<StoredPrograms>& all) mutable {
      if (!all.ok()) return done(all.failure());
      const uint64_t newest = NewestOf(all.value());
      const uint64_t now = static_cast<uint64_t>(std::max<int64_t>(Now(), 1));
      const auto change = [newest, now](record::Program& stored) {
        const bool was =
            stored.status == record::ProgramStatus::kLive && newest > 0 && stored.activated_unix_ns == newest;
        stored.status = record::ProgramStatus::kLive;
        if (!was) stored.activated_unix_ns = std::max(now, newest + 1);
        return !was;
      };
      ChangeProgram(id, change, [this, id, done = std::move(done)](const Result<StoredProgram>& stored) {
        if (!stored.ok()) return done(stored.failure());
        active_ = id;
        done(ViewOf(stored.value()));
      });
    });
  });
}

void DurableSessions::ActivateNewest(std::function<void(const Status&)> done) {
  Post([this, done = std::move(done)]() mutable {
    Turn([this, done = std::move(done)] {
      const auto finish = [this, done](const Status& status) {
        EndTurn();
        done(status);
      };
      ListPrograms([this, finish](const Result<StoredPrograms>& all) {
        if (!all.ok()) return finish(all.failure());
        const StoredProgram* newest = nullptr;
        for (const StoredProgram& one : all.value()) {
          if (one.program.activated_unix_ns == 0 || one.program.status != record::ProgramStatus::kLive) continue;
          if (newest == nullptr || one.program.activated_unix_ns > newest->program.activated_unix_ns) newest = &one;
        }
        if (newest == nullptr) return finish(Fail(FailureCode::kNotFound, "no program was ever activated"));
        WithProgram(newest->id, [this, id = newest->id, finish](const Result<Loaded>& loaded) {
          if (!loaded.ok()) return finish(loaded.failure());
          if (!loaded.value().missing.empty()) {
            return finish(Fail(FailureCode::kUnavailable, loaded.value().missing));
          }
          active_ = id;
          finish(Unit{});
        });
      });
    });
  });
}

void DurableSessions::ActivateProgram(std::string hash, Done<ProgramView> done) {
  Post([this, hash = std::move(hash), done = std::move(done)]() mutable {
    const std::optional<Sha256> id = IdOf(hash);
    if (!id) return done({ErrorOf(NoProgram(hash)), {}});
    Turn([this, id = *id, done = std::move(done)] {
      ActivateHere(id, [this, done](const Result<ProgramView>& view) {
        EndTurn();
        if (view.ok()) return done({std::nullopt, view.value()});
        done({UnfitOr(view.failure()), {}});
      });
    });
  });
}

// ---- removing ----

struct DurableSessions::Removing {
  StoredProgram stored;
  std::function<void(Result<ProgramView>)> done;
  std::vector<record::Part> pieces;  // of parts that no other program has
  std::optional<Sha256> package;     // so
};

void DurableSessions::RemoveProgram(std::string hash, Done<ProgramView> done) {
  Post([this, hash = std::move(hash), done = std::move(done)]() mutable {
    const std::optional<Sha256> id = IdOf(hash);
    if (!id) return done({ErrorOf(NoProgram(hash)), {}});
    Turn([this, id = *id, done = std::move(done)] {
      RemoveHere(id, [this, done](const Result<ProgramView>& view) {
        EndTurn();
        if (view.ok()) return done({std::nullopt, view.value()});
        ServiceError error = ErrorOf(view.failure());
        if (view.failure().code == FailureCode::kInvalid) error.code = Code::kConflict;
        done({std::move(error), {}});
      });
    });
  });
}

// In a turn; kInvalid: it is in use. Marked first, then looked for: who starts a session meanwhile sees the mark, or is
// seen here.
void DurableSessions::RemoveHere(const Sha256& id, std::function<void(Result<ProgramView>)> done) {
  if (id == active_) {
    return done(Fail(FailureCode::kInvalid, "the program " + Hex(id) + " is active: activate another one first"));
  }
  const auto mark = [](record::Program& stored) {
    const bool live = stored.status == record::ProgramStatus::kLive;
    stored.status = record::ProgramStatus::kRetiring;
    return live;
  };
  ChangeProgram(id, mark, [this, id, done = std::move(done)](const Result<StoredProgram>& stored) mutable {
    if (!stored.ok()) return done(stored.failure());
    auto removing = std::make_shared<Removing>();
    removing->stored = stored.value();
    const auto unmark = [this, id, done](const Failure& why) {
      ChangeProgram(
          id,
          [](record::Program& retiring) {
            retiring.status = record::ProgramStatus::kLive;
            return true;
          },
          [done, why](const Result<StoredProgram>&) { done(why); });
    };
    removing->done = done;
    CountUsage(removing->stored.program.created_unix_ns, UINT64_MAX, id,
               [this, id, removing, unmark](const Result<Used>& used) {
                 if (!used.ok()) return unmark(used.failure());
                 const auto found = used.value().sessions.find(id);
                 if (found != used.value().sessions.end() || CarriedWith(id) > 0) {
                   return unmark(Fail(FailureCode::kInvalid,
                                      "the program " + Hex(id) + " is in use: sessions that have not ended keep it"));
                 }
                 RemoveUnused(removing);
               });
  });
}

void DurableSessions::RemoveUnused(std::shared_ptr<Removing> removing) {
  ListPrograms([this, removing](const Result<StoredPrograms>& all) {
    if (!all.ok()) return removing->done(all.failure());
    const record::Program& own = removing->stored.program;
    const auto is_shared = [&](const record::Part& part) {
      return std::any_of(all.value().begin(), all.value().end(), [&](const StoredProgram& other) {
        return other.id != removing->stored.id && (other.program.executable.hash == part.hash ||
                                                   (other.program.package && other.program.package->hash == part.hash));
      });
    };
    // Over a store that others may have open, one of them may be about to name the pieces again: they stay.
    const auto take = [&](const record::Part& part) {
      if (part.pieces > 0 && !options_.store->limits().shared && !is_shared(part)) removing->pieces.push_back(part);
    };
    take(own.executable);
    if (own.package) {
      take(*own.package);
      if (!is_shared(*own.package)) removing->package = own.package->hash;
    }
    std::vector<StoreWrite> writes(1);
    writes[0].kind = StoreWrite::Kind::kDelete;
    writes[0].condition = StoreCondition::kVersion;
    writes[0].key = record::ProgramKey(removing->stored.id);
    writes[0].expected = removing->stored.version;
    options_.store->Commit(std::move(writes), [this, removing](Result<StoreCommitted> outcome) {
      Post([this, removing, outcome = std::move(outcome)] {
        if (!outcome.ok()) return removing->done(outcome.failure());
        if (!outcome.value().applied) {
          return removing->done(
              Fail(FailureCode::kInvalid, "the program " + Hex(removing->stored.id) + " was taken up again meanwhile"));
        }
        programs_.erase(removing->stored.id);
        if (options_.foreign_gone) options_.foreign_gone(removing->stored.id, removing->package);
        RemovePieces(removing);
      });
    });
  });
}

void DurableSessions::RemovePieces(std::shared_ptr<Removing> removing) {
  if (removing->pieces.empty()) return removing->done(ViewOf(removing->stored));
  record::Part& part = removing->pieces.back();
  if (part.pieces == 0) {
    removing->pieces.pop_back();
    return RemovePieces(removing);
  }
  std::vector<StoreWrite> writes(1);
  writes[0].kind = StoreWrite::Kind::kDelete;
  writes[0].key = record::ProgramPieceKey(part.hash, --part.pieces);
  options_.store->Commit(std::move(writes), [this, removing](Result<StoreCommitted> outcome) {
    Post([this, removing, outcome = std::move(outcome)] {
      if (!outcome.ok()) return removing->done(outcome.failure());
      RemovePieces(removing);
    });
  });
}

// ---- holding ----

// P-30: who removes a program marks it and then looks for sessions that have it; who begins a session looks for the
// mark when the session is in the store. So one of the two finds the other. The session has begun with what it has in
// memory, so its program is wanted again, and removing it fails.
void DurableSessions::HoldProgram(const Sha256& id, std::function<void()> then) {
  if (TEAL_MUTANT("start_looks_for_no_mark")) return then();
  const auto wanted = [](record::Program& stored) {
    const bool retiring = stored.status == record::ProgramStatus::kRetiring;
    stored.status = record::ProgramStatus::kLive;
    return retiring;
  };
  ChangeProgram(id, wanted, [this, id, then = std::move(then)](const Result<StoredProgram>& stored) {
    if (stored.ok()) return then();
    if (stored.failure().code == FailureCode::kNotFound) return PutBack(id, then);
    Again([this, id, then] { HoldProgram(id, then); });
  });
}

// Its pieces are still there: nobody deletes them where several hosts share the store.
void DurableSessions::PutBack(const Sha256& id, std::function<void()> then) {
  const auto loaded = programs_.find(id);
  if (loaded == programs_.end() || loaded->second.stored == nullptr) return then();
  record::Program program = *loaded->second.stored;
  program.status = record::ProgramStatus::kLive;
  std::vector<StoreWrite> writes(1);
  writes[0].condition = StoreCondition::kAbsent;
  writes[0].key = record::ProgramKey(id);
  Result<std::string> bytes = record::Encode(writes[0].key, program);
  if (!bytes.ok()) return then();  // it has been read from such a record
  writes[0].bytes = std::move(*bytes);
  options_.store->Commit(std::move(writes), [this, id, then = std::move(then)](Result<StoreCommitted> outcome) {
    Post([this, id, then, well = outcome.ok()] {
      if (well) return then();
      Again([this, id, then] { HoldProgram(id, then); });
    });
  });
}

// ---- looking ----

void DurableSessions::Programs(Done<std::vector<ProgramView>> done) {
  Post([this, done = std::move(done)]() mutable {
    ListPrograms([this, done = std::move(done)](const Result<StoredPrograms>& all) mutable {
      if (!all.ok()) return done({ErrorOf(all.failure()), {}});
      std::vector<ProgramView> views;
      std::vector<Sha256> ids;
      uint64_t since = UINT64_MAX;
      for (const StoredProgram& one : all.value()) {
        views.push_back(ViewOf(one));
        ids.push_back(one.id);
        since = std::min(since, one.program.created_unix_ns);
      }
      if (views.empty()) return done({std::nullopt, {}});
      CountUsage(since, kLookedAtMax, std::nullopt,
                 [this, views = std::move(views), ids, done](const Result<Used>& used) mutable {
                   if (!used.ok()) return done({ErrorOf(used.failure()), {}});
                   for (size_t i = 0; i < views.size(); ++i) {
                     const auto found = used.value().sessions.find(ids[i]);
                     views[i].sessions = found == used.value().sessions.end() ? 0 : found->second;
                     // Those of a host that has just begun are in memory only.
                     views[i].sessions = std::max(views[i].sessions, CarriedWith(ids[i]));
                     views[i].counted = used.value().whole;
                   }
                   std::sort(views.begin(), views.end(), [](const ProgramView& a, const ProgramView& b) {
                     return a.created_unix_ns != b.created_unix_ns ? a.created_unix_ns > b.created_unix_ns
                                                                   : a.hash < b.hash;
                   });
                   done({std::nullopt, std::move(views)});
                 });
    });
  });
}

}  // namespace teal::runtime
