#include "triggers/s3/files.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <map>
#include <memory>
#include <system_error>

namespace teal::s3 {

Fd& Fd::operator=(Fd&& other) noexcept {
  if (this != &other) {
    Reset();
    fd_ = std::exchange(other.fd_, -1);
  }
  return *this;
}

void Fd::Reset() {
  if (fd_ >= 0) ::close(std::exchange(fd_, -1));
}

Fd OpenBeneath(int root, const char* path, int flags, mode_t mode) {
  open_how how{};
  how.flags = static_cast<uint64_t>(flags) | O_CLOEXEC;
  how.mode = mode;
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
  for (;;) {
    const long fd = ::syscall(SYS_openat2, root, path, &how, sizeof how);
    if (fd >= 0) return Fd(static_cast<int>(fd));
    // EAGAIN: a rename went on beside; the kernel could not be sure that the way stays beneath.
    if (errno != EINTR && errno != EAGAIN) return Fd();
  }
}

bool operator==(const Stamp& a, const Stamp& b) {
  return a.digest == b.digest;
}

std::optional<Stamp> StampOf(int fd) {
  struct statx about{};
  if (::statx(fd, "", AT_EMPTY_PATH, STATX_BASIC_STATS | STATX_BTIME, &about) != 0) return std::nullopt;
  errno = 0;
  if (!S_ISREG(about.stx_mode)) return std::nullopt;
  const auto nanoseconds = [](const statx_timestamp& time) {
    return static_cast<uint64_t>(time.tv_sec) * 1'000'000'000 + time.tv_nsec;
  };
  const uint64_t born = (about.stx_mask & STATX_BTIME) != 0 ? nanoseconds(about.stx_btime) : 0;
  const uint64_t numbers[4] = {about.stx_ino, born, nanoseconds(about.stx_mtime), about.stx_size};
  Stamp stamp;
  stamp.digest = DigestOf({std::string_view(reinterpret_cast<const char*>(numbers), sizeof numbers)});
  stamp.size = about.stx_size;
  stamp.changed_ns = about.stx_mtime.tv_sec < 0 ? 0 : nanoseconds(about.stx_mtime);
  return stamp;
}

Writing IsBeingWritten(int fd) {
  // Should a writer come within the lease, the kernel signals this thread, which blocks all signals, and the writer
  // waits until the next line is done.
  const f_owner_ex owner{F_OWNER_TID, static_cast<pid_t>(::syscall(SYS_gettid))};
  if (::fcntl(fd, F_SETOWN_EX, &owner) != 0) return Writing::kUnknown;
  if (::fcntl(fd, F_SETLEASE, F_RDLCK) == 0) {
    ::fcntl(fd, F_SETLEASE, F_UNLCK);
    return Writing::kNo;
  }
  return errno == EAGAIN ? Writing::kYes : Writing::kUnknown;
}

bool ListFolder(int folder, const std::function<void(const std::string& name, bool is_folder)>& each) {
  const int copy = ::openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (copy < 0) return false;
  const std::unique_ptr<DIR, int (*)(DIR*)> entries(::fdopendir(copy), &::closedir);
  if (entries == nullptr) {
    ::close(copy);
    return false;
  }
  std::map<std::string, bool> found;
  for (;;) {
    errno = 0;
    const dirent* const entry = ::readdir(entries.get());
    if (entry == nullptr) break;
    const std::string name = entry->d_name;
    if (name == "." || name == "..") continue;
    bool is_folder = entry->d_type == DT_DIR;
    if (entry->d_type == DT_UNKNOWN) {
      struct stat about{};
      is_folder = ::fstatat(folder, entry->d_name, &about, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(about.st_mode);
    } else if (entry->d_type != DT_REG && !is_folder) {
      continue;  // links, sockets, devices are no objects
    }
    found.emplace(name, is_folder);
  }
  const int failed = errno;
  for (const auto& [name, is_folder] : found) each(name, is_folder);
  errno = failed;
  return failed == 0;
}

std::string ErrnoText(int error) {
  return std::generic_category().message(error);
}

}  // namespace teal::s3
