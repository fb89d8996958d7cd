// What is left of a session when its retention is over (P-21): first everything but its own record, then that becomes
// the tombstone that keeps a repeated start from running it again; in the end that goes, too, with what late writes of
// dead hosts may have left beside it. Each commit has the session's own record, and its condition: two hosts that erase
// one session do not meet.
#include <algorithm>
#include <cassert>

#include "core/runtime/durable.h"
#include "core/runtime/record_codec.h"
#include "core/runtime/session.h"

namespace teal::runtime {

namespace {

constexpr size_t kDeletesMax = 256;  // of one commit

}  // namespace

// On the host's thread. A failure leaves it due: the next sweep goes on.
void DurableSessions::Erase(const std::string& sid, const StoreItem& own, const record::Session& session,
                            std::vector<record::Key> others) {
  const record::Key key = record::SessionKey(sid);
  StoreWrite last;
  last.key = key;
  last.condition = StoreCondition::kVersion;
  last.expected = own.version;
  const uint64_t limit = std::min<uint64_t>(options_.store->limits().commit_ops_max, kDeletesMax);
  assert(limit >= 2);
  std::vector<StoreWrite> writes;
  const auto remove = [&writes](record::Key other) {
    StoreWrite& write = writes.emplace_back();
    write.kind = StoreWrite::Kind::kDelete;
    write.key = std::move(other);
  };
  others.push_back(record::ListKey(session.created_unix_ns, sid));
  if (others.size() + 1 > limit) {
    // More than one commit: its record stays as it is, and due.
    for (size_t i = 0; i + 1 < limit; ++i) remove(std::move(others[i]));
    last.bytes = own.bytes;
    last.due_unix_ns = own.due_unix_ns;
    writes.push_back(std::move(last));
    options_.store->Commit(std::move(writes), [this, sid](const Result<StoreCommitted>& outcome) {
      if (outcome.ok() && outcome.value().applied)
        Post([this, sid] { With(sid, [](Session*, const ServiceError*) {}); });
    });
    return;
  }
  for (record::Key& other : others) remove(std::move(other));
  if (session.main.status == record::Status::kErased) {
    last.kind = StoreWrite::Kind::kDelete;
  } else {
    record::Session tombstone;
    tombstone.main.status = record::Status::kErased;
    tombstone.main.verified = true;
    tombstone.main.commit_id = session.main.commit_id;
    tombstone.main.cancel = session.main.cancel;
    tombstone.function = session.function;
    tombstone.source = session.source;
    tombstone.id = session.id;
    tombstone.created_unix_ns = session.created_unix_ns;
    tombstone.ended_unix_ns = session.ended_unix_ns;
    Result<std::string> bytes = record::Encode(key, tombstone);
    if (!bytes.ok()) return Log("the session " + sid + " cannot be erased: " + bytes.failure().message);
    last.bytes = std::move(*bytes);
    last.due_unix_ns = static_cast<uint64_t>(Now()) + options_.constants.dedup_ns;
  }
  writes.push_back(std::move(last));
  options_.store->Commit(std::move(writes), [](const Result<StoreCommitted>&) {});
}

}  // namespace teal::runtime
