#include "core/runtime/worker_codec.h"

#include <cassert>

namespace teal::runtime {

using vm::Tag;
using vm::Value;

namespace {

class Encoder {
 public:
  Encoder(std::string* out, const SecretText& secret_text, std::vector<std::string>* secrets, UncarryableValue* problem)
      : out_(out), w_(out), secret_text_(secret_text), secrets_(secrets), problem_(problem) {}

  // Appends `value`; `root` names it in messages.
  bool Encode(const Value& value, const std::string& root) {
    root_ = root;
    levels_.clear();
    if (!One(value)) return false;
    while (!levels_.empty()) {
      const Level level = levels_.back();
      if (level.index == level.count) {
        if (level.kind != Kind::kList) w_.DictEnd();
        levels_.pop_back();
        continue;
      }
      levels_.back().index++;
      if (out_->size() > kWorkerValueBytesMax) {
        return Problem("limit",
                       "the arguments take more than the 64 MiB of one value; write them to a file and pass its name");
      }
      if (!Part(level)) return false;
    }
    return true;
  }

 private:
  enum class Kind : uint8_t { kList, kHash, kError };
  struct Level {
    Kind kind = Kind::kList;
    const Value* container = nullptr;  // lives as long as the value being encoded
    uint64_t count = 0;                // parts; of a hash: entries with holes
    uint64_t index = 0;
  };

  bool Part(const Level& level) {
    switch (level.kind) {
      case Kind::kList:
        return One(level.container->As<vm::List>()->items[level.index]);
      case Kind::kHash: {
        const vm::Hash::Entry& entry = level.container->As<vm::Hash>()->entries[level.index];
        if (vm::Hash::IsHole(entry)) return true;
        return Key(entry.key, static_cast<int>(levels_.size())) && One(entry.value);
      }
      case Kind::kError: {
        static constexpr std::string_view kNames[] = {"kind", "message", "data"};
        const vm::Error* const error = level.container->As<vm::Error>();
        w_.Text(kNames[level.index]);
        return One(level.index == 0 ? error->kind : level.index == 1 ? error->message : error->data);
      }
    }
    return false;
  }

  // Writes a value that holds no others, or opens a level for one that does.
  bool One(const Value& value) {
    switch (value.tag()) {
      case Tag::kNull:
        w_.None();
        return true;
      case Tag::kBool:
        w_.Bool(value.AsBool());
        return true;
      case Tag::kInt:
        w_.Int(value.AsInt());
        return true;
      case Tag::kFloat:
        w_.Float(value.AsFloat());
        return true;
      case Tag::kSecret:
        return Secret(value);
      case Tag::kString:
      case Tag::kSymbol:
      case Tag::kBytes:
        if (value.Text().size() > kWorkerValueBytesMax) {
          return Problem("limit",
                         Path() + " takes more than the 64 MiB of one value; write it to a file and pass its name");
        }
        if (value.tag() == Tag::kBytes) {
          w_.Bytes(value.Text());
        } else {
          w_.Text(value.Text());
        }
        return true;
      case Tag::kList: {
        const uint64_t size = value.As<vm::List>()->size;
        if (size > kWorkerValueBytesMax) return Problem("limit", Path() + " has more elements than one value may have");
        w_.ListHead(static_cast<uint32_t>(size));
        return Open({Kind::kList, &value, size, 0});
      }
      case Tag::kHash:
        if (!DistinctInPython(*value.As<vm::Hash>())) return false;
        w_.DictHead();
        return Open({Kind::kHash, &value, value.As<vm::Hash>()->used, 0});
      case Tag::kError:
        w_.DictHead();
        return Open({Kind::kError, &value, 3, 0});
      case Tag::kFunction:
      case Tag::kBuiltin:
      case Tag::kForeign:
      case Tag::kClosure:
      case Tag::kFuture:
        return Problem("type", Path() + " is a " + std::string(vm::TypeName(value)) +
                                   ", which a foreign function cannot be given" +
                                   (value.tag() == Tag::kFuture ? "; await it first" : ""));
    }
    return false;
  }

  bool Open(const Level& level) {
    levels_.push_back(level);
    if (levels_.size() <= static_cast<size_t>(kWorkerDepthMax)) return true;
    return Problem("type",
                   root_ + " is nested deeper than " + std::to_string(kWorkerDepthMax) + "; pass a flatter value");
  }

  bool Secret(const Value& value) {
    std::string text;
    if (!secret_text_ || !secret_text_(value.Text(), &text)) {
      return Problem("secret", Path() + " is the secret `" + std::string(value.Text()) + "`, which has no value" +
                                   (text.empty() ? "" : ": " + text));
    }
    if (!vm::IsValidUtf8(text))
      return Problem("secret", Path() + ": the secret `" + std::string(value.Text()) + "` is no UTF-8 text");
    w_.Text(text);
    secrets_->push_back(std::move(text));
    return true;
  }

  // A dict's key must have a hash in Python: lists become tuples, hashes and errors cannot.
  bool Key(const Value& key, int depth) {
    if (key.tag() == Tag::kHash || key.tag() == Tag::kError) {
      return Problem("type", "a key of " + Path(levels_.size() - 1) + " is a " + std::string(vm::TypeName(key)) +
                                 ", which cannot be a key in Python; use a string or a list");
    }
    if (key.tag() != Tag::kList) return One(key);
    if (depth > kWorkerDepthMax)
      return Problem("type", "a key of " + Path(levels_.size() - 1) + " is nested too deeply");
    const vm::List* const list = key.As<vm::List>();
    if (list->size > kWorkerValueBytesMax)
      return Problem("limit", "a key of " + Path(levels_.size() - 1) + " is too large");
    w_.TupleHead(static_cast<uint32_t>(list->size));
    for (uint64_t i = 0; i < list->size; i++) {
      if (!Key(list->items[i], depth + 1)) return false;
    }
    return true;
  }

  // In Python True == 1, and a symbol is a str: two keys of Teal could become one there, and a value would be lost.
  bool DistinctInPython(const vm::Hash& hash) {
    bool in_doubt = false;
    for (uint64_t i = 0; i < hash.used && !in_doubt; i++) {
      const Value& key = hash.entries[i].key;
      if (vm::Hash::IsHole(hash.entries[i])) continue;
      in_doubt = key.tag() == Tag::kBool || key.tag() == Tag::kSymbol || key.tag() == Tag::kList;
    }
    if (!in_doubt) return true;
    Value as_in_python = vm::MakeHash(hash.size);
    for (uint64_t i = 0; i < hash.used; i++) {
      if (vm::Hash::IsHole(hash.entries[i])) continue;
      Value key = AsPythonKey(hash.entries[i].key, 0);
      if (!vm::IsKey(key)) continue;  // refused when it is written
      if (vm::HashGet(*as_in_python.As<vm::Hash>(), key) != nullptr) {
        return Problem("type", "two keys of " + Path() + " are equal in Python, the second is " +
                                   vm::SourceForm(hash.entries[i].key) + "; in Python True is 1 and a symbol is a str");
      }
      as_in_python = vm::HashSet(std::move(as_in_python), std::move(key), Value());
    }
    return true;
  }

  static Value AsPythonKey(const Value& key, int depth) {
    if (key.tag() == Tag::kBool) return Value::Int(key.AsBool() ? 1 : 0);
    if (key.tag() == Tag::kSymbol) return vm::MakeString(key.Text());
    if (key.tag() != Tag::kList || depth > kWorkerDepthMax) return key;
    Value list = vm::MakeList();
    const vm::List* const from = key.As<vm::List>();
    for (uint64_t i = 0; i < from->size; i++) {
      list = vm::ListAppend(std::move(list), AsPythonKey(from->items[i], depth + 1));
    }
    return list;
  }

  // Where the part begun last is.
  std::string Path() const { return Path(levels_.size()); }
  // The same, as far as the first `count` levels lead.
  std::string Path(size_t count) const {
    std::string path = root_;
    for (size_t i = 0; i < count; i++) {
      const Level& level = levels_[i];
      if (level.index == 0) continue;
      const uint64_t at = level.index - 1;
      if (level.kind == Kind::kList) {
        path += "[" + std::to_string(at) + "]";
      } else if (level.kind == Kind::kError) {
        path += at == 0 ? ".kind" : at == 1 ? ".message" : ".data";
      } else {
        const Value& key = level.container->As<vm::Hash>()->entries[at].key;
        const bool is_name = key.tag() == Tag::kString || key.tag() == Tag::kSymbol;
        path += is_name ? "." + std::string(key.Text().substr(0, 60)) : "[" + vm::SourceForm(key) + "]";
      }
    }
    return path;
  }

  bool Problem(const char* kind, std::string message) {
    problem_->kind = kind;
    problem_->message = std::move(message);
    return false;
  }

  std::string* const out_;
  MarshalWriter w_;
  const SecretText& secret_text_;
  std::vector<std::string>* const secrets_;
  UncarryableValue* const problem_;
  std::string root_;
  std::vector<Level> levels_;
};

}  // namespace

bool EncodeWorkerArguments(const std::vector<Value>& arguments, bool has_keywords, const SecretText& secret_text,
                           WorkerArguments* out, UncarryableValue* problem) {
  assert(!has_keywords || (!arguments.empty() && arguments.back().tag() == Tag::kHash));
  const size_t positional = arguments.size() - (has_keywords ? 1 : 0);
  MarshalWriter(&out->arguments).ListHead(static_cast<uint32_t>(positional));
  Encoder encoder(&out->arguments, secret_text, &out->secrets, problem);
  for (size_t i = 0; i < positional; i++) {
    if (!encoder.Encode(arguments[i], "argument " + std::to_string(i + 1))) return false;
  }
  if (!has_keywords) return true;
  Encoder keywords(&out->keywords, secret_text, &out->secrets, problem);
  return keywords.Encode(arguments.back(), "keyword argument");
}

bool DecodeWorkerPayload(std::string_view payload, Value* value) {
  struct Level {
    Value container;
    uint32_t left = 0;  // of a list
    bool is_dict = false;
    bool has_key = false;
    Value key;
  };
  MarshalReader r(payload);
  std::vector<Level> levels;
  while (true) {
    // One value, or the head of a container.
    Value one;
    bool opened = false;
    std::string_view text;
    int64_t integer = 0;
    double number = 0;
    bool flag = false;
    uint32_t count = 0;
    bool good = false;
    switch (r.Peek()) {
      case 'N':
        good = r.None();
        break;
      case 'T':
      case 'F':
        good = r.Bool(&flag);
        one = Value::Bool(flag);
        break;
      case 'i':
      case 'l':
        good = r.Int(&integer, &flag) && flag;
        one = Value::Int(integer);
        break;
      case 'g':
        good = r.Float(&number);
        one = Value::Float(number);
        break;
      case 'u':
        good = r.Text(&text) && vm::IsValidUtf8(text);
        if (good) one = vm::MakeString(text);
        break;
      case 's':
        good = r.Bytes(&text);
        if (good) one = vm::MakeBytes(text);
        break;
      case '[':
      case '(':
        good = opened = r.SequenceHead(&count);
        if (good) levels.push_back({vm::MakeList(count), count, false, false, Value()});
        break;
      case '{':
        good = opened = r.DictHead();
        levels.push_back({vm::MakeHash(), 0, true, false, Value()});
        break;
      default:
        break;
    }
    if (!good || levels.size() > static_cast<size_t>(kWorkerDepthMax)) return false;
    // Puts what is whole where it belongs, as far outwards as that makes containers whole.
    while (true) {
      if (!opened) {
        if (levels.empty()) {
          *value = std::move(one);
          return r.AtEnd();
        }
        Level& level = levels.back();
        if (!level.is_dict) {
          level.container = vm::ListAppend(std::move(level.container), std::move(one));
          level.left--;
        } else if (!level.has_key) {
          if (!vm::IsKey(one)) return false;
          level.key = std::move(one);
          level.has_key = true;
        } else {
          level.container = vm::HashSet(std::move(level.container), std::move(level.key), std::move(one));
          level.has_key = false;
        }
      }
      opened = false;
      Level& level = levels.back();
      if (level.is_dict ? level.has_key || !r.AtDictEnd() : level.left > 0) break;
      if (level.is_dict && !r.DictEnd()) return false;
      one = std::move(level.container);
      levels.pop_back();
    }
  }
}

}  // namespace teal::runtime
