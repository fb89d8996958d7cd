// Entries of a session's history, and the note that outlives a host.
#include "core/runtime/history.h"

#include <gtest/gtest.h>

#include <vector>

#include "core/runtime/record_codec.h"
#include "core/runtime/running_note.h"
#include "tests/unit/runtime/record_samples.h"

namespace teal::runtime {
namespace {

using record::kSid;

TEST(History, EntriesComeBackInOrder) {
  std::string bytes;
  uint64_t last_us = 0;
  const std::string long_text = std::string(199, 'x') + "ä";
  AppendHistory(&bytes, &last_us, {5'000'000, Happened::kStarted, "0", 0, "main"});
  EXPECT_EQ(bytes, std::string("\x88\x27\x01\x01\x30\x00\x04main", 11)) << "as docs/formats/records.md says";
  AppendHistory(&bytes, &last_us, {7'000'999, Happened::kStepBegun, "0.3", 300, long_text});
  AppendHistory(&bytes, &last_us, {1'000'000, Happened::kEnded, "0", 0, "done"});
  std::vector<std::string> seen;
  std::vector<uint64_t> times;
  ASSERT_TRUE(EachHistory(bytes, [&](const HistoryEntry& entry) {
    seen.push_back(std::string(entry.tid) + HistoryJson(entry));
    times.push_back(entry.unix_ns);
  }));
  EXPECT_EQ(seen, (std::vector<std::string>{
                      R"(0{"event":"started","function":"main"})",
                      R"(0.3{"event":"step begun","step":299,"function":")" + std::string(199, 'x') + R"("})",
                      R"(0{"event":"ended","status":"done"})"}))
      << "a text is cut before the character that does not fit";
  EXPECT_EQ(times, (std::vector<uint64_t>{5'000'000, 7'000'000, 7'000'000})) << "time never goes back";
  // Cut anywhere but between two entries it is damaged.
  size_t whole = 0;
  for (size_t end = 0; end <= bytes.size(); ++end) whole += HistoryFault(bytes.substr(0, end)).empty() ? 1 : 0;
  EXPECT_EQ(whole, 4u);
  EXPECT_FALSE(HistoryFault(std::string("\x01\x00\x01\x30\x00\x00", 6)).empty()) << "there is no event 0";
}

TEST(History, RecordsAreHeldToTheirRules) {
  const record::Key history = record::HistoryKey(kSid, 27);
  EXPECT_EQ(history, (record::Key{kSid, "h/000000000000001b"}));
  EXPECT_EQ(record::Parse(history)->number, 27u);
  record::History piece;
  EXPECT_FALSE(record::Encode(history, piece).ok()) << "a piece of nothing";
  uint64_t last_us = 0;
  AppendHistory(&piece.entries, &last_us, {5'000'000, Happened::kWoken, "0", 0, ""});
  EXPECT_EQ(record::DecodeHistory(history, record::Encode(history, piece).value()).value(), piece);
  piece.entries.pop_back();
  EXPECT_FALSE(record::Encode(history, piece).ok());

  const std::string id = record::ReplyId("ask", "key");
  EXPECT_NE(id, record::ReplyId("as", "kkey"));
  const record::Key at = record::ReplyKey(kSid, id);
  EXPECT_EQ(record::Parse(at)->reply, id);
  EXPECT_FALSE(record::Parse({kSid, "r/" + id.substr(1)}).has_value());
  record::Reply reply;
  EXPECT_FALSE(record::Encode(at, reply).ok());
  reply.value = record::Content::Of("v");
  EXPECT_EQ(record::DecodeReply(at, record::Encode(at, reply).value()).value(), reply);

  record::Start start;
  EXPECT_EQ(record::StartKey(kSid), (record::Key{kSid, "a"}));
  EXPECT_FALSE(record::Encode(record::StartKey(kSid), start).ok());
  start.function = record::Content::Of("f");
  start.arguments = record::Content::Of("[]");
  const std::string bytes = record::Encode(record::StartKey(kSid), start).value();
  EXPECT_EQ(record::DecodeStart(record::StartKey(kSid), bytes).value(), start);
}

std::string SidOf(int number) {
  return std::string(24, 'a') + static_cast<char>('a' + number / 26) + static_cast<char>('a' + number % 26);
}

TEST(RunningNote, BlamesWhoRan) {
  std::vector<char> bytes(RunningNote::kBytes);
  using Sids = std::vector<std::string>;
  const auto after = [&bytes](const std::function<void(RunningNote&)>& life) {
    RunningNote(bytes.data());  // forgets what was
    {
      RunningNote note(bytes.data());
      EXPECT_TRUE(note.suspects().empty());
      life(note);
    }
    return RunningNote(bytes.data()).suspects();
  };
  EXPECT_EQ(after([](RunningNote&) {}), Sids{});
  const auto both = [](RunningNote& note) {
    note.CallBegins(SidOf(1));
    note.SliceBegins(SidOf(2));
  };
  EXPECT_EQ(after(both), Sids{SidOf(2)}) << "the slice, and no call besides";
  EXPECT_EQ(after([&](RunningNote& note) {
              both(note);
              note.SliceEnds();
            }),
            Sids{SidOf(1)});
  EXPECT_EQ(after([&](RunningNote& note) {
              both(note);
              note.WillEnd();
            }),
            Sids{});
  EXPECT_EQ(after([](RunningNote& note) {
              const size_t first = note.CallBegins(SidOf(1));
              note.CallBegins(SidOf(2));
              note.CallBegins(SidOf(2));
              note.CallEnds(first);
            }),
            Sids{SidOf(2)});
  EXPECT_EQ(after([](RunningNote& note) {
              for (int i = 0; i < 4; ++i) note.CallBegins(SidOf(i));
            }).size(),
            4u);
  EXPECT_EQ(after([](RunningNote& note) {
              for (int i = 0; i < 5; ++i) note.CallBegins(SidOf(i));
            }),
            Sids{})
      << "of many nobody";
  EXPECT_EQ(after([](RunningNote& note) {
              for (size_t i = 0; i <= RunningNote::kCallsMax; ++i) note.CallEnds(note.CallBegins(SidOf(1)));
              for (size_t i = 0; i <= RunningNote::kCallsMax; ++i) note.CallBegins(SidOf(1));
            }),
            Sids{})
      << "not all could be noted";
}

}  // namespace
}  // namespace teal::runtime
