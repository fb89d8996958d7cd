// A memory under test: its calls with owned arguments and replies, each written into the journal.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/kit/call.h"
#include "core/kit/host.h"
#include "core/kit/instance.h"

namespace teal::kit {

// A key that owns its parts.
struct Key {
  std::string partition;
  std::string sort;
  friend bool operator==(const Key&, const Key&) = default;
  friend auto operator<=>(const Key&, const Key&) = default;
};
std::string Show(const Key& key);

// One operation of a commit, owned.
struct Op {
  uint32_t kind = TEAL_PUT;
  uint32_t condition = TEAL_IF_ANY;
  Key key;
  std::string value;
  teal_version expected{};
  uint64_t due = 0;
  uint64_t expires = 0;
};
Op Put(Key key, std::string value, uint64_t due = 0);
Op Create(Key key, std::string value, uint64_t due = 0);                                 // if absent
Op Replace(Key key, std::string value, const teal_version& expected, uint64_t due = 0);  // if of that version
Op Delete(Key key);                                                                      // whatever it is
Op DeleteIf(Key key, const teal_version& expected);
Op Check(Key key, const teal_version& expected);
Op CheckAbsent(Key key);
std::string Show(const Op& op);

// The calls of teal.memory/1 over an instance, which outlives it. Thread-safe.
class MemoryView {
 public:
  // Fails the test if `caps` gives no OK.
  explicit MemoryView(const Instance& instance);

  teal_instance* instance() const { return instance_; }
  const teal_memory& table() const;
  // In this kit's layout. The floor of the header where the plugin's struct is shorter.
  const teal_memory_caps& caps() const { return caps_; }
  bool Has(uint64_t feature) const { return (caps_.features & feature) != 0; }

  // Begin a call and give it; the others wait for its reply.
  Call& BeginCommit(const std::vector<Op>& ops, CallSpec spec = {}) const;
  Call& BeginGet(const std::vector<Key>& keys, CallSpec spec = {}) const;
  Call& BeginScan(std::string_view partition, std::string_view prefix, uint64_t limit, std::string_view cursor = {},
                  CallSpec spec = {}) const;
  Call& BeginScanDue(uint32_t shard, uint32_t shards, uint64_t until, uint64_t limit, std::string_view cursor = {},
                     CallSpec spec = {}) const;
  Call& BeginBlobOpen(std::string_view name) const;
  Call& BeginBlobWrite(uint64_t handle, std::string_view data) const;
  Call& BeginBlobCommit(uint64_t handle) const;
  Call& BeginBlobGet(std::string_view name, uint64_t offset, uint64_t size) const;
  Call& BeginBlobDelete(std::string_view name) const;

  const Reply& Commit(const std::vector<Op>& ops, CallSpec spec = {}) const { return BeginCommit(ops, spec).Wait(); }
  const Reply& Commit(const Op& op, CallSpec spec = {}) const { return Commit(std::vector<Op>{op}, spec); }
  const Reply& Get(const std::vector<Key>& keys) const { return BeginGet(keys).Wait(); }

  // What must succeed; else the test fails with the call and its answer.
  teal_version Must(const Op& op) const;
  std::vector<teal_version> MustAll(const std::vector<Op>& ops) const;
  std::optional<host::Record> MustGet(const Key& key) const;
  std::vector<host::Record> MustGetAll(const std::vector<Key>& keys) const;
  const Reply& MustScan(std::string_view partition, std::string_view prefix, uint64_t limit,
                        std::string_view cursor = {}) const;
  // All pages, one after the other.
  std::vector<host::Record> ScanAll(std::string_view partition, std::string_view prefix, uint64_t limit) const;
  // All pages of all shards; of what they give, only what lies in this test's space.
  std::vector<host::Record> DueAll(uint32_t shards, uint64_t until, uint64_t limit) const;
  void MustWriteBlob(const std::string& name, const std::vector<std::string>& pieces) const;

 private:
  teal_instance* instance_;
  teal_memory_caps caps_{};
};

// An instance of a plugin that offers teal.memory/1, with its calls.
class Memory : public Instance, public MemoryView {
 public:
  explicit Memory(Host& host) : Instance(host), MemoryView(static_cast<const Instance&>(*this)) {}
};

Key MakeKey(std::string_view partition, std::string_view sort);

}  // namespace teal::kit
