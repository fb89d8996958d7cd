// teal.yaml as a tree in which every value knows its place. YAML of one document; bounded, so that no file costs more
// than its size promises: aliases count with all they stand for.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "core/runtime/config.h"

namespace teal::config {

using Error = runtime::ConfigError;

inline constexpr size_t kNodesMax = 100'000;  // aliases expanded
inline constexpr size_t kDepthMax = 64;

struct Place {
  std::shared_ptr<const std::string> file;  // as messages name it; never null in a tree
  int line = 1;                             // from 1
  int column = 1;                           // from 1
};

enum class Kind { kNull, kBoolean, kInteger, kNumber, kString, kList, kMap };

struct Entry;

struct Node {
  Kind kind = Kind::kNull;
  std::string text;            // of a scalar, as it is written, without quotes
  std::vector<Node> items;     // of a list
  std::vector<Entry> entries;  // of a map, in order; no key twice
  Place place;

  bool IsScalar() const { return kind != Kind::kList && kind != Kind::kMap; }
  const Node* Find(std::string_view key) const;  // null: not a map, or no such key
};

struct Entry {
  std::string key;
  Place place;  // of the key
  Node value;
};

// A map without entries for an empty file. `file`: the name for messages. Never throws.
std::variant<Node, Error> ParseTree(const std::string& file, const std::string& text);

// Lays `over` on *base: maps merge, everything else replaces.
void Merge(Node* base, Node over);

Error ErrorAt(const Place& place, std::string message, std::string hint);

}  // namespace teal::config
