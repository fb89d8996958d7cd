// Blobs, a file each: written beside under a number, synced, and given its name last, with the folder synced. So a name
// is there whole or not at all. The file's name is a hash of the blob's, so that any byte works; the file holds the
// name and a checksum for each block (docs/formats/local-store.md). All functions block and are thread-safe; one handle
// is used by one call at a time.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <shared_mutex>
#include <string>
#include <string_view>

#include "plugins/local/files.hpp"
#include "teal/plugin.hpp"

namespace teal::local {

inline constexpr uint64_t kBlobBlockBytes = 64 << 10;

class Blobs {
 public:
  Blobs(Files& files, std::string folder, uint64_t blob_bytes_max, bool sync)
      : files_(files), folder_(std::move(folder)), blob_bytes_max_(blob_bytes_max), sync_(sync) {}

  // The folder belongs to one store: `store_id` stands in it. Removes what was left unfinished.
  std::optional<plugin::Error> Open(const std::string& store_id);

  std::optional<plugin::Error> Begin(std::string_view name, uint64_t& handle);
  std::optional<plugin::Error> Append(uint64_t handle, std::string_view data);
  std::optional<plugin::Error> Commit(uint64_t handle);
  void Abort(uint64_t handle);
  // Drops what was left open.
  void AbortAll();

  std::optional<plugin::Error> Get(std::string_view name, uint64_t offset, uint64_t size, std::string& out);
  std::optional<plugin::Error> Delete(std::string_view name);

  // Keeps blobs from being removed while it is held: for backups.
  std::shared_lock<std::shared_mutex> KeepAll() { return std::shared_lock(removing_); }
  const std::string& folder() const { return folder_; }

 private:
  struct Upload {
    std::string name;
    File file;
    std::string block;    // not yet written
    uint64_t blocks = 0;  // written
    uint64_t size = 0;    // of the content so far
    uint64_t file_offset = 0;
    bool failed = false;
  };

  std::string PathOf(std::string_view name) const;
  std::shared_ptr<Upload> Take(uint64_t handle, bool end);
  std::error_code WriteBlock(Upload& upload);
  plugin::Error Failed(const std::string& doing, const std::string& path, const std::error_code& error) const;
  // Sees to it that `folder` is there and its name durable. With naming_ held.
  std::optional<plugin::Error> Place(const std::string& folder);
  std::optional<plugin::Error> Finish(Upload& upload);
  void Drop(Upload& upload);

  Files& files_;
  const std::string folder_;
  const uint64_t blob_bytes_max_;
  const bool sync_;

  std::shared_mutex removing_;    // shared by backups, alone by Delete
  std::mutex naming_;             // one gives a name at a time; guards placed_
  std::set<std::string> placed_;  // folders of names, 256 at most, that are known to be durable
  std::mutex mutex_;              // guards what follows
  std::map<uint64_t, std::shared_ptr<Upload>> uploads_;
  uint64_t last_handle_ = 0;
};

}  // namespace teal::local
