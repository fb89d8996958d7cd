// A thread, or a single value, from bytes.
#include <algorithm>

#include "core/base/mutant.h"
#include "core/vm/checkpoint.h"
#include "core/vm/checkpoint_crc.h"
#include "core/vm/checkpoint_decoder.h"
#include "core/vm/checkpoint_encoder.h"

namespace teal::vm {
namespace {

using wire::In;
using wire::Key;

Failure Corrupt(std::string message) {
  return Fail(FailureCode::kCorrupt, std::move(message));
}

// What stands before and behind the rest: the version, which everything else hangs on, and the check.
Status CheckFrame(std::string_view what, std::string_view bytes) {
  In in(bytes);
  uint64_t version = 0;
  if (bytes.size() < 2 + format::kCheckBytes || !in.Field(format::kStateVersion, &version)) {
    return Corrupt(std::string(what) + ": " + std::to_string(bytes.size()) + " bytes are none");
  }
  In end(bytes.substr(bytes.size() - format::kCheckBytes));
  uint32_t check = 0;
  const uint32_t crc = Crc32c(bytes.substr(0, bytes.size() - format::kCheckBytes));
  if (!end.Take(Key(format::kStateCheck, wire::kFixed32)) || !end.Fixed32(&check) ||
      (check != crc && !TEAL_MUTANT("checkpoint_trusts_bytes"))) {
    return Corrupt(std::string(what) + ": damaged or cut short: the check at byte " +
                   std::to_string(bytes.size() - format::kCheckBytes) + " does not fit the bytes before it");
  }
  if (version != format::kVersion) {
    return Corrupt(std::string(what) + ": format version " + std::to_string(version) +
                   ", but this program reads version " + std::to_string(format::kVersion));
  }
  return Unit{};
}
static_assert(static_cast<int>(format::kStateCheck) == static_cast<int>(format::kSingleCheck));

bool ReadHash(In* in, uint32_t field, Sha256* hash) {
  std::string_view bytes;
  if (!in->Field(field, &bytes)) return false;
  if (bytes.size() != hash->size()) return in->Fail("a hash that is not 32 bytes");
  std::memcpy(hash->data(), bytes.data(), hash->size());
  return true;
}

Failure OtherProgram(const Sha256& wanted, const Sha256& given) {
  return Fail(FailureCode::kInvalid, "the checkpoint needs the executable " + Hex(wanted) + ", not " + Hex(given));
}

}  // namespace

bool ReadFrame(In* in, const Program& program, FrameRecord* frame) {
  const char* outer = nullptr;
  if (!in->Enter(&outer) || !in->Field(format::kFrameFunction, &frame->function) ||
      !in->Field(format::kFramePc, &frame->pc) || !in->Field(format::kFrameWindow, &frame->window) ||
      !in->Field(format::kFrameReturnTo, &frame->return_to)) {
    return false;
  }
  const std::vector<Function>& functions = program.functions();
  auto is_place = [&](uint32_t function, uint32_t pc) {
    return function < functions.size() && pc < functions[function].code.size();
  };
  if (!is_place(frame->function, frame->pc)) return in->Fail("a frame in code that the program has not");
  if (LiveRegisters(program, *frame) == nullptr) return in->Fail("a frame where no thread can stop");
  if (in->Take(Key(format::kFrameTail, wire::kLength))) {
    const char* frame_end = nullptr;
    std::string_view calls;
    if (!in->Enter(&frame_end) || !in->Field(format::kTailCount, &frame->tail_count) ||
        !in->Field(format::kTailCalls, &calls) || !in->Leave(frame_end)) {
      return false;
    }
    In numbers(calls);
    while (numbers.ok() && numbers.remaining() > 0) {
      uint32_t& function = frame->tail_calls.emplace_back();
      if (!numbers.Varint32(&function)) break;
      const uint32_t of = function;  // pc: behind the tail call
      uint32_t& pc = frame->tail_calls.emplace_back();
      if (!numbers.Varint32(&pc) || pc == 0 || !is_place(of, pc - 1))
        return in->Fail("a tail call in code that the program has not");
    }
    if (!numbers.ok() || frame->tail_count == 0 ||
        frame->tail_calls.size() != 2 * std::min(frame->tail_count, kTailCallsKept)) {
      return in->Fail("tail calls that are not as many as there must be");
    }
  }
  return in->Leave(outer);
}

const std::vector<bool>* LiveRegisters(const Program& program, const FrameRecord& frame) {
  return program.functions()[frame.function].LiveAt(frame.pc);
}

bool CallBelow(const Program& program, const FrameRecord& frame, uint32_t* window, uint32_t* return_to) {
  if (frame.pc == 0) return false;
  const Function& function = program.functions()[frame.function];
  const Instruction& i = function.code[frame.pc - 1];
  switch (i.op) {
    case kCall:
      *window = i.a + 1u;
      *return_to = i.c;
      return true;
    case kCallFunction:
      *window = i.a;
      *return_to = i.c;
      return true;
    case kApply:
      *window = function.registers;
      *return_to = i.a;
      return true;
    default:
      return false;
  }
}

class CheckpointReader {
 public:
  CheckpointReader(std::string_view state, std::shared_ptr<const Program> program)
      : state_(state), in_(state.substr(0, state.size() - format::kCheckBytes)), program_(std::move(program)) {}

  Result<std::unique_ptr<Thread>> Read(const SegmentSource& segment_of) {
    DecodeContext context;
    context.program = program_.get();
    Sha256 wanted{};
    std::string_view tid;
    uint64_t version = 0;
    if (!in_.Field(format::kStateVersion, &version) || !ReadHash(&in_, format::kStateProgram, &wanted)) return Bad();
    if (wanted != program_->hash()) return OtherProgram(wanted, program_->hash());
    Status loaded = LoadSegments(state_.substr(0, state_.size() - format::kCheckBytes), segment_of, &context);
    if (!loaded.ok()) return loaded.failure();
    if (!in_.Field(format::kStateTid, &tid)) return Bad();
    if (!IsValidUtf8(tid)) return Bad("a thread's name that is not UTF-8");
    thread_.reset(new Thread(program_, std::string(tid)));
    if (!in_.Field(format::kStateNextStep, &thread_->next_step_) ||
        !in_.Field(format::kStateClosures, &thread_->closures_) || !ReadPending() || !ReadFrames(context) ||
        !PlaceFrames() || !ReadRegisters(&context) || !Restart()) {
      return Bad();
    }
    return CheckCanonical();
  }

 private:
  Failure Bad() const { return CorruptAt("state", in_); }
  Failure Bad(const char* what) {
    in_.Fail(what);
    return Bad();
  }

  bool ReadPending() {
    if (!in_.Take(Key(format::kStatePending, wire::kLength))) return in_.ok();
    pending_ = true;
    const char* outer = nullptr;
    return in_.Enter(&outer) && in_.Field(format::kPendingFirst, &pending_first_) &&
           in_.Field(format::kPendingCount, &pending_count_) && in_.Field(format::kPendingSecond, &pending_second_) &&
           in_.Leave(outer);
  }

  bool ReadFrames(const DecodeContext& context) {
    uint64_t groups = 0;
    std::string_view refs;
    if (!in_.Field(format::kStateFrameGroups, &groups) || !in_.Field(format::kStateFrameRefs, &refs)) return false;
    if (groups == 0 && !refs.empty()) return in_.Fail("hashes of no groups of frames");
    std::vector<const DecodedSegment*> leaves;
    if (groups > 0 && (groups > kFramesMax || !LeavesOf(context.segments, groups, refs, format::kFrames, &leaves))) {
      return in_.Fail("groups of frames that are not as they must be");
    }
    for (const DecodedSegment* leaf : leaves) {
      if (frames_.size() + leaf->frames.size() > kFramesMax) return in_.Fail("more frames than a thread can have");
      frames_.insert(frames_.end(), leaf->frames.begin(), leaf->frames.end());
      sealed_values_.insert(sealed_values_.end(), leaf->values.begin(), leaf->values.end());
    }
    sealed_ = frames_.size();
    while (in_.Take(Key(format::kStateFrames, wire::kLength))) {
      if (frames_.size() == kFramesMax) return in_.Fail("more frames than a thread can have");
      if (!ReadFrame(&in_, *program_, &frames_.emplace_back())) return false;
    }
    if (!in_.ok()) return false;
    return frames_.size() > sealed_ || in_.Fail("a thread without frames");
  }

  // Windows and calls must fit each other, from the bottom of the stack to its top.
  bool PlaceFrames() {
    const std::vector<Function>& functions = program_->functions();
    uint64_t base = 0;
    uint64_t registers = 0;
    for (size_t i = 0; i < frames_.size(); i++) {
      const FrameRecord& frame = frames_[i];
      uint32_t window = 0;
      uint32_t return_to = 0;
      if (i > 0 && !CallBelow(*program_, frames_[i - 1], &window, &return_to))
        return in_.Fail("a frame below another that calls nothing");
      if (frame.window != window || frame.return_to != return_to)
        return in_.Fail("a frame that is not where its call puts it");
      base += window;
      registers = std::max(registers, base + functions[frame.function].registers);
      if (registers > kStackRegistersMax) return in_.Fail("more registers than a thread can have");
      bases_.push_back(static_cast<uint32_t>(base));
    }
    [[maybe_unused]] const bool room = thread_->EnsureRegisters(registers);
    assert(room);
    return true;
  }

  bool IsKept(uint32_t reg) const {
    return pending_ &&
           ((reg >= pending_first_ && reg - pending_first_ < pending_count_) || reg + uint64_t{1} == pending_second_);
  }

  bool ReadRegisters(DecodeContext* context) {
    CellDecoder cells(context, format::kStateValues);
    size_t next_sealed = 0;
    for (size_t i = 0; i < frames_.size(); i++) {
      const std::vector<bool>& live = *LiveRegisters(*program_, frames_[i]);
      const bool top = i + 1 == frames_.size();
      const size_t count = top ? live.size() : std::min<size_t>(live.size(), bases_[i + 1] - bases_[i]);
      Value* registers = thread_->registers_ + bases_[i];
      for (uint32_t n = 0; n < count; n++) {
        if (!live[n] && !(top && IsKept(n))) continue;
        if (i >= sealed_) {
          if (in_.remaining() == 0) return in_.Fail("fewer values than there must be");
          if (!cells.ReadOne(&in_, &registers[n])) return false;
        } else {
          if (next_sealed == sealed_values_.size()) return OtherRegisters();
          registers[n] = std::move(sealed_values_[next_sealed++]);
        }
      }
    }
    if (!in_.AtEnd()) return false;
    if (next_sealed != sealed_values_.size()) return OtherRegisters();
    // A state so small that nothing in it can need cutting has one form only, which was read.
    plain_ = context->segments.empty() && cells.plain() && state_.size() < format::kChunkBytes &&
             frames_.size() <= format::kChunkFrames;
    return true;
  }
  bool OtherRegisters() { return in_.Fail("a group of frames has other registers than its code"); }

  bool Restart() {
    thread_->frames_.reserve(static_cast<uint32_t>(frames_.size()));
    for (size_t i = 0; i < frames_.size(); i++) {
      const FrameRecord& record = frames_[i];
      Frame frame{record.function, record.pc, bases_[i], record.return_to, 0};
      if (record.tail_count > 0) {
        Thread::TailHistory& history = thread_->tail_histories_.emplace_back();
        history.count = record.tail_count;
        uint32_t n = record.tail_count - static_cast<uint32_t>(record.tail_calls.size() / 2);
        for (size_t call = 0; call < record.tail_calls.size(); call += 2, n++) {
          history.ring[n % kTailCallsKept] = {record.tail_calls[call], record.tail_calls[call + 1]};
        }
        frame.tail_history = static_cast<uint32_t>(thread_->tail_histories_.size());
      }
      thread_->frames_.push_back(frame);
    }
    thread_->state_ = RunState::kBudget;
    if (!pending_) return true;
    const FrameRecord& top = frames_.back();
    if (top.pc == 0) return in_.Fail("a request that no instruction made");
    const Value* registers = thread_->registers_ + bases_.back();
    const RequestPlace place = RequestOf(program_->functions()[top.function].code[top.pc - 1], registers);
    const bool same = place.kind != RequestKind::kNone && place.first == pending_first_ &&
                      place.count == pending_count_ &&
                      (place.spread ? place.second + uint64_t{1} : 0) == pending_second_;
    if (!same || (place.spread && registers[place.second].tag() != Tag::kList) || !thread_->RebuildRequest()) {
      return in_.Fail("a request that its instruction does not make");
    }
    return true;
  }

  // What was read must give the same bytes again: that proves every cut and every choice of form, and leaves the thread
  // knowing which segments there are.
  Result<std::unique_ptr<Thread>> CheckCanonical() {
    if (plain_) {
      thread_->low_water_ = thread_->frames_.size();
      return std::move(thread_);
    }
    Result<Checkpoint> again = WriteCheckpoint(*thread_);
    if (!again.ok()) return again.failure();
    const std::string& bytes = again->state;
    if (bytes != state_ && !TEAL_MUTANT("checkpoint_takes_other_forms")) {
      const size_t shorter = std::min(bytes.size(), state_.size());
      const auto at =
          std::mismatch(bytes.begin(), bytes.begin() + static_cast<ptrdiff_t>(shorter), state_.begin()).first -
          bytes.begin();
      return Corrupt("state: not in the one form that this state has, from byte " + std::to_string(at) + " on");
    }
    return std::move(thread_);
  }

  std::string_view state_;
  In in_;
  std::shared_ptr<const Program> program_;
  std::unique_ptr<Thread> thread_;
  bool pending_ = false;
  uint32_t pending_first_ = 0, pending_count_ = 0, pending_second_ = 0;
  Scratch<FrameRecord> frames_scratch_;
  Scratch<uint32_t> bases_scratch_;
  std::vector<FrameRecord>& frames_ = *frames_scratch_;
  std::vector<uint32_t>& bases_ = *bases_scratch_;
  std::vector<Value> sealed_values_;  // the live registers of the frames from segments
  size_t sealed_ = 0;                 // frames from segments
  bool plain_ = false;                // nothing is cut
};

Result<std::unique_ptr<Thread>> ReadCheckpoint(std::string_view state, std::shared_ptr<const Program> program,
                                               const SegmentSource& segment_of) {
  Status checked = CheckFrame("state", state);
  if (!checked.ok()) return checked.failure();
  return CheckpointReader(state, std::move(program)).Read(segment_of);
}

Result<Sha256> ProgramOfCheckpoint(std::string_view state) {
  Status checked = CheckFrame("state", state);
  if (!checked.ok()) return checked.failure();
  In in(state.substr(0, state.size() - format::kCheckBytes));
  uint64_t version = 0;
  Sha256 hash{};
  if (!in.Field(format::kStateVersion, &version) || !ReadHash(&in, format::kStateProgram, &hash))
    return CorruptAt("state", in);
  return hash;
}

Result<Value> DecodeValue(std::string_view bytes, const Program* program) {
  Status checked = CheckFrame("value", bytes);
  if (!checked.ok()) return checked.failure();
  In in(bytes.substr(0, bytes.size() - format::kCheckBytes));
  uint64_t version = 0;
  DecodeContext context;
  context.program = program;
  CellDecoder cells(&context, format::kSingleValues);
  Value value;
  if (!in.Field(format::kSingleVersion, &version) || !cells.ReadOne(&in, &value) || !in.AtEnd()) {
    if (!cells.needs_program()) return CorruptAt("value", in);
    return Fail(FailureCode::kInvalid,
                "value: " + std::string(in.error()) + ", at byte " + std::to_string(in.error_offset()));
  }
  return value;
}

}  // namespace teal::vm
