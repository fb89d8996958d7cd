#include "core/serve/package_folder.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <vector>

#include "core/host/file.h"

namespace teal::serve {
namespace {

namespace fs = std::filesystem;

Failure Failed(const std::string& path, const char* what) {
  return Fail(FailureCode::kUnavailable, path + ": " + what + ": " + host::ErrnoText(errno));
}

Status SyncFolder(const std::string& folder) {
  const host::UniqueFd fd(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd || ::fsync(fd.get()) != 0) return Failed(folder, "cannot be synced");
  return Unit{};
}

Status WriteFile(const std::string& path, const std::string& bytes) {
  const host::UniqueFd fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0444));
  if (!fd) return Failed(path, "cannot be made");
  for (size_t at = 0; at < bytes.size();) {
    const ssize_t put = ::write(fd.get(), bytes.data() + at, bytes.size() - at);
    if (put < 0 && errno != EINTR) return Failed(path, "cannot be written");
    if (put > 0) at += static_cast<size_t>(put);
  }
  if (::fsync(fd.get()) != 0) return Failed(path, "cannot be synced");
  return Unit{};
}

// Files are read-only; folders are not, so that who deletes a project can.
Status Unpack(const runtime::Package& package, const std::string& to) {
  std::set<std::string> folders;
  for (const runtime::PackageFile& file : package.files) {
    for (size_t slash = file.path.find('/'); slash != std::string::npos; slash = file.path.find('/', slash + 1)) {
      const std::string folder = to + "/" + file.path.substr(0, slash);
      if (folders.insert(folder).second && ::mkdir(folder.c_str(), 0700) != 0) return Failed(folder, "cannot be made");
    }
    if (Status written = WriteFile(to + "/" + file.path, file.bytes); !written) return written;
  }
  folders.insert(to);
  for (auto folder = folders.rbegin(); folder != folders.rend(); ++folder) {
    if (Status synced = SyncFolder(*folder); !synced) return synced;
  }
  return Unit{};
}

// Every file, and no other. What Python keeps of its own beside them is none of it.
bool IsUnpacked(const runtime::Package& package, const std::string& folder) {
  for (const runtime::PackageFile& file : package.files) {
    struct stat status{};
    const std::string path = folder + "/" + file.path;
    if (::lstat(path.c_str(), &status) != 0 || !S_ISREG(status.st_mode)) return false;
    const Result<std::string> bytes = host::ReadSmallFile(path, file.bytes.size());
    if (!bytes || bytes.value() != file.bytes) return false;
  }
  size_t found = 0;
  std::error_code error;
  auto at = fs::recursive_directory_iterator(folder, error);
  while (!error && at != fs::recursive_directory_iterator()) {
    const bool is_folder = at->is_directory(error) && !at->is_symlink(error);
    if (is_folder && at->path().filename() == "__pycache__") {
      at.disable_recursion_pending();
    } else if (!is_folder) {
      ++found;
    }
    at.increment(error);
  }
  return !error && found == package.files.size();
}

}  // namespace

void RemoveTree(const std::string& path) {
  std::error_code ignored;
  fs::remove_all(path, ignored);
}

PackageFolder::PackageFolder(const std::string& data) : folder_(data + "/packages") {
  std::error_code error;
  std::vector<std::string> half;
  for (auto at = fs::directory_iterator(folder_, error); !error && at != fs::directory_iterator();
       at.increment(error)) {
    if (at->path().filename().string().starts_with('.')) half.push_back(at->path().string());
  }
  for (const std::string& path : half) RemoveTree(path);
}

Result<std::string> PackageFolder::Provide(const Sha256& hash, const runtime::Package& package) {
  const std::string folder = folder_ + "/" + Hex(hash);
  if (compared_.count(hash) > 0 && ::access(folder.c_str(), R_OK | X_OK) == 0) return folder;
  if (::mkdir(folder_.c_str(), 0700) != 0 && errno != EEXIST) return Failed(folder_, "cannot be made");
  if (!IsUnpacked(package, folder)) {
    std::string temporary = folder_ + "/.half-XXXXXX";
    if (::mkdtemp(temporary.data()) == nullptr) return Failed(folder_, "cannot be written to");
    if (Status unpacked = Unpack(package, temporary); !unpacked) {
      RemoveTree(temporary);
      return unpacked.failure();
    }
    RemoveTree(folder);
    if (::rename(temporary.c_str(), folder.c_str()) != 0) {
      const Failure failure = Failed(folder, "cannot be put into place");
      RemoveTree(temporary);
      return failure;
    }
    if (Status synced = SyncFolder(folder_); !synced) return synced.failure();
  }
  compared_.insert(hash);
  return folder;
}

void PackageFolder::Forget(const Sha256& hash) {
  compared_.erase(hash);
  RemoveTree(folder_ + "/" + Hex(hash));
}

}  // namespace teal::serve
