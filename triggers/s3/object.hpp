// What happened to an object, as every source tells it: from a folder, from S3's own notifications, from other stores.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "triggers/s3/sha256.hpp"

namespace teal::s3 {

inline constexpr char kCreated[] = "s3:ObjectCreated:Put";
inline constexpr char kRemoved[] = "s3:ObjectRemoved:Delete";
inline constexpr char kArgumentsType[] = "application/vnd.teal.arguments+json";

struct ObjectEvent {
  std::string bucket;
  std::string key;      // decoded
  std::string type;     // "s3:ObjectCreated:Put"
  std::string version;  // what tells this event from others of this key and type: the sequencer, or the version
  std::string record;   // JSON: the record of a notification 2.x

  // What the event is called: source and id together are its name. The id is made of the object's record alone.
  std::string Source() const { return "s3:" + bucket; }
  std::string Id() const { return HexOf(DigestOf({bucket, key, type, version})); }
  // The arguments of the function, as JSON.
  std::string Arguments() const;
};

// JSON of a text that is UTF-8, with its quotes.
std::string Quoted(std::string_view text);
// As S3 writes keys into notifications: UTF-8 bytes as %XX, a space as `+`, a slash as it is.
std::string FormEncoded(std::string_view key);
// "2026-11-21T19:30:00.000Z"
std::string TimeText(uint64_t unix_ns);

struct RecordParts {
  std::string bucket, key, type;  // as ObjectEvent has them
  std::string region = "local";
  std::string time;
  std::string etag, version_id, sequencer, rule;  // each left out if empty
  uint64_t size = 0;
  bool has_size = false;
};
// The record of a notification, version 2.1, for sources that give none. (Amazon S3's user guide, "Event message
// structure")
std::string MakeRecord(const RecordParts& parts);

}  // namespace teal::s3
