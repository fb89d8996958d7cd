#include "core/host/trust.h"

#include <fcntl.h>
#include <sys/file.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>

#include "core/host/file.h"
#include "core/host/json.h"

namespace teal::host {
namespace {

Failure Damaged(const std::string& path, const std::string& why) {
  return Fail(FailureCode::kCorrupt, path + ": " + why + "; put it right, or delete it and trust your plugins again");
}

std::string Render(const std::vector<Trusted>& entries) {
  nlohmann::ordered_json plugins = nlohmann::ordered_json::array();
  for (const Trusted& entry : entries) {
    plugins.push_back({{"sha256", entry.sha256}, {"id", entry.id}, {"path", entry.path}});
  }
  const nlohmann::ordered_json document = {{"trusted", 1}, {"plugins", plugins}};
  return document.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

bool TextOf(const Json& entry, const char* key, std::string* out) {
  const auto found = entry.find(key);
  if (found == entry.end() || !found->is_string()) return false;
  *out = found->get<std::string>();
  return true;
}

}  // namespace

Result<std::string> TrustStore::DefaultPath() {
  const char* const config = std::getenv("XDG_CONFIG_HOME");
  if (config != nullptr && config[0] == '/') return AbsolutePath(std::string(config) + "/teal/trusted.json");
  const std::string home = HomeFolder();
  if (home.empty()) {
    return Fail(FailureCode::kNotFound, "there is no home folder to keep trusted.json in; set HOME or XDG_CONFIG_HOME");
  }
  return AbsolutePath(home + "/.config/teal/trusted.json");
}

Result<TrustStore> TrustStore::Read(const std::string& path) {
  TrustStore store;
  store.path_ = path;
  for (const std::string& part : {FolderOf(path), path}) {
    struct stat status{};
    if (::stat(part.c_str(), &status) != 0) {
      if (errno == ENOENT || errno == ENOTDIR) return store;
      return Fail(FailureCode::kUnavailable, part + ": cannot be read: " + ErrnoText(errno));
    }
    const std::string why = WhyOpenToOthers(status, part);
    if (!why.empty()) return Fail(FailureCode::kInvalid, "what is trusted cannot be relied on: " + why);
  }
  const Result<std::string> text = ReadSmallFile(path, kTrustBytesMax);
  if (!text) return text.failure();
  const Result<Json> json = ParseJson(text.value());
  if (!json) return Damaged(path, "is not JSON: " + json.failure().message);
  const Json& root = json.value();
  if (!root.is_object() || root.value("trusted", Json()) != 1 || !root.value("plugins", Json()).is_array()) {
    return Damaged(path, "must hold {\"trusted\": 1, \"plugins\": […]}");
  }
  for (const Json& item : root["plugins"]) {
    Trusted entry;
    if (!item.is_object() || !TextOf(item, "sha256", &entry.sha256) || !TextOf(item, "id", &entry.id) ||
        !TextOf(item, "path", &entry.path)) {
      return Damaged(path, "an entry of \"plugins\" must have the strings \"sha256\", \"id\" and \"path\"");
    }
    store.entries_.push_back(std::move(entry));
  }
  return store;
}

template <typename Change>
Result<TrustStore> TrustStore::Update(const std::string& path, const Change& change) {
  // The folder is made with the file's first version; a lock needs it before.
  const std::string lock_path = path + ".lock";
  UniqueFd lock(::open(lock_path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!lock) {
    if (Status made = ReplaceFile(lock_path, ""); !made) return made.failure();
    lock = UniqueFd(::open(lock_path.c_str(), O_RDWR | O_CLOEXEC));
  }
  if (!lock || ::flock(lock.get(), LOCK_EX) != 0) {
    return Fail(FailureCode::kUnavailable, lock_path + ": cannot be locked: " + ErrnoText(errno));
  }
  Result<TrustStore> store = Read(path);
  if (!store) return store;
  if (Status changed = change(store->entries_); !changed) return changed.failure();
  if (Status written = ReplaceFile(path, Render(store->entries_)); !written) return written.failure();
  return store;
}

Result<TrustStore> TrustStore::Add(const std::string& path, const Trusted& trusted) {
  return Update(path, [&](std::vector<Trusted>& entries) -> Status {
    std::erase_if(entries, [&](const Trusted& entry) { return entry.sha256 == trusted.sha256; });
    if (entries.size() >= kTrustedMax) {
      return Fail(FailureCode::kTooLarge, path + ": holds " + std::to_string(kTrustedMax) +
                                              " entries already; drop some with: teal plugin trust --forget ID");
    }
    entries.push_back(trusted);
    return Unit{};
  });
}

Result<TrustStore> TrustStore::Remove(const std::string& path, const std::string& sha256_or_id) {
  return Update(path, [&](std::vector<Trusted>& entries) -> Status {
    const auto dropped = std::erase_if(
        entries, [&](const Trusted& entry) { return entry.sha256 == sha256_or_id || entry.id == sha256_or_id; });
    if (dropped == 0) {
      return Fail(FailureCode::kNotFound, "nothing of the id or hash \"" + sha256_or_id + "\" is trusted");
    }
    return Unit{};
  });
}

bool TrustStore::Contains(const std::string& sha256) const {
  return std::any_of(entries_.begin(), entries_.end(), [&](const Trusted& entry) { return entry.sha256 == sha256; });
}

}  // namespace teal::host
