#include "tests/sim/protocol_watch.h"

#include <optional>

#include "core/base/sha256.h"
#include "core/runtime/floor_head.h"
#include "core/runtime/record_codec.h"
#include "core/runtime/record_rules.h"

namespace teal::sim {

namespace record = runtime::record;

namespace {

// The session that a record `s` holds; none: there is none (absent, or a placeholder of the floor).
Result<std::optional<record::Session>> SessionIn(const record::Key& key, const SimMemory::Record* found) {
  if (found == nullptr) return std::optional<record::Session>();
  std::string bytes = found->value;
  if (!bytes.empty() && bytes[0] == 'f') {
    Result<runtime::floor::Head> head = runtime::floor::DecodeHead(key, bytes);
    if (!head) return head.failure();
    if (!head->record) return std::optional<record::Session>();
    bytes = *head->record;
  }
  // In parts (core/runtime/large_records.h): they are not looked at.
  if (!bytes.empty() && bytes[0] == 'x') return Fail(FailureCode::kNotFound, "in parts");
  Result<record::Session> session = record::DecodeSession(key, bytes);
  if (!session) return session.failure();
  return std::optional<record::Session>(std::move(*session));
}

bool HasEnded(const std::optional<record::Session>& session) {
  return session && session->ended_unix_ns > 0;
}

// "main done": other threads go on.
std::string StatusOf(const std::optional<record::Session>& session) {
  if (!session) return "none";
  const std::string status(record::NameOf(session->main.status));
  return record::IsFinal(session->main.status) && !HasEnded(session) ? "main " + status : status;
}

}  // namespace

void ProtocolWatch::Note(int64_t now_unix_ns, const std::string& what) {
  trace_ += std::to_string(now_unix_ns) + " " + what + "\n";
}

void ProtocolWatch::Changed(const SimMemory::Key& key, const SimMemory::Record* before, const SimMemory::Record* after,
                            int64_t now_unix_ns) {
  std::string line = key.first + " " + key.second;
  line += after == nullptr
              ? " deleted"
              : " " + Hex(Sha256Of(after->value)).substr(0, 16) + " due " + std::to_string(after->due_unix_ns);
  Note(now_unix_ns, line);
  if (record::IsSid(key.first) && key.second == "s") Session(key.first, before, after, now_unix_ns);
}

void ProtocolWatch::Session(const std::string& sid, const SimMemory::Record* before, const SimMemory::Record* after,
                            int64_t now_unix_ns) {
  const auto wrong = [&](const std::string& what) { wrongs_.push_back(sid + ": " + what); };
  const record::Key key = record::SessionKey(sid);
  const Result<std::optional<record::Session>> read_before = SessionIn(key, before);
  const Result<std::optional<record::Session>> read_after = SessionIn(key, after);
  const auto in_parts = [](const Result<std::optional<record::Session>>& read) {
    return !read && read.failure().code == FailureCode::kNotFound;
  };
  if (in_parts(read_before) || in_parts(read_after)) return;
  if (!read_before || !read_after) return wrong("its record cannot be read");
  const std::optional<record::Session>& was = read_before.value();
  const std::optional<record::Session>& is = read_after.value();
  if (!was && !is) return;
  // Written as it is, by somebody who only looks busy (Fault::kTouched), or by the floor with another directory.
  if (was && is && *was == *is && before->due_unix_ns == after->due_unix_ns) return;
  const std::string change = StatusOf(was) + " > " + StatusOf(is);
  ++rows_[change];
  if (is) {
    std::string line =
        sid + " " + change + ", epoch " + std::to_string(is->main.epoch) + ", step " + std::to_string(is->steps);
    for (const record::Effect& effect : is->main.in_flight) {
      line += ", in flight " + std::to_string(effect.step) + " attempt " + std::to_string(effect.attempt);
    }
    if (is->main.lease) line += ", lease to " + std::to_string(is->main.lease->until_unix_ns);
    Note(now_unix_ns, line);
  }
  const bool due = was && before->due_unix_ns != 0 && before->due_unix_ns <= static_cast<uint64_t>(now_unix_ns);
  if (due) ++rows_[StatusOf(was) + ", due"];
  const bool was_final = was && record::IsFinal(was->main.status);
  const bool is_erase = is && record::IsErase(is->main.status);
  if (!is) {
    if (was->main.status != record::Status::kErased) wrong("P-21: deleted as " + StatusOf(was));
    if (!due) wrong("P-21: its tombstone was deleted before its time");
    return;
  }
  if (!was) {
    if (is_erase) wrong("P-22: erased, and there was none");
    return;
  }
  if (HasEnded(was) && is_erase) {
    if (!due) wrong("P-21: erased before its retention was over");
    return;
  }
  // Section 3. What carrying whole has besides: the record of an ended session becomes the tombstone at once, and that
  // of main is written while other threads go on.
  const bool goes_on = was_final && !HasEnded(was) && was->main.status == is->main.status;
  if (!goes_on && !record::MayChange(was->main.status, is->main.status, record::Holder::kSession)) {
    wrong("section 3: " + change);
  }
  if (HasEnded(was)) wrong("P-19: an ended session was written");
  if (was_final && !(was->main.result == is->main.result)) wrong("P-19: the result of an ended session was changed");
  if (is->main.commit_id == was->main.commit_id) {
    if (const std::string fault = record::SideWriteFault(*was, *is); !fault.empty()) wrong("P-2: " + fault);
  }
  if (is->main.epoch < was->main.epoch) wrong("P-10: the epoch went back");
  if (was->main.lease && is->main.lease && was->main.lease->holder != is->main.lease->holder &&
      is->main.epoch <= was->main.epoch) {
    wrong("P-10: taken over in the same epoch");
  }
  if (!record::IsFinal(is->main.status) && is->main.lease && !is->paused && after->due_unix_ns == 0) {
    wrong("P-11: it runs, and nothing would bring it back");
  }
  if (is->steps < was->steps) wrong("P-16: it has fewer steps behind it than before");
}

}  // namespace teal::sim
