#include "core/host/state.h"

#include <algorithm>
#include <cstring>
#include <map>
#include <mutex>
#include <optional>
#include <random>
#include <vector>

#include "core/host/call.h"
#include "core/host/services.h"

namespace teal::host {
namespace {

bool IsZero(const teal_version& version) {
  static constexpr teal_version kZero{};
  return std::memcmp(&version, &kZero, sizeof version) == 0;
}

class StateInMemory : public StateStore {
 public:
  StateInMemory() {
    // Stores made one after the other give other versions.
    std::random_device random;
    for (uint32_t i = 0; i < 16; i += 4) {
      const uint32_t word = random();
      std::memcpy(seed_ + i, &word, sizeof word);
    }
  }

  teal_status Get(const std::string& plugin, const teal_call* call, teal_bytes scope, teal_bytes name) override {
    std::optional<Record> record;
    {
      const std::lock_guard lock(mutex_);
      const auto& records = scopes_[ScopeKey(plugin, scope)];
      const auto found = records.find(std::string(ViewOf(name)));
      if (found != records.end()) record = found->second;
    }
    if (!record) {
      EndWith(call, TEAL_NOT_FOUND, "there is no such state");
      return TEAL_OK;
    }
    const teal_record out = {{scope, name}, BytesOf(record->value), record->version, record->due_unix_ns, 0};
    End(call, &out);
    return TEAL_OK;
  }

  teal_status Put(const std::string& plugin, const teal_call* call, teal_bytes scope, teal_bytes name, teal_bytes value,
                  const teal_version* expected, uint64_t due_unix_ns) override {
    std::optional<teal_version> written;
    {
      const std::lock_guard lock(mutex_);
      auto& records = scopes_[ScopeKey(plugin, scope)];
      const auto found = records.find(std::string(ViewOf(name)));
      if (Holds(records, found, expected)) {
        written = NextVersion();
        records[std::string(ViewOf(name))] = {std::string(ViewOf(value)), *written, due_unix_ns};
      }
    }
    if (written) {
      End(call, &*written);
    } else {
      EndWith(call, TEAL_CONFLICT, "the state was changed by somebody else");
    }
    return TEAL_OK;
  }

  teal_status Remove(const std::string& plugin, const teal_call* call, teal_bytes scope, teal_bytes name,
                     const teal_version* expected) override {
    bool removed = false;
    {
      const std::lock_guard lock(mutex_);
      auto& records = scopes_[ScopeKey(plugin, scope)];
      const auto found = records.find(std::string(ViewOf(name)));
      removed = Holds(records, found, expected);
      if (removed && found != records.end()) records.erase(found);
    }
    if (removed) {
      End(call, nullptr);
    } else {
      EndWith(call, TEAL_CONFLICT, "the state was changed by somebody else");
    }
    return TEAL_OK;
  }

  teal_status Due(const std::string& plugin, const teal_call* call, teal_bytes scope, uint64_t until_unix_ns,
                  uint64_t limit) override {
    std::vector<std::pair<uint64_t, std::string>> due;
    {
      const std::lock_guard lock(mutex_);
      for (const auto& [name, record] : scopes_[ScopeKey(plugin, scope)]) {
        if (record.due_unix_ns != 0 && record.due_unix_ns <= until_unix_ns) due.emplace_back(record.due_unix_ns, name);
      }
    }
    std::sort(due.begin(), due.end());
    teal_page page{};
    page.struct_size = sizeof page;
    page.more = due.size() > limit ? 1 : 0;
    due.resize(std::min<size_t>(due.size(), limit));
    std::vector<teal_record> records;
    for (const auto& [at, name] : due) records.push_back({{scope, BytesOf(name)}, {}, {}, at, 0});
    page.count = records.size();
    page.records = records.data();
    End(call, &page);
    return TEAL_OK;
  }

 private:
  struct Record {
    std::string value;
    teal_version version{};
    uint64_t due_unix_ns = 0;
  };
  using Records = std::map<std::string, Record>;

  static std::pair<std::string, std::string> ScopeKey(const std::string& plugin, teal_bytes scope) {
    return {plugin, std::string(ViewOf(scope))};
  }
  static bool Holds(const Records& records, Records::const_iterator found, const teal_version* expected) {
    if (expected == nullptr) return true;
    if (IsZero(*expected)) return found == records.end();
    return found != records.end() && std::memcmp(&found->second.version, expected, sizeof *expected) == 0;
  }
  teal_version NextVersion() {
    teal_version version{};
    ++counter_;
    std::memcpy(version.opaque, seed_, sizeof seed_);
    std::memcpy(version.opaque + sizeof seed_, &counter_, sizeof counter_);
    return version;
  }

  uint8_t seed_[16] = {};
  std::mutex mutex_;
  // Guarded by mutex_.
  uint64_t counter_ = 0;
  std::map<std::pair<std::string, std::string>, Records> scopes_;
};

// The rules every store has in common; false: `done` was called.
bool Fits(const teal_call* call, teal_bytes scope, const teal_bytes* name) {
  if (scope.size == 0 || scope.size > kStateScopeBytesMax) {
    EndWith(call, TEAL_INVALID, "a scope is 1 to 256 bytes");
    return false;
  }
  if (name != nullptr && (name->size == 0 || name->size > kStateNameBytesMax)) {
    EndWith(call, TEAL_INVALID, "a name is 1 to 512 bytes");
    return false;
  }
  return true;
}

teal_status TEAL_CALL TableGet(const teal_host* host, const teal_call* call, teal_bytes scope, teal_bytes name) {
  const HostContext& context = ContextOf(host);
  return Fits(call, scope, &name) ? context.services->state()->Get(context.plugin_id, call, scope, name) : TEAL_OK;
}

teal_status TEAL_CALL TablePut(const teal_host* host, const teal_call* call, teal_bytes scope, teal_bytes name,
                               teal_bytes value, const teal_version* expected, uint64_t due_unix_ns) {
  const HostContext& context = ContextOf(host);
  if (!Fits(call, scope, &name)) return TEAL_OK;
  if (value.size > kStateValueBytesMax) {
    EndWith(call, TEAL_TOO_LARGE, "a value of state is at most 64 KiB");
    return TEAL_OK;
  }
  return context.services->state()->Put(context.plugin_id, call, scope, name, value, expected, due_unix_ns);
}

teal_status TEAL_CALL TableRemove(const teal_host* host, const teal_call* call, teal_bytes scope, teal_bytes name,
                                  const teal_version* expected) {
  const HostContext& context = ContextOf(host);
  return Fits(call, scope, &name) ? context.services->state()->Remove(context.plugin_id, call, scope, name, expected)
                                  : TEAL_OK;
}

teal_status TEAL_CALL TableDue(const teal_host* host, const teal_call* call, teal_bytes scope, uint64_t until_unix_ns,
                               uint64_t limit) {
  const HostContext& context = ContextOf(host);
  if (!Fits(call, scope, nullptr)) return TEAL_OK;
  if (limit == 0) return TEAL_INVALID;
  return context.services->state()->Due(context.plugin_id, call, scope, until_unix_ns,
                                        std::min<uint64_t>(limit, kStateDueMax));
}

}  // namespace

std::shared_ptr<StateStore> MakeStateInMemory() {
  return std::make_shared<StateInMemory>();
}

const teal_state* StateTable() {
  static const teal_state table = {sizeof(teal_state), 0, TableGet, TablePut, TableRemove, TableDue};
  return &table;
}

}  // namespace teal::host
