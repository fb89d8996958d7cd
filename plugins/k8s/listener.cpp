#include "plugins/k8s/listener.hpp"

#include <poll.h>

#include "plugins/k8s/connector.hpp"
#include "plugins/k8s/engine.hpp"
#include "plugins/k8s/errors.hpp"

namespace teal::k8s {
namespace {

constexpr std::chrono::seconds kPingEvery{15};

struct NotifyDeleter {
  void operator()(PGnotify* notify) const noexcept { PQfreemem(notify); }
};

}  // namespace

Listener::~Listener() {
  stop_.Set();
  if (thread_.joinable()) thread_.join();
}

uint64_t Listener::Watch(std::string_view prefix, plugin::Watchers::Changed changed, void* ctx) {
  const uint64_t id = watchers_.Add(prefix, changed, ctx);
  std::unique_lock lock(mutex_);
  if (!thread_.joinable()) thread_ = StartThread([this] { Run(); });
  listens_.wait_for(lock, std::chrono::milliseconds(config_.connect_timeout_ms), [this] { return listening_; });
  return id;
}

void Listener::SetListening(bool listening) {
  {
    const std::lock_guard lock(mutex_);
    listening_ = listening;
  }
  listens_.notify_all();
}

void Listener::Run() {
  int failures = 0;
  bool heard_before = false;
  for (;;) {
    plugin::Error error;
    try {
      std::optional<Session> session = Session::Connect(config_, url_, stop_, error);
      if (session && Listen(*session, error)) {
        failures = 0;
        SetListening(true);
        if (heard_before) watchers_.TellAll();
        heard_before = true;
        Hear(*session, error);
        SetListening(false);
      }
    } catch (...) {
      error.message = "out of memory in the listener";
    }
    if (error.code == TEAL_CLOSED) return;
    const std::string text = "not listening for changes: " + error.message;
    if (failures == 0 && Has(*host_, host_->log))
      host_->log(host_, TEAL_LOG_WARNING, Bytes(text), teal_bytes{nullptr, 0});
    if (WaitFor(-1, 0, stop_, Clock::now() + Backoff(failures++)) == Waited::kStopped) return;
  }
}

bool Listener::Listen(Session& session, plugin::Error& error) {
  if (session.facts().pooled || session.facts().store != store_) {
    error.message = "direct_url leads to a pooler or to another store than url";
    return false;
  }
  return session.Run(("LISTEN \"" + ChannelOf(config_) + "\"").c_str(), stop_, error) != nullptr;
}

void Listener::Hear(Session& session, plugin::Error& error) {
  PGconn* const connection = session.connection();
  for (;;) {
    while (const std::unique_ptr<PGnotify, NotifyDeleter> notify{PQnotifies(connection)}) Tell(notify->extra);
    switch (WaitFor(PQsocket(connection), POLLIN, stop_, Clock::now() + kPingEvery)) {
      case Waited::kStopped:
        error = {TEAL_CLOSED, "the memory was closed", TEAL_NOT_APPLIED, 0, 0};
        return;
      case Waited::kTimeout:
        if (!session.Run("SELECT 1", stop_, error)) return;
        break;
      case Waited::kReady:
        if (PQconsumeInput(connection) == 1) break;
        error = ConnectError(connection, config_, url_);
        return;
    }
  }
}

void Listener::Tell(std::string_view notice) {
  if (notice == kAllChanged) {
    watchers_.TellAll();
    return;
  }
  std::string partition;
  std::string sort;
  while (!notice.empty()) {
    const std::size_t space = notice.find(' ');
    if (Spelt(notice.substr(0, space), partition, sort)) watchers_.Tell({Bytes(partition), Bytes(sort)});
    notice = space == std::string_view::npos ? std::string_view() : notice.substr(space + 1);
  }
}

}  // namespace teal::k8s
