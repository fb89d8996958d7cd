#include "core/lang/liveness.h"

#include <algorithm>
#include <cassert>
#include <unordered_map>

#include "core/base/mutant.h"

namespace teal::lang {

using vm::Instruction;
using vm::Opcode;

namespace {

constexpr const char* kOperands[] = {
#define X(name, operands, meaning) operands,
    TEAL_OPCODES(X)
#undef X
};

// A set of registers: a row of words in one array.
using Word = uint64_t;
constexpr uint32_t kBits = 64;

}  // namespace

RegisterUse UseOf(const Instruction& i, const std::vector<FunctionShape>& functions) {
  RegisterUse use;
  const char* letters = kOperands[i.op];
  const uint16_t operands[3] = {i.a, i.b, i.c};
  for (int k = 0; k < 3; ++k) {
    if (letters[k] == 'W' || letters[k] == 'U') use.writes[use.write_count++] = operands[k];
    if (letters[k] == 'R' || letters[k] == 'T' || letters[k] == 'U') use.reads[use.count++] = operands[k];
    if (letters[k] == 'D' || letters[k] == 'L' || letters[k] == 'Q') break;
  }
  const auto range = [&](uint32_t first, uint32_t count) {
    use.range_first = first;
    use.range_count = count;
  };
  switch (i.op) {
    case vm::kClosure:
      range(i.c, functions[i.b].captures);
      break;
    case vm::kRangePrepare:
    case vm::kRangeLoop:
      range(i.a, 3);
      use.writes[0] = i.a;
      use.writes[1] = i.a + 3u;
      use.write_count = 2;
      break;
    case vm::kIterPrepare:
      range(i.a, 1);
      use.writes[use.write_count++] = i.a + 1u;
      break;
    case vm::kIterNext1:
    case vm::kIterNext2:
      range(i.a, 2);
      use.writes[use.write_count++] = i.a + 2u;
      if (i.op == vm::kIterNext2) use.writes[use.write_count++] = i.a + 3u;
      break;
    case vm::kCall:
    case vm::kSpawn:
      range(i.a, 1u + i.b);
      break;
    case vm::kTailCall:
      range(i.a, 1u + i.b);
      use.writes[use.write_count++] = i.a;
      break;
    case vm::kCallFunction:
    case vm::kTailCallFunction:
      range(i.a, functions[i.b].parameters);
      break;
    case vm::kCallBuiltin:
    case vm::kCallForeign:
    case vm::kHost:
      range(i.a, i.b);
      use.writes[use.write_count++] = i.a;
      break;
    case vm::kNewList:
    case vm::kFormat:
      range(i.b, i.c);
      break;
    case vm::kNewHash:
      range(i.b, 2u * i.c);
      break;
    case vm::kSlice:
    case vm::kSetItem:
      range(i.b, 3);
      break;
    case vm::kRaiseNew:
      range(i.a, 3);
      break;
    case vm::kSuppress:
      range(i.a, 2);
      use.writes[use.write_count++] = i.a + 1u;
      break;
    default:
      break;
  }
  return use;
}

bool MayRaise(Opcode op) {
  switch (op) {
    case vm::kNop:
    case vm::kMove:
    case vm::kTake:
    case vm::kLoadNull:
    case vm::kLoadTrue:
    case vm::kLoadFalse:
    case vm::kLoadInt:
    case vm::kLoadConst:
    case vm::kLoadFunction:
    case vm::kLoadBuiltin:
    case vm::kLoadForeign:
    case vm::kNot:
    case vm::kJump:
    case vm::kJumpIfTrue:
    case vm::kJumpIfFalse:
    case vm::kJumpCancelled:
    case vm::kReturn:
    case vm::kReturnNull:
      return false;
    default:
      return true;
  }
}

namespace {

class Analysis {
 public:
  Analysis(Code* code, const std::vector<FunctionShape>& functions)
      : code_(*code), functions_(functions), words_(code->registers / kBits + 1), now_(words_), raised_(words_) {}

  LiveMaps Run(bool take) {
    FindBlocks();
    Solve();
    take_ = take;
    recording_ = true;
    for (size_t b = blocks_.size(); b > 0; --b) WalkBlock(b - 1);
    LiveMaps maps;
    std::sort(points_.begin(), points_.end(), [](const Point& a, const Point& b) { return a.pc < b.pc; });
    std::unordered_map<std::string, uint32_t> known;
    for (Point& point : points_) {
      if (!maps.pcs.empty() && maps.pcs.back() == point.pc) continue;
      const auto [at, added] = known.emplace(point.map, static_cast<uint32_t>(maps.maps.size()));
      if (added) maps.maps.push_back(std::move(point.map));
      maps.pcs.push_back(point.pc);
      maps.map_of.push_back(at->second);
    }
    return maps;
  }

 private:
  struct Block {
    uint32_t from, to;
    uint32_t handler;  // index into code_.handlers, or kNone: one for the whole block
    bool backward_target = false;
  };
  struct Point {
    uint32_t pc;
    std::string map;
  };
  static constexpr uint32_t kNone = UINT32_MAX;

  void FindBlocks() {
    const auto size = static_cast<uint32_t>(code_.instructions.size());
    std::vector<uint8_t> leader(size + 1, 0);  // 1: begins a block, 2: also the target of a backward jump
    leader[0] = 1;
    for (uint32_t pc = 0; pc < size; ++pc) {
      const Instruction& i = code_.instructions[pc];
      const auto op = static_cast<Opcode>(i.op);
      if (IsJump(op)) {
        const auto target = static_cast<uint32_t>(static_cast<int64_t>(pc) + 1 + JumpOffset(i));
        leader[target] |= target <= pc ? 3 : 1;
        leader[pc + 1] |= 1;
      } else if (EndsControl(op)) {
        leader[pc + 1] |= 1;
      }
    }
    for (const CodeHandler& handler : code_.handlers) {
      leader[handler.from] |= 1;
      leader[handler.to] |= 1;
      leader[handler.target] |= 1;
    }
    block_at_.assign(size, 0);
    for (uint32_t pc = 0; pc < size; ++pc) {
      if (leader[pc] != 0) blocks_.push_back({pc, size, kNone, (leader[pc] & 2) != 0});
      block_at_[pc] = static_cast<uint32_t>(blocks_.size() - 1);
    }
    for (size_t b = 0; b + 1 < blocks_.size(); ++b) blocks_[b].to = blocks_[b + 1].from;
    // The first handler that covers a block is the innermost.
    for (uint32_t h = 0; h < code_.handlers.size(); ++h) {
      for (uint32_t b = block_at_[code_.handlers[h].from]; b < blocks_.size() && blocks_[b].from < code_.handlers[h].to;
           ++b) {
        if (blocks_[b].handler == kNone) blocks_[b].handler = h;
      }
    }
    live_in_.assign(blocks_.size() * words_, 0);
  }

  Word* LiveIn(size_t block) { return &live_in_[block * words_]; }
  Word* LiveInAt(uint32_t pc) {
    assert(blocks_[block_at_[pc]].from == pc);
    return LiveIn(block_at_[pc]);
  }

  void Solve() {
    bool changed = true;
    while (changed) {
      changed = false;
      for (size_t b = blocks_.size(); b > 0; --b) changed = WalkBlock(b - 1) || changed;
      if (TEAL_MUTANT("liveness_walks_once")) break;
    }
  }

  void Add(uint32_t reg) { now_[reg / kBits] |= Word{1} << (reg % kBits); }
  void Remove(uint32_t reg) { now_[reg / kBits] &= ~(Word{1} << (reg % kBits)); }
  static bool In(const std::vector<Word>& set, uint32_t reg) { return (set[reg / kBits] >> (reg % kBits) & 1) != 0; }

  // From the end of the block to its begin; true when what is live at the begin has grown.
  bool WalkBlock(size_t b) {
    const Block& block = blocks_[b];
    // What the handler needs if an instruction here raises.
    std::fill(raised_.begin(), raised_.end(), 0);
    if (block.handler != kNone) {
      const CodeHandler& handler = code_.handlers[block.handler];
      std::copy_n(LiveInAt(handler.target), words_, raised_.begin());
      raised_[handler.error_register / kBits] &= ~(Word{1} << (handler.error_register % kBits));
    }
    const Instruction& last = code_.instructions[block.to - 1];
    std::fill(now_.begin(), now_.end(), 0);
    const auto join = [&](const Word* other) {
      for (size_t w = 0; w < words_; ++w) now_[w] |= other[w];
    };
    const auto op = static_cast<Opcode>(last.op);
    if (!EndsControl(op) && b + 1 < blocks_.size()) join(LiveIn(b + 1));
    if (IsJump(op)) join(LiveInAt(static_cast<uint32_t>(static_cast<int64_t>(block.to) + JumpOffset(last))));
    for (uint32_t pc = block.to; pc > block.from; --pc) Step(pc - 1);
    if (recording_ && (block.backward_target || block.from == 0)) Record(block.from);
    Word* in = LiveIn(b);
    if (std::equal(now_.begin(), now_.end(), in)) return false;
    std::copy(now_.begin(), now_.end(), in);
    return true;
  }

  // now_ is what is live after the instruction; becomes what is live before it.
  void Step(uint32_t pc) {
    Instruction& i = code_.instructions[pc];
    const auto op = static_cast<Opcode>(i.op);
    const RegisterUse use = UseOf(i, functions_);
    if (recording_ && take_) Take(i, use);
    for (uint32_t k = 0; k < use.write_count; ++k) Remove(use.writes[k]);
    if (MayRaise(op)) {
      for (size_t w = 0; w < words_; ++w) now_[w] |= raised_[w];
    }
    if (recording_ && SuspendsAfter(op)) Record(pc + 1);
    for (uint32_t k = 0; k < use.count; ++k) Add(use.reads[k]);
    for (uint32_t k = TEAL_MUTANT("live_map_misses_first") && op == vm::kNewList ? 1 : 0; k < use.range_count; ++k)
      Add(use.range_first + k);
  }

  // The operand registers that die here give their values away.
  void Take(Instruction& i, const RegisterUse& use) {
    // A register that is written as well is left as it was when the instruction fails.
    const auto dies = [&](uint32_t reg) {
      const bool written = use.write_count > 0 && use.writes[0] == reg;
      return written || (!In(now_, reg) && (!In(raised_, reg) || TEAL_MUTANT("take_although_handler_needs_it")));
    };
    switch (i.op) {
      case vm::kMove:
        // A move cannot raise: what a handler needs later is live after it.
        if (i.a != i.b && !In(now_, i.b)) i.op = vm::kTake;
        break;
      case vm::kAdd:
      case vm::kAppend:
        if (i.b == i.c && !TEAL_MUTANT("take_both_operands")) break;
        if (dies(i.b)) i.flags |= vm::kTakeB;
        if (dies(i.c)) i.flags |= vm::kTakeC;
        break;
      case vm::kUpdate:
        if (i.b != i.a && i.b != i.c && dies(i.b)) i.flags |= vm::kTakeB;
        if (i.c != i.a && i.c != i.b && dies(i.c)) i.flags |= vm::kTakeC;
        break;
      case vm::kAddConst:
        if (dies(i.b)) i.flags |= vm::kTakeB;
        break;
      default:
        break;
    }
  }

  void Record(uint32_t pc) {
    std::string map;
    for (size_t w = 0; w < words_; ++w) {
      for (uint32_t byte = 0; byte < 8; ++byte) map += static_cast<char>(now_[w] >> (8 * byte) & 0xFF);
    }
    while (!map.empty() && map.back() == 0) map.pop_back();
    points_.push_back({pc, std::move(map)});
  }

  Code& code_;
  const std::vector<FunctionShape>& functions_;
  const size_t words_;
  bool take_ = false;
  bool recording_ = false;
  std::vector<Block> blocks_;
  std::vector<uint32_t> block_at_;  // by pc
  std::vector<Word> live_in_;
  std::vector<Word> now_, raised_;
  std::vector<Point> points_;
};

}  // namespace

LiveMaps AnalyseLiveness(Code* code, const std::vector<FunctionShape>& functions, bool take) {
  assert(!code->instructions.empty());
  return Analysis(code, functions).Run(take);
}

}  // namespace teal::lang
