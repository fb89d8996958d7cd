#include "core/runtime/history.h"

#include <algorithm>

#include "core/runtime/limits.h"
#include "core/vm/json.h"
#include "core/vm/value.h"

namespace teal::runtime {

namespace {

constexpr uint64_t kMicrosecondNs = 1'000;

void Put(uint64_t number, std::string* to) {
  for (; number >= 0x80; number >>= 7) to->push_back(static_cast<char>(number | 0x80));
  to->push_back(static_cast<char>(number));
}

bool Take(std::string_view* from, uint64_t* number) {
  *number = 0;
  for (unsigned shift = 0; shift < 64 && !from->empty(); shift += 7) {
    const auto byte = static_cast<uint8_t>(from->front());
    from->remove_prefix(1);
    *number |= static_cast<uint64_t>(byte & 0x7F) << shift;
    if (byte < 0x80) return true;
  }
  return false;
}

bool Take(std::string_view* from, size_t most, std::string_view* text) {
  uint64_t size = 0;
  if (!Take(from, &size) || size > most || size > from->size()) return false;
  *text = from->substr(0, size);
  from->remove_prefix(size);
  return true;
}

// Whole characters of UTF-8.
std::string_view Cut(std::string_view text) {
  if (text.size() <= kHistoryTextMax) return text;
  size_t end = kHistoryTextMax;
  while (end > 0 && (static_cast<uint8_t>(text[end]) & 0xC0) == 0x80) --end;
  return text.substr(0, end);
}

std::string_view NameOf(Happened what) {
  switch (what) {
    case Happened::kStarted:
      return "started";
    case Happened::kStepBegun:
      return "step begun";
    case Happened::kStepDone:
      return "step done";
    case Happened::kStepFailed:
      return "step failed";
    case Happened::kStepRetried:
      return "step retried";
    case Happened::kParked:
      return "parked";
    case Happened::kWoken:
      return "woken";
    case Happened::kCancelled:
      return "cancelled";
    case Happened::kPaused:
      return "paused";
    case Happened::kResumed:
      return "resumed";
    case Happened::kThreadDone:
      return "done";
    case Happened::kThreadFailed:
      return "failed";
    case Happened::kEnded:
      return "ended";
    case Happened::kTakenOver:
      return "taken over";
  }
  return {};
}

// What the text of an entry says.
std::string_view TextNameOf(Happened what) {
  switch (what) {
    case Happened::kStarted:
    case Happened::kStepBegun:
      return "function";
    case Happened::kStepFailed:
    case Happened::kStepRetried:
    case Happened::kThreadFailed:
      return "error";
    case Happened::kParked:
      return "waits_for";
    case Happened::kPaused:
      return "reason";
    case Happened::kEnded:
      return "status";
    default:
      return "text";
  }
}

std::string JsonOf(std::string_view text) {
  std::string json;
  vm::Value error;
  if (!vm::EncodeJson(vm::MakeString(std::string(text)), &json, &error)) json = "\"\"";
  return json;
}

}  // namespace

void AppendHistory(std::string* to, uint64_t* last_us, const HistoryEntry& entry) {
  const uint64_t now_us = std::max(entry.unix_ns / kMicrosecondNs, *last_us);
  Put(to->empty() ? now_us : now_us - *last_us, to);
  *last_us = now_us;
  to->push_back(static_cast<char>(entry.what));
  Put(entry.tid.size(), to);
  to->append(entry.tid);
  Put(entry.step, to);
  const std::string_view text = Cut(entry.text);
  Put(text.size(), to);
  to->append(text);
}

bool EachHistory(std::string_view entries, const std::function<void(const HistoryEntry&)>& call) {
  uint64_t us = 0;
  while (!entries.empty()) {
    uint64_t passed = 0;
    HistoryEntry entry;
    if (!Take(&entries, &passed) || entries.empty()) return false;
    us += passed;
    entry.unix_ns = us * kMicrosecondNs;
    const auto what = static_cast<uint8_t>(entries.front());
    entries.remove_prefix(1);
    if (what == 0) return false;
    entry.what = static_cast<Happened>(what);
    if (!Take(&entries, kTidBytesMax, &entry.tid) || !Take(&entries, &entry.step) ||
        !Take(&entries, kHistoryTextMax, &entry.text)) {
      return false;
    }
    call(entry);
  }
  return true;
}

std::string HistoryFault(std::string_view entries) {
  return EachHistory(entries, [](const HistoryEntry&) {}) ? "" : "history: an entry that is damaged or cut off";
}

std::string HistoryJson(const HistoryEntry& entry) {
  const std::string_view name = NameOf(entry.what);
  std::string json = "{\"event\":";
  // One that a newer release wrote has a number only.
  json += name.empty() ? "\"" + std::to_string(static_cast<int>(entry.what)) + "\"" : JsonOf(name);
  if (entry.step > 0) json += ",\"step\":" + std::to_string(entry.step - 1);
  if (!entry.text.empty()) {
    json += ",\"";
    json += TextNameOf(entry.what);
    json += "\":" + JsonOf(entry.text);
  }
  return json + "}";
}

}  // namespace teal::runtime
