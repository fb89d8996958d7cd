#include "core/trigger/triggers.h"

#include "core/trigger/desk.h"

namespace teal::trigger {
namespace {

// Of what a queue may drop: whoever was not answered when the last copy is gone is told that the host stops.
template <typename T>
runtime::Done<T> AnsweredOnce(runtime::Done<T> done) {
  struct Guard {
    explicit Guard(runtime::Done<T> its_done) : done(std::move(its_done)) {}
    ~Guard() {
      if (done)
        done({runtime::ServiceError{runtime::ServiceError::Code::kUnavailable, "the host is stopping", "",
                                    1'000'000'000},
              {}});
    }
    runtime::Done<T> done;
  };
  return [guard = std::make_shared<Guard>(std::move(done))](runtime::Served<T> served) {
    std::exchange(guard->done, nullptr)(std::move(served));
  };
}

}  // namespace

Triggers::Triggers(TriggersOptions options) : desk_(std::make_shared<Desk>(std::move(options))) {}

Triggers::~Triggers() {
  Stop();
}

Status Triggers::Apply(std::vector<Declared> declared, std::map<std::string, std::string> instances) {
  return desk_->Apply(std::move(declared), std::move(instances));
}

void Triggers::Stop() {
  desk_->Stop();
}

void Triggers::List(std::string after, uint64_t limit, runtime::Done<TriggerPage> done) {
  desk_->queue().Post([desk = desk_, after = std::move(after), limit, done = AnsweredOnce(std::move(done))] {
    desk->List(after, limit, done);
  });
}

void Triggers::Fire(std::string name, uint64_t at_unix_ns, std::string event_json,
                    runtime::Done<std::vector<runtime::StartAnswer>> done) {
  desk_->queue().Post([desk = desk_, name = std::move(name), at_unix_ns, event_json = std::move(event_json),
                       done = AnsweredOnce(std::move(done))] { desk->Fire(name, at_unix_ns, event_json, done); });
}

void Triggers::Dead(std::string after, uint64_t limit, runtime::Done<DeadPage> done) {
  desk_->queue().Post([desk = desk_, after = std::move(after), limit, done = AnsweredOnce(std::move(done))] {
    desk->Dead(after, limit, done);
  });
}

void Triggers::ShowDead(std::string id, runtime::Done<DeadLetter> done) {
  desk_->queue().Post(
      [desk = desk_, id = std::move(id), done = AnsweredOnce(std::move(done))] { desk->ShowDead(id, done); });
}

void Triggers::RetryDead(std::string id, runtime::Done<runtime::SessionView> done) {
  desk_->queue().Post(
      [desk = desk_, id = std::move(id), done = AnsweredOnce(std::move(done))] { desk->RetryDead(id, done); });
}

void Triggers::DropDead(std::string id, runtime::Done<DeadLetter> done) {
  desk_->queue().Post(
      [desk = desk_, id = std::move(id), done = AnsweredOnce(std::move(done))] { desk->DropDead(id, done); });
}

std::string Triggers::MetricsText() const {
  return desk_->MetricsText();
}

}  // namespace teal::trigger
