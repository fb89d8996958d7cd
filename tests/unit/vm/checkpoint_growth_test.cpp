// What a long life costs: bytes written by a checkpoint after every step.
#include "tests/unit/vm/checkpoint_test_util.h"

namespace teal::vm {
namespace {

// A loop that gathers answers, in three ways, and a recursion that asks on every level.
std::shared_ptr<const Program> Gatherer() {
  return Assembled(
      "import python src.main f\n"
      "function list() registers 4\n"
      "  kNewList r0 r1 0\n"
      "loop: kCallForeign r1 0 $0\n"
      "  kAppend.bc r0 r0 r1\n"
      "  kJump loop\n"
      "function text() registers 4\n"
      "  kLoadConst r0 \"\"\n"
      "loop: kCallForeign r1 0 $0\n"
      "  kAdd.bc r0 r0 r1\n"
      "  kJump loop\n"
      "function hash() registers 6\n"
      "  kNewHash r0 r1 0\n"
      "loop: kCallForeign r2 0 $0\n"
      "  kTake r1 r0\n"
      "  kMove r3 r2\n"
      "  kSetItem r0 r1\n"
      "  kJump loop\n"
      "function deep(n) registers 4\n"
      "  kCallForeign r1 0 $0\n"
      "  kAddImm r2 r0 1\n"
      "  kCallFunction r2 @deep r3\n"
      "  kReturn r3\n");
}

// Runs `steps` answers through the function, with a checkpoint for every `every` of them; reads back and goes on every
// `reload` steps.
template <typename Answer>
uint64_t BytesOf(const char* function, uint64_t steps, uint64_t reload, Answer answer,
                 std::vector<Value> arguments = {}, uint64_t every = 1) {
  static const std::shared_ptr<const Program> program = Gatherer();
  uint32_t index = 0;
  EXPECT_NE(program->FindEntry(function, &index), nullptr);
  auto thread = std::make_unique<Thread>(program, "main/1", Value::Function(index), std::move(arguments));
  SegmentStore store;
  for (uint64_t n = 0; n < steps; n++) {
    EXPECT_EQ(thread->Run(kPlenty), RunState::kRequest);
    const std::string state = n % every == every - 1 ? store.Save(*thread) : std::string();
    if (reload > 0 && n % reload == reload - 1) {
      auto again = store.Load(state, program);
      if (again == nullptr) return 0;
      const uint64_t before = store.bytes;
      EXPECT_EQ(store.Save(*again), state);
      EXPECT_EQ(store.bytes - before, state.size()) << "segments given out twice";
      store.bytes = before;
      thread = std::move(again);
    }
    thread->Resolve(answer(n));
  }
  return store.bytes;
}

constexpr uint64_t kSteps = kSanitized ? 3000 : 10000;

TEST(CheckpointGrowth, ListOfNumbers) {
  auto answer = [](uint64_t n) { return Value::Int(static_cast<int64_t>(n)); };
  const uint64_t small = BytesOf("list", kSteps, 0, answer);
  RecordProperty("bytes_per_step", static_cast<int>(small / kSteps));
  EXPECT_LE(small, kSteps * 1000);
  EXPECT_LE(BytesOf("list", kSteps * 4, 0, answer), small * 6);
  EXPECT_LE(BytesOf("list", kSteps, 487, answer), kSteps * 1000);
}

TEST(CheckpointGrowth, ListOfRecords) {
  auto answer = [](uint64_t n) {
    Value hash = HashSet(MakeHash(), MakeString("name"), MakeString(std::string(300, 'a') + std::to_string(n)));
    return HashSet(std::move(hash), MakeString("n"), Value::Int(static_cast<int64_t>(n)));
  };
  EXPECT_LE(BytesOf("list", kSteps, 997, answer), kSteps * 4000);
}

TEST(CheckpointGrowth, ListOfLargeTexts) {
  auto answer = [](uint64_t n) { return MakeString(std::to_string(n) + std::string(6000, 'a')); };
  EXPECT_LE(BytesOf("list", kSteps / 5, 501, answer), kSteps / 5 * (6000 + 5000));
}

TEST(CheckpointGrowth, Text) {
  auto answer = [](uint64_t n) { return MakeString("step " + std::to_string(n) + ", "); };
  EXPECT_LE(BytesOf("text", kSteps, 997, answer), kSteps * 4000);
}

TEST(CheckpointGrowth, Hash) {
  auto answer = [](uint64_t n) { return MakeString("key " + std::to_string(n)); };
  EXPECT_LE(BytesOf("hash", kSteps, 997, answer), kSteps * 2000);
}

TEST(CheckpointGrowth, DeepRecursion) {
  auto answer = [](uint64_t) { return Value(); };
  const uint64_t bytes = BytesOf("deep", kSteps, 997, answer, {Value::Int(0)});
  EXPECT_LE(bytes, kSteps * 1500);
  EXPECT_LE(BytesOf("deep", kSteps * 4, 0, answer, {Value::Int(0)}), kSteps * 4 * 1500);
}

// As deep as a stack can be: each frame is written once, however often the stack is.
TEST(CheckpointGrowth, TheDeepestRecursion) {
  auto answer = [](uint64_t) { return Value(); };
  const uint64_t levels = kFramesMax - 1;
  EXPECT_LE(BytesOf("deep", levels, 0, answer, {Value::Int(0)}, 100), levels * 60);
}

}  // namespace
}  // namespace teal::vm
