#include "core/trigger/event.h"

#include <gtest/gtest.h>

#include "core/host/json.h"
#include "core/trigger/triggers.h"

namespace teal::trigger {
namespace {

Event Arguments(std::string data) {
  Event event;
  event.time_unix_ns = 1'800'000'000'250'000'000;
  event.source = "watch:in";
  event.id = "7";
  event.type = "file";
  event.content_type = "application/vnd.teal.arguments+json";
  event.data = std::move(data);
  return event;
}

Result<Call> CallWith(const std::string& attributes) {
  Event event = Arguments("[1]");
  event.attributes_json = attributes;
  return CallOf(event, "watch", "main.watch", "main");
}

host::Json ArgumentOf(const Event& event) {
  const Result<Call> call = CallOf(event, "watch", "main.watch", "main");
  EXPECT_TRUE(call.ok());
  return host::Json::parse(call.value().start.arguments_json)[0];
}

TEST(Event, ArgumentsArePassedAsTheyAre) {
  const Result<Call> call = CallOf(Arguments("[1, 2.50, 12345678901234567890123]"), "watch", "main.watch", "main");
  ASSERT_TRUE(call.ok());
  EXPECT_EQ(call.value().start.arguments_json, "[1, 2.50, 12345678901234567890123]");
  EXPECT_EQ(call.value().start.source, "watch:in");
  EXPECT_EQ(call.value().start.id, "7");
  EXPECT_EQ(call.value().start.function, "main");
  EXPECT_TRUE(call.value().start.drop_arguments);
  EXPECT_FALSE(call.value().reply_ns);
}

TEST(Event, NoPluginNamesTheEventsOfAnother) {
  Event event = Arguments("[]");
  event.source = "schedule:nightly";
  EXPECT_EQ(CallOf(event, "watch", "main.watch", "main").value().start.source, "watch:schedule:nightly");
  event.source = "watching";
  EXPECT_EQ(CallOf(event, "watch", "main.watch", "main").value().start.source, "watch:watching");
}

TEST(Event, OtherTypesAreOneHash) {
  Event event = Arguments(R"({"n": 12345678901234567890123})");
  event.content_type = "application/cloudevents+json; charset=utf-8";
  event.attributes_json = R"({"kept": true, "overlap": "skip"})";
  const Result<Call> call = CallOf(event, "watch", "main.watch", "main");
  EXPECT_NE(call.value().start.arguments_json.find("12345678901234567890123"), std::string::npos);
  const host::Json argument = ArgumentOf(event);
  EXPECT_EQ(argument["source"], "watch:in");
  EXPECT_EQ(argument["time"], "2027-01-15T08:00:00.25Z");
  EXPECT_EQ(argument["attributes"], host::Json({{"kept", true}}));
  EXPECT_EQ(call.value().overlap, Overlap::kSkip);
  event.content_type = "text/plain";
  event.data = "gr\xc3\xbc\xc3\x9f";
  EXPECT_EQ(ArgumentOf(event)["data"], event.data);
  event.content_type = "application/json";  // and it is none
  event.data = "{";
  EXPECT_EQ(ArgumentOf(event)["data"], "{");
  event.data = "\xff\x00\x01";
  EXPECT_EQ(ArgumentOf(event)["data_base64"], "/w==");
}

TEST(Event, WhatIsWrongIsTold) {
  const auto refused = [](const Event& event) { return !CallOf(event, "watch", "main.watch", "main").ok(); };
  Event event = Arguments("[]");
  EXPECT_FALSE(refused(event));
  event.id.clear();
  EXPECT_TRUE(refused(event));
  event.id = std::string(1025, 'x');
  EXPECT_TRUE(refused(event));
  event.id = "\xff";
  EXPECT_TRUE(refused(event));
  event.id = "1";
  event.data = std::string(kEventBytesMax + 1, ' ');
  EXPECT_EQ(CallOf(event, "watch", "main.watch", "main").failure().code, FailureCode::kTooLarge);
  for (const char* const attributes : {"[]", "{", R"({"reply":1})", R"({"reply":{}})", R"({"reply":{"timeout_ms":-1}})",
                                       R"({"overlap":"maybe"})", R"({"fingerprint":7})"}) {
    EXPECT_FALSE(CallWith(attributes).ok()) << attributes;
  }
  const Result<Call> waits = CallWith(R"({"reply":{"timeout_ms":1500}})");
  EXPECT_EQ(waits.value().reply_ns, 1'500'000'000u);
  const Result<Call> marked = CallWith(R"({"fingerprint":"ab"})");
  EXPECT_EQ(marked.value().fingerprint, "ab");
}

TEST(Event, IsKeptByteForByte) {
  Event event = Arguments(std::string("\x00\xff[", 3));
  event.order_key = "k";
  event.attributes_json = "{}";
  const Result<Event> read = Decode(Encode(event));
  ASSERT_TRUE(read.ok());
  EXPECT_EQ(read.value().data, event.data);
  EXPECT_EQ(read.value().order_key, "k");
  EXPECT_EQ(read.value().time_unix_ns, event.time_unix_ns);
  EXPECT_EQ(read.value().attributes_json, "{}");
  const std::string bytes = Encode(event);
  EXPECT_FALSE(Decode(bytes.substr(0, bytes.size() / 2)).ok());
  EXPECT_FALSE(Decode("").ok());
}

}  // namespace
}  // namespace teal::trigger
