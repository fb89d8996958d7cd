// Builtins on strings.
#include <charconv>
#include <cstdio>

#include "core/vm/builtins_internal.h"
#include "core/vm/display.h"
#include "core/vm/string_text.h"
#include "core/vm/value_inline.h"
#include "core/vm/value_walk.h"

namespace teal::vm {
namespace {

// A bound on the digits after the point in "{:.Nf}".
inline constexpr int kFormatDigitsMax = 100;

bool IsTextOrBytes(const Value& v) {
  return v.tag() == Tag::kString || v.tag() == Tag::kBytes;
}

// Two strings, or two of bytes.
bool WantTwoTexts(std::string_view name, Value* args, Value* result) {
  if (!IsTextOrBytes(args[0])) return FailType(result, name, "the first argument", "a string or bytes", args[0]);
  if (args[1].tag() == args[0].tag()) return true;
  return FailType(result, name, "the second argument", args[0].tag() == Tag::kString ? "a string" : "bytes", args[1]);
}

Value SameKind(const Value& as, std::string_view text) {
  return as.tag() == Tag::kBytes ? MakeBytes(text) : MakeString(text);
}

bool SplitBySpace(std::string_view text, Value* result) {
  CountWork(text.size());
  Value parts = MakeList();
  size_t start = 0;
  size_t at = 0;
  while (at < text.size()) {
    size_t bytes;
    bool space = IsSpace(FrontScalar(text.substr(at), &bytes));
    if (space && at > start) parts = ListAppend(std::move(parts), MakeString(text.substr(start, at - start)));
    at += bytes;
    if (space) start = at;
    if (parts.As<List>()->size >= kListItemsMax) return FailLimit(result, "split");
  }
  if (at > start) parts = ListAppend(std::move(parts), MakeString(text.substr(start)));
  return Give(result, std::move(parts));
}

template <typename Map>
bool MapCase(std::string_view name, Value* args, Map map, Value* result) {
  if (!WantString(name, "the argument", args[0], result)) return false;
  std::string_view text = args[0].Text();
  std::string mapped;
  mapped.reserve(text.size());
  while (!text.empty()) {
    size_t bytes;
    AppendScalar(map(FrontScalar(text, &bytes)), &mapped);
    text.remove_prefix(bytes);
  }
  if (mapped.size() > kStringBytesMax) return FailLimit(result, name);
  return Give(result, MakeString(mapped));
}

// ---- format ----

struct Template {
  std::string_view text;
  Value* args;  // behind the template
  uint32_t count;
  uint32_t next = 0;
};

bool FailFormat(Value* result, std::string problem) {
  return FailWith(result, "value", "format: " + problem);
}

// The value that a field's name means: nothing = the next argument, a number = that argument, else a key of the last
// argument, a hash.
bool FieldArgument(Template* t, std::string_view name, const Value** out, Value* result) {
  uint32_t index = 0;
  bool numbered = !name.empty() && name[0] >= '0' && name[0] <= '9';
  if (name.empty()) {
    index = t->next++;
  } else if (numbered) {
    auto [end, ec] = std::from_chars(name.data(), name.data() + name.size(), index);
    if (ec != std::errc() || end != name.data() + name.size()) {
      return FailFormat(result, "{" + std::string(name) + "} names no argument");
    }
  }
  if (name.empty() || numbered) {
    if (index >= t->count) {
      return FailFormat(result, "the template wants argument " + std::to_string(index) + " (from 0), but there are " +
                                    std::to_string(t->count));
    }
    *out = &t->args[index];
    return true;
  }
  if (t->count == 0 || t->args[t->count - 1].tag() != Tag::kHash) {
    return FailFormat(result, "{" + std::string(name) + "} needs a hash as the last argument");
  }
  *out = HashGet(*t->args[t->count - 1].As<Hash>(), name);
  if (*out == nullptr) return FailFormat(result, "the hash has no key \"" + std::string(name) + "\"");
  return true;
}

// What stands behind ':' in a field; only ".Nf" is known.
bool AppendWithSpec(const Value& v, std::string_view spec, std::string* out, Value* result) {
  int digits = -1;
  if (spec.size() >= 3 && spec.front() == '.' && spec.back() == 'f') {
    auto [end, ec] = std::from_chars(spec.data() + 1, spec.data() + spec.size() - 1, digits);
    if (ec != std::errc() || end != spec.data() + spec.size() - 1) digits = -1;
  }
  if (digits < 0 || digits > kFormatDigitsMax) {
    return FailFormat(result, "\":" + std::string(spec) + "\" is no format; \":.2f\" (0 to 100 digits) is");
  }
  if (!v.IsNumber())
    return FailType(result, "format", "an argument with \":" + std::string(spec) + "\"", "a number", v);
  char text[512];
  int size = std::snprintf(text, sizeof text, "%.*f", digits, ToDouble(v));
  assert(size > 0 && size < static_cast<int>(sizeof text));
  out->append(text, static_cast<size_t>(size));
  return true;
}

// One field, *at behind its '{'; moves *at behind its '}'.
bool AppendField(Template* t, size_t* at, std::string* out, Value* result) {
  size_t close = t->text.find('}', *at);
  if (close == std::string_view::npos) return FailFormat(result, "a '{' has no '}' (a brace itself is written '{{')");
  std::string_view field = t->text.substr(*at, close - *at);
  *at = close + 1;
  size_t colon = field.find(':');
  const Value* value = nullptr;
  if (!FieldArgument(t, field.substr(0, colon), &value, result)) return false;
  if (colon != std::string_view::npos) return AppendWithSpec(*value, field.substr(colon + 1), out, result);
  return AppendText(*value, false, kStringBytesMax, out) || FailLimit(result, "format");
}

}  // namespace

// split(s): the parts of a string between runs of white space, none empty. split(s, sep): the parts between each
// occurrence of sep, which may be empty: split("a,,b", ",") is ["a", "", "b"]. An empty sep is `value`.
bool Builtin_split(Value* args, uint32_t count, Value* result) {
  if (!WantString("split", "the string", args[0], result)) return false;
  std::string_view text = args[0].Text();
  if (count == 1) return SplitBySpace(text, result);
  if (!WantString("split", "the separator", args[1], result)) return false;
  std::string_view separator = args[1].Text();
  if (separator.empty()) return FailWith(result, "value", "split: the separator must not be empty");
  Value parts = MakeList();
  for (size_t from = 0;;) {
    if (parts.As<List>()->size >= kListItemsMax) return FailLimit(result, "split");
    const size_t at = FindPart(text, separator, from);
    parts = ListAppend(std::move(parts), MakeString(text.substr(from, at - from)));
    if (at == std::string_view::npos) return Give(result, std::move(parts));
    from = at + separator.size();
  }
}

// join(xs): the strings of a list, one behind the other. join(xs, sep): with sep between them. An element that is no
// string is `type`: str makes one.
bool Builtin_join(Value* args, uint32_t count, Value* result) {
  if (!WantList("join", "the first argument", args[0], result)) return false;
  if (count == 2 && !WantString("join", "the separator", args[1], result)) return false;
  std::string_view separator = count == 2 ? args[1].Text() : std::string_view();
  const List* list = args[0].As<List>();
  CountWork(list->size * sizeof(Value));
  uint64_t size = list->size == 0 ? 0 : (list->size - 1) * separator.size();
  for (uint64_t i = 0; i < list->size; i++) {
    if (!WantString("join", "element " + std::to_string(i), list->items[i], result)) return false;
    size += list->items[i].Text().size();
    if (size > kStringBytesMax) return FailLimit(result, "join");
  }
  std::string joined;
  joined.reserve(size);
  for (uint64_t i = 0; i < list->size; i++) {
    if (i > 0) joined.append(separator);
    joined.append(list->items[i].Text());
  }
  return Give(result, MakeString(joined));
}

// trim(s): the string without the white space (as Unicode has it) at its ends.
bool Builtin_trim(Value* args, uint32_t, Value* result) {
  if (!WantString("trim", "the argument", args[0], result)) return false;
  std::string_view trimmed = TrimSpace(args[0].Text());
  CountWork(args[0].Text().size() - trimmed.size());
  if (trimmed.size() == args[0].Text().size()) return Give(result, std::move(args[0]));
  return Give(result, MakeString(trimmed));
}

// upper(s): in upper case, scalar value by scalar value: the length stays, so "ß" stays too.
bool Builtin_upper(Value* args, uint32_t, Value* result) {
  return MapCase("upper", args, UpperOf, result);
}

// lower(s): in lower case, scalar value by scalar value.
bool Builtin_lower(Value* args, uint32_t, Value* result) {
  return MapCase("lower", args, LowerOf, result);
}

// replace(s, old, new): every occurrence of old, from left to right, replaced by new. Strings, or all bytes. An empty
// old is `value`.
bool Builtin_replace(Value* args, uint32_t, Value* result) {
  if (!WantTwoTexts("replace", args, result)) return false;
  if (args[2].tag() != args[0].tag()) {
    return FailType(result, "replace", "the third argument", args[0].tag() == Tag::kString ? "a string" : "bytes",
                    args[2]);
  }
  std::string_view text = args[0].Text();
  std::string_view from = args[1].Text();
  std::string_view to = args[2].Text();
  if (from.empty()) return FailWith(result, "value", "replace: what is to be replaced must not be empty");
  std::string replaced;
  size_t at = FindPart(text, from, 0);
  if (at == std::string_view::npos) return Give(result, std::move(args[0]));
  size_t done = 0;
  for (; at != std::string_view::npos; at = FindPart(text, from, done)) {
    replaced.append(text, done, at - done).append(to);
    done = at + from.size();
    if (replaced.size() > kStringBytesMax) return FailLimit(result, "replace");
  }
  replaced.append(text, done);
  if (replaced.size() > kStringBytesMax) return FailLimit(result, "replace");
  return Give(result, SameKind(args[0], replaced));
}

// contains(s, part): whether part occurs in s; both strings, or both bytes. (For lists and hashes: has.)
bool Builtin_contains(Value* args, uint32_t, Value* result) {
  if (!WantTwoTexts("contains", args, result)) return false;
  const std::string_view part = args[1].Text();
  return Give(result, Value::Bool(part.empty() || FindPart(args[0].Text(), part, 0) != std::string_view::npos));
}

// starts_with(s, part): whether s begins with part; both strings, or both bytes.
bool Builtin_starts_with(Value* args, uint32_t, Value* result) {
  if (!WantTwoTexts("starts_with", args, result)) return false;
  CountWork(args[1].Text().size());
  return Give(result, Value::Bool(args[0].Text().starts_with(args[1].Text())));
}

// ends_with(s, part): whether s ends with part; both strings, or both bytes.
bool Builtin_ends_with(Value* args, uint32_t, Value* result) {
  if (!WantTwoTexts("ends_with", args, result)) return false;
  CountWork(args[1].Text().size());
  return Give(result, Value::Bool(args[0].Text().ends_with(args[1].Text())));
}

// format(template, a, b, …): the template with its fields filled in, as print writes the values. {} is the next
// argument, {0} the first one, {name} the key of the last argument, a hash; {{ and }} are braces. {:.2f}, {0:.2f} and
// {name:.2f} write a number with two digits after the point. A field without its argument is `value`.
bool Builtin_format(Value* args, uint32_t count, Value* result) {
  if (!WantString("format", "the template", args[0], result)) return false;
  Template t{args[0].Text(), args + 1, count - 1};
  CountWork(t.text.size());
  std::string out;
  for (size_t at = 0; at < t.text.size();) {
    size_t brace = t.text.find_first_of("{}", at);
    out.append(t.text, at, brace == std::string_view::npos ? brace : brace - at);
    if (brace == std::string_view::npos) break;
    at = brace + 1;
    bool doubled = at < t.text.size() && t.text[at] == t.text[brace];
    if (doubled) {
      out.push_back(t.text[at++]);
    } else if (t.text[brace] == '}') {
      return FailFormat(result, "a '}' has no '{' (a brace itself is written '}}')");
    } else if (!AppendField(&t, &at, &out, result)) {
      return false;
    }
    if (out.size() > kStringBytesMax) return FailLimit(result, "format");
  }
  if (out.size() > kStringBytesMax) return FailLimit(result, "format");
  return Give(result, MakeString(out));
}

}  // namespace teal::vm
