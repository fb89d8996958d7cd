// Which registers are needed where: the live maps of suspension points, and who may give its value away.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/lang/emit.h"
#include "core/vm/opcodes.h"

namespace teal::lang {

// What the analysis must know of the program's other functions, by index.
struct FunctionShape {
  uint32_t parameters = 0;
  uint32_t captures = 0;
};

// The registers an instruction reads and the one or two it writes.
struct RegisterUse {
  uint32_t reads[3] = {};  // the first `count` are set
  uint32_t count = 0;
  uint32_t range_first = 0, range_count = 0;  // read as well
  uint32_t writes[2] = {};
  uint32_t write_count = 0;
};
RegisterUse UseOf(const vm::Instruction& instruction, const std::vector<FunctionShape>& functions);

// Can the instruction raise?
bool MayRaise(vm::Opcode op);

struct LiveMaps {
  std::vector<uint32_t> pcs;      // strictly increasing
  std::vector<uint32_t> map_of;   // index into maps
  std::vector<std::string> maps;  // bit n = register n; no trailing zero bytes; distinct
};

// Fills in the maps of code. take: also turns last uses into transfers of ownership (kTake, kTakeB, kTakeC), so that a
// sole owner is changed in place. Never where a handler, or a later turn of a loop, still needs the register.
LiveMaps AnalyseLiveness(Code* code, const std::vector<FunctionShape>& functions, bool take);

}  // namespace teal::lang
