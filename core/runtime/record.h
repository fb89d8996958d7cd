// The records of a durable session as plain structs: what protocol.md's section 2 lists for each key. The bytes are
// those of core/proto/record.proto, described in docs/formats/records.md; record_codec.h makes one of the other.
//
// Fields of a thread are of two kinds (P-2): progress fields change only by a write with a new commit_id, side fields
// by any write. `unknown` holds the fields of a newer release, which every write carries on. All times are in
// nanoseconds since 1970 UTC, 0 for none; all durations in nanoseconds. Plain data: not synchronised.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "core/base/sha256.h"

namespace teal::runtime::record {

// Limits of records. More is an error of the writer, and kCorrupt to a reader.
inline constexpr size_t kWaitersMax = 64;             // of one future; further ones read by themselves (section 7)
inline constexpr size_t kInboxValuesMax = 10'000;     // of a session, all names together
inline constexpr uint64_t kInboxBytesMax = 1u << 20;  // of a session, bytes of ids and values in place
inline constexpr size_t kSeenMax = 1'000;             // ids of one name that are remembered after their values are gone
inline constexpr size_t kSeenBytes = 16;              // of one such id
inline constexpr size_t kRecordBytesMax = 64u << 20;  // of one record, whatever the store allows
inline constexpr uint64_t kOutputBytesMax = 4096;     // lines above it move to a piece (P-29)
inline constexpr uint64_t kHistoryBytesMax = 256;     // entries of history above it do; they are in every commit
inline constexpr uint64_t kHistoryPiecesMax = 4096;   // the newest are kept: about 50,000 steps
inline constexpr size_t kReplyIdBytes = 16;           // of a request that has its reply
inline constexpr size_t kRepliesMax = 256;            // kept of a session, the newest

enum class Status : uint8_t {
  kReady = 1,
  kRunning,
  kWaiting,
  kDone,
  kFailed,
  kCancelled,
  kErasing,  // sessions only, as kErased
  kErased,
};
std::string_view NameOf(Status status);
// done, failed, cancelled: the future is resolved.
constexpr bool IsFinal(Status s) {
  return s == Status::kDone || s == Status::kFailed || s == Status::kCancelled;
}
constexpr bool IsErase(Status s) {
  return s == Status::kErasing || s == Status::kErased;
}

// Of a runner: drawn at random when it starts, so that no two are ever alike.
using Incarnation = std::array<uint8_t, 16>;

// Which commit wrote a state. Unique for ever.
struct CommitId {
  Incarnation incarnation{};
  uint64_t counter = 0;
  bool operator==(const CommitId&) const = default;
};

// A value or a state: in place, or the hash of the record v/ that holds it (size > 0 then).
struct Content {
  std::string bytes;
  Sha256 hash{};
  uint64_t size = 0;
  std::string unknown;

  static Content Of(std::string in_place) { return {std::move(in_place), {}, 0, {}}; }
  static Content At(const Sha256& hash, uint64_t size) { return {{}, hash, size, {}}; }
  bool empty() const { return bytes.empty() && size == 0; }
  bool operator==(const Content&) const = default;
};

struct Lease {
  Incarnation holder{};
  uint64_t until_unix_ns = 0;
  std::string unknown;
  bool operator==(const Lease&) const = default;
};

// What a thread begins with.
struct Start {
  Content function;  // empty: the session's
  Content arguments;
  bool keywords = false;
  std::string unknown;
  bool operator==(const Start&) const = default;
};

// An effect that may have started and has no result here.
struct Effect {
  uint64_t step = 0;
  Content function;  // empty, with its arguments: the request that is pending in the state
  Content arguments;
  bool keywords = false;
  bool at_most_once = false;
  uint32_t attempt = 1;
  uint32_t losses = 0;
  std::string unknown;
  bool operator==(const Effect&) const = default;
};

// Of a step whose future is resolved and that has no record: an inline effect (P-26), an event.
struct Outcome {
  uint64_t step = 0;
  bool failed = false;
  Content value;
  std::string unknown;
  bool operator==(const Outcome&) const = default;
};

// A future that a thread made and that is no thread: a timer, timeout, event or request.
enum class MadeState : uint8_t { kPending, kWell, kFailed };
struct Made {
  std::string future;  // encoded
  MadeState state = MadeState::kPending;
  bool awaited = false;
  uint64_t order = 0;  // of resolution in its session, from 1
  Content outcome;     // unless pending
  uint64_t made_unix_ns = 0;
  std::string unknown;
  bool operator==(const Made&) const = default;
};

enum class WaitKind : uint8_t { kOne = 1, kAll, kSettle, kAny, kSome, kEvent, kTimer };

struct Range {
  uint64_t first = 0;
  uint64_t count = 1;
  std::string unknown;
  bool Has(uint64_t step) const { return step >= first && step - first < count; }
  bool operator==(const Range&) const = default;
};

struct EventWait {
  std::string name;
  uint64_t step = 0;
  std::string unknown;
  bool operator==(const EventWait&) const = default;
};

struct Wait {
  WaitKind kind = WaitKind::kOne;
  std::vector<Range> own;             // members that are children: their steps, ascending
  std::vector<std::string> others;    // members that are not: tids, sorted
  std::vector<EventWait> events;      // ascending by step
  std::optional<uint64_t> watch_own;  // kAll, kSettle: the member that wakes (P-15): a child, or
  std::string watch_other;            // a thread that is none
  uint64_t deadline_unix_ns = 0;
  uint64_t wanted = 0;            // kSome
  uint64_t failures_allowed = 0;  // kSome
  std::string unknown;
  bool operator==(const Wait&) const = default;
};

struct Children {
  uint64_t first = 0;
  uint64_t count = 1;
  bool shared = false;        // its future left its owner
  bool has_children = false;  // its record listed children or held outbox entries when it was consumed (P-20)
  std::string unknown;
  bool Has(uint64_t step) const { return step >= first && step - first < count; }
  bool operator==(const Children&) const = default;
};

// `count` children of consecutive steps; if count > 1, `arguments` is a list of their lists.
struct Spawn {
  uint64_t first = 0;
  uint64_t count = 1;
  Content function;
  Content arguments;
  bool keywords = false;
  uint64_t settle_delay_ns = 0;  // 0: that of the configuration
  std::string unknown;
  bool operator==(const Spawn&) const = default;
};
struct CancelThread {
  std::string sid;  // empty: this session
  std::string tid;
  std::string unknown;
  bool operator==(const CancelThread&) const = default;
};
struct StartSession {
  std::string sid;
  std::string id;
  Content function;
  Content arguments;
  std::string unknown;
  bool operator==(const StartSession&) const = default;
};
struct SendEvent {
  std::string sid;
  std::string name;
  std::string id;
  Content value;
  std::string unknown;
  bool operator==(const SendEvent&) const = default;
};
// The value taken for (this thread, step): drop it if recorded, else put it back at the head (P-23).
struct EndEventWait {
  std::string name;
  uint64_t step = 0;
  bool recorded = false;
  std::string unknown;
  bool operator==(const EndEventWait&) const = default;
};
struct Outgoing {
  std::variant<Spawn, CancelThread, StartSession, SendEvent, EndEventWait> what;
  std::string unknown;
  bool operator==(const Outgoing&) const = default;
};

// What the engine keeps of a thread beside its state.
struct Course {
  uint32_t depth = 0;
  std::vector<uint32_t> site;  // function, pc, function, pc, …
  bool cancel_raised = false;
  uint64_t grace_end_unix_ns = 0;
  std::optional<uint64_t> effect_step;
  uint32_t attempt = 0;
  uint32_t losses = 0;
  uint32_t limited_function = 0;  // counted from 1; 0: nothing limits it
  std::string running_key;
  std::string begins_key;
  float priority = 0;  // finite
  bool begun = false;
  bool awaited = false;  // somebody took or waits for its result
  uint64_t order = 0;    // of resolution in its session, from 1; 0: pending
  std::string unknown;
  bool operator==(const Course&) const = default;
};

enum class LineKind : uint8_t { kOutput = 1, kLog, kHistory };
struct Line {
  LineKind kind = LineKind::kOutput;
  uint32_t level = 0;  // kLog: 0 debug to 3 error
  uint64_t unix_ns = 0;
  std::string text;
  std::string tid{};  // who wrote it; empty: the thread whose record it is in
  std::string unknown{};
  bool operator==(const Line&) const = default;
};

enum class Cancel : uint8_t { kNo, kCancel, kTerminate };

struct Thread {
  // Progress. A thread that is not final has exactly one of `state`, `start`, `chained`; a final one has none.
  Status status = Status::kReady;
  CommitId commit_id;
  uint64_t epoch = 0;
  std::optional<Lease> lease;  // kRunning only, and always
  bool verified = false;       // main: always
  Content state;
  std::optional<Start> start;
  Content chained;
  std::vector<Effect> in_flight;      // kRunning only; ascending by step
  std::optional<Wait> wait;           // kWaiting only, and always
  std::vector<Outgoing> outbox;       // in the order of the program
  std::vector<Children> children;     // ascending, merged as far as marks allow (record_children.h)
  Content result;                     // kDone, kFailed: always; kCancelled: perhaps
  std::string owner;                  // empty: the main thread
  uint64_t step = 0;                  // of the owner
  std::vector<Outcome> outcomes;      // ascending by step
  std::vector<std::string> segments;  // of the state, those without a record v/
  uint64_t settle_delay_ns = 0;       // 0: that of the configuration
  uint32_t attempts = 0;              // claims without progress (P-25)
  Course course;
  std::vector<Line> lines;
  uint64_t pieces = 0;  // records o/ written so far
  Content answer;       // to the request that is pending in the state, not yet taken
  bool answer_failed = false;
  std::vector<Made> made;  // in the order of their futures
  // Side.
  Cancel cancel = Cancel::kNo;
  std::vector<std::string> waiters;  // tids, sorted
  std::string unknown;

  bool IsMain() const { return owner.empty(); }
  bool operator==(const Thread&) const = default;
};

struct Label {
  std::string key;
  std::string value;
  std::string unknown;
  bool operator==(const Label&) const = default;
};
struct Paused {
  std::string reason;  // `limit`, `package_missing`, or as who paused it put it
  uint64_t since_unix_ns = 0;
  std::string unknown;
  bool operator==(const Paused&) const = default;
};
struct EventValue {
  std::string id;  // of the sender
  Content value;
  std::string unknown{};
  bool wants_reply = false;  // the sender waits for one
  bool operator==(const EventValue&) const = default;
};
struct Inbox {
  std::string name;
  std::vector<EventValue> values;  // the head first
  std::vector<std::string> seen;   // the oldest first (SeenId)
  std::string unknown;
  bool operator==(const Inbox&) const = default;
};
struct EventWaiter {
  std::string tid;
  uint64_t step = 0;
  std::string unknown;
  bool operator==(const EventWaiter&) const = default;
};
struct EventWaiters {
  std::string name;
  std::vector<EventWaiter> waiters;  // in order of arrival
  std::string unknown;
  bool operator==(const EventWaiters&) const = default;
};
struct Taken {
  std::string tid;
  uint64_t step = 0;
  std::string name;
  EventValue value;
  std::string unknown;
  bool operator==(const Taken&) const = default;
};

struct Published {
  std::string key;
  Content value;
  std::string unknown;
  bool operator==(const Published&) const = default;
};

// The session and its main thread, one record.
struct Session {
  // Progress.
  Thread main;
  Sha256 program{};      // zero once it is erased
  std::string function;  // by name
  std::string source;
  std::string id;
  std::vector<Label> labels;  // sorted by key
  uint64_t created_unix_ns = 0;
  uint64_t started_unix_ns = 0;
  uint64_t ended_unix_ns = 0;     // main final, and always then
  uint64_t deadline_unix_ns = 0;  // created + timeout
  uint64_t retention_ns = 0;
  std::vector<Published> published;  // sorted by key
  uint64_t steps = 0;                // effects so far
  uint64_t resolved = 0;             // futures so far
  bool cancelled = false;            // as a whole
  std::string history;               // entries that are not in a piece yet (history.h)
  uint64_t history_pieces = 0;       // records h/ written so far
  std::vector<std::string> replied;  // requests that have their reply, the oldest first
  std::optional<Lease> carrier;      // over a shared memory: the host that has it in memory, while it works
  // Side.
  std::optional<Paused> paused;
  std::vector<Inbox> inbox;                 // sorted by name
  std::vector<EventWaiters> event_waiters;  // sorted by name
  std::vector<Taken> taken;                 // sorted by tid and step
  std::string unknown;
  bool operator==(const Session&) const = default;
};

struct Blob {
  Sha256 hash{};  // of the salted content (record_key.h)
  uint64_t size = 0;
  std::string unknown;
  bool operator==(const Blob&) const = default;
};
// Immutable: bytes, or the blob that holds them.
struct Value {
  std::string bytes;
  std::optional<Blob> blob;
  std::string unknown;
  bool operator==(const Value&) const = default;
};

// Immutable.
struct Output {
  std::vector<Line> lines;
  std::string unknown;
  bool operator==(const Output&) const = default;
};

// Immutable.
struct History {
  std::string entries;
  std::string unknown;
  bool operator==(const History&) const = default;
};

// What a request was answered. Immutable.
struct Reply {
  Content value;
  std::string unknown;
  bool operator==(const Reply&) const = default;
};

enum class ProgramStatus : uint8_t { kLive = 1, kRetiring };
struct Part {
  Sha256 hash{};  // of the whole
  uint64_t size = 0;
  uint64_t pieces = 0;  // records of their own; 0: it lies in `bytes`
  std::string bytes;
  std::string unknown;
  bool operator==(const Part&) const = default;
};
struct Program {
  ProgramStatus status = ProgramStatus::kLive;
  std::string name;
  uint64_t created_unix_ns = 0;
  Part executable;
  std::optional<Part> package;     // of its foreign code
  uint64_t activated_unix_ns = 0;  // the last time; 0: never. New sessions take the live one with the greatest
  std::string unknown;
  bool operator==(const Program&) const = default;
};

// Who sweeps a part of the due index. For thrift only: any number of sweepers may run.
struct SweeperPart {
  std::optional<Incarnation> holder;
  uint64_t until_unix_ns = 0;
  std::string unknown;
  bool operator==(const SweeperPart&) const = default;
};

}  // namespace teal::runtime::record
