// MarshalReader::Value: one pass over an encoded value that finds where it ends and whether it can be a Teal value.
// The worker has refused most of what cannot; what is left are integers past 64 bits, lone surrogates, and whatever a
// process that is no worker of ours sends.
#include <cassert>
#include <cmath>
#include <vector>

#include "core/runtime/worker_marshal.h"
#include "core/vm/value.h"

namespace teal::runtime {

namespace {

// Deeper than a worker of ours ever sends: such bytes are refused as malformed.
constexpr int kDepthMalformed = 2 * kWorkerDepthMax;

// How Python names the type of a value that Teal has no value for, empty for a type byte that no value begins with.
std::string_view ForeignTypeName(char type) {
  switch (type) {
    case 'y':
      return "complex";
    case '<':
      return "set";
    case '>':
      return "frozenset";
    case '.':
      return "ellipsis";
    case 'S':
      return "type";
    default:
      return "";
  }
}

}  // namespace

class ValueChecker {
 public:
  ValueChecker(MarshalReader* reader, std::string_view root, UncarryableValue* problem)
      : reader_(*reader), root_(root), problem_(*problem) {}

  bool Check() {
    if (!One()) return false;
    while (!levels_.empty()) {
      Level& level = levels_.back();
      if (level.is_dict ? reader_.AtDictEnd() && !level.at_value : level.index == level.count) {
        if (level.is_dict && !reader_.DictEnd()) return false;
        levels_.pop_back();
        continue;
      }
      if (level.is_dict) {
        if (level.at_value) {
          level.at_value = false;
        } else {
          level.at_value = true;
          level.key_at = reader_.at_;
        }
      } else {
        level.index++;
      }
      if (!One()) return false;
    }
    return true;
  }

 private:
  struct Level {
    bool is_dict = false;
    bool at_value = false;  // of a dict: the key was read, its value comes next
    uint32_t count = 0;     // of a sequence
    uint32_t index = 0;     // of a sequence: parts begun
    size_t key_at = 0;      // of a dict: where the current key is
  };

  // Reads a scalar, or the head of a container and opens its level.
  bool One() {
    MarshalReader& r = reader_;
    std::string_view text;
    int64_t integer = 0;
    double number = 0;
    bool fits = true;
    switch (const char type = r.Peek(); type) {
      case 'N':
        return r.None();
      case 'T':
      case 'F':
        return r.Bool(&fits);
      case 'i':
      case 'l':
        if (!r.Int(&integer, &fits)) return false;
        if (!fits) Problem("overflow", "is an integer past 64 bits; return a float or a str of it");
        return true;
      case 'g':
        if (!r.Float(&number)) return false;
        if (std::isnan(number) && InKey()) Problem("type", "has NaN as a key, which equals nothing; leave it out");
        return true;
      case 'u':
        if (!r.Text(&text)) return false;
        if (!vm::IsValidUtf8(text)) {
          Problem("type",
                  "is a str with a lone surrogate, which is no Unicode text; "
                  "encode it, for instance with value.encode('utf-8', 'surrogateescape')");
        }
        return true;
      case 's':
        return r.Bytes(&text);
      case '[':
      case '(':
      case '<':
      case '>': {
        if (type == '<' || type == '>') Foreign(type);
        r.at_++;
        Level level;
        if (!r.Fixed32(&level.count) || level.count > r.bytes_.size() - r.at_) return r.Fail();
        return Open(level);
      }
      case '{': {
        r.at_++;
        Level level;
        level.is_dict = true;
        return Open(level);
      }
      case 'y':
        Foreign(type);
        r.at_++;
        return r.Take(16, &text);
      case '.':
      case 'S':
        Foreign(type);
        r.at_++;
        return true;
      default:
        return r.Fail();
    }
  }

  bool Open(const Level& level) {
    if (levels_.size() >= kDepthMalformed) return reader_.Fail();
    levels_.push_back(level);
    if (levels_.size() == kWorkerDepthMax + 1) {
      Problem("type", "is nested deeper than " + std::to_string(kWorkerDepthMax) + "; return a flatter value");
    }
    return true;
  }

  bool InKey() const {
    for (const Level& level : levels_) {
      if (level.is_dict && level.at_value) return true;  // the key is being read: at_value tells what comes next
    }
    return false;
  }

  void Foreign(char type) {
    Problem("type", "is a " + std::string(ForeignTypeName(type)) + ", which Teal has no value for; " +
                        "return None, bool, int, float, str, bytes, list, tuple or dict");
  }

  void Problem(const char* kind, std::string_view what) {
    if (!problem_.kind.empty()) return;  // the first one counts
    problem_.kind = kind;
    problem_.message = Path() + " " + std::string(what);
  }

  // Where the value being read is: result[2].x
  std::string Path() const {
    std::string path(root_);
    for (const Level& level : levels_) {
      if (!level.is_dict) {
        if (level.index > 0) path += "[" + std::to_string(level.index - 1) + "]";
        continue;
      }
      if (level.at_value) return "a key of " + path;
      if (level.key_at != 0) path += Field(level.key_at);
    }
    return path;
  }

  std::string Field(size_t key_at) const {
    MarshalReader key(reader_.bytes_.substr(key_at));
    std::string_view text;
    int64_t integer = 0;
    bool fits = true;
    if (key.Peek() == 'u' && key.Text(&text) && vm::IsValidUtf8(text) && text.size() <= 60) {
      for (const char c : text) {
        const bool word = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
        if (!word) return "[\"" + std::string(text) + "\"]";
      }
      return "." + std::string(text);
    }
    MarshalReader number(reader_.bytes_.substr(key_at));
    if (number.Int(&integer, &fits) && fits) return "[" + std::to_string(integer) + "]";
    return "[…]";
  }

  MarshalReader& reader_;
  const std::string_view root_;
  UncarryableValue& problem_;
  std::vector<Level> levels_;
};

bool MarshalReader::Value(std::string_view root, std::string_view* encoded, UncarryableValue* problem) {
  const size_t start = at_;
  if (failed_ || !ValueChecker(this, root, problem).Check()) return Fail();
  assert(at_ > start);
  *encoded = bytes_.substr(start, at_ - start);
  return true;
}

}  // namespace teal::runtime
