#include "core/host/file.h"

#include <fcntl.h>
#include <pwd.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <system_error>
#include <vector>

namespace teal::host {

namespace fs = std::filesystem;

UniqueFd& UniqueFd::operator=(UniqueFd&& other) noexcept {
  if (this != &other) {
    if (fd_ >= 0) ::close(fd_);
    fd_ = std::exchange(other.fd_, -1);
  }
  return *this;
}

UniqueFd::~UniqueFd() {
  if (fd_ >= 0) ::close(fd_);
}

std::string ErrnoText(int error) {
  return std::generic_category().message(error);
}

std::string AbsolutePath(const std::string& path) {
  std::error_code error;
  fs::path absolute = fs::absolute(path, error);
  if (error) absolute = path;
  std::string text = absolute.lexically_normal().string();
  while (text.size() > 1 && text.back() == '/') text.pop_back();
  return text;
}

std::string FolderOf(const std::string& path) {
  return fs::path(path).parent_path().string();
}

std::string ExecutableFolder() {
  std::error_code error;
  const fs::path executable = fs::read_symlink("/proc/self/exe", error);
  return error ? std::string() : executable.parent_path().string();
}

std::string HomeFolder() {
  const char* const home = std::getenv("HOME");
  if (home != nullptr && home[0] == '/') return home;
  std::vector<char> buffer(16 * 1024);
  passwd entry{};
  passwd* found = nullptr;
  if (getpwuid_r(geteuid(), &entry, buffer.data(), buffer.size(), &found) == 0 && found != nullptr) {
    return found->pw_dir == nullptr ? std::string() : found->pw_dir;
  }
  return {};
}

Result<std::string> ReadSmallFile(const std::string& path, size_t bytes_max) {
  // Without O_NONBLOCK a FIFO of that name would hold us for ever.
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!fd) {
    const int error = errno;
    if (error == ENOENT || error == ENOTDIR) return Fail(FailureCode::kNotFound, path + ": there is no such file");
    return Fail(FailureCode::kUnavailable, path + ": cannot be read: " + ErrnoText(error));
  }
  struct stat status{};
  if (::fstat(fd.get(), &status) != 0 || !S_ISREG(status.st_mode)) {
    return Fail(FailureCode::kInvalid, path + ": is no regular file");
  }
  std::string text;
  char piece[16 * 1024];
  while (true) {
    const ssize_t got = ::read(fd.get(), piece, sizeof piece);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return Fail(FailureCode::kUnavailable, path + ": cannot be read: " + ErrnoText(errno));
    if (got == 0) return text;
    text.append(piece, static_cast<size_t>(got));
    if (text.size() > bytes_max) {
      return Fail(FailureCode::kTooLarge, path + ": is larger than " + std::to_string(bytes_max) + " bytes");
    }
  }
}

Status ReplaceFile(const std::string& path, std::string_view text) {
  const auto failed = [&](const char* what) {
    return Fail(FailureCode::kUnavailable, path + ": " + what + ": " + ErrnoText(errno));
  };
  const std::string folder = FolderOf(path);
  for (size_t end = folder.find('/', 1);; end = folder.find('/', end + 1)) {
    const std::string part = folder.substr(0, end);
    if (::mkdir(part.c_str(), 0700) != 0 && errno != EEXIST) return failed("its folder cannot be made");
    if (end == std::string::npos) break;
  }
  std::string temporary = path + ".XXXXXX";
  const UniqueFd fd(::mkostemp(temporary.data(), O_CLOEXEC));
  if (!fd) return failed("cannot be written");
  bool written = true;
  for (size_t at = 0; written && at < text.size();) {
    const ssize_t put = ::write(fd.get(), text.data() + at, text.size() - at);
    if (put > 0) at += static_cast<size_t>(put);
    if (put < 0 && errno != EINTR) written = false;
  }
  if (!written || ::fsync(fd.get()) != 0 || ::rename(temporary.c_str(), path.c_str()) != 0) {
    const Failure failure = failed("cannot be written");
    ::unlink(temporary.c_str());
    return failure;
  }
  const UniqueFd directory(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!directory || ::fsync(directory.get()) != 0) return failed("its folder cannot be synced");
  return Unit{};
}

std::string WhyOpenToOthers(const struct stat& status, const std::string& path) {
  if (status.st_uid != 0 && status.st_uid != ::geteuid()) {
    return path + " belongs to another user (uid " + std::to_string(status.st_uid) +
           "); only your own and root's are used";
  }
  if ((status.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
    return path + " is writable by others; run: chmod go-w '" + path + "'";
  }
  return {};
}

}  // namespace teal::host
