// The text of values. What has no source form is shown in angle brackets; a secret is ***.
#include "core/vm/display.h"

#include <algorithm>
#include <charconv>
#include <vector>

#include "core/base/mutant.h"
#include "core/vm/builtins.h"
#include "core/vm/value_inline.h"
#include "core/vm/value_walk.h"

namespace teal::vm {
namespace {

inline constexpr char kHexDigits[] = "0123456789abcdef";

void AppendEscape(uint8_t code, std::string* out) {
  out->append("\\x");
  out->push_back(kHexDigits[code >> 4]);
  out->push_back(kHexDigits[code & 15]);
}

// True when c is written as an escape of two characters.
bool AppendShortEscape(char c, std::string* out) {
  switch (c) {
    case '\n':
      out->append("\\n");
      return true;
    case '\t':
      out->append("\\t");
      return true;
    case '\r':
      out->append("\\r");
      return true;
    case '\\':
      out->append("\\\\");
      return true;
    case '"':
      if (TEAL_MUTANT("display_quotes_bare")) return false;
      out->append("\\\"");
      return true;
    case '\0':
      out->append("\\0");
      return true;
    default:
      return false;
  }
}

void AppendBytes(std::string_view bytes, std::string* out) {
  out->append("b\"");
  for (char c : bytes) {
    auto code = static_cast<uint8_t>(c);
    if (AppendShortEscape(c, out)) continue;
    if (code < 0x20 || code >= 0x7F)
      AppendEscape(code, out);
    else
      out->push_back(c);
  }
  out->push_back('"');
}

void AppendInt(int64_t i, std::string* out) {
  char digits[24];
  auto [end, ec] = std::to_chars(digits, digits + sizeof digits, i);
  assert(ec == std::errc());
  out->append(digits, end);
}

void AppendFuture(const Future& future, std::string* out) {
  switch (future.kind) {
    case FutureKind::kThread:
      out->append("<future of thread ").append(future.id.Text()).append(">");
      return;
    case FutureKind::kTimer:
      out->append("<timer>");
      return;
    case FutureKind::kTimeout:
      out->append("<timeout>");
      return;
    case FutureKind::kEvent:
      out->append("<event ");
      break;
    case FutureKind::kRequest:
      out->append("<request ");
      break;
  }
  if (!future.text.IsNull()) AppendQuoted(future.text.Text(), out);
  out->push_back('>');
}

void AppendLeaf(const Value& v, std::string* out) {
  switch (v.tag()) {
    case Tag::kNull:
      out->append("null");
      return;
    case Tag::kBool:
      out->append(v.AsBool() ? "true" : "false");
      return;
    case Tag::kInt:
      AppendInt(v.AsInt(), out);
      return;
    case Tag::kFloat:
      out->append(FloatRepr(v.AsFloat()));
      return;
    case Tag::kFunction:
    case Tag::kClosure:
      out->append("<function>");
      return;
    case Tag::kBuiltin:
      out->append("<builtin ").append(BuiltinOf(static_cast<uint16_t>(v.AsIndex())).name).append(">");
      return;
    case Tag::kForeign:
      out->append("<foreign function>");
      return;
    case Tag::kString:
      AppendQuoted(v.Text(), out);
      return;
    case Tag::kSymbol:
      out->append(":").append(v.Text());
      return;
    case Tag::kBytes:
      AppendBytes(v.Text(), out);
      return;
    case Tag::kFuture:
      AppendFuture(*v.As<Future>(), out);
      return;
    case Tag::kSecret:
      out->append(TEAL_MUTANT("secrets_are_shown") ? v.Text() : "***");
      return;
    case Tag::kError: {
      // What it holds in `data` is not shown: an error is one line, as a trace begins with.
      const Error* error = v.As<Error>();
      out->append("<error ").append(error->kind.Text()).append(": ").append(error->message.Text()).append(">");
      return;
    }
    case Tag::kList:
    case Tag::kHash:
      break;
  }
  assert(false);
}

struct Visit {
  Object* object;
  uint64_t next = 0;     // list: element; hash: 2 * entry, + 1 for its value
  uint64_t printed = 0;  // elements or entries
};

// The child to print next, after what stands before it; null at the end, after the closing bracket.
const Value* NextChild(Visit* visit, std::string* out) {
  if (visit->object->tag == Tag::kList) {
    const List* list = static_cast<const List*>(visit->object);
    if (visit->next == list->size) {
      out->push_back(']');
      return nullptr;
    }
    if (visit->next > 0) out->append(", ");
    return &list->items[visit->next++];
  }
  const Hash* hash = static_cast<const Hash*>(visit->object);
  if (visit->next % 2 == 1) {
    out->append(": ");
    return &hash->entries[visit->next++ / 2].value;
  }
  while (visit->next / 2 < hash->used && Hash::IsHole(hash->entries[visit->next / 2])) visit->next += 2;
  if (visit->next / 2 == hash->used) {
    out->push_back('}');
    return nullptr;
  }
  if (visit->printed++ > 0) out->append(", ");
  return &hash->entries[visit->next++ / 2].key;
}

bool IsContainer(const Value& v) {
  return v.tag() == Tag::kList || v.tag() == Tag::kHash;
}

std::string BoundedText(const Value& v, bool source_form) {
  std::string out;
  if (!AppendText(v, source_form, kStringBytesMax, &out)) out.append("…");
  return out;
}

}  // namespace

void AppendQuoted(std::string_view utf8, std::string* out) {
  out->push_back('"');
  for (size_t i = 0; i < utf8.size(); i++) {
    auto code = static_cast<uint8_t>(utf8[i]);
    if (AppendShortEscape(utf8[i], out)) continue;
    if (code < 0x20 || code == 0x7F) {
      AppendEscape(code, out);
    } else if (code == 0xC2 && i + 1 < utf8.size() && static_cast<uint8_t>(utf8[i + 1]) < 0xA0) {
      AppendEscape(static_cast<uint8_t>(utf8[++i]), out);  // U+0080 to U+009F: control characters too
    } else {
      out->push_back(utf8[i]);
    }
  }
  out->push_back('"');
}

bool AppendText(const Value& v, bool source_form, uint64_t bytes_max, std::string* out) {
  if (v.tag() == Tag::kString && !source_form) {
    if (out->size() + v.Text().size() > bytes_max) return false;
    out->append(v.Text());
    return true;
  }
  if (!IsContainer(v)) {
    AppendLeaf(v, out);
    return out->size() <= bytes_max;
  }
  std::vector<Visit> visits;
  auto enter = [&](const Value& container) {
    out->push_back(container.tag() == Tag::kList ? '[' : '{');
    visits.push_back({container.AsObject()});
  };
  enter(v);
  while (!visits.empty()) {
    const Value* child = NextChild(&visits.back(), out);
    if (child == nullptr)
      visits.pop_back();
    else if (IsContainer(*child))
      enter(*child);
    else
      AppendLeaf(*child, out);
    if (out->size() > bytes_max) return false;
  }
  return true;
}

std::string ShortForm(const Value& v, uint64_t bytes_max) {
  std::string form;
  if (AppendText(v, true, bytes_max, &form)) return form;
  uint64_t end = std::min<uint64_t>(bytes_max, form.size());
  while (end > 0 && end < form.size() && (static_cast<uint8_t>(form[end]) & 0xC0) == 0x80) end--;
  return form.substr(0, end) + "…";
}

std::string Display(const Value& v) {
  return BoundedText(v, false);
}
std::string SourceForm(const Value& v) {
  return BoundedText(v, true);
}

}  // namespace teal::vm
