#include "plugins/aws/commit.hpp"

#include <algorithm>
#include <numeric>

#include "plugins/aws/backoff.hpp"

namespace teal::aws {
namespace {

// DynamoDB remembers a transaction's token for ten minutes; a minute is left for clocks and for requests on their way.
constexpr uint64_t kTokenNs = 540'000'000'000;
constexpr std::size_t kDoubtsMax = 65'536;
constexpr uint64_t kPatienceNs = 5'000'000'000;  // before a last look at the record

std::string Token(const teal_version& version) {
  return Hex(AsText(Sha256(AsText(WithSpilled(version, false)))).substr(0, 16));  // at most 36 characters
}

// The record that a failed condition gave back; nothing if there was none, or it is none of ours.
std::optional<StoredRecord> FoundIn(const Json* item) {
  if (item == nullptr) return std::nullopt;
  auto record = ParseItem(*item);
  if (!record) return std::nullopt;
  return std::move(*record);
}

const Json* Member(const Json& object, const char* name) {
  const auto at = object.is_object() ? object.find(name) : object.end();
  return at != object.end() && at->is_object() ? &*at : nullptr;
}

}  // namespace

struct Commits::Write {
  std::span<const teal_op> ops;
  std::string_view idempotency_key;
  teal_version version{};
  uint64_t token_until_unix_ns = 0;
  bool unknown = false;  // a request may have been applied, or may still be
  std::vector<std::optional<Spilled>> spilled;
  std::vector<std::string> uploaded;  // objects of this commit
  std::vector<std::string> replaced;  // objects to remove once it is applied

  const Spilled* SpilledOf(std::size_t i) const { return spilled[i] ? &*spilled[i] : nullptr; }
  teal_version VersionOf(std::size_t i) const { return WithSpilled(version, spilled[i].has_value()); }
};

// Whether the record in the way of operation `i` is what this very commit has written.
bool Commits::IsOwn(const Write& write, std::size_t i, const Json* item) {
  const auto found = FoundIn(item);
  return found && write.ops[i].kind == TEAL_PUT && SameCommit(found->version, write.version);
}

Task<CommitOutcome> Commits::Commit(Operation& operation, std::span<const teal_op> ops,
                                    std::string_view idempotency_key) {
  if (ops.size() == 1 && ops[0].kind == TEAL_CHECK) co_return co_await Check(operation, ops[0]);
  const uint64_t now = operation.context().Now();
  Write write{ops, idempotency_key};
  write.version = NewVersion(idempotency_key);
  write.token_until_unix_ns = now + kTokenNs;
  write.spilled.resize(ops.size());
  if (const auto doubt = Recall(idempotency_key, now)) {
    write.unknown = true;
    if (ops.size() > 1) {  // the same transaction, hence the same token
      write.version = doubt->version;
      write.token_until_unix_ns = doubt->until_unix_ns;
    }
  }
  Status prepared = co_await FindReplaced(operation, write);
  if (prepared) prepared = co_await Spill(operation, write);
  if (!prepared) co_return co_await GiveUp(operation, write, prepared.error());
  if (ops.size() == 1) co_return co_await One(operation, write);
  co_return co_await Many(operation, write);
}

Task<CommitOutcome> Commits::Check(Operation& operation, const teal_op& op) {
  CommitOutcome out;
  auto record = co_await values_.Read(operation, View(op.key.partition), View(op.key.sort));
  if (!record) {
    out.error = std::move(record.error());
    co_return out;
  }
  const teal_version version = *record ? (*record)->version : kAbsent;
  if (SameVersion(version, op.condition == TEAL_IF_VERSION ? op.expected : kAbsent)) {
    out.versions.push_back(version);
    co_return out;
  }
  out.error = Error{TEAL_CONFLICT, "a record is not as the commit wants it"};
  out.found = std::move(*record);
  co_return out;
}

Task<Status> Commits::FindReplaced(Operation& operation, Write& write) {
  if (!values_.offered()) co_return Nothing{};
  for (const teal_op& op : write.ops) {
    if (op.kind == TEAL_CHECK || op.condition == TEAL_IF_ABSENT) continue;
    const std::string_view partition = View(op.key.partition);
    const std::string_view sort = View(op.key.sort);
    teal_version version = op.expected;
    if (op.condition == TEAL_IF_ANY) {
      if (write.ops.size() == 1) continue;  // the answer tells
      // Replaced once more before the commit, its object is left over; that costs space only.
      auto record = co_await values_.ReadItem(operation, partition, sort);
      if (!record) co_return std::move(record.error());
      version = *record ? (*record)->version : kAbsent;
    }
    if (HasSpilled(version)) write.replaced.push_back(values_.ObjectKey(version, partition, sort));
  }
  co_return Nothing{};
}

Task<Status> Commits::Spill(Operation& operation, Write& write) {
  std::vector<std::size_t> by_size(write.ops.size());
  std::iota(by_size.begin(), by_size.end(), std::size_t{0});
  std::sort(by_size.begin(), by_size.end(),
            [&](std::size_t a, std::size_t b) { return write.ops[a].value.size > write.ops[b].value.size; });
  uint64_t bytes = 0;
  for (const teal_op& op : write.ops) bytes += op.key.partition.size + op.key.sort.size + op.value.size;
  for (const std::size_t i : by_size) {
    const teal_op& op = write.ops[i];
    const bool too_many = write.ops.size() > 1 && bytes > kTransactionBytesMax;
    if (op.value.size <= kInlineBytesMax && !too_many) break;
    write.spilled[i].emplace();
    const teal_version version = write.VersionOf(i);
    write.uploaded.push_back(values_.ObjectKey(version, View(op.key.partition), View(op.key.sort)));
    Status put = co_await values_.Put(operation, op, version, *write.spilled[i]);
    if (!put) {
      put.error().outcome = TEAL_NOT_APPLIED;  // of the commit
      co_return put;
    }
    bytes -= op.value.size;
  }
  co_return Nothing{};
}

Task<CommitOutcome> Commits::One(Operation& operation, Write& write) {
  const teal_op& op = write.ops[0];
  const bool is_put = op.kind == TEAL_PUT;
  std::string body = "{\"TableName\":\"" + config_.table + "\",";
  body += is_put ? "\"Item\":" : "\"Key\":";
  if (is_put) {
    AppendItem(body, op, write.VersionOf(0), write.SpilledOf(0));
  } else {
    AppendKey(body, View(op.key.partition), View(op.key.sort));
  }
  AppendCondition(body, op);
  if (op.condition != TEAL_IF_ANY) body += ",\"ReturnValuesOnConditionCheckFailure\":\"ALL_OLD\"";
  if (op.condition == TEAL_IF_ANY && values_.offered()) body += ",\"ReturnValues\":\"ALL_OLD\"";
  body += '}';
  Backoff backoff(config_.attempts);
  for (;;) {
    Answer answer = co_await dynamodb_.Once(operation, is_put ? "PutItem" : "DeleteItem", body);
    if (answer.ok()) {
      const auto old = FoundIn(Member(answer.body, "Attributes"));
      if (old && old->spilled) write.replaced.push_back(values_.ObjectKey(old->version, old->partition, old->sort));
      co_return co_await Applied(operation, write, write.version);
    }
    const ServiceError& failure = answer.failure;
    if (failure.trouble == Trouble::kCondition) {
      co_return co_await Conflict(operation, write, 0, Member(answer.body, "Item"));
    }
    write.unknown = write.unknown || Unknown(failure);
    const bool once_at_most = op.condition == TEAL_IF_VERSION || !write.unknown;
    bool again = false;
    if (once_at_most) again = co_await backoff.Again(operation, failure);
    if (!again) co_return co_await GiveUp(operation, write, failure.error);
  }
}

Task<CommitOutcome> Commits::Many(Operation& operation, Write& write) {
  std::string body = "{\"ClientRequestToken\":\"" + Token(write.version) + "\",\"TransactItems\":[";
  for (std::size_t i = 0; i < write.ops.size(); ++i) {
    const teal_op& op = write.ops[i];
    body += i == 0 ? "{\"" : ",{\"";
    body += op.kind == TEAL_PUT ? "Put" : op.kind == TEAL_DELETE ? "Delete" : "ConditionCheck";
    body += "\":{\"TableName\":\"" + config_.table + "\",";
    body += op.kind == TEAL_PUT ? "\"Item\":" : "\"Key\":";
    if (op.kind == TEAL_PUT) {
      AppendItem(body, op, write.VersionOf(i), write.SpilledOf(i));
    } else {
      AppendKey(body, View(op.key.partition), View(op.key.sort));
    }
    AppendCondition(body, op);
    if (op.condition != TEAL_IF_ANY) body += ",\"ReturnValuesOnConditionCheckFailure\":\"ALL_OLD\"";
    body += "}}";
  }
  body += "]}";
  Backoff backoff(config_.attempts);
  for (;;) {
    Answer answer = co_await dynamodb_.Once(operation, "TransactWriteItems", body);
    if (answer.ok()) co_return co_await Applied(operation, write, write.version);
    ServiceError& failure = answer.failure;
    if (failure.trouble == Trouble::kCancelled) {
      const auto reasons = answer.body.find("CancellationReasons");
      std::string codes;
      const std::size_t count =
          reasons != answer.body.end() && reasons->is_array() ? std::min(reasons->size(), write.ops.size()) : 0;
      std::size_t failed = count;
      for (std::size_t i = 0; i < count; ++i) {
        const Json& reason = (*reasons)[i];
        const std::string code = reason.is_object() ? reason.value("Code", "") : "";
        if (code == "ConditionalCheckFailed" && (failed == count || IsOwn(write, i, Member(reason, "Item"))))
          failed = i;
        if (code != "None" && codes.find(code) == std::string::npos) codes += (codes.empty() ? "" : ", ") + code;
      }
      if (failed < count) {
        co_return co_await Conflict(operation, write, static_cast<uint32_t>(failed),
                                    Member((*reasons)[failed], "Item"));
      }
      const auto because = [&codes](const char* code) { return codes.find(code) != std::string::npos; };
      failure.trouble = because("ValidationError")                                  ? Trouble::kOther
                        : because("Throttling") || because("ProvisionedThroughput") ? Trouble::kThrottled
                        : because("TransactionConflict")                            ? Trouble::kContention
                                                                                    : Trouble::kOther;
      failure.error.code = failure.trouble == Trouble::kOther ? TEAL_INTERNAL : TEAL_THROTTLED;
      failure.error.message = "dynamodb:TransactWriteItems on table " + config_.table + " was cancelled: " + codes;
    }
    write.unknown = write.unknown || Unknown(failure);
    const bool remembered = !write.unknown || operation.context().Now() < write.token_until_unix_ns;
    bool again = false;
    if (remembered) again = co_await backoff.Again(operation, failure);
    if (!again) co_return co_await GiveUp(operation, write, failure.error);
  }
}

Task<CommitOutcome> Commits::Applied(Operation& operation, Write& write, teal_version version) {
  CommitOutcome out;
  for (std::size_t i = 0; i < write.ops.size(); ++i) {
    const teal_op& op = write.ops[i];
    const bool put = op.kind == TEAL_PUT;
    const bool checked = op.kind == TEAL_CHECK && op.condition == TEAL_IF_VERSION;
    out.versions.push_back(put ? WithSpilled(version, write.spilled[i].has_value()) : checked ? op.expected : kAbsent);
  }
  for (const std::string& object : write.replaced) (void)co_await values_.Remove(operation, object);
  // An earlier request of this commit stands, with objects of its own.
  if (!SameVersion(version, write.version)) {
    for (const std::string& object : write.uploaded) (void)co_await values_.Remove(operation, object);
  }
  doubts_.erase(std::string(write.idempotency_key));
  co_return out;
}

Task<CommitOutcome> Commits::Conflict(Operation& operation, Write& write, uint32_t failed_op, const Json* item) {
  auto found = FoundIn(item);
  if (IsOwn(write, failed_op, item)) {
    co_return co_await Applied(operation, write, WithSpilled(found->version, false));
  }
  if (write.unknown) {
    const Error lost{TEAL_UNAVAILABLE,
                     "an answer of DynamoDB was lost, and the record has another version now; read it"};
    co_return co_await GiveUp(operation, write, lost);
  }
  for (const std::string& object : write.uploaded) (void)co_await values_.Remove(operation, object);
  CommitOutcome out;
  if (found) {
    auto loaded = co_await values_.Load(operation, std::move(*found));
    if (!loaded) {
      loaded.error().outcome = TEAL_NOT_APPLIED;
      out.error = std::move(loaded.error());
      co_return out;
    }
    found = std::move(*loaded);
  }
  out.error = Error{TEAL_CONFLICT, "a record is not as the commit wants it"};
  out.failed_op = failed_op;
  out.found = std::move(found);
  co_return out;
}

Task<CommitOutcome> Commits::GiveUp(Operation& operation, Write& write, const Error& why) {
  const Error stopped = operation.WhyStopped();
  Error error = operation.Stopped() && stopped.code != TEAL_TIMEOUT ? stopped : why;
  const auto put =
      std::find_if(write.ops.begin(), write.ops.end(), [](const teal_op& op) { return op.kind == TEAL_PUT; });
  // A service that said when to come again is left alone for so long. (ERR-4)
  const uint64_t wait = why.retry_after_ns;
  const bool patient = wait < std::min(operation.RemainingNs(), kPatienceNs);
  const bool look = write.unknown && put != write.ops.end() && patient;
  if (look) co_await Sleep(operation, wait);
  if (look && !operation.Stopped()) {
    auto record = co_await values_.ReadItem(operation, View(put->key.partition), View(put->key.sort));
    if (record && *record && SameCommit((*record)->version, write.version)) {
      co_return co_await Applied(operation, write, WithSpilled((*record)->version, false));
    }
  }
  CommitOutcome out;
  if (write.unknown) {
    Remember(write);
    error.outcome = TEAL_OUTCOME_UNKNOWN;
    if (error.code == TEAL_CONFLICT) error.code = TEAL_UNAVAILABLE;
  } else {
    for (const std::string& object : write.uploaded) (void)co_await values_.Remove(operation, object);
    error.outcome = TEAL_NOT_APPLIED;
  }
  out.error = std::move(error);
  co_return out;
}

std::optional<Commits::Doubt> Commits::Recall(std::string_view idempotency_key, uint64_t now) {
  while (!doubts_by_age_.empty() && (doubts_by_age_.front().first <= now || doubts_by_age_.size() > kDoubtsMax)) {
    const auto at = doubts_.find(doubts_by_age_.front().second);
    if (at != doubts_.end() && at->second.until_unix_ns <= doubts_by_age_.front().first) doubts_.erase(at);
    doubts_by_age_.pop_front();
  }
  if (idempotency_key.empty()) return std::nullopt;
  const auto at = doubts_.find(std::string(idempotency_key));
  if (at == doubts_.end()) return std::nullopt;
  return at->second;
}

void Commits::Remember(const Write& write) {
  if (write.idempotency_key.empty()) return;
  const std::string key(write.idempotency_key);
  if (doubts_.try_emplace(key, Doubt{write.version, write.token_until_unix_ns}).second) {
    doubts_by_age_.emplace_back(write.token_until_unix_ns, key);
  }
}

}  // namespace teal::aws
