// Each rule of docs/formats/bytecode.md ("What is verified") has one broken program here; then damage at random.
#include <gtest/gtest.h>

#include <cstdlib>
#include <functional>
#include <random>

#include "tests/unit/vm/running.h"

namespace teal::vm {
namespace {

constexpr const char* kGood = R"(import python src.main f
function main(a, b) registers 12
  kNewList r2 r2 0
  kLoadInt r3 0
  kLoadInt r4 5
  kLoadInt r5 1
  kRangePrepare r3 out
top: kAppend.bc r2 r2 r6
  kRangeLoop r3 top
out: kLoadConst r7 "x"
  kMove r8 r2
  kNewHash r7 r7 1
  kField r7 r7 "x"
  kIterPrepare r7 1
  kJump next
body: kAdd r0 r0 r9
next: kIterNext1 r7 body
  kLoadInt r9 2
  kClosure r8 @inner r9
  kLoadInt r9 3
try: kCall r8 1 r8
  kLoadInt r9 3
  kCallFunction r9 @down r9
end: kFormat r0 r8 2
  kLoadBuiltin r3 %length
  kMove r4 r0
  kTailCall r3 1
  kReturn r3
caught: kRaise r10
  handler try end caught r10
function inner(x) captures 1 self registers 8
  kAdd r3 r0 r1
  kReturn r3
function down(n) registers 4
  kJumpGreaterImm r0 0 more
  kReturn r0
more: kAddImm r1 r0 -1
  kTailCallFunction r1 @down
)";

TEST(Verifier, AcceptsAGoodProgram) {
  auto thread = Started(kGood, {Value::Int(1), Value::Int(2)});
  EXPECT_EQ(Outcome(*thread), "2");  // length("50")
}

// What Load says of the good program after a change; empty: it loads.
std::string Changed(const std::function<void(proto::Executable&)>& change) {
  proto::Executable executable = AssembleMessage(kGood);
  change(executable);
  auto loaded = Program::Load(Bytes(executable));
  if (loaded.ok()) return "";
  EXPECT_EQ(loaded.failure().code, FailureCode::kCorrupt);
  return loaded.failure().message;
}

TEST(Verifier, RejectsDamagedStructure) {
  using E = proto::Executable;
  struct Case {
    const char* says;
    std::function<void(E&)> change;
  };
  auto deep = [](int depth) {
    proto::Constant constant;
    proto::Constant* at = &constant;
    for (int n = 0; n < depth; n++) at = at->mutable_list()->add_items();
    at->set_null(true);
    return constant;
  };
  auto f = [](E& e) { return e.mutable_functions(0); };
  auto constant = [](E& e) { return e.add_constants(); };
  for (const Case& c : std::initializer_list<Case>{
           {"bytecode version 7", [](E& e) { e.set_bytecode_version(7); }},
           {"cannot be decoded", [&](E& e) { constant(e)->set_text("\xff"); }},
           {"no kind", [&](E& e) { constant(e); }},
           {"null that is not true", [&](E& e) { constant(e)->set_null(false); }},
           {"no function 9", [&](E& e) { constant(e)->set_function(9); }},
           {"a function with captures as a constant", [&](E& e) { constant(e)->set_function(1); }},
           {"no builtin 255", [&](E& e) { constant(e)->set_builtin(255); }},
           {"no import 5", [&](E& e) { constant(e)->set_foreign(5); }},
           {"no import 5", [&](E& e) { constant(e)->mutable_list()->add_items()->set_foreign(5); }},
           {"a key without a value", [&](E& e) { constant(e)->mutable_hash()->add_items()->set_integer(1); }},
           {"the same key twice",
            [&](E& e) {
              auto* hash = constant(e)->mutable_hash();
              for (int n = 0; n < 4; n++) hash->add_items()->set_integer(1);
            }},
           {"a key that cannot be one",
            [&](E& e) {
              auto* hash = constant(e)->mutable_hash();
              hash->add_items()->set_function(0);
              hash->add_items()->set_null(true);
            }},
           {"nested more than 200 deep", [&](E& e) { *constant(e) = deep(201); }},
           {"a name is missing", [](E& e) { e.mutable_imports(0)->clear_module(); }},
           {"arity 3", [](E& e) { e.mutable_imports(0)->set_arity(3); }},
           {"no file 4", [](E& e) { e.mutable_imports(0)->set_file(4); }},
           {"no file 4", [&](E& e) { f(e)->set_file(4); }},
           {"a parameter without a name", [&](E& e) { f(e)->set_parameters(0, ""); }},
           {"two parameters b", [&](E& e) { f(e)->set_parameters(0, "b"); }},
           {"more than 255 parameters",
            [&](E& e) {
              for (int n = 0; n < 255; n++) f(e)->add_parameters("p" + std::to_string(n));
            }},
           {"60001 registers", [&](E& e) { f(e)->set_registers(60001); }},
           {"do not hold parameters", [&](E& e) { f(e)->set_captures(4000000000u); }},
           {"half an instruction", [&](E& e) { f(e)->mutable_code()->push_back('x'); }},
           {"a handler", [&](E& e) { f(e)->mutable_handlers(0)->set_from(f(e)->handlers(0).to()); }},
           {"a handler", [&](E& e) { f(e)->mutable_handlers(0)->set_to(1000); }},
           {"a handler", [&](E& e) { f(e)->mutable_handlers(0)->set_target(1000); }},
           {"a handler", [&](E& e) { f(e)->mutable_handlers(0)->set_target(f(e)->handlers(0).to() - 1); }},
           {"a handler", [&](E& e) { f(e)->mutable_handlers(0)->set_error_register(12); }},
           {"a local", [&](E& e) { f(e)->add_locals()->set_register_(12); }},
           {"as many pcs", [&](E& e) { f(e)->add_live_pcs(1); }},
           {"the pcs do not increase", [&](E& e) { f(e)->set_live_pcs(1, 0); }},
           {"no map 7", [&](E& e) { f(e)->set_live_map_of(0, 7); }},
           {"live maps: pc", [&](E& e) { f(e)->set_live_pcs(1, 4000); }},
           {"two equal live maps", [&](E& e) { f(e)->add_live_maps(f(e)->live_maps(0)); }},
           {"ends with zeros", [&](E& e) { f(e)->add_live_maps(std::string(1, '\0')); }},
           {"registers that do not exist", [&](E& e) { f(e)->add_live_maps("\x01\x10"); }},
           {"registers that do not exist", [&](E& e) { f(e)->add_live_maps("\x01\x01\x01"); }},
           {"not in threes", [&](E& e) { f(e)->add_positions(1); }},
           {"positions: run 0", [&](E& e) { f(e)->set_positions(0, 0); }},
           {"positions: run 0", [&](E& e) { f(e)->set_positions(1, -100); }},
           {"past the end", [&](E& e) { f(e)->set_positions(0, 100); }},
           {"no code",
            [&](E& e) {
              f(e)->clear_code(), f(e)->clear_live_pcs(), f(e)->clear_live_map_of(), f(e)->clear_handlers(),
                  f(e)->clear_positions();
            }},
           {"not in order", [](E& e) { e.mutable_entry_points(0)->set_name("z"); }},
           {"no function 9", [](E& e) { e.mutable_entry_points(0)->set_function(9); }},
           {"its function has captures", [](E& e) { e.mutable_entry_points(0)->set_function(1); }},
           {"an attribute without a name", [&](E& e) { f(e)->add_attributes(); }},
           {"no value",
            [&](E& e) {
              auto* attribute = f(e)->add_attributes();
              attribute->set_name("retry");
              attribute->add_arguments()->set_key("max");
            }},
           {"no parameter has this name",
            [&](E& e) {
              auto* attribute = f(e)->add_attributes();
              attribute->set_name("retry");
              auto* argument = attribute->add_arguments();
              argument->set_key("key");
              argument->set_parameter(true);
              argument->mutable_value()->set_text("q");
            }},
           {"given twice",
            [&](E& e) {
              auto* attribute = f(e)->add_attributes();
              attribute->set_name("retry");
              for (int n = 0; n < 2; n++) {
                auto* argument = attribute->add_arguments();
                argument->set_key("key");
                argument->mutable_value()->set_integer(1);
              }
            }},
       }) {
    EXPECT_NE(Changed(c.change).find(c.says), std::string::npos) << c.says << " expected, not: " << Changed(c.change);
  }
  EXPECT_EQ(Changed([&](E& e) { *constant(e) = deep(200); }), "");
  // Fields that this version does not know, at any level.
  proto::Executable executable = AssembleMessage(kGood);
  for (const std::string& part : {std::string("\xf8\x01\x01", 3), std::string("\x22\x03\xf8\x01\x01", 5)}) {
    auto loaded = Program::Load(Bytes(executable) + part);
    ASSERT_FALSE(loaded.ok());
    EXPECT_NE(loaded.failure().message.find("unknown fields"), std::string::npos) << loaded.failure().message;
  }
  EXPECT_FALSE(Program::Load("").ok());
  EXPECT_FALSE(Program::Load("not an executable").ok());
}

TEST(Verifier, RejectsDamagedInstructions) {
  struct Case {
    const char* body;
    Instruction replaced;
    const char* says;
  };
  const auto op = [](int code) { return static_cast<uint8_t>(code); };
  const uint16_t minus = 0xFFF0;
  for (const Case& c : std::initializer_list<Case>{
           {"", {op(200), 0, 0, 0, 0}, "no such opcode"},
           {"", {kNop, 1, 0, 0, 0}, "flags 1"},
           {"", {kNop, 0, 1, 0, 0}, "an unused operand is not 0"},
           {"", {kMove, 0, 4, 0, 0}, "register 4 of 4"},
           {"", {kMove, 0, 0, 4, 0}, "register 4 of 4"},
           {"", {kAdd, 0, 0, 0, 4}, "register 4 of 4"},
           {"", {kSub, kTakeB, 0, 0, 0}, "flags 1"},
           {"", {kAddConst, 0, 0, 0, 9}, "constant 9"},
           {"", {kLoadConst, 0, 0, 0xFFFF, 0xFFFF}, "constant -1"},
           {"", {kField, 0, 0, 0, 0}, "the name is no string"},
           {"", {kLoadFunction, 0, 0, 9, 0}, "function 9"},
           {"", {kLoadFunction, 0, 0, 1, 0}, "has captures"},
           {"", {kCallFunction, 0, 0, 1, 0}, "has captures"},
           {"", {kCallFunction, 0, 3, 2, 0}, "registers 3 to 5 of 4"},
           {"", {kClosure, 0, 0, 1, 3}, "registers 3 to 5 of 4"},
           {"", {kLoadForeign, 0, 0, 1, 0}, "import 1"},
           {"", {kLoadBuiltin, 0, 0, 255, 0}, "no such builtin"},
           {"", {kCallBuiltin, 0, 0, 1, 120}, "no such builtin"},
           {"", {kHost, 0, 0, 1, 7}, "no such builtin"},
           {"", {kCallBuiltin, 0, 0, 2, 7}, "does not take 2 arguments"},
           {"", {kJump, 0, 0, minus, 0xFFFF}, "outside the code"},
           {"", {kJump, 0, 0, 90, 0}, "outside the code"},
           {"", {kJumpEqual, 0, 0, 0, minus}, "outside the code"},
           {"", {kRangeLoop, 0, 1, 0, 0}, "registers 1 to 5 of 4"},
           {"", {kIterPrepare, 0, 0, 3, 0}, "registers 0 to 5 of 4"},
           {"", {kIterPrepare, 0, 0, 0, 0}, "0 loop variables"},
           {"", {kIterNext1, 0, 2, 0, 0}, "registers 2 to 5 of 4"},
           {"", {kIterNext2, 0, 1, 0, 0}, "registers 1 to 5 of 4"},
           {"", {kCall, 0, 0, 4, 0}, "registers 0 to 5 of 4"},
           {"", {kCall, kKeywords, 0, 0, 0}, "keywords without an argument"},
           {"", {kTailCall, 0, 0, 0, 0}, "kReturn of the same register must follow"},
           {"", {kSpawn, 0, 0, 4, 0}, "registers 0 to 5 of 4"},
           {"", {kNewList, 0, 0, 1, 4}, "registers 1 to 5 of 4"},
           {"", {kNewHash, 0, 0, 1, 2}, "registers 1 to 5 of 4"},
           {"", {kFormat, 0, 0, 1, 4}, "registers 1 to 5 of 4"},
           {"", {kSlice, 0, 0, 2, 0}, "registers 2 to 5 of 4"},
           {"", {kSetItem, 0, 0, 2, 0}, "registers 2 to 5 of 4"},
           {"", {kUpdate, 0, 4, 0, 1}, "register 4 of 4"},
           {"", {kUpdate, 0, 0, 4, 1}, "register 4 of 4"},
           {"", {kUpdate, kKeywords, 0, 1, 2}, "flags 4"},
           {"", {kRaiseNew, 0, 2, 0, 0}, "registers 2 to 5 of 4"},
           {"", {kSuppress, 0, 3, 0, 0}, "registers 3 to 5 of 4"},
           {"", {kAwait, 0, 0, 4, 0}, "register 4 of 4"},
       }) {
    proto::Executable executable = AssembleMessage(
        "import python m f\nfunction main() registers 4\n l0: kNop\n l1: kNop\n kLoadConst r0 #1\n kReturn r0\n"
        "function closure(x) captures 2 registers 3\n kReturn r0\nfunction two(x, y) registers 2\n kReturn r0");
    executable.mutable_functions(0)->mutable_code()->replace(
        0, sizeof c.replaced, reinterpret_cast<const char*>(&c.replaced), sizeof c.replaced);
    auto loaded = Program::Load(Bytes(executable));
    ASSERT_FALSE(loaded.ok()) << c.says;
    EXPECT_NE(loaded.failure().message.find(c.says), std::string::npos)
        << loaded.failure().message << ", expected: " << c.says;
    EXPECT_NE(loaded.failure().message.find("function main, pc 0 ("), std::string::npos) << loaded.failure().message;
  }
}

TEST(Verifier, RejectsCodeThatRunsOffItsEnd) {
  proto::Executable executable = AssembleMessage("function main() registers 1\n kNop");
  auto loaded = Program::Load(Bytes(executable));
  ASSERT_FALSE(loaded.ok());
  EXPECT_NE(loaded.failure().message.find("runs off its end"), std::string::npos);
}

TEST(Verifier, CallsNeedLiveMapsBehindThem) {
  proto::Executable executable = AssembleMessage("function main() registers 1\n kAwait r0 r0\n kReturn r0");
  executable.mutable_functions(0)->clear_live_pcs();
  executable.mutable_functions(0)->clear_live_map_of();
  auto loaded = Program::Load(Bytes(executable));
  ASSERT_FALSE(loaded.ok());
  EXPECT_NE(loaded.failure().message.find("no live map for the instruction after it"), std::string::npos);
}

TEST(Verifier, LoopsNeedAPlaceToStop) {
  proto::Executable executable = AssembleMessage("function main() registers 1\n kNop\ntop: kNop\n kJump top");
  EXPECT_TRUE(Program::Load(Bytes(executable)).ok());
  executable.mutable_functions(0)->clear_live_pcs();
  executable.mutable_functions(0)->clear_live_map_of();
  auto loaded = Program::Load(Bytes(executable));
  ASSERT_FALSE(loaded.ok());
  EXPECT_NE(loaded.failure().message.find("where the thread cannot stop"), std::string::npos);
}

TEST(Program, EntriesPositionsAndHash) {
  const std::string bytes = Assemble(kGood);
  auto program = Assembled(kGood);
  EXPECT_EQ(program->hash(), Sha256Of(bytes));
  EXPECT_EQ(program->EntryNames(), (std::vector<std::string_view>{"down", "main"}));
  EXPECT_EQ(program->FindEntry("none", nullptr), nullptr);
  EXPECT_EQ(program->functions()[0].PositionAt(1).line, 4u);
  EXPECT_NE(program->functions()[0].LiveAt(0), nullptr);
  EXPECT_EQ(program->functions()[0].LiveAt(1), nullptr);
}

TEST(Program, WithoutPositionsKeepsTheMeaning) {
  auto stripped = WithoutPositions(Assemble(kGood));
  auto moved = WithoutPositions(Assemble(std::string("\n\n") + kGood));
  ASSERT_TRUE(stripped.ok() && moved.ok());
  EXPECT_EQ(*stripped, *moved);
  auto program = Program::Load(*stripped);
  ASSERT_TRUE(program.ok()) << program.failure().message;
  EXPECT_EQ(program.value()->functions()[0].PositionAt(1).line, 0u);
}

// Whatever Load lets pass, the machine runs: it may fail, ask or go on for ever, but stays inside. TEAL_DAMAGE_ROUNDS
// asks for more rounds than the usual ones.
TEST(Verifier, DamagedProgramsAreRejectedOrHarmless) {
  const std::string good = Assemble(kGood);
  const char* more = std::getenv("TEAL_DAMAGE_ROUNDS");
  const int rounds = more != nullptr ? std::atoi(more) : 3000;
  std::mt19937 random(7);
  int loaded_count = 0;
  for (int round = 0; round < rounds; round++) {
    proto::Executable executable;
    std::string bytes = good;
    if (round % 3 == 0) {
      for (unsigned n = random() % 3 + 1; n > 0; n--) bytes[random() % bytes.size()] = static_cast<char>(random());
    } else {
      // Only code: likely to be valid.
      executable.ParseFromString(bytes);
      auto* code = executable.mutable_functions(static_cast<int>(random() % 3))->mutable_code();
      for (unsigned n = random() % 4 + 1; n > 0; n--) {
        const size_t at = random() % code->size();
        (*code)[at] = static_cast<char>(at % 2 == 0 ? random() % 80 : round % 2 == 0 ? 0 : random() % 3);
      }
      bytes = executable.SerializeAsString();
    }
    auto loaded = Program::Load(bytes);
    if (!loaded.ok()) continue;
    loaded_count++;
    for (const Function& function : loaded.value()->functions()) {
      if (function.captures != 0 || &function == &loaded.value()->functions().back()) continue;
      const auto index = static_cast<uint32_t>(&function - loaded.value()->functions().data());
      Thread thread(loaded.value(), "t1", Value::Function(index), {MakeList(), Value::FromText("abc")});
      for (int turn = 0; turn < 30; turn++) {
        const RunState state = thread.Run(50);
        thread.TraceHere();
        if (state == RunState::kDone || state == RunState::kFailed) break;
        if (state != RunState::kRequest) continue;
        if (turn % 2 == 0)
          thread.Resolve(MakeFuture(FutureKind::kThread, Value::FromText("t2"), 0, 0, Value(), Value()));
        else
          thread.Raise(MakeError("k", "m"));
      }
    }
    Listing(*loaded.value(), nullptr, nullptr);
  }
  EXPECT_GT(loaded_count, rounds / 20);
}

}  // namespace
}  // namespace teal::vm
