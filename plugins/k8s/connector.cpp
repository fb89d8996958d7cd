#include "plugins/k8s/connector.hpp"

#include <signal.h>

#include <algorithm>
#include <random>

#include "plugins/k8s/migrations.hpp"

namespace teal::k8s {

std::thread StartThread(std::function<void()> body) {
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  try {
    std::thread thread(std::move(body));
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
    return thread;
  } catch (...) {
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
    throw;
  }
}

std::chrono::milliseconds Backoff(int failures) {
  thread_local std::minstd_rand random(std::random_device{}());
  const int most = std::min(2000, 50 << std::min(failures, 6));
  return std::chrono::milliseconds(std::uniform_int_distribution<int>(most / 2, most)(random));
}

Connector::Connector(const Config& config, const Stop& stop, std::string store, bool synchronous, Made made)
    : config_(config), stop_(stop), store_(std::move(store)), synchronous_(synchronous), made_(std::move(made)) {
  thread_ = StartThread([this] { Run(); });
}

Connector::~Connector() {
  {
    const std::lock_guard lock(mutex_);
    ended_ = true;
  }
  asked_.notify_all();
  thread_.join();
}

void Connector::Ask(int slot) {
  {
    const std::lock_guard lock(mutex_);
    slots_.push_back(slot);
  }
  asked_.notify_all();
}

std::optional<Session> Connector::Make(plugin::Error& error) const {
  std::optional<Session> session = Session::Connect(config_, config_.url, stop_, error);
  if (!session) return std::nullopt;
  const Session::Facts& facts = session->facts();
  if (facts.store != store_ || facts.schema_version < kSchemaVersion) {
    error = {TEAL_UNAVAILABLE,
             "behind url stands another store than at open: the schema " + config_.schema +
                 " was dropped or the database replaced; restore it, or open the memory anew",
             TEAL_NOT_APPLIED, 0, 0};
    return std::nullopt;
  }
  if (synchronous_ && !facts.synchronous) {
    error = {
        TEAL_UNAVAILABLE,
        "synchronous_commit or fsync was switched off since the memory was opened as durable: switch it on again, or "
        "open the memory anew",
        TEAL_NOT_APPLIED, 0, 0};
    return std::nullopt;
  }
  if (!session->EnterPipeline(stop_, error)) return std::nullopt;
  return session;
}

void Connector::Run() {
  int failures = 0;
  for (;;) {
    int slot = 0;
    {
      std::unique_lock lock(mutex_);
      asked_.wait(lock, [this] { return ended_ || !slots_.empty(); });
      if (ended_) return;
      slot = slots_.front();
      slots_.pop_front();
    }
    plugin::Error error;
    std::optional<Session> session;
    try {
      session = Make(error);
    } catch (...) {
      error = {TEAL_NO_MEMORY, "out of memory while connecting to PostgreSQL", TEAL_NOT_APPLIED, 0, 0};
    }
    failures = session ? 0 : failures + 1;
    if (!session && WaitFor(-1, 0, stop_, Clock::now() + Backoff(failures - 1)) == Waited::kStopped) return;
    made_(slot, std::move(session), error);
  }
}

}  // namespace teal::k8s
