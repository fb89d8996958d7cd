#include "triggers/s3/tree.hpp"

#include <fcntl.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <teal/abi.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <ctime>

#include "triggers/s3/bucket.hpp"
#include "triggers/s3/keys.hpp"

namespace teal::s3 {
namespace {

constexpr auto kLookForFolderEvery = std::chrono::milliseconds(1000);
constexpr auto kLookForLostEvery = std::chrono::milliseconds(200);
constexpr auto kUnclosedAfter = std::chrono::milliseconds(2000);
constexpr uint64_t kQuietNs =
    2'000'000'000;  // a file not changed for so long counts as whole where nobody can be asked
constexpr auto kScanUnwatchedEvery = std::chrono::milliseconds(5000);
constexpr int kReadsMax = 16;  // before others get their turn
constexpr std::size_t kToldMax = 1000;
constexpr uint32_t kMask = IN_CLOSE_WRITE | IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_DELETE_SELF |
                           IN_MOVE_SELF | IN_ONLYDIR | IN_EXCL_UNLINK;

bool ChangedLately(const Stamp& stamp) {
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  const uint64_t now_ns = static_cast<uint64_t>(now.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(now.tv_nsec);
  return stamp.changed_ns <= now_ns && now_ns - stamp.changed_ns < kQuietNs;
}

std::string NameIn(const std::string& path) {
  return path.substr(path.rfind('/') + 1);
}

}  // namespace

bool Tree::Begin(std::string* wrong) {
  root_ = OpenBucket(buckets_, bucket_, wrong);
  if (!root_.valid()) return false;
  inotify_ = Fd(::inotify_init1(IN_NONBLOCK | IN_CLOEXEC));
  if (!inotify_.valid()) {
    *wrong =
        "cannot watch the bucket's folder: " + ErrnoText(errno) + "; fs.inotify.max_user_instances may be too small";
    return false;
  }
  look_for_folder_ = Clock::now() + kLookForFolderEvery;
  Scan();
  return true;
}

void Tree::Scan() {
  rescan_ = false;
  if (!root_.valid()) return;
  for (Listener* const listener : listeners_) listener->ScanBegins();
  unwatched_ = false;
  AddFolder("", "");
  for (Listener* const listener : listeners_) listener->ScanEnds();
  scan_again_ = Clock::now() + kScanUnwatchedEvery;
}

bool Tree::IsThere(const std::string& key) const {
  return root_.valid() && FindObject(root_.get(), key).has_value();
}

void Tree::AddFolder(std::string path, std::string prefix) {
  std::vector<Folder> todo{{std::move(path), std::move(prefix)}};
  while (!todo.empty()) {
    const Folder folder = std::move(todo.back());
    todo.pop_back();
    LookInto(folder, &todo);
  }
}

void Tree::LookInto(const Folder& folder, std::vector<Folder>* below) {
  const std::string way = folder.path.empty() ? "." : folder.path;
  const Fd opened = OpenBeneath(root_.get(), way.c_str(), O_RDONLY | O_DIRECTORY);
  if (!opened.valid()) {
    if (errno != ENOENT && errno != ENOTDIR && errno != ELOOP)
      log_(TEAL_LOG_WARNING, "cannot read the folder " + way + " of the bucket " + bucket_ + ": " + ErrnoText(errno));
    return;
  }
  const std::string self = "/proc/self/fd/" + std::to_string(opened.get());
  const int watch = ::inotify_add_watch(inotify_.get(), self.c_str(), kMask);
  if (watch >= 0) {
    if (const auto before = folders_.find(watch); before != folders_.end()) watches_.erase(before->second.path);
    folders_[watch] = folder;
    watches_[folder.path] = watch;
  } else if (!unwatched_) {
    unwatched_ = true;
    log_(TEAL_LOG_ERROR, "cannot watch all folders of the bucket " + bucket_ + ": " + ErrnoText(errno) +
                             "; they are looked through every 5 s instead; raise fs.inotify.max_user_watches");
  }
  const bool read = ListFolder(opened.get(), [&](const std::string& name, bool is_folder) {
    if (is_folder) {
      below->push_back({folder.path + name + "/", KeyOfFolder(folder.prefix, name)});
      return;
    }
    const Fd file = OpenBeneath(opened.get(), name.c_str(), O_PATH | O_NOFOLLOW);
    const auto stamp = file.valid() ? StampOf(file.get()) : std::nullopt;
    if (!stamp) return;
    const std::string key = KeyOfFile(folder.prefix, name);
    bool news = false;
    for (Listener* const listener : listeners_) news |= listener->Found(key, *stamp);
    if (news) LookAt(folder.path + name, folder.prefix, false);
  });
  if (!read && errno != ENOENT)
    log_(TEAL_LOG_WARNING, "cannot list the folder " + way + " of the bucket " + bucket_ + ": " + ErrnoText(errno));
}

void Tree::LookAt(const std::string& path, const std::string& prefix, bool closed) {
  Fd file = OpenBeneath(root_.get(), path.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
  const Writing writing = file.valid() ? IsBeingWritten(file.get()) : Writing::kUnknown;
  // One that may not be read can still be named.
  if (!file.valid()) file = OpenBeneath(root_.get(), path.c_str(), O_PATH | O_NOFOLLOW);
  const auto stamp = file.valid() ? StampOf(file.get()) : std::nullopt;
  if (!stamp) {
    unclosed_.erase(path);
    return;
  }
  if (writing == Writing::kYes || (writing == Writing::kUnknown && !closed && ChangedLately(*stamp))) {
    unclosed_[path] = {prefix, Clock::now() + kUnclosedAfter};
    return;
  }
  unclosed_.erase(path);
  TellWritten(KeyOfFile(prefix, NameIn(path)), *stamp);
}

void Tree::TellWritten(const std::string& key, const Stamp& stamp) {
  if (const auto wrong = WrongKey(key)) {
    if (told_.size() < kToldMax && told_.insert(key).second)
      log_(TEAL_LOG_WARNING, "a file of the bucket " + bucket_ + " is no object: " + *wrong);
    return;
  }
  for (Listener* const listener : listeners_) listener->Written(key, stamp);
}

void Tree::DropFolder(const std::string& path) {
  for (auto at = watches_.lower_bound(path); at != watches_.end() && at->first.starts_with(path);) {
    ::inotify_rm_watch(inotify_.get(), at->second);
    folders_.erase(at->second);
    at = watches_.erase(at);
  }
  for (auto at = unclosed_.lower_bound(path); at != unclosed_.end() && at->first.starts_with(path);) {
    at = unclosed_.erase(at);
  }
}

void Tree::Read() {
  alignas(inotify_event) std::array<char, 64 << 10> buffer;
  for (int reads = 0; reads < kReadsMax && inotify_.valid(); ++reads) {
    const ssize_t size = ::read(inotify_.get(), buffer.data(), buffer.size());
    if (size <= 0) break;
    for (std::size_t at = 0; at < static_cast<std::size_t>(size);) {
      inotify_event event{};
      std::memcpy(&event, buffer.data() + at, sizeof event);
      const char* const name = event.len > 0 ? buffer.data() + at + sizeof event : "";
      at += sizeof event + event.len;
      if ((event.mask & IN_Q_OVERFLOW) != 0) {
        rescan_ = true;
        continue;
      }
      const auto found = folders_.find(event.wd);
      if (found == folders_.end()) continue;  // of a folder that was moved; what is in it was or will be looked at
      const Folder folder = found->second;
      if ((event.mask & (IN_DELETE_SELF | IN_MOVE_SELF | IN_UNMOUNT)) != 0 && folder.path.empty())
        return Lose("was moved or removed");
      if ((event.mask & IN_IGNORED) != 0) {
        watches_.erase(folder.path);
        folders_.erase(event.wd);
        continue;
      }
      if (*name != '\0') OnEvent(event.mask, folder, name);
    }
  }
  if (rescan_) {
    log_(TEAL_LOG_INFO,
         "more happened in the bucket " + bucket_ + " at once than the system keeps: looking through all of it");
    Scan();
  }
}

void Tree::OnEvent(uint32_t mask, const Folder& folder, const std::string& name) {
  const std::string path = folder.path + name;
  if ((mask & IN_ISDIR) != 0) {
    const std::string prefix = KeyOfFolder(folder.prefix, name);
    if ((mask & (IN_CREATE | IN_MOVED_TO)) != 0) return AddFolder(path + "/", prefix);
    if ((mask & (IN_DELETE | IN_MOVED_FROM)) == 0) return;
    DropFolder(path + "/");
    for (Listener* const listener : listeners_) listener->GoneBelow(prefix);
    return;
  }
  if ((mask & IN_CLOSE_WRITE) != 0) return LookAt(path, folder.prefix, true);
  if ((mask & IN_CREATE) != 0) {
    // Its close follows; but not for a link, which is whole at once.
    unclosed_[path] = {folder.prefix, Clock::now() + kUnclosedAfter};
    return;
  }
  unclosed_.erase(path);
  const std::string key = KeyOfFile(folder.prefix, name);
  if ((mask & IN_MOVED_TO) != 0) {
    const Fd file = OpenBeneath(root_.get(), path.c_str(), O_PATH | O_NOFOLLOW);
    if (const auto stamp = file.valid() ? StampOf(file.get()) : std::nullopt) TellWritten(key, *stamp);
  } else if ((mask & (IN_DELETE | IN_MOVED_FROM)) != 0) {
    for (Listener* const listener : listeners_) listener->Gone(key);
  }
}

void Tree::Lose(const char* how) {
  root_.Reset();
  inotify_.Reset();
  folders_.clear();
  watches_.clear();
  unclosed_.clear();
  look_for_folder_ = Clock::now();
  log_(TEAL_LOG_WARNING,
       "the folder of the bucket " + bucket_ + " " + how + "; what it held is taken as it is when it is back");
}

void Tree::LookForFolder(Clock::time_point now) {
  look_for_folder_ = now + (root_.valid() ? kLookForFolderEvery : kLookForLostEvery);
  const std::string path = buckets_ + "/" + bucket_;
  struct stat there{};
  struct stat ours{};
  const bool is_there = ::lstat(path.c_str(), &there) == 0 && S_ISDIR(there.st_mode);
  if (root_.valid()) {
    const bool same =
        is_there && ::fstat(root_.get(), &ours) == 0 && there.st_ino == ours.st_ino && there.st_dev == ours.st_dev;
    if (!same) Lose("is another or none");
    return;
  }
  if (!is_there) return;
  std::string wrong;
  if (Begin(&wrong)) {
    log_(TEAL_LOG_INFO, "the folder of the bucket " + bucket_ + " is back");
  } else {
    root_.Reset();
  }
}

void Tree::LookAtUnclosed(Clock::time_point now) {
  std::vector<std::pair<std::string, std::string>> due;
  for (const auto& [path, unclosed] : unclosed_) {
    if (unclosed.look_at <= now) due.emplace_back(path, unclosed.prefix);
  }
  for (const auto& [path, prefix] : due) LookAt(path, prefix, false);
}

void Tree::Tick(Clock::time_point now) {
  if (now >= look_for_folder_) LookForFolder(now);
  if (!root_.valid()) return;
  LookAtUnclosed(now);
  if (unwatched_ && now >= scan_again_) Scan();
}

Tree::Clock::time_point Tree::NextTick() const {
  Clock::time_point next = look_for_folder_;
  if (unwatched_) next = std::min(next, scan_again_);
  if (!unclosed_.empty()) next = std::min(next, Clock::now() + kUnclosedAfter / 4);
  return next;
}

}  // namespace teal::s3
