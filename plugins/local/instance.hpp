// What one open `local` is made of, in the order it is built; taken down in the reverse.
#pragma once

#include <teal/abi.h>

#include <memory>
#include <optional>
#include <string>

#include "plugins/common/memory_input.hpp"
#include "plugins/common/watchers.hpp"
#include "plugins/local/blobs.hpp"
#include "plugins/local/committer.hpp"
#include "plugins/local/config.hpp"
#include "plugins/local/files.hpp"
#include "plugins/local/folder.hpp"
#include "plugins/local/log.hpp"
#include "plugins/local/queues.hpp"
#include "plugins/local/store.hpp"
#include "plugins/local/workers.hpp"
#include "teal/plugin.hpp"

namespace teal::local {

inline constexpr plugin::MemoryLimits kLimits{.value_bytes_max = 512 << 10, .commit_bytes_max = kCommitBytesMax};

}  // namespace teal::local

struct teal_instance {
  teal_instance(const teal_host* its_host, teal::local::Config its_config)
      : host(its_host), config(std::move(its_config)) {}

  // Control. Everything of `config`, or an error in words, with what to do; then the instance is to be deleted.
  std::optional<teal::plugin::Error> Open();
  // Control. Completes every open call.
  void Close();

  uint64_t Now() const { return host->now_unix_ns(host); }

  const teal_host* const host;
  const teal::local::Config config;
  teal::plugin::OpenCalls calls;
  teal::plugin::Watchers watchers;
  std::unique_ptr<teal::local::Files> files;
  teal::local::FolderLock lock;
  teal::local::FormatFile format;
  std::unique_ptr<teal::local::Store> store;
  std::unique_ptr<teal::local::Log> log;
  std::unique_ptr<teal::local::Committer> committer;
  std::unique_ptr<teal::local::Blobs> blobs;
  std::unique_ptr<teal::local::Workers> workers;
  std::unique_ptr<teal::local::Workers> backups;
  std::unique_ptr<teal::local::Queues> queues;

 private:
  std::optional<teal::plugin::Error> OpenFolder(bool& make);
  std::optional<teal::plugin::Error> OpenRecords(bool make);
  void Report(uint32_t level, const std::string& message, const std::string& fields = {}) const;
};
