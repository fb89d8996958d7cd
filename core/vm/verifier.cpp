#include "core/vm/verifier.h"

#include "core/base/mutant.h"
#include "core/vm/builtins.h"

namespace teal::vm {
namespace {

constexpr const char* kNames[] = {
#define X(name, operands, meaning) #name,
    TEAL_OPCODES(X)
#undef X
};
constexpr const char* kOperands[] = {
#define X(name, operands, meaning) operands,
    TEAL_OPCODES(X)
#undef X
};

// Checks one function; the first violation is kept in problem_.
class Verifier {
 public:
  Verifier(const Function& function, const VerifierInput& input) : function_(function), input_(input) {}

  Status Run() {
    const auto size = static_cast<uint32_t>(function_.code.size());
    if (size == 0) return Fail(FailureCode::kCorrupt, "function " + function_.name + ": no code");
    if (function_.code.size() > INT32_MAX)
      return Fail(FailureCode::kCorrupt, "function " + function_.name + ": too long");
    for (pc_ = 0; pc_ < size; pc_++) {
      const Instruction& i = function_.code[pc_];
      if (!CheckInstruction(i)) {
        std::string name = i.op < kOpcodeCount ? kNames[i.op] : "opcode " + std::to_string(i.op);
        return Fail(FailureCode::kCorrupt,
                    "function " + function_.name + ", pc " + std::to_string(pc_) + " (" + name + "): " + problem_);
      }
    }
    if (!EndsFlow(function_.code.back().op)) {
      return Fail(FailureCode::kCorrupt,
                  "function " + function_.name + ", pc " + std::to_string(size - 1) + ": the code runs off its end");
    }
    return Unit{};
  }

 private:
  static bool EndsFlow(uint8_t op) {
    return op == kJump || op == kReturn || op == kReturnNull || op == kTailCallFunction || op == kRaise ||
           op == kRaiseNew;
  }

  bool Bad(std::string problem) {
    problem_ = std::move(problem);
    return false;
  }
  bool Below(const char* what, uint64_t number, uint64_t end) {
    if (number < end || TEAL_MUTANT("verify_no_bounds")) return true;
    return Bad(std::string(what) + " " + std::to_string(number) + " of " + std::to_string(end));
  }
  bool Target(int64_t offset) {
    int64_t target = int64_t{pc_} + 1 + offset;
    if ((target < 0 || target >= static_cast<int64_t>(function_.code.size())) && !TEAL_MUTANT("verify_no_jumps"))
      return Bad("jump to " + std::to_string(target) + ", outside the code");
    // A loop without a place to stop would run for ever.
    if (offset < 0 && !CanStopAt(function_, static_cast<uint32_t>(target)))
      return Bad("jump back to " + std::to_string(target) + ", where the thread cannot stop");
    return true;
  }
  bool BuiltinArguments(uint16_t id, uint32_t count, bool pure) {
    const BuiltinInfo& info = BuiltinOf(id);
    if (info.name.empty() || (info.kind == BuiltinKind::kPure) != pure)
      return Bad("no such builtin: " + std::to_string(id));
    if (count < info.least || (info.most != 255 && count > info.most)) {
      return Bad("builtin " + std::string(info.name) + " does not take " + std::to_string(count) + " arguments");
    }
    return true;
  }

  bool CheckOperand(char letter, uint16_t operand, const Instruction& i) {
    switch (letter) {
      case 'W':
      case 'R':
      case 'T':
      case 'U':
        return Below("register", operand, function_.registers);
      case 'K':
        return Below("constant", operand, input_.constants.size());
      case 'F':
        return Below("function", operand, input_.functions.size());
      case 'X':
        return Below("import", operand, input_.imports);
      case 'H':
        return BuiltinArguments(operand, i.b, false);
      case 'P':
        return BuiltinArguments(operand, i.b, true);
      case 'J':
        return Target(static_cast<int16_t>(operand));
      case '-':
        return operand == 0 || Bad("an unused operand is not 0");
      default:
        return true;  // B: with the range; N, I: any
    }
  }

  bool CheckOperands(const Instruction& i) {
    const char* letters = kOperands[i.op];
    if (!CheckOperand(letters[0], i.a, i)) return false;
    switch (letters[1]) {
      case 'D':
        return Target(i.d());
      case 'L':
        return true;
      case 'Q':
        return i.d() < 0 ? Bad("constant " + std::to_string(i.d()))
                         : Below("constant", static_cast<uint64_t>(i.d()), input_.constants.size());
      default:
        return CheckOperand(letters[1], i.b, i) && CheckOperand(letters[2], i.c, i);
    }
  }

  bool CheckFlags(const Instruction& i) {
    const char* letters = kOperands[i.op];
    uint8_t allowed = 0;
    if (letters[1] == 'T') allowed |= kTakeB;
    if (letters[2] == 'T') allowed |= kTakeC;
    if (i.op == kCall || i.op == kTailCall || i.op == kCallForeign || i.op == kSpawn || i.op == kApply)
      allowed |= kKeywords;
    return (i.flags & ~allowed) == 0 || Bad("flags " + std::to_string(i.flags));
  }

  bool CheckInstruction(const Instruction& i) {
    if (i.op >= kOpcodeCount) return Bad("no such opcode");
    if (!CheckFlags(i) || !CheckOperands(i)) return false;
    RegisterRange range = ImpliedRange(i, input_.functions);
    if (uint64_t{range.first} + range.count > function_.registers && !TEAL_MUTANT("verify_no_ranges")) {
      return Bad("registers " + std::to_string(range.first) + " to " + std::to_string(range.first + range.count) +
                 " of " + std::to_string(function_.registers));
    }
    if (IsCallOrRequest(i.op) && function_.LiveAt(pc_ + 1) == nullptr && !TEAL_MUTANT("verify_no_live_maps"))
      return Bad("no live map for the instruction after it");
    return CheckMeaning(i);
  }

  // What the letters cannot say.
  bool CheckMeaning(const Instruction& i) {
    switch (i.op) {
      case kLoadFunction:
      case kCallFunction:
      case kTailCallFunction:
        return input_.functions[i.b].captures == 0 ||
               Bad("the function " + input_.functions[i.b].name + " has captures");
      case kLoadBuiltin:
        return !BuiltinOf(i.b).name.empty() || Bad("no such builtin: " + std::to_string(i.b));
      case kField:
        return input_.constants[i.c].tag() == Tag::kString || Bad("the name is no string");
      case kIterPrepare:
        return i.b == 1 || i.b == 2 || Bad(std::to_string(i.b) + " loop variables");
      case kCall:
      case kSpawn:
      case kCallForeign:
        return i.b > 0 || (i.flags & kKeywords) == 0 || Bad("keywords without an argument");
      case kTailCall: {
        if (i.b == 0 && (i.flags & kKeywords) != 0) return Bad("keywords without an argument");
        const Instruction* next = pc_ + 1 < function_.code.size() ? &function_.code[pc_ + 1] : nullptr;
        return (next != nullptr && next->op == kReturn && next->a == i.a) ||
               Bad("kReturn of the same register must follow");
      }
      default:
        return true;
    }
  }

  const Function& function_;
  const VerifierInput& input_;
  uint32_t pc_ = 0;
  std::string problem_;
};

}  // namespace

const char* OperandsOf(uint8_t op) {
  return kOperands[op];
}
const char* NameOf(uint8_t op) {
  return kNames[op];
}

bool IsCallOrRequest(uint8_t op) {
  switch (op) {
    case kCall:
    case kCallFunction:
    case kTailCall:
    case kApply:
    case kCallForeign:
    case kSpawn:
    case kAwait:
    case kHost:
      return true;
    default:
      return false;
  }
}

bool CanStopAt(const Function& function, uint32_t pc) {
  // The map of a call's return lacks the call's destination, which is there already when a jump comes by.
  return pc == 0 || (!IsCallOrRequest(function.code[pc - 1].op) && function.LiveAt(pc) != nullptr);
}

RegisterRange ImpliedRange(const Instruction& i, const std::vector<Function>& functions) {
  switch (i.op) {
    case kClosure:
      return {i.c, functions[i.b].captures};
    case kRangePrepare:
    case kRangeLoop:
    case kIterNext2:
      return {i.a, 4};
    case kIterPrepare:
      return {i.a, 2u + i.b};
    case kIterNext1:
      return {i.a, 3};
    case kCall:
    case kTailCall:
    case kSpawn:
      return {i.a, 1u + i.b};
    case kCallFunction:
    case kTailCallFunction:
      return {i.a, static_cast<uint32_t>(functions[i.b].parameters.size())};
    case kCallBuiltin:
    case kCallForeign:
    case kHost:
      return {i.a, i.b == 0 ? 1u : i.b};
    case kNewList:
    case kFormat:
      return {i.b, i.c};
    case kNewHash:
      return {i.b, 2u * i.c};
    case kSlice:
    case kSetItem:
      return {i.b, 3};
    case kRaiseNew:
      return {i.a, 3};
    case kSuppress:
      return {i.a, 2};
    default:
      return {};
  }
}

Status VerifyFunction(const Function& function, const VerifierInput& input) {
  return Verifier(function, input).Run();
}

}  // namespace teal::vm
