#include "triggers/s3/loop.hpp"

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <system_error>
#include <utility>

namespace teal::s3 {
namespace {
constexpr auto kTurnAtLeastEvery = std::chrono::milliseconds(1000);
}  // namespace

void Loop::Start(std::function<Turn()> turn) {
  turn_ = std::move(turn);
  wake_ = Fd(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
  if (!wake_.valid()) throw std::system_error(errno, std::generic_category(), "eventfd");
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  try {
    thread_ = std::thread([this] { Run(); });
  } catch (...) {
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
    throw;
  }
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

void Loop::Wake() {
  const uint64_t one = 1;
  [[maybe_unused]] const ssize_t written = ::write(wake_.get(), &one, sizeof one);  // full: it is awake
}

bool Loop::Post(Task task) {
  const std::lock_guard lock(mutex_);
  if (stopped_) return false;
  tasks_.push_back(std::move(task));
  if (tasks_.size() == 1) Wake();
  return true;
}

void Loop::Stop(Task last) {
  {
    const std::lock_guard lock(mutex_);
    tasks_.push_back(std::move(last));
    stopped_ = true;
    Wake();
  }
  thread_.join();
}

void Loop::Run() {
  for (;;) {
    std::vector<Task> tasks;
    bool stopped = false;
    {
      const std::lock_guard lock(mutex_);
      tasks.swap(tasks_);
      stopped = stopped_;
    }
    for (Task& task : tasks) std::exchange(task, nullptr)();
    if (stopped) return;
    const Turn turn = turn_();
    std::vector<pollfd> fds{{wake_.get(), POLLIN, 0}};
    for (const int fd : turn.watched) fds.push_back({fd, POLLIN, 0});
    const auto wait = std::chrono::ceil<std::chrono::milliseconds>(turn.next - Clock::now());
    const auto bounded = std::clamp<std::chrono::milliseconds>(wait, std::chrono::milliseconds(0), kTurnAtLeastEvery);
    ::poll(fds.data(), fds.size(), static_cast<int>(bounded.count()));
    uint64_t count = 0;
    [[maybe_unused]] const ssize_t read = ::read(wake_.get(), &count, sizeof count);
  }
}

}  // namespace teal::s3
