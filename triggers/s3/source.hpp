// One started trigger over a bucket's folder: what it has yet to tell, what it told and what was accepted.
//
// For one key one event is on its way at a time; what happens to the key meanwhile is looked at when that one is
// accepted. So a removal is told of a version whose creation was accepted, and its id is the same after any crash. What
// was overwritten or removed before its turn came is not told. Used on the loop's thread.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <teal/plugin.hpp>
#include <unordered_map>
#include <vector>

#include "triggers/s3/ledger.hpp"
#include "triggers/s3/object.hpp"
#include "triggers/s3/rule.hpp"
#include "triggers/s3/state.hpp"
#include "triggers/s3/tree.hpp"

namespace teal::s3 {

class Source final : public Listener, public std::enable_shared_from_this<Source> {
 public:
  struct Emitter {
    teal_emit_fn emit = nullptr;
    void* ctx = nullptr;
    uint64_t* last_token = nullptr;         // shared by the sources of an instance
    std::function<uint64_t()> now_unix_ns;  // of the host
  };

  Source(std::string id, Rule rule, Emitter emitter, State* state);

  const std::string& id() const { return id_; }
  const Rule& rule() const { return rule_; }
  bool loading() const { return loaded_ != nullptr; }
  bool stopped() const { return stopped_; }

  // Reads what was accepted; then `loaded` is called, unless the source was ended. Then it is to be put to a tree.
  void Load(std::function<void(std::optional<plugin::Error>)> loaded);
  void SetTree(const Tree* tree) { tree_ = tree; }

  void AddCredit(uint64_t count);
  // False: no such token is with the host.
  bool Accept(uint64_t token, plugin::Done& done);
  bool Reject(uint64_t token, uint64_t delay_ns);
  // Emits what may be emitted now.
  void Pump();
  // When to pump again, by the host's clock; 0: when something happens.
  uint64_t NextDue() const;

  // Nothing is emitted any more; `ended` is called when no write of ours is under way.
  void Stop(std::function<void()> ended);
  // Of a close: calls that wait end with TEAL_CLOSED.
  void Abandon();

  void ScanBegins() override { ++scan_; }
  void ScanEnds() override;
  bool Found(const std::string& key, const Stamp& stamp) override;
  void Written(const std::string& key, const Stamp& stamp) override;
  void Gone(const std::string& key) override;
  void GoneBelow(const std::string& prefix) override;

 private:
  enum class Step { kQueued, kWithHost, kDelayed, kSaving };
  struct Event {
    Digest object{};
    bool created = true;
    Digest stamp{};  // of the version written or removed
    std::string key;
    uint64_t size = 0, changed_ns = 0;
    Step step = Step::kQueued;
    uint64_t token = 0;
    uint64_t again_unix_ns = 0;
    uint64_t time_unix_ns = 0;
    ObjectEvent told;  // made when it is first emitted, and the same ever after
    std::string data;
    plugin::Done accept;
  };
  // An object of which something is to be told, or was told and not accepted.
  struct Motion {
    std::string key;
    std::optional<Stamp> latest;  // as last seen; nullopt: it went
    uint64_t scan = 0;
    uint64_t event = 0;  // its number; 0: none
  };

  Digest DigestOfKey(const std::string& key) const { return DigestOf({key}); }
  void Read(const std::string& bits);
  void Reconcile(const Digest& object);
  void Enqueue(const Digest& object, Motion& motion, bool created, const Digest& stamp);
  void Emit(uint64_t number, Event& event);
  void Make(Event& event);
  void Save();
  void WriteLeaves();
  void WriteMarks();
  void Saved();
  std::string KeyToKeep(const std::string& key) const { return wants_removed_ ? key : std::string(); }

  const std::string id_;
  const Rule rule_;
  const bool wants_created_, wants_removed_;
  const Emitter emitter_;
  State* const state_;
  const Tree* tree_ = nullptr;

  Ledger ledger_;
  uint64_t scan_ = 0;
  std::map<Digest, Motion> motions_;
  std::map<uint64_t, Event> events_;  // by number, in the order they were seen
  uint64_t last_event_ = 0;
  std::set<uint64_t> queued_;
  std::set<std::pair<uint64_t, uint64_t>> delayed_;  // when, number
  std::unordered_map<uint64_t, uint64_t> by_token_;  // of events with the host
  uint64_t credit_ = 0;

  std::function<void(std::optional<plugin::Error>)> loaded_;
  int reads_ = 0;
  std::optional<plugin::Error> read_failed_;

  bool saving_ = false;
  uint64_t save_after_unix_ns_ = 0;
  Ledger::Round round_;
  std::size_t writes_ = 0;  // of the round, under way
  std::optional<plugin::Error> write_failed_;
  std::vector<uint64_t> saving_events_, waiting_events_;  // of this round and the next
  std::function<void()> ended_;
  bool stopped_ = false;
};

}  // namespace teal::s3
