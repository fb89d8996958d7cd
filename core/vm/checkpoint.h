// A thread's state as bytes, and back. The format is core/proto/state.proto, described in docs/formats/checkpoint.md.
//
// Canonical: the same state gives the same bytes. Large values and deep stacks are cut into segments (immutable byte
// strings, named by their SHA-256) that the state refers to: what was written before is referred to, not written again.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.h"
#include "core/base/sha256.h"
#include "core/vm/thread.h"

namespace teal::vm {

struct Segment {
  Sha256 hash;
  std::string bytes;
};

struct Checkpoint {
  std::string state;              // a teal.proto.ThreadState
  std::vector<Segment> segments;  // those that `state` reaches and that this thread has not written before
};

// Precondition: the thread is at a suspension point (state() is kRequest or kBudget). The thread may be run on
// afterwards. kTooLarge when state and segments would pass kStateBytesMax. A segment counts as written once it has been
// given out here; a caller that failed to store it must drop the thread. What counts as written is kept by each thread
// for itself: exactly the segments that its last checkpoint reaches, counted by reference. So a segment may be deleted
// once the latest state reaches it no more: should it be needed again, it is given out again. After a failure nothing
// counts as written. A thread that was read back counts what it was read from.
Result<Checkpoint> WriteCheckpoint(Thread& thread);

// segment_of: the bytes of a segment by its hash, or kNotFound/kUnavailable. Gives kCorrupt (what and where) for
// damaged, truncated or foreign bytes, kInvalid when the checkpoint needs another executable (the message names both).
// The thread that comes back is at the same suspension point: a pending request is there again.
using SegmentSource = std::function<Result<std::string>(const Sha256&)>;
Result<std::unique_ptr<Thread>> ReadCheckpoint(std::string_view state, std::shared_ptr<const Program> program,
                                               const SegmentSource& segment_of);
// The executable a checkpoint needs.
Result<Sha256> ProgramOfCheckpoint(std::string_view state);

// A single value (a result, an argument list, an event) in the same encoding. Values that refer to a program's
// functions need `program` for checking; null: such values are kInvalid. Closed by the same check as a state: damage is
// kCorrupt. kTooLarge above kValueBytesMax.
Result<std::string> EncodeValue(const Value& value);
Result<Value> DecodeValue(std::string_view bytes, const Program* program);

}  // namespace teal::vm
