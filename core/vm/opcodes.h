// The instruction set: this header is the specification. docs/formats/bytecode.md is written from it.
//
// Version history
//   1  first version
//
// Encoding. An instruction is 8 bytes, little-endian: op u8, flags u8, a u16, b u16, c u16. `d` is b and c read as one
// signed 32-bit number (b low). R[n] is register n of the running frame, K[n] constant n of the program, F[n] function
// n, X[n] foreign import n. `imm` is an operand read as a signed 16-bit number. Jumps are relative to the next
// instruction, in instructions; a taken jump with a negative offset, and every call, counts against the budget.
//
// Frames. A call's frame begins at the caller's R[a] (first argument), so arguments are not copied. Parameters come
// first, then captured values, then, in a function with `self_register`, the closure itself. All other registers of a
// new frame are null. A call ends the life of every register of the caller from the callee's first register on: they
// are released and null afterwards. On return every register of the frame is released and null again: registers above
// the top frame are always null.
//
// A function value in R[a] of kCall and kTailCall is consumed like the arguments. Calls that may meet a builtin or a
// foreign function leave their request standing in the caller's frame, with R[a] and the arguments, until it is
// answered; kTailCall is then an ordinary call into R[a], and therefore the instruction after a kTailCall must be
// kReturn of the same R[a].
//
// Ownership. Where flags say kTakeB (kTakeC), R[b] (R[c]) is dead afterwards: the instruction may move it out, and must
// leave it null if it is a heap value. Argument registers of calls are always consumed. An instruction that fails
// leaves a register that it both takes from and writes as it was: a handler may read it.
//
// Suspension points. The next instruction after kCall, kCallFunction, kTailCall, kApply, kCallForeign, kSpawn, kAwait
// and kHost must have a live map; a backward jump's target may have one: there the budget can stop the thread, unless
// the target stands right after one of these instructions (its map lacks their destination). Entry (pc 0) is always
// one: without a map of its own it needs the parameters, captures and self.
//
// Errors. An instruction that fails raises an error value at its own pc; handlers are found in the function's handler
// table, innermost first. Suspension. CALLX, SPAWN, AWAIT and HOST stop the machine with a request; its answer goes to
// the destination and the thread goes on with the next instruction, or the answer is an error, raised at the
// instruction itself.
//
// Limits: 65,535 functions, registers a frame <= kRegistersMax, constants < 2^31 (those named by a 16-bit operand <
// 65,536), instructions a function < 2^31.
#pragma once

#include <cstdint>

namespace teal::vm {

inline constexpr uint32_t kBytecodeVersion = 1;
inline constexpr uint32_t kRegistersMax = 60000;
inline constexpr uint32_t kFunctionsMax = 65535;
inline constexpr uint32_t kParametersMax = 255;
inline constexpr uint32_t kConstantDepthMax = 200;  // lists and hashes within each other; the compiler folds no deeper

enum InstructionFlags : uint8_t {
  kTakeB = 1,
  kTakeC = 2,
  kKeywords =
      4,  // kCall kTailCall kApply kCallForeign kSpawn: the last argument is a hash of keyword arguments, by name
};

struct Instruction {
  uint8_t op;
  uint8_t flags;
  uint16_t a;
  uint16_t b;
  uint16_t c;

  int32_t d() const { return static_cast<int32_t>(static_cast<uint32_t>(b) | static_cast<uint32_t>(c) << 16); }
  int16_t immB() const { return static_cast<int16_t>(b); }
  int16_t immC() const { return static_cast<int16_t>(c); }
};
static_assert(sizeof(Instruction) == 8);

// X(name, operands, meaning). Operands name how a, b, c are used, for the verifier, the listing and the docs:
//   W register written   R register read   T register read, consumed if flagged   U register consumed and written
//   B first of a range of registers
//   K constant   N number   I immediate   F function   X import   H builtin id (host)   P builtin id (pure)
//   J jump in c (16 bits)   D jump in d (32 bits)   L immediate in d   Q constant in d   - unused
// clang-format off: a row a line
#define TEAL_OPCODES(X)                                                                                              \
  /* moving */                                                                                                       \
  X(kNop, "---", "nothing")                                                                                          \
  X(kMove, "WR-", "R[a] = R[b]")                                                                                     \
  X(kTake, "WR-", "R[a] = R[b]; R[b] = null")                                                                        \
  X(kLoadNull, "W--", "R[a] = null")                                                                                 \
  X(kLoadTrue, "W--", "R[a] = true")                                                                                 \
  X(kLoadFalse, "W--", "R[a] = false")                                                                               \
  X(kLoadInt, "WL-", "R[a] = d")                                                                                     \
  X(kLoadConst, "WQ-", "R[a] = K[d]")                                                                                \
  X(kLoadFunction, "WF-", "R[a] = F[b], a function without captures")                                                \
  X(kLoadBuiltin, "WN-", "R[a] = the builtin with id b")                                                             \
  X(kLoadForeign, "WX-", "R[a] = X[b]")                                                                              \
  X(kClosure, "WFB", "R[a] = closure of F[b] over R[c ..], consumed; as many as F[b] captures")                       \
  /* arithmetic; integers that leave 64 bits raise overflow */                                                       \
  X(kAdd, "WTT", "R[a] = R[b] + R[c]; numbers, two strings, two bytes, two lists")                                   \
  X(kSub, "WRR", "R[a] = R[b] - R[c]")                                                                               \
  X(kMul, "WRR", "R[a] = R[b] * R[c]")                                                                               \
  X(kDiv, "WRR", "R[a] = R[b] / R[c], a float")                                                                      \
  X(kMod, "WRR", "R[a] = R[b] % R[c], sign of the divisor")                                                          \
  X(kAddImm, "WRI", "R[a] = R[b] + imm c")                                                                           \
  X(kAddConst, "WTK", "R[a] = R[b] + K[c]")                                                                          \
  X(kSubConst, "WRK", "R[a] = R[b] - K[c]")                                                                          \
  X(kMulConst, "WRK", "R[a] = R[b] * K[c]")                                                                          \
  X(kDivConst, "WRK", "R[a] = R[b] / K[c]")                                                                          \
  X(kModConst, "WRK", "R[a] = R[b] % K[c]")                                                                          \
  X(kNegate, "WR-", "R[a] = -R[b]")                                                                                  \
  X(kNot, "WR-", "R[a] = !R[b]")                                                                                     \
  /* comparison */                                                                                                   \
  X(kEqual, "WRR", "R[a] = R[b] == R[c]")                                                                            \
  X(kNotEqual, "WRR", "R[a] = R[b] != R[c]")                                                                         \
  X(kLess, "WRR", "R[a] = R[b] < R[c]")                                                                              \
  X(kLessEqual, "WRR", "R[a] = R[b] <= R[c]")                                                                        \
  /* jumps */                                                                                                        \
  X(kJump, "-D-", "to d")                                                                                            \
  X(kJumpIfTrue, "RD-", "to d if R[a] is neither null nor false")                                                    \
  X(kJumpIfFalse, "RD-", "to d if R[a] is null or false")                                                            \
  X(kJumpEqual, "RRJ", "to c if R[a] == R[b]")                                                                       \
  X(kJumpNotEqual, "RRJ", "to c if R[a] != R[b]")                                                                    \
  X(kJumpLess, "RRJ", "to c if R[a] < R[b]")                                                                         \
  X(kJumpNotLess, "RRJ", "to c unless R[a] < R[b]")                                                                  \
  X(kJumpLessEqual, "RRJ", "to c if R[a] <= R[b]")                                                                   \
  X(kJumpNotLessEqual, "RRJ", "to c unless R[a] <= R[b]")                                                            \
  X(kJumpEqualImm, "RIJ", "to c if R[a] == imm b")                                                                   \
  X(kJumpNotEqualImm, "RIJ", "to c if R[a] != imm b")                                                                \
  X(kJumpLessImm, "RIJ", "to c if R[a] < imm b")                                                                     \
  X(kJumpNotLessImm, "RIJ", "to c unless R[a] < imm b")                                                              \
  X(kJumpGreaterImm, "RIJ", "to c if R[a] > imm b")                                                                  \
  X(kJumpNotGreaterImm, "RIJ", "to c unless R[a] > imm b")                                                           \
  X(kJumpEqualConst, "RKJ", "to c if R[a] == K[b]")                                                                  \
  X(kJumpNotEqualConst, "RKJ", "to c if R[a] != K[b]")                                                               \
  X(kJumpCancelled, "RD-", "to d if R[a] is an error of kind `cancelled`")                                           \
  /* loops. Range: R[a] next, R[a+1] end (exclusive), R[a+2] step, R[a+3] the loop variable */                       \
  X(kRangePrepare, "BD-", "checks that R[a ..a+2] are integers and the step is not 0; to d if the range is empty, else R[a+3] = R[a], R[a] += R[a+2]") \
  X(kRangeLoop, "BD-", "if another turn is due: R[a+3] = R[a], R[a] += R[a+2] (or marks the end where that would overflow), to d") \
  /* Iteration: R[a] the collection, R[a+1] position, R[a+2] the element or key, R[a+3] the value (hash with two names) */ \
  X(kIterPrepare, "BN-", "checks that R[a] can be iterated (b: number of loop variables); R[a+1] = 0")                \
  X(kIterNext1, "BD-", "next element (hash: key) into R[a+2], to d; past the end: goes on with the next instruction") \
  X(kIterNext2, "BD-", "next key and value of a hash (list, string, bytes: index and element) into R[a+2], R[a+3], to d; past the end: goes on") \
  /* calls. Arguments stand in consecutive registers */                                                              \
  X(kCall, "BNW", "R[c] = R[a](R[a+1] .. R[a+b])")                                                                   \
  X(kCallFunction, "BFW", "R[c] = F[b](R[a] ..); the count is right, checked by the compiler and the verifier")       \
  X(kCallBuiltin, "BNP", "R[a] = builtin c (R[a] .. R[a+b-1])")                                                      \
  X(kTailCall, "BN-", "return R[a](R[a+1] .. R[a+b]); kReturn R[a] must follow")                                     \
  X(kTailCallFunction, "BF-", "return F[b](R[a] ..)")                                                                \
  X(kApply, "WRR", "R[a] = R[b](elements of the list R[c])")                                                         \
  X(kReturn, "R--", "return R[a], consumed")                                                                         \
  X(kReturnNull, "---", "return null")                                                                               \
  /* suspension */                                                                                                   \
  X(kCallForeign, "BNX", "R[a] = X[c](R[a] .. R[a+b-1]): request")                                                   \
  X(kSpawn, "BNW", "R[c] = future of a new thread running R[a](R[a+1] .. R[a+b]): request")                          \
  X(kAwait, "WR-", "R[a] = value of the future R[b]: request; what is no future is given back")                      \
  X(kHost, "BNH", "R[a] = host builtin c (R[a] .. R[a+b-1]): request")                                               \
  /* data */                                                                                                         \
  X(kNewList, "WBN", "R[a] = list of R[b] .. R[b+c-1], consumed")                                                    \
  X(kNewHash, "WBN", "R[a] = hash of c pairs from R[b], consumed")                                                   \
  X(kAppend, "WTT", "R[a] = append(R[b], R[c])")                                                                     \
  X(kIndex, "WRR", "R[a] = R[b][R[c]]")                                                                              \
  X(kIndexImm, "WRI", "R[a] = R[b][imm c]")                                                                          \
  X(kField, "WRK", "R[a] = R[b].K[c], K[c] a string")                                                                \
  X(kSlice, "WB-", "R[a] = R[b][R[b+1] : R[b+2]], null = open; consumed")                                            \
  X(kSetItem, "WB-", "R[a] = set(R[b], R[b+1], R[b+2]), consumed")                                                   \
  X(kFormat, "WBN", "R[a] = the display forms of R[b] .. R[b+c-1] joined, consumed")                                 \
  /* errors */                                                                                                       \
  X(kRaise, "R--", "raises the error value R[a]; its trace is filled here unless it has one (a re-raise)")           \
  X(kRaiseNew, "B--", "raises a new error of kind R[a], message R[a+1], data R[a+2], consumed")                      \
  X(kSuppress, "B--", "an error R[a+1] came up in a finally while R[a] was pending: R[a+1].data.suppressed = R[a] (if R[a] is an error)") \
  X(kSubImm, "WRI", "R[a] = R[b] - imm c")                                                                           \
  X(kUpdate, "UTT", "R[a] = set(R[a], R[b], R[c])")
// clang-format on

enum Opcode : uint8_t {
#define TEAL_ENUM(name, operands, meaning) name,
  TEAL_OPCODES(TEAL_ENUM)
#undef TEAL_ENUM
      kOpcodeCount,
};

}  // namespace teal::vm
