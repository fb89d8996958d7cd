#include "core/runtime/python_calls.h"

#include <unistd.h>

#include <algorithm>
#include <cassert>
#include <cmath>
#include <cstdlib>

#include "core/runtime/policy.h"
#include "core/runtime/worker_codec.h"
#include "core/vm/trace.h"

namespace teal::runtime {

using vm::Value;

// Who a call belongs to; its address is the call's tag. Freed by the call's `done`.
struct PythonCalls::Place {
  std::string sid;
  std::string tid;
  std::string function;
  std::function<void(ForeignOutcome)> done;
};

namespace {

std::vector<std::string> Environment() {
  std::vector<std::string> all;
  for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) all.emplace_back(*entry);
  return all;
}

bool SecretFromEnvironment(std::string_view name, std::string* text) {
  const char* value = std::getenv(std::string(name).c_str());
  *text = value != nullptr
              ? value
              : "there is no secret \"" + std::string(name) + "\": set the environment variable of this name";
  return value != nullptr;
}

std::chrono::nanoseconds Duration(double seconds) {
  constexpr double kLongest = 9.0e9;  // seconds; what nanoseconds can hold
  if (!(seconds > 0)) return std::chrono::nanoseconds(0);
  return std::chrono::nanoseconds(static_cast<int64_t>(std::max(std::min(seconds, kLongest) * 1e9, 1.0)));
}

ForeignOutcome OutcomeOf(const CallOutcome& outcome, const std::string& tid, const std::string& untold) {
  ForeignOutcome result;
  result.ok = outcome.kind == CallOutcome::Kind::kValue;
  result.worker_lost = outcome.kind == CallOutcome::Kind::kWorkerLost;
  if (result.ok) {
    if (DecodeWorkerPayload(outcome.payload, &result.value)) return result;
    result.ok = false;
    result.value = vm::MakeError("type", "the worker's result cannot be read");
    return result;
  }
  Value data;
  if (!outcome.payload.empty() && !DecodeWorkerPayload(outcome.payload, &data)) data = Value();
  result.value = vm::MakeError(vm::MakeString(result.worker_lost ? "interrupted" : outcome.error_kind),
                               vm::MakeString(outcome.message), std::move(data));
  Value trace;
  for (const WorkerTraceFrame& frame : outcome.trace) {
    if (trace.IsNull()) trace = vm::MakeList(outcome.trace.size());
    const auto line = static_cast<uint32_t>(std::clamp<int64_t>(frame.line, 0, UINT32_MAX));
    const bool in_folder = !untold.empty() && frame.file.starts_with(untold);
    const std::string file = in_folder ? frame.file.substr(untold.size()) : frame.file;
    trace = ListAppend(std::move(trace), vm::TraceEntry(frame.function, file, line, tid));
  }
  result.value.As<vm::Error>()->trace = std::move(trace);
  return result;
}

}  // namespace

PythonCalls::PythonCalls(std::shared_ptr<const vm::Program> program, std::string interpreter, std::string folder,
                         OutputSink* output, ForeignNotes* notes)
    : program_(std::move(program)), folder_(std::move(folder)), output_(output), notes_(notes) {
  WorkerPoolOptions options;
  options.interpreter = std::move(interpreter);
  options.project_folder = folder_;
  options.environment = Environment();
  // The pool numbers the functions module by module.
  const std::vector<vm::Import>& imports = program_->imports();
  std::vector<std::pair<size_t, size_t>> places;  // of each import: module, function in it
  for (const vm::Import& import : imports) {
    auto module = std::find_if(options.modules.begin(), options.modules.end(),
                               [&](const WorkerModule& m) { return m.module == import.module; });
    if (module == options.modules.end()) module = options.modules.insert(module, {import.module, {}});
    auto function = std::find(module->functions.begin(), module->functions.end(), import.function);
    if (function == module->functions.end()) function = module->functions.insert(function, import.function);
    places.push_back({static_cast<size_t>(module - options.modules.begin()),
                      static_cast<size_t>(function - module->functions.begin())});
  }
  for (const auto& [module, function] : places) {
    size_t number = function;
    for (size_t i = 0; i < module; ++i) number += options.modules[i].functions.size();
    number_of_import_.push_back(static_cast<uint32_t>(number));
  }
  pool_ = std::make_unique<WorkerPool>(std::move(options), static_cast<WorkerEvents*>(this));
}

PythonCalls::~PythonCalls() = default;

void PythonCalls::TellFilesWithoutFolder() {
  untold_ = folder_ + "/";
}

Result<WorkerLoadReport> PythonCalls::Load() {
  Result<WorkerLoadReport> report = pool_->Load();
  if (!report.ok() || !report->failures.empty()) return report;
  functions_ = report->functions;
  const std::vector<vm::Import>& imports = program_->imports();
  for (size_t i = 0; i < imports.size(); ++i) {
    const LimitPolicy limits = PolicyOf(imports[i].attributes).limits;
    for (const std::string& key : {limits.running_key, limits.begins_key}) {
      const WorkerFunctionInfo& function = functions_[number_of_import_[i]];
      if (key.empty() || function.Names(key)) continue;
      WorkerLoadFailure& failure = report->failures.emplace_back();
      failure.module = imports[i].module;
      failure.function = imports[i].function;
      failure.kind = "missing_parameter";
      failure.message = "`" + imports[i].module + "." + imports[i].function + "` has no parameter `" + key + "`";
      failure.hint = "the `key` of a limit names a parameter of the Python function";
    }
  }
  return report;
}

int PythonCalls::PositionOf(uint16_t import, std::string_view parameter) const {
  const std::vector<std::string>& names = functions_[number_of_import_[import]].positional;
  const auto found = std::find(names.begin(), names.end(), parameter);
  return found == names.end() ? -1 : static_cast<int>(found - names.begin());
}

uint64_t PythonCalls::Start(const ForeignCall& call, std::function<void(ForeignOutcome)> done) {
  assert(call.import < number_of_import_.size());
  const vm::Import& import = program_->imports()[call.import];
  const std::vector<Value> arguments(call.arguments.begin(), call.arguments.end());
  WorkerArguments encoded;
  UncarryableValue problem;
  if (!EncodeWorkerArguments(arguments, call.keywords, SecretFromEnvironment, &encoded, &problem)) {
    ForeignOutcome outcome;
    outcome.value = vm::MakeError(problem.kind, import.module + "." + import.function + ": " + problem.message);
    done(std::move(outcome));
    return 0;
  }
  CallRequest request;
  request.function = number_of_import_[call.import];
  request.arguments = std::move(encoded.arguments);
  request.keywords = std::move(encoded.keywords);
  request.context.session = call.session;
  request.context.thread = call.thread;
  request.context.step = call.step;
  request.context.attempt = call.attempt;
  request.context.secrets = std::move(encoded.secrets);
  request.priority = call.priority;
  request.gather = call.gather;
  request.timeout = Duration(call.timeout_seconds);
  request.heartbeat_timeout = Duration(call.heartbeat_seconds);
  if (call.timeout_seconds > 0) {
    const auto now = std::chrono::system_clock::now().time_since_epoch();
    request.context.deadline = std::chrono::duration<double>(now).count() + call.timeout_seconds;
  }
  auto* place = new Place{std::string(call.session), std::string(call.thread), import.function, std::move(done)};
  request.tag = reinterpret_cast<uint64_t>(place);
  request.done = [this, place](CallOutcome&& outcome) {
    const std::unique_ptr<Place> owned(place);
    owned->done(OutcomeOf(outcome, owned->tid, untold_));
  };
  return pool_->Call(std::move(request));
}

void PythonCalls::Cancel(uint64_t number, double grace_seconds) {
  if (number != 0) pool_->Cancel(number, Duration(grace_seconds));
}

void PythonCalls::Shutdown() {
  pool_->Shutdown();
}

// What was printed before is seen before, where both go to one place.
void PythonCalls::NoteError(std::string_view text) {
  output_->Flush();
  notes_->OnErrorText(text);
}

void PythonCalls::OnOutput(uint64_t tag, int stream, std::string_view text) {
  const Place* place = reinterpret_cast<const Place*>(tag);
  if (stream == 1) {
    output_->Write(place->sid, place->tid, text);
  } else {
    NoteError(text);
  }
}

void PythonCalls::OnStrayOutput(int stream, std::string_view text) {
  if (stream == 1) {
    output_->Write("", "", text);
  } else {
    NoteError(text);
  }
}

void PythonCalls::OnLog(uint64_t tag, std::string_view level, std::string_view message, std::string_view fields) {
  const Place* place = reinterpret_cast<const Place*>(tag);
  Value decoded;
  if (!fields.empty() && !DecodeWorkerPayload(fields, &decoded)) decoded = Value();
  output_->Flush();
  static const Place kNobody;
  const Place& of = place == nullptr ? kNobody : *place;
  notes_->OnLog(of.sid, of.tid, level, message, decoded);
}

}  // namespace teal::runtime
