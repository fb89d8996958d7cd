#include "plugins/k8s/commit.hpp"

#include <openssl/evp.h>
#include <openssl/rand.h>

#include <algorithm>
#include <cassert>
#include <numeric>
#include <stdexcept>

#include "plugins/k8s/limits.hpp"
#include "plugins/k8s/migrations.hpp"

namespace teal::k8s {
namespace {

using Digest = std::array<char, 32>;

Digest Sha256(std::initializer_list<std::string_view> parts) {
  struct Free {
    void operator()(EVP_MD_CTX* context) const noexcept { EVP_MD_CTX_free(context); }
  };
  static const EVP_MD* const kind = EVP_sha256();
  thread_local const std::unique_ptr<EVP_MD_CTX, Free> context(EVP_MD_CTX_new());
  Digest out{};
  bool good = context && EVP_DigestInit_ex(context.get(), kind, nullptr) == 1;
  for (const std::string_view part : parts)
    good = good && EVP_DigestUpdate(context.get(), part.data(), part.size()) == 1;
  if (!good || EVP_DigestFinal_ex(context.get(), reinterpret_cast<unsigned char*>(out.data()), nullptr) != 1) {
    throw std::bad_alloc();
  }
  return out;
}

std::string_view ViewOf(const Nonce& nonce) {
  return {nonce.data(), nonce.size()};
}

std::string_view ViewOf(const teal_version& version) {
  return {reinterpret_cast<const char*>(version.opaque), sizeof version.opaque};
}

teal_version VersionOf(std::string_view bytes) {
  teal_version version{};
  assert(bytes.size() == sizeof version.opaque);
  std::memcpy(version.opaque, bytes.data(), std::min(bytes.size(), sizeof version.opaque));
  return version;
}

}  // namespace

Nonces::Nonces() {
  if (RAND_bytes(reinterpret_cast<unsigned char*>(instance_.data()), static_cast<int>(instance_.size())) != 1) {
    throw std::runtime_error("no random numbers from the system");
  }
}

Nonce Nonces::Next() {
  const uint64_t count = counter_.fetch_add(1, std::memory_order_relaxed);
  Nonce nonce{};
  std::memcpy(nonce.data(), instance_.data(), instance_.size());
  std::memcpy(nonce.data() + instance_.size(), &count, sizeof count);
  static_assert(sizeof(instance_) + sizeof count == kNonceBytes);
  return nonce;
}

Nonce Nonces::Of(std::string_view idempotency_key) {
  const Digest digest = Sha256({"teal commit\n", idempotency_key});
  Nonce nonce{};
  std::copy_n(digest.begin(), nonce.size(), nonce.begin());
  return nonce;
}

void Nonces::Unknown(const Nonce& nonce) {
  const std::lock_guard lock(mutex_);
  if (!unknown_.emplace(ViewOf(nonce)).second) return;
  unknown_in_order_.emplace_back(ViewOf(nonce));
  if (unknown_in_order_.size() <= kUnknownMax) return;
  unknown_.erase(unknown_in_order_.front());
  unknown_in_order_.pop_front();
}

bool Nonces::WasUnknown(const Nonce& nonce) const {
  const std::lock_guard lock(mutex_);
  return !unknown_.empty() && unknown_.contains(std::string(ViewOf(nonce)));
}

int64_t KeyHash(const KeyView& key) {
  const uint64_t size = key.partition.size();
  const Digest digest = Sha256({{reinterpret_cast<const char*>(&size), sizeof size}, key.partition, key.sort});
  uint64_t first = 0;
  std::memcpy(&first, digest.data(), sizeof first);
  return Flipped(__builtin_bswap64(first));
}

Commit::Commit(plugin::Done done, const teal_call& call, uint64_t now, const teal_op* ops, uint64_t count,
               Nonces& nonces, std::function<void(KeyView)> changed)
    : Call(std::move(done), call, now),
      ops_(ops),
      order_(count),
      nonces_(&nonces),
      changed_(std::move(changed)),
      has_key_(call.idempotency_key.size != 0) {
  keys_.reserve(count);
  for (uint64_t i = 0; i < count; ++i) {
    keys_.push_back({View(ops[i].key.partition), View(ops[i].key.sort)});
    bytes_ += keys_[i].partition.size() + keys_[i].sort.size() + ops[i].value.size;
    moves_a_version_ = moves_a_version_ || (ops[i].condition == TEAL_IF_VERSION && ops[i].kind != TEAL_CHECK);
  }
  std::iota(order_.begin(), order_.end(), 0U);
  std::sort(order_.begin(), order_.end(), [this](uint32_t a, uint32_t b) { return keys_[a] < keys_[b]; });
  nonce_ = has_key_ ? Nonces::Of(View(call.idempotency_key)) : nonces.Next();
  if (has_key_ && nonces.WasUnknown(nonce_)) MaybeApplied();
}

void Commit::Failed(const plugin::Error& error) {
  if (has_key_ && error.outcome == TEAL_OUTCOME_UNKNOWN) nonces_->Unknown(nonce_);
}

void Commit::Answer(const PGresult* result, int row) {
  switch (IntAt(result, row, 0)) {
    case kOutcomeApplied:
    case kOutcomeAppliedBefore: {
      const std::string version(DataAt(result, row, 2));
      Applied(version);
      return;
    }
    case kOutcomeConflict:
      Conflicted(result, row);
      return;
    default:
      assert(IntAt(result, row, 0) == kOutcomeUnproven);
      Fail({TEAL_UNAVAILABLE,
            "the connection to PostgreSQL was lost while committing, and what stands now does not tell whether it was "
            "applied: read the records, then decide",
            TEAL_OUTCOME_UNKNOWN, 0, 0});
  }
}

void Commit::Applied(std::string_view version) {
  std::vector<teal_version> versions(keys_.size());
  for (std::size_t i = 0; i < keys_.size(); ++i) {
    if (ops_[i].kind == TEAL_PUT) versions[i] = VersionOf(version);
    if (ops_[i].kind == TEAL_CHECK && ops_[i].condition == TEAL_IF_VERSION) versions[i] = ops_[i].expected;
    if (ops_[i].kind != TEAL_CHECK) changed_(keys_[i]);
  }
  teal_commit_result out{};
  out.struct_size = sizeof out;
  out.count = versions.size();
  out.versions = versions.data();
  Succeed(&out);
}

void Commit::Conflicted(const PGresult* result, int row) {
  if (maybe_applied()) {  // ERR-3
    Fail(
        {TEAL_UNAVAILABLE,
         "an earlier sending of this commit had no answer, and now a condition fails: whether it was applied cannot be "
         "told; read the records, then decide",
         TEAL_OUTCOME_UNKNOWN, 0, 0});
    return;
  }
  const uint32_t failed = order_[static_cast<std::size_t>(IntAt(result, row, 1))];
  teal_record found{};
  teal_commit_result out{};
  out.struct_size = sizeof out;
  out.failed_op = failed;
  if (!NullAt(result, row, 3)) {
    found.key = ops_[failed].key;
    found.version = VersionOf(DataAt(result, row, 3));
    found.value = Bytes(DataAt(result, row, 4));
    found.due_unix_ns = TimeAt(result, row, 5);
    found.expires_unix_ns = TimeAt(result, row, 6);
    out.found = &found;
  }
  Fail({TEAL_CONFLICT,
        "the condition of operation " + std::to_string(failed) + " does not hold: the record " +
            (out.found == nullptr ? "is absent" : "has another version or is there"),
        TEAL_NOT_APPLIED, 0, 0},
       &out);
}

std::vector<CommitPtr> TakeBatch(std::deque<CommitPtr>& waiting) {
  std::vector<CommitPtr> batch;
  uint64_t bytes = 0;
  const auto by_first = [](const CommitPtr& a, const CommitPtr& b) { return a->first() < b->first(); };
  for (auto next = waiting.begin(); next != waiting.end() && batch.size() < kBatchCommitsMax;) {
    const CommitPtr& commit = *next;
    const auto place = std::lower_bound(batch.begin(), batch.end(), commit, by_first);
    const bool fits = batch.empty() || (!commit->alone() && bytes + commit->bytes() <= kBatchBytesMax &&
                                        (place == batch.end() || commit->last() < (*place)->first()) &&
                                        (place == batch.begin() || (*std::prev(place))->last() < commit->first()));
    if (!fits) {
      ++next;
      continue;
    }
    bytes += commit->bytes();
    const bool alone = commit->alone();
    batch.insert(place, commit);
    next = waiting.erase(next);
    if (alone) break;
  }
  return batch;
}

void BindBatch(std::span<const CommitPtr> batch, Params& params) {
  std::vector<std::string_view> nonces, partitions, sorts, values, expected;
  std::vector<int32_t> modes, sizes, how;
  std::vector<std::optional<int64_t>> dues, expires, hashes;
  for (const CommitPtr& commit : batch) {
    nonces.push_back(ViewOf(commit->nonce_));
    modes.push_back(commit->prove_ ? kModeProve : kModeApply);
    sizes.push_back(static_cast<int32_t>(commit->order_.size()));
    for (const uint32_t i : commit->order_) {
      const teal_op& op = commit->ops_[i];
      how.push_back(static_cast<int32_t>(op.kind << 4 | op.condition));
      partitions.push_back(commit->keys_[i].partition);
      sorts.push_back(commit->keys_[i].sort);
      values.push_back(View(op.value));
      expected.push_back(op.condition == TEAL_IF_VERSION ? ViewOf(op.expected) : std::string_view());
      dues.push_back(StoredTime(op.due_unix_ns));
      expires.push_back(StoredTime(op.expires_unix_ns));
      hashes.push_back(KeyHash(commit->keys_[i]));
    }
  }
  params.Datas(nonces);
  params.Ints(modes);
  params.Ints(sizes);
  params.Ints(how);
  params.Datas(partitions);
  params.Datas(sorts);
  params.Datas(values);
  params.Datas(expected);
  params.Longs(dues);
  params.Longs(expires);
  params.Longs(hashes);
}

}  // namespace teal::k8s
