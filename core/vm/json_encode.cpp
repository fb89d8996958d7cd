#include <charconv>
#include <cmath>
#include <vector>

#include "core/base/mutant.h"
#include "core/vm/builtins_internal.h"
#include "core/vm/json.h"
#include "core/vm/string_base64.h"
#include "core/vm/value_inline.h"

namespace teal::vm {
namespace {

void AppendJsonString(std::string_view utf8, std::string* out) {
  constexpr char kHexDigits[] = "0123456789abcdef";
  out->push_back('"');
  size_t done = 0;
  for (size_t i = 0; i < utf8.size(); i++) {
    auto code = static_cast<uint8_t>(utf8[i]);
    if (code >= 0x20 && code != '"' && code != '\\') continue;
    out->append(utf8, done, i - done);
    done = i + 1;
    switch (code) {
      case '"':
        out->append("\\\"");
        break;
      case '\\':
        out->append("\\\\");
        break;
      case '\b':
        out->append("\\b");
        break;
      case '\f':
        out->append("\\f");
        break;
      case '\n':
        out->append("\\n");
        break;
      case '\r':
        out->append("\\r");
        break;
      case '\t':
        out->append("\\t");
        break;
      default:
        out->append("\\u00");
        out->push_back(kHexDigits[code >> 4]);
        out->push_back(kHexDigits[code & 15]);
    }
  }
  out->append(utf8, done);
  out->push_back('"');
}

struct Visit {
  const Object* object;
  uint64_t next = 0;  // element, entry (holes count) or field of an error; the one behind what is being written
  uint64_t written = 0;
};

class Encoder {
 public:
  Encoder(std::string* out, Value* error) : out_(out), error_(error) {}

  bool Run(const Value& v) {
    if (!Write(v)) return false;
    while (!visits_.empty()) {
      bool good = Step();
      if (!good) return false;
      if (out_->size() > kStringBytesMax) return FailLimit(error_, "json");
    }
    return true;
  }

 private:
  // A value without others in it; of one that has others, the opening bracket.
  bool Write(const Value& v) {
    switch (v.tag()) {
      case Tag::kNull:
        out_->append("null");
        return true;
      case Tag::kBool:
        out_->append(v.AsBool() ? "true" : "false");
        return true;
      case Tag::kInt: {
        char digits[24];
        out_->append(digits, std::to_chars(digits, digits + sizeof digits, v.AsInt()).ptr);
        return true;
      }
      case Tag::kFloat:
        if (!std::isfinite(v.AsFloat()) && !TEAL_MUTANT("json_writes_nan"))
          return Fail("the float " + FloatRepr(v.AsFloat()) + " has no JSON form");
        out_->append(FloatRepr(v.AsFloat()));
        return true;
      case Tag::kString:
      case Tag::kSymbol:
        AppendJsonString(v.Text(), out_);
        return true;
      case Tag::kBytes:
        out_->push_back('"');
        AppendBase64(v.Text(), out_);
        out_->push_back('"');
        return true;
      case Tag::kSecret:
        out_->append("\"***\"");
        return true;
      case Tag::kList:
        return Enter(v.AsObject(), '[');
      case Tag::kHash:
      case Tag::kError:
        return Enter(v.AsObject(), '{');
      default:
        return Fail("a " + std::string(TypeName(v)) + " has no JSON form");
    }
  }

  bool Enter(const Object* object, char bracket) {
    if (visits_.size() >= kJsonDepthMax) {
      return FailWith(error_, "limit",
                      "json: the value is nested deeper than " + std::to_string(kJsonDepthMax) + " levels");
    }
    out_->push_back(bracket);
    visits_.push_back({object});
    return true;
  }

  bool Leave(char bracket) {
    out_->push_back(bracket);
    visits_.pop_back();
    return true;
  }

  bool Step() {
    Visit& visit = visits_.back();
    if (visit.object->tag == Tag::kList) {
      const List* list = static_cast<const List*>(visit.object);
      if (visit.next == list->size) return Leave(']');
      Comma(&visit);
      return Write(list->items[visit.next++]);
    }
    if (visit.object->tag == Tag::kError) {
      const Error* error = static_cast<const Error*>(visit.object);
      if (visit.next == 3) return Leave('}');
      Comma(&visit);
      uint64_t field = visit.next++;
      AppendJsonString(kErrorFields[field], out_);
      out_->push_back(':');
      return Write(field == 0 ? error->kind : field == 1 ? error->message : error->data);
    }
    const Hash* hash = static_cast<const Hash*>(visit.object);
    while (visit.next < hash->used && Hash::IsHole(hash->entries[visit.next])) visit.next++;
    if (visit.next == hash->used) return Leave('}');
    Comma(&visit);
    const Hash::Entry& entry = hash->entries[visit.next++];
    if (entry.key.tag() != Tag::kString) {
      visits_.pop_back();
      return Fail("a key must be a string, got " + Describe(entry.key));
    }
    AppendJsonString(entry.key.Text(), out_);
    out_->push_back(':');
    return Write(entry.value);
  }

  void Comma(Visit* visit) {
    if (visit->written++ > 0) out_->push_back(',');
  }

  bool Fail(std::string problem) {
    std::string path;
    for (const Visit& visit : visits_) {
      uint64_t at = visit.next - 1;
      if (visit.object->tag == Tag::kList) {
        path.append("[").append(std::to_string(at)).append("]");
      } else if (visit.object->tag == Tag::kError) {
        path.append(".").append(kErrorFields[at]);
      } else {
        path.append(".").append(static_cast<const Hash*>(visit.object)->entries[at].key.Text());
      }
    }
    return FailWith(error_, "type", "json: " + problem + (path.empty() ? "" : ", at " + path));
  }

  static constexpr std::string_view kErrorFields[] = {"kind", "message", "data"};

  std::string* const out_;
  Value* const error_;
  std::vector<Visit> visits_;
};

}  // namespace

bool EncodeJson(const Value& v, std::string* out, Value* error) {
  return Encoder(out, error).Run(v);
}

}  // namespace teal::vm
