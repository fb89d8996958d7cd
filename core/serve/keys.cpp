#include "core/serve/keys.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <ctime>

#include "core/host/file.h"
#include "core/host/json.h"
#include "core/serve/text.h"

namespace teal::serve {
namespace {

constexpr char kPrefix[] = "teal_";
constexpr size_t kRandomBytes = 32;
constexpr uint64_t kLookNs = 1'000'000'000;

Result<std::string> NewKey() {
  unsigned char random[kRandomBytes];
  if (::getentropy(random, sizeof random) != 0) {
    return Fail(FailureCode::kUnavailable, "the system gives no random numbers: " + host::ErrnoText(errno));
  }
  std::string key = kPrefix;
  for (const unsigned char byte : random) {
    key.push_back("0123456789abcdef"[byte >> 4u]);
    key.push_back("0123456789abcdef"[byte & 15u]);
  }
  return key;
}

bool IsKeyText(std::string_view text) {
  return text.size() >= 32 && text.size() <= kKeyBytesMax &&
         std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c < 0x7f; });
}

std::string_view Trimmed(std::string_view text) {
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r' || text.back() == ' ')) text.remove_suffix(1);
  return text;
}

Failure CannotWrite(const std::string& path) {
  return Fail(FailureCode::kUnavailable, "cannot write " + path + ": " + host::ErrnoText(errno));
}

// Whoever comes second finds the first's.
Status MakeKeyFile(const std::string& path) {
  const Result<std::string> key = NewKey();
  if (!key) return key.failure();
  const std::string made = path + ".new." + std::to_string(::getpid());
  ::unlink(made.c_str());
  const host::UniqueFd file(::open(made.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!file) return CannotWrite(made);
  const std::string text = key.value() + "\n";
  const bool written = ::write(file.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size()) &&
                       ::fsync(file.get()) == 0 && (::link(made.c_str(), path.c_str()) == 0 || errno == EEXIST);
  const int error = errno;
  ::unlink(made.c_str());
  errno = error;
  if (!written) return CannotWrite(path);
  const host::UniqueFd folder(::open(host::FolderOf(path).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!folder || ::fsync(folder.get()) != 0) return CannotWrite(path);
  return Unit{};
}

std::optional<Sha256> DigestOf(std::string_view hex) {
  Sha256 digest{};
  if (hex.size() != 2 * digest.size()) return std::nullopt;
  for (size_t i = 0; i < hex.size(); ++i) {
    const size_t value = std::string_view("0123456789abcdef").find(hex[i]);
    if (value == std::string_view::npos) return std::nullopt;
    digest[i / 2] = static_cast<uint8_t>(digest[i / 2] << 4u | value);
  }
  return digest;
}

std::string_view BytesOf(const Sha256& digest) {
  return {reinterpret_cast<const char*>(digest.data()), digest.size()};
}

Status WriteKeys(const std::string& path, const std::vector<KeyEntry>& keys) {
  host::Json list = host::Json::array();
  for (const KeyEntry& key : keys) {
    list.push_back({{"name", key.name},
                    {"role", NameOf(key.role)},
                    {"sha256", Hex(key.digest)},
                    {"created", FormatTime(key.created_unix_ns)}});
  }
  return host::ReplaceFile(path, host::Json{{"keys", list}}.dump(1) + "\n");
}

// One process at a time changes the file.
Result<host::UniqueFd> LockOf(const std::string& path) {
  host::UniqueFd lock(::open((path + ".lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!lock || ::flock(lock.get(), LOCK_EX) != 0) return CannotWrite(path + ".lock");
  return lock;
}

uint64_t MonotonicNs() {
  return static_cast<uint64_t>(std::chrono::steady_clock::now().time_since_epoch().count());
}

}  // namespace

std::string_view NameOf(Role role) {
  switch (role) {
    case Role::kRead:
      return "read";
    case Role::kOperate:
      return "operate";
    case Role::kAdmin:
      return "admin";
  }
  return "read";
}

std::optional<Role> RoleOf(std::string_view name) {
  for (const Role role : {Role::kRead, Role::kOperate, Role::kAdmin}) {
    if (NameOf(role) == name) return role;
  }
  return std::nullopt;
}

Result<std::string> ReadOrMakeKey(const std::string& path) {
  if (::access(path.c_str(), F_OK) != 0 && errno == ENOENT) {
    if (const Status made = MakeKeyFile(path); !made) return made.failure();
  }
  struct stat status{};
  if (::stat(path.c_str(), &status) == 0 && (status.st_mode & 077u) != 0) {
    return Fail(FailureCode::kInvalid, path + " is open to other users: make it yours alone with chmod 600 " + path +
                                           ", or remove it and a new key is made");
  }
  const Result<std::string> text = host::ReadSmallFile(path, 4096);
  if (!text) return text.failure();
  const std::string key(Trimmed(text.value()));
  if (!IsKeyText(key)) {
    return Fail(FailureCode::kInvalid, path + " holds no key: remove it, and a new one is made at the next start");
  }
  return key;
}

Result<std::vector<KeyEntry>> ReadKeys(const std::string& path) {
  struct stat status{};
  if (::stat(path.c_str(), &status) != 0 && errno == ENOENT) return std::vector<KeyEntry>();
  if (const std::string why = host::WhyOpenToOthers(status, path); !why.empty()) {
    return Fail(FailureCode::kInvalid, why);
  }
  const Result<std::string> text = host::ReadSmallFile(path, kKeysFileBytesMax);
  if (!text) return text.failure();
  const Result<host::Json> json = host::ParseJson(text.value());
  const Failure damaged =
      Fail(FailureCode::kCorrupt, path + " is damaged: restore it, or remove it and make the keys again");
  if (!json || !json.value().is_object() || !json.value().contains("keys") || !json.value()["keys"].is_array()) {
    return damaged;
  }
  std::vector<KeyEntry> keys;
  for (const host::Json& entry : json.value()["keys"]) {
    const auto text_of = [&entry](const char* name) {
      return entry.is_object() && entry.contains(name) && entry[name].is_string() ? entry[name].get<std::string>() : "";
    };
    const std::optional<Role> role = RoleOf(text_of("role"));
    const std::optional<Sha256> digest = DigestOf(text_of("sha256"));
    if (!role || !digest || text_of("name").empty() || keys.size() >= kKeysMax) return damaged;
    keys.push_back({text_of("name"), *role, *digest, ParseTime(text_of("created")).value_or(0)});
  }
  return keys;
}

Result<std::string> AddKey(const std::string& path, const std::string& name, Role role) {
  const bool fits = !name.empty() && name.size() <= 64 && std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' ||
           c == '.';
  });
  if (!fits) {
    return Fail(FailureCode::kInvalid, "the name of a key has 1 to 64 letters, digits and -_. only");
  }
  const Result<host::UniqueFd> lock = LockOf(path);
  if (!lock) return lock.failure();
  Result<std::vector<KeyEntry>> keys = ReadKeys(path);
  if (!keys) return keys.failure();
  const bool taken = name == kOwnKeyName ||
                     std::any_of(keys->begin(), keys->end(), [&name](const KeyEntry& key) { return key.name == name; });
  if (taken)
    return Fail(FailureCode::kInvalid, "there is a key " + name + " already: revoke it first, or take another name");
  if (keys->size() >= kKeysMax) {
    return Fail(FailureCode::kTooLarge, "there are " + std::to_string(kKeysMax) + " keys: revoke one first");
  }
  Result<std::string> key = NewKey();
  if (!key) return key.failure();
  const uint64_t now = static_cast<uint64_t>(std::time(nullptr)) * 1'000'000'000;
  keys->push_back({name, role, Sha256Of(key.value()), now});
  if (const Status written = WriteKeys(path, *keys); !written) return written.failure();
  return key;
}

Status RevokeKey(const std::string& path, const std::string& name) {
  const Result<host::UniqueFd> lock = LockOf(path);
  if (!lock) return lock.failure();
  Result<std::vector<KeyEntry>> keys = ReadKeys(path);
  if (!keys) return keys.failure();
  if (std::erase_if(*keys, [&name](const KeyEntry& key) { return key.name == name; }) == 0) {
    return Fail(FailureCode::kNotFound, "there is no key " + name);
  }
  return WriteKeys(path, *keys);
}

KeyRing::KeyRing(const std::string& own_key, std::string keys_file)
    : own_{kOwnKeyName, Role::kAdmin, Sha256Of(own_key), 0}, tokens_(own_key), keys_file_(std::move(keys_file)) {}

Result<std::unique_ptr<KeyRing>> KeyRing::Open(std::string own_key, std::string keys_file) {
  Result<std::vector<KeyEntry>> keys = ReadKeys(keys_file);
  if (!keys) return keys.failure();
  std::unique_ptr<KeyRing> ring(new KeyRing(own_key, std::move(keys_file)));
  ring->stamp_ = ring->StampOf();
  ring->kept_ = std::make_shared<const std::vector<KeyEntry>>(std::move(*keys));
  ring->looked_ns_ = MonotonicNs();
  return ring;
}

KeyRing::Stamp KeyRing::StampOf() const {
  struct stat status{};
  if (::stat(keys_file_.c_str(), &status) != 0) return {};
  return {status.st_mtim.tv_sec, status.st_mtim.tv_nsec, static_cast<uint64_t>(status.st_size), status.st_ino};
}

// With mutex_. A file that cannot be read takes no key away and gives none: the one that was read stays in force.
void KeyRing::Refresh() {
  const uint64_t now = MonotonicNs();
  if (now - looked_ns_ < kLookNs) return;
  looked_ns_ = now;
  const Stamp stamp = StampOf();
  if (stamp == stamp_) return;
  Result<std::vector<KeyEntry>> keys = ReadKeys(keys_file_);
  if (!keys) return;
  stamp_ = stamp;
  kept_ = std::make_shared<const std::vector<KeyEntry>>(std::move(*keys));
}

std::optional<Principal> KeyRing::Find(std::string_view key) {
  if (key.empty() || key.size() > kKeyBytesMax) return std::nullopt;
  std::shared_ptr<const std::vector<KeyEntry>> kept;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    Refresh();
    kept = kept_;
  }
  const Sha256 digest = Sha256Of(key);
  const KeyEntry* found = EqualInConstantTime(BytesOf(digest), BytesOf(own_.digest)) ? &own_ : nullptr;
  for (const KeyEntry& entry : *kept) {
    if (EqualInConstantTime(BytesOf(digest), BytesOf(entry.digest))) found = &entry;
  }
  if (found == nullptr) return std::nullopt;
  return Principal{found->name, found->role};
}

}  // namespace teal::serve
