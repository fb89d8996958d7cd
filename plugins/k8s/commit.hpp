// Commits: how one is judged, written and answered, and which of them share a transaction.
#pragma once

#include <array>
#include <deque>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "plugins/k8s/call.hpp"

namespace teal::k8s {

inline constexpr std::size_t kNonceBytes = 24;
using Nonce = std::array<char, kNonceBytes>;

// Gives each commit a nonce that no other has: of its idempotency key where it has one, so that a repeat by anyone has
// the same, else of this instance's 16 random bytes and a counter. Remembers the keys whose outcome it could not tell,
// so that their repeat is not told of a conflict with what it may have written itself (ERR-3). Thread-safe.
class Nonces {
 public:
  Nonces();
  Nonce Next();
  static Nonce Of(std::string_view idempotency_key);
  void Unknown(const Nonce& nonce);
  bool WasUnknown(const Nonce& nonce) const;

 private:
  static constexpr std::size_t kUnknownMax = 65536;

  std::array<char, 16> instance_{};
  std::atomic<uint64_t> counter_{0};
  mutable std::mutex mutex_;
  std::unordered_set<std::string> unknown_;   // guarded by mutex_
  std::deque<std::string> unknown_in_order_;  // guarded by mutex_
};

struct KeyView {
  std::string_view partition;
  std::string_view sort;
  friend auto operator<=>(const KeyView&, const KeyView&) = default;
};

class Commit final : public Call {
 public:
  // `ops` were checked, and live until the call has ended. `changed` is told each key written.
  Commit(plugin::Done done, const teal_call& call, uint64_t now, const teal_op* ops, uint64_t count, Nonces& nonces,
         std::function<void(KeyView)> changed);

  // A record's version, once replaced, is never its version again: then a late twin of this commit fails. A create may
  // not be repeated: its late twin could make again what somebody deleted meanwhile.
  bool Repeatable() const override { return moves_a_version_; }
  void Failed(const plugin::Error& error) override;

  // The answer to this commit: row `row` of its batch's. Ends it.
  void Answer(const PGresult* result, int row);

  // The next time only ask whether it was applied.
  void Prove() { prove_ = true; }
  // Never again with others in one transaction.
  void Alone() { alone_ = true; }
  bool alone() const { return alone_; }

  const KeyView& first() const { return keys_[order_.front()]; }
  const KeyView& last() const { return keys_[order_.back()]; }
  uint64_t bytes() const { return bytes_; }

 private:
  friend void BindBatch(std::span<const std::shared_ptr<Commit>> batch, Params& params);

  void Applied(std::string_view version);
  void Conflicted(const PGresult* result, int row);

  const teal_op* ops_;
  std::vector<KeyView> keys_;    // of each operation
  std::vector<uint32_t> order_;  // the operations in the order of their keys
  uint64_t bytes_ = 0;
  Nonces* nonces_;
  std::function<void(KeyView)> changed_;
  Nonce nonce_;
  bool has_key_;  // an idempotency key
  bool moves_a_version_ = false;
  bool prove_ = false;
  bool alone_ = false;
};

using CommitPtr = std::shared_ptr<Commit>;

// Takes from `waiting` those that may share one transaction, always the oldest: their ranges of keys do not overlap. In
// the order of their keys.
std::vector<CommitPtr> TakeBatch(std::deque<CommitPtr>& waiting);
void BindBatch(std::span<const CommitPtr> batch, Params& params);

// Of a key: where in the due index it stands among records of the same time, and so in which part.
int64_t KeyHash(const KeyView& key);

}  // namespace teal::k8s
