// teal test: the functions test_* of files *_test.tl, in virtual time, with fakes for foreign functions
// (docs/testing.md).
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <mutex>

#include "cli/commands.h"
#include "cli/interrupt.h"
#include "cli/output.h"
#include "cli/program.h"
#include "cli/python.h"
#include "cli/report.h"
#include "core/runtime/runtime.h"

namespace teal::cli {
namespace {

namespace fs = std::filesystem;
using vm::Value;

// Virtual time begins here, whenever the tests run: 2000-01-01T00:00:00Z.
constexpr int64_t kStartUnixNs = int64_t{946'684'800} * runtime::kNanosecondsPerSecond;
constexpr std::string_view kFakePrefix = "fake_";
constexpr std::string_view kTestPrefix = "test_";

struct Totals {
  int passed = 0;
  int failed = 0;
};

bool IsTestFile(const fs::path& path) {
  const std::string name = path.filename().string();
  for (const std::string_view suffix : {"_test.tl", "_test.hk"}) {
    if (name.size() >= suffix.size() && name.compare(name.size() - suffix.size(), suffix.size(), suffix) == 0)
      return true;
  }
  return false;
}

// Test files at or below `path`, sorted; hidden folders are left out.
std::vector<std::string> FindTests(const std::string& path) {
  std::error_code error;
  if (!fs::is_directory(path, error)) return {path};
  std::vector<std::string> files;
  fs::recursive_directory_iterator at(path, fs::directory_options::skip_permission_denied, error);
  for (; !error && at != fs::recursive_directory_iterator(); at.increment(error)) {
    const std::string name = at->path().filename().string();
    if (name.size() > 1 && name[0] == '.')
      at.disable_recursion_pending();
    else if (IsTestFile(name) && at->is_regular_file(error))
      files.push_back(at->path().lexically_normal().string());
  }
  std::sort(files.begin(), files.end());
  return files;
}

// fake_charge stands for every imported function `charge`; fake_src_bank_charge for that of module src.bank only.
std::vector<int32_t> FindFakes(const vm::Program& program) {
  std::vector<int32_t> fakes;
  for (const vm::Import& import : program.imports()) {
    std::string module = import.module;
    std::replace(module.begin(), module.end(), '.', '_');
    uint32_t index = 0;
    const bool found =
        program.FindEntry(std::string(kFakePrefix) + module + "_" + import.function, &index) != nullptr ||
        program.FindEntry(std::string(kFakePrefix) + import.function, &index) != nullptr;
    fakes.push_back(found ? static_cast<int32_t>(index) : -1);
  }
  return fakes;
}

// Python starts with the first test that needs it, or never: when every import has a fake.
bool NeedsPython(const std::vector<int32_t>& fakes) {
  return std::find(fakes.begin(), fakes.end(), -1) != fakes.end();
}

// The foreign calls of one test. The workers stay for the next one; what still runs then is no longer heard.
class CallsOfTest : public runtime::ForeignCalls {
 public:
  explicit CallsOfTest(runtime::ForeignCalls* calls) : calls_(calls) {}
  uint64_t Start(const runtime::ForeignCall& call, std::function<void(runtime::ForeignOutcome)> done) override {
    return calls_->Start(call, [open = open_, done = std::move(done)](runtime::ForeignOutcome outcome) {
      const std::lock_guard<std::mutex> lock(open->mutex);
      if (open->value) done(std::move(outcome));
    });
  }
  void Cancel(uint64_t number, double grace_seconds) override { calls_->Cancel(number, grace_seconds); }
  void Shutdown() override {
    const std::lock_guard<std::mutex> lock(open_->mutex);
    open_->value = false;
  }

 private:
  struct Open {
    std::mutex mutex;
    bool value = true;
  };
  runtime::ForeignCalls* const calls_;
  const std::shared_ptr<Open> open_ = std::make_shared<Open>();
};

void Report(const Globals& globals, const std::string& file, std::string_view name,
            const runtime::SessionOutcome& outcome, const std::string& output) {
  const bool passed = outcome.status == runtime::SessionStatus::kDone;
  if (globals.json) {
    WriteAll(STDOUT_FILENO, "{\"file\":" + ToJson(vm::MakeString(file)) + ",\"test\":" + ToJson(vm::MakeString(name)) +
                                ",\"status\":\"" + (passed ? "passed" : "failed") +
                                "\",\"error\":" + (passed ? "null" : ErrorJson(outcome.error)) +
                                ",\"output\":" + ToJson(vm::MakeString(output)) + "}\n");
    return;
  }
  WriteAll(STDOUT_FILENO, std::string(passed ? "ok   " : "FAIL ") + file + " " + std::string(name) + "\n");
  if (passed) return;
  if (!output.empty()) WriteAll(STDERR_FILENO, "output:\n" + output);
  WriteAll(STDERR_FILENO, ErrorText(outcome.error, globals.ColorOnStderr()));
  const Value& data = outcome.error.As<vm::Error>()->data;
  if (data.tag() != vm::Tag::kHash) return;
  for (const char* key : {"expected", "actual"}) {
    const Value* value = HashGet(*data.As<vm::Hash>(), key);
    if (value != nullptr) WriteAll(STDERR_FILENO, std::string(key) + ": " + SourceForm(*value) + "\n");
  }
}

// One file; each of its tests is a session of its own.
int RunFile(const Globals& globals, const std::string& file, bool optimize, Totals* totals) {
  LoadedProgram loaded;
  if (const int code = LoadProgram(globals, file, &loaded, optimize); code != kExitDone) return code;
  const std::vector<int32_t> fakes = FindFakes(*loaded.program);
  std::vector<std::pair<uint32_t, uint32_t>> tests;  // line, function
  for (const std::string_view name : loaded.program->EntryNames()) {
    uint32_t index = 0;
    if (name.substr(0, kTestPrefix.size()) != kTestPrefix) continue;
    const vm::Function* function = loaded.program->FindEntry(name, &index);
    if (!function->parameters.empty()) {
      ReportError(globals, file + ":" + std::to_string(function->line) + ": " + function->name + " takes parameters",
                  "a test takes none");
      return kExitUsage;
    }
    tests.push_back({function->line, index});
  }
  std::sort(tests.begin(), tests.end());
  GatheringSink stray;
  StderrNotes notes;
  RoutedSink routed(&stray);
  std::unique_ptr<runtime::PythonCalls> python;
  if (!tests.empty() && NeedsPython(fakes)) {
    python = LoadPython(globals, loaded, PlaceInProject(loaded.config), &routed, &notes);
    if (python == nullptr) return kExitUsage;
  }
  for (const auto& [line, function] : tests) {
    GatheringSink output;
    routed.Route(&output);
    runtime::VirtualClock clock(kStartUnixNs);
    std::unique_ptr<CallsOfTest> calls;
    if (python != nullptr) calls = std::make_unique<CallsOfTest>(python.get());
    runtime::SessionOutcome outcome;
    {
      runtime::RuntimeOptions options;
      options.clock = &clock;
      options.output = &output;
      options.foreign = calls.get();
      runtime::Runtime runtime(options);
      runtime::SessionStart start;
      start.program = loaded.program;
      start.function = Value::Function(function);
      start.limits = loaded.config.limits;
      start.fakes = fakes;
      Result<std::string> sid = runtime.Start(std::move(start));
      runtime.Run();
      outcome = runtime.OutcomeOf(sid.value()).value();
    }
    routed.Route(&stray);
    ++(outcome.status == runtime::SessionStatus::kDone ? totals->passed : totals->failed);
    Report(globals, file, loaded.program->functions()[function].name, outcome, output.Kept());
  }
  return kExitDone;
}

int Test(const Globals& globals, const std::string& path, bool optimize) {
  std::error_code error;
  if (!fs::exists(path, error)) {
    ReportError(globals, "there is no " + path, "name a folder, or a file that ends in _test.tl");
    return kExitUsage;
  }
  Totals totals;
  int code = kExitDone;
  for (const std::string& file : FindTests(path)) {
    if (const int of_file = RunFile(globals, file, optimize, &totals); of_file != kExitDone) code = of_file;
  }
  if (globals.json) {
    std::printf("{\"passed\":%d,\"failed\":%d}\n", totals.passed, totals.failed);
  } else {
    std::printf("%d passed, %d failed\n", totals.passed, totals.failed);
  }
  std::fflush(stdout);
  if (code != kExitDone) return code;
  return totals.failed > 0 ? kExitFailed : kExitDone;
}

}  // namespace

Command AddTest(CLI::App& app, const Globals& globals) {
  auto path = std::make_shared<std::string>(".");
  CLI::App* command = app.add_subcommand("test", "run the functions test_* of files *_test.tl, in virtual time");
  command->footer(
      "Example: teal test tests/\nfn fake_charge(card) {…} in a test file answers calls of the imported charge.");
  command->add_option("PATH", *path, "a folder or a file; the current folder if left out");
  auto no_optimize = std::make_shared<bool>(false);
  command->add_flag("--no-optimize", *no_optimize, "")->group("");
  return [path, no_optimize, &globals] { return Test(globals, *path, !*no_optimize); };
}

}  // namespace teal::cli
