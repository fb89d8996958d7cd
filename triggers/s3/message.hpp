// A JSON message read with words for what is wrong: the parts of decode.hpp.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "triggers/s3/decode.hpp"

namespace teal::s3 {

using Json = nlohmann::json;

// Thrown inside decode and caught at its edge: a message is refused as a whole, from any depth.
struct Malformed : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// `where` names the object in messages: "Records[2].s3".
const Json& Member(const Json& object, const char* name, const std::string& where);
const Json& ObjectAt(const Json& object, const char* name, const std::string& where);
const Json& ListAt(const Json& object, const char* name, const std::string& where);
const std::string& TextAt(const Json& object, const char* name, const std::string& where);
// "" where it is absent or null; malformed where it is no text.
std::string OptionalText(const Json& object, const char* name, const std::string& where);
// A number that is not negative, or a text of digits, as text; "" where it is absent.
std::string OptionalNumber(const Json& object, const char* name, const std::string& where);

// Parses a message: bounded in size and depth.
Json ParseMessage(std::string_view text, const std::string& where);

// A key as a form encodes it, decoded once: `+` and %XX.
std::string FormDecoded(std::string_view encoded, const std::string& where);
void CheckObject(const std::string& bucket, const std::string& key, const std::string& where);

// Records of S3 itself, and the messages of other stores. They add to `events`.
void ReadS3(const Json& message, const std::string& where, std::vector<ObjectEvent>* events);
void ReadEventBridge(const Json& message, const std::string& where, std::vector<ObjectEvent>* events);
void ReadGcs(const Json& message, const std::string& where, std::vector<ObjectEvent>* events);
void ReadPubSub(const Json& message, const std::string& where, std::vector<ObjectEvent>* events);

bool IsTestEvent(const Json& message);

}  // namespace teal::s3
