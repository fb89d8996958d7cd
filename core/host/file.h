// Files as the host reads and writes its own: whole, small, and never through a descriptor a child inherits.
#pragma once

#include <sys/stat.h>

#include <string>
#include <string_view>
#include <utility>

#include "core/base/result.h"

namespace teal::host {

// Owns a descriptor.
class UniqueFd {
 public:
  UniqueFd() = default;
  explicit UniqueFd(int fd) : fd_(fd) {}
  UniqueFd(UniqueFd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  UniqueFd& operator=(UniqueFd&& other) noexcept;
  ~UniqueFd();
  int get() const { return fd_; }
  int release() { return std::exchange(fd_, -1); }
  explicit operator bool() const { return fd_ >= 0; }

 private:
  int fd_ = -1;
};

// The text of errno.
std::string ErrnoText(int error);
// `path` made absolute against the working directory, without "." and ".."; links are not followed.
std::string AbsolutePath(const std::string& path);
std::string FolderOf(const std::string& path);
// The folder of the running executable; empty if it cannot be told.
std::string ExecutableFolder();
// $HOME, or the user database's; empty if neither knows.
std::string HomeFolder();

// The whole of a regular file. kNotFound, kTooLarge past `bytes_max`, kUnavailable for what cannot be read.
Result<std::string> ReadSmallFile(const std::string& path, size_t bytes_max);
// Replaces the file at once or not at all; its folder is made (0700) if need be. The file's mode is 0600. Durable.
Status ReplaceFile(const std::string& path, std::string_view text);

// Why what `status` describes must not be relied on: owned by someone who is neither this user nor root, or writable by
// others; with what to do. Empty: it may.
std::string WhyOpenToOthers(const struct stat& status, const std::string& path);

}  // namespace teal::host
