#include "cli/report.h"

#include "core/vm/builtins.h"

namespace teal::cli {

using vm::Tag;
using vm::Value;

std::string ToJson(const Value& value) {
  const vm::PureBuiltin encode = vm::PureBuiltinOf(vm::kBuiltin_json_encode);
  Value argument = value;
  Value text;
  if (encode(&argument, 1, &text)) return std::string(text.Text());
  argument = vm::MakeString(SourceForm(value));
  encode(&argument, 1, &text);
  return std::string(text.Text());
}

namespace {

struct Place {
  std::string_view function, file, thread;
  int64_t line = 0;
};

std::string_view TextOf(const vm::Hash& hash, std::string_view key) {
  const Value* value = HashGet(hash, key);
  return value != nullptr && value->tag() == Tag::kString ? value->Text() : std::string_view();
}

bool PlaceOf(const Value& entry, Place* place) {
  if (entry.tag() != Tag::kHash) return false;
  const vm::Hash& hash = *entry.As<vm::Hash>();
  *place = {TextOf(hash, "function"), TextOf(hash, "file"), TextOf(hash, "thread"), 0};
  const Value* line = HashGet(hash, "line");
  if (line != nullptr && line->IsInt()) place->line = line->AsInt();
  return true;
}

}  // namespace

std::string ErrorText(const Value& error, bool color) {
  const vm::Error* e = error.As<vm::Error>();
  std::string text = color ? "\x1b[1;31merror\x1b[0m: " : "error: ";
  text += Display(e->kind) + ": " + Display(e->message) + "\n";
  if (e->trace.tag() == Tag::kList && e->trace.As<vm::List>()->size > 0) {
    text += "trace, the failing line last:\n";
    const vm::List* trace = e->trace.As<vm::List>();
    std::string_view thread;
    for (uint64_t i = 0; i < trace->size; ++i) {
      Place place;
      if (!PlaceOf(trace->items[i], &place)) continue;
      if (place.thread != thread || i == 0) text += "  thread " + std::string(place.thread) + "\n";
      thread = place.thread;
      text += "    ";
      if (!place.file.empty()) text += std::string(place.file) + ":" + std::to_string(place.line) + " ";
      text += std::string(place.function) + "\n";
    }
  }
  if (!e->data.IsNull()) text += "data: " + SourceForm(e->data) + "\n";
  return text;
}

Value ErrorOfJson(const Value& from) {
  const auto field = [&from](std::string_view name) {
    const Value* value = from.tag() == Tag::kHash ? HashGet(*from.As<vm::Hash>(), name) : nullptr;
    return value == nullptr ? Value() : *value;
  };
  const auto text = [&field](std::string_view name) {
    Value value = field(name);
    return value.tag() == Tag::kString ? value : vm::MakeString("");
  };
  Value error = vm::MakeError(text("kind"), text("message"), field("data"));
  error.As<vm::Error>()->trace = field("trace");
  return error;
}

std::string ErrorJson(const Value& error) {
  const vm::Error* e = error.As<vm::Error>();
  const Value trace = e->trace.IsNull() ? vm::MakeList() : e->trace;
  return "{\"kind\":" + ToJson(e->kind) + ",\"message\":" + ToJson(e->message) + ",\"data\":" + ToJson(e->data) +
         ",\"trace\":" + ToJson(trace) + "}";
}

}  // namespace teal::cli
