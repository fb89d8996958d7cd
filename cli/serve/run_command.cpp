#include "cli/serve/run_command.h"

#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <future>

#include "cli/arguments.h"
#include "cli/interrupt.h"
#include "cli/output.h"
#include "cli/program.h"
#include "cli/report.h"
#include "cli/serve/place.h"
#include "cli/serve/wiring.h"
#include "core/host/file.h"
#include "core/vm/json.h"

namespace teal::cli {
namespace {

using runtime::LinesAnswer;
using runtime::LineSort;
using runtime::Served;
using runtime::SessionService;
using runtime::SessionView;

constexpr uint64_t kLookNs = 500'000'000;  // how soon an interrupt is seen
constexpr uint64_t kLinesOfPage = 1'000;

// The blocking form of a call. Never on the host's thread.
template <typename T, typename Call>
Served<T> Ask(Call call) {
  std::promise<Served<T>> answer;
  call([&answer](Served<T> served) { answer.set_value(std::move(served)); });
  return answer.get_future().get();
}

int ExitOf(const runtime::ServiceError& error) {
  using Code = runtime::ServiceError::Code;
  switch (error.code) {
    case Code::kNotFound:
      return kExitNotFound;
    case Code::kConflict:
      return kExitRefused;
    case Code::kUnavailable:
    case Code::kOverloaded:
    case Code::kInternal:
      return kExitUnreachable;
    case Code::kInvalid:
    case Code::kTooLarge:
    case Code::kUnfit:
      break;
  }
  return kExitUsage;
}

int Refuse(const Globals& globals, const runtime::ServiceError& error) {
  ReportError(globals, error.message, error.hint);
  return ExitOf(error);
}

// A JSON list of the arguments; empty: reported.
std::string ArgumentsJson(const Globals& globals, const std::vector<std::string>& words) {
  vm::Value list = vm::MakeList(words.size());
  for (size_t i = 0; i < words.size(); ++i) {
    Result<vm::Value> value = ParseArgument(words[i]);
    if (!value.ok()) {
      ReportError(globals, "argument " + std::to_string(i + 1) + ": " + value.failure().message,
                  "give JSON or plain text in UTF-8");
      return "";
    }
    list = ListAppend(std::move(list), std::move(*value));
  }
  std::string json;
  vm::Value error;
  if (vm::EncodeJson(list, &json, &error)) return json;
  ReportError(globals, "the arguments: " + std::string(error.As<vm::Error>()->message.Text()), "");
  return "";
}

struct Shown {
  std::string cursor;
  std::string output;  // with --json
};

// Prints what is new. False: there are no more, or it cannot be read.
bool ShowLines(const Globals& globals, SessionService& service, const std::string& sid, uint64_t wait_ns,
               Shown* shown) {
  Served<LinesAnswer> answer = Ask<LinesAnswer>([&](runtime::Done<LinesAnswer> done) {
    service.Lines(sid, LineSort::kOutput, shown->cursor, kLinesOfPage, wait_ns, std::move(done));
  });
  if (answer.error) return false;
  for (const runtime::LineView& line : answer.value.lines) {
    if (globals.json) {
      shown->output += line.text;
    } else {
      WriteAll(STDOUT_FILENO, line.text);
    }
  }
  shown->cursor = answer.value.next;
  return !answer.value.ended;
}

int ShowEnd(const Globals& globals, const SessionView& view, const std::string& output) {
  const bool done = view.status == runtime::ViewStatus::kDone;
  if (globals.json) {
    std::string line = "{\"sid\":" + ToJson(vm::MakeString(view.sid)) + ",\"status\":\"" +
                       std::string(NameOf(view.status)) + "\",\"result\":" + (done ? view.result_json : "null") +
                       ",\"error\":" + (view.error_json.empty() ? "null" : view.error_json);
    WriteAll(STDOUT_FILENO, line + ",\"output\":" + ToJson(vm::MakeString(output)) + "}\n");
    return done ? kExitDone : kExitFailed;
  }
  vm::Value value;
  vm::Value error;
  const std::string& json = done ? view.result_json : view.error_json;
  if (!json.empty() && vm::DecodeJson(json, &value, &error)) {
    if (!done) {
      WriteAll(STDERR_FILENO, ErrorText(ErrorOfJson(value), globals.ColorOnStderr()));
    } else if (!value.IsNull()) {
      WriteAll(STDOUT_FILENO, SourceForm(value) + "\n");
    }
  }
  return done ? kExitDone : kExitFailed;
}

}  // namespace

int RunKept(const Globals& globals, const RunFlags& flags) {
  LoadedProgram loaded;
  std::string name;
  if (flags.resume.empty()) {
    if (const int code = LoadProgram(globals, flags.file, &loaded, !flags.no_optimize); code != kExitDone) return code;
    name = std::filesystem::path(flags.file).filename().string();
  } else if (!flags.file.empty()) {
    ReportError(globals, "--resume goes on with a session and its own program", "leave the file and arguments out");
    return kExitUsage;
  } else if (!LoadConfig(globals, ProjectFolder(globals) + "/" + runtime::kConfigFileName, &loaded.config)) {
    return kExitUsage;
  }
  runtime::StartRequest request;
  request.function = flags.function;
  request.source = "run";
  if (flags.resume.empty()) {
    request.arguments_json = ArgumentsJson(globals, flags.arguments);
    if (request.arguments_json.empty()) return kExitUsage;
  }
  const std::string project = loaded.config.folder.empty() ? ProjectFolder(globals) : loaded.config.folder;
  const std::string data = DataFolder(project);
  if (const Status made = MakeOwnFolder(project); !made) {
    ReportError(globals, made.failure().message, "");
    return kExitUsage;
  }
  std::error_code ignored;
  std::filesystem::create_directory(data, ignored);

  std::atomic<bool> interrupted{false};
  Interrupt interrupt([&interrupted](int times) {
    if (times > 1) _exit(kExitInterrupted);
    interrupted = true;
  });
  int code = kExitDone;
  const MemoryChoice memory{flags.memory == "none" ? "local" : flags.memory, flags.memory_config};
  const std::unique_ptr<HostedSessions> sessions =
      OpenSessions(globals, loaded.config, data, memory, Serving::kOneSession, &code);
  if (sessions == nullptr) return code;
  if (loaded.program != nullptr) {
    if (code = sessions->Use(loaded, name, nullptr); code != kExitDone) return code;
  }
  sessions->Begin();
  SessionService& service = sessions->service();

  Shown shown;
  std::string sid = flags.resume;
  if (sid.empty()) {
    Served<runtime::StartAnswer> started =
        Ask<runtime::StartAnswer>([&](auto done) { service.Start(request, std::move(done)); });
    if (started.error) return Refuse(globals, *started.error);
    sid = started.value.session.sid;
    if (globals.verbose) WriteAll(STDERR_FILENO, "teal: session " + sid + "\n");
  } else {
    const Served<SessionView> view = Ask<SessionView>([&](auto done) { service.Get(sid, std::move(done)); });
    if (view.error) return Refuse(globals, *view.error);
    if (!HasEnded(view.value.status)) {
      // What was shown before is not shown again.
      Shown before;
      while (true) {
        Served<LinesAnswer> answer = Ask<LinesAnswer>([&](runtime::Done<LinesAnswer> done) {
          service.Lines(sid, LineSort::kOutput, before.cursor, kLinesOfPage, 0, std::move(done));
        });
        if (answer.error) return Refuse(globals, *answer.error);
        before.cursor = answer.value.next;
        if (answer.value.lines.size() < kLinesOfPage) break;
      }
      shown.cursor = before.cursor;
      const Served<SessionView> resumed = Ask<SessionView>([&](auto done) { service.Resume(sid, std::move(done)); });
      if (resumed.error && resumed.error->code != runtime::ServiceError::Code::kConflict) {
        return Refuse(globals, *resumed.error);
      }
    }
  }
  while (!interrupted && ShowLines(globals, service, sid, kLookNs, &shown)) {
  }
  const Served<SessionView> view = Ask<SessionView>([&](auto done) { service.Get(sid, std::move(done)); });
  sessions->Stop();
  if (view.error) return Refuse(globals, *view.error);
  if (HasEnded(view.value.status)) return ShowEnd(globals, view.value, shown.output);
  WriteAll(STDERR_FILENO, "teal: the session is kept; go on with it by: teal run --resume " + sid + "\n");
  return kExitInterrupted;
}

}  // namespace teal::cli
