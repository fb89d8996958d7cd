#include "triggers/schedule/instance.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "triggers/schedule/civil.h"

namespace teal::schedule {
namespace {

using Json = nlohmann::json;
using plugin::Done;
using plugin::Error;

constexpr uint64_t kSecondNs = 1'000'000'000;
constexpr uint64_t kLateNs = 60 * kSecondNs;  // later than that an event is past due
constexpr size_t kOpenMax = kDoneMax;         // of one schedule: what came out of order fits its record

// The event of a fire time; its texts live until `use` returns.
template <typename Use>
auto WithEvent(const std::string& trigger, const Section& section, const std::string& id, int64_t time, bool past_due,
               const Use& use) {
  const std::string source = "schedule:" + trigger;
  const std::string data = Json::array({{{"trigger", trigger},
                                         {"time", WriteTime(time, Zone::Utc())},
                                         {"local_time", WriteTime(time, section.zone)},
                                         {"past_due", past_due}}})
                               .dump();
  const std::string attributes =
      section.overlap == "allow" ? "" : Json{{TEAL_ATTRIBUTE_OVERLAP, section.overlap}}.dump();
  trigger::Event event;
  event.time_unix_ns = static_cast<uint64_t>(time) * kSecondNs;
  event.source = source;
  event.id = id;
  event.type = "teal.schedule";
  event.data = data;
  event.attributes_json = attributes;
  return use(event);
}

}  // namespace

// A call of the host's state, for a source.
struct Instance::Flight {
  Instance& instance;
  SourcePtr source;
  std::string value;
  teal_version expected{};
  std::function<void(Got)> then;
  teal_call call{};

  // On a thread of the host, which is not to be held up.
  static void TEAL_CALL Ended(void* ctx, const teal_error* error, const void* result) {
    const std::unique_ptr<Flight> own(static_cast<Flight*>(ctx));
    Got got;
    if (error != nullptr) {
      const teal_error in = TakeIn(error);
      got.code = in.code;
      got.message = in.message;
    } else if (result != nullptr && own->value.empty()) {
      const auto* const record = static_cast<const teal_record*>(result);
      got.value = Copy(record->value);
      got.version = record->version;
    } else if (result != nullptr) {
      got.version = *static_cast<const teal_version*>(result);
    }
    own->instance.Post([then = std::move(own->then), got = std::move(got)] { then(got); });
    own->instance.own_calls_.Leave();
  }
};

std::unique_ptr<Instance> Instance::Open(const teal_host* host, std::string_view config, Error* error) {
  const Json json = config.empty() ? Json::object() : Json::parse(config, nullptr, false);
  if (!json.is_object()) {
    *error = {TEAL_INVALID, "the configuration is no JSON object"};
    return nullptr;
  }
  for (const auto& [key, value] : json.items()) {
    *error = {TEAL_INVALID, "unknown key \"" + key + "\" in the configuration; schedules take none"};
    return nullptr;
  }
  const auto* const state = static_cast<const teal_state*>(host->service(host, TEAL_STATE_ID));
  if (state == nullptr || !Has(*state, state->put)) {
    *error = {TEAL_UNSUPPORTED, "the host keeps no state (teal.host.state/1), without which fire times would be lost"};
    return nullptr;
  }
  return std::make_unique<Instance>(host, state);
}

Instance::Instance(const teal_host* host, const teal_state* state)
    : host_(host), state_(state), thread_([this] { Run(); }) {}

Instance::~Instance() {
  Close();
}

void Instance::Close() {
  calls_.Close();
  {
    const std::lock_guard lock(mutex_);
    closing_ = true;
    changed_.notify_all();
  }
  if (thread_.joinable()) thread_.join();
  calls_.Wait();
}

std::optional<Error> Instance::Validate(Instance*, std::string_view config) {
  std::optional<Section> section;
  return ReadSection(config, &section);
}

void Instance::Post(Work work) {
  {
    const std::lock_guard lock(mutex_);
    if (!finished_) {
      work_.push_back(std::move(work));
      if (work_.size() == 1) changed_.notify_all();
      return;
    }
  }
  // A call that was let in before the instance was closed; all that is left to do for it is to refuse it.
  const std::lock_guard lock(last_mutex_);
  work();
}

void Instance::Run() {
  std::deque<Work> batch;
  bool closing = false;
  for (;;) {
    {
      std::unique_lock lock(mutex_);
      if (work_.empty() && !closing_) {
        const uint64_t now = Now();
        const uint64_t due = timers_.empty() ? UINT64_MAX : timers_.begin()->first;
        if (due > now) changed_.wait_for(lock, std::chrono::nanoseconds(std::min(due - now, kSecondNs)));
      }
      batch.swap(work_);
      closing = closing_;
    }
    for (Work& work : batch) work();
    batch.clear();
    if (closing) break;
    FireDue();
  }
  // Nothing is emitted any more. Calls of the state end by themselves; then starts and accepts have their answers.
  own_calls_.Close();
  for (const auto& [id, source] : sources_) source->stopped = true;
  own_calls_.Wait();
  for (;;) {
    {
      const std::lock_guard lock(mutex_);
      finished_ = work_.empty();
      if (finished_) return;
      batch.swap(work_);
    }
    for (Work& work : batch) work();
    batch.clear();
  }
}

void Instance::FireDue() {
  // So many at a time, that other work is not held up by all that was missed.
  const uint64_t now = Now();
  for (int i = 0; i < 1000 && !timers_.empty() && timers_.begin()->first <= now; ++i) {
    const Timer timer = timers_.begin()->second;
    if (timer.source->planned == timers_.begin()) timer.source->planned = timers_.end();
    timers_.erase(timers_.begin());
    if (timer.source->stopped) continue;
    timer.source->ready.push_back(timer.time);
    Emit(timer.source);
  }
}

void Instance::Plan(const SourcePtr& source) {
  for (;;) {
    const std::optional<int64_t> time = NextAfter(*source->section, source->progress, source->cursor);
    if (!time) return;  // it does not fire any more
    source->cursor = *time;
    if (*time <= source->progress.through || source->progress.done.contains(*time)) continue;
    ++source->open;
    source->planned = timers_.emplace(
        static_cast<uint64_t>(*time) * kSecondNs + JitterOf(*source->section, source->id, *time), Timer{source, *time});
    return;
  }
}

void Instance::Emit(const SourcePtr& source) {
  while (!source->ready.empty() && !source->stopped) {
    const int64_t time = source->ready.front();
    const uint64_t moment = static_cast<uint64_t>(time) * kSecondNs + JitterOf(*source->section, source->id, time);
    const bool past_due = moment < source->started_unix_ns || Now() > moment + kLateNs;
    const uint64_t token =
        WithEvent(source->id, *source->section, WriteTime(time, Zone::Utc()), time, past_due,
                  [&](const trigger::Event& event) { return desk_.Emit(source->id, event, Timer{source, time}); });
    if (token == 0) return;
    source->ready.pop_front();
    if (time == source->cursor && source->open < kOpenMax && source->progress.done.size() < kDoneMax) Plan(source);
  }
}

void Instance::Start(Done done, std::string id, std::string config, teal_emit_fn emit, void* ctx) {
  std::optional<Section> section;
  if (const std::optional<Error> wrong = ReadSection(config, &section)) return done.Fail(*wrong);
  if (!desk_.Open(id, emit, ctx)) return done.Fail({TEAL_INVALID, "the schedule " + id + " runs already"});
  const auto source = std::make_shared<Source>();
  source->id = std::move(id);
  source->section = std::make_shared<const Section>(std::move(*section));
  source->planned = timers_.end();  // no look at the table
  source->starting = std::move(done);
  Post([this, source] {
    sources_[source->id] = source;
    {
      const std::lock_guard lock(mutex_);
      sections_[source->id] = source->section;
    }
    Get(source, [this, source](const Got& got) { OnLoaded(source, got); });
  });
}

void Instance::OnLoaded(const SourcePtr& source, const Got& got) {
  if (source->stopped) return FailStart(source, {TEAL_CANCELLED, "the schedule was stopped", {}, {}});
  if (got.code != TEAL_OK && got.code != TEAL_NOT_FOUND) return FailStart(source, got);
  const int64_t now = NowSeconds();
  const Section& section = *source->section;
  std::optional<Progress> kept;
  if (got.code == TEAL_OK) {
    kept = ReadProgress(got.value);
    if (!kept) return FailStart(source, {TEAL_CORRUPT, "what is kept of the schedule cannot be read", {}, {}});
  }
  source->version = got.version;
  source->kept = got.value;
  if (kept && kept->expression == section.expression) {
    source->progress = *kept;
    LeaveMissed(section, &source->progress, now);
  } else {
    source->progress = {now, now, {}, section.expression};
  }
  Put(source, [this, source](const Got& saved) { OnStartSaved(source, saved); });
}

void Instance::OnStartSaved(const SourcePtr& source, const Got& got) {
  if (got.code == TEAL_CONFLICT && !source->stopped) {  // another host was faster
    return Get(source, [this, source](const Got& again) { OnLoaded(source, again); });
  }
  if (source->stopped) return FailStart(source, {TEAL_CANCELLED, "the schedule was stopped", {}, {}});
  if (got.code != TEAL_OK) return FailStart(source, got);
  source->version = got.version;
  source->started_unix_ns = Now();
  source->cursor = source->progress.through;
  source->starting.Ok();
  Plan(source);
}

void Instance::FailStart(const SourcePtr& source, const Got& got) {
  if (!std::exchange(source->stopped, true)) {
    desk_.Close(source->id);
    sources_.erase(source->id);
    const std::lock_guard lock(mutex_);
    sections_.erase(source->id);
  }
  source->starting.Fail({got.code, got.message.empty() ? "the state of the schedule cannot be read" : got.message});
}

void Instance::Credit(std::string_view id, uint64_t count) {
  if (desk_.AddCredit(id, count) == 0) return;
  Post([this, own = std::string(id)] {
    const auto at = sources_.find(own);
    if (at != sources_.end()) Emit(at->second);
  });
}

void Instance::Accept(Done done, uint64_t token, std::string_view) {
  std::optional<trigger::Desk<Timer>::Settled> settled = desk_.Take(token);
  if (!settled) return done.Fail({TEAL_NOT_FOUND, "there is no event of this token, or its schedule was stopped"});
  // Work is copied, a Done is not.
  const auto kept = std::make_shared<Done>(std::move(done));
  Post([this, timer = std::move(settled->kept), kept] {
    Source& source = *timer.source;
    if (source.open > 0) --source.open;
    Finish(*source.section, &source.progress, timer.time);
    source.accepting_next.push_back(std::move(*kept));
    Save(timer.source);
    const bool idle = source.open == 0 && source.ready.empty();
    if (idle && !source.stopped) Plan(timer.source);
  });
}

void Instance::Reject(Done done, uint64_t token, uint64_t delay_ns) {
  std::optional<trigger::Desk<Timer>::Settled> settled = desk_.Take(token);
  if (!settled) return done.Fail({TEAL_NOT_FOUND, "there is no event of this token, or its schedule was stopped"});
  Post([this, timer = std::move(settled->kept), at = Now() + std::min(delay_ns, 86'400 * kSecondNs)] {
    timers_.emplace(at, timer);
  });
  done.Ok();
}

void Instance::Stop(Done done, std::string id) {
  const auto kept = std::make_shared<Done>(std::move(done));
  Post([this, id = std::move(id), kept] {
    desk_.Close(id);
    if (const auto at = sources_.find(id); at != sources_.end()) {
      Source& source = *at->second;
      source.stopped = true;
      if (source.planned != timers_.end()) timers_.erase(std::exchange(source.planned, timers_.end()));
      sources_.erase(at);
    }
    {
      const std::lock_guard lock(mutex_);
      sections_.erase(id);
    }
    kept->Ok();
  });
}

void Instance::Save(const SourcePtr& source) {
  if (source->saving) return;
  source->saving = true;
  source->accepting = std::move(source->accepting_next);
  source->accepting_next.clear();
  Put(source, [this, source](const Got& got) { OnSaved(source, got); });
}

void Instance::OnSaved(const SourcePtr& source, const Got& got) {
  if (got.code == TEAL_OK) source->version = got.version;
  if (got.code != TEAL_CONFLICT) return EndSave(source, got);
  // Another host, or this one before it knew how a call ended: what both know is joined.
  Get(source, [this, source](const Got& kept) {
    if (kept.code != TEAL_OK) return EndSave(source, kept);
    const std::optional<Progress> other = ReadProgress(kept.value);
    if (!other) return EndSave(source, {TEAL_CORRUPT, "what is kept of the schedule cannot be read", {}, {}});
    source->version = kept.version;
    if (other->expression == source->progress.expression) Join(*source->section, &source->progress, *other);
    Put(source, [this, source](const Got& again) { OnSaved(source, again); });
  });
}

void Instance::EndSave(const SourcePtr& source, const Got& got) {
  for (Done& done : source->accepting) {
    if (got.code == TEAL_OK) {
      done.Ok();
    } else {
      done.Fail({got.code, got.message});
    }
  }
  source->accepting.clear();
  source->saving = false;
  if (!source->accepting_next.empty()) Save(source);
}

void Instance::Get(const SourcePtr& source, std::function<void(Got)> then) {
  if (!own_calls_.Enter()) return then({TEAL_CLOSED, "the plugin is being closed", {}, {}});
  auto* const flight = new Flight{*this, source, {}, {}, std::move(then), {}};
  flight->call.struct_size = sizeof(teal_call);
  flight->call.done = &Flight::Ended;
  flight->call.done_ctx = flight;
  const teal_status status = state_->get(host_, &flight->call, Bytes(source->id), Bytes(TEAL_STATE_STATUS));
  if (status == TEAL_OK) return;
  const teal_error error = ToAbi(Error{status, "the host refuses to read its state"});
  Flight::Ended(flight, &error, nullptr);
}

void Instance::Put(const SourcePtr& source, std::function<void(Got)> then) {
  std::string text = WriteProgress(*source->section, source->progress, NowSeconds());
  if (!own_calls_.Enter()) return then({TEAL_CLOSED, "the plugin is being closed", {}, {}});
  auto* const flight = new Flight{*this, source, std::move(text), source->version, std::move(then), {}};
  flight->call.struct_size = sizeof(teal_call);
  flight->call.done = &Flight::Ended;
  flight->call.done_ctx = flight;
  const teal_status status = state_->put(host_, &flight->call, Bytes(source->id), Bytes(TEAL_STATE_STATUS),
                                         Bytes(flight->value), &flight->expected, 0);
  if (status == TEAL_OK) return;
  const teal_error error = ToAbi(Error{status, "the host refuses to keep the state"});
  Flight::Ended(flight, &error, nullptr);
}

std::optional<Error> Instance::Decode(Instance* instance, std::string_view body, teal_emit_fn emit, void* ctx) {
  const Error wrong{TEAL_INVALID,
                    "a schedule is fired by {\"fire\":{\"trigger\":NAME,\"time\":T}}, T of RFC 3339 or left out"};
  const Json json = Json::parse(body, nullptr, false);
  if (!json.is_object() || json.size() != 1 || !json.contains(TEAL_PLATFORM_FIRE)) return wrong;
  const Json& fire = json[TEAL_PLATFORM_FIRE];
  if (!fire.is_object() || !fire.contains("trigger") || !fire["trigger"].is_string()) return wrong;
  const std::string trigger = fire["trigger"].get<std::string>();
  std::shared_ptr<const Section> section;
  if (instance != nullptr) {
    const std::lock_guard lock(instance->mutex_);
    if (const auto at = instance->sections_.find(trigger); at != instance->sections_.end()) section = at->second;
  }
  if (section == nullptr) return Error{TEAL_NOT_FOUND, "no schedule " + trigger + " runs"};
  const uint64_t now = instance->Now();
  auto time = static_cast<int64_t>(now / kSecondNs);
  std::string id = "fired:" + WriteTime(time, Zone::Utc()) + ":" + std::to_string(now % kSecondNs);
  if (const auto given = fire.find("time"); given != fire.end()) {
    const std::optional<int64_t> read =
        given->is_string() ? ReadTime(given->get_ref<const std::string&>()) : std::nullopt;
    if (!read) return wrong;
    time = *read;
    id = WriteTime(time, Zone::Utc());
  }
  WithEvent(trigger, *section, id, time, false, [&](const trigger::Event& event) {
    const teal_event out = trigger::ToAbi(event, 0);
    emit(ctx, &out);
  });
  return std::nullopt;
}

}  // namespace teal::schedule
