#include "core/trigger/work_queue.h"

#include <future>

namespace teal::trigger {

WorkQueue::WorkQueue() : thread_([this] { Run(); }) {}

WorkQueue::~WorkQueue() {
  Stop();
}

void WorkQueue::Post(Work work) {
  const std::lock_guard lock(mutex_);
  if (stopped_) return;
  ready_.push_back(std::move(work));
  if (ready_.size() == 1) changed_.notify_one();
}

void WorkQueue::After(uint64_t ns, Work work) {
  const std::lock_guard lock(mutex_);
  if (stopped_) return;
  later_.emplace(std::chrono::steady_clock::now() + std::chrono::nanoseconds(ns), std::move(work));
  changed_.notify_one();
}

void WorkQueue::Do(const Work& work) {
  // Whatever becomes of the work, its end or its being dropped lets the caller go on.
  const auto ended = std::make_shared<std::promise<void>>();
  std::future<void> future = ended->get_future();
  struct Guard {
    std::shared_ptr<std::promise<void>> ended;
    ~Guard() { ended->set_value(); }
  };
  Post([&work, guard = std::make_shared<Guard>(ended)] { work(); });
  future.wait();
}

void WorkQueue::Stop() {
  std::deque<Work> dropped;
  std::multimap<Time, Work> dropped_later;
  {
    const std::lock_guard lock(mutex_);
    stopped_ = true;
    dropped.swap(ready_);
    dropped_later.swap(later_);
    changed_.notify_all();
  }
  if (thread_.joinable()) thread_.join();
}

void WorkQueue::Run() {
  std::deque<Work> batch;
  std::unique_lock lock(mutex_);
  for (;;) {
    const Time now = std::chrono::steady_clock::now();
    while (!later_.empty() && later_.begin()->first <= now) {
      ready_.push_back(std::move(later_.begin()->second));
      later_.erase(later_.begin());
    }
    if (stopped_) return;
    if (ready_.empty()) {
      if (later_.empty()) {
        changed_.wait(lock);
      } else {
        changed_.wait_until(lock, later_.begin()->first);
      }
      continue;
    }
    batch.swap(ready_);
    lock.unlock();
    for (Work& work : batch) {
      work();
      work = nullptr;  // what it holds is freed in order, and without the lock
    }
    batch.clear();
    lock.lock();
  }
}

}  // namespace teal::trigger
