#include "core/serve/loop.h"

#include <boost/asio/post.hpp>
#include <chrono>

namespace teal::serve {

Loops::Loops(unsigned count) {
  for (unsigned i = 0; i < count; ++i) {
    loops_.push_back(std::make_unique<Loop>());
    guards_.push_back(boost::asio::make_work_guard(loops_.back()->io));
  }
}

Loops::~Loops() {
  Stop();
}

void Loops::Start() {
  for (const auto& loop : loops_) {
    threads_.emplace_back([io = &loop->io] { io->run(); });
  }
}

void Loops::Stop() {
  for (const auto& loop : loops_) loop->io.stop();
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
  // What waits in the queues may hold on to these loops; it is dropped here, on this thread.
  for (const auto& loop : loops_) {
    loop->io.restart();
    for (const auto& timer : loop->timers) timer->cancel();
    loop->io.poll();
    loop->io.stop();
  }
}

void Loops::After(uint64_t ns, std::function<void()> function) {
  Loop& loop = at(turn_.fetch_add(1, std::memory_order_relaxed) % size());
  boost::asio::post(loop.io, [&loop, ns, function = std::move(function)]() mutable {
    auto timer = std::make_shared<boost::asio::steady_timer>(loop.io, std::chrono::nanoseconds(ns));
    loop.timers.insert(timer);
    timer->async_wait([&loop, timer, function = std::move(function)](const boost::system::error_code& error) {
      loop.timers.erase(timer);
      if (!error) function();
    });
  });
}

}  // namespace teal::serve
