// teal run: one session in this process.
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <optional>
#include <sstream>
#include <thread>

#include "cli/arguments.h"
#include "cli/commands.h"
#include "cli/interrupt.h"
#include "cli/output.h"
#include "cli/program.h"
#include "cli/python.h"
#include "cli/report.h"
#include "cli/run_flags.h"
#include "core/runtime/runtime.h"

namespace teal::cli {
namespace {

using vm::Value;

// TEAL_SUSPEND=always, with TEAL_SUSPEND_SEED; TEAL_MOVE_AT=n,FILE.
bool ReadSuspensionTests(const Globals& globals, runtime::SuspensionTests* tests, std::string* move_to) {
  const char* suspend = std::getenv("TEAL_SUSPEND");
  tests->always = suspend != nullptr && std::string(suspend) == "always";
  if (const char* seed = std::getenv("TEAL_SUSPEND_SEED")) tests->seed = std::strtoull(seed, nullptr, 10);
  const char* move = std::getenv("TEAL_MOVE_AT");
  if (move == nullptr) return true;
  char* end = nullptr;
  tests->move_at = std::strtoull(move, &end, 10);
  if (tests->move_at > 0 && end != nullptr && *end == ',' && end[1] != '\0') {
    *move_to = end + 1;
    return true;
  }
  ReportError(globals, std::string("TEAL_MOVE_AT is \"") + move + "\"",
              "write the number of a suspension from 1, a comma and a file");
  return false;
}

std::string Signature(const vm::Function& function) {
  std::string text = function.name + "(";
  for (size_t i = 0; i < function.parameters.size(); ++i) {
    text += (i == 0 ? "" : ", ") + std::string(function.parameters[i].Text());
  }
  return text + ")";
}

// The function to run and its arguments; false: reported.
bool Choose(const Globals& globals, const RunFlags& flags, const LoadedProgram& loaded, runtime::SessionStart* start) {
  uint32_t index = 0;
  const vm::Function* function = loaded.program->FindEntry(flags.function, &index);
  if (function == nullptr) {
    std::string names;
    for (const std::string_view name : loaded.program->EntryNames()) {
      names += (names.empty() ? "" : ", ") + std::string(name);
    }
    ReportError(globals, flags.file + " has no function " + flags.function,
                names.empty() ? "write fn " + flags.function + "() {…}" : "there is " + names + ": choose with -f");
    return false;
  }
  const size_t wanted = function->parameters.size();
  if (flags.arguments.size() != wanted) {
    ReportError(globals,
                flags.function + " takes " + std::to_string(wanted) + (wanted == 1 ? " argument" : " arguments") +
                    ", not " + std::to_string(flags.arguments.size()),
                "it is declared as fn " + Signature(*function) + "; arguments follow the file, JSON or plain text");
    return false;
  }
  for (size_t i = 0; i < flags.arguments.size(); ++i) {
    Result<Value> argument = ParseArgument(flags.arguments[i]);
    if (!argument.ok()) {
      ReportError(globals, "argument " + std::to_string(i + 1) + ": " + argument.failure().message,
                  "give JSON or plain text in UTF-8");
      return false;
    }
    vm::Share(*argument);
    start->arguments.push_back(std::move(*argument));
  }
  start->function = Value::Function(index);
  return true;
}

std::string OutcomeJson(const std::string& sid, const runtime::SessionOutcome& outcome, const std::string& output) {
  std::string line = "{\"sid\":" + ToJson(vm::MakeString(sid)) + ",\"status\":\"" +
                     std::string(NameOf(outcome.status)) + "\",\"result\":" + ToJson(outcome.result) + ",\"error\":";
  line += outcome.error.IsNull() ? "null" : ErrorJson(outcome.error);
  return line + ",\"output\":" + ToJson(vm::MakeString(output)) + "}\n";
}

int ExitCodeOf(const runtime::SessionOutcome& outcome, bool interrupted) {
  if (outcome.status == runtime::SessionStatus::kDone) return kExitDone;
  return interrupted ? kExitInterrupted : kExitFailed;
}

int Run(const Globals& globals, const RunFlags& flags) {
  if (flags.file.empty() && flags.resume.empty()) {
    ReportError(globals, "which program? name it, as in teal run service.tl", "see teal run --help");
    return kExitUsage;
  }
  if (flags.IsKept()) return RunBeside(globals, "teal-serve", globals.typed);
  runtime::RuntimeOptions options;
  std::string move_to;
  if (!ReadSuspensionTests(globals, &options.suspension, &move_to)) return kExitUsage;
  LoadedProgram loaded;
  if (const int code = LoadProgram(globals, flags.file, &loaded, !flags.no_optimize); code != kExitDone) return code;
  runtime::SessionStart start;
  start.program = loaded.program;
  start.limits = loaded.config.limits;
  if (flags.move_from.empty() && !Choose(globals, flags, loaded, &start)) return kExitUsage;

  // Before any other thread is there.
  std::atomic<runtime::Runtime*> target{nullptr};
  Interrupt interrupt([&target](int times) {
    runtime::Runtime* running = target;
    if (running == nullptr) _exit(kExitInterrupted);
    times == 1 ? running->CancelAll() : running->EndAll();
  });
  StdoutSink live;
  GatheringSink gathered;
  runtime::OutputSink& output = globals.json ? static_cast<runtime::OutputSink&>(gathered) : live;
  StderrNotes notes;
  std::unique_ptr<runtime::PythonCalls> python;
  if (!loaded.program->imports().empty()) {
    python = LoadPython(globals, loaded, PlaceInProject(loaded.config), &output, &notes);
    if (python == nullptr) return kExitUsage;
  }
  runtime::RealClock clock;
  options.clock = &clock;
  options.output = &output;
  options.foreign = python.get();
  options.cores = std::max(std::thread::hardware_concurrency(), 1u);
  runtime::Runtime runtime(options);
  // Until it is destroyed: the handler must not find it gone.
  struct Aim {
    std::atomic<runtime::Runtime*>& target;
    ~Aim() { target = nullptr; }
  } aim{target};

  Result<std::string> sid = Fail(FailureCode::kInternal, "");
  if (flags.move_from.empty()) {
    sid = runtime.Start(std::move(start));
  } else {
    std::ifstream in(flags.move_from, std::ios::binary);
    std::stringstream bytes;
    bytes << in.rdbuf();
    sid = runtime.TakeUp(std::move(start), bytes.str());
  }
  if (!sid.ok()) {
    ReportError(globals, sid.failure().message, "");
    return kExitUsage;
  }
  target = &runtime;
  runtime.Run();
  if (!runtime.moved().empty()) {
    std::ofstream out(move_to, std::ios::binary | std::ios::trunc);
    out << runtime.moved();
    out.close();
    if (out.good()) return kExitMoved;
    ReportError(globals, "cannot write " + move_to, "");
    return kExitUsage;
  }
  const runtime::SessionOutcome outcome = runtime.OutcomeOf(sid.value()).value();
  if (globals.json) {
    WriteAll(1, OutcomeJson(*sid, outcome, gathered.Kept()));
  } else if (outcome.status != runtime::SessionStatus::kDone) {
    WriteAll(2, ErrorText(outcome.error, globals.ColorOnStderr()));
  } else if (!outcome.result.IsNull()) {
    live.Write("", "", SourceForm(outcome.result) + "\n");
  }
  return ExitCodeOf(outcome, interrupt.times() > 0);
}

}  // namespace

Command AddRun(CLI::App& app, const Globals& globals) {
  auto flags = std::make_shared<RunFlags>();
  AddRunCommand(app, flags.get());
  return [flags, &globals] { return Run(globals, *flags); };
}

}  // namespace teal::cli
