// Opening plugins, starting and stopping triggers.
#include <algorithm>
#include <cassert>
#include <condition_variable>
#include <set>
#include <teal/host.hpp>

#include "core/host/call.h"
#include "core/trigger/desk.h"

namespace teal::trigger {
namespace {

constexpr size_t kNameBytesMax = 200;                   // a label and a scope of state hold it
constexpr uint64_t kFirstStartDelayNs = 1'000'000'000;  // doubles
constexpr uint64_t kStartDelayMaxNs = 60'000'000'000;
constexpr uint64_t kStopNsMax = 5'000'000'000;  // for events on their way, and for plugins to stop

// Counts down on any thread; somebody waits.
class Countdown {
 public:
  explicit Countdown(size_t count) : count_(count) {}
  void Down() {
    const std::lock_guard lock(mutex_);
    if (--count_ == 0) none_.notify_all();
  }
  bool WaitFor(uint64_t ns) {
    std::unique_lock lock(mutex_);
    return none_.wait_for(lock, std::chrono::nanoseconds(ns), [this] { return count_ == 0; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable none_;
  size_t count_;
};

std::string Quoted(const std::string& name) {
  return "the trigger " + name;
}

}  // namespace

Triggers::Desk::Desk(TriggersOptions options) : options_(std::move(options)), dead_(&queue_, options_.store) {}

void TEAL_CALL Triggers::Desk::Emit(void* ctx, const teal_event* event) {
  auto* const running = static_cast<Running*>(ctx);
  Desk* const desk = running->desk;
  desk->queue_.Post([desk, own = running->shared_from_this(), copy = std::make_shared<Event>(CopyOf(*event))] {
    desk->Deliver(own, std::move(*copy));
  });
}

// Nothing is changed by it.
Status Triggers::Desk::Check(const std::vector<Declared>& declared,
                             std::map<std::string, const host::Plugin*>* plugins) {
  std::set<std::string> names;
  for (const Declared& one : declared) {
    if (!names.insert(one.name).second) {
      return Fail(FailureCode::kInvalid,
                  "two triggers have the name " + one.name + ": give one of them another with `name`");
    }
    if (one.name.empty() || one.name.size() > kNameBytesMax) {
      return Fail(FailureCode::kInvalid,
                  Quoted(one.name) + " has a name of more than " + std::to_string(kNameBytesMax) + " bytes");
    }
    const host::Plugin*& plugin = (*plugins)[one.kind];
    if (plugin == nullptr) {
      Result<const host::Plugin*> found = options_.plugin_of(one.kind);
      if (!found) return Fail(found.failure().code, Quoted(one.name) + ": " + found.failure().message);
      if (!(*found)->Offers(TEAL_TRIGGER_ID)) {
        return Fail(FailureCode::kInvalid,
                    Quoted(one.name) + ": the plugin \"" + one.kind + "\" is no plugin of triggers");
      }
      plugin = *found;
    }
    const auto* const raw = static_cast<const teal_trigger*>(plugin->Interface(TEAL_TRIGGER_ID));
    teal_error error{};
    error.struct_size = sizeof error;
    if (!Has(*raw, raw->validate)) {
      return Fail(FailureCode::kInvalid, Quoted(one.name) + ": the plugin \"" + one.kind + "\" has no `validate`");
    }
    if (raw->validate(nullptr, Bytes(one.config_json), &error) != TEAL_OK) {
      return Fail(FailureCode::kInvalid, Quoted(one.name) + ": " + host::MessageOf(error));
    }
  }
  return Unit{};
}

Status Triggers::Desk::OpenKind(const std::string& id, const std::string& config_json, const host::Plugin& plugin) {
  host::InstanceOptions options;
  options.config_json = config_json;
  options.services = options_.services;
  options.now_unix_ns = options_.now_unix_ns;
  Result<std::unique_ptr<host::Instance>> opened = host::Instance::Open(plugin, std::move(options));
  if (!opened) return opened.failure();
  const auto kind = std::make_shared<Kind>();
  kind->id = id;
  kind->config_json = config_json;
  kind->instance = std::move(*opened);
  queue_.Do([&] { kinds_[id] = kind; });
  return Unit{};
}

void Triggers::Desk::CloseKind(const std::shared_ptr<Kind>& kind) {
  queue_.Do([&] {
    kind->open = false;
    kinds_.erase(kind->id);
  });
  if (const Status closed = kind->instance->Close(); !closed) Log(closed.failure().message);
}

Status Triggers::Desk::Apply(std::vector<Declared> declared, std::map<std::string, std::string> instances) {
  std::map<std::string, const host::Plugin*> plugins;
  if (Status checked = Check(declared, &plugins); !checked) return checked;
  const auto config_of = [&](const std::string& kind) {
    const auto at = instances.find(kind);
    return at == instances.end() ? std::string("{}") : at->second;
  };
  // What goes: triggers that are gone or changed, kinds that nobody has or whose config changed with all their
  // triggers.
  std::vector<RunningPtr> gone;
  std::vector<std::shared_ptr<Kind>> closing;
  std::vector<Declared> coming;
  queue_.Do([&] {
    for (const auto& [id, kind] : kinds_) {
      if (!plugins.contains(id) || kind->config_json != config_of(id)) closing.push_back(kind);
    }
    const auto stays = [&](const RunningPtr& running) {
      if (std::find(closing.begin(), closing.end(), running->kind) != closing.end()) return false;
      return std::find(declared.begin(), declared.end(), running->declared) != declared.end();
    };
    for (const auto& [name, running] : triggers_) {
      if (!stays(running)) gone.push_back(running);
    }
    for (const Declared& one : declared) {
      const auto at = triggers_.find(one.name);
      if (at == triggers_.end() || !stays(at->second)) coming.push_back(one);
    }
  });
  StopAll(gone);
  for (const std::shared_ptr<Kind>& kind : closing) CloseKind(kind);
  Status status = Unit{};
  for (const auto& [id, plugin] : plugins) {
    bool open = false;
    queue_.Do([&] { open = kinds_.contains(id); });
    if (open) continue;
    if (Status opened = OpenKind(id, config_of(id), *plugin); !opened) status = opened;
  }
  std::vector<RunningPtr> starting;
  queue_.Do([&] {
    for (Declared& one : coming) {
      const auto kind = kinds_.find(one.kind);
      if (kind == kinds_.end()) continue;  // its plugin did not open: told
      const auto running = std::make_shared<Running>();
      running->kind = kind->second;
      running->desk = this;
      running->declared = std::move(one);
      triggers_[running->declared.name] = running;
      starting.push_back(running);
    }
  });
  StartAll(std::move(starting));
  return status;
}

void Triggers::Desk::StartAll(std::vector<RunningPtr> triggers) {
  if (triggers.empty()) return;
  const auto left = std::make_shared<Countdown>(triggers.size());
  queue_.Post([this, triggers = std::move(triggers), left] {
    for (const RunningPtr& running : triggers) BeginStart(running, [left] { left->Down(); });
  });
  left->WaitFor(UINT64_C(30'000'000'000));  // those that take longer come up by themselves
}

void Triggers::Desk::BeginStart(const RunningPtr& running, std::function<void()> then) {
  if (!running->kind->open || stopping_ || running->state == Running::State::kStopping) return then();
  running->state = Running::State::kStarting;
  const teal_trigger* const table = running->kind->instance->trigger();
  host::CallOptions options;
  options.op_id = running->kind->instance->NextOpId();
  host::Start<host::Error>(
      options,
      [self = shared_from_this(), running, then = std::move(then)](host::Error error) {
        self->queue_.Post([self, running, then, error = std::move(error)] {
          if (error.Ok() && running->state == Running::State::kStarting) {
            running->state = Running::State::kRunning;
            running->start_attempts = 0;
            if (running->kind->open) {
              running->kind->instance->trigger()->credit(running->kind->instance->handle(),
                                                         Bytes(running->declared.name), kCreditOfTrigger);
            }
          } else if (!error.Ok() && running->state == Running::State::kStarting) {
            running->state = Running::State::kWaiting;
            self->NoteError(*running, "it cannot start: " + error.message);
            const uint64_t delay =
                std::min(kFirstStartDelayNs << std::min(running->start_attempts++, 6u), kStartDelayMaxNs);
            self->queue_.After(delay, [self, running] {
              if (running->state == Running::State::kWaiting) self->BeginStart(running, [] {});
            });
          }
          then();
        });
      },
      [&](const teal_call* call) {
        return table->start(running->kind->instance->handle(), call, Bytes(running->declared.name),
                            Bytes(running->declared.config_json), &Desk::Emit, running.get());
      });
}

void Triggers::Desk::StopAll(std::vector<RunningPtr> triggers) {
  if (triggers.empty()) return;
  const auto left = std::make_shared<Countdown>(triggers.size());
  queue_.Post([this, triggers, left] {
    for (const RunningPtr& running : triggers) {
      BeginStop(running, [this, running, left] {
        // A trigger of the same name may have come since.
        const auto at = triggers_.find(running->declared.name);
        if (at != triggers_.end() && at->second == running) triggers_.erase(at);
        left->Down();
      });
    }
  });
  if (!left->WaitFor(kStopNsMax)) Log("some triggers did not stop in time; their plugins are closed");
}

void Triggers::Desk::BeginStop(const RunningPtr& running, std::function<void()> then) {
  const bool started = running->state == Running::State::kRunning || running->state == Running::State::kStarting;
  running->state = started ? Running::State::kStopping : Running::State::kStopped;
  if (!started || !running->kind->open) return then();
  host::CallOptions options;
  options.op_id = running->kind->instance->NextOpId();
  host::Start<host::Error>(
      options,
      [self = shared_from_this(), running, then = std::move(then)](const host::Error&) {
        self->queue_.Post([self, running, then] {
          running->state = Running::State::kStopped;
          then();
        });
      },
      [&](const teal_call* call) {
        return running->kind->instance->trigger()->stop(running->kind->instance->handle(), call,
                                                        Bytes(running->declared.name));
      });
}

void Triggers::Desk::Stop() {
  bool already = false;
  queue_.Do([&] { already = std::exchange(stopping_, true); });
  if (already) return;
  // Whoever waits for a session's end is told where to ask; what is being started gets its session.
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::nanoseconds(kStopNsMax);
  for (;;) {
    uint64_t on_their_way = 0;
    queue_.Do([&] {
      for (const DeliveryPtr& delivery : std::set<DeliveryPtr>(waiting_)) {
        Reply(delivery, 202, "{\"sid\":\"" + delivery->sid + "\"}", 1);
      }
      for (const auto& [name, running] : triggers_) on_their_way += running->on_their_way;
    });
    if (on_their_way == 0 || std::chrono::steady_clock::now() > deadline) break;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  std::vector<RunningPtr> triggers;
  std::vector<std::shared_ptr<Kind>> kinds;
  queue_.Do([&] {
    for (const auto& [name, running] : triggers_) triggers.push_back(running);
    for (const auto& [id, kind] : kinds_) kinds.push_back(kind);
  });
  StopAll(std::move(triggers));
  for (const std::shared_ptr<Kind>& kind : kinds) CloseKind(kind);
  queue_.Do([&] {
    for (const auto& [name, running] : triggers_) running->in_line.clear();
    triggers_.clear();
    waiting_.clear();
  });
  queue_.Stop();
}

}  // namespace teal::trigger
