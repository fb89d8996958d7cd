// Blocks all signals in the calling thread while it lives, so that threads started meanwhile, RocksDB's own too, have
// them blocked for good: signals are the host's. (LIFE-12)
#pragma once

#include <pthread.h>

#include <csignal>

namespace teal::local {

class Quiet {
 public:
  Quiet() {
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &before_);
  }
  ~Quiet() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  Quiet(const Quiet&) = delete;
  Quiet& operator=(const Quiet&) = delete;

 private:
  sigset_t before_{};
};

}  // namespace teal::local
