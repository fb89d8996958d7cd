#include "core/runtime/durable.h"

#include <algorithm>
#include <cassert>

#include "core/runtime/large_records.h"
#include "core/runtime/running_note.h"
#include "core/runtime/scheduler.h"
#include "core/runtime/session.h"
#include "core/vm/json.h"

namespace teal::runtime {

namespace {

constexpr int64_t kPutDownEveryNs = 1'000'000'000;

RuntimeOptions RuntimeOptionsOf(const DurableOptions& options, OutputSink* output) {
  RuntimeOptions of;
  of.clock = options.clock;
  of.output = output;
  of.store = options.store;
  of.incarnation = options.incarnation;
  of.constants = options.constants;
  of.note = options.note;
  return of;
}

DurableOptions Over(LargeRecords* large, DurableOptions options) {
  assert(options.store != nullptr);
  options.store = large;
  return options;
}

}  // namespace

ServiceError ErrorOf(const Failure& failure) {
  ServiceError error;
  error.message = failure.message;
  switch (failure.code) {
    case FailureCode::kInvalid:
      error.code = ServiceError::Code::kInvalid;
      break;
    case FailureCode::kNotFound:
      error.code = ServiceError::Code::kNotFound;
      break;
    case FailureCode::kTooLarge:
      error.code = ServiceError::Code::kTooLarge;
      break;
    case FailureCode::kUnavailable:
      error.code = ServiceError::Code::kUnavailable;
      error.retry_after_ns = 1'000'000'000;
      break;
    case FailureCode::kCorrupt:
    case FailureCode::kInternal:
      error.code = ServiceError::Code::kInternal;
      break;
  }
  return error;
}

DurableSessions::DurableSessions(DurableOptions options)
    : large_(
          std::make_unique<LargeRecords>(options.store, [this](std::function<void()> call) { Post(std::move(call)); })),
      options_(Over(large_.get(), std::move(options))),
      runtime_(std::make_unique<Runtime>(RuntimeOptionsOf(options_, this))),
      shared_(options_.store->limits().shared) {
  assert(options_.store != nullptr && options_.clock != nullptr);
  next_put_down_ns_ = Now() + kPutDownEveryNs;
  if (options_.note != nullptr) suspects_.insert(options_.note->suspects().begin(), options_.note->suspects().end());
  runtime_->SetAlarm(0);
}

DurableSessions::~DurableSessions() = default;

void DurableSessions::Run() {
  runtime_->Serve(this);
}

int64_t DurableSessions::RunReady() {
  return runtime_->ServeReady(this);
}

void DurableSessions::Stop() {
  stopped_ = true;
  Post([this] {
    const ServiceError stopping{ServiceError::Code::kUnavailable, "the host stops", "", 1'000'000'000};
    for (auto& [sid, all] : waiting_) {
      for (Waiting& one : all) one.done({stopping, {}});
    }
    for (auto& [sid, all] : asking_) {
      for (const std::shared_ptr<Asking>& one : all) {
        if (!one->answered) one->done({stopping, {}});
        one->answered = true;
      }
    }
    waiting_.clear();
    asking_.clear();
    following_.clear();
    if (shared_) BeginHandOver();
  });
  if (!shared_) runtime_->StopServing();
}

void DurableSessions::Post(std::function<void()> call) {
  runtime_->Post(std::move(call));
}

void DurableSessions::OnEnded(const std::string& sid, const record::Session& session) {
  OnCommitted(sid);
  LookAgain(sid, [](const Asking&) { return true; });
  const Served<SessionView> view{std::nullopt, ViewOf(sid, session)};
  if (view.value.status == ViewStatus::kDone) ++ended_done_;
  if (view.value.status == ViewStatus::kFailed) ++ended_failed_;
  if (view.value.status == ViewStatus::kCancelled || view.value.status == ViewStatus::kTerminated) ++ended_cancelled_;
  const auto all = waiting_.extract(sid);
  if (all.empty()) return;
  for (Waiting& one : all.mapped()) one.done(view);
}

void DurableSessions::OnCommitted(const std::string& sid) {
  const auto all = following_.extract(sid);
  if (all.empty()) return;
  for (Following& one : all.mapped()) one.look();
}

// The store has it as it was: it is brought back by its due time, or when somebody asks for it.
void DurableSessions::OnLost(const std::string& sid, const Failure& why) {
  if (stopped_) return;
  Log("the session " + sid + " is read again from the store: " + why.message);
  NoteDue(sid, Now() + 1'000'000'000);
  SetAlarm();
}

void DurableSessions::SetAlarm() {
  int64_t next = std::min(next_sweep_ns_, next_put_down_ns_);
  if (sweeping_) next = next_put_down_ns_;
  if (!upcoming_.empty()) next = std::min(next, upcoming_.begin()->first);
  if (shared_) {
    next = std::min({next, next_observe_ns_, next_parts_ns_});
    if (!reading_mail_) next = std::min(next, next_mail_ns_);
  }
  runtime_->SetAlarm(std::min(next, next_expiry_ns_));
}

void DurableSessions::OnAlarm() {
  const int64_t now = Now();
  if (stopped_) return HandOver(now);
  if (now >= next_expiry_ns_) Expire(now);
  std::vector<std::string> due;
  while (!upcoming_.empty() && upcoming_.begin()->first <= now) {
    due.push_back(upcoming_.begin()->second);
    upcoming_.erase(upcoming_.begin());
    upcoming_of_.erase(due.back());
  }
  if (shared_) {
    if (!due.empty()) LookAtDue(std::move(due));
    if (now >= next_observe_ns_) Observe(now);
    if (now >= next_mail_ns_ && !reading_mail_) ReadMail();
    if (now >= next_parts_ns_) LookAtParts(now);
  } else {
    for (const std::string& sid : due) With(sid, [](Session*, const ServiceError*) {});
  }
  if (now >= next_put_down_ns_) {
    PutDown();
    next_put_down_ns_ = now + kPutDownEveryNs;
  }
  if (now >= next_sweep_ns_ && !options_.sweeps) next_sweep_ns_ = INT64_MAX;
  if (now >= next_sweep_ns_ && !sweeping_) {
    sweeping_ = true;
    next_sweep_ns_ = now + static_cast<int64_t>(options_.sweep_every_ns);
    Sweep({});
  }
  SetAlarm();
}

void DurableSessions::Write(std::string_view sid, std::string_view tid, std::string_view text) {
  record::Line line;
  line.kind = record::LineKind::kOutput;
  line.unix_ns = static_cast<uint64_t>(std::max<int64_t>(Now(), 0));
  line.text = std::string(text);
  const std::lock_guard<std::mutex> lock(runtime_->mutex());
  if (Session* session = runtime_->Find(sid)) session->AddLine(tid, std::move(line));
}

void DurableSessions::OnErrorText(std::string_view text) {
  std::fwrite(text.data(), 1, text.size(), stderr);
}

void DurableSessions::OnLog(std::string_view sid, std::string_view tid, std::string_view level,
                            std::string_view message, const vm::Value& fields) {
  record::Line line;
  line.kind = record::LineKind::kLog;
  line.level = level == "debug" ? 0 : level == "warning" ? 2 : level == "error" ? 3 : 1;
  line.unix_ns = static_cast<uint64_t>(std::max<int64_t>(Now(), 0));
  line.text = std::string(message);
  if (!fields.IsNull()) line.text += " " + vm::SourceForm(fields);
  const std::lock_guard<std::mutex> lock(runtime_->mutex());
  if (Session* session = runtime_->Find(sid)) session->AddLine(tid, std::move(line));
}

ServiceCounters DurableSessions::Counters() const {
  ServiceCounters counters;
  counters.sessions_started = started_;
  counters.sessions_done = ended_done_;
  counters.sessions_failed = ended_failed_;
  counters.sessions_cancelled = ended_cancelled_;
  const StoreCounters& store = options_.store->counters();
  counters.commits = store.commits;
  counters.commit_conflicts = store.conflicts;
  counters.commit_bytes = store.bytes;
  counters.sessions_in_memory = carried_;
  counters.sweep_lag_ns = sweep_lag_ns_;
  const std::lock_guard<std::mutex> lock(runtime_->mutex());
  const Scheduler& scheduler = runtime_->scheduler();
  counters.steps = scheduler.calls_ended();
  counters.queued = scheduler.ReadyCount();
  counters.timer_lag_ns = static_cast<uint64_t>(std::max<int64_t>(scheduler.timer_lag_ns(), 0));
  return counters;
}

}  // namespace teal::runtime
