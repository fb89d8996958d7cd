// The section of `local` in teal.yaml.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "teal/plugin.hpp"

namespace teal::local {

struct Config {
  std::string path;                      // the store's folder, absolute
  std::string blobs;                     // the blobs' folder, absolute; by default `path`/blobs
  bool unsafe_no_sync = false;           // acknowledge what a loss of power may take
  uint64_t cache_bytes = 12 << 20;       // of records and blocks read from the files
  uint64_t queue_items_max = 1'000'000;  // of teal.threads/1
  // For the tests alone, under "testing":
  std::string tape;                // where to record what is done to files
  uint64_t log_segment_bytes = 0;  // of a new store; 0 = kLogSegmentBytes
};

// Fills `out`; the error names the key.
std::optional<plugin::Error> ReadConfig(std::string_view json, Config& out);

}  // namespace teal::local
