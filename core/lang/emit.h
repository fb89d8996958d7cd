// Builds the code of one function: instructions, labels, handlers, positions.
//
// Nothing is emitted where control cannot come: after a return, raise or jump everything is dropped until a label is
// bound that some kept instruction jumps to. Generators therefore need not care about dead code.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/vm/opcodes.h"

namespace teal::lang {

using Reg = uint32_t;
using Label = uint32_t;

struct CodeHandler {
  uint32_t from, to, target, error_register;
};
struct CodeLocal {
  std::string name;
  uint32_t reg, from, to;
};

// The finished code of one function.
struct Code {
  std::vector<vm::Instruction> instructions;
  std::vector<uint32_t> offsets;      // of the source, one an instruction
  std::vector<CodeHandler> handlers;  // innermost first
  std::vector<CodeLocal> locals;
  uint32_t registers = 0;
};

// An instruction after which the thread may be stopped with an answer to come: calls and requests.
bool SuspendsAfter(vm::Opcode op);
// Control does not go on with the next instruction.
bool EndsControl(vm::Opcode op);
bool IsJump(vm::Opcode op);
// Offset of a jump's target from the next instruction. Precondition: IsJump.
int32_t JumpOffset(const vm::Instruction& instruction);

class CodeBuilder {
 public:
  // Source offset of what is emitted from now on.
  void At(uint32_t offset) { offset_ = offset; }
  uint32_t offset() const { return offset_; }

  void Emit(vm::Opcode op, uint32_t a, uint32_t b = 0, uint32_t c = 0, uint8_t flags = 0);
  void EmitWide(vm::Opcode op, uint32_t a, int32_t d);
  void Move(Reg to, Reg from) {
    if (to != from) Emit(vm::kMove, to, from);
  }

  Label NewLabel();
  void Bind(Label label);
  // For the target of a backward jump. Never stands directly behind an instruction that suspends: the two suspension
  // points would need different maps. entered_below: the way into the loop is a jump to its test further down, which
  // jumps back here.
  void BindLoopHead(Label label, bool entered_below = false);
  void Jump(Label label);
  void JumpIf(vm::Opcode op, uint32_t a, Label label);                   // kJumpIf…, loops: target in d
  void JumpCompare(vm::Opcode op, uint32_t a, uint32_t b, Label label);  // target in c, 16 bits

  uint32_t pc() const { return static_cast<uint32_t>(code_.instructions.size()); }
  bool reachable() const { return reachable_; }
  // The code in [from, to) is covered; goes on at its handler, which begins here. No-op when nothing is covered.
  void Handle(uint32_t from, uint32_t to, Reg error_register);
  void AddLocal(std::string name, Reg reg, uint32_t from, uint32_t to);

  // Resolves labels and threads jumps to jumps. False when a jump is too far for 16 bits: generate again without
  // JumpCompare. The builder is used up.
  bool Finish(uint32_t registers, bool thread_jumps, Code* code);

 private:
  struct Fixup {
    uint32_t pc;
    Label label;
    bool wide;
  };
  struct Target {
    uint32_t pc = UINT32_MAX;
    bool used = false;
  };
  uint32_t Follow(const Fixup& fixup) const;

  Code code_;
  std::vector<Fixup> fixups_;
  std::vector<Target> labels_;
  uint32_t offset_ = 0;
  bool reachable_ = true;
};

}  // namespace teal::lang
