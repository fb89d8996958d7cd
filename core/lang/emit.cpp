#include "core/lang/emit.h"

#include <cassert>

namespace teal::lang {

using vm::Instruction;
using vm::Opcode;

bool SuspendsAfter(Opcode op) {
  switch (op) {
    case vm::kCall:
    case vm::kCallFunction:
    case vm::kApply:
    case vm::kCallForeign:
    case vm::kSpawn:
    case vm::kAwait:
    case vm::kHost:
    case vm::kTailCall:
      return true;
    default:
      return false;
  }
}

bool EndsControl(Opcode op) {
  switch (op) {
    case vm::kJump:
    case vm::kReturn:
    case vm::kReturnNull:
    case vm::kTailCallFunction:
    case vm::kRaise:
    case vm::kRaiseNew:
      return true;
    default:
      return false;
  }
}

bool IsJump(Opcode op) {
  switch (op) {
    case vm::kJump:
    case vm::kJumpIfTrue:
    case vm::kJumpIfFalse:
    case vm::kJumpCancelled:
    case vm::kRangePrepare:
    case vm::kRangeLoop:
    case vm::kIterNext1:
    case vm::kIterNext2:
    case vm::kJumpEqual:
    case vm::kJumpNotEqual:
    case vm::kJumpLess:
    case vm::kJumpNotLess:
    case vm::kJumpLessEqual:
    case vm::kJumpNotLessEqual:
    case vm::kJumpEqualImm:
    case vm::kJumpNotEqualImm:
    case vm::kJumpLessImm:
    case vm::kJumpNotLessImm:
    case vm::kJumpGreaterImm:
    case vm::kJumpNotGreaterImm:
    case vm::kJumpEqualConst:
    case vm::kJumpNotEqualConst:
      return true;
    default:
      return false;
  }
}

int32_t JumpOffset(const Instruction& instruction) {
  assert(IsJump(static_cast<Opcode>(instruction.op)));
  const bool narrow = instruction.op >= vm::kJumpEqual && instruction.op <= vm::kJumpNotEqualConst;
  return narrow ? instruction.immC() : instruction.d();
}

void CodeBuilder::Emit(Opcode op, uint32_t a, uint32_t b, uint32_t c, uint8_t flags) {
  if (!reachable_) return;
  assert(a <= UINT16_MAX && b <= UINT16_MAX && c <= UINT16_MAX);
  code_.instructions.push_back(
      {static_cast<uint8_t>(op), flags, static_cast<uint16_t>(a), static_cast<uint16_t>(b), static_cast<uint16_t>(c)});
  code_.offsets.push_back(offset_);
  if (EndsControl(op)) reachable_ = false;
}

void CodeBuilder::EmitWide(Opcode op, uint32_t a, int32_t d) {
  const auto bits = static_cast<uint32_t>(d);
  Emit(op, a, bits & 0xFFFF, bits >> 16);
}

Label CodeBuilder::NewLabel() {
  labels_.emplace_back();
  return static_cast<Label>(labels_.size() - 1);
}

void CodeBuilder::Bind(Label label) {
  assert(labels_[label].pc == UINT32_MAX);
  labels_[label].pc = pc();
  if (labels_[label].used) reachable_ = true;
}

void CodeBuilder::BindLoopHead(Label label, bool entered_below) {
  if (reachable_ && pc() > 0 && SuspendsAfter(static_cast<Opcode>(code_.instructions.back().op))) Emit(vm::kNop, 0);
  Bind(label);
  if (entered_below) reachable_ = true;
}

void CodeBuilder::Jump(Label label) {
  JumpIf(vm::kJump, 0, label);
}

void CodeBuilder::JumpIf(Opcode op, uint32_t a, Label label) {
  if (!reachable_) return;
  fixups_.push_back({pc(), label, true});
  labels_[label].used = true;
  EmitWide(op, a, static_cast<int32_t>(label));
}

void CodeBuilder::JumpCompare(Opcode op, uint32_t a, uint32_t b, Label label) {
  if (!reachable_) return;
  fixups_.push_back({pc(), label, false});
  labels_[label].used = true;
  Emit(op, a, b);
}

void CodeBuilder::Handle(uint32_t from, uint32_t to, Reg error_register) {
  assert(from <= to && to <= pc());
  if (from == to) return;
  code_.handlers.push_back({from, to, pc(), error_register});
  reachable_ = true;
}

void CodeBuilder::AddLocal(std::string name, Reg reg, uint32_t from, uint32_t to) {
  if (from < to) code_.locals.push_back({std::move(name), reg, from, to});
}

// Where a jump ends up when the jumps it leads to are followed. A jump that goes backwards is left as it is: only loop
// heads may be the target of one.
uint32_t CodeBuilder::Follow(const Fixup& fixup) const {
  constexpr int kHopsMax = 64;
  uint32_t target = labels_[fixup.label].pc;
  for (int hop = 0; hop < kHopsMax && target > fixup.pc && target < pc(); ++hop) {
    const Instruction& next = code_.instructions[target];
    if (next.op != vm::kJump) break;
    target = labels_[static_cast<Label>(next.d())].pc;  // still the label: jumps are resolved last
  }
  return target;
}

bool CodeBuilder::Finish(uint32_t registers, bool thread_jumps, Code* code) {
  assert(!reachable_);
  code_.registers = registers;
  std::vector<int32_t> distances(fixups_.size());
  for (size_t i = 0; i < fixups_.size(); ++i) {
    const Fixup& fixup = fixups_[i];
    const uint32_t target = thread_jumps ? Follow(fixup) : labels_[fixup.label].pc;
    assert(target < pc());
    distances[i] = static_cast<int32_t>(target) - static_cast<int32_t>(fixup.pc) - 1;
    if (!fixup.wide && (distances[i] > INT16_MAX || distances[i] < INT16_MIN)) return false;
  }
  for (size_t i = 0; i < fixups_.size(); ++i) {
    Instruction& instruction = code_.instructions[fixups_[i].pc];
    const auto bits = static_cast<uint32_t>(distances[i]);
    if (fixups_[i].wide) {
      instruction.b = static_cast<uint16_t>(bits & 0xFFFF);
      instruction.c = static_cast<uint16_t>(bits >> 16);
    } else {
      instruction.c = static_cast<uint16_t>(bits & 0xFFFF);
    }
  }
  *code = std::move(code_);
  return true;
}

}  // namespace teal::lang
