#include "plugins/k8s/engine.hpp"

#include <poll.h>

#include <algorithm>
#include <cassert>
#include <iterator>
#include <random>

#include "plugins/k8s/chores.hpp"
#include "plugins/k8s/errors.hpp"
#include "plugins/k8s/limits.hpp"

namespace teal::k8s {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr milliseconds kSweepEvery{20};
constexpr milliseconds kTellEvery{50};
constexpr seconds kCloseGrace{2};
constexpr seconds kUnreachablePatience{10};  // how long a call waits for any connection at all
constexpr seconds kAnswerGrace{2};           // beyond statement_timeout_ms, when the server itself gives up
constexpr std::size_t kDepthMax = 32;        // calls in the pipeline of one connection
constexpr std::size_t kDepthBusy = 8;        // from which on another connection is worth it
constexpr std::size_t kChangedMax = 500;

milliseconds Jitter(int low, int high) {
  thread_local std::minstd_rand random(std::random_device{}());
  return milliseconds(std::uniform_int_distribution<int>(low, high)(random));
}

plugin::Error OutOfMemory() {
  return {TEAL_NO_MEMORY, "out of memory in the plugin k8s", TEAL_NOT_APPLIED, 0, 0};
}

plugin::Error Closed() {
  return {TEAL_CLOSED, "the memory was closed", TEAL_NOT_APPLIED, 0, 0};
}

template <typename Queue>
void DropEnded(Queue& queue) {
  std::erase_if(queue, [](const auto& call) { return call->ended(); });
}

}  // namespace

Engine::Engine(const Config& config, const teal_host* host, Session first)
    : config_(config), host_(host), slots_(static_cast<std::size_t>(config.pool_size)) {
  const std::string store = first.facts().store;
  const bool synchronous = first.facts().synchronous;
  next_housekeeping_ = started_ + Jitter(10000, 20000);
  Install(0, std::move(first));
  connector_ = std::make_unique<Connector>(
      config_, stop_, store, synchronous, [this](int slot, std::optional<Session> session, const plugin::Error& error) {
        {
          const std::lock_guard lock(mutex_);
          if (!session) {
            inbox_.connect_error = error;
            inbox_.failed_to_connect = true;
          }
          inbox_.sessions.emplace_back(slot, std::move(session));
        }
        Wake();
      });
  thread_ = StartThread([this] { Run(); });
}

Engine::~Engine() {
  {
    const std::lock_guard lock(mutex_);
    closing_ = true;
  }
  stop_.Set();
  Wake();
  thread_.join();
  connector_.reset();
}

void Engine::Submit(QueryPtr call) {
  {
    const std::lock_guard lock(mutex_);
    if (waiting_.load(std::memory_order_relaxed) + inbox_.calls.size() < kPendingMax) {
      inbox_.calls.push_back(std::move(call));
    }
  }
  if (call) {
    call->Fail({TEAL_THROTTLED, std::to_string(kPendingMax) + " calls wait for PostgreSQL already: come again later",
                TEAL_NOT_APPLIED, 100'000'000, 0});
    return;
  }
  Wake();
}

void Engine::SubmitCommit(CommitPtr commit) {
  {
    const std::lock_guard lock(mutex_);
    if (waiting_.load(std::memory_order_relaxed) + inbox_.commits.size() < kPendingMax) {
      inbox_.commits.push_back(std::move(commit));
    }
  }
  if (commit) {
    commit->Fail({TEAL_THROTTLED, std::to_string(kPendingMax) + " calls wait for PostgreSQL already: come again later",
                  TEAL_NOT_APPLIED, 100'000'000, 0});
    return;
  }
  Wake();
}

void Engine::Cancel(uint64_t op_id) {
  {
    const std::lock_guard lock(mutex_);
    inbox_.cancelled.push_back(op_id);
  }
  Wake();
}

void Engine::Wake() {
  if (!knocked_.exchange(true)) knock_.Set();
}

void Engine::Log(uint32_t level, const std::string& text) const {
  if (Has(*host_, host_->log)) host_->log(host_, level, Bytes(text), teal_bytes{nullptr, 0});
}

// ---- The thread ----

void Engine::Run() {
  for (;;) {
    try {
      TakeInbox();
      if (closed_ && (!Working() || Clock::now() >= close_until_)) {
        EndAll();
        return;
      }
      Sweep();
      KeepHouse();
      TellChanges();
      Dispatch();
      Poll();
    } catch (...) {
      // Out of memory. What was lost with the stack has been ended by its Done; the rest goes on.
      Log(TEAL_LOG_ERROR, "out of memory in the plugin k8s");
    }
  }
}

void Engine::TakeInbox() {
  Inbox inbox;
  bool closing = false;
  {
    const std::lock_guard lock(mutex_);
    std::swap(inbox, inbox_);
    closing = closing_;
  }
  std::move(inbox.calls.begin(), inbox.calls.end(), std::back_inserter(calls_));
  std::move(inbox.commits.begin(), inbox.commits.end(), std::back_inserter(commits_));
  for (const uint64_t op : inbox.cancelled) {
    FailWaiting([op](const Call& call) { return call.op_id() == op; },
                {TEAL_CANCELLED, "the call was cancelled", TEAL_NOT_APPLIED, 0, 0});
  }
  if (inbox.failed_to_connect) {
    if (last_error_.message != inbox.connect_error.message) Log(TEAL_LOG_WARNING, inbox.connect_error.message);
    last_error_ = inbox.connect_error;
  }
  for (auto& [slot, session] : inbox.sessions) Install(slot, std::move(session));
  if (closing && !closed_) {
    closed_ = true;
    close_until_ = Clock::now() + kCloseGrace;
    FailWaiting([](const Call& call) { return call.hosted(); }, Closed());
  }
  auto due = later_.begin();
  for (; due != later_.end() && due->first <= Clock::now(); ++due) commits_.push_front(std::move(due->second));
  later_.erase(later_.begin(), due);
  waiting_.store(calls_.size() + commits_.size() + later_.size(), std::memory_order_relaxed);
}

void Engine::Install(int number, std::optional<Session> session) {
  Slot& slot = slots_[static_cast<std::size_t>(number)];
  assert(slot.flights.empty());
  const bool was_reachable = AnyLive();
  slot = Slot{};
  if (!session) return;
  slot.session = std::move(session);
  slot.state = Slot::State::kLive;
  if (!was_reachable && !last_error_.message.empty()) {
    Log(TEAL_LOG_INFO, "connected to PostgreSQL again");
    last_error_ = {};
  }
}

bool Engine::AnyLive() const {
  return std::any_of(slots_.begin(), slots_.end(), [](const Slot& slot) { return slot.state == Slot::State::kLive; });
}

// Whether a call of the host waits for an answer.
bool Engine::Working() const {
  return !calls_.empty() || !commits_.empty() || !later_.empty() ||
         std::any_of(slots_.begin(), slots_.end(), [](const Slot& slot) {
           return std::any_of(slot.flights.begin(), slot.flights.end(), [](const Flight& flight) {
             return (flight.call && !flight.call->ended()) ||
                    std::any_of(flight.commits.begin(), flight.commits.end(),
                                [](const CommitPtr& c) { return !c->ended(); });
           });
         });
}

// ---- Sending ----

void Engine::Dispatch() {
  DropEnded(calls_);
  DropEnded(commits_);
  DispatchCommits();
  DispatchCalls();
  if (slots_[0].state == Slot::State::kNone) Grow();
}

// Asks for one more connection, one at a time.
void Engine::Grow() {
  if (closed_) return;
  Slot* free = nullptr;
  for (Slot& slot : slots_) {
    if (slot.state == Slot::State::kAsked) return;
    if (slot.state == Slot::State::kNone && free == nullptr) free = &slot;
  }
  if (free == nullptr) return;
  free->state = Slot::State::kAsked;
  connector_->Ask(static_cast<int>(free - slots_.data()));
}

Engine::Slot* Engine::ForCommits() {
  bool other_live = false;
  Slot* best = nullptr;
  for (std::size_t i = 1; i < slots_.size(); ++i) {
    Slot& slot = slots_[i];
    if (slot.state != Slot::State::kLive) continue;
    other_live = true;
    if (slot.has_commits || slot.flights.size() >= kDepthMax) continue;
    if (best == nullptr || slot.flights.size() < best->flights.size()) best = &slot;
  }
  if (other_live) return best;
  Slot& first = slots_[0];
  return first.state == Slot::State::kLive && !first.has_commits ? &first : nullptr;
}

void Engine::DispatchCommits() {
  while (!commits_.empty()) {
    Slot* const slot = ForCommits();
    if (slot != &slots_[0] && slot != nullptr) {
      Launch(*slot, {TakeBatch(commits_), nullptr, nullptr});
      continue;
    }
    Grow();
    if (slot == nullptr) return;
    Launch(*slot, {TakeBatch(commits_), nullptr, nullptr});
  }
}

Engine::Slot* Engine::ForCall() {
  Slot* best = nullptr;
  const auto cost = [](const Slot& slot) { return slot.flights.size() + (slot.has_commits ? kDepthMax / 2 : 0); };
  for (Slot& slot : slots_) {
    if (slot.state != Slot::State::kLive || slot.flights.size() >= kDepthMax) continue;
    if (best == nullptr || cost(slot) < cost(*best)) best = &slot;
  }
  if (best == nullptr || cost(*best) >= kDepthBusy) Grow();
  return best;
}

void Engine::DispatchCalls() {
  while (!calls_.empty()) {
    Slot* const slot = ForCall();
    if (slot == nullptr) return;
    QueryPtr call = std::move(calls_.front());
    calls_.pop_front();
    Launch(*slot, {{}, std::move(call), nullptr});
  }
}

void Engine::Launch(Slot& slot, Flight flight) {
  Params params;
  Statement statement = Statement::kCommit;
  try {
    if (flight.call) {
      statement = flight.call->statement();
      flight.call->Bind(params);
    } else {
      BindBatch(flight.commits, params);
    }
  } catch (...) {
    if (flight.call) flight.call->Fail(OutOfMemory());
    for (const CommitPtr& commit : flight.commits) commit->Fail(OutOfMemory());
    return;
  }
  if (slot.flights.empty()) slot.front_since = Clock::now();
  slot.has_commits = slot.has_commits || !flight.commits.empty();
  slot.flights.push_back(std::move(flight));
  PGconn* const connection = slot.session->connection();
  const int flushed = slot.session->Send(statement, params) ? PQflush(connection) : -1;
  slot.unsent = flushed == 1;
  if (flushed < 0) Lost(slot, ConnectError(connection, config_, config_.url));
}

// ---- Receiving ----

void Engine::Poll() {
  std::vector<pollfd> fds = {{knock_.fd(), POLLIN, 0}};
  std::vector<Slot*> polled;
  for (Slot& slot : slots_) {
    if (slot.state != Slot::State::kLive) continue;
    fds.push_back(
        {PQsocket(slot.session->connection()), static_cast<short>(slot.unsent ? POLLIN | POLLOUT : POLLIN), 0});
    polled.push_back(&slot);
  }
  const auto now = Clock::now();
  auto until = Working() ? now + kSweepEvery : next_housekeeping_;
  if (!changed_.empty() || all_changed_) until = std::min(until, next_tell_);
  if (!later_.empty()) until = std::min(until, later_.begin()->first);
  const auto left = std::chrono::ceil<milliseconds>(until - now).count();
  const int ready = ::poll(fds.data(), fds.size(), static_cast<int>(std::clamp<int64_t>(left, 0, 60000)));
  if (ready <= 0) return;
  if (fds[0].revents != 0) {
    knock_.Clear();
    knocked_.store(false);
  }
  for (std::size_t i = 0; i < polled.size(); ++i) {
    if (fds[i + 1].revents != 0) Service(*polled[i], fds[i + 1].revents);
  }
}

void Engine::Service(Slot& slot, short events) {
  PGconn* const connection = slot.session->connection();
  const bool read = (events & (POLLIN | POLLERR | POLLHUP)) == 0 || PQconsumeInput(connection) == 1;
  Land(slot);  // also what came before the end
  if (slot.state != Slot::State::kLive) return;
  const int flushed = read ? PQflush(connection) : -1;
  slot.unsent = flushed == 1;
  if (flushed < 0 || PQstatus(connection) == CONNECTION_BAD) Lost(slot, ConnectError(connection, config_, config_.url));
}

void Engine::Land(Slot& slot) {
  PGconn* const connection = slot.session->connection();
  int nothing = 0;  // one NULL ends a statement's results; two, and there is no more
  while (!slot.flights.empty() && nothing < 2 && PQisBusy(connection) == 0) {
    Result result(PQgetResult(connection));
    if (!result) {
      ++nothing;
      continue;
    }
    nothing = 0;
    Flight& front = slot.flights.front();
    if (PQresultStatus(result.get()) != PGRES_PIPELINE_SYNC) {
      const bool failed = front.answer && PQresultStatus(front.answer.get()) != PGRES_TUPLES_OK;
      if (!failed) front.answer = std::move(result);
      continue;
    }
    if (front.answer && PQresultStatus(front.answer.get()) == PGRES_FATAL_ERROR) {
      const Failure failure = FailureOf(front.answer.get(), config_);
      if (failure.kind == Failure::Kind::kConnection) {
        Lost(slot, failure.error);
        return;
      }
    }
    Flight landed = std::move(front);
    slot.flights.pop_front();
    slot.front_since = Clock::now();
    if (!landed.commits.empty()) {
      slot.has_commits = std::any_of(slot.flights.begin(), slot.flights.end(),
                                     [](const Flight& flight) { return !flight.commits.empty(); });
    }
    Finish(std::move(landed));
  }
}

void Engine::Finish(Flight flight) {
  const PGresult* const answer = flight.answer.get();
  const bool good = answer != nullptr && PQresultStatus(answer) == PGRES_TUPLES_OK;
  if (!good) {
    Refused(flight);
    return;
  }
  if (flight.call) {
    if (flight.call->ended()) return;
    bool again = false;
    try {
      again = flight.call->Answer(answer);
    } catch (...) {
      flight.call->Fail(OutOfMemory());
    }
    if (again) calls_.push_front(std::move(flight.call));
    return;
  }
  const bool whole = PQntuples(answer) == static_cast<int>(flight.commits.size());
  for (std::size_t i = 0; i < flight.commits.size(); ++i) {
    Commit& commit = *flight.commits[i];
    if (commit.ended()) continue;
    if (!whole) {
      commit.MaybeApplied();
      commit.Fail({TEAL_CORRUPT, "the functions in the schema " + config_.schema + " are not those of this plugin",
                   TEAL_OUTCOME_UNKNOWN, 0, 0});
      continue;
    }
    try {
      commit.Answer(answer, static_cast<int>(i));
    } catch (...) {
      commit.MaybeApplied();
      commit.Fail(OutOfMemory());
    }
  }
}

void Engine::Refused(Flight& flight) {
  Failure failure;
  failure.error = {TEAL_INTERNAL, "PostgreSQL gave no answer to a statement", TEAL_NOT_APPLIED, 0, 0};
  if (flight.answer) failure = FailureOf(flight.answer.get(), config_);
  if (flight.call) {
    if (failure.kind == Failure::Kind::kAgain) {
      calls_.push_back(std::move(flight.call));
    } else {
      flight.call->Fail(failure.error);
    }
    return;
  }
  // A failure that one commit brought upon all of its batch is to be its own.
  const bool shared = flight.commits.size() > 1;
  for (CommitPtr& commit : flight.commits) {
    if (commit->ended()) continue;
    if (failure.kind == Failure::Kind::kAgain) {
      later_.emplace(Clock::now() + Jitter(2, 20), std::move(commit));
    } else if (shared) {
      commit->Alone();
      commits_.push_back(std::move(commit));
    } else {
      commit->Fail(failure.error);
    }
  }
}

void Engine::Lost(Slot& slot, plugin::Error error) {
  std::deque<Flight> flights = std::move(slot.flights);
  slot = Slot{};
  if (!AnyLive()) unreachable_since_ = Clock::now();
  // A pooler that closes what idles is no news.
  if (last_error_.message != error.message) Log(flights.empty() ? TEAL_LOG_DEBUG : TEAL_LOG_WARNING, error.message);
  last_error_ = error;
  for (auto flight = flights.rbegin(); flight != flights.rend(); ++flight) {
    if (flight->call && !flight->call->ended()) {
      if (!flight->call->ReadOnly()) flight->call->MaybeApplied();
      if (flight->call->Repeatable()) {
        calls_.push_front(std::move(flight->call));
      } else {
        flight->call->Fail(error);
      }
    }
    for (CommitPtr& commit : flight->commits) {
      if (commit->ended()) continue;
      commit->MaybeApplied();
      if (!commit->Repeatable()) commit->Prove();
      commits_.push_front(std::move(commit));
    }
  }
  if (closed_) FailWaiting([](const Call&) { return true; }, Closed());
}

// ---- Time ----

void Engine::Overdue(Call& call, uint64_t now, bool sent) {
  if (call.ended() || call.deadline() == 0 || now < call.deadline()) return;
  if (sent && !call.ReadOnly()) call.MaybeApplied();
  const std::string why =
      sent        ? "PostgreSQL has not answered"
      : AnyLive() ? "all connections to PostgreSQL were busy (pool_size " + std::to_string(config_.pool_size) + ")"
                  : "there is no connection: " + last_error_.message;
  call.Fail({TEAL_TIMEOUT, "the deadline passed; " + why, TEAL_NOT_APPLIED, 0, 0});
}

void Engine::Sweep() {
  const auto now = Clock::now();
  if (now < next_sweep_) return;
  next_sweep_ = now + kSweepEvery;
  const uint64_t host_now = Now();
  for (const QueryPtr& call : calls_) Overdue(*call, host_now, false);
  for (const CommitPtr& commit : commits_) Overdue(*commit, host_now, false);
  for (const auto& [when, commit] : later_) Overdue(*commit, host_now, false);
  std::erase_if(later_, [](const auto& entry) { return entry.second->ended(); });
  DropEnded(calls_);
  DropEnded(commits_);
  const auto patience = milliseconds(config_.statement_timeout_ms) + kAnswerGrace;
  for (Slot& slot : slots_) {
    for (const Flight& flight : slot.flights) {
      if (flight.call) Overdue(*flight.call, host_now, true);
      for (const CommitPtr& commit : flight.commits) Overdue(*commit, host_now, true);
    }
    if (!slot.flights.empty() && now - slot.front_since > patience) {
      Lost(slot, {TEAL_UNAVAILABLE,
                  "PostgreSQL did not answer within statement_timeout_ms (" +
                      std::to_string(config_.statement_timeout_ms) + "): the connection was given up",
                  TEAL_NOT_APPLIED, 200'000'000, 0});
    }
  }
  if (!AnyLive() && now - unreachable_since_ > kUnreachablePatience) {
    plugin::Error error = last_error_;
    error.outcome = TEAL_NOT_APPLIED;
    FailWaiting([now](const Call& call) { return now - call.accepted() > kUnreachablePatience; }, error);
  }
}

void Engine::FailWaiting(const std::function<bool(const Call&)>& which, const plugin::Error& error) {
  for (const QueryPtr& call : calls_) {
    if (which(*call)) call->Fail(error);
  }
  for (const CommitPtr& commit : commits_) {
    if (which(*commit)) commit->Fail(error);
  }
  for (const auto& [when, commit] : later_) {
    if (which(*commit)) commit->Fail(error);
  }
  DropEnded(calls_);
  DropEnded(commits_);
  std::erase_if(later_, [](const auto& entry) { return entry.second->ended(); });
}

void Engine::EndAll() {
  FailWaiting([](const Call&) { return true; }, Closed());
  for (Slot& slot : slots_) {
    for (const Flight& flight : slot.flights) {
      if (flight.call) {
        if (!flight.call->ReadOnly()) flight.call->MaybeApplied();
        flight.call->Fail(Closed());
      }
      for (const CommitPtr& commit : flight.commits) {
        commit->MaybeApplied();
        commit->Fail(Closed());
      }
    }
    slot = Slot{};
  }
}

// ---- The plugin's own work ----

void Engine::KeepHouse() {
  const auto now = Clock::now();
  if (closed_ || now < next_housekeeping_) return;
  next_housekeeping_ = now + Jitter(30000, 60000);
  if (!AnyLive()) return;
  calls_.push_back(std::make_shared<DropExpired>(Now()));
  calls_.push_back(std::make_shared<DropUploads>(Now()));
}

void Engine::Changed(KeyView key) {
  if (all_changed_) return;
  changed_.emplace(key.partition, key.sort);
  if (changed_.size() <= kChangedMax) return;
  changed_.clear();
  all_changed_ = true;
}

void Engine::TellChanges() {
  if (changed_.empty() && !all_changed_) return;
  if (closed_ || Clock::now() < next_tell_ || !AnyLive()) return;
  next_tell_ = Clock::now() + kTellEvery;
  calls_.push_back(std::make_shared<Tell>(ChannelOf(config_), all_changed_, changed_));
  changed_.clear();
  all_changed_ = false;
}

}  // namespace teal::k8s
