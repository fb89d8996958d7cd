#include "triggers/s3/message.hpp"

#include "triggers/s3/keys.hpp"

namespace teal::s3 {
namespace {

std::string In(const std::string& where) {
  return where.empty() ? "the message" : where;
}

// Parsing and writing must not run out of stack, whatever is nested: counted before the parser sees it.
void CheckDepth(std::string_view text, const std::string& where) {
  int depth = 0;
  bool quoted = false;
  for (std::size_t at = 0; at < text.size(); ++at) {
    const char c = text[at];
    if (quoted) {
      if (c == '\\') {
        ++at;
      } else if (c == '"') {
        quoted = false;
      }
    } else if (c == '"') {
      quoted = true;
    } else if (c == '[' || c == '{') {
      if (++depth > kMessageDepthMax) throw Malformed(In(where) + " nests lists and objects deeper than 64");
    } else if (c == ']' || c == '}') {
      --depth;
    }
  }
}

int AnyHexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

}  // namespace

const Json& Member(const Json& object, const char* name, const std::string& where) {
  if (!object.is_object()) throw Malformed(In(where) + " is no object");
  const auto found = object.find(name);
  if (found == object.end()) throw Malformed(In(where) + " has no \"" + name + "\"");
  return *found;
}

const Json& ObjectAt(const Json& object, const char* name, const std::string& where) {
  const Json& member = Member(object, name, where);
  if (!member.is_object()) throw Malformed("\"" + std::string(name) + "\" of " + In(where) + " is no object");
  return member;
}

const Json& ListAt(const Json& object, const char* name, const std::string& where) {
  const Json& member = Member(object, name, where);
  if (!member.is_array()) throw Malformed("\"" + std::string(name) + "\" of " + In(where) + " is no list");
  if (member.size() > kEventsMax)
    throw Malformed("\"" + std::string(name) + "\" of " + In(where) + " has more than 10000 entries");
  return member;
}

const std::string& TextAt(const Json& object, const char* name, const std::string& where) {
  const Json& member = Member(object, name, where);
  if (!member.is_string()) throw Malformed("\"" + std::string(name) + "\" of " + In(where) + " is no text");
  return member.get_ref<const std::string&>();
}

std::string OptionalText(const Json& object, const char* name, const std::string& where) {
  const auto found = object.find(name);
  if (found == object.end() || found->is_null()) return "";
  return TextAt(object, name, where);
}

std::string OptionalNumber(const Json& object, const char* name, const std::string& where) {
  const auto found = object.find(name);
  if (found == object.end() || found->is_null()) return "";
  if (found->is_number_unsigned()) return std::to_string(found->get<uint64_t>());
  const std::string* const text = found->get_ptr<const std::string*>();
  if (text != nullptr && !text->empty() && text->find_first_not_of("0123456789") == std::string::npos &&
      text->size() <= 19)
    return *text;
  throw Malformed("\"" + std::string(name) + "\" of " + In(where) + " is no number");
}

Json ParseMessage(std::string_view text, const std::string& where) {
  if (text.size() > kMessageBytesMax) throw Malformed(In(where) + " is larger than 16 MiB");
  CheckDepth(text, where);
  Json message = Json::parse(text, nullptr, false);  // refuses what is no UTF-8, too
  if (message.is_discarded()) throw Malformed(In(where) + " is no JSON");
  if (!message.is_object()) throw Malformed(In(where) + " is no object");
  return message;
}

std::string FormDecoded(std::string_view encoded, const std::string& where) {
  std::string decoded;
  for (std::size_t at = 0; at < encoded.size(); ++at) {
    if (encoded[at] == '+') {
      decoded += ' ';
    } else if (encoded[at] != '%') {
      decoded += encoded[at];
    } else {
      const int high = at + 2 < encoded.size() ? AnyHexDigit(encoded[at + 1]) : -1;
      const int low = high < 0 ? -1 : AnyHexDigit(encoded[at + 2]);
      if (low < 0) throw Malformed("\"key\" of " + In(where) + " has a % without two hexadecimal digits");
      decoded += static_cast<char>(high << 4 | low);
      at += 2;
    }
  }
  return decoded;
}

void CheckObject(const std::string& bucket, const std::string& key, const std::string& where) {
  if (bucket.empty() || bucket.size() > 255 || bucket.find_first_of(std::string_view("/\0", 2)) != std::string::npos)
    throw Malformed("the bucket of " + In(where) + " has no name of a bucket");
  if (const auto wrong = WrongKey(key)) throw Malformed(In(where) + ": " + *wrong);
}

bool IsTestEvent(const Json& message) {
  const auto event = message.find("Event");
  return event != message.end() && *event == "s3:TestEvent";
}

}  // namespace teal::s3
