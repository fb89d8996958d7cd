// Records as bytes: what goes in comes out, damage is found, and a newer release's fields outlive an older one's
// writes.
#include "core/runtime/record_codec.h"

#include <gtest/gtest.h>

#include "core/runtime/record_rules.h"
#include "core/vm/checkpoint_crc.h"
#include "tests/unit/runtime/record_samples.h"

namespace teal::runtime::record {
namespace {

constexpr int kRounds = 2'000;

// One set of names for all kinds.
Result<Thread> DecodeAs(const Key& key, std::string_view bytes, const Thread&) {
  return DecodeThread(key, bytes);
}
Result<Session> DecodeAs(const Key& key, std::string_view bytes, const Session&) {
  return DecodeSession(key, bytes);
}
Result<Value> DecodeAs(const Key& key, std::string_view bytes, const Value&) {
  return DecodeValue(key, bytes);
}
Result<Output> DecodeAs(const Key& key, std::string_view bytes, const Output&) {
  return DecodeOutput(key, bytes);
}
Result<Program> DecodeAs(const Key& key, std::string_view bytes, const Program&) {
  return DecodeProgram(key, bytes);
}
Result<SweeperPart> DecodeAs(const Key& key, std::string_view bytes, const SweeperPart&) {
  return DecodeSweeperPart(key, bytes);
}

template <typename Record>
std::string Bytes(const Key& key, const Record& record) {
  Result<std::string> bytes = Encode(key, record);
  EXPECT_TRUE(bytes.ok()) << bytes.failure().message;
  return bytes.ok() ? *bytes : "";
}

template <typename Record>
void RoundTrip(const Key& key, const Record& record) {
  const std::string bytes = Bytes(key, record);
  Result<Record> back = DecodeAs(key, bytes, record);
  ASSERT_TRUE(back.ok()) << back.failure().message;
  EXPECT_TRUE(*back == record) << Text(key);
  EXPECT_EQ(Bytes(key, *back), bytes) << "canonical";
}

Key KeyOf(const Thread& child) {
  return ThreadKey(kSid, ChildTid(child.owner, child.step));
}

// The bytes with a right check behind them.
std::string Sealed(const Key& key, std::string body) {
  const uint32_t check = vm::Crc32c(body) ^ vm::Crc32c(key.partition + "\n" + key.sort);
  for (int shift = 0; shift < 32; shift += 8) body += static_cast<char>(check >> shift);
  return body;
}

FailureCode CodeOf(const Key& key, std::string_view bytes, std::string_view says) {
  Result<Thread> read = DecodeThread(key, bytes);
  if (read.ok()) return FailureCode::kInternal;
  EXPECT_NE(read.failure().message.find(says), std::string::npos) << read.failure().message;
  EXPECT_NE(read.failure().message.find(key.sort), std::string::npos) << "says where: " << read.failure().message;
  return read.failure().code;
}

TEST(RecordCodec, RandomRecordsComeBackAsTheyWere) {
  RandomRecords random(1);
  for (int i = 0; i < kRounds; i++) {
    const Thread child = random.OfChild(random.Main(static_cast<Status>(1 + i % 6)));
    RoundTrip(KeyOf(child), child);
    RoundTrip(SessionKey(kSid), random.AnySession());
    Output output{random.Lines(), random.Unknown()};
    if (!output.lines.empty()) RoundTrip(OutputKey(kSid, "0.3", 17), output);
    Value value{random.Text(99), std::nullopt, random.Unknown()};
    RoundTrip(ValueKey(kSid, Sha256Of(value.bytes)), value);
    if (HasFailure()) FAIL() << "round " << i;
  }
}

TEST(RecordCodec, ProgramsPiecesAndParts) {
  const std::string executable = "executable";
  Program program;
  program.name = "service.tl";
  program.executable = {Sha256Of(executable), executable.size(), 0, executable, {}};
  RoundTrip(ProgramKey(ProgramId(program.executable.hash, {})), program);
  program.package = Part{Sha256Of("package"), 5'000'000, 2, {}, {}};
  program.status = ProgramStatus::kRetiring;
  const Key key = ProgramKey(ProgramId(program.executable.hash, program.package->hash));
  RoundTrip(key, program);
  EXPECT_FALSE(Encode(ProgramKey(Sha256Of("another")), program).ok());

  const Key piece_key = ProgramPieceKey(program.package->hash, 1);
  Result<std::string> piece = EncodePiece(piece_key, "bytes");
  ASSERT_TRUE(piece.ok());
  EXPECT_EQ(DecodePiece(piece_key, *piece).value(), "bytes");
  EXPECT_FALSE(DecodePiece(ProgramPieceKey(program.package->hash, 2), *piece).ok());

  RoundTrip(SweeperPartKey(3), SweeperPart{kRunner, 99, {}});
  RoundTrip(SweeperPartKey(0), SweeperPart{});
  const Sha256 large = Sha256Of("large");
  RoundTrip(ValueKey(kSid, large), Value{{}, Blob{Sha256Of("salted"), 70'000'000, {}}, {}});
}

TEST(RecordCodec, EveryFlippedBitAndEveryCutIsFound) {
  RandomRecords random(2);
  for (int i = 0; i < 40; i++) {
    const Thread child = random.OfChild(random.Main(static_cast<Status>(1 + i % 6)));
    const Key key = KeyOf(child);
    const std::string bytes = Bytes(key, child);
    for (size_t at = 0; at < bytes.size(); at++) {
      std::string damaged = bytes;
      damaged[at] = static_cast<char>(damaged[at] ^ 1 << random.Below(8));
      ASSERT_EQ(CodeOf(key, damaged, "damaged"), FailureCode::kCorrupt) << at;
      damaged[at] = static_cast<char>(bytes[at] + 1 + static_cast<char>(random.Below(255)));
      ASSERT_EQ(CodeOf(key, damaged, "damaged"), FailureCode::kCorrupt) << at;
      ASSERT_EQ(CodeOf(key, bytes.substr(0, at), at < 6 ? "cut off" : "damaged"), FailureCode::kCorrupt);
    }
  }
}

// With the check made right again, damage gets through to the message: it must end in a Failure or in a record that is
// valid, never in a crash. (Such bytes are a writer's doing, not a disk's.)
TEST(RecordCodec, DamageUnderARightCheckNeverCrashes) {
  RandomRecords random(3);
  int refused = 0, passed = 0;
  for (int i = 0; i < 300; i++) {
    const Thread child = random.OfChild(random.Main(static_cast<Status>(1 + i % 6)));
    const Key key = KeyOf(child);
    const std::string bytes = Bytes(key, child);
    for (int k = 0; k < 30; k++) {
      std::string body = bytes.substr(0, bytes.size() - 4);
      for (uint64_t n = 1 + random.Below(2); n > 0; n--) {
        body[2 + random.Below(body.size() - 2)] = static_cast<char>(random.Below(256));
      }
      Result<Thread> read = DecodeThread(key, Sealed(key, body));
      if (read.ok()) {
        passed++;
        EXPECT_TRUE(Encode(key, *read).ok());
      } else {
        refused++;
        EXPECT_EQ(read.failure().code, FailureCode::kCorrupt);
      }
    }
  }
  EXPECT_GT(refused, 100);
  EXPECT_GT(passed, 100);
}

TEST(RecordCodec, BytesUnderAnotherKeyAreRefused) {
  const Thread child = RunningThread();
  const std::string bytes = Bytes(KeyOf(child), child);
  EXPECT_EQ(CodeOf(ThreadKey(kSid, "0.4"), bytes, "not of this key"), FailureCode::kCorrupt);
  EXPECT_EQ(CodeOf(ThreadKey(std::string(26, 'a'), "0.3"), bytes, "not of this key"), FailureCode::kCorrupt);
  EXPECT_EQ(CodeOf(SessionKey(kSid), bytes, "not one of this kind"), FailureCode::kCorrupt);
  EXPECT_EQ(CodeOf({"here", "there"}, bytes, "not one of this kind"), FailureCode::kCorrupt);
}

TEST(RecordCodec, OtherVersionsAndKindsAreRefusedByName) {
  const Thread child = RunningThread();
  const Key key = KeyOf(child);
  std::string body = Bytes(key, child);
  body.resize(body.size() - 4);
  ASSERT_TRUE(DecodeThread(key, Sealed(key, body)).ok());
  body[1] = 2;
  EXPECT_EQ(CodeOf(key, Sealed(key, body), "format version 2; this release reads up to 1"), FailureCode::kInvalid);
  body[1] = 0;
  EXPECT_EQ(CodeOf(key, Sealed(key, body), "format version 0"), FailureCode::kCorrupt);
  body[1] = 1;
  body[0] = 's';
  EXPECT_EQ(CodeOf(key, Sealed(key, body), "of another kind"), FailureCode::kCorrupt);
  // An outbox entry (field 11) of a kind that there is not yet; a status 9. Nothing is guessed.
  body[0] = 't';
  EXPECT_EQ(CodeOf(key, Sealed(key, body + std::string("\x5a\x02\x7a\x00", 4)), "unknown kind"), FailureCode::kCorrupt);
  EXPECT_EQ(CodeOf(key, Sealed(key, body + "\x08\x09"), "status: the unknown number 9"), FailureCode::kCorrupt);
}

TEST(RecordCodec, UnfitRecordsAreNotWritten) {
  const auto fault = [](const Thread& thread) {
    Result<std::string> bytes = Encode(ThreadKey(kSid, "0.3"), thread);
    if (bytes.ok()) return std::string("written");
    EXPECT_EQ(bytes.failure().code, FailureCode::kInternal);
    return bytes.failure().message;
  };
  const auto says = [&](const Thread& thread, std::string_view what) {
    EXPECT_NE(fault(thread).find(what), std::string::npos) << fault(thread) << ", not: " << what;
  };
  EXPECT_EQ(fault(RunningThread()), "written");
  Thread t = RunningThread();
  t.lease.reset();
  says(t, "lease:");
  t = RunningThread();
  t.status = Status::kReady;
  t.lease.reset();
  says(t, "in_flight:");
  t = RunningThread();
  t.in_flight.push_back(t.in_flight[0]);
  says(t, "in_flight:");
  t = RunningThread();
  t.start = Start{Content::Of("f"), Content::Of("a"), false, {}};
  says(t, "state:");
  t = RunningThread();
  t.step = 4;
  says(t, "owner:");
  t = RunningThread();
  t.commit_id = {};
  says(t, "commit_id:");
  t = DoneThread();
  t.result = {};
  says(t, "result:");
  t = WaitingThread();
  t.wait->watch_own = 4;
  says(t, "wait: it watches a child that is no member");
  t = WaitingThread();
  t.wait->watch_own.reset();
  says(t, "wait: it watches no member");
  t = WaitingThread();
  t.children.push_back({8, 1, false, false, {}});
  says(t, "children: ranges not in order");
  t = WaitingThread();
  t.children.push_back({10, 1, false, false, {}});
  says(t, "children: two ranges that are one");
  t = WaitingThread();
  t.waiters = {"0.2", "0.1"};
  says(t, "waiters:");
  t.waiters.clear();
  for (int i = 100; i < 165; i++) t.waiters.push_back("0." + std::to_string(i));
  says(t, "waiters: more than 64");
  t.waiters.pop_back();
  EXPECT_EQ(fault(t), "written");

  Session s = WaitingSession();
  s.inbox[0].values.assign(kInboxValuesMax + 1, {"id", Content::Of("v"), {}});
  EXPECT_NE(Encode(SessionKey(kSid), s).failure().message.find("more than 10000 values"), std::string::npos);
  s = WaitingSession();
  s.main.verified = false;
  EXPECT_FALSE(Encode(SessionKey(kSid), s).ok());
  EXPECT_FALSE(Encode(ValueKey(kSid, Sha256Of("one")), Value{"another", std::nullopt, {}}).ok());
  t = RunningThread();
  t.state = Content::Of(std::string(kRecordBytesMax, 'x'));
  EXPECT_EQ(Encode(ThreadKey(kSid, "0.3"), t).failure().code, FailureCode::kTooLarge);
}

// P-2: a release that does not know a field keeps it in a side write.
TEST(RecordCodec, P2UnknownFieldsOutliveASideWrite) {
  const std::string newer = "\xc2\x3e\x02xy";  // field 1000, two bytes
  Session written = WaitingSession();
  written.unknown = written.main.unknown = written.main.wait->unknown = written.inbox[0].values[0].unknown = newer;
  const Key key = SessionKey(kSid);
  Result<Session> read = DecodeSession(key, Bytes(key, written));
  ASSERT_TRUE(read.ok());
  Session after = *read;
  after.main.cancel = Cancel::kCancel;
  EXPECT_EQ(SideWriteFault(*read, after), "");
  const std::string bytes = Bytes(key, after);
  size_t found = 0;
  for (size_t at = bytes.find(newer); at != std::string::npos; at = bytes.find(newer, at + 1)) found++;
  EXPECT_EQ(found, 4u);
  after.main.cancel = Cancel::kNo;
  EXPECT_EQ(Bytes(key, after), Bytes(key, written));
}

}  // namespace
}  // namespace teal::runtime::record
