// Notifications of object stores. The samples are those of Amazon S3's user guide ("Event message structure",
// "EventBridge event message structure"), Amazon SNS's and SQS's developer guides, and Google Cloud Storage's guide to
// Pub/Sub notifications.
#include "triggers/s3/decode.hpp"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <random>

namespace teal::s3 {
namespace {

using Json = nlohmann::json;

Json S3Sample() {
  return Json::parse(R"({"Records":[{"eventVersion":"2.1","eventSource":"aws:s3","awsRegion":"us-west-2",
    "eventTime":"1970-01-01T00:00:00.000Z","eventName":"ObjectCreated:Put",
    "userIdentity":{"principalId":"AIDAJDPLRKLG7UEXAMPLE"},"requestParameters":{"sourceIPAddress":"127.0.0.1"},
    "responseElements":{"x-amz-request-id":"C3D13FE58DE4C810",
      "x-amz-id-2":"FMyUVURIY8/IgAtTv8xRjskZQpcIZ9KG4V5Wp6S7S/JRWeUWerMUE5JgHvANOjpD"},
    "s3":{"s3SchemaVersion":"1.0","configurationId":"testConfigRule",
      "bucket":{"name":"amzn-s3-demo-bucket","ownerIdentity":{"principalId":"A3NL1KOZZKExample"},
        "arn":"arn:aws:s3:::amzn-s3-demo-bucket"},
      "object":{"key":"HappyFace.jpg","size":1024,"eTag":"d41d8cd98f00b204e9800998ecf8427e",
        "versionId":"096fKKXTRTtl3on89fVO.nfljtsv6qko","sequencer":"0055AED6DCD90281E5"}}}]})");
}

constexpr char kTestEvent[] =
    R"({"Service":"Amazon S3","Event":"s3:TestEvent","Time":"2014-10-13T15:57:02.089Z","Bucket":"amzn-s3-demo-bucket",
    "RequestId":"5582815E1AEA5ADF","HostId":"8cLeGAmw098X5cv4Zkwcmo8vvZa3eH3eKxsPzbB9wrR+YstdA6Knx4Ip8EXAMPLE"})";

constexpr char kEventBridge[] =
    R"({"version":"0","id":"17793124-05d4-b198-2fde-7ededc63b103","detail-type":"Object Created","source":"aws.s3",
    "account":"111122223333","time":"2021-11-12T00:00:00Z","region":"ca-central-1",
    "resources":["arn:aws:s3:::amzn-s3-demo-bucket1"],"detail":{"version":"0","bucket":{"name":"amzn-s3-demo-bucket1"},
    "object":{"key":"example+key %20","size":5,"etag":"b1946ac92492d2347c6235b4d2611184",
    "version-id":"IYV3p45BT0ac8hjHg1houSdS1a.Mro8e","sequencer":"617f08299329d189"},"request-id":"N4N7GDK58NMKJ12R",
    "requester":"123456789012","source-ip-address":"1.2.3.4","reason":"PutObject"}})";

constexpr char kGcs[] =
    R"({"specversion":"1.0","id":"1234","type":"google.cloud.storage.object.v1.finalized","time":"2020-12-20T13:37:33Z",
    "source":"//storage.googleapis.com/projects/_/buckets/MY-BUCKET","subject":"objects/MY_FILE.txt",
    "datacontenttype":"application/json","data":{"kind":"storage#object","bucket":"MY-BUCKET","name":"MY+FILE%20.txt",
    "generation":"1587627537231057","metageneration":"1","size":"352","timeCreated":"2020-04-23T07:38:57.230Z",
    "etag":"COHn9v6G3+gCEAE="}})";

Json PubSubSample() {
  return {{"message",
           {{"attributes",
             {{"eventType", "OBJECT_FINALIZE"},
              {"bucketId", "MY-BUCKET"},
              {"objectId", "MY+FILE%20.txt"},
              {"objectGeneration", "1587627537231057"},
              {"payloadFormat", "JSON_API_V1"}}},
            {"data", "eyJzaXplIjoiMzUyIn0="},
            {"messageId", "2070443601311540"}}},
          {"subscription", "projects/myproject/subscriptions/mysubscription"}};
}

Json Sns(const std::string& text, const std::string& id) {
  return {{"Records",
           {{{"EventSource", "aws:sns"}, {"EventVersion", "1.0"}, {"Sns", {{"MessageId", id}, {"Message", text}}}}}}};
}
Json Sqs(const std::string& text, const std::string& id) {
  return {{"Records", {{{"messageId", id}, {"body", text}, {"eventSource", "aws:sqs"}}}}};
}
Json SnsPost(const std::string& text) {
  return {{"Type", "Notification"},
          {"MessageId", "22b80b92"},
          {"TopicArn", "arn:aws:sns:us-west-2:1:t"},
          {"Message", text}};
}

ObjectEvent One(const Json& message, Kind kind) {
  const Decoded decoded = Decode(message.dump(), kind);
  EXPECT_EQ(decoded.wrong, "") << message.dump();
  return decoded.events.size() == 1 ? decoded.events[0] : ObjectEvent{};
}
std::string Wrong(const Json& message, Kind kind) {
  const Decoded decoded = Decode(message.dump(), kind);
  EXPECT_TRUE(decoded.events.empty()) << message.dump();
  return decoded.wrong;
}

TEST(Decode, ReadsANotificationOfS3) {
  const ObjectEvent event = One(S3Sample(), Kind::kS3);
  EXPECT_EQ(event.bucket, "amzn-s3-demo-bucket");
  EXPECT_EQ(event.key, "HappyFace.jpg");
  EXPECT_EQ(event.type, "s3:ObjectCreated:Put");
  EXPECT_EQ(event.version, "0055AED6DCD90281E5");
  EXPECT_EQ(event.Source(), "s3:amzn-s3-demo-bucket");
  const Json arguments = Json::parse(event.Arguments());
  ASSERT_EQ(arguments.size(), 3u);
  EXPECT_EQ(arguments[0], "amzn-s3-demo-bucket");
  EXPECT_EQ(arguments[1], "HappyFace.jpg");
  EXPECT_EQ(arguments[2], S3Sample()["Records"][0]);  // the record as it came, unknown fields too
}

TEST(Decode, KeysAreFormDecodedOnce) {
  const std::pair<const char*, const char*> known[] = {
      {"a+b", "a b"},  {"a%2Bb", "a+b"}, {"a%2520b", "a%20b"}, {"in%2Fa.jpg", "in/a.jpg"}, {"%E6%97%A5.png", "日.png"},
      {"a%20b", "a b"}};
  for (const auto& [encoded, key] : known) {
    Json sample = S3Sample();
    sample["Records"][0]["s3"]["object"]["key"] = encoded;
    EXPECT_EQ(One(sample, Kind::kS3).key, key);
  }
}

TEST(Decode, TheIdIsOfTheObjectNotOfItsEnvelope) {
  const std::string text = S3Sample().dump();
  const std::string id = One(S3Sample(), Kind::kS3).Id();
  EXPECT_EQ(id.size(), 32u);
  EXPECT_EQ(One(Sns(text, "1"), Kind::kSns).Id(), id);
  EXPECT_EQ(One(Sns(text, "2"), Kind::kSns).Id(), id);
  EXPECT_EQ(One(SnsPost(text), Kind::kSns).Id(), id);
  EXPECT_EQ(One(Sqs(text, "3"), Kind::kSqs).Id(), id);
  EXPECT_EQ(One(Sqs(SnsPost(text).dump(), "4"), Kind::kSqs).Id(), id);
  EXPECT_EQ(One({{"Messages", {{{"MessageId", "5"}, {"Body", text}}}}}, Kind::kSqs).Id(), id);
  Json other = S3Sample();
  other["Records"][0]["eventTime"] = "2026-01-01T00:00:00.000Z";
  EXPECT_EQ(One(other, Kind::kS3).Id(), id);
  for (const char* const field : {"key", "sequencer"}) {
    Json changed = S3Sample();
    changed["Records"][0]["s3"]["object"][field] = "00";
    EXPECT_NE(One(changed, Kind::kS3).Id(), id) << field;
  }
  other["Records"][0]["eventName"] = "ObjectRemoved:Delete";
  EXPECT_NE(One(other, Kind::kS3).Id(), id);
}

TEST(Decode, ReadsEventBridgeGcsAndPubSubWithKeysAsTheyAre) {
  const ObjectEvent bridge = One(Json::parse(kEventBridge), Kind::kEventBridge);
  EXPECT_EQ(bridge.key, "example+key %20");
  EXPECT_EQ(bridge.type, "s3:ObjectCreated:Put");
  EXPECT_EQ(bridge.version, "617f08299329d189");
  const ObjectEvent gcs = One(Json::parse(kGcs), Kind::kGcs);
  EXPECT_EQ(gcs.bucket, "MY-BUCKET");
  EXPECT_EQ(gcs.key, "MY+FILE%20.txt");
  EXPECT_EQ(One(PubSubSample(), Kind::kPubSub).Id(), gcs.Id());
  for (const ObjectEvent& event : {bridge, gcs, One(PubSubSample(), Kind::kPubSub)}) {
    // The record made for it says the same when it is read again.
    const ObjectEvent again = One({{"Records", {Json::parse(event.record)}}}, Kind::kS3);
    EXPECT_EQ(again.Id(), event.Id());
    EXPECT_EQ(again.key, event.key);
    EXPECT_TRUE(Json::parse(event.record)["s3"]["object"]["size"].is_number());
  }
}

TEST(Decode, TellsTheKindByItself) {
  const std::string text = S3Sample().dump();
  for (const Json& message : {S3Sample(), Sns(text, "1"), Sqs(text, "1"), SnsPost(text), Json::parse(kEventBridge),
                              Json::parse(kGcs), PubSubSample(), Sqs(kEventBridge, "2")}) {
    EXPECT_EQ(Decode(message.dump(), Kind::kAny).events.size(), 1u) << message.dump();
  }
}

TEST(Decode, DropsTestEventsAlsoInsideEnvelopes) {
  for (const auto& [message, kind] :
       {std::pair(Json::parse(kTestEvent), Kind::kS3), std::pair(Sns(kTestEvent, "1"), Kind::kSns),
        std::pair(Sqs(kTestEvent, "1"), Kind::kSqs), std::pair(Sqs(SnsPost(kTestEvent).dump(), "1"), Kind::kSqs)}) {
    const Decoded decoded = Decode(message.dump(), kind);
    EXPECT_EQ(decoded.wrong, "");
    EXPECT_TRUE(decoded.events.empty());
  }
}

TEST(Decode, OneMalformedRecordRefusesTheMessage) {
  const Json good = S3Sample()["Records"][0];
  const auto with = [&](const std::function<void(Json&)>& change) {
    Json message = {{"Records", {good, good, good}}};
    change(message["Records"][1]);
    return Wrong(message, Kind::kS3);
  };
  EXPECT_NE(with([](Json& r) { r["eventVersion"] = "3.0"; }).find("Records[1]"), std::string::npos);
  EXPECT_NE(with([](Json& r) { r["eventVersion"] = 2.1; }), "");
  EXPECT_NE(with([](Json& r) { r.erase("eventName"); }), "");
  EXPECT_NE(with([](Json& r) { r["s3"].erase("bucket"); }), "");
  EXPECT_NE(with([](Json& r) { r["s3"]["bucket"]["name"] = ""; }), "");
  EXPECT_NE(with([](Json& r) { r["s3"]["object"]["key"] = ""; }), "");
  EXPECT_NE(with([](Json& r) { r["s3"]["object"]["key"] = "a%zz"; }), "");
  EXPECT_NE(with([](Json& r) { r["s3"]["object"]["key"] = "a%2"; }), "");
  EXPECT_NE(with([](Json& r) { r["s3"]["object"]["key"] = "%FF"; }), "");
  EXPECT_NE(with([](Json& r) { r["s3"]["object"]["key"] = std::string(1025, 'a'); }), "");
  EXPECT_NE(with([](Json& r) { r["s3"]["object"]["size"] = -1; }), "");
  EXPECT_NE(with([](Json& r) { r["s3"]["object"]["sequencer"] = 7; }), "");
  EXPECT_NE(with([](Json& r) { r = "record"; }), "");
  // In the second body of a batch.
  Json batch = Sqs(S3Sample().dump(), "1");
  batch["Records"].push_back({{"body", "{"}});
  EXPECT_NE(Wrong(batch, Kind::kSqs).find("Records[1].body"), std::string::npos);
}

TEST(Decode, RefusesWhatIsOfAnotherKind) {
  EXPECT_NE(Wrong(S3Sample(), Kind::kSns), "");
  EXPECT_NE(Wrong(S3Sample(), Kind::kSqs), "");
  EXPECT_NE(Wrong(S3Sample(), Kind::kEventBridge), "");
  EXPECT_NE(Wrong(S3Sample(), Kind::kGcs), "");
  EXPECT_NE(Wrong(S3Sample(), Kind::kPubSub), "");
  EXPECT_NE(Wrong(Sqs(S3Sample().dump(), "1"), Kind::kS3), "");
  EXPECT_NE(Wrong({{"Type", "SubscriptionConfirmation"}, {"TopicArn", "t"}, {"Message", "m"}}, Kind::kSns), "");
  for (const char* const text : {"", "{", "[]", "3", "null", "\"x\"", "\xff", "{\"a\":\"\xff\"}"}) {
    const Decoded decoded = Decode(text, Kind::kAny);
    EXPECT_NE(decoded.wrong, "") << text;
    EXPECT_TRUE(decoded.events.empty());
  }
  EXPECT_FALSE(KindOf("http2"));
  EXPECT_EQ(KindOf("sqs"), Kind::kSqs);
}

TEST(Decode, IsBoundedInDepth) {
  std::string deep = R"({"Records":)" + std::string(1'000'000, '[') + std::string(1'000'000, ']') + "}";
  EXPECT_NE(Decode(deep, Kind::kAny).wrong, "");
  std::string nested = S3Sample().dump();
  for (int i = 0; i < 6; ++i) nested = SnsPost(nested).dump();
  EXPECT_NE(Decode(nested, Kind::kAny).wrong.find("envelopes"), std::string::npos);
}

// Damaged messages: read or refused with words, never half.
TEST(Decode, StandsDamage) {
  std::mt19937 random(11);
  const std::string samples[] = {
      S3Sample().dump(),    Sns(S3Sample().dump(), "1").dump(), Sqs(S3Sample().dump(), "1").dump(), kEventBridge, kGcs,
      PubSubSample().dump()};
  size_t read = 0;
  for (int round = 0; round < 8'000; ++round) {
    std::string text = samples[random() % std::size(samples)];
    for (size_t changes = 1 + random() % 4; changes > 0; --changes) {
      const size_t at = random() % text.size();
      switch (random() % 4) {
        case 0:
          text[at] = static_cast<char>(random());
          break;
        case 1:
          text.erase(at, 1 + random() % 8);
          break;
        case 2:
          text.insert(at, 1, "{}[]\",:%+0"[random() % 10]);
          break;
        default:
          text.insert(at, text.substr(random() % text.size(), random() % 40));
          break;
      }
      if (text.empty()) text = "{";
    }
    const Decoded decoded = Decode(text, Kind::kAny);
    if (!decoded.wrong.empty()) {
      ASSERT_TRUE(decoded.events.empty());
      continue;
    }
    for (const ObjectEvent& event : decoded.events) {
      ++read;
      ASSERT_FALSE(event.bucket.empty() || event.key.empty() || event.type.empty()) << text;
      ASSERT_FALSE(Json::parse(event.Arguments(), nullptr, false).is_discarded()) << text;
    }
  }
  EXPECT_GT(read, 200u);  // else the damage is too great to test anything
}

}  // namespace
}  // namespace teal::s3
