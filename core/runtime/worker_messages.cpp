#include "core/runtime/worker_messages.h"

#include <algorithm>

#include <cassert>
#include <cstring>
#include <limits>

namespace teal::runtime {

bool WorkerFunctionInfo::Names(std::string_view parameter) const {
  const auto has = [parameter](const std::vector<std::string>& names) {
    return std::find(names.begin(), names.end(), parameter) != names.end();
  };
  return any_keyword || has(positional) || has(keywords);
}

namespace {

enum HostMessage : int { kHello, kLoad, kCall, kCancel, kRecall, kShutdown };
constexpr std::string_view kCodec = "marshal-2";

}  // namespace

void AppendHello(std::string* out, std::string_view project_folder) {
  MarshalWriter w(out);
  w.TupleHead(5);
  w.Int(kHello);
  w.Int(kWorkerProtocolMin);
  w.Int(kWorkerProtocolMax);
  w.Text(kCodec);
  w.Text(project_folder);
}

void AppendLoad(std::string* out, const std::vector<WorkerModule>& modules) {
  MarshalWriter w(out);
  w.TupleHead(2);
  w.Int(kLoad);
  w.ListHead(static_cast<uint32_t>(modules.size()));
  for (const WorkerModule& module : modules) {
    w.TupleHead(2);
    w.Text(module.module);
    w.ListHead(static_cast<uint32_t>(module.functions.size()));
    for (const std::string& function : module.functions) w.Text(function);
  }
}

void AppendCancel(std::string* out, uint64_t id) {
  MarshalWriter w(out);
  w.TupleHead(2);
  w.Int(kCancel);
  w.Id(id);
}

void AppendRecall(std::string* out) {
  MarshalWriter w(out);
  w.TupleHead(1);
  w.Int(kRecall);
}

void AppendShutdown(std::string* out) {
  MarshalWriter w(out);
  w.TupleHead(1);
  w.Int(kShutdown);
}

size_t AppendCall(std::string* out, uint32_t function, std::string_view arguments, std::string_view keywords,
                  const WorkerCallContext& context) {
  assert(!arguments.empty() && arguments[0] == '[');
  out->reserve(out->size() + arguments.size() + keywords.size() + context.session.size() + context.thread.size() + 96);
  MarshalWriter w(out);
  w.TupleHead(11);
  w.Int(kCall);
  const size_t id_at = out->size();
  w.Id(0);
  w.Int(function);
  w.Raw(arguments);
  if (keywords.empty()) {
    w.None();
  } else {
    assert(keywords[0] == '{');
    w.Raw(keywords);
  }
  w.Text(context.session);
  w.Text(context.thread);
  assert(context.step <= static_cast<uint64_t>(std::numeric_limits<int64_t>::max()));
  w.Int(static_cast<int64_t>(context.step));
  w.Int(context.attempt);
  if (context.deadline) {
    w.Float(*context.deadline);
  } else {
    w.None();
  }
  if (context.secrets.empty()) {
    w.None();
  } else {
    w.ListHead(static_cast<uint32_t>(context.secrets.size()));
    for (const std::string& secret : context.secrets) w.Text(secret);
  }
  return id_at;
}

std::string FrameHead(size_t bytes, uint32_t count) {
  std::string head;
  const uint32_t length = static_cast<uint32_t>(bytes + 5);
  head.resize(kWorkerFrameHeadBytes);
  std::memcpy(head.data(), &length, sizeof length);
  MarshalWriter(&head).ListHead(count);
  assert(head.size() == kFrameHeadBytes);
  return head;
}

// ---- Reading

namespace {

// Reads the fields of messages; after the first failure every method does nothing, and ok() is false.
class FieldReader {
 public:
  explicit FieldReader(std::string_view body) : r_(body) {}

  bool ok() const { return !r_.failed() && !wrong_; }
  bool AtEnd() const { return r_.AtEnd(); }

  uint32_t Sequence() {
    uint32_t count = 0;
    return ok() && r_.SequenceHead(&count) ? count : 0;
  }
  void Sequence(uint32_t expected) { wrong_ |= Sequence() != expected; }

  int64_t Int(int64_t least = std::numeric_limits<int64_t>::min(),
              int64_t greatest = std::numeric_limits<int64_t>::max()) {
    int64_t value = 0;
    bool fits = true;
    if (!ok() || !r_.Int(&value, &fits)) return 0;
    if (!fits || value < least || value > greatest) wrong_ = true;
    return wrong_ ? 0 : value;
  }
  uint64_t Id() { return static_cast<uint64_t>(Int(0)); }

  bool Bool() {
    bool value = false;
    return ok() && r_.Bool(&value) && value;
  }

  // A str, or None as an empty one.
  std::string Text() {
    std::string_view text;
    if (!ok()) return "";
    if (r_.Peek() == 'N') {
      r_.None();
      return "";
    }
    return r_.Text(&text) ? ToUtf8(text) : std::string();
  }

  // A value for a Teal program; None is an empty payload if `none_is_empty`.
  std::string Value(std::string_view root, bool none_is_empty, UncarryableValue* problem) {
    std::string_view encoded;
    if (!ok() || !r_.Value(root, &encoded, problem)) return "";
    if (encoded.size() > kWorkerValueBytesMax && problem->kind.empty()) {
      problem->kind = "limit";
      problem->message =
          std::string(root) + " is larger than the 64 MiB of one value; write it to a file and return its name";
    }
    if (!problem->kind.empty() || (none_is_empty && encoded == "N")) return "";
    return std::string(encoded);
  }

  std::vector<WorkerText> Output() {
    std::vector<WorkerText> output;
    if (ok() && r_.Peek() == 'N') {
      r_.None();
      return output;
    }
    const uint32_t count = Sequence();
    wrong_ |= count % 2 != 0;
    for (uint32_t i = 0; i < count && ok(); i += 2) {
      WorkerText& piece = output.emplace_back();
      piece.stream = static_cast<int>(Int(1, 2));
      piece.text = Text();
    }
    return output;
  }

 private:
  MarshalReader r_;
  bool wrong_ = false;  // well-formed, but not a message of this protocol
};

void ReadFailure(FieldReader& r, WorkerLoadFailure* failure) {
  r.Sequence(8);
  failure->module = r.Text();
  failure->function = r.Text();
  failure->kind = r.Text();
  failure->message = r.Text();
  failure->file = r.Text();
  failure->line = r.Int(0);
  failure->hint = r.Text();
  failure->traceback = r.Text();
}

void ReadLoaded(FieldReader& r, WorkerMessage* message) {
  const uint32_t functions = r.Sequence();
  for (uint32_t i = 0; i < functions && r.ok(); i++) {
    r.Sequence(6);
    WorkerFunctionInfo& info = message->functions.emplace_back();
    info.is_async = r.Bool();
    info.arguments_min = static_cast<int>(r.Int(0, 65535));
    info.arguments_max = static_cast<int>(r.Int(-1, 65535));
    for (std::vector<std::string>* names : {&info.positional, &info.keywords}) {
      const uint32_t count = r.Sequence();
      for (uint32_t name = 0; name < count && r.ok(); name++) names->push_back(r.Text());
    }
    info.any_keyword = r.Bool();
  }
  const uint32_t failures = r.Sequence();
  for (uint32_t i = 0; i < failures && r.ok(); i++) ReadFailure(r, &message->failures.emplace_back());
}

void ReadError(FieldReader& r, WorkerMessage* message) {
  message->id = r.Id();
  message->error_kind = r.Text();
  message->text = r.Text();
  const uint32_t frames = r.Sequence();
  for (uint32_t i = 0; i < frames && r.ok(); i++) {
    r.Sequence(3);
    WorkerTraceFrame& frame = message->trace.emplace_back();
    frame.file = r.Text();
    frame.line = r.Int(0);
    frame.function = r.Text();
  }
  message->traceback = r.Text();
  UncarryableValue ignored;  // data that cannot be carried is left out: the error itself counts
  message->payload = r.Value("data", true, &ignored);
  message->output = r.Output();
}

void ReadMessage(FieldReader& r, WorkerMessage* message) {
  using Kind = WorkerMessage::Kind;
  const uint32_t fields = r.Sequence();
  message->kind = static_cast<Kind>(r.Int(0, static_cast<int>(Kind::kRecalled)));
  static constexpr uint32_t kFields[] = {5, 3, 4, 8, 3, 3, 5, 2};
  if (fields != kFields[static_cast<int>(message->kind)]) {
    r.Sequence(std::numeric_limits<uint32_t>::max());  // no sequence is that long: fails the reader
    return;
  }
  UncarryableValue problem;
  switch (message->kind) {
    case Kind::kWelcome:
      message->protocol = static_cast<int>(r.Int(0, 1000));
      message->python = r.Text();
      message->codec = r.Text();
      r.Int(0);  // the process as it sees itself; for people who look at a dump
      return;
    case Kind::kLoaded:
      return ReadLoaded(r, message);
    case Kind::kResult:
      message->id = r.Id();
      message->payload = r.Value("result", false, &problem);
      message->output = r.Output();
      if (!problem.kind.empty()) {
        message->kind = Kind::kError;
        message->error_kind = problem.kind;
        message->text = problem.message;
      }
      return;
    case Kind::kError:
      return ReadError(r, message);
    case Kind::kOutput:
      message->id = r.Id();
      message->output = r.Output();
      return;
    case Kind::kHeartbeat:
      message->id = r.Id();
      message->payload = r.Value("data", true, &problem);
      return;
    case Kind::kLog:
      message->id = r.Id();
      message->level = r.Text();
      message->text = r.Text();
      message->payload = r.Value("fields", true, &problem);
      return;
    case Kind::kRecalled: {
      const uint32_t count = r.Sequence();
      for (uint32_t i = 0; i < count && r.ok(); i++) message->recalled.push_back(r.Id());
      return;
    }
  }
}

}  // namespace

Result<std::vector<WorkerMessage>> ParseWorkerFrame(std::string_view body) {
  FieldReader r(body);
  const uint32_t count = r.Sequence();
  std::vector<WorkerMessage> messages;
  for (uint32_t i = 0; i < count && r.ok(); i++) ReadMessage(r, &messages.emplace_back());
  if (!r.ok() || !r.AtEnd()) return Fail(FailureCode::kCorrupt, "the bytes are no frame of the worker protocol");
  return messages;
}

}  // namespace teal::runtime
