#include "plugins/local/folder.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstring>
#include <random>
#include <sstream>

namespace teal::local {

using plugin::Error;

uint64_t Random64() {
  std::random_device random;
  return static_cast<uint64_t>(random()) << 32 | random();
}

std::string RandomHex(int bytes) {
  std::random_device random;
  std::string hex;
  for (int i = 0; i < bytes; ++i) {
    const unsigned byte = random() & 0xffu;
    hex.push_back("0123456789abcdef"[byte >> 4u]);
    hex.push_back("0123456789abcdef"[byte & 15u]);
  }
  return hex;
}

std::string WriteFormat(const FormatFile& format) {
  std::ostringstream text;
  text << "teal local store\nformat " << format.format << "\nid " << format.id << "\nlog_salt " << format.log_salt
       << "\nlog_segment_bytes " << format.log_segment_bytes << "\nend\n";
  return text.str();
}

std::optional<Error> ReadFormat(const std::string& text, const std::string& path, FormatFile& out) {
  const Error damaged{TEAL_CORRUPT, path + " is damaged; restore a backup"};
  std::istringstream in(text);
  std::string line;
  if (!std::getline(in, line) || line != "teal local store") return damaged;
  std::string word;
  if (!(in >> word >> out.format) || word != "format") return damaged;
  if (out.format > kFormat) {
    return Error{TEAL_UNSUPPORTED, path + " says format " + std::to_string(out.format) +
                                       ", of a newer Teal; this one reads format " + std::to_string(kFormat) +
                                       ": use the newer Teal, or another path"};
  }
  if (!(in >> word >> out.id) || word != "id" || out.id.size() != 32) return damaged;
  if (!(in >> word >> out.log_salt) || word != "log_salt") return damaged;
  if (!(in >> word >> out.log_segment_bytes) || word != "log_segment_bytes") return damaged;
  if (!(in >> word) || word != "end") return damaged;
  return std::nullopt;
}

FolderLock::~FolderLock() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

std::optional<Error> FolderLock::Take(const std::string& folder) {
  const std::string path = folder + "/lock";
  descriptor_ = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (descriptor_ < 0) {
    const int error = errno;
    return Error{error == EACCES || error == EROFS || error == EPERM ? TEAL_DENIED : TEAL_UNAVAILABLE,
                 "cannot open " + path + ": " + std::strerror(error)};
  }
  if (::flock(descriptor_, LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) return Error{TEAL_UNAVAILABLE, "cannot lock " + path + ": " + std::strerror(errno)};
    char holder[256];
    const ssize_t size = ::pread(descriptor_, holder, sizeof holder, 0);
    std::string who(holder, size > 0 ? static_cast<std::size_t>(size) : 0);
    while (!who.empty() && who.back() == '\n') who.pop_back();
    if (who.empty()) who = "another process";
    if (who.starts_with("process " + std::to_string(::getpid()) + " ")) who += ", this very process,";
    return Error{TEAL_UNAVAILABLE,
                 who + " has the store in " + folder + " open; only one may: stop it, or use another path"};
  }
  char host[128] = "unknown";
  ::gethostname(host, sizeof host - 1);
  const std::string text = "process " + std::to_string(::getpid()) + " on " + host + "\n";
  if (::ftruncate(descriptor_, 0) != 0 ||
      ::pwrite(descriptor_, text.data(), text.size(), 0) != static_cast<ssize_t>(text.size())) {
    // The text is for a message of others; a full disk must not keep the store closed.
    return std::nullopt;
  }
  return std::nullopt;
}

std::optional<Error> MakeFolderIfMissing(Files& files, const std::string& folder) {
  const std::error_code error = files.MakeFolder(folder);
  if (!error || error == std::errc::file_exists) return std::nullopt;
  return Error{error == std::errc::permission_denied ? TEAL_DENIED : TEAL_UNAVAILABLE,
               "cannot make the folder " + folder + ": " + error.message()};
}

std::optional<Error> SyncName(Files& files, const std::string& folder) {
  const std::string parent = folder.substr(0, std::max<std::size_t>(folder.rfind('/'), 1));
  const std::error_code error = files.SyncFolder(parent);
  if (!error) return std::nullopt;
  return Error{TEAL_UNAVAILABLE, "cannot sync the folder " + parent + ": " + error.message()};
}

bool IsUnused(const std::string& folder) {
  DIR* const listing = ::opendir(folder.c_str());
  if (listing == nullptr) return false;
  bool unused = true;
  while (const dirent* const entry = ::readdir(listing)) {
    const std::string_view name = entry->d_name;
    unused = unused && (name == "." || name == ".." || name == "lock" || name == "making.new");
  }
  ::closedir(listing);
  return unused;
}

}  // namespace teal::local
