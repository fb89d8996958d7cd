// What the tests of checkpoints share: a store of segments, random values, and threads that hold them.
#pragma once

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "core/vm/checkpoint.h"
#include "tests/unit/vm/assembler.h"

namespace teal::vm {

// A budget that no test uses up.
inline constexpr uint64_t kPlenty = 1u << 30;

// Sanitizers take several times as long: fewer rounds then, of the same things.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
inline constexpr bool kSanitized = true;
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || __has_feature(undefined_behavior_sanitizer)
inline constexpr bool kSanitized = true;
#else
inline constexpr bool kSanitized = false;
#endif
#else
inline constexpr bool kSanitized = false;
#endif
template <typename Number>
constexpr Number Rounds(Number rounds) {
  return kSanitized ? rounds / 10 : rounds;
}

// Keeps segments as a store would, and counts what it was given.
struct SegmentStore {
  std::map<Sha256, std::string> segments;
  uint64_t bytes = 0;

  SegmentSource Source() const {
    return [this](const Sha256& hash) -> Result<std::string> {
      auto at = segments.find(hash);
      if (at == segments.end()) return Fail(FailureCode::kNotFound, "no segment " + Hex(hash));
      return at->second;
    };
  }
  // Writes a checkpoint of the thread, keeps its segments and gives its state.
  std::string Save(Thread& thread) {
    Result<Checkpoint> checkpoint = WriteCheckpoint(thread);
    if (!checkpoint.ok()) {
      ADD_FAILURE() << checkpoint.failure().message;
      return {};
    }
    bytes += checkpoint->state.size();
    for (Segment& segment : checkpoint->segments) {
      EXPECT_EQ(segment.hash, Sha256Of(segment.bytes));
      bytes += segment.bytes.size();
      segments[segment.hash] = std::move(segment.bytes);
    }
    return std::move(checkpoint->state);
  }
  std::unique_ptr<Thread> Load(const std::string& state, const std::shared_ptr<const Program>& program) const {
    Result<std::unique_ptr<Thread>> thread = ReadCheckpoint(state, program, Source());
    if (!thread.ok()) {
      ADD_FAILURE() << thread.failure().message;
      return nullptr;
    }
    return std::move(thread).value();
  }
};

inline Value ListOf(std::vector<Value> items) {
  Value list = MakeList(items.size());
  for (Value& item : items) list = ListAppend(std::move(list), std::move(item));
  return list;
}

// A program whose main(v) asks a foreign function with v still needed, and gives v back.
inline std::shared_ptr<const Program> Holder() {
  static const std::shared_ptr<const Program> program = Assembled(
      "import python src.main f\n"
      "function main(v) registers 3\n"
      "  kCallForeign r1 0 $0\n"
      "  kReturn r0\n"
      "function one(x) captures 2 registers 4\n"
      "  kReturn r0\n"
      "function plain(x) registers 2\n"
      "  kReturn r0\n");
  return program;
}

// A thread that waits for an answer and holds `value` in a register.
inline std::unique_ptr<Thread> Holding(Value value) {
  std::vector<Value> arguments;
  arguments.push_back(std::move(value));
  auto thread = std::make_unique<Thread>(Holder(), "main/1", Value::Function(0), std::move(arguments));
  EXPECT_EQ(thread->Run(kPlenty), RunState::kRequest);
  return thread;
}

// Values of every kind, nested, and sharing parts.
class RandomValues {
 public:
  explicit RandomValues(uint64_t seed) : random_(seed) {}

  Value Next(int depth) {
    if (!made_.empty() && Below(5) == 0) return made_[Below(made_.size())];
    Value value = Fresh(depth);
    if (value.IsHeap() && Below(2) == 0) made_.push_back(value);
    return value;
  }

 private:
  uint64_t Below(uint64_t end) { return random_() % end; }
  std::string Text() {
    static const char* const kParts[] = {"a", "Zz", "\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x90\x8d", "", " ", "key"};
    std::string text;
    uint64_t parts = Below(40) == 0 ? 3000 : Below(6);
    for (uint64_t i = 0; i < parts; i++) text += kParts[Below(8)];
    return text;
  }
  Value Key() {
    switch (Below(4)) {
      case 0:
        return Value::Int(static_cast<int64_t>(Below(300)));
      case 1:
        return MakeString(Text());
      case 2:
        return MakeSymbol("s" + std::to_string(Below(99)));
      default:
        return ListOf({Value::Int(static_cast<int64_t>(Below(50))), Value::Bool(true)});
    }
  }
  Value Fresh(int depth) {
    switch (Below(depth > 0 ? 18 : 11)) {
      case 0:
        return Value();
      case 1:
        return Value::Bool(Below(2) == 0);
      case 2:
        return Value::Int(static_cast<int64_t>(random_()) >> Below(64));
      case 3:
        return Value::Float(std::bit_cast<double>(random_()));
      case 4:
        return Value::Function(2);
      case 5:
        return Value::Builtin(120);
      case 6:
        return Value::Foreign(0);
      case 7:
        return MakeString(Text());
      case 8:
        return MakeSymbol(Text());
      case 9:
        return MakeBytes(std::string(Below(30) == 0 ? Below(20000) : Below(20), '\xff'));
      case 10:
        return MakeSecret(Text());
      case 11:
      case 12: {
        Value list = MakeList();
        for (uint64_t n = Below(20) == 0 ? Below(3000) : Below(8); n > 0; n--)
          list = ListAppend(std::move(list), Next(n > 100 ? 0 : depth - 1));
        return list;
      }
      case 13:
      case 14: {
        Value hash = MakeHash();
        for (uint64_t n = Below(15) == 0 ? Below(900) : Below(8); n > 0; n--)
          hash = HashSet(std::move(hash), Key(), Next(n > 100 ? 0 : depth - 1));
        for (uint64_t n = Below(60); n > 0; n--)
          hash = HashDel(std::move(hash), Value::Int(static_cast<int64_t>(Below(300))));
        return hash;
      }
      case 15: {
        Value captures[2] = {Next(depth - 1), Next(depth - 1)};
        return MakeClosure(1, random_(), Below(1000), captures, 2);
      }
      case 16: {
        Value inner = MakeFuture(FutureKind::kEvent, MakeString("main/2"), Below(9), 0, MakeString(Text()), Value());
        if (Below(2) == 0) return inner;
        return MakeFuture(FutureKind::kTimeout, MakeString("main/2"), Below(9), -static_cast<int64_t>(Below(1u << 30)),
                          Value(), inner);
      }
      default: {
        Value error = MakeError(MakeString("kind"), MakeString(Text()), Next(depth - 1));
        if (Below(2) == 0) {
          error.As<Error>()->trace = ListOf({HashSet(MakeHash(), MakeString("line"), Value::Int(3))});
        }
        return error;
      }
    }
  }
  std::mt19937_64 random_;
  std::vector<Value> made_;
};

}  // namespace teal::vm
