#include <array>
#include <charconv>
#include <vector>

#include "core/base/mutant.h"
#include "core/vm/builtins_internal.h"
#include "core/vm/json.h"
#include "core/vm/string_text.h"
#include "core/vm/value_inline.h"

namespace teal::vm {
namespace {

struct Level {
  Value container;
  Value key;  // hash: of the value that comes next
};

class Decoder {
 public:
  Decoder(std::string_view text, Value* error) : text_(text), error_(error) {}

  bool Run(Value* out) {
    Value value;
    for (;;) {
      SkipSpace();
      bool opened = false;
      if (!ReadValue(&value, &opened)) return false;
      if (opened) continue;
      // A value is whole: it goes into what is open, which may be whole then too.
      bool more = false;
      while (!more) {
        if (levels_.empty()) {
          SkipSpace();
          if (at_ < text_.size()) return Fail("the text goes on behind the value");
          *out = std::move(value);
          return true;
        }
        if (!Store(std::move(value)) || !ReadSeparator(&value, &more)) return false;
      }
    }
  }

 private:
  void SkipSpace() {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\n' || text_[at_] == '\t' || text_[at_] == '\r'))
      at_++;
  }
  char Peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }

  // Reads a value, or opens a list or hash: then *opened, and the first value in it comes next. An empty one is whole.
  bool ReadValue(Value* value, bool* opened) {
    switch (Peek()) {
      case '{':
      case '[':
        return Open(value, opened);
      case '"':
        return ReadString(value);
      case 't':
        *value = Value::Bool(true);
        return ReadWord("true");
      case 'f':
        *value = Value::Bool(false);
        return ReadWord("false");
      case 'n':
        *value = Value();
        return ReadWord("null");
      default:
        return ReadNumber(value);
    }
  }

  bool Open(Value* value, bool* opened) {
    if (levels_.size() >= kJsonDepthMax + (TEAL_MUTANT("json_one_level_more") ? 1 : 0)) {
      return FailKind("limit", "lists and hashes are nested deeper than " + std::to_string(kJsonDepthMax) + " levels");
    }
    bool is_hash = text_[at_++] == '{';
    SkipSpace();
    if (Peek() == (is_hash ? '}' : ']')) {
      at_++;
      *value = is_hash ? MakeHash() : MakeList();
      return true;
    }
    levels_.push_back({is_hash ? MakeHash() : MakeList(), Value()});
    *opened = true;
    return !is_hash || ReadKey();
  }

  bool ReadKey() {
    SkipSpace();
    if (Peek() != '"') return Fail("a key in quotes must stand here");
    if (!ReadString(&levels_.back().key)) return false;
    Value& kept = keys_[levels_.back().key.Text().size() % keys_.size()];
    // The keys of equal hashes in a row are the same few strings.
    if (kept.tag() == Tag::kString && kept.Text() == levels_.back().key.Text())
      levels_.back().key = kept;
    else
      kept = levels_.back().key;
    SkipSpace();
    if (Peek() != ':') return Fail("':' must stand behind a key");
    at_++;
    return true;
  }

  bool Store(Value value) {
    Level& level = levels_.back();
    if (level.container.tag() == Tag::kList) {
      if (level.container.As<List>()->size >= kListItemsMax) return FailKind("limit", "a list is larger than 64 MiB");
      level.container = ListAppend(std::move(level.container), std::move(value));
    } else {
      if (level.container.As<Hash>()->size >= kHashEntriesMax) return FailKind("limit", "a hash is larger than 64 MiB");
      level.container = HashSet(std::move(level.container), std::move(level.key), std::move(value));
    }
    return true;
  }

  // Behind a value: a comma, after which *more, or the bracket that makes the container the next *value.
  bool ReadSeparator(Value* value, bool* more) {
    bool is_hash = levels_.back().container.tag() == Tag::kHash;
    SkipSpace();
    char c = Peek();
    if (c == ',') {
      at_++;
      *more = true;
      return !is_hash || ReadKey();
    }
    if (c != (is_hash ? '}' : ']')) return Fail(is_hash ? "',' or '}' must stand here" : "',' or ']' must stand here");
    at_++;
    *value = std::move(levels_.back().container);
    levels_.pop_back();
    return true;
  }

  bool ReadWord(std::string_view word) {
    if (text_.substr(at_, word.size()) != word) return Fail("a value must stand here");
    at_ += word.size();
    return true;
  }

  static bool IsDigit(char c) { return c >= '0' && c <= '9'; }
  bool SkipDigits() {
    size_t from = at_;
    while (IsDigit(Peek())) at_++;
    return at_ > from;
  }

  bool ReadNumber(Value* value) {
    size_t from = at_;
    if (Peek() == '-') at_++;
    if (!IsDigit(Peek())) {
      at_ = from;
      return Fail(at_ == text_.size() ? "the text ends where a value must stand" : "a value must stand here");
    }
    bool zero = Peek() == '0';
    size_t digits = at_;
    SkipDigits();
    if (zero && at_ - digits > 1) {
      at_ = from;
      return Fail("a number must not begin with 0");
    }
    bool whole = true;
    if (Peek() == '.') {
      whole = false;
      at_++;
      if (!SkipDigits()) return Fail("a digit must stand behind the point");
    }
    if (Peek() == 'e' || Peek() == 'E') {
      whole = false;
      at_++;
      if (Peek() == '+' || Peek() == '-') at_++;
      if (!SkipDigits()) return Fail("a digit must stand in the exponent");
    }
    return ConvertNumber(text_.substr(from, at_ - from), whole, value);
  }

  bool ConvertNumber(std::string_view number, bool whole, Value* value) {
    if (whole) {
      int64_t i = 0;
      auto [end, ec] = std::from_chars(number.data(), number.data() + number.size(), i);
      if (ec == std::errc::result_out_of_range) return FailKind("overflow", "an integer is outside 64 bits");
      assert(ec == std::errc() && end == number.data() + number.size());
      *value = Value::Int(i);
      return true;
    }
    double d = 0;
    auto [end, ec] = std::from_chars(number.data(), number.data() + number.size(), d);
    if (ec == std::errc::result_out_of_range) {
      d = std::strtod(std::string(number).c_str(), nullptr);
      if (d > 1 || d < -1) return FailKind("overflow", "a number is too large for a float");
    }
    assert(end == number.data() + number.size());
    *value = Value::Float(d);
    return true;
  }

  bool ReadString(Value* value) {
    size_t from = ++at_;
    while (at_ < text_.size() && text_[at_] != '"' && text_[at_] != '\\' && static_cast<uint8_t>(text_[at_]) >= 0x20)
      at_++;
    if (Peek() == '"') {
      *value = MakeString(text_.substr(from, at_++ - from));
      return true;
    }
    std::string unescaped(text_.substr(from, at_ - from));
    while (Peek() != '"') {
      if (at_ == text_.size()) return Fail("a string has no closing quote");
      char c = text_[at_];
      if (static_cast<uint8_t>(c) < 0x20) return Fail("a control character in a string must be escaped");
      if (c == '\\') {
        if (!ReadEscape(&unescaped)) return false;
      } else {
        unescaped.push_back(c);
        at_++;
      }
    }
    at_++;
    *value = MakeString(unescaped);
    return true;
  }

  bool ReadEscape(std::string* out) {
    at_++;
    switch (Peek()) {
      case '"':
        out->push_back('"');
        break;
      case '\\':
        out->push_back('\\');
        break;
      case '/':
        out->push_back('/');
        break;
      case 'b':
        out->push_back('\b');
        break;
      case 'f':
        out->push_back('\f');
        break;
      case 'n':
        out->push_back('\n');
        break;
      case 'r':
        out->push_back('\r');
        break;
      case 't':
        out->push_back('\t');
        break;
      case 'u':
        at_++;
        return ReadUnicode(out);
      default:
        return Fail("an unknown escape in a string");
    }
    at_++;
    return true;
  }

  bool ReadHex4(char32_t* out) {
    uint32_t code = 0;
    std::string_view digits = text_.substr(at_, 4);
    auto [end, ec] = std::from_chars(digits.data(), digits.data() + digits.size(), code, 16);
    if (digits.size() < 4 || ec != std::errc() || end != digits.data() + 4) {
      return Fail("four hexadecimal digits must stand behind \\u");
    }
    at_ += 4;
    *out = code;
    return true;
  }

  bool ReadUnicode(std::string* out) {
    char32_t code = 0;
    if (!ReadHex4(&code)) return false;
    if (code >= 0xD800 && code <= 0xDBFF && text_.substr(at_, 2) == "\\u") {
      char32_t low = 0;
      at_ += 2;
      if (!ReadHex4(&low)) return false;
      if ((low < 0xDC00 || low > 0xDFFF) && !TEAL_MUTANT("json_takes_lone_surrogates"))
        return FailKind("type", "a lone surrogate is no character");
      code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
    }
    if (code >= 0xD800 && code <= 0xDFFF) return FailKind("type", "a lone surrogate is no character");
    AppendScalar(code, out);
    return true;
  }

  bool Fail(std::string_view problem) { return FailKind("value", problem); }

  bool FailKind(std::string_view kind, std::string_view problem) {
    size_t line = 1;
    size_t column = 1;
    for (size_t i = 0; i < at_ && i < text_.size(); i++) {
      if (text_[i] == '\n') {
        line++;
        column = 1;
      } else if ((static_cast<uint8_t>(text_[i]) & 0xC0) != 0x80) {
        column++;
      }
    }
    std::string message("json: ");
    message.append(problem).append(", at line ").append(std::to_string(line));
    message.append(", column ").append(std::to_string(column));
    return FailWith(error_, kind, std::move(message));
  }

  const std::string_view text_;
  Value* const error_;
  size_t at_ = 0;
  std::vector<Level> levels_;
  std::array<Value, 32> keys_;  // the last key of each length
};

}  // namespace

bool DecodeJson(std::string_view text, Value* out, Value* error) {
  if (!IsValidUtf8(text)) return FailWith(error, "value", "json: the text is not UTF-8");
  return Decoder(text, error).Run(out);
}

}  // namespace teal::vm
