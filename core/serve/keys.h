// Who may ask: named keys, each with a role. The host's own key stands in a file that its owner alone can read, where
// the command finds it; all others are kept as their SHA-256 only.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.h"
#include "core/base/sha256.h"
#include "core/serve/session_token.h"

namespace teal::serve {

// What one may do, the later includes the earlier: read asks; operate starts, sends, cancels, pauses; admin changes
// programs and makes backups.
enum class Role : uint8_t { kRead, kOperate, kAdmin };
std::string_view NameOf(Role role);
std::optional<Role> RoleOf(std::string_view name);

struct Principal {
  std::string name;
  Role role = Role::kRead;
  bool by_token = false;  // it has no key, and may read status and result of the session in its route
};

struct KeyEntry {
  std::string name;
  Role role = Role::kRead;
  Sha256 digest{};
  uint64_t created_unix_ns = 0;
};

inline constexpr size_t kKeyBytesMax = 200;  // as it is presented
inline constexpr size_t kKeysMax = 1000;
inline constexpr size_t kKeysFileBytesMax = 1 << 20;
inline constexpr char kOwnKeyName[] = "local";  // of the key in the key file; an admin's

// The key in `path`; made with 256 random bits if there is no such file, by one of several who try at once. The folder
// must be there. kInvalid: others can read it, or it holds no key.
Result<std::string> ReadOrMakeKey(const std::string& path);

// The keys that are kept in `path`; no file: none. A file that is damaged or that others can write is a Failure.
Result<std::vector<KeyEntry>> ReadKeys(const std::string& path);
// Makes a key, keeps its hash and gives the key itself, which nobody can read again. kInvalid: the name is taken, empty
// or has other characters than letters, digits and -_.
Result<std::string> AddKey(const std::string& path, const std::string& name, Role role);
// kNotFound: there is no key of that name.
Status RevokeKey(const std::string& path, const std::string& name);

// Thread-safe.
class KeyRing {
 public:
  // own_key: of the key file. keys_file is read again, at most once a second, when it has changed.
  static Result<std::unique_ptr<KeyRing>> Open(std::string own_key, std::string keys_file);

  // Whose key it is; nullopt: nobody's. Takes the same time for any key of a length.
  std::optional<Principal> Find(std::string_view key);
  // Of the host's own key.
  const SessionTokens& tokens() const { return tokens_; }

 private:
  KeyRing(const std::string& own_key, std::string keys_file);
  // Of the file: whether it is another than the one that was read.
  struct Stamp {
    int64_t seconds = 0, nanoseconds = 0;
    uint64_t size = 0, inode = 0;
    bool operator==(const Stamp&) const = default;
  };
  Stamp StampOf() const;
  void Refresh();

  const KeyEntry own_;
  const SessionTokens tokens_;
  const std::string keys_file_;
  std::mutex mutex_;
  // Guarded by mutex_.
  std::shared_ptr<const std::vector<KeyEntry>> kept_;
  Stamp stamp_;
  uint64_t looked_ns_ = 0;
};

}  // namespace teal::serve
