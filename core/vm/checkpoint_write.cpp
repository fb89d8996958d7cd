// A thread, or a single value, as bytes.
#include <algorithm>

#include "core/base/mutant.h"
#include "core/vm/checkpoint.h"
#include "core/vm/checkpoint_cells.h"
#include "core/vm/checkpoint_crc.h"
#include "core/vm/checkpoint_encoder.h"

namespace teal::vm {
namespace {

using wire::FieldSize;
using wire::Key;

void WriteCheck(wire::Out* out, uint32_t field) {
  uint32_t crc = Crc32c(out->view());
  out->Varint(Key(field, wire::kFixed32));
  out->Fixed32(crc);
}

Failure StateTooLarge() {
  return Fail(FailureCode::kTooLarge, "the thread's state is larger than " + std::to_string(kStateBytesMax >> 20) +
                                          " MiB, the most that a thread can keep");
}

std::string_view BytesOf(const std::vector<Sha256>& hashes) {
  return {reinterpret_cast<const char*>(hashes.data()), hashes.size() * sizeof(Sha256)};
}

}  // namespace

class CheckpointWriter {
 public:
  explicit CheckpointWriter(Thread& thread) : thread_(thread), functions_(thread.program_->functions()) {}

  Result<Checkpoint> Write() {
    assert(thread_.state_ == RunState::kRequest || thread_.state_ == RunState::kBudget);
    assert(!thread_.frames_.empty());
    if (thread_.state_ == RunState::kRequest) {
      place_ = RequestOf(TopInstruction(), RegistersOf(thread_.frames_.size() - 1));
      assert(place_.kind != RequestKind::kNone);
    }
    if (!IsSmall()) return WriteLarge();
    ValueEncoder encoder(nullptr);
    CellStream stream(format::kStateValues);
    WriteState(&encoder, &stream, {});
    thread_.checkpoint_memo_.reset();
    thread_.low_water_ = thread_.frames_.size();
    return Checkpoint{std::string(stream.out.view()), {}};
  }

 private:
  const Instruction& TopInstruction() const {
    const Frame& top = thread_.frames_.back();
    assert(top.pc > 0);
    return functions_[top.function].code[top.pc - 1];
  }
  const Value* RegistersOf(uint32_t frame) const { return thread_.registers_ + thread_.frames_[frame].base; }

  // Whether the top frame keeps a register for its pending request.
  bool IsKept(uint32_t reg) const {
    return place_.kind != RequestKind::kNone &&
           ((reg >= place_.first && reg - place_.first < place_.count) || (place_.spread && reg == place_.second));
  }

  // The registers that stand in the checkpoint, in order, until f gives false.
  template <typename F>
  bool EachLive(uint32_t frame, F f) const {
    const Frame& at = thread_.frames_[frame];
    const std::vector<bool>* live = functions_[at.function].LiveAt(at.pc);
    assert(live != nullptr);
    const Value* registers = RegistersOf(frame);
    const bool top = frame + 1 == thread_.frames_.size();
    // What stands in the callee's window belongs to the callee.
    const size_t count = top ? live->size() : std::min<size_t>(live->size(), WindowOf(frame + 1));
    for (uint32_t n = 0; n < count; n++) {
      if (((*live)[n] || (top && IsKept(n))) && !f(registers[n])) return false;
    }
    return true;
  }

  uint32_t WindowOf(uint32_t frame) const {
    return frame == 0 ? thread_.frames_[0].base : thread_.frames_[frame].base - thread_.frames_[frame - 1].base;
  }

  template <typename F>
  void EachTailCall(const Thread::TailHistory& history, F f) const {
    for (uint32_t n = history.count - std::min(history.count, kTailCallsKept); n != history.count; n++) {
      f(history.ring[n % kTailCallsKept].function);
      f(history.ring[n % kTailCallsKept].pc);
    }
  }

  const Thread::TailHistory* TailOf(uint32_t frame) const {
    uint32_t index = thread_.frames_[frame].tail_history;
    return index == 0 || TEAL_MUTANT("checkpoint_forgets_tail_calls") ? nullptr : &thread_.tail_histories_[index - 1];
  }

  uint64_t TailBytes(const Thread::TailHistory& history, uint64_t* calls) const {
    *calls = 0;
    EachTailCall(history, [&](uint32_t n) { *calls += wire::VarintSize(n); });
    return FieldSize(format::kTailCount, history.count) + 1 + wire::VarintSize(*calls) + *calls;
  }

  uint64_t FrameBytes(uint32_t frame) const {
    const Frame& at = thread_.frames_[frame];
    uint64_t bytes = FieldSize(format::kFrameFunction, at.function) + FieldSize(format::kFramePc, at.pc) +
                     FieldSize(format::kFrameWindow, WindowOf(frame)) + FieldSize(format::kFrameReturnTo, at.return_to);
    if (const Thread::TailHistory* history = TailOf(frame)) {
      uint64_t calls = 0;
      uint64_t tail = TailBytes(*history, &calls);
      bytes += 1 + wire::VarintSize(tail) + tail;
    }
    return bytes;
  }

  void WriteFrame(wire::Out* out, uint32_t field, uint32_t frame) const {
    const Frame& at = thread_.frames_[frame];
    out->Varint(Key(field, wire::kLength));
    out->Varint(FrameBytes(frame));
    out->Field(format::kFrameFunction, at.function);
    out->Field(format::kFramePc, at.pc);
    out->Field(format::kFrameWindow, WindowOf(frame));
    out->Field(format::kFrameReturnTo, at.return_to);
    if (const Thread::TailHistory* history = TailOf(frame)) {
      uint64_t calls = 0;
      uint64_t tail = TailBytes(*history, &calls);
      out->Varint(Key(format::kFrameTail, wire::kLength));
      out->Varint(tail);
      out->Field(format::kTailCount, history->count);
      out->Varint(Key(format::kTailCalls, wire::kLength));
      out->Varint(calls);
      EachTailCall(*history, [&](uint32_t n) { out->Varint(n); });
    }
  }

  // What a frame weighs, its registers measured already.
  template <typename Measure>
  uint64_t FrameWeight(uint32_t frame, Measure measure) const {
    uint64_t weight = CellBytes(FrameBytes(frame));
    EachLive(frame, [&](const Value& value) {
      weight += measure(value);
      return true;
    });
    return weight;
  }

  // Whether nothing can need cutting: neither a value nor the stack.
  bool IsSmall() const {
    if (thread_.frames_.size() > format::kChunkFrames) return false;
    SmallMeasure measure;
    for (uint32_t frame = 0; frame < thread_.frames_.size(); frame++) {
      if (!measure.AddBytes(CellBytes(FrameBytes(frame)))) return false;
      if (!EachLive(frame, [&](const Value& value) { return measure.Add(value); })) return false;
    }
    return true;
  }

  // Seals the full groups of frames below the top one; those of frames that were not touched since are there already.
  void SealFrames(ValueEncoder* encoder, SegmentSet* segments, Seals* seals) const {
    const uint32_t below = thread_.frames_.size() - 1;
    if (!TEAL_MUTANT("checkpoint_reuses_touched_frames"))
      seals->Truncate(std::min(below, thread_.low_water_ == 0 ? 0 : thread_.low_water_ - 1));
    auto start = static_cast<uint32_t>(seals->sealed());
    uint64_t weight = 0;
    for (uint32_t frame = start; frame < below; frame++) {
      weight += FrameWeight(frame, [&](const Value& value) { return encoder->Measure(value); });
      if ((frame + 1) % format::kChunkFrames != 0 && weight < format::kChunkBytes) continue;
      CellStream stream(format::kSegmentValues);
      stream.out.Field(format::kSegmentKind, format::kFrames);
      WriteFrames(&stream.out, format::kSegmentFrames, start, frame + 1);
      WriteRegisters(encoder, &stream, start, frame + 1);
      segments->Seal(seals, segments->Add(stream.out.view(), std::move(stream.children)), frame + 1);
      start = frame + 1;
      weight = 0;
    }
  }

  void WriteFrames(wire::Out* out, uint32_t field, uint32_t from, uint32_t to) const {
    for (uint32_t frame = from; frame < to; frame++) WriteFrame(out, field, frame);
  }
  void WriteRegisters(ValueEncoder* encoder, CellStream* stream, uint32_t from, uint32_t to) const {
    for (uint32_t frame = from; frame < to; frame++) {
      EachLive(frame, [&](const Value& value) {
        encoder->Emit(stream, value);
        return true;
      });
    }
  }

  void WriteState(ValueEncoder* encoder, CellStream* stream, const Seals& frames) const {
    wire::Out* out = &stream->out;
    const Sha256& program = thread_.program_->hash();
    out->Field(format::kStateVersion, format::kVersion);
    out->Field(format::kStateProgram, {reinterpret_cast<const char*>(program.data()), program.size()});
    out->Field(format::kStateTid, thread_.tid_);
    out->Field(format::kStateNextStep, TEAL_MUTANT("checkpoint_forgets_steps") ? 0 : thread_.next_step_);
    out->Field(format::kStateClosures, TEAL_MUTANT("checkpoint_forgets_closures") ? 0 : thread_.closures_);
    if (place_.kind != RequestKind::kNone && !TEAL_MUTANT("checkpoint_forgets_request")) {
      const uint64_t second = place_.spread ? place_.second + uint64_t{1} : 0;
      out->Varint(Key(format::kStatePending, wire::kLength));
      out->Varint(FieldSize(format::kPendingFirst, place_.first) + FieldSize(format::kPendingCount, place_.count) +
                  FieldSize(format::kPendingSecond, second));
      out->Field(format::kPendingFirst, place_.first);
      out->Field(format::kPendingCount, place_.count);
      out->Field(format::kPendingSecond, second);
    }
    out->Field(format::kStateFrameGroups, frames.ends.size());
    std::vector<Sha256> refs;
    frames.EachRoot([&](const Sha256& root) { refs.push_back(root); });
    out->Field(format::kStateFrameRefs, BytesOf(refs));
    stream->children.insert(stream->children.end(), refs.begin(), refs.end());
    const auto start = static_cast<uint32_t>(frames.sealed());
    WriteFrames(out, format::kStateFrames, start, thread_.frames_.size());
    WriteRegisters(encoder, stream, start, thread_.frames_.size());
    WriteCheck(out, format::kStateCheck);
  }

  Result<Checkpoint> WriteLarge() {
    if (thread_.checkpoint_memo_ == nullptr) thread_.checkpoint_memo_ = std::make_shared<CheckpointMemo>();
    CheckpointMemo& memo = *thread_.checkpoint_memo_;
    SegmentSet segments(memo);
    ValueEncoder encoder(&segments);
    SealFrames(&encoder, &segments, &memo.frames);
    for (auto frame = static_cast<uint32_t>(memo.frames.sealed()); frame < thread_.frames_.size(); frame++) {
      EachLive(frame, [&](const Value& value) {
        encoder.Measure(value);
        return true;
      });
    }
    CellStream stream(format::kStateValues);
    if (!segments.full()) {
      WriteState(&encoder, &stream, memo.frames);
      memo.Replace(segments.TakeGraph(), std::move(stream.children));
    }
    if (segments.full() || stream.out.size() + memo.bytes > kStateBytesMax) {
      thread_.checkpoint_memo_.reset();
      return StateTooLarge();
    }
    thread_.low_water_ = thread_.frames_.size();
    if (memo.nodes.empty()) thread_.checkpoint_memo_.reset();
    return Checkpoint{std::string(stream.out.view()), segments.TakeSegments()};
  }

  Thread& thread_;
  const std::vector<Function>& functions_;
  RequestPlace place_;
};

Result<Checkpoint> WriteCheckpoint(Thread& thread) {
  return CheckpointWriter(thread).Write();
}

Result<std::string> EncodeValue(const Value& value) {
  ValueEncoder encoder(nullptr);
  CellStream stream(format::kSingleValues);
  stream.out.Field(format::kSingleVersion, format::kVersion);
  encoder.Emit(&stream, value);
  WriteCheck(&stream.out, format::kSingleCheck);
  if (stream.out.size() > kValueBytesMax) {
    return Fail(FailureCode::kTooLarge, "a value of " + std::to_string(stream.out.size()) + " bytes is larger than " +
                                            std::to_string(kValueBytesMax >> 20) +
                                            " MiB, the most that a value can have");
  }
  return std::string(stream.out.view());
}

}  // namespace teal::vm
