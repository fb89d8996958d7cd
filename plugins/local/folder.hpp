// The store's folder: who holds it, what format it is of, and the names in it. To the byte in
// docs/formats/local-store.md. Errors are in words, with what to do.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "plugins/local/files.hpp"
#include "teal/plugin.hpp"

namespace teal::local {

inline constexpr uint64_t kFormat = 1;

// What the file FORMAT says. Constant for a store's life, but `id` is new in one restored from a backup.
struct FormatFile {
  uint64_t format = kFormat;
  std::string id;  // 32 hexadecimal digits
  uint64_t log_salt = 0;
  uint64_t log_segment_bytes = 0;
};
std::string WriteFormat(const FormatFile& format);
std::optional<plugin::Error> ReadFormat(const std::string& text, const std::string& path, FormatFile& out);

// Held by one instance of one process from Open to its end. The lock is the kernel's (flock): it goes with the process,
// however that ends. The file's text, the holder's process and machine, is for the message only.
class FolderLock {
 public:
  FolderLock() = default;
  ~FolderLock();
  FolderLock(const FolderLock&) = delete;
  FolderLock& operator=(const FolderLock&) = delete;
  std::optional<plugin::Error> Take(const std::string& folder);

 private:
  int descriptor_ = -1;
};

// Makes `folder`, whose parent exists, if it is not there.
std::optional<plugin::Error> MakeFolderIfMissing(Files& files, const std::string& folder);
// Makes the name of `folder` durable. Needed where it was found there, too: whoever made it may have died before this.
std::optional<plugin::Error> SyncName(Files& files, const std::string& folder);

// Whether `folder` holds nothing but what a Make that was cut short leaves behind.
bool IsUnused(const std::string& folder);

std::string RandomHex(int bytes);
uint64_t Random64();

}  // namespace teal::local
