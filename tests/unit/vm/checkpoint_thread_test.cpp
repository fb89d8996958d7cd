// Threads as bytes: at every kind of suspension point, whatever they hold, and after whatever damage.
#include <thread>

#include "core/proto/state.pb.h"
#include "core/vm/checkpoint_crc.h"
#include "tests/unit/vm/checkpoint_test_util.h"

namespace teal::vm {
namespace {

proto::ThreadState Parsed(const std::string& state) {
  proto::ThreadState message;
  EXPECT_TRUE(message.ParseFromString(state));
  EXPECT_EQ(message.SerializeAsString(), state);
  return message;
}

// The state of a message, with a right check.
std::string Sealed(proto::ThreadState message) {
  message.clear_check();
  std::string body = message.SerializeAsString();
  proto::ThreadState end;
  end.set_check(Crc32c(body));
  return body + end.SerializeAsString();
}

void ExpectRefused(const proto::ThreadState& message, const std::string& what) {
  Result<std::unique_ptr<Thread>> thread = ReadCheckpoint(Sealed(message), Holder(), SegmentStore().Source());
  ASSERT_FALSE(thread.ok()) << what;
  EXPECT_EQ(thread.failure().code, FailureCode::kCorrupt);
  EXPECT_NE(thread.failure().message.find(what), std::string::npos) << thread.failure().message;
}

TEST(CheckpointThread, AnyValueComesBack) {
  for (uint64_t seed = 0; seed < Rounds(100u); seed++) {
    Value value = RandomValues(seed).Next(6);
    const std::string plain = EncodeValue(value).value();
    auto thread = Holding(value);
    SegmentStore store;
    const std::string state = store.Save(*thread);
    EXPECT_EQ(store.Save(*thread), state);
    Parsed(state);
    for (const auto& [hash, bytes] : store.segments) {
      proto::Segment segment;
      ASSERT_TRUE(segment.ParseFromString(bytes));
      EXPECT_EQ(segment.SerializeAsString(), bytes);
    }
    auto again = store.Load(state, Holder());
    ASSERT_NE(again, nullptr);
    EXPECT_EQ(WriteCheckpoint(*again)->state, state);
    EXPECT_TRUE(WriteCheckpoint(*again)->segments.empty());
    EXPECT_EQ(again->request().kind, RequestKind::kForeign);
    again->Resolve(Value());
    ASSERT_EQ(again->Run(kPlenty), RunState::kDone);
    EXPECT_EQ(SourceForm(again->result()), SourceForm(value));
    EXPECT_EQ(TypeName(again->result()), TypeName(value));
  }
}

TEST(CheckpointThread, TheSameStateGivesTheSameBytesWhateverItsPast) {
  // Once with seals and a memo from a life of growing, once at a stroke.
  Value grown = MakeList();
  auto thread = Holding(MakeList());
  SegmentStore store;
  for (int64_t n = 0; n < 5000; n++) {
    grown = ListAppend(std::move(grown), MakeString("item " + std::to_string(n)));
    if (n % 97 != 0) continue;
    auto holder = Holding(std::move(grown));
    store.Save(*holder);
    holder->Resolve(Value());
    ASSERT_EQ(holder->Run(kPlenty), RunState::kDone);
    grown = holder->result();
  }
  Value fresh = MakeList();
  for (int64_t n = 0; n < 5000; n++) fresh = ListAppend(std::move(fresh), MakeString("item " + std::to_string(n)));
  EXPECT_EQ(store.Save(*Holding(grown)), store.Save(*Holding(fresh)));
}

TEST(CheckpointThread, AChangedElementWritesItsChunk) {
  Value list = MakeList();
  for (int64_t n = 0; n < 20000; n++) list = ListAppend(std::move(list), Value::Int(n));
  auto program = Assembled(
      "import python src.main f\n"
      "function main(v) registers 6\n"
      "loop: kCallForeign r1 0 $0\n"
      "  kTake r2 r0\n"
      "  kMove r3 r1\n"
      "  kLoadInt r4 7\n"
      "  kSetItem r0 r2\n"
      "  kJump loop\n");
  std::vector<Value> arguments;
  arguments.push_back(std::move(list));
  Thread thread(program, "main/1", Value::Function(0), std::move(arguments));
  ASSERT_EQ(thread.Run(kPlenty), RunState::kRequest);
  SegmentStore store;
  store.Save(thread);
  const uint64_t first = store.bytes;
  for (int64_t n = 0; n < 20; n++) {
    thread.Resolve(Value::Int(n * 991));
    ASSERT_EQ(thread.Run(kPlenty), RunState::kRequest);
    const std::string state = store.Save(thread);
    ASSERT_NE(store.Load(state, program), nullptr);
  }
  EXPECT_LT(store.bytes - first, 20 * 4000u);
}

TEST(CheckpointThread, WhatIsReachedNoMoreIsGivenOutAgain) {
  auto program = Assembled(
      "import python src.main f\n"
      "function main(v) registers 3\n"
      "loop: kCallForeign r1 0 $0\n"
      "  kMove r0 r1\n"
      "  kJump loop\n");
  Thread thread(program, "main/1", Value::Function(0), {Value()});
  const Value large = MakeString(std::string(10000, 'a'));
  ASSERT_EQ(thread.Run(kPlenty), RunState::kRequest);
  for (int n = 0; n < 3; n++) {
    thread.Resolve(large);
    ASSERT_EQ(thread.Run(kPlenty), RunState::kRequest);
    EXPECT_EQ(WriteCheckpoint(thread)->segments.size(), 1u);  // two equal chunks are one
    EXPECT_EQ(WriteCheckpoint(thread)->segments.size(), 0u);
    thread.Resolve(Value());
    ASSERT_EQ(thread.Run(kPlenty), RunState::kRequest);
    EXPECT_EQ(WriteCheckpoint(thread)->segments.size(), 0u);
  }
}

TEST(CheckpointThread, EveryRequestIsThereAgain) {
  auto program = Assembled(
      "import python src.main f\n"
      "function main(future, args) registers 8\n"
      "  kLoadInt r2 1\n"
      "  kLoadInt r3 2\n"
      "  kCallForeign r2 2 $0\n"
      "  kLoadFunction r3 @other\n"
      "  kLoadInt r4 5\n"
      "  kSpawn r3 1 r2\n"
      "  kAwait r2 r0\n"
      "  kLoadInt r3 6\n"
      "  kHost r3 1 %print\n"
      "  kLoadForeign r3 $0\n"
      "  kLoadInt r4 7\n"
      "  kCall r3 1 r2\n"
      "  kLoadForeign r3 $0\n"
      "  kApply r2 r3 r1\n"
      "  kReturn r2\n"
      "function other(a) registers 2\n"
      "  kReturn r0\n");
  const Value future = MakeFuture(FutureKind::kThread, MakeString("main/7"), 0, 0, Value(), Value());
  auto thread = std::make_unique<Thread>(program, "main/1", Value::Function(0),
                                         std::vector<Value>{future, ListOf({Value::Int(8), MakeString("x")})});
  const RequestKind kinds[] = {RequestKind::kForeign, RequestKind::kSpawn,   RequestKind::kAwait,
                               RequestKind::kHost,    RequestKind::kForeign, RequestKind::kForeign};
  const size_t counts[] = {2, 2, 1, 1, 1, 2};
  for (size_t n = 0; n < std::size(kinds); n++) {
    ASSERT_EQ(thread->Run(kPlenty), RunState::kRequest) << n;
    thread->TakeStep();
    SegmentStore store;
    const std::string state = store.Save(*thread);
    std::vector<std::string> arguments;
    for (const Value& value : thread->request().arguments) arguments.push_back(SourceForm(value));
    thread = store.Load(state, program);
    ASSERT_NE(thread, nullptr);
    EXPECT_EQ(thread->next_step(), n + 1);
    EXPECT_EQ(thread->request().kind, kinds[n]);
    ASSERT_EQ(thread->request().arguments.size(), counts[n]);
    for (size_t i = 0; i < counts[n]; i++) EXPECT_EQ(SourceForm(thread->request().arguments[i]), arguments[i]);
    thread->Resolve(Value::Int(static_cast<int64_t>(n)));
  }
  ASSERT_EQ(thread->Run(kPlenty), RunState::kDone);
  EXPECT_EQ(thread->result().AsInt(), 5);
}

TEST(CheckpointThread, StopsAtEveryBudgetAndGivesTheSameAnswer) {
  auto program = Assembled(
      "function main(n) registers 6\n"
      "  kLoadInt r1 0\n"
      "loop: kMove r3 r0\n"
      "  kCallFunction r3 @fib r2\n"
      "  kAdd r1 r1 r2\n"
      "  kAddImm r0 r0 -1\n"
      "  kJumpGreaterImm r0 0 loop\n"
      "  kReturn r1\n"
      "function fib(n) registers 6\n"
      "  kJumpGreaterImm r0 1 more\n"
      "  kReturn r0\n"
      "more: kAddImm r2 r0 -1\n"
      "  kCallFunction r2 @fib r1\n"
      "  kAddImm r3 r0 -2\n"
      "  kCallFunction r3 @fib r2\n"
      "  kAdd r1 r1 r2\n"
      "  kReturn r1\n");
  auto thread = std::make_unique<Thread>(program, "main/1", Value::Function(0), std::vector<Value>{Value::Int(9)});
  int stops = 0;
  while (thread->Run(1) == RunState::kBudget) {
    SegmentStore store;
    const std::string state = store.Save(*thread);
    thread = store.Load(state, program);
    ASSERT_NE(thread, nullptr);
    stops++;
  }
  EXPECT_GT(stops, 100);
  EXPECT_EQ(thread->result().AsInt(), 88);
}

TEST(CheckpointThread, TailCallsAreKept) {
  auto program = Assembled(
      "import python src.main f\n"
      "function main(n) registers 4\n"
      "  kMove r1 r0\n"
      "  kCallFunction r1 @walk r2\n"
      "  kReturn r2\n"
      "function walk(n) registers 4\n"
      "  kJumpGreaterImm r0 0 more\n"
      "  kCallForeign r1 0 $0\n"
      "  kReturn r1\n"
      "more: kAddImm r1 r0 -1\n"
      "  kTailCallFunction r1 @walk\n");
  for (int64_t calls : {1, 15, 16, 17, 40}) {
    Thread thread(program, "main/1", Value::Function(0), {Value::Int(calls)});
    ASSERT_EQ(thread.Run(kPlenty), RunState::kRequest);
    SegmentStore store;
    const std::string state = store.Save(thread);
    Parsed(state);
    auto again = store.Load(state, program);
    ASSERT_NE(again, nullptr);
    EXPECT_EQ(SourceForm(again->TraceHere()), SourceForm(thread.TraceHere()));
  }
}

TEST(CheckpointThread, EveryDamageIsFound) {
  for (uint64_t seed = 0; seed < 3; seed++) {
    auto thread = Holding(ListOf({RandomValues(seed + 40).Next(3), MakeString(std::string(9000, 'q')), Value::Int(5)}));
    SegmentStore store;
    const std::string state = store.Save(*thread);
    auto refused = [&](const std::string& bytes) {
      Result<std::unique_ptr<Thread>> read = ReadCheckpoint(bytes, Holder(), store.Source());
      ASSERT_FALSE(read.ok());
      EXPECT_EQ(read.failure().code, FailureCode::kCorrupt) << read.failure().message;
    };
    for (size_t cut = 0; cut < state.size(); cut++) refused(state.substr(0, cut));
    refused(state + '\0');
    for (size_t bit = 0; bit < state.size() * 8; bit++) {
      std::string damaged = state;
      damaged[bit / 8] = static_cast<char>(damaged[bit / 8] ^ 1 << bit % 8);
      refused(damaged);
    }
    for (auto& [hash, bytes] : store.segments) {
      const std::string good = bytes;
      for (size_t at = 0; at < good.size(); at += 1 + good.size() / 6) {
        bytes[at] = static_cast<char>(bytes[at] ^ 16);
        refused(state);
        bytes = good.substr(0, at);
        refused(state);
        bytes = good;
      }
    }
    ASSERT_NE(store.Load(state, Holder()), nullptr);
  }
}

TEST(CheckpointThread, ForgedStatesDoNoHarm) {
  auto thread = Holding(ListOf({RandomValues(7).Next(4), MakeString(std::string(9000, 'q'))}));
  SegmentStore store;
  const std::string state = store.Save(*thread);
  const std::string body = state.substr(0, state.size() - 5);
  std::mt19937_64 random(1);
  for (int n = 0; n < Rounds(1500); n++) {
    std::string forged = body;
    for (int changes = 1 + static_cast<int>(random() % 3); changes > 0; changes--) {
      forged[n % 2 == 0 ? random() % forged.size() : 45 + random() % 40] =
          static_cast<char>(random() % 3 == 0 ? random() : random() % 8);
    }
    proto::ThreadState end;
    end.set_check(Crc32c(forged));
    forged += end.SerializeAsString();
    Result<std::unique_ptr<Thread>> read = ReadCheckpoint(forged, Holder(), store.Source());
    if (!read.ok()) continue;
    EXPECT_EQ(WriteCheckpoint(**read)->state, forged);
  }
}

TEST(CheckpointThread, SaysWhatIsWrong) {
  const proto::ThreadState good = Parsed(SegmentStore().Save(*Holding(Value::Int(5))));
  proto::ThreadState bad = good;
  bad.set_version(2);
  ExpectRefused(bad, "state: format version 2, but this program reads version 1");
  bad = good;
  bad.mutable_frames(0)->set_pc(2);
  ExpectRefused(bad, "a frame in code that the program has not");
  bad = good;
  bad.mutable_frames(0)->set_function(77);
  ExpectRefused(bad, "a frame in code that the program has not");
  bad = good;
  bad.mutable_frames(0)->set_window(1);
  ExpectRefused(bad, "a frame that is not where its call puts it");
  bad = good;
  bad.clear_values();
  ExpectRefused(bad, "fewer values than there must be");
  bad = good;
  *bad.add_values() = good.values(0);
  ExpectRefused(bad, "not known or not in order");
  bad = good;
  bad.mutable_pending()->set_first(2);
  ExpectRefused(bad, "a request that its instruction does not make");
  bad = good;
  bad.clear_frames();
  ExpectRefused(bad, "a thread without frames");
  bad = good;
  *bad.add_frames() = good.frames(0);
  ExpectRefused(bad, "a frame below another that calls nothing");
  bad = good;
  bad.mutable_values(0)->set_text(std::string(5000, 'a'));
  ExpectRefused(bad, "state: not in the one form that this state has, from byte ");
  bad = good;
  bad.mutable_values(0)->set_segment(std::string(32, 'h'));
  Result<std::unique_ptr<Thread>> missing = ReadCheckpoint(Sealed(bad), Holder(), SegmentStore().Source());
  ASSERT_FALSE(missing.ok());
  EXPECT_EQ(missing.failure().code, FailureCode::kNotFound);
}

TEST(CheckpointThread, NamesTheExecutableItNeeds) {
  const std::string state = SegmentStore().Save(*Holding(Value::Int(5)));
  auto other = Assembled("function main() registers 1\n  kReturnNull\n");
  EXPECT_EQ(ProgramOfCheckpoint(state).value(), Holder()->hash());
  Result<std::unique_ptr<Thread>> thread = ReadCheckpoint(state, other, SegmentStore().Source());
  ASSERT_FALSE(thread.ok());
  EXPECT_EQ(thread.failure().code, FailureCode::kInvalid);
  EXPECT_EQ(thread.failure().message,
            "the checkpoint needs the executable " + Hex(Holder()->hash()) + ", not " + Hex(other->hash()));
  EXPECT_FALSE(ProgramOfCheckpoint("").ok());
  EXPECT_FALSE(ProgramOfCheckpoint(state.substr(1)).ok());
}

TEST(CheckpointThread, DepthIsNoLimit) {
  Value value;
  for (int i = 0; i < Rounds(1000000); i++) value = ListAppend(MakeList(1), std::move(value));
  auto thread = Holding(std::move(value));
  SegmentStore store;
  const std::string state = store.Save(*thread);
  EXPECT_LT(store.bytes, 8u << 20);
  ASSERT_NE(store.Load(state, Holder()), nullptr);
}

TEST(CheckpointThread, TooLargeNamesTheLimit) {
  // Different texts, so that no chunk is like another.
  Value list = MakeList();
  for (int n = 0; n < 5; n++) {
    std::string text(60u << 20, 'a');
    for (size_t at = 0; at < text.size(); at += 4096)
      std::memcpy(&text[at], (std::to_string(n) + "." + std::to_string(at)).c_str(), 10);
    list = ListAppend(std::move(list), MakeBytes(text));
  }
  auto thread = Holding(std::move(list));
  Result<Checkpoint> checkpoint = WriteCheckpoint(*thread);
  ASSERT_FALSE(checkpoint.ok());
  EXPECT_EQ(checkpoint.failure().code, FailureCode::kTooLarge);
  EXPECT_EQ(checkpoint.failure().message, "the thread's state is larger than 256 MiB, the most that a thread can keep");
}

TEST(CheckpointThread, ThreadsThatShareAValueMayBeWrittenAtOnce) {
  for (int round = 0; round < (kSanitized ? 6 : 20); round++) {
    Value list = MakeList();
    for (int64_t n = 0; n < 3000; n++) list = ListAppend(std::move(list), MakeString("item " + std::to_string(n)));
    Value shared = ListOf({list, MakeString(std::string(20000, 's')), std::move(list)});
    if (round % 2 == 0) {
      // Some of it is sealed already when it comes to be shared.
      auto first = Holding(shared);
      ASSERT_TRUE(WriteCheckpoint(*first).ok());
    }
    Share(shared);
    std::string states[2];
    std::thread workers[2];
    for (int w = 0; w < 2; w++) {
      workers[w] = std::thread([&shared, &states, w] {
        SegmentStore store;
        auto thread = Holding(shared);
        states[w] = store.Save(*thread);
        store.Save(*thread);
        ASSERT_NE(store.Load(states[w], Holder()), nullptr);
      });
    }
    for (std::thread& worker : workers) worker.join();
    EXPECT_EQ(states[0], states[1]);
  }
}

}  // namespace
}  // namespace teal::vm
