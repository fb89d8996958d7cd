// Descriptors beneath a folder: nothing is opened outside it, and nothing through a symbolic link.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <utility>

#include "triggers/s3/sha256.hpp"

namespace teal::s3 {

// A descriptor, closed with its owner.
class Fd {
 public:
  Fd() = default;
  explicit Fd(int fd) : fd_(fd) {}
  Fd(Fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Fd& operator=(Fd&& other) noexcept;
  ~Fd() { Reset(); }
  int get() const { return fd_; }
  bool valid() const { return fd_ >= 0; }
  void Reset();

 private:
  int fd_ = -1;
};

// Opens `path` beneath the folder `root` with openat2; errno if it cannot be: ELOOP for a symbolic link on the way,
// EXDEV for a way that leaves the folder. Close-on-exec always.
Fd OpenBeneath(int root, const char* path, int flags, mode_t mode = 0);

// A version of a file: what changes when it is written anew, and not when it is moved, read or linked.
struct Stamp {
  Digest digest{};  // of inode, time of birth where the file system has it, time of change and size
  uint64_t size = 0;
  uint64_t changed_ns = 0;  // since 1970
};
bool operator==(const Stamp& a, const Stamp& b);

// Of a regular file; nullopt for anything else, with errno 0, or what is not there.
std::optional<Stamp> StampOf(int fd);

enum class Writing { kNo, kYes, kUnknown };
// Whether some process has the file open for writing, asked by a read lease; kUnknown where the file system or the
// owner of the file does not allow it. `fd` is open for reading.
Writing IsBeingWritten(int fd);

// Calls `each(name, is_folder)` for the files and folders in an open folder, by name; links, sockets and devices are
// left out. False: errno says why, and what was read was given.
bool ListFolder(int folder, const std::function<void(const std::string& name, bool is_folder)>& each);

// Text of an errno, without strerror's buffer.
std::string ErrnoText(int error);

}  // namespace teal::s3
