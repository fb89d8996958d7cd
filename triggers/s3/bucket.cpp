#include "triggers/s3/bucket.hpp"

#include <fcntl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <vector>

#include "triggers/s3/keys.hpp"

namespace teal::s3 {
namespace {

constexpr char kAside[] = ".incoming";  // beside the buckets; no bucket's name begins with a dot
constexpr unsigned kNoReplace = 1;      // RENAME_NOREPLACE of renameat2

std::string Random() {
  Digest bytes{};
  while (::getrandom(bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size())) {
  }
  return HexOf(bytes);
}

bool IsFolder(int folder, const std::string& name) {
  struct stat about{};
  return ::fstatat(folder, name.c_str(), &about, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(about.st_mode);
}

// The folder an object's file is to lie in, made where it is not; *path becomes the way to it, "" or ending in a slash.
Fd MakeFolders(int bucket, const std::vector<std::string>& names, std::string* path) {
  Fd folder = OpenBeneath(bucket, ".", O_RDONLY | O_DIRECTORY);
  for (std::size_t at = 0; at + 1 < names.size() && folder.valid(); ++at) {
    std::string name = names[at];
    if (::mkdirat(folder.get(), name.c_str(), 0777) != 0 && errno != EEXIST) return Fd();
    Fd next = OpenBeneath(folder.get(), name.c_str(), O_RDONLY | O_DIRECTORY);
    if (!next.valid() && errno == ENOTDIR) {  // an object has the name
      name += "%";
      if (::mkdirat(folder.get(), name.c_str(), 0777) != 0 && errno != EEXIST) return Fd();
      next = OpenBeneath(folder.get(), name.c_str(), O_RDONLY | O_DIRECTORY);
    }
    folder = std::move(next);
    *path += name + "/";
  }
  return folder;
}

std::optional<std::string> Find(int folder, const std::vector<std::string>& names,
                                const std::vector<std::string>& plain, std::size_t at) {
  const bool last = at + 1 == names.size();
  std::vector<std::string> ways{names[at]};
  if (!last) ways.push_back(names[at] + "%");
  if (names.size() == plain.size() && plain[at] != names[at]) ways.push_back(plain[at]);
  for (const std::string& way : ways) {
    if (way.empty() || way == "." || way == ".." || way.size() > 255) continue;
    const Fd found = OpenBeneath(folder, way.c_str(), last ? O_PATH | O_NOFOLLOW : O_PATH | O_DIRECTORY);
    if (!found.valid()) continue;
    if (last) {
      if (StampOf(found.get())) return way;
    } else if (auto rest = Find(found.get(), names, plain, at + 1)) {
      return way + "/" + *rest;
    }
  }
  return std::nullopt;
}

}  // namespace

std::string_view BucketName(std::string_view bucket) {
  constexpr std::string_view kLocal = "local://";
  return bucket.starts_with(kLocal) ? bucket.substr(kLocal.size()) : bucket;
}

Fd OpenBucket(const std::string& buckets, const std::string& bucket, std::string* wrong) {
  if (const auto bad = WrongBucket(bucket)) {
    *wrong = *bad;
    return Fd();
  }
  std::error_code error;
  std::filesystem::create_directories(buckets, error);
  if (error) {
    *wrong = "cannot make the folder of buckets " + buckets + ": " + error.message();
    return Fd();
  }
  const Fd base(::open(buckets.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (base.valid() && (::mkdirat(base.get(), bucket.c_str(), 0777) == 0 || errno == EEXIST)) {
    Fd opened = OpenBeneath(base.get(), bucket.c_str(), O_RDONLY | O_DIRECTORY);
    if (opened.valid()) return opened;
  }
  const int failed = errno;
  *wrong = "cannot open the bucket's folder " + buckets + "/" + bucket + ": " + ErrnoText(failed);
  if (failed == ELOOP) *wrong += "; a bucket is a folder, not a symbolic link to one";
  if (failed == ENOSYS) *wrong += "; this needs openat2, of Linux 5.6";
  return Fd();
}

std::optional<std::string> PutObject(const std::string& buckets, const std::string& bucket, std::string_view key,
                                     const std::function<std::optional<std::string>(int fd)>& write,
                                     std::string* wrong) {
  if (const auto bad = WrongKey(key)) {
    *wrong = *bad;
    return std::nullopt;
  }
  const Fd root = OpenBucket(buckets, bucket, wrong);
  if (!root.valid()) return std::nullopt;
  const std::string aside = buckets + "/" + kAside;
  const std::string partial = aside + "/" + Random();
  if (::mkdir(aside.c_str(), 0777) != 0 && errno != EEXIST) {
    *wrong = "cannot make the folder " + aside + ": " + ErrnoText(errno);
    return std::nullopt;
  }
  Fd file(::open(partial.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666));
  std::optional<std::string> failed;
  if (!file.valid()) {
    failed = "cannot make " + partial + ": " + ErrnoText(errno);
  } else {
    failed = write(file.get());
    if (!failed && ::fsync(file.get()) != 0) failed = "cannot write " + partial + ": " + ErrnoText(errno);
    file.Reset();
  }
  const std::vector<std::string> names = PathOfKey(key);
  std::string path;
  if (!failed) {
    const Fd folder = MakeFolders(root.get(), names, &path);
    const std::string& name = names.back();
    // A folder of the object's own name makes way: what lies in it keeps its keys under NAME%.
    if (folder.valid() && IsFolder(folder.get(), name))
      ::renameat2(folder.get(), name.c_str(), folder.get(), (name + "%").c_str(), kNoReplace);
    if (!folder.valid() || ::renameat(AT_FDCWD, partial.c_str(), folder.get(), name.c_str()) != 0)
      failed =
          "cannot put the object \"" + std::string(key) + "\" into " + buckets + "/" + bucket + ": " + ErrnoText(errno);
    path += name;
  }
  if (!failed) return path;
  ::unlink(partial.c_str());
  *wrong = *failed;
  return std::nullopt;
}

std::optional<std::string> FindObject(int bucket, std::string_view key) {
  if (WrongKey(key)) return std::nullopt;
  std::vector<std::string> plain;  // names that stand for themselves, put there by hand
  for (std::size_t at = 0; at <= key.size();) {
    const std::size_t end = std::min(key.find('/', at), key.size());
    plain.emplace_back(key.substr(at, end - at));
    at = end + 1;
  }
  return Find(bucket, PathOfKey(key), plain, 0);
}

bool TouchObject(int bucket, const std::string& path) {
  const Fd file = OpenBeneath(bucket, path.c_str(), O_WRONLY | O_NOFOLLOW | O_NONBLOCK);
  return file.valid() && ::futimens(file.get(), nullptr) == 0;
}

bool RemoveObject(int bucket, const std::string& path) {
  const std::size_t slash = path.rfind('/');
  const std::string folder = slash == std::string::npos ? "." : path.substr(0, slash);
  const Fd opened = OpenBeneath(bucket, folder.c_str(), O_PATH | O_DIRECTORY);
  return opened.valid() && ::unlinkat(opened.get(), path.substr(slash + 1).c_str(), 0) == 0;
}

}  // namespace teal::s3
