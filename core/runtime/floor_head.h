// The records that the floor store (floor_store.h) keeps beside those of its caller: the head of a session, which says
// which of the session's other records count, and chunks of that directory. docs/formats/floor.md has the bytes.
//
// Plain data and pure functions.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.h"
#include "core/runtime/record_key.h"

namespace teal::runtime::floor {

// One try to commit: which commit of its session it would be, from 1, and a number drawn at random. No two are alike.
struct Attempt {
  uint64_t number = 0;
  uint64_t nonce = 0;
  auto operator<=>(const Attempt&) const = default;
};

// The name under which an attempt writes the record `sort`: <sort>!<number>-<nonce>, in hexadecimal. `!` is below every
// byte of a sort key, so that names are in the order of their sort keys.
std::string NameOf(std::string_view sort, const Attempt& attempt);
struct Name {
  std::string sort;
  Attempt attempt;
};
std::optional<Name> ParseName(std::string_view name);  // only what NameOf gives

// Sort key to the attempt whose writing of it counts; none: it is gone, although a chunk lists it.
using Directory = std::map<std::string, std::optional<Attempt>, std::less<>>;

// What is still to be done elsewhere because of a commit: put a record where there is none, or delete one.
struct Work {
  record::Key key;
  bool remove = false;
  std::string bytes;
  bool operator==(const Work&) const = default;
};

// What lies in the record `s` of a session.
struct Head {
  Attempt attempt;                    // the one that wrote it
  std::optional<std::string> record;  // the caller's `s`; none: there is no such session (a placeholder)
  Directory recent;                   // what differs from the chunks; without chunks: all
  std::vector<Attempt> chunks;        // of the directory: d/0, d/1, … by these attempts
  std::vector<Work> work;
  bool operator==(const Head&) const = default;
};

std::string ChunkSort(size_t index);

// Bytes of `recent` in a head.
size_t SizeOf(const Directory& directory);

std::string EncodeHead(const record::Key& key, const Head& head);
std::string EncodeChunk(const record::Key& key, const Directory& directory);
// kCorrupt: damaged, or of another key; kInvalid: of a newer release.
Result<Head> DecodeHead(const record::Key& key, std::string_view bytes);
Result<Directory> DecodeChunk(const record::Key& key, std::string_view bytes);

}  // namespace teal::runtime::floor
