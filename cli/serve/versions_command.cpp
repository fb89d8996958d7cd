#include "cli/serve/versions_command.h"

#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <optional>
#include <vector>

#include "cli/output.h"
#include "cli/program.h"
#include "cli/report.h"
#include "cli/serve/ask.h"
#include "cli/serve/place.h"
#include "core/runtime/package.h"
#include "core/serve/package_source.h"
#include "core/serve/text.h"
#include "core/vm/string_base64.h"

namespace teal::cli {
namespace {

using vm::Value;

constexpr char kPrograms[] = "/teal/v1/programs";
constexpr uint64_t kCountNs = 600 * kSecondNs;  // sessions are counted, requirements installed
constexpr size_t kShownDigits = 12;
constexpr size_t kNamedMax = 5;  // of those that a prefix may mean

void PrintLine(const std::string& line) {
  WriteAll(STDOUT_FILENO, line + "\n");
}

int Wrong(const Globals& globals, const std::string& message, const std::string& hint, int code) {
  ReportError(globals, message, hint);
  return code;
}

// nullopt: reported.
std::optional<std::vector<Value>> List(Ask& ask) {
  const std::optional<Value> answer = ask.GetSlowly(kPrograms, kCountNs);
  if (!answer) return std::nullopt;
  std::vector<Value> programs;
  const Value list = ValueIn(*answer, "programs");
  if (list.tag() == vm::Tag::kList) {
    const auto* items = list.As<vm::List>();
    programs.assign(items->items, items->items + items->size);
  }
  return programs;
}

int Show(const Globals& globals, Ask& ask) {
  const std::optional<std::vector<Value>> programs = List(ask);
  if (!programs) return ask.code();
  for (const Value& program : *programs) {
    if (globals.json) {
      PrintLine(ToJson(program));
      continue;
    }
    const bool active = ToJson(ValueIn(program, "active")) == "true";
    const bool counted = ToJson(ValueIn(program, "counted")) != "false";
    const std::string sessions = ToJson(ValueIn(program, "sessions"));
    PrintLine(std::string(TextIn(program, "hash").substr(0, kShownDigits)) + (active ? "  active  " : "          ") +
              std::string(TextIn(program, "created").substr(0, 19)) + "Z  " + (counted ? "" : "at least ") + sessions +
              (sessions == "1" ? " session   " : " sessions  ") + std::string(TextIn(program, "name")));
  }
  return kExitDone;
}

// The hash that begins so; empty: reported, *code says how.
std::string WholeHash(const Globals& globals, const std::string& digits, Ask& ask, int* code) {
  if (digits.empty() || digits.size() > 64 || digits.find_first_not_of("0123456789abcdef") != std::string::npos) {
    *code = Wrong(globals, "\"" + digits + "\" is no hash", "teal versions lists them: digits and letters from a to f",
                  kExitUsage);
    return "";
  }
  const std::optional<std::vector<Value>> programs = List(ask);
  if (!programs) {
    *code = ask.code();
    return "";
  }
  std::vector<std::string> found;
  for (const Value& program : *programs) {
    if (TextIn(program, "hash").starts_with(digits)) found.emplace_back(TextIn(program, "hash"));
  }
  if (found.size() == 1) return found.front();
  if (found.empty()) {
    *code = Wrong(globals, "the host has no version " + digits, "teal versions lists those it has", kExitNotFound);
    return "";
  }
  std::string names;
  for (size_t i = 0; i < found.size() && i < kNamedMax; ++i) names += (i > 0 ? ", " : "") + found[i].substr(0, 16);
  *code = Wrong(globals, std::to_string(found.size()) + " versions begin with " + digits, "give more digits: " + names,
                kExitUsage);
  return "";
}

int Alter(const Globals& globals, const HostFlags& flags, const std::string& what, Ask& ask) {
  int code = kExitDone;
  const std::string hash = WholeHash(globals, flags.hash, ask, &code);
  if (hash.empty()) return code;
  const std::string target = std::string(kPrograms) + "/" + hash;
  const std::optional<Value> answer =
      what == "remove" ? ask.Delete(target) : ask.PostSlowly(target + "/activate", "", "activate-" + hash, kCountNs);
  if (!answer) return ask.code();
  if (globals.json) PrintLine(ToJson(*answer));
  return kExitDone;
}

// The program of a file, and its Python code, as the host takes it; empty: reported.
std::string Body(const Globals& globals, const HostFlags& flags) {
  std::string file = flags.file;
  LoadedProgram loaded;
  if (file.empty()) {
    if (!LoadConfig(globals, ProjectFolder(globals) + "/" + runtime::kConfigFileName, &loaded.config)) return "";
    if (loaded.config.main.empty()) {
      ReportError(globals, "which program?", "name it, or write main: service.tl into teal.yaml");
      return "";
    }
    file = loaded.config.folder + "/" + loaded.config.main;
  }
  if (LoadProgram(globals, file, &loaded) != kExitDone) return "";
  std::string body = "{\"name\":" + serve::JsonOf(std::filesystem::path(file).filename().string()) +
                     ",\"activate\":" + (flags.activate ? "true" : "false") + ",\"executable\":\"";
  vm::AppendBase64(loaded.compiled.executable, &body);
  body += "\"";
  if (loaded.program->imports().empty()) return body + "}";
  Result<runtime::Package> package = serve::CollectPackage(serve::SourceOf(loaded.config, *loaded.program));
  const Result<std::string> bytes =
      package ? runtime::EncodePackage(std::move(*package)) : Result<std::string>(package.failure());
  if (!bytes) {
    ReportError(globals, bytes.failure().message, "");
    return "";
  }
  body += ",\"package\":\"";
  vm::AppendBase64(bytes.value(), &body);
  return body + "\"}";
}

int Add(const Globals& globals, const HostFlags& flags, Ask& ask) {
  const std::string body = Body(globals, flags);
  if (body.empty()) return kExitUsage;
  const std::optional<Value> answer = ask.PostSlowly(kPrograms, body, "add", kCountNs);
  if (!answer) return ask.code();
  PrintLine(globals.json ? ToJson(*answer) : std::string(TextIn(*answer, "hash")));
  return kExitDone;
}

}  // namespace

int Versions(const Globals& globals, const HostFlags& flags, const std::string& what) {
  Result<HostPlace> place = FindHost(globals);
  if (!place) {
    ReportError(globals, place.failure().message, "");
    return place.failure().code == FailureCode::kInvalid ? kExitUsage : kExitUnreachable;
  }
  ::signal(SIGPIPE, SIG_IGN);
  Ask ask(globals, std::move(*place));
  if (what == "add") return Add(globals, flags, ask);
  if (what == "list") return Show(globals, ask);
  return Alter(globals, flags, what, ask);
}

}  // namespace teal::cli
