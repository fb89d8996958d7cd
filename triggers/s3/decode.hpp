// Notifications of object stores, read: pure, and all or nothing.
//
//   s3           {"Records": [record 2.x …]}, keys form-encoded; or a test event, which gives nothing
//   sns          what SNS hands to a function ({"Records": [{"Sns": {"Message"}}]}) or posts ({"Type", "Message"})
//   sqs          what SQS hands to a function ({"Records": [{"body"}]}) or gives a consumer ({"Messages": [{"Body"}]})
//   eventbridge  {"source": "aws.s3", "detail-type", "detail"}, keys as they are
//   gcs          a CloudEvent google.cloud.storage.object.v1.*, structured, or the object alone
//   pubsub       a push of Pub/Sub: {"message": {"attributes", "data"}}
// The bodies inside SNS and SQS are s3, sns or eventbridge. (Amazon S3's and Cloud Storage's user guides)
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "triggers/s3/object.hpp"

namespace teal::s3 {

inline constexpr std::size_t kMessageBytesMax = 16 << 20;
inline constexpr int kMessageDepthMax = 64;        // of nested lists and objects
inline constexpr int kEnvelopesMax = 4;            // one in the other
inline constexpr std::size_t kEventsMax = 10'000;  // of one message

enum class Kind { kAny, kS3, kSns, kSqs, kEventBridge, kGcs, kPubSub };

// nullopt: there is no such kind. "" is not one.
std::optional<Kind> KindOf(std::string_view name);

struct Decoded {
  std::vector<ObjectEvent> events;  // empty if `wrong` is set
  std::string wrong;                // which part of the message is malformed, and how
};
// kAny: the kind is told from the message.
Decoded Decode(std::string_view message, Kind kind);

}  // namespace teal::s3
