// Records of every format version there was must load for ever, and the document's example must be true.
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <iterator>

#include "core/runtime/history.h"
#include "core/runtime/record_codec.h"
#include "tests/unit/runtime/record_samples.h"

namespace teal::runtime::record {
namespace {

std::string FileText(const std::string& name) {
  std::ifstream file(std::string(TEAL_SOURCE_DIR) + "/" + name, std::ios::binary);
  EXPECT_TRUE(file.good()) << name;
  return {std::istreambuf_iterator<char>(file), {}};
}

// A new sample is written once, with the variable set to its folder; the samples that stand are never written again.
std::string Sample(const std::string& name, const Result<std::string>& expected) {
  EXPECT_TRUE(expected.ok());
  if (const char* folder = std::getenv("TEAL_NEW_SAMPLES"); folder != nullptr) {
    std::ofstream(std::string(folder) + "/" + name, std::ios::binary) << expected.value();
    return expected.value();
  }
  const std::string bytes = FileText("tests/golden/records/" + name);
  EXPECT_EQ(bytes, expected.value()) << name << ": what is written today differs from version 1";
  return bytes;
}

Program SampleProgram() {
  Program program;
  program.name = "service.tl";
  program.created_unix_ns = 1'700'000'000'000'000'000;
  program.executable = {Sha256Of("executable"), 10, 0, "executable", {}};
  program.package = Part{Sha256Of("package"), 5'000'000, 2, {}, {}};
  return program;
}

TEST(RecordGolden, Version1) {
  const Key child = ThreadKey(kSid, "0.3");
  EXPECT_TRUE(DecodeThread(child, Sample("v1-running.bin", Encode(child, RunningThread()))).value() == RunningThread());
  EXPECT_TRUE(DecodeThread(child, Sample("v1-waiting.bin", Encode(child, WaitingThread()))).value() == WaitingThread());
  EXPECT_TRUE(DecodeThread(child, Sample("v1-done.bin", Encode(child, DoneThread()))).value() == DoneThread());
  Thread newer = DoneThread();
  newer.unknown = "\xc2\x3e\x02xy";
  EXPECT_TRUE(DecodeThread(child, Sample("v1-newer.bin", Encode(child, newer))).value() == newer);

  const Key session = SessionKey(kSid);
  EXPECT_TRUE(DecodeSession(session, Sample("v1-session.bin", Encode(session, WaitingSession()))).value() ==
              WaitingSession());

  const Value value{"a value", std::nullopt, {}};
  const Key value_key = ValueKey(kSid, Sha256Of(value.bytes));
  EXPECT_TRUE(DecodeValue(value_key, Sample("v1-value.bin", Encode(value_key, value))).value() == value);
  const Value large{{}, Blob{Sha256Of("salted"), 70'000'000, {}}, {}};
  EXPECT_TRUE(DecodeValue(value_key, Sample("v1-blob.bin", Encode(value_key, large))).value() == large);

  const Output output{{{LineKind::kOutput, 0, 1, "a line", {}}, {LineKind::kLog, 3, 2, "an error", {}}}, {}};
  const Key output_key = OutputKey(kSid, "0.3", 1);
  EXPECT_TRUE(DecodeOutput(output_key, Sample("v1-output.bin", Encode(output_key, output))).value() == output);

  const Program program = SampleProgram();
  const Key program_key = ProgramKey(ProgramId(program.executable.hash, program.package->hash));
  EXPECT_TRUE(DecodeProgram(program_key, Sample("v1-program.bin", Encode(program_key, program))).value() == program);
  const Key piece_key = ProgramPieceKey(program.package->hash, 1);
  EXPECT_EQ(DecodePiece(piece_key, Sample("v1-piece.bin", EncodePiece(piece_key, "bytes"))).value(), "bytes");

  const SweeperPart part{kRunner, 1'700'000'000'000'000'000, {}};
  EXPECT_TRUE(DecodeSweeperPart(SweeperPartKey(3), Sample("v1-part.bin", Encode(SweeperPartKey(3), part))).value() ==
              part);
}

// What sessions tell of themselves, how they began, and what they replied.
TEST(RecordGolden, Version1Told) {
  History history;
  uint64_t last_us = 0;
  AppendHistory(&history.entries, &last_us, {1'700'000'000'000'000'000, Happened::kStarted, "0", 0, "main"});
  AppendHistory(&history.entries, &last_us, {1'700'000'000'000'250'000, Happened::kStepBegun, "0.3", 5, "charge"});
  const Key history_key = HistoryKey(kSid, 2);
  EXPECT_TRUE(DecodeHistory(history_key, Sample("v1-history.bin", Encode(history_key, history))).value() == history);
  const Reply reply{Content::Of("value"), {}};
  const Key reply_key = ReplyKey(kSid, ReplyId("ask", "key"));
  EXPECT_TRUE(DecodeReply(reply_key, Sample("v1-reply.bin", Encode(reply_key, reply))).value() == reply);
  Start start;
  start.function = Content::Of("function");
  start.arguments = Content::Of("arguments");
  const Key start_key = StartKey(kSid);
  EXPECT_TRUE(DecodeStart(start_key, Sample("v1-start.bin", Encode(start_key, start))).value() == start);

  Session session = WaitingSession();
  session.main.attempts = 2;
  session.main.lines = {{LineKind::kOutput, 0, 1, "a line", "0.3", {}}};
  session.history = history.entries;
  session.history_pieces = 2;
  session.replied = {std::string(kReplyIdBytes, 'r')};
  const Key key = SessionKey(kSid);
  EXPECT_TRUE(DecodeSession(key, Sample("v1-session-told.bin", Encode(key, session))).value() == session);
}

// The hexadecimal digits before " |" in the document's table are the bytes of the sample.
TEST(RecordGolden, TheDocumentShowsTheSample) {
  const std::string text = FileText("docs/formats/records.md");
  const size_t from = text.find("```dump\n");
  ASSERT_NE(from, std::string::npos);
  const size_t to = text.find("```", from + 8);
  std::string shown;
  for (size_t at = from + 8; at < to; at = text.find('\n', at) + 1) {
    for (size_t c = at; c < text.find('|', at); c++) {
      if (text[c] != ' ') shown += text[c];
    }
  }
  std::string digits;
  for (unsigned char byte : FileText("tests/golden/records/v1-waiting.bin")) {
    digits += "0123456789abcdef"[byte >> 4];
    digits += "0123456789abcdef"[byte & 15];
  }
  EXPECT_EQ(shown, digits);
}

}  // namespace
}  // namespace teal::runtime::record
