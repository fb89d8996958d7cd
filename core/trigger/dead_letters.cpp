#include "core/trigger/dead_letters.h"

#include <cstdio>

#include "core/base/sha256.h"
#include "core/host/json.h"

namespace teal::trigger {
namespace {

using host::Json;

constexpr char kHeads[] = "teal.dead";     // partition: a record for each letter
constexpr size_t kPieceBytes = 48 * 1024;  // every memory takes 64 KiB
constexpr size_t kErrorBytesMax = 4096;

std::string PiecesOf(const std::string& id) {
  return std::string(kHeads) + "/" + id;
}

std::string PieceName(size_t at) {
  char name[24];
  std::snprintf(name, sizeof name, "%08zu", at);
  return name;
}

Failure FailureOf(const Failure& failure, const char* what) {
  return Fail(failure.code, std::string("dead letters cannot be ") + what + ": " + failure.message);
}

std::string HeadOf(const DeadLetter& letter) {
  return host::ToText({{"v", 1},
                       {"trigger", letter.trigger},
                       {"function", letter.function},
                       {"source", letter.source},
                       {"event_id", letter.event_id},
                       {"type", letter.type},
                       {"error", letter.error.substr(0, kErrorBytesMax)},
                       {"event_time", letter.event_unix_ns},
                       {"dead_time", letter.dead_unix_ns},
                       {"bytes", letter.data_bytes},
                       {"attempts", letter.attempts}});
}

DeadLetter LetterOf(const std::string& id, const std::string& bytes) {
  const Json head = Json::parse(bytes, nullptr, false);
  const auto text = [&](const char* key) {
    const auto at = head.find(key);
    return at != head.end() && at->is_string() ? at->get<std::string>() : std::string();
  };
  const auto number = [&](const char* key) {
    const auto at = head.find(key);
    return at != head.end() && at->is_number_unsigned() ? at->get<uint64_t>() : uint64_t{0};
  };
  DeadLetter letter;
  letter.id = id;
  if (!head.is_object()) return letter;
  letter.trigger = text("trigger");
  letter.function = text("function");
  letter.source = text("source");
  letter.event_id = text("event_id");
  letter.type = text("type");
  letter.error = text("error");
  letter.event_unix_ns = number("event_time");
  letter.dead_unix_ns = number("dead_time");
  letter.data_bytes = number("bytes");
  letter.attempts = static_cast<uint32_t>(number("attempts"));
  return letter;
}

}  // namespace

// A letter on its way, piece by piece: its head is written last and removed first, so that a head has all its pieces.
struct DeadLetters::Parts {
  DeadLetter letter;
  std::string bytes;
  size_t at = 0;  // the next piece
};

std::string DeadLetters::IdOf(const std::string& trigger, const std::string& source, const std::string& event_id) {
  const std::string name = std::to_string(trigger.size()) + "\n" + trigger + "\n" + std::to_string(source.size()) +
                           "\n" + source + "\n" + event_id;
  return kDeadLetterPrefix + Hex(Sha256Of(name)).substr(0, 32);
}

void DeadLetters::Commit(runtime::StoreWrite::Kind kind, runtime::record::Key key, std::string bytes,
                         std::function<void(Status)> done) {
  runtime::StoreWrite write;
  write.kind = kind;
  write.key = std::move(key);
  write.bytes = std::move(bytes);
  store_->Commit({std::move(write)}, [queue = queue_, done = std::move(done)](Result<runtime::StoreCommitted> result) {
    queue->Post([done, result = std::move(result)] {
      done(result ? Status(Unit{}) : Status(FailureOf(result.failure(), "written")));
    });
  });
}

void DeadLetters::GetOne(runtime::record::Key key, std::function<void(Result<std::optional<std::string>>)> done) {
  using Items = std::vector<std::optional<runtime::StoreItem>>;
  store_->Get({std::move(key)}, [queue = queue_, done = std::move(done)](Result<Items> items) {
    queue->Post([done, items = std::move(items)] {
      if (!items) return done(FailureOf(items.failure(), "read"));
      const std::optional<runtime::StoreItem>& item = items.value().front();
      done(item ? std::optional<std::string>(item->bytes) : std::nullopt);
    });
  });
}

void DeadLetters::Scan(std::string cursor, uint64_t limit, std::function<void(Result<DeadPage>)> done) {
  store_->Scan(kHeads, "", limit, std::move(cursor),
               [queue = queue_, done = std::move(done)](Result<runtime::StorePage> result) {
                 queue->Post([done, result = std::move(result)] {
                   if (!result) return done(FailureOf(result.failure(), "read"));
                   DeadPage page;
                   for (const runtime::StoreItem& item : result.value().items) {
                     page.letters.push_back(LetterOf(item.key.sort, item.bytes));
                   }
                   if (result.value().more) page.cursor = result.value().next;
                   done(std::move(page));
                 });
               });
}

void DeadLetters::Count(std::string cursor, uint64_t so_far, std::function<void(Status)> done) {
  Scan(std::move(cursor), 1000, [this, so_far, done = std::move(done)](Result<DeadPage> page) mutable {
    if (!page) return done(page.failure());
    so_far += page->letters.size();
    if (!page->cursor.empty() && so_far < kDeadLettersMax) return Count(page->cursor, so_far, std::move(done));
    if (!counted_) count_ = so_far;  // two may have counted
    counted_ = true;
    done(Unit{});
  });
}

void DeadLetters::Put(DeadLetter letter, const Event& event, std::function<void(Status)> done) {
  if (!counted_) {
    Count({}, 0, [this, letter = std::move(letter), event, done = std::move(done)](Status counted) mutable {
      if (!counted) return done(counted.failure());
      Put(std::move(letter), event, std::move(done));
    });
    return;
  }
  if (count_ >= kDeadLettersMax) {
    return done(Fail(FailureCode::kTooLarge, "there are " + std::to_string(kDeadLettersMax) +
                                                 " dead letters: retry or drop some, see teal dead list"));
  }
  ++count_;
  const auto parts = std::make_shared<Parts>(Parts{std::move(letter), Encode(event), 0});
  Write(parts, std::move(done));
}

void DeadLetters::Write(std::shared_ptr<Parts> parts, std::function<void(Status)> done) {
  const size_t from = parts->at * kPieceBytes;
  if (from < parts->bytes.size()) {
    const std::string name = PieceName(parts->at++);
    std::string piece = parts->bytes.substr(from, kPieceBytes);
    return Commit(runtime::StoreWrite::Kind::kPut, {PiecesOf(parts->letter.id), name}, std::move(piece),
                  [this, parts, done = std::move(done)](Status status) mutable {
                    if (!status) return done(status);
                    Write(parts, std::move(done));
                  });
  }
  // What is read back is as long as what was written; pieces of a longer event before it are not looked at.
  parts->letter.data_bytes = parts->bytes.size();
  Commit(runtime::StoreWrite::Kind::kPut, {kHeads, parts->letter.id}, HeadOf(parts->letter), std::move(done));
}

void DeadLetters::List(std::string after, uint64_t limit, std::function<void(Result<DeadPage>)> done) {
  Scan(std::move(after), limit, std::move(done));
}

void DeadLetters::Get(std::string id, std::function<void(Result<DeadLetter>)> done) {
  GetOne({kHeads, id}, [id, done = std::move(done)](Result<std::optional<std::string>> head) {
    if (!head) return done(head.failure());
    if (!head.value()) return done(Fail(FailureCode::kNotFound, "nothing dead has the id " + id));
    done(LetterOf(id, *head.value()));
  });
}

void DeadLetters::GetEvent(DeadLetter letter, std::function<void(Result<Event>)> done) {
  Read(std::make_shared<Parts>(Parts{std::move(letter), {}, 0}), std::move(done));
}

void DeadLetters::Read(std::shared_ptr<Parts> parts, std::function<void(Result<Event>)> done) {
  if (parts->bytes.size() >= parts->letter.data_bytes) return done(Decode(parts->bytes));
  runtime::record::Key key{PiecesOf(parts->letter.id), PieceName(parts->at++)};
  GetOne(std::move(key), [this, parts, done = std::move(done)](Result<std::optional<std::string>> piece) mutable {
    if (!piece) return done(piece.failure());
    if (!piece.value() || piece.value()->empty()) {
      return done(Fail(FailureCode::kCorrupt, "the dead letter " + parts->letter.id + " lacks a piece"));
    }
    parts->bytes += *piece.value();
    Read(parts, std::move(done));
  });
}

void DeadLetters::Remove(DeadLetter letter, std::function<void(Status)> done) {
  if (count_ > 0) --count_;
  const auto parts = std::make_shared<Parts>(Parts{std::move(letter), {}, 0});
  Commit(runtime::StoreWrite::Kind::kDelete, {kHeads, parts->letter.id}, {},
         [this, parts, done = std::move(done)](Status status) mutable {
           if (!status) return done(status);
           Erase(parts, std::move(done));
         });
}

void DeadLetters::Erase(std::shared_ptr<Parts> parts, std::function<void(Status)> done) {
  if (parts->at * kPieceBytes >= parts->letter.data_bytes) return done(Unit{});
  Commit(runtime::StoreWrite::Kind::kDelete, {PiecesOf(parts->letter.id), PieceName(parts->at++)}, {},
         [this, parts, done = std::move(done)](Status status) mutable {
           if (!status) return done(status);
           Erase(parts, std::move(done));
         });
}

}  // namespace teal::trigger
