#include "core/trigger/dead_letters.h"

#include <cassert>
#include <cstdio>
#include <teal/host.hpp>

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

Failure FailureOf(const host::Error& error, const char* what) {
  return Fail(error.code == TEAL_CORRUPT ? FailureCode::kCorrupt : FailureCode::kUnavailable,
              std::string("dead letters cannot be ") + what + ": " + error.message);
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

DeadLetter LetterOf(const host::Record& record) {
  const Json head = Json::parse(record.value, nullptr, false);
  const auto text = [&](const char* key) {
    const auto at = head.find(key);
    return at != head.end() && at->is_string() ? at->get<std::string>() : std::string();
  };
  const auto number = [&](const char* key) {
    const auto at = head.find(key);
    return at != head.end() && at->is_number_unsigned() ? at->get<uint64_t>() : uint64_t{0};
  };
  DeadLetter letter;
  letter.id = record.sort;
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

DeadLetters::DeadLetters(WorkQueue* queue, const teal_memory* memory, teal_instance* instance,
                         std::function<uint64_t()> next_op_id)
    : queue_(queue), memory_(memory), instance_(instance), next_op_id_(std::move(next_op_id)) {}

std::string DeadLetters::IdOf(const std::string& trigger, const std::string& source, const std::string& event_id) {
  const std::string name = std::to_string(trigger.size()) + "\n" + trigger + "\n" + std::to_string(source.size()) +
                           "\n" + source + "\n" + event_id;
  return kDeadLetterPrefix + Hex(Sha256Of(name)).substr(0, 32);
}

void DeadLetters::Commit(uint32_t kind, std::string partition, std::string sort, std::string value,
                         std::function<void(Status)> done) {
  struct Kept {
    std::string partition, sort, value;
    teal_op op{};
  };
  const auto kept = std::make_shared<Kept>(Kept{std::move(partition), std::move(sort), std::move(value), {}});
  kept->op.kind = kind;
  kept->op.condition = TEAL_IF_ANY;
  kept->op.key = {Bytes(kept->partition), Bytes(kept->sort)};
  kept->op.value = Bytes(kept->value);
  host::CallOptions options;
  options.op_id = next_op_id_();
  host::Start<host::CommitResult>(
      options,
      [queue = queue_, kept, done = std::move(done)](host::CommitResult result) {
        queue->Post([result = std::move(result.error), done] {
          done(result.Ok() ? Status(Unit{}) : Status(FailureOf(result, "written")));
        });
      },
      [&](const teal_call* call) { return memory_->commit(instance_, call, &kept->op, 1); });
}

void DeadLetters::Scan(std::string cursor, uint64_t limit, std::function<void(Result<DeadPage>)> done) {
  const auto kept = std::make_shared<std::string>(std::move(cursor));
  host::CallOptions options;
  options.op_id = next_op_id_();
  host::Start<host::PageResult>(
      options,
      [queue = queue_, kept, done = std::move(done)](host::PageResult result) {
        queue->Post([result = std::move(result), done] {
          if (!result.error.Ok()) return done(FailureOf(result.error, "read"));
          DeadPage page;
          for (const host::Record& record : result.records) page.letters.push_back(LetterOf(record));
          if (result.more) page.cursor = result.next;
          done(std::move(page));
        });
      },
      [&](const teal_call* call) {
        return memory_->scan(instance_, call, Bytes(kHeads), {nullptr, 0}, limit, Bytes(*kept));
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
    return Commit(TEAL_PUT, PiecesOf(parts->letter.id), name, std::move(piece),
                  [this, parts, done = std::move(done)](Status status) mutable {
                    if (!status) return done(status);
                    Write(parts, std::move(done));
                  });
  }
  // What is read back is as long as what was written; pieces of a longer event before it are not looked at.
  parts->letter.data_bytes = parts->bytes.size();
  Commit(TEAL_PUT, kHeads, parts->letter.id, HeadOf(parts->letter), std::move(done));
}

void DeadLetters::List(std::string after, uint64_t limit, std::function<void(Result<DeadPage>)> done) {
  Scan(std::move(after), limit, std::move(done));
}

void DeadLetters::Get(std::string id, std::function<void(Result<DeadLetter>)> done) {
  struct Kept {
    std::string id;
    teal_key key{};
  };
  const auto kept = std::make_shared<Kept>(Kept{std::move(id), {}});
  kept->key = {Bytes(kHeads), Bytes(kept->id)};
  host::CallOptions options;
  options.op_id = next_op_id_();
  host::Start<host::PageResult>(
      options,
      [queue = queue_, kept, done = std::move(done)](host::PageResult result) {
        queue->Post([result = std::move(result), kept, done] {
          if (!result.error.Ok()) return done(FailureOf(result.error, "read"));
          if (result.records.empty()) {
            return done(Fail(FailureCode::kNotFound, "nothing dead has the id " + kept->id));
          }
          done(LetterOf(result.records.front()));
        });
      },
      [&](const teal_call* call) { return memory_->get(instance_, call, &kept->key, 1); });
}

void DeadLetters::GetEvent(DeadLetter letter, std::function<void(Result<Event>)> done) {
  Read(std::make_shared<Parts>(Parts{std::move(letter), {}, 0}), std::move(done));
}

void DeadLetters::Read(std::shared_ptr<Parts> parts, std::function<void(Result<Event>)> done) {
  if (parts->bytes.size() >= parts->letter.data_bytes) return done(Decode(parts->bytes));
  struct Kept {
    std::string partition, sort;
    teal_key key{};
  };
  const auto kept = std::make_shared<Kept>(Kept{PiecesOf(parts->letter.id), PieceName(parts->at++), {}});
  kept->key = {Bytes(kept->partition), Bytes(kept->sort)};
  host::CallOptions options;
  options.op_id = next_op_id_();
  host::Start<host::PageResult>(
      options,
      [this, kept, parts, done = std::move(done)](host::PageResult result) {
        queue_->Post([this, parts, result = std::move(result), done]() mutable {
          if (!result.error.Ok()) return done(FailureOf(result.error, "read"));
          if (result.records.empty() || result.records.front().value.empty()) {
            return done(Fail(FailureCode::kCorrupt, "the dead letter " + parts->letter.id + " lacks a piece"));
          }
          parts->bytes += result.records.front().value;
          Read(parts, std::move(done));
        });
      },
      [&](const teal_call* call) { return memory_->get(instance_, call, &kept->key, 1); });
}

void DeadLetters::Remove(DeadLetter letter, std::function<void(Status)> done) {
  if (count_ > 0) --count_;
  const auto parts = std::make_shared<Parts>(Parts{std::move(letter), {}, 0});
  Commit(TEAL_DELETE, kHeads, parts->letter.id, {}, [this, parts, done = std::move(done)](Status status) mutable {
    if (!status) return done(status);
    Erase(parts, std::move(done));
  });
}

void DeadLetters::Erase(std::shared_ptr<Parts> parts, std::function<void(Status)> done) {
  if (parts->at * kPieceBytes >= parts->letter.data_bytes) return done(Unit{});
  Commit(TEAL_DELETE, PiecesOf(parts->letter.id), PieceName(parts->at++), {},
         [this, parts, done = std::move(done)](Status status) mutable {
           if (!status) return done(status);
           Erase(parts, std::move(done));
         });
}

}  // namespace teal::trigger
