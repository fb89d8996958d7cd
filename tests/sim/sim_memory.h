// A memory of the simulator: records with versions in one map, behind a "teal.memory/1" table for each host. What
// happens to a call is decided from outside when it begins: its fate. It holds both sides to the border: a call from
// inside a callback, an open call when a connection goes, or a fate that cannot be ends the process with words.
//
// Everything runs on the thread of the loop. Not synchronised.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "teal/abi.h"
#include "tests/sim/loop.h"

namespace teal::sim {

enum class CallKind : uint8_t { kCommit, kGet, kScan, kScanDue };

// Of one call. As it is made: it lands, then its true result comes.
struct Fate {
  uint64_t lands_after_ns = 20'000;    // from the beginning to when it is applied, or looked at
  uint64_t replies_after_ns = 50'000;  // from the beginning to the callback; with a true result not before it lands
  bool at_once = false;                // both happen before the function returns
  bool lands = true;                   // false with a commit: it is never applied. Needs a code
  teal_status refused = TEAL_OK;       // what the function returns; else than OK: nothing more happens
  teal_status code = TEAL_OK;          // what is replied instead of the true result
  uint32_t outcome = TEAL_NOT_APPLIED;
  uint64_t retry_after_ns = 0;
  bool touched = false;       // somebody writes the first record once more, as it is, just before a commit lands
  bool own_conflict = false;  // a commit is applied, and answered as if it had met its own first put (against ERR-3)
  uint64_t stale_ns = 0;      // how old is what a scan gives
};

// What the one who decides may know of a call.
struct CallFacts {
  CallKind kind = CallKind::kCommit;
  std::string_view partition;  // of its first key; of scan_due: empty
  uint32_t shard = 0;          // of scan_due
  bool grows = false;          // a commit with a put
};

struct SimCaps {
  uint64_t key_bytes_max = 512;
  uint64_t value_bytes_max = 65'536;
  uint64_t commit_ops_max = 100;
  uint64_t commit_bytes_max = 1 << 20;
  uint64_t get_keys_max = 100;
  uint64_t scan_records_max = 1'000;
  bool shared = false;  // says that several hosts may have it open, as they may in any case
};

class SimMemory;

// What one host has open. A teal_instance is one of these.
class SimConnection {
 public:
  using Decide = std::function<Fate(const CallFacts&)>;
  SimConnection(SimMemory& memory, Decide decide);
  // Precondition: no call is open.
  ~SimConnection();
  SimConnection(const SimConnection&) = delete;
  SimConnection& operator=(const SimConnection&) = delete;

  static const teal_memory* Table();
  teal_instance* instance() { return reinterpret_cast<teal_instance*>(this); }

  // The host has died: nothing more is replied, and calls get no answer. Commits in the air for which `lands` says so
  // land at their time, the others never.
  void Cut(const std::function<bool()>& lands);
  // Ends every open call with TEAL_CLOSED, and each that still begins. For the end of the simulation.
  void Close();
  size_t open_calls() const { return open_.size(); }

 private:
  friend struct SimTable;
  struct Open;
  friend class SimMemory;
  teal_status Begin(std::shared_ptr<Open> call, const CallFacts& facts);
  void Reply(Open& call);
  void Answer(Open& call, const teal_error* error, const void* result);

  SimMemory& memory_;
  const Decide decide_;
  std::map<uint64_t, std::shared_ptr<Open>> open_;  // by the order in which they began
  uint64_t begun_ = 0;
  const std::shared_ptr<char> alive_ = std::make_shared<char>();  // what the loop still holds looks whether it is
  bool in_sink_ = false;
  bool cut_ = false;
  bool closed_ = false;
};

// The records. Outlives its connections and what they left in the loop.
class SimMemory {
 public:
  using Key = std::pair<std::string, std::string>;
  struct Record {
    std::string value;
    teal_version version{};
    uint64_t due_unix_ns = 0;
    uint64_t expires_unix_ns = 0;
  };

  // `history_ns`: how far back a scan may look.
  SimMemory(SimLoop& loop, SimCaps caps, uint64_t history_ns = 60'000'000'000)
      : loop_(loop), caps_(caps), history_ns_(history_ns) {}

  SimLoop& loop() { return loop_; }
  const SimCaps& caps() const { return caps_; }

  // As somebody else would, now.
  const Record* Find(const Key& key) const;
  void Put(const Key& key, std::string value, uint64_t due_unix_ns = 0);
  void Delete(const Key& key);
  void Touch(const Key& key);  // the same under a new version; an absent one stays absent
  // All there is, in order, for checks at the end.
  std::vector<std::pair<Key, Record>> All() const;
  uint64_t writes() const { return written_; }
  // Called with every change, after it; null: absent.
  using Watch = std::function<void(const Key&, const Record* before, const Record* after)>;
  void SetWatch(Watch watch) { watch_ = std::move(watch); }

 private:
  friend class SimConnection;
  friend struct SimTable;
  struct Version {
    int64_t since_unix_ns = 0;
    std::optional<Record> record;  // none: it was deleted
  };
  struct Verdict {
    std::optional<uint32_t> failed;
    std::vector<teal_version> versions;
  };

  void Land(SimConnection::Open& call);
  void LandCommit(SimConnection::Open& call);
  void LandScan(SimConnection::Open& call);
  Verdict Apply(const std::vector<teal_op>& ops);
  void Set(const Key& key, std::optional<Record> record);
  const Record* FindAsOf(const std::vector<Version>& versions, int64_t unix_ns) const;
  teal_version NextVersion();

  SimLoop& loop_;
  const SimCaps caps_;
  const uint64_t history_ns_;
  std::map<Key, std::vector<Version>> records_;  // oldest first; the last is what is
  uint64_t written_ = 0;
  Watch watch_;
};

}  // namespace teal::sim
