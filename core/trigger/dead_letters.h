// Events that could not be made into sessions, kept in the host's memory until somebody retries or drops them.
// docs/formats/dead-letters.md has the records.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/base/result.h"
#include "core/runtime/store.h"
#include "core/trigger/event.h"
#include "core/trigger/service.h"
#include "core/trigger/work_queue.h"

namespace teal::trigger {

inline constexpr uint64_t kDeadLettersMax = 10'000;  // more, and events wait at their sources

// For the queue's thread; there `done` is called too. Queue and store outlive every call.
class DeadLetters {
 public:
  DeadLetters(WorkQueue* queue, runtime::Store* store) : queue_(queue), store_(store) {}

  // Always the same for a trigger, a source and an id: an event that comes again replaces its letter.
  static std::string IdOf(const std::string& trigger, const std::string& source, const std::string& event_id);

  // Durable when done. kTooLarge: there are kDeadLettersMax.
  void Put(DeadLetter letter, const Event& event, std::function<void(Status)> done);
  void List(std::string after, uint64_t limit, std::function<void(Result<DeadPage>)> done);
  // kNotFound.
  void Get(std::string id, std::function<void(Result<DeadLetter>)> done);
  void GetEvent(DeadLetter letter, std::function<void(Result<Event>)> done);
  // One that is gone is fine.
  void Remove(DeadLetter letter, std::function<void(Status)> done);

 private:
  struct Parts;
  void Write(std::shared_ptr<Parts> parts, std::function<void(Status)> done);
  void Read(std::shared_ptr<Parts> parts, std::function<void(Result<Event>)> done);
  void Erase(std::shared_ptr<Parts> parts, std::function<void(Status)> done);
  void Commit(runtime::StoreWrite::Kind kind, runtime::record::Key key, std::string bytes,
              std::function<void(Status)> done);
  // nullopt: there is none.
  void GetOne(runtime::record::Key key, std::function<void(Result<std::optional<std::string>>)> done);
  void Count(std::string cursor, uint64_t so_far, std::function<void(Status)> done);
  void Scan(std::string cursor, uint64_t limit, std::function<void(Result<DeadPage>)> done);

  WorkQueue* const queue_;
  runtime::Store* const store_;
  bool counted_ = false;
  uint64_t count_ = 0;  // about: letters that are replaced count twice until the next life
};

}  // namespace teal::trigger
