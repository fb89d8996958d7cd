#include "plugins/local/files.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <utility>

namespace teal::local {
namespace {

std::error_code Errno() {
  return {errno, std::generic_category()};
}

}  // namespace

File::File(Files* files, int descriptor, std::string path)
    : files_(files), descriptor_(descriptor), path_(std::move(path)) {}

File::File(File&& other) noexcept
    : files_(other.files_), descriptor_(std::exchange(other.descriptor_, -1)), path_(std::move(other.path_)) {}

File& File::operator=(File&& other) noexcept {
  std::swap(files_, other.files_);
  std::swap(descriptor_, other.descriptor_);
  std::swap(path_, other.path_);
  return *this;
}

File::~File() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

std::error_code File::Write(std::string_view data, uint64_t offset) {
  std::string_view rest = data;
  uint64_t at = offset;
  while (!rest.empty()) {
    const ssize_t wrote = ::pwrite(descriptor_, rest.data(), rest.size(), static_cast<off_t>(at));
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote <= 0) {
      const std::error_code error = wrote < 0 ? Errno() : std::make_error_code(std::errc::no_space_on_device);
      // What did arrive may reach the disk.
      files_->Wrote(path_, offset, data.substr(0, data.size() - rest.size()));
      return error;
    }
    rest.remove_prefix(static_cast<std::size_t>(wrote));
    at += static_cast<uint64_t>(wrote);
  }
  files_->Wrote(path_, offset, data);
  return {};
}

std::error_code File::Read(uint64_t offset, uint64_t size, std::string& out) const {
  out.resize(size);
  uint64_t done = 0;
  while (done < size) {
    const ssize_t got = ::pread(descriptor_, out.data() + done, size - done, static_cast<off_t>(offset + done));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return Errno();
    if (got == 0) break;
    done += static_cast<uint64_t>(got);
  }
  out.resize(done);
  return {};
}

std::error_code File::Size(uint64_t& size) const {
  struct stat status{};
  if (::fstat(descriptor_, &status) != 0) return Errno();
  size = static_cast<uint64_t>(status.st_size);
  return {};
}

std::error_code File::Sync() {
  const uint64_t covers = files_->Position();
  if (::fdatasync(descriptor_) != 0) {
    const std::error_code error = Errno();
    files_->SyncFailed(path_, covers);
    return error;
  }
  files_->Synced(path_, covers);
  return {};
}

std::error_code Files::Open(const std::string& path, int flags, File& out) {
  const int descriptor = ::open(path.c_str(), flags | O_CLOEXEC, 0600);
  if (descriptor < 0) return Errno();
  if ((flags & O_CREAT) != 0) Created(path);
  out = File(this, descriptor, path);
  return {};
}

std::error_code Files::Create(const std::string& path, File& out) {
  return Open(path, O_RDWR | O_CREAT | O_EXCL, out);
}
std::error_code Files::OpenForWriting(const std::string& path, File& out) {
  return Open(path, O_RDWR, out);
}
std::error_code Files::OpenForReading(const std::string& path, File& out) {
  return Open(path, O_RDONLY, out);
}

std::error_code Files::Rename(const std::string& from, const std::string& to) {
  if (::rename(from.c_str(), to.c_str()) != 0) return Errno();
  Renamed(from, to);
  return {};
}

std::error_code Files::Link(const std::string& from, const std::string& to) {
  if (::link(from.c_str(), to.c_str()) != 0) return Errno();
  Linked(from, to);
  return {};
}

std::error_code Files::Remove(const std::string& path) {
  if (::unlink(path.c_str()) != 0) return Errno();
  Removed(path);
  return {};
}

std::error_code Files::MakeFolder(const std::string& path) {
  if (::mkdir(path.c_str(), 0700) != 0) return Errno();
  FolderMade(path);
  return {};
}

std::error_code Files::SyncFolder(const std::string& path) {
  const uint64_t covers = Position();
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0) return Errno();
  const std::error_code error = ::fsync(descriptor) != 0 ? Errno() : std::error_code();
  ::close(descriptor);
  if (!error) FolderSynced(path, covers);
  return error;
}

std::error_code Files::Replace(const std::string& path, std::string_view data) {
  const std::string beside = path + ".new";
  if (::unlink(beside.c_str()) == 0) Removed(beside);
  File file;
  if (const auto error = Create(beside, file)) return error;
  if (const auto error = file.Write(data, 0)) return error;
  if (const auto error = file.Sync()) return error;
  if (const auto error = Rename(beside, path)) return error;
  return SyncFolder(path.substr(0, path.rfind('/')));
}

std::error_code Files::ReadWhole(const std::string& path, std::string& out) {
  File file;
  if (const auto error = OpenForReading(path, file)) return error;
  uint64_t size = 0;
  if (const auto error = file.Size(size)) return error;
  return file.Read(0, size, out);
}

void Files::Wrote(std::string_view path, uint64_t offset, std::string_view data) {
  counters_.bytes += data.size();
  if (!data.empty()) Tell(Tape::Operation::kWrite, offset, path, data);
}

void Files::Synced(std::string_view path, uint64_t covers) {
  ++counters_.syncs;
  Tell(Tape::Operation::kSync, covers, path);
}

void Files::FolderSynced(std::string_view path, uint64_t covers) {
  ++counters_.syncs;
  Tell(Tape::Operation::kSyncFolder, covers, path);
}

}  // namespace teal::local
