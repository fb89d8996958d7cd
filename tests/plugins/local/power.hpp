// Loss of power, played from the tape of what a store did to its files (plugins/local/tape.hpp, disk.hpp). Each dies
// with words at the first thing that is wrong, and returns 0 after the line "ok …".
#pragma once

#include <cstdint>
#include <string>

namespace teal::tests {

struct PowerOptions {
  uint64_t every = 5;         // power is lost after every so manieth thing done to files
  uint64_t sectors = 64;      // of a segment of the commit log: few make it wrap round often
  uint64_t slow_sync_ms = 0;  // how much longer a sync of RocksDB's tables takes
};

// A load, and a loss of power after many a thing it did to files.
int Power(const std::string& library, const std::string& folder, const PowerOptions& options);
// A load whose process dies at some moment, with everything it wrote in the kernel's hands; the store opened anew, some
// more commits, and a loss of power at some moment of that.
int DeathThenPower(const std::string& library, const std::string& folder);
// That the tape itself keeps its promise: a sync covers what its thread wrote before, whatever others add meanwhile.
int TapeInOrder(const std::string& folder);

}  // namespace teal::tests
