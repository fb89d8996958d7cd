// Bytecode from text, for tests of the machine that must not depend on the compiler.
//
//   import python src.main f            one line each; used as $0, $1, …
//   function main(a, b) registers 6     also: captures 2, self, library, file 1
//   loop: kAddImm r0 r0 -1              a label, the opcode, its operands in the order of opcodes.h, unused ones left
//   out
//     kAdd.bc r1 r1 r2                  flags: b takes R[b], c takes R[c], k keywords
//     kLoadConst r1 "text"              constants stand in place: "text", :symbol, 3.5, #12, true, false, null
//     kCallFunction r1 @other r1        functions by name; builtins as %print
//     handler first last target r3      labels: from first to before last
//   end:
//
// Every label, and every instruction after a call or request, gets a live map of all registers. Each instruction has
// the line where it stands in the text. Functions without captures are entry points. Text that is wrong aborts the
// test.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "core/proto/executable.pb.h"
#include "core/vm/program.h"

namespace teal::vm {

proto::Executable AssembleMessage(std::string_view text);
std::string Assemble(std::string_view text);
// Assembles and loads; a program that Load rejects fails the test with its message.
std::shared_ptr<const Program> Assembled(std::string_view text);
std::string Bytes(const proto::Executable& executable);

}  // namespace teal::vm
