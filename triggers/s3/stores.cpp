// One message of each store, without its envelopes.
#include <string>

#include "triggers/s3/message.hpp"

namespace teal::s3 {
namespace {

std::string WithPrefix(const std::string& name) {
  return name.starts_with("s3:") ? name : "s3:" + name;
}

void ReadRecord(const Json& record, const std::string& where, std::vector<ObjectEvent>* events) {
  if (!TextAt(record, "eventVersion", where).starts_with("2."))
    throw Malformed(where + " has an eventVersion other than 2.*");
  const std::string& name = TextAt(record, "eventName", where);
  if (name.empty()) throw Malformed("\"eventName\" of " + where + " is empty");
  const Json& s3 = ObjectAt(record, "s3", where);
  const Json& bucket = ObjectAt(s3, "bucket", where + ".s3");
  const Json& object = ObjectAt(s3, "object", where + ".s3");
  const std::string inside = where + ".s3.object";
  ObjectEvent event;
  event.bucket = TextAt(bucket, "name", where + ".s3.bucket");
  event.key = FormDecoded(TextAt(object, "key", inside), inside);
  CheckObject(event.bucket, event.key, inside);
  event.type = WithPrefix(name);
  event.version = OptionalText(object, "sequencer", inside);
  if (event.version.empty()) event.version = OptionalText(object, "versionId", inside);
  // Stores that give neither: what else of the record tells one writing from the next.
  if (event.version.empty())
    event.version = OptionalText(record, "eventTime", where) + " " + OptionalText(object, "eTag", inside);
  OptionalNumber(object, "size", inside);
  event.record = record.dump();
  events->push_back(std::move(event));
}

// The names of EventBridge in those of notifications. Reasons: Amazon S3's user guide, "EventBridge event message
// structure".
std::string TypeOf(const std::string& what, const std::string& reason, const std::string& deletion) {
  if (what == "Object Created") {
    if (reason == "CopyObject") return "s3:ObjectCreated:Copy";
    if (reason == "CompleteMultipartUpload") return "s3:ObjectCreated:CompleteMultipartUpload";
    if (reason == "POST Object") return "s3:ObjectCreated:Post";
    return kCreated;
  }
  if (what == "Object Deleted") {
    const bool marker = deletion == "Delete Marker Created";
    if (reason == "Lifecycle Expiration")
      return marker ? "s3:LifecycleExpiration:DeleteMarkerCreated" : "s3:LifecycleExpiration:Delete";
    return marker ? "s3:ObjectRemoved:DeleteMarkerCreated" : kRemoved;
  }
  if (what == "Object Restore Completed") return "s3:ObjectRestore:Completed";
  if (what == "Object Restore Initiated") return "s3:ObjectRestore:Post";
  if (what == "Object Restore Expired") return "s3:ObjectRestore:Delete";
  if (what == "Object Tags Added") return "s3:ObjectTagging:Put";
  if (what == "Object Tags Deleted") return "s3:ObjectTagging:Delete";
  if (what == "Object ACL Updated") return "s3:ObjectAcl:Put";
  if (what == "Object Storage Class Changed") return "s3:LifecycleTransition";
  if (what == "Object Access Tier Changed") return "s3:IntelligentTiering";
  return "";
}

RecordParts PartsOf(const ObjectEvent& event) {
  RecordParts parts;
  parts.bucket = event.bucket;
  parts.key = event.key;
  parts.type = event.type;
  return parts;
}

// An object of Cloud Storage as its JSON API has it, or the same in attributes.
void AddGcs(const std::string& bucket, const std::string& name, const std::string& generation, const Json& object,
            bool created, const std::string& where, std::vector<ObjectEvent>* events) {
  ObjectEvent event{bucket, name, created ? kCreated : kRemoved, generation, ""};
  CheckObject(event.bucket, event.key, where);
  RecordParts parts = PartsOf(event);
  parts.region = "gcs";
  parts.version_id = generation;
  parts.sequencer = generation;
  parts.time = OptionalText(object, created ? "timeCreated" : "updated", where);
  parts.etag = OptionalText(object, "etag", where);
  const std::string size = OptionalNumber(object, "size", where);
  parts.has_size = !size.empty();
  if (parts.has_size) parts.size = std::stoull(size);
  event.record = MakeRecord(parts);
  events->push_back(std::move(event));
}

enum class GcsEvent { kCreated, kRemoved, kOther };

std::string FromBase64(const std::string& text, const std::string& where) {
  std::string bytes;
  uint32_t bits = 0;
  int count = 0;
  std::string_view rest = text;
  while (rest.ends_with('=')) rest.remove_suffix(1);
  for (const char c : rest) {
    const int value = c >= 'A' && c <= 'Z'   ? c - 'A'
                      : c >= 'a' && c <= 'z' ? c - 'a' + 26
                      : c >= '0' && c <= '9' ? c - '0' + 52
                      : c == '+' || c == '-' ? 62
                      : c == '/' || c == '_' ? 63
                                             : -1;
    if (value < 0) throw Malformed("\"data\" of " + where + " is no Base64");
    bits = bits << 6 | static_cast<uint32_t>(value);
    count += 6;
    if (count < 8) continue;
    count -= 8;
    bytes += static_cast<char>(bits >> count & 0xFF);
  }
  return bytes;
}

}  // namespace

void ReadS3(const Json& message, const std::string& where, std::vector<ObjectEvent>* events) {
  if (IsTestEvent(message)) return;
  const Json& records = ListAt(message, "Records", where);
  for (std::size_t at = 0; at < records.size(); ++at) {
    ReadRecord(records[at], (where.empty() ? "" : where + ".") + "Records[" + std::to_string(at) + "]", events);
  }
}

void ReadEventBridge(const Json& message, const std::string& where, std::vector<ObjectEvent>* events) {
  if (TextAt(message, "source", where) != "aws.s3")
    throw Malformed((where.empty() ? "the message" : where) + " is of another source than aws.s3");
  const std::string& what = TextAt(message, "detail-type", where);
  const Json& detail = ObjectAt(message, "detail", where);
  const std::string inside = (where.empty() ? "" : where + ".") + "detail";
  const Json& object = ObjectAt(detail, "object", inside);
  ObjectEvent event;
  event.bucket = TextAt(ObjectAt(detail, "bucket", inside), "name", inside + ".bucket");
  event.key = TextAt(object, "key", inside + ".object");
  CheckObject(event.bucket, event.key, inside);
  event.type = TypeOf(what, OptionalText(detail, "reason", inside), OptionalText(detail, "deletion-type", inside));
  if (event.type.empty()) throw Malformed("\"detail-type\" \"" + what + "\" is no event of S3");
  RecordParts parts = PartsOf(event);
  parts.region = OptionalText(message, "region", where);
  parts.time = OptionalText(message, "time", where);
  parts.etag = OptionalText(object, "etag", inside);
  parts.version_id = OptionalText(object, "version-id", inside);
  parts.sequencer = OptionalText(object, "sequencer", inside);
  const std::string size = OptionalNumber(object, "size", inside);
  parts.has_size = !size.empty();
  if (parts.has_size) parts.size = std::stoull(size);
  event.version = parts.sequencer.empty() ? parts.version_id : parts.sequencer;
  if (event.version.empty()) event.version = parts.time + " " + parts.etag;
  event.record = MakeRecord(parts);
  events->push_back(std::move(event));
}

void ReadGcs(const Json& message, const std::string& where, std::vector<ObjectEvent>* events) {
  const bool envelope = message.contains("specversion");
  GcsEvent what = GcsEvent::kCreated;
  if (envelope) {
    const std::string& type = TextAt(message, "type", where);
    constexpr std::string_view kPrefix = "google.cloud.storage.object.v1.";
    if (!type.starts_with(kPrefix)) throw Malformed("\"type\" \"" + type + "\" is no event of Cloud Storage");
    const std::string_view verb = std::string_view(type).substr(kPrefix.size());
    what = verb == "finalized"                       ? GcsEvent::kCreated
           : verb == "deleted" || verb == "archived" ? GcsEvent::kRemoved
                                                     : GcsEvent::kOther;
  }
  const Json& object = envelope ? ObjectAt(message, "data", where) : message;
  const std::string inside = envelope ? "data" : where;
  const std::string& bucket = TextAt(object, "bucket", inside);
  const std::string& name = TextAt(object, "name", inside);
  const std::string generation = OptionalNumber(object, "generation", inside);
  if (generation.empty()) throw Malformed((inside.empty() ? "the message" : inside) + " has no \"generation\"");
  if (what == GcsEvent::kOther) return CheckObject(bucket, name, inside);  // a change of metadata is no upload
  AddGcs(bucket, name, generation, object, what == GcsEvent::kCreated, inside, events);
}

void ReadPubSub(const Json& message, const std::string& where, std::vector<ObjectEvent>* events) {
  const Json& inner = ObjectAt(message, "message", where);
  const Json& attributes = ObjectAt(inner, "attributes", "message");
  const std::string inside = "message.attributes";
  const std::string& type = TextAt(attributes, "eventType", inside);
  const std::string& bucket = TextAt(attributes, "bucketId", inside);
  const std::string& name = TextAt(attributes, "objectId", inside);
  const std::string generation = OptionalNumber(attributes, "objectGeneration", inside);
  if (generation.empty()) throw Malformed(inside + " has no \"objectGeneration\"");
  const std::string data = FromBase64(OptionalText(inner, "data", "message"), "message");
  const bool described = OptionalText(attributes, "payloadFormat", inside) == "JSON_API_V1";
  const Json object = described ? ParseMessage(data, "message.data") : Json::object();
  if (type == "OBJECT_METADATA_UPDATE") return CheckObject(bucket, name, inside);  // no upload
  const bool created = type == "OBJECT_FINALIZE";
  if (!created && type != "OBJECT_DELETE" && type != "OBJECT_ARCHIVE")
    throw Malformed("\"eventType\" \"" + type + "\" is no event of Cloud Storage");
  AddGcs(bucket, name, generation, object, created, inside, events);
}

}  // namespace teal::s3
