#include "triggers/s3/decode.hpp"

#include <array>
#include <utility>

#include "triggers/s3/message.hpp"

namespace teal::s3 {
namespace {

void ReadAny(const Json& message, const std::string& where, int depth, std::vector<ObjectEvent>* events);

// The text inside an envelope: a message again.
void ReadInner(const std::string& text, const std::string& where, int depth, std::vector<ObjectEvent>* events) {
  if (depth >= kEnvelopesMax) throw Malformed(where + " is inside more than 4 envelopes");
  ReadAny(ParseMessage(text, where), where, depth + 1, events);
  if (events->size() > kEventsMax) throw Malformed("the message has more than 10000 records");
}

std::string Below(const std::string& where, const std::string& name) {
  return where.empty() ? name : where + "." + name;
}

bool IsSnsPost(const Json& message) {
  return message.contains("Type") && message.contains("TopicArn");
}

// Of which envelope the records are: their first tells it, and each must be of it.
bool HasRecordsOf(const Json& message, const char* list, const char* member) {
  const auto found = message.find(list);
  return found != message.end() && found->is_array() && !found->empty() && found->front().is_object() &&
         found->front().contains(member);
}

void ReadSns(const Json& message, const std::string& where, int depth, std::vector<ObjectEvent>* events) {
  if (IsSnsPost(message)) {
    const std::string& type = TextAt(message, "Type", where);
    if (type != "Notification")
      throw Malformed("this is a message of SNS of the type " + type + ", not a notification");
    return ReadInner(TextAt(message, "Message", where), Below(where, "Message"), depth, events);
  }
  const Json& records = ListAt(message, "Records", where);
  for (std::size_t at = 0; at < records.size(); ++at) {
    const std::string inside = Below(where, "Records[" + std::to_string(at) + "]");
    const Json& sns = ObjectAt(records[at], "Sns", inside);
    ReadInner(TextAt(sns, "Message", inside + ".Sns"), inside + ".Sns.Message", depth, events);
  }
}

void ReadSqs(const Json& message, const std::string& where, int depth, std::vector<ObjectEvent>* events) {
  const bool received = message.contains("Messages");
  const char* const list = received ? "Messages" : "Records";
  const char* const body = received ? "Body" : "body";
  const Json& records = ListAt(message, list, where);
  for (std::size_t at = 0; at < records.size(); ++at) {
    const std::string inside = Below(where, std::string(list) + "[" + std::to_string(at) + "]");
    ReadInner(TextAt(records[at], body, inside), inside + "." + body, depth, events);
  }
}

void ReadAny(const Json& message, const std::string& where, int depth, std::vector<ObjectEvent>* events) {
  if (message.contains("detail-type")) return ReadEventBridge(message, where, events);
  if (IsSnsPost(message) || HasRecordsOf(message, "Records", "Sns")) return ReadSns(message, where, depth, events);
  if (message.contains("Messages") || HasRecordsOf(message, "Records", "body"))
    return ReadSqs(message, where, depth, events);
  if (depth == 0 && (message.contains("specversion") || message.contains("generation")))
    return ReadGcs(message, where, events);
  if (depth == 0 && message.contains("subscription") && message.contains("message"))
    return ReadPubSub(message, where, events);
  ReadS3(message, where, events);
}

void Read(const Json& message, Kind kind, std::vector<ObjectEvent>* events) {
  switch (kind) {
    case Kind::kAny:
      return ReadAny(message, "", 0, events);
    case Kind::kS3:
      return ReadS3(message, "", events);
    case Kind::kSns:
      return ReadSns(message, "", 0, events);
    case Kind::kSqs:
      return ReadSqs(message, "", 0, events);
    case Kind::kEventBridge:
      return ReadEventBridge(message, "", events);
    case Kind::kGcs:
      return ReadGcs(message, "", events);
    case Kind::kPubSub:
      return ReadPubSub(message, "", events);
  }
}

}  // namespace

std::optional<Kind> KindOf(std::string_view name) {
  constexpr std::array<std::pair<std::string_view, Kind>, 6> kNames = {{{"s3", Kind::kS3},
                                                                        {"sns", Kind::kSns},
                                                                        {"sqs", Kind::kSqs},
                                                                        {"eventbridge", Kind::kEventBridge},
                                                                        {"gcs", Kind::kGcs},
                                                                        {"pubsub", Kind::kPubSub}}};
  for (const auto& [known, kind] : kNames) {
    if (name == known) return kind;
  }
  return std::nullopt;
}

Decoded Decode(std::string_view message, Kind kind) {
  Decoded decoded;
  try {
    Read(ParseMessage(message, ""), kind, &decoded.events);
  } catch (const Malformed& malformed) {
    decoded.events.clear();
    decoded.wrong = malformed.what();
  }
  return decoded;
}

}  // namespace teal::s3
