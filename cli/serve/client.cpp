#include "cli/serve/client.h"

#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdio>
#include <functional>
#include <map>
#include <optional>
#include <random>

#include "cli/arguments.h"
#include "cli/output.h"
#include "cli/report.h"
#include "cli/serve/ask.h"
#include "cli/serve/inspect.h"
#include "core/runtime/service.h"
#include "core/serve/text.h"
#include "core/vm/json.h"

namespace teal::cli {
namespace {

using vm::Value;

constexpr uint64_t kSliceNs = 60 * kSecondNs;  // one request waits so long at most
constexpr uint64_t kGraceNs = 30 * kSecondNs;  // for the answer to come after it
constexpr char kSessions[] = "/teal/v1/sessions";
constexpr char kDead[] = "/teal/v1/dead";
constexpr char kTriggers[] = "/teal/v1/triggers";

std::string SessionPath(std::string_view sid, const std::string& rest = "") {
  return std::string(kSessions) + "/" + serve::PercentEncode(sid) + rest;
}

void PrintLine(const std::string& line) {
  WriteAll(STDOUT_FILENO, line + "\n");
}

uint64_t ClockNs() {
  return static_cast<uint64_t>(std::chrono::steady_clock::now().time_since_epoch().count());
}

class Command {
 public:
  Command(const Globals& globals, const HostFlags& flags, HostPlace place)
      : globals_(globals), flags_(flags), ask_(globals, std::move(place)) {}

  int Start();
  int Invoke();
  int Wait();
  int Result();
  int Sessions();
  // All pages of a list: `field` of each answer.
  int List(const std::string& path, const std::string& query, const char* field);
  int Inspect();
  int Lines(const std::string& what, bool follow);
  int Send();
  int Change(const std::string& what);
  int Rerun();
  int Dead(const std::string& action);
  int Fire();

 private:
  int Usage(const std::string& message, const std::string& hint) {
    ReportError(globals_, message, hint);
    return kExitUsage;
  }
  bool Duration(const std::string& name, const std::string& text, uint64_t* ns);
  bool Labels(std::vector<std::pair<std::string, std::string>>* labels);
  // The body of a start; nullopt: reported.
  std::optional<std::string> StartBody(bool with_timeout);
  std::optional<Value> Begin(bool with_timeout);
  // Waits until it has ended; until_ns: of ClockNs, 0: for ever. nullopt: failed, reported.
  std::optional<Value> Await(std::string_view sid, uint64_t until_ns);
  int Tell(const Value& session);
  int TellRunning(const Value& session);
  void PrintText(const std::string& what, const Value& item);

  const Globals& globals_;
  const HostFlags& flags_;
  Ask ask_;
};

bool Command::Duration(const std::string& name, const std::string& text, uint64_t* ns) {
  if (text.empty()) return true;
  const std::optional<uint64_t> parsed = serve::ParseDuration(text);
  if (parsed) *ns = *parsed;
  if (!parsed) Usage(name + " " + text + " is no duration", "write 500ms, 5s, 10m, 2h or 1d");
  return parsed.has_value();
}

bool Command::Labels(std::vector<std::pair<std::string, std::string>>* labels) {
  for (const std::string& label : flags_.labels) {
    const size_t equals = label.find('=');
    if (equals == std::string::npos || equals == 0) {
      Usage("--label " + label + " is no label", "write --label name=value");
      return false;
    }
    labels->emplace_back(label.substr(0, equals), label.substr(equals + 1));
  }
  return true;
}

std::optional<std::string> Command::StartBody(bool with_timeout) {
  std::string body = "{\"function\":" + serve::JsonOf(flags_.function) + ",\"args\":[";
  for (size_t i = 0; i < flags_.arguments.size(); ++i) {
    teal::Result<Value> argument = ParseArgument(flags_.arguments[i]);
    if (!argument.ok()) {
      Usage("argument " + std::to_string(i + 1) + ": " + argument.failure().message,
            "give JSON or plain text in UTF-8");
      return std::nullopt;
    }
    body += (i > 0 ? "," : "") + ToJson(*argument);
  }
  body += "]";
  if (!flags_.id.empty()) body += ",\"id\":" + serve::JsonOf(flags_.id);
  if (!flags_.on_conflict.empty()) body += ",\"on_conflict\":" + serve::JsonOf(flags_.on_conflict);
  std::vector<std::pair<std::string, std::string>> labels;
  if (!Labels(&labels)) return std::nullopt;
  if (!labels.empty()) {
    body += ",\"labels\":{";
    for (size_t i = 0; i < labels.size(); ++i) {
      body += std::string(i > 0 ? "," : "") + serve::JsonOf(labels[i].first) + ":" + serve::JsonOf(labels[i].second);
    }
    body += "}";
  }
  uint64_t timeout_ns = 0;
  if (!Duration("--timeout", flags_.timeout, &timeout_ns)) return std::nullopt;
  if (with_timeout && timeout_ns > 0) body += ",\"timeout\":" + serve::JsonOf(flags_.timeout);
  return body + "}";
}

std::optional<Value> Command::Begin(bool with_timeout) {
  const std::optional<std::string> body = StartBody(with_timeout);
  if (!body) return std::nullopt;
  return ask_.Post(kSessions, *body);
}

int Command::Start() {
  const std::optional<std::string> body = StartBody(true);
  if (!body) return kExitUsage;
  const std::optional<Value> session = ask_.Post(kSessions, *body);
  if (!session) return ask_.code();
  const std::string sid(TextIn(*session, "sid"));
  if (globals_.json) {
    PrintLine("{\"sid\":" + serve::JsonOf(sid) + ",\"status\":" + serve::JsonOf(TextIn(*session, "status")) + "}");
  } else {
    PrintLine(sid);
  }
  return kExitDone;
}

std::optional<Value> Command::Await(std::string_view sid, uint64_t until_ns) {
  for (;;) {
    uint64_t slice = kSliceNs;
    if (until_ns > 0) slice = std::min(slice, until_ns - std::min(until_ns, ClockNs()));
    const std::string target = SessionPath(sid, "/wait?timeout=" + std::to_string(slice / 1'000'000) + "ms");
    std::optional<Value> session = ask_.GetSlowly(target, slice + kGraceNs);
    if (!session || ask_.status() == 200) return session;
    if (until_ns > 0 && ClockNs() >= until_ns) return session;
  }
}

int Command::TellRunning(const Value& session) {
  if (globals_.json) {
    PrintLine(ToJson(session));
  } else {
    ReportError(
        globals_,
        "the session " + std::string(TextIn(session, "sid")) + " is still " + std::string(TextIn(session, "status")),
        "it goes on; wait for it with teal wait, see where it is with teal inspect");
  }
  return kExitFailed;
}

// What people see of a session that has ended: the result as the language writes values, or the error.
int Command::Tell(const Value& session) {
  const std::string_view status = TextIn(session, "status");
  if (status == "running" || status == "paused") return TellRunning(session);
  if (globals_.json) {
    PrintLine(ToJson(session));
  } else if (status == "done") {
    const Value result = ValueIn(session, "result");
    if (!result.IsNull()) PrintLine(vm::SourceForm(result));
  } else if (const Value error = ValueIn(session, "error"); !error.IsNull()) {
    WriteAll(STDERR_FILENO, ErrorText(ErrorOfJson(error), globals_.ColorOnStderr()));
  } else {
    ReportError(globals_, "the session is " + std::string(status),
                "see teal history " + std::string(TextIn(session, "sid")));
  }
  return status == "done" ? kExitDone : kExitFailed;
}

int Command::Wait() {
  uint64_t timeout_ns = 0;
  if (!Duration("--timeout", flags_.timeout, &timeout_ns)) return kExitUsage;
  const std::optional<Value> session = Await(flags_.sid, flags_.timeout.empty() ? 0 : ClockNs() + timeout_ns);
  return session ? Tell(*session) : ask_.code();
}

int Command::Result() {
  const std::optional<Value> session = ask_.Get(SessionPath(flags_.sid));
  if (!session) return ask_.code();
  const std::string_view status = TextIn(*session, "status");
  if (status != "running" && status != "paused") return Tell(*session);
  ReportError(globals_, "the session has no result yet: it is " + std::string(status),
              "wait for it with teal wait " + flags_.sid);
  return kExitRefused;
}

int Command::Invoke() {
  uint64_t timeout_ns = 0;
  if (!Duration("--timeout", flags_.timeout, &timeout_ns)) return kExitUsage;
  const uint64_t until_ns = flags_.timeout.empty() ? 0 : ClockNs() + timeout_ns;
  const std::optional<Value> started = Begin(false);
  if (!started) return ask_.code() == kExitDone ? kExitUsage : ask_.code();
  const std::string sid(TextIn(*started, "sid"));
  const auto interrupted = [&] {
    if (ask_.code() == kExitInterrupted) {
      ReportError(globals_, "interrupted; the session " + sid + " goes on",
                  "wait for it with teal wait " + sid + ", or end it with teal cancel " + sid);
    }
    return ask_.code();
  };
  std::string output;
  const auto show = [&](const Value& item) {
    const std::string_view text = TextIn(item, "text");
    if (globals_.json) {
      output += text;
    } else {
      WriteAll(STDOUT_FILENO, text);
    }
    return until_ns == 0 || ClockNs() < until_ns;
  };
  // Without a limit output is followed as it comes; with one the end is waited for first, so that it is kept.
  if (until_ns == 0 && !ask_.Follow(SessionPath(sid, "/output"), show)) return interrupted();
  const std::optional<Value> session = Await(sid, until_ns);
  if (!session) return interrupted();
  const std::string_view status = TextIn(*session, "status");
  if (until_ns > 0) {
    std::string after;
    for (bool more = true; more;) {
      const std::optional<Value> page = ask_.Get(SessionPath(sid, "/output?limit=1000&after=" + after));
      if (!page) return ask_.code();
      const Value items = ValueIn(*page, "items");
      const auto* list = items.As<vm::List>();
      for (uint64_t i = 0; i < list->size; ++i) show(list->items[i]);
      after = TextIn(*page, "next");
      more = list->size > 0;
    }
  }
  if (!globals_.json || status == "running" || status == "paused") return Tell(*session);
  PrintLine("{\"sid\":" + serve::JsonOf(sid) + ",\"status\":" + serve::JsonOf(status) +
            ",\"result\":" + ToJson(ValueIn(*session, "result")) + ",\"error\":" + ToJson(ValueIn(*session, "error")) +
            ",\"output\":" + serve::JsonOf(output) + "}");
  return status == "done" ? kExitDone : kExitFailed;
}

int Command::Sessions() {
  std::string query;
  if (!flags_.status.empty()) query += "&status=" + flags_.status;
  std::vector<std::pair<std::string, std::string>> labels;
  if (!Labels(&labels)) return kExitUsage;
  for (const auto& [name, value] : labels) query += "&label=" + serve::PercentEncode(name + ":" + value);
  if (!flags_.since.empty()) {
    std::optional<uint64_t> since = serve::ParseTime(flags_.since);
    if (const std::optional<uint64_t> before = serve::ParseDuration(flags_.since)) {
      const auto now = static_cast<uint64_t>(std::chrono::system_clock::now().time_since_epoch().count());
      since = now - std::min(now, *before);
    }
    if (!since)
      return Usage("--since " + flags_.since + " is no time", "write 2026-01-31T10:00:00Z, or 1h for the last hour");
    query += "&since=" + serve::PercentEncode(serve::FormatTime(*since));
  }
  return List(kSessions, query, "sessions");
}

int Command::List(const std::string& path, const std::string& query, const char* field) {
  std::string cursor;
  uint32_t left = flags_.limit;
  do {
    const std::string target = path + "?limit=" + std::to_string(std::min(left, 1000u)) + query +
                               (cursor.empty() ? "" : "&cursor=" + serve::PercentEncode(cursor));
    const std::optional<Value> page = ask_.Get(target);
    if (!page) return ask_.code();
    const Value sessions = ValueIn(*page, field);
    if (sessions.tag() != vm::Tag::kList) break;
    const auto* list = sessions.As<vm::List>();
    for (uint64_t i = 0; i < list->size && left > 0; ++i, --left) {
      const Value& session = list->items[i];
      if (globals_.json) {
        PrintLine(ToJson(session));
      } else if (path == kTriggers) {
        WriteAll(STDOUT_FILENO, TriggerText(session));
      } else {
        PrintLine(TextIn(session, "trigger").empty() ? SessionLine(session) : DeadEventLine(session));
      }
    }
    cursor = TextIn(*page, "cursor");
  } while (!cursor.empty() && left > 0);
  return kExitDone;
}

int Command::Inspect() {
  const std::optional<Value> session = ask_.Get(SessionPath(flags_.sid));
  if (!session) return ask_.code();
  const std::optional<Value> threads = ask_.Get(SessionPath(flags_.sid, "/threads"));
  if (!threads) return ask_.code();
  const Value items = ValueIn(*threads, "items");
  if (globals_.json) {
    const auto* list = items.As<vm::List>();
    for (uint64_t i = 0; i < list->size; ++i) PrintLine(ToJson(list->items[i]));
  } else {
    WriteAll(STDOUT_FILENO, InspectText(*session, items));
  }
  return kExitDone;
}

void Command::PrintText(const std::string& what, const Value& item) {
  if (globals_.json) return PrintLine(ToJson(item));
  if (what == "output") {
    WriteAll(STDOUT_FILENO, TextIn(item, "text"));
  } else {
    PrintLine(EntryLine(item));
  }
}

int Command::Lines(const std::string& what, bool follow) {
  if (follow) {
    const bool whole = ask_.Follow(SessionPath(flags_.sid, "/" + what), [&](const Value& item) {
      PrintText(what, item);
      return true;
    });
    return whole ? static_cast<int>(kExitDone) : ask_.code();
  }
  std::string after;
  for (;;) {
    const std::optional<Value> page = ask_.Get(SessionPath(flags_.sid, "/" + what + "?limit=1000&after=" + after));
    if (!page) return ask_.code();
    const Value items = ValueIn(*page, "items");
    if (items.tag() != vm::Tag::kList || items.As<vm::List>()->size == 0) return kExitDone;
    const auto* list = items.As<vm::List>();
    for (uint64_t i = 0; i < list->size; ++i) PrintText(what, list->items[i]);
    after = TextIn(*page, "next");
  }
}

int Command::Send() {
  teal::Result<Value> value = ParseArgument(flags_.value);
  if (flags_.value.empty()) value = Value();
  if (!value.ok()) return Usage("the value: " + value.failure().message, "give JSON or plain text in UTF-8");
  uint64_t wait_ns = 0;
  if (!Duration("--wait", flags_.wait, &wait_ns)) return kExitUsage;
  // A key of its own, so that it can be sent again when the answer is lost.
  std::random_device random;
  std::string key = "teal-";
  for (int i = 0; i < 4; ++i) key += std::to_string(random()) + "-";
  std::string target = SessionPath(flags_.sid, "/events/" + serve::PercentEncode(flags_.event));
  if (wait_ns > 0) target += "?wait=" + std::to_string(wait_ns / 1'000'000) + "ms";
  const std::optional<Value> answer = ask_.PostSlowly(target, ToJson(*value), key, wait_ns + kGraceNs);
  if (!answer) return ask_.code();
  const bool replied = ask_.status() == 200;
  const Value reply = ValueIn(*answer, "reply");
  if (globals_.json) {
    PrintLine(ToJson(*answer));
  } else if (replied && !reply.IsNull()) {
    PrintLine(vm::SourceForm(reply));
  }
  if (wait_ns == 0 || replied) return kExitDone;
  if (!globals_.json)
    ReportError(globals_, "there was no reply within " + flags_.wait, "the event is kept until the session takes it");
  return kExitFailed;
}

int Command::Change(const std::string& what) {
  const std::optional<Value> answer = ask_.Post(SessionPath(flags_.sid, "/" + what), "");
  if (!answer) return ask_.code();
  if (globals_.json) PrintLine(ToJson(*answer));
  return kExitDone;
}

int Command::Rerun() {
  const std::optional<Value> session =
      ask_.Post(SessionPath(flags_.sid, "/rerun"), "{\"from\":" + serve::JsonOf(flags_.from) + "}");
  if (!session) return ask_.code();
  PrintLine(globals_.json ? ToJson(*session) : std::string(TextIn(*session, "sid")));
  return kExitDone;
}

int Command::Dead(const std::string& action) {
  if (action == "list") return List(kDead, "", "dead");
  const std::string path = std::string(kDead) + "/" + serve::PercentEncode(flags_.sid);
  const std::optional<Value> answer = action == "show"    ? ask_.Get(path)
                                      : action == "retry" ? ask_.Post(path + "/retry", "")
                                                          : ask_.Delete(path);
  if (!answer) return ask_.code();
  if (globals_.json) {
    PrintLine(ToJson(*answer));
  } else if (action == "show" && !TextIn(*answer, "trigger").empty()) {
    PrintLine(DeadEventLine(*answer));
  } else if (action == "show") {
    PrintLine(SessionLine(*answer));
    PrintLine("  " + std::string(TextIn(ValueIn(*answer, "error"), "message")));
  }
  return kExitDone;
}

int Command::Fire() {
  std::string body = "{";
  if (!flags_.at.empty()) body += "\"at\":" + serve::JsonOf(flags_.at);
  const std::optional<Value> answer =
      ask_.Post(std::string(kTriggers) + "/" + serve::PercentEncode(flags_.name) + "/fire", body + "}");
  if (!answer) return ask_.code();
  const Value sessions = ValueIn(*answer, "sessions");
  if (sessions.tag() != vm::Tag::kList) return kExitDone;
  const auto* list = sessions.As<vm::List>();
  for (uint64_t i = 0; i < list->size; ++i) {
    PrintLine(globals_.json ? ToJson(list->items[i]) : std::string(TextIn(list->items[i], "sid")));
  }
  return kExitDone;
}

}  // namespace

int AskHost(const Globals& globals, const HostFlags& flags, const std::string& command) {
  teal::Result<HostPlace> place = FindHost(globals);
  if (!place) {
    ReportError(globals, place.failure().message, "");
    return place.failure().code == FailureCode::kInvalid ? kExitUsage : kExitUnreachable;
  }
  // A call that waits ends with EINTR, and the command with 130.
  struct sigaction action{};
  action.sa_handler = [](int) {};
  ::sigaction(SIGINT, &action, nullptr);
  sigset_t interrupt;
  ::sigemptyset(&interrupt);
  ::sigaddset(&interrupt, SIGINT);
  ::pthread_sigmask(SIG_BLOCK, &interrupt, nullptr);  // but while it waits: HttpClient
  ::signal(SIGPIPE, SIG_IGN);
  Command asked(globals, flags, std::move(*place));
  const std::map<std::string, std::function<int()>> commands = {
      {"start", [&] { return asked.Start(); }},
      {"invoke", [&] { return asked.Invoke(); }},
      {"wait", [&] { return asked.Wait(); }},
      {"result", [&] { return asked.Result(); }},
      {"sessions", [&] { return asked.Sessions(); }},
      {"inspect", [&] { return asked.Inspect(); }},
      {"stdout", [&] { return asked.Lines("output", flags.follow); }},
      {"logs", [&] { return asked.Lines("log", flags.follow); }},
      {"history", [&] { return asked.Lines("history", false); }},
      {"rerun", [&] { return asked.Rerun(); }},
      {"dead", [&] { return asked.Dead(flags.action); }},
      {"triggers", [&] { return asked.List(kTriggers, "", "triggers"); }},
      {"fire", [&] { return asked.Fire(); }},
      {"send", [&] { return asked.Send(); }}};
  const auto found = commands.find(command);
  return found == commands.end() ? asked.Change(command) : found->second();
}

}  // namespace teal::cli
