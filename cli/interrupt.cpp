#include "cli/interrupt.h"

#include <pthread.h>
#include <signal.h>

namespace teal::cli {
namespace {

// The third signal wakes the waiting thread when it is to stop.
sigset_t Signals() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGINT);
  sigaddset(&set, SIGTERM);
  sigaddset(&set, SIGUSR2);
  return set;
}

}  // namespace

Interrupt::Interrupt(std::function<void(int)> on_signal) : on_signal_(std::move(on_signal)) {
  const sigset_t set = Signals();
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  thread_ = std::thread([this, set] {
    for (;;) {
      int signal = 0;
      if (sigwait(&set, &signal) != 0) return;
      if (stopping_) return;
      if (signal != SIGUSR2) on_signal_(++times_);
    }
  });
}

Interrupt::~Interrupt() {
  stopping_ = true;
  pthread_kill(thread_.native_handle(), SIGUSR2);
  thread_.join();
  const sigset_t set = Signals();
  pthread_sigmask(SIG_UNBLOCK, &set, nullptr);
}

}  // namespace teal::cli
