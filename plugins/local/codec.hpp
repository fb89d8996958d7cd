// How records and their indexes stand in RocksDB: keys whose order is the order wanted, values with their times in
// front. To the byte in docs/formats/local-store.md. Pure functions, any thread.
#pragma once

#include <teal/abi.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace teal::local {

inline constexpr char kRecordSpace = 'r';                     // r, size of partition, partition, sort -> record
inline constexpr char kDueSpace = 'd';                        // d, due, the record's key without its r -> nothing
inline constexpr char kExpirySpace = 'e';                     // e, expiry, the record's key without its r -> nothing
inline constexpr std::string_view kAppliedKey = "m/applied";  // -> number of the last log entry that is in RocksDB

inline void AppendBigEndian(std::string& out, uint64_t value, int bytes) {
  for (int shift = (bytes - 1) * 8; shift >= 0; shift -= 8) out.push_back(static_cast<char>(value >> shift));
}
inline uint64_t BigEndian(std::string_view in) {
  uint64_t value = 0;
  for (const char c : in) value = value << 8 | static_cast<uint8_t>(c);
  return value;
}

// The record's key: the partition's size goes before it, so that no key can be split in two ways, and a partition's
// records stand together in the order of their sort parts.
inline void AppendKey(std::string& out, std::string_view partition, std::string_view sort) {
  AppendBigEndian(out, partition.size(), 2);
  out.append(partition).append(sort);
}
inline std::string RecordKey(std::string_view partition, std::string_view sort) {
  std::string key;
  key.reserve(3 + partition.size() + sort.size());
  key.push_back(kRecordSpace);
  AppendKey(key, partition, sort);
  return key;
}
// `record_key` as RecordKey makes it.
inline std::string TimeKey(char space, uint64_t time_unix_ns, std::string_view record_key) {
  std::string key;
  key.reserve(8 + record_key.size());
  key.push_back(space);
  AppendBigEndian(key, time_unix_ns, 8);
  key.append(record_key.substr(1));
  return key;
}

struct KeyParts {
  std::string_view partition;
  std::string_view sort;
};
// Of a record's key without its first byte. Nothing if these bytes are none.
inline std::optional<KeyParts> SplitKey(std::string_view key) {
  if (key.size() < 4) return std::nullopt;
  const uint64_t size = BigEndian(key.substr(0, 2));
  if (size == 0 || size + 2 >= key.size()) return std::nullopt;
  return KeyParts{key.substr(2, size), key.substr(2 + size)};
}

struct TimeParts {
  uint64_t time_unix_ns;
  KeyParts key;
};
// Of a key of the spaces d and e.
inline std::optional<TimeParts> SplitTimeKey(std::string_view key) {
  if (key.size() < 9) return std::nullopt;
  const auto parts = SplitKey(key.substr(9));
  if (!parts) return std::nullopt;
  return TimeParts{BigEndian(key.substr(1, 8)), *parts};
}

// A version is the number of the write and the number of the opening that made it, random: 8 bytes each, the rest 0.
// A store restored from a backup counts on under another opening, so a version never comes back.
struct VersionParts {
  uint64_t write;
  uint64_t opening;
};
inline teal_version ToVersion(VersionParts parts) {
  teal_version version{};
  for (int i = 0; i < 8; ++i) {
    version.opaque[i] = static_cast<uint8_t>(parts.write >> (56 - 8 * i));
    version.opaque[8 + i] = static_cast<uint8_t>(parts.opening >> (56 - 8 * i));
  }
  return version;
}

// A record as it stands in a value; `value` points into it.
struct StoredRecord {
  teal_version version{};
  uint64_t due = 0;
  uint64_t expires = 0;
  std::string_view value;
};

inline void AppendRecord(std::string& out, VersionParts version, uint64_t due, uint64_t expires,
                         std::string_view value) {
  out.push_back(static_cast<char>((due != 0 ? 1 : 0) | (expires != 0 ? 2 : 0)));
  AppendBigEndian(out, version.opening, 8);
  AppendBigEndian(out, version.write, 8);
  if (due != 0) AppendBigEndian(out, due, 8);
  if (expires != 0) AppendBigEndian(out, expires, 8);
  out.append(value);
}
// Nothing if these bytes are none.
inline std::optional<StoredRecord> ReadRecord(std::string_view in) {
  if (in.size() < 17) return std::nullopt;
  const auto flags = static_cast<uint8_t>(in[0]);
  std::size_t at = 17;
  if (flags > 3 || in.size() < at + 8 * ((flags & 1u) + (flags >> 1u))) return std::nullopt;
  StoredRecord record;
  record.version = ToVersion({BigEndian(in.substr(9, 8)), BigEndian(in.substr(1, 8))});
  if ((flags & 1u) != 0) {
    record.due = BigEndian(in.substr(at, 8));
    at += 8;
  }
  if ((flags & 2u) != 0) {
    record.expires = BigEndian(in.substr(at, 8));
    at += 8;
  }
  record.value = in.substr(at);
  return record;
}

}  // namespace teal::local
