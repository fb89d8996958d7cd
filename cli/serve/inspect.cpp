#include "cli/serve/inspect.h"

#include <cstdio>

#include "cli/report.h"
#include "cli/serve/ask.h"

namespace teal::cli {
namespace {

using vm::Value;

template <typename Function>
void EachOf(const Value& list, const Function& function) {
  if (list.tag() != vm::Tag::kList) return;
  const auto* items = list.As<vm::List>();
  for (uint64_t i = 0; i < items->size; ++i) function(items->items[i]);
}

template <typename Function>
void EachField(const Value& hash, const Function& function) {
  if (hash.tag() != vm::Tag::kHash) return;
  const auto* fields = hash.As<vm::Hash>();
  for (uint64_t i = 0; i < fields->used; ++i) {
    if (!vm::Hash::IsHole(fields->entries[i])) function(Display(fields->entries[i].key), fields->entries[i].value);
  }
}

std::string Padded(std::string_view text, size_t width) {
  std::string padded(text);
  padded.resize(std::max(padded.size(), width), ' ');
  return padded;
}

std::string PlaceOf(const Value& at) {
  const std::string_view file = TextIn(at, "file");
  const Value line = ValueIn(at, "line");
  if (file.empty()) return "";
  return std::string(file) + (line.IsInt() ? ":" + std::to_string(line.AsInt()) : "");
}

void AppendThread(const Value& thread, const Value& threads, size_t depth, std::string* text) {
  const std::string indent(2 + 2 * depth, ' ');
  const std::string place = PlaceOf(thread);
  const std::string_view waits_for = TextIn(thread, "waits_for");
  *text += indent + std::string(TextIn(thread, "thread")) + "  " + std::string(TextIn(thread, "status")) + "  " +
           std::string(TextIn(thread, "function"));
  if (!place.empty()) *text += "  " + place;
  if (!waits_for.empty()) *text += "  waits for " + std::string(waits_for);
  if (const Value bytes = ValueIn(thread, "state_bytes"); bytes.IsInt()) {
    *text += "  (" + std::to_string(bytes.AsInt()) + " bytes)";
  }
  *text += "\n";
  EachOf(ValueIn(thread, "frames"), [&](const Value& frame) {
    *text += indent + "    in " + std::string(TextIn(frame, "function")) + " " + PlaceOf(frame) + "\n";
    EachOf(ValueIn(frame, "variables"), [&](const Value& variable) {
      *text += indent + "      " + std::string(TextIn(variable, "name")) + " = " +
               std::string(TextIn(variable, "value")) + "\n";
    });
  });
  const std::string_view tid = TextIn(thread, "thread");
  if (tid.empty()) return;
  EachOf(threads, [&](const Value& other) {
    // A thread is below its owner; the depth is bounded against owners that go round.
    if (TextIn(other, "owner") == tid && depth < 1000) AppendThread(other, threads, depth + 1, text);
  });
}

}  // namespace

std::string SessionLine(const Value& session) {
  std::string line = Padded(TextIn(session, "sid"), 26) + "  " + Padded(TextIn(session, "status"), 10) + "  " +
                     std::string(TextIn(session, "created").substr(0, 19)) + "Z  " +
                     std::string(TextIn(session, "function"));
  if (const std::string_view id = TextIn(session, "id"); !id.empty()) line += "  id " + std::string(id);
  EachField(ValueIn(session, "labels"),
            [&line](const std::string& name, const Value& value) { line += "  " + name + "=" + Display(value); });
  return line;
}

std::string InspectText(const Value& session, const Value& threads) {
  std::string text = SessionLine(session) + "\n";
  if (const std::string_view why = TextIn(session, "pause_reason"); !why.empty())
    text += "  paused: " + std::string(why) + "\n";
  EachOf(threads, [&](const Value& thread) {
    if (TextIn(thread, "owner").empty()) AppendThread(thread, threads, 0, &text);
  });
  return text;
}

std::string DeadEventLine(const Value& letter) {
  return Padded(TextIn(letter, "id"), 38) + "  event  " + std::string(TextIn(letter, "dead").substr(0, 19)) + "Z  " +
         std::string(TextIn(letter, "trigger")) + "  " + std::string(TextIn(letter, "event_id")) + "  " +
         std::string(TextIn(ValueIn(letter, "error"), "message"));
}

std::string TriggerText(const Value& trigger) {
  std::string text = std::string(TextIn(trigger, "name")) + "  " + std::string(TextIn(trigger, "kind")) + "  " +
                     std::string(TextIn(trigger, "function")) + "()";
  if (ToJson(ValueIn(trigger, "running")) != "true") text += "  not running";
  text += "\n";
  std::string next;
  EachOf(ValueIn(ValueIn(trigger, "status"), "next"),
         [&next](const Value& time) { next += (next.empty() ? "" : "  ") + Display(time); });
  if (!next.empty()) text += "  next:  " + next + "\n";
  if (const std::string_view last = TextIn(trigger, "last_delivery"); !last.empty()) {
    text +=
        "  last:  " + std::string(last.substr(0, 19)) + "Z  session " + std::string(TextIn(trigger, "last_sid")) + "\n";
  }
  if (const std::string_view error = TextIn(trigger, "last_error"); !error.empty()) {
    text +=
        "  error: " + std::string(TextIn(trigger, "last_error_at").substr(0, 19)) + "Z  " + std::string(error) + "\n";
  }
  std::string counts;
  EachField(ValueIn(trigger, "counts"), [&counts](const std::string& name, const Value& count) {
    if (const std::string number = ToJson(count); number != "0")
      counts += (counts.empty() ? "" : ", ") + number + " " + name;
  });
  return text + (counts.empty() ? "" : "  " + counts + "\n");
}

std::string EntryLine(const Value& item) {
  std::string line(TextIn(item, "time"));
  line += "  " + std::string(TextIn(item, "thread"));
  if (const std::string_view level = TextIn(item, "level"); !level.empty()) line += "  [" + std::string(level) + "]";
  std::string rest;
  EachField(item, [&](const std::string& name, const Value& value) {
    if (name == "time" || name == "thread" || name == "level") return;
    if (name == "text" || name == "event" || name == "message") {
      rest = "  " + Display(value) + rest;
    } else {
      rest += "  " + name + "=" + SourceForm(value);
    }
  });
  while (!rest.empty() && rest.back() == '\n') rest.pop_back();
  return line + rest;
}

}  // namespace teal::cli
