// Checks the code of functions so that the machine need not: after VerifyFunction, every register, constant, function,
// import and builtin that an instruction names exists, every jump lands in the code and nothing runs off its end.
// What values the registers hold is not known here; the machine checks tags as it goes.
#pragma once

#include <string>

#include "core/base/result.h"
#include "core/vm/program.h"

namespace teal::vm {

struct VerifierInput {
  const std::vector<Function>& functions;
  const std::vector<Value>& constants;
  size_t imports;
};

// The registers an instruction touches beside those its letters W, R and T name: `count` from `first` on.
struct RegisterRange {
  uint32_t first = 0;
  uint32_t count = 0;
};
// Of operand letter B, including results that land in its first register. Precondition: function operands are in range.
RegisterRange ImpliedRange(const Instruction& instruction, const std::vector<Function>& functions);

// The operand letters of an instruction, "WRR"; its name, "kAdd". Precondition: op < kOpcodeCount.
const char* OperandsOf(uint8_t op);
const char* NameOf(uint8_t op);

// Whether the instruction may call or suspend, so that the one after it is a suspension point.
bool IsCallOrRequest(uint8_t op);

// Whether a thread may stop at pc, having jumped there or just entered the function. True of the targets of all
// backward jumps, or VerifyFunction refuses them: no thread can run on beyond its budget.
bool CanStopAt(const Function& function, uint32_t pc);

// kCorrupt: "function f, pc 3 (kAdd): register 9 of 4". Precondition: the headers of all functions (parameters,
// captures, registers) were checked.
Status VerifyFunction(const Function& function, const VerifierInput& input);

}  // namespace teal::vm
