#include "core/serve/answer.h"

#include <algorithm>

#include "core/serve/text.h"
#include "core/vm/json.h"

namespace teal::serve {
namespace {

using runtime::ServiceError;

std::string TimeJson(uint64_t unix_ns) {
  return unix_ns == 0 ? "null" : JsonOf(FormatTime(unix_ns));
}

// Whether `text` is a JSON object with something in it.
bool IsObject(const std::string& text) {
  if (text.size() < 3 || text.front() != '{') return false;
  vm::Value value;
  vm::Value error;
  return vm::DecodeJson(text, &value, &error) && value.tag() == vm::Tag::kHash && text.back() == '}' &&
         text.find_first_not_of(" \t\r\n", 1) != text.size() - 1;
}

}  // namespace

Answer JsonAnswer(int status, std::string body) {
  Answer answer;
  answer.status = status;
  answer.body = std::move(body);
  return answer;
}

Answer ErrorAnswer(int status, std::string_view kind, std::string_view message, std::string_view hint,
                   uint64_t retry_after_s) {
  Answer answer = JsonAnswer(status, "{\"error\":{\"kind\":" + JsonOf(kind) + ",\"message\":" + JsonOf(message) +
                                         ",\"hint\":" + JsonOf(hint) + "}}");
  answer.retry_after_s = retry_after_s;
  return answer;
}

Answer ErrorAnswer(const ServiceError& error) {
  struct Row {
    int status;
    const char* kind;
  };
  Row row{500, "internal"};
  switch (error.code) {
    case ServiceError::Code::kInvalid:
      row = {400, "invalid"};
      break;
    case ServiceError::Code::kNotFound:
      row = {404, "not_found"};
      break;
    case ServiceError::Code::kConflict:
      row = {409, "conflict"};
      break;
    case ServiceError::Code::kTooLarge:
      row = {413, "too_large"};
      break;
    case ServiceError::Code::kUnfit:
      row = {422, "unfit"};
      break;
    case ServiceError::Code::kOverloaded:
      row = {429, "overloaded"};
      break;
    case ServiceError::Code::kUnavailable:
      row = {503, "unavailable"};
      break;
    case ServiceError::Code::kInternal:
      break;
  }
  uint64_t retry_after_s = 0;
  if (row.status == 429 || row.status == 503) {
    retry_after_s =
        std::max<uint64_t>(error.retry_after_ns / 1'000'000'000 + (error.retry_after_ns % 1'000'000'000 > 0), 1);
  }
  return ErrorAnswer(row.status, row.kind, error.message, error.hint, retry_after_s);
}

std::string SessionJson(const runtime::SessionView& s) {
  std::string json = "{\"sid\":" + JsonOf(s.sid) + ",\"id\":" + JsonOrNull(s.id) +
                     ",\"function\":" + JsonOf(s.function) + ",\"status\":\"" + std::string(NameOf(s.status)) +
                     "\",\"result\":";
  json += s.result_json.empty() ? "null" : s.result_json;
  json += ",\"error\":";
  json += s.error_json.empty() ? "null" : s.error_json;
  json += ",\"labels\":{";
  for (size_t i = 0; i < s.labels.size(); ++i) {
    if (i > 0) json += ",";
    AppendJson(s.labels[i].first, &json);
    json += ":";
    AppendJson(s.labels[i].second, &json);
  }
  json += "},\"program\":" + JsonOrNull(s.program) + ",\"created\":" + TimeJson(s.created_unix_ns) +
          ",\"started\":" + TimeJson(s.started_unix_ns) + ",\"ended\":" + TimeJson(s.ended_unix_ns);
  if (!s.pause_reason.empty()) json += ",\"pause_reason\":" + JsonOf(s.pause_reason);
  return json + "}";
}

std::string ResultJson(const runtime::SessionView& session) {
  return "{\"sid\":" + JsonOf(session.sid) + ",\"status\":\"" + std::string(NameOf(session.status)) +
         "\",\"result\":" + (session.result_json.empty() ? "null" : session.result_json) + "}";
}

std::string BriefJson(const runtime::SessionView& session) {
  return "{\"sid\":" + JsonOf(session.sid) + ",\"status\":\"" + std::string(NameOf(session.status)) + "\"}";
}

std::string LineJson(runtime::LineSort sort, const runtime::LineView& line) {
  std::string json = "{\"time\":" + TimeJson(line.unix_ns) + ",\"thread\":" + JsonOf(line.tid);
  if (sort == runtime::LineSort::kLog) json += ",\"level\":" + JsonOf(line.level.empty() ? "info" : line.level);
  if (sort != runtime::LineSort::kOutput && IsObject(line.text)) {
    return json + "," + line.text.substr(1);
  }
  return json + ",\"text\":" + JsonOf(line.text) + "}";
}

std::string ThreadJson(const runtime::ThreadView& thread) {
  std::string json = "{\"thread\":" + JsonOf(thread.tid) + ",\"owner\":" + JsonOrNull(thread.owner) +
                     ",\"status\":" + JsonOf(thread.status) + ",\"waits_for\":" + JsonOrNull(thread.waits_for) +
                     ",\"function\":" + JsonOf(thread.function) + ",\"file\":" + JsonOrNull(thread.file) +
                     ",\"line\":" + (thread.line == 0 ? "null" : std::to_string(thread.line)) + ",\"frames\":[";
  for (size_t i = 0; i < thread.frames.size(); ++i) {
    const runtime::FrameViewed& frame = thread.frames[i];
    if (i > 0) json += ",";
    json += "{\"function\":" + JsonOf(frame.function) + ",\"file\":" + JsonOrNull(frame.file) +
            ",\"line\":" + (frame.line == 0 ? "null" : std::to_string(frame.line)) + ",\"variables\":[";
    for (size_t v = 0; v < frame.variables.size(); ++v) {
      json += std::string(v > 0 ? "," : "") + "{\"name\":" + JsonOf(frame.variables[v].name) +
              ",\"value\":" + JsonOf(frame.variables[v].value) + "}";
    }
    json += "]}";
  }
  return json + "],\"state_bytes\":" + std::to_string(thread.state_bytes) + "}";
}

std::string BriefProgramJson(const runtime::ProgramView& program) {
  return "{\"hash\":" + JsonOf(program.hash) + ",\"name\":" + JsonOrNull(program.name) +
         ",\"created\":" + TimeJson(program.created_unix_ns) + ",\"active\":" + (program.active ? "true" : "false") +
         "}";
}

std::string ProgramJson(const runtime::ProgramView& program) {
  std::string json = BriefProgramJson(program);
  json.back() = ',';
  return json + "\"sessions\":" + std::to_string(program.sessions) +
         ",\"counted\":" + (program.counted ? "true" : "false") + "}";
}

}  // namespace teal::serve
