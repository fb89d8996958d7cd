#include "tests/sim/random_program.h"

#include "tests/sim/random.h"

namespace teal::sim {
namespace {

constexpr uint64_t kCostMax = 40;  // steps of one function with all that it calls
constexpr int kFunctions = 4;

// What every program has: a thread that never ends, and the sum of a list.
constexpr const char* kCommon = R"(
fn never() {
  await event("never")
}
fn total(xs) {
  s = 0
  for x in xs {
    s = s + x
  }
  s
}
fn bad(i) {
  try {
    fail(i)
  } finally {
    double(i)
  }
}
)";

class Maker {
 public:
  explicit Maker(uint64_t seed) : random_(seed) {}

  RandomProgram Make() {
    program_.text = kCommon;
    for (int i = 0; i < kFunctions; ++i) {
      functions_ = i;
      Function("f" + std::to_string(i) + "(x)", "x", 1 + random_.Below(3), false);
      costs_.push_back(cost_);
    }
    functions_ = kFunctions;
    // One in twenty has no effects, and one in twenty fails.
    const uint64_t kind = random_.Below(20);
    fails_ = kind == 1;
    Function("main()", "1", kind == 0 ? 0 : 3 + random_.Below(5), true);
    return std::move(program_);
  }

 private:
  void Line(const std::string& text) {
    program_.text += std::string(static_cast<size_t>(depth_) * 2, ' ') + text + "\n";
  }
  std::string Number() { return std::to_string(random_.Below(50)); }

  void Function(const std::string& head, const std::string& first, uint64_t statements, bool main) {
    cost_ = 0;
    Line("fn " + head + " {");
    ++depth_;
    Line("v = " + first);
    for (uint64_t i = 0; i < statements; ++i) Statement(main);
    if (main && fails_) Line("fail(v)");
    Line("v % 100000");
    --depth_;
    Line("}");
  }

  // A function that there is already, and whose steps there is room for `times`; empty: none.
  std::string Callee(uint64_t times) {
    if (functions_ == 0) return {};
    const uint64_t which = random_.Below(static_cast<uint64_t>(functions_));
    const uint64_t cost = times * (costs_[which] + 1);
    if (cost_ + cost > kCostMax) return {};
    cost_ += cost;
    return "f" + std::to_string(which);
  }

  void Step() {
    ++cost_;
    Line(random_.Happens(0.5) ? "v = double(v % 1000)" : "v = add(v, " + Number() + ")");
  }

  void Block(bool main) {
    ++depth_;
    if (depth_ > 4) {
      Step();
    } else {
      Statement(main);
    }
    --depth_;
  }

  void Statement(bool main) {
    const uint64_t which = random_.Below(17);
    std::string f;
    switch (which) {
      case 0:
        if ((f = Callee(1)).empty()) break;
        return Line("v = v + " + f + "(" + Number() + ")");
      case 1:
        if ((f = Callee(1)).empty()) break;
        return Line("v = v + await async " + f + "(v % 1000)");
      case 2:
        if ((f = Callee(2)).empty()) break;
        return Line("v = v + total(all([async " + f + "(" + Number() + "), async " + f + "(v % 10)]))");
      case 3:
        if ((f = Callee(4)).empty()) break;
        return Line("v = v + total(pmap([v % 7, 2, 3, " + Number() + "], " + f + ", 2))");
      case 4:
        if ((f = Callee(1)).empty()) break;
        cost_ += 2;
        Line("rs = settle([async " + f + "(" + Number() + "), async bad(" + Number() + ")])");
        return Line("v = v + rs[0].ok + length(rs[1].error.kind)");
      case 5:
        if ((f = Callee(2)).empty()) break;
        return Line("v = v + race([async " + f + "(7), async " + f + "(7)]).value");
      case 6:
        if ((f = Callee(1)).empty()) break;
        return Line("v = v + await timeout(async " + f + "(" + Number() + "), 864000)");
      case 7:
        Line("try {");
        Line("  await timeout(async never(), " + std::to_string(1 + random_.Below(30)) + ")");
        Line("} catch e if e.kind == \"timeout\" {");
        Line("  v = v + 7");
        return Line("}");
      case 8:
        Line("g = async never()");
        if (random_.Happens(0.5)) Step();
        Line("cancel(g)");
        Line("try {");
        Line("  await g");
        Line("} catch e if e.kind == \"cancelled\" {");
        Line("  v = v + 3");
        return Line("}");
      case 9:
        ++cost_;
        Line("try {");
        Line("  fail(v % 5)");
        Line("} catch e {");
        Line("  v = v + length(e.kind)");
        Block(main);
        return Line("}");
      case 10:
        Line("try {");
        Block(main);
        Line("} finally {");
        ++depth_;
        Step();
        --depth_;
        return Line("}");
      case 11:
        return Line(random_.Happens(0.5) ? "sleep(0." + std::to_string(1 + random_.Below(9)) + ")"
                                         : "sleep(" + std::to_string(1 + random_.Below(90)) + ")");
      case 12:
        ++cost_;
        Line("try {");
        Line("  once(v % 1000)");
        Line("} catch e if e.kind == \"interrupted\" {");
        return Line("}");
      case 13:
        if (depth_ > 1) break;
        Line("for i in range(3) {");
        cost_ += 2;
        ++depth_;
        Step();
        --depth_;
        return Line("}");
      case 14:
        Line("if v % 2 == 0 {");
        Block(main);
        Line("} else {");
        Block(main);
        return Line("}");
      case 15: {
        if (!main || depth_ > 1) break;
        const std::string name = "e" + std::to_string(program_.events.size());
        const std::string value = Number();
        program_.events.emplace_back(name, value);
        return Line("v = v + await event(\"" + name + "\")");
      }
      default:
        break;
    }
    Step();
  }

  SimRandom random_;
  RandomProgram program_;
  bool fails_ = false;
  int functions_ = 0;  // that there are
  std::vector<uint64_t> costs_;
  uint64_t cost_ = 0;
  int depth_ = 0;
};

}  // namespace

RandomProgram MakeRandomProgram(uint64_t seed) {
  return Maker(seed).Make();
}

}  // namespace teal::sim
