// teal schedule next: when a schedule fires, and what it says in words.
#include <CLI/CLI.hpp>
#include <chrono>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>

#include "cli/commands.h"
#include "triggers/schedule/civil.h"
#include "triggers/schedule/schedule.h"

namespace teal::cli {
namespace {

using Json = nlohmann::ordered_json;

constexpr int64_t kCountDefault = 5;
constexpr int64_t kCountMax = 10'000;

struct Request {
  std::string expression;
  std::string timezone = "UTC";
  std::string daylight = "run";
  std::string after;  // empty: now
  int64_t count = kCountDefault;
};

struct Wrong {
  std::string message;
  std::string hint;
  uint32_t column = 0;  // of the expression, from 1; 0: it is about something else
};

struct Answer {
  std::vector<std::string> next;
  std::string description;
  bool fires = true;
};

std::optional<Answer> Ask(const Request& request, Wrong* wrong) {
  schedule::Refusal refusal;
  const std::optional<schedule::Schedule> parsed = schedule::Schedule::Parse(request.expression, &refusal);
  if (!parsed) {
    *wrong = {refusal.message, refusal.hint, refusal.column};
    return std::nullopt;
  }
  const std::optional<schedule::Zone> zone =
      request.timezone == "UTC" ? schedule::Zone::Utc() : schedule::Zone::Load(request.timezone);
  if (!zone) {
    *wrong = {
        "there is no time zone \"" + request.timezone + "\"",
        "write a name of IANA as it stands there, such as Africa/Johannesburg; the system's package tzdata has them"};
    return std::nullopt;
  }
  if (request.daylight != "run" && request.daylight != "skip") {
    *wrong = {"dst is run or skip, not \"" + request.daylight + "\"", "leave it out for run"};
    return std::nullopt;
  }
  int64_t after = std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now()).time_since_epoch().count();
  if (!request.after.empty()) {
    const std::optional<int64_t> read = schedule::ReadTime(request.after);
    if (!read) {
      *wrong = {"\"" + request.after + "\" is not a time of RFC 3339 from 1970 to 9999",
                "write 2026-11-21T19:30:00Z or 2026-11-21T21:30:00+02:00"};
      return std::nullopt;
    }
    after = *read;
  }
  if (request.count < 1 || request.count > kCountMax) {
    *wrong = {"count is " + std::to_string(request.count), "write a number from 1 to " + std::to_string(kCountMax)};
    return std::nullopt;
  }
  Answer answer;
  answer.description = parsed->Describe();
  answer.fires = parsed->Fires();
  const schedule::Daylight daylight = request.daylight == "skip" ? schedule::Daylight::kSkip : schedule::Daylight::kRun;
  const int64_t begin = after;
  for (int64_t i = 0; i < request.count; ++i) {
    const std::optional<int64_t> time = parsed->Next(*zone, daylight, after, begin);
    if (!time) break;
    answer.next.push_back(schedule::WriteTime(*time, *zone));
    after = *time;
  }
  return answer;
}

std::string OneLine(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::string ToJson(const Answer& answer) {
  return OneLine(Json{{"next", answer.next}, {"description", answer.description}});
}

std::string ToJson(const Wrong& wrong) {
  Json error{{"message", wrong.message}, {"hint", wrong.hint}};
  if (wrong.column > 0) error["column"] = wrong.column;
  return OneLine(Json{{"error", error}});
}

std::optional<Request> ReadRequest(const std::string& line, Wrong* wrong) {
  constexpr const char* kHint =
      R"(write {"expr":"0 3 * * *","timezone":"Africa/Johannesburg","after":"2026-11-21T19:30:00Z","count":5})";
  const Json json = Json::parse(line, nullptr, false);
  if (!json.is_object()) {
    *wrong = {"this line is not a JSON object", kHint};
    return std::nullopt;
  }
  Request request;
  bool has_expression = false;
  for (const auto& [key, value] : json.items()) {
    std::string* const text = key == "expr"       ? &request.expression
                              : key == "timezone" ? &request.timezone
                              : key == "dst"      ? &request.daylight
                              : key == "after"    ? &request.after
                                                  : nullptr;
    if (text == nullptr && key != "count") {
      *wrong = {"\"" + key + "\" is not known", "the keys are expr, timezone, dst, after and count"};
      return std::nullopt;
    }
    if (value.is_null() && key != "expr") continue;  // as if left out
    if (text != nullptr ? !value.is_string() : !value.is_number_integer()) {
      *wrong = {"\"" + key + "\" is " + (text != nullptr ? "a string" : "a whole number"), kHint};
      return std::nullopt;
    }
    if (text != nullptr) {
      *text = value.get<std::string>();
    } else if (value.is_number_unsigned() && value.get<uint64_t>() > kCountMax) {
      request.count = kCountMax + 1;
    } else {
      request.count = value.get<int64_t>();
    }
    has_expression |= key == "expr";
  }
  if (!has_expression) {
    *wrong = {"\"expr\" is missing", kHint};
    return std::nullopt;
  }
  return request;
}

int Batch(const Globals& globals, const std::string& file) {
  std::ifstream opened;
  if (file != "-") {
    opened.open(file);
    if (!opened) {
      ReportError(globals, "cannot read " + file, "name a file with a JSON request a line, or - for standard input");
      return kExitUsage;
    }
  }
  std::istream& in = file == "-" ? std::cin : opened;
  for (std::string line; std::getline(in, line);) {
    Wrong wrong;
    std::optional<Answer> answer;
    if (const std::optional<Request> request = ReadRequest(line, &wrong)) answer = Ask(*request, &wrong);
    std::puts((answer ? ToJson(*answer) : ToJson(wrong)).c_str());
  }
  if (in.bad()) {
    ReportError(globals, "cannot read " + file, "name a file, not a folder");
    return kExitUsage;
  }
  return kExitDone;
}

int Next(const Globals& globals, const Request& request) {
  Wrong wrong;
  const std::optional<Answer> answer = Ask(request, &wrong);
  if (!answer) {
    if (globals.json) {
      std::puts(ToJson(wrong).c_str());
    } else {
      const std::string place = wrong.column > 0 ? "column " + std::to_string(wrong.column) + ": " : "";
      ReportError(globals, place + wrong.message, wrong.hint);
    }
    return kExitUsage;
  }
  if (globals.json) {
    std::puts(ToJson(*answer).c_str());
    return kExitDone;
  }
  std::puts(answer->description.c_str());
  for (const std::string& time : answer->next) std::puts(time.c_str());
  if (answer->next.empty() && !globals.quiet) {
    std::fputs(answer->fires ? "teal: it does not fire any more\n" : "teal: it never fires: there is no such day\n",
               stderr);
  }
  return kExitDone;
}

}  // namespace

Command AddSchedule(CLI::App& app, const Globals& globals) {
  auto request = std::make_shared<Request>();
  auto batch = std::make_shared<std::string>();
  CLI::App* command = app.add_subcommand("schedule", "when schedules fire");
  command->footer("Example: teal schedule next '0 3 * * *' --timezone Africa/Johannesburg");
  command->require_subcommand(1);
  CLI::App* next = command->add_subcommand("next", "the next fire times, and the schedule in words");
  next->fallthrough();
  next->footer(
      "Example: teal schedule next 'cron(0 9 ? * MON-FRI *)' --timezone Europe/Berlin --count 3\n"
      "EXPR is cron with 5 fields, or 6 with seconds first; @daily and the like; AWS's cron(…), rate(…) and at(…); or "
      "a "
      "duration such as PT15M.");
  CLI::Option* const expression = next->add_option("EXPR", request->expression, "the schedule, in quotes");
  CLI::Option* const file =
      next->add_option("--batch", *batch,
                       "a file, or -, with a JSON request a line: expr, timezone, dst, after, count; an answer a line");
  CLI::Option* const alone[] = {
      expression,
      next->add_option("--timezone", request->timezone, "a time zone by its IANA name; UTC if left out"),
      next->add_option("--dst", request->daylight, "local times that clocks leave out: run them right after, or skip")
          ->check(CLI::IsMember({"run", "skip"})),
      next->add_option("--after", request->after, "only times after this one, of RFC 3339; now if left out"),
      next->add_option("--count", request->count, "at most so many; 5 if left out")
          ->check(CLI::Range(int64_t{1}, kCountMax)),
  };
  for (CLI::Option* const option : alone) file->excludes(option);
  return [request, batch, expression, file, &globals]() -> int {
    if (file->count() > 0) return Batch(globals, *batch);
    if (expression->count() == 0) {
      ReportError(globals, "EXPR is missing", "see teal schedule next --help");
      return kExitUsage;
    }
    return Next(globals, *request);
  };
}

}  // namespace teal::cli
