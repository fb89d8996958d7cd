#include "triggers/s3/object.hpp"

#include <array>
#include <chrono>
#include <cstdio>
#include <nlohmann/json.hpp>

namespace teal::s3 {

using Ordered = nlohmann::ordered_json;

std::string Quoted(std::string_view text) {
  return Ordered(text).dump(-1, ' ', false, Ordered::error_handler_t::replace);
}

std::string ObjectEvent::Arguments() const {
  return "[" + Quoted(bucket) + "," + Quoted(key) + "," + record + "]";
}

std::string FormEncoded(std::string_view key) {
  constexpr std::string_view kPlain = "-_.*/";
  std::string encoded;
  for (const char c : key) {
    const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    if (letter || kPlain.find(c) != std::string_view::npos) {
      encoded += c;
    } else if (c == ' ') {
      encoded += '+';
    } else {
      std::array<char, 4> hex{};
      std::snprintf(hex.data(), hex.size(), "%%%02X", static_cast<unsigned>(static_cast<unsigned char>(c)));
      encoded += hex.data();
    }
  }
  return encoded;
}

std::string TimeText(uint64_t unix_ns) {
  using namespace std::chrono;
  const sys_time<milliseconds> time{milliseconds(unix_ns / 1'000'000)};
  const auto day = floor<days>(time);
  const year_month_day date(day);
  const hh_mm_ss clock(time - day);
  std::array<char, 40> text{};
  std::snprintf(text.data(), text.size(), "%04d-%02u-%02uT%02d:%02d:%02d.%03dZ", static_cast<int>(date.year()),
                static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                static_cast<int>(clock.hours().count()), static_cast<int>(clock.minutes().count()),
                static_cast<int>(clock.seconds().count()), static_cast<int>(clock.subseconds().count()));
  return text.data();
}

std::string MakeRecord(const RecordParts& parts) {
  Ordered object{{"key", FormEncoded(parts.key)}};
  if (parts.has_size) object["size"] = parts.size;
  if (!parts.etag.empty()) object["eTag"] = parts.etag;
  if (!parts.version_id.empty()) object["versionId"] = parts.version_id;
  if (!parts.sequencer.empty()) object["sequencer"] = parts.sequencer;
  Ordered s3{{"s3SchemaVersion", "1.0"}};
  if (!parts.rule.empty()) s3["configurationId"] = parts.rule;
  s3["bucket"] = {{"name", parts.bucket}, {"arn", "arn:aws:s3:::" + parts.bucket}};
  s3["object"] = std::move(object);
  const std::string name = parts.type.starts_with("s3:") ? parts.type.substr(3) : parts.type;
  const Ordered record{{"eventVersion", "2.1"},   {"eventSource", "aws:s3"}, {"awsRegion", parts.region},
                       {"eventTime", parts.time}, {"eventName", name},       {"s3", std::move(s3)}};
  return record.dump(-1, ' ', false, Ordered::error_handler_t::replace);
}

}  // namespace teal::s3
