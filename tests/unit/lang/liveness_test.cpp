// Live maps and transfers of ownership, checked on compiled programs by an analysis of its own: what some path reads
// before it writes it must be in the map of a suspension point, and must not have been given away before.
#include <filesystem>
#include <set>
#include <vector>

#include "core/lang/liveness.h"
#include "tests/unit/lang/compiling.h"

namespace teal::lang {
namespace {

using Registers = std::set<uint32_t>;

struct Effect {
  Registers reads, writes, gives;  // gives: null afterwards unless written
};

void AddRange(Registers* to, uint32_t first, uint32_t count) {
  for (uint32_t i = 0; i < count; ++i) to->insert(first + i);
}

// As core/vm/opcodes.h describes them.
Effect EffectOf(const vm::Program& program, const vm::Instruction& i) {
  static constexpr const char* kLetters[] = {
#define TEAL_LETTERS(name, operands, meaning) operands,
      TEAL_OPCODES(TEAL_LETTERS)
#undef TEAL_LETTERS
  };
  Effect effect;
  const std::string letters = kLetters[i.op];
  const uint16_t operands[] = {i.a, i.b, i.c};
  for (size_t k = 0; k < 3; ++k) {
    if (letters[k] == 'W' || letters[k] == 'U') effect.writes.insert(operands[k]);
    if (letters[k] == 'R' || letters[k] == 'T' || letters[k] == 'U') effect.reads.insert(operands[k]);
  }
  if ((i.flags & vm::kTakeB) != 0 && letters[1] == 'T') effect.gives.insert(i.b);
  if ((i.flags & vm::kTakeC) != 0 && letters[2] == 'T') effect.gives.insert(i.c);
  const auto window = [&](uint32_t first, uint32_t count) {
    AddRange(&effect.reads, first, count);
    AddRange(&effect.gives, first, count);
  };
  switch (i.op) {
    case vm::kTake:
      effect.gives.insert(i.b);
      break;
    case vm::kClosure:
      window(i.c, program.functions()[i.b].captures);
      break;
    case vm::kRangePrepare:
    case vm::kRangeLoop:
      AddRange(&effect.reads, i.a, 3);
      effect.writes.insert(i.a + 3u);
      break;
    case vm::kIterPrepare:
      effect.reads.insert(i.a);
      effect.writes.insert(i.a + 1u);
      break;
    case vm::kIterNext1:
    case vm::kIterNext2:
      AddRange(&effect.reads, i.a, 2);
      effect.writes.insert(i.a + 2u);
      if (i.op == vm::kIterNext2) effect.writes.insert(i.a + 3u);
      break;
    case vm::kTailCall:
      effect.writes.insert(i.a);
      [[fallthrough]];
    case vm::kCall:
    case vm::kSpawn:
      window(i.a, i.b + 1u);
      break;
    case vm::kCallFunction:
    case vm::kTailCallFunction:
      window(i.a, static_cast<uint32_t>(program.functions()[i.b].parameters.size()));
      break;
    case vm::kCallBuiltin:
    case vm::kCallForeign:
    case vm::kHost:
      window(i.a, i.b);
      effect.writes.insert(i.a);
      break;
    case vm::kNewList:
    case vm::kFormat:
      window(i.b, i.c);
      break;
    case vm::kNewHash:
      window(i.b, 2u * i.c);
      break;
    case vm::kSlice:
    case vm::kSetItem:
      window(i.b, 3);
      break;
    case vm::kRaiseNew:
      AddRange(&effect.reads, i.a, 3);
      break;
    case vm::kSuppress:
      AddRange(&effect.reads, i.a, 2);
      break;
    default:
      break;
  }
  return effect;
}

class Checker {
 public:
  Checker(const vm::Program& program, const vm::Function& function) : program_(program), function_(function) {}

  void Run() {
    const size_t size = function_.code.size();
    needed_.resize(size);
    for (bool again = true; again;) {
      again = false;
      for (size_t pc = size; pc-- > 0;) {
        Registers before = Before(pc);
        if (before == needed_[pc]) continue;
        needed_[pc] = std::move(before);
        again = true;
      }
    }
    CheckMaps();
    for (size_t pc = 0; pc < size; ++pc) CheckGiven(pc);
  }

 private:
  const vm::Handler* HandlerOf(size_t pc) const {
    for (const vm::Handler& handler : function_.handlers) {
      if (pc >= handler.from && pc < handler.to) return &handler;
    }
    return nullptr;
  }
  Registers Raised(size_t pc) const {
    const vm::Handler* handler = HandlerOf(pc);
    if (handler == nullptr || !MayRaise(static_cast<vm::Opcode>(function_.code[pc].op))) return {};
    Registers needed = needed_[handler->target];
    needed.erase(handler->error_register);
    return needed;
  }
  // Needed after the instruction, when it does not raise.
  Registers After(size_t pc) const {
    const auto op = static_cast<vm::Opcode>(function_.code[pc].op);
    Registers needed;
    if (IsJump(op)) {
      const auto target = static_cast<size_t>(static_cast<int64_t>(pc) + 1 + JumpOffset(function_.code[pc]));
      needed = needed_[target];
    }
    if (!EndsControl(op)) needed.insert(needed_[pc + 1].begin(), needed_[pc + 1].end());
    return needed;
  }
  Registers Before(size_t pc) const {
    const Effect effect = EffectOf(program_, function_.code[pc]);
    Registers needed = After(pc);
    for (const uint32_t reg : effect.writes) needed.erase(reg);
    needed.merge(Raised(pc));
    needed.insert(effect.reads.begin(), effect.reads.end());
    return needed;
  }
  void CheckMaps() {
    for (size_t i = 0; i < function_.live_pcs.size(); ++i) {
      const uint32_t pc = function_.live_pcs[i];
      const std::vector<bool>& map = function_.live_maps[function_.live_map_of[i]];
      Registers needed = needed_[pc];
      if (pc > 0 && SuspendsAfter(static_cast<vm::Opcode>(function_.code[pc - 1].op))) {
        for (const uint32_t reg : EffectOf(program_, function_.code[pc - 1]).writes) needed.erase(reg);
      }
      for (const uint32_t reg : needed) {
        EXPECT_TRUE(reg < map.size() && map[reg]) << function_.name << " pc " << pc << " register " << reg;
      }
    }
  }
  void CheckGiven(size_t pc) {
    const Effect effect = EffectOf(program_, function_.code[pc]);
    const Registers after = After(pc);
    const Registers raised = Raised(pc);
    for (const uint32_t reg : effect.gives) {
      EXPECT_TRUE(!after.contains(reg) || effect.writes.contains(reg))
          << function_.name << " pc " << pc << " gives register " << reg << ", which is read later";
      // One that is written as well stays as it was when the instruction fails.
      EXPECT_TRUE(!raised.contains(reg) || effect.writes.contains(reg))
          << function_.name << " pc " << pc << " gives register " << reg << ", which a handler reads";
    }
  }

  const vm::Program& program_;
  const vm::Function& function_;
  std::vector<Registers> needed_;  // before each instruction
};

void CheckProgram(const CompileOutput& output) {
  const auto program = Loaded(output);
  if (program == nullptr) return;
  for (const vm::Function& function : program->functions()) {
    if (&function != &program->functions()[program->ApplyFunction()]) Checker(*program, function).Run();
  }
}

TEST(Liveness, HoldsForTheProgramsOfTheRepository) {
  namespace fs = std::filesystem;
  const fs::path root = fs::path(TEAL_SOURCE_DIR);
  size_t programs = 0;
  for (const char* folder : {"bench/language", "examples"}) {
    for (const auto& entry : fs::recursive_directory_iterator(root / folder)) {
      if (entry.path().extension() != ".tl") continue;
      SCOPED_TRACE(entry.path().string());
      ++programs;
      for (const bool optimize : {true, false}) {
        CompileOptions options;
        options.optimize = optimize;
        options.check_python_files = false;
        CheckProgram(CompileFile(entry.path().string(), options));
      }
    }
  }
  EXPECT_GE(programs, 9u);
}

TEST(Liveness, HoldsForTheLibrary) {
  CheckProgram(
      CompileText("a.tl",
                  "#[retry(max=3)]\n#[timeout(1s)]\nfn f(x) { x }\n"
                  "fn main(xs) { [map, filter, reduce, each, sort, all, settle, some, race, pmap, f, raise] }"));
}

TEST(Liveness, HoldsForHandlersAndLoops) {
  for (const char* body :
       {"xs = []\nfor i in range(9) { try { xs = append(xs, f(i)) } catch e { xs = append(xs, e.kind) } }\nxs",
        "xs = [1]\ntry { xs = set(xs, 0, f(xs)) } catch e if f(e) { xs } catch { xs = 2 } finally { f(xs) }\nxs",
        "n = 0\nwhile true { try { if n > 3 { break }; n = n + 1; continue } finally { n = f(n) } }\nn",
        "a = 1\ng = fn(x) { if x == 0 { a } else { g(x - 1) } }\n[a, (a = 2), a, g(a), f(a) + (a = g(a)), a]",
        "h = {}\nfor k, v in ({\"a\": [1]}) { h = set(h, k, append(v, await (async f(v)))) }\nh",
        "x = 1\nx |> f |> f() |> append(x) |> await",
        "s = f(1)\nfor i in range(3) { s = f\"{s} {i = f(i)} {i}\" + s }\ns[1:f(s)]"}) {
    SCOPED_TRACE(body);
    CheckProgram(CompileText("a.tl", std::string("fn f(x) { x }\nfn main() {\n") + body + "\n}\n"));
  }
}

}  // namespace
}  // namespace teal::lang
