// Values from streams of cells, and the segments that they need.
//
// Takes any bytes: what is wrong is said, never assumed away. That a stream is cut as a writer would cut it is not
// looked at here (ReadCheckpoint writes what it read again, and compares); the rest of the form is. Not synchronised.
#pragma once

#include <string>
#include <unordered_map>
#include <vector>

#include "core/vm/checkpoint.h"
#include "core/vm/checkpoint_format.h"
#include "core/vm/checkpoint_memo.h"
#include "core/vm/checkpoint_scratch.h"
#include "core/vm/checkpoint_wire.h"
#include "core/vm/program.h"

namespace teal::vm {

// How many values one checkpoint may unfold to in memory: a chunk that stands in several places is written once.
inline constexpr uint64_t kDecodedValuesMax = kStateBytesMax / 4;

struct FrameRecord {
  uint32_t function = 0, pc = 0, window = 0, return_to = 0;
  uint32_t tail_count = 0;
  std::vector<uint32_t> tail_calls;  // function, pc; oldest first
};

struct DecodedSegment {
  uint32_t kind = 0;
  std::string bytes;           // text and bytes chunks
  std::vector<Sha256> hashes;  // nodes
  std::vector<FrameRecord> frames;
  std::vector<Value> values;  // elements; keys and values (a hole: a function and null); one value; live registers
};
using DecodedSegments = std::unordered_map<Sha256, DecodedSegment, Sha256Hasher>;

struct DecodeContext {
  const Program* program = nullptr;  // null: no values that need one
  DecodedSegments segments;
  uint64_t values = 0;  // unfolded so far
  uint64_t bytes = 0;   // of long texts, unfolded so far
};

class CellDecoder {
 public:
  // key: of the repeated field that the cells are.
  CellDecoder(DecodeContext* context, uint32_t values_field)
      : context_(*context), key_(wire::Key(values_field, wire::kLength)) {}

  // The next value.
  bool ReadOne(wire::In* in, Value* value) { return ReadOne(in, false, value); }
  // Appends the next `count` values.
  bool Read(wire::In* in, uint64_t count, std::vector<Value>* values);
  // Appends keys and values (a hole: a function and null) until the field ends.
  bool ReadEntries(wire::In* in, std::vector<Value>* values);
  bool ReadAll(wire::In* in, std::vector<Value>* values);
  // Of a failure that is not about the bytes: the value needs a program.
  bool needs_program() const { return needs_program_; }
  // Nothing that was read stands in two places, and no list or hash has as many items as a chunk: then the cells weigh
  // what they take.
  bool plain() const { return plain_; }

 private:
  struct Open {
    uint32_t kind;          // format::Cell
    uint64_t number;        // of the object
    uint64_t remaining;     // children still to come
    size_t base;            // of the children in operands_
    uint32_t function = 0;  // closure
    uint64_t origin = 0, serial = 0;
    FutureKind future = FutureKind::kThread;
    uint64_t step = 0;
    int64_t deadline = 0;
  };
  bool ReadOne(wire::In* in, bool entry_key, Value* value);
  bool ReadCell(wire::In* in, bool hole_allowed);
  bool ReadText(wire::In* in, uint32_t kind);
  bool ReadClosure(wire::In* in);
  bool ReadFuture(wire::In* in);
  bool ReadShared(wire::In* in);
  bool ReadSegment(wire::In* in);
  bool ReadChunked(wire::In* in, const char* cell_outer);
  bool ReadIndex(wire::In* in, uint32_t kind);
  bool OpenObject(wire::In* in, Open open);
  bool Close(wire::In* in);
  bool CloseHash(wire::In* in, const Open& open, Value* value);
  void PushObject(Value value);
  bool Unfold(wire::In* in, uint64_t values, uint64_t bytes);

  DecodeContext& context_;
  const uint32_t key_;
  Scratch<const Object*> objects_scratch_;
  Scratch<Value> operands_scratch_;
  Scratch<Open> open_scratch_;
  std::vector<const Object*>& objects_ = *objects_scratch_;  // by number; null: not yet complete
  std::vector<Value>& operands_ = *operands_scratch_;
  std::vector<Open>& open_ = *open_scratch_;
  bool needs_program_ = false;
  bool plain_ = true;
};

// The leaves below `refs` (the roots of a tree over `chunks` chunks), in order. False: not as it must be.
bool LeavesOf(const DecodedSegments& segments, uint64_t chunks, std::string_view refs, uint32_t kind,
              std::vector<const DecodedSegment*>* leaves);

bool ReadFrame(wire::In* in, const Program& program, FrameRecord* frame);
// The live map where a frame stands; null: no thread can stop there.
const std::vector<bool>* LiveRegisters(const Program& program, const FrameRecord& frame);
// The call that a frame below another one waits for: where the callee's window begins, and where its result goes. Of
// the lower frame's live registers those below the window are its own. False: the frame waits for no call.
bool CallBelow(const Program& program, const FrameRecord& frame, uint32_t* window, uint32_t* return_to);

// Fetches, verifies and decodes all segments that `state` reaches.
Status LoadSegments(std::string_view state, const SegmentSource& segment_of, DecodeContext* context);

// "state: what, at byte n"
Failure CorruptAt(std::string_view where, const wire::In& in);

}  // namespace teal::vm
