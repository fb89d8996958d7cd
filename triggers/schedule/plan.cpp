#include "triggers/schedule/plan.h"

#include <charconv>
#include <deque>
#include <nlohmann/json.hpp>
#include <teal/trigger.hpp>

#include "triggers/schedule/civil.h"

namespace teal::schedule {
namespace {

using Json = nlohmann::json;
using plugin::Error;

constexpr int kNextShown = 5;

Error Invalid(std::string message) {
  return {TEAL_INVALID, std::move(message)};
}

std::optional<uint64_t> ReadCatchup(std::string_view text) {
  if (text == "none") return 0;
  if (text == "one") return 1;
  if (text == "all") return UINT64_MAX;
  if (!text.starts_with("all(") || !text.ends_with(")")) return std::nullopt;
  text = text.substr(4, text.size() - 5);
  uint64_t count = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), count);
  if (error != std::errc() || end != text.data() + text.size() || count == 0 || count > 999'999) return std::nullopt;
  return count;
}

// Steele, Lea, Flood, "Fast splittable pseudorandom number generators" (2014): the mixing function of SplitMix64.
uint64_t Mix(uint64_t z) {
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
  return z ^ (z >> 31);
}

}  // namespace

std::optional<Error> ReadSection(std::string_view text, std::optional<Section>* section) {
  const Json json = Json::parse(text, nullptr, false);
  if (!json.is_object()) return Invalid("the section of a schedule is no JSON object");
  std::string expression, timezone = "UTC", catchup = "one", overlap = "allow", jitter = "0s", dst = "run";
  for (const auto& [key, value] : json.items()) {
    std::string* const known = key == "expression" ? &expression
                               : key == "timezone" ? &timezone
                               : key == "catchup"  ? &catchup
                               : key == "overlap"  ? &overlap
                               : key == "jitter"   ? &jitter
                               : key == "dst"      ? &dst
                                                   : nullptr;
    if (known == nullptr) {
      return Invalid("unknown key \"" + key + "\"; known: expression timezone catchup overlap jitter dst");
    }
    if (value.is_string()) {
      *known = value.get<std::string>();
    } else if (key == "jitter" && value.is_number()) {
      *known = value.dump();
    } else {
      return Invalid("\"" + key + "\" is no string");
    }
  }
  if (!json.contains("expression")) return Invalid("\"expression\" is missing");
  Refusal refusal;
  const std::optional<Schedule> schedule = Schedule::Parse(expression, &refusal);
  if (!schedule) {
    return Invalid("the schedule \"" + expression + "\", column " + std::to_string(refusal.column) + ": " +
                   refusal.message + "; " + refusal.hint);
  }
  if (!schedule->Fires()) return Invalid("the schedule \"" + expression + "\" never fires: there is no such day");
  const std::optional<Zone> zone = timezone == "UTC" ? Zone::Utc() : Zone::Load(timezone);
  if (!zone) {
    return Invalid("there is no time zone \"" + timezone +
                   "\"; write a name of IANA such as Africa/Johannesburg, and have tzdata installed");
  }
  const std::optional<uint64_t> catchup_max = ReadCatchup(catchup);
  if (!catchup_max) return Invalid("catchup is none, one, all or all(NUMBER), not \"" + catchup + "\"");
  if (overlap != "allow" && overlap != "skip" && overlap != "replace") {
    return Invalid("overlap is allow, skip or replace, not \"" + overlap + "\"");
  }
  const std::optional<uint64_t> jitter_ns = trigger::ReadDuration(jitter);
  if (!jitter_ns || *jitter_ns > kJitterNsMax)
    return Invalid("jitter is a duration of at most a day, such as 30s, not \"" + jitter + "\"");
  if (dst != "run" && dst != "skip") return Invalid("dst is run or skip, not \"" + dst + "\"");
  section->emplace(Section{expression, timezone, overlap, *schedule, *zone,
                           dst == "skip" ? Daylight::kSkip : Daylight::kRun, *catchup_max, *jitter_ns});
  return std::nullopt;
}

std::optional<Progress> ReadProgress(std::string_view text) {
  const Json json = Json::parse(text, nullptr, false);
  if (!json.is_object()) return std::nullopt;
  const auto number = [&](const char* key) -> std::optional<int64_t> {
    const auto at = json.find(key);
    if (at == json.end() || !at->is_string()) return std::nullopt;
    return ReadTime(at->get_ref<const std::string&>());
  };
  const std::optional<int64_t> begin = number("begin");
  const std::optional<int64_t> through = number("through");
  const auto expression = json.find("expression");
  const auto done = json.find("done");
  if (!begin || !through || expression == json.end() || !expression->is_string() || done == json.end() ||
      !done->is_array()) {
    return std::nullopt;
  }
  Progress progress{*begin, *through, {}, expression->get<std::string>()};
  for (const Json& one : *done) {
    const std::optional<int64_t> time = one.is_string() ? ReadTime(one.get_ref<const std::string&>()) : std::nullopt;
    if (!time) return std::nullopt;
    progress.done.insert(*time);
  }
  return progress;
}

std::string WriteProgress(const Section& section, const Progress& progress, int64_t now) {
  const Zone utc = Zone::Utc();
  Json done = Json::array();
  for (const int64_t time : progress.done) done.push_back(WriteTime(time, utc));
  Json next = Json::array();
  int64_t after = std::max(progress.through, now);
  for (int i = 0; i < kNextShown; ++i) {
    const std::optional<int64_t> time = NextAfter(section, progress, after);
    if (!time) break;
    next.push_back(WriteTime(*time, section.zone));
    after = *time;
  }
  return Json{{"expression", progress.expression},
              {"begin", WriteTime(progress.begin, utc)},
              {"through", WriteTime(progress.through, utc)},
              {"done", done},
              {"next", next}}
      .dump();
}

std::optional<int64_t> NextAfter(const Section& section, const Progress& progress, int64_t after) {
  return section.schedule.Next(section.zone, section.daylight, after, progress.begin);
}

void Finish(const Section& section, Progress* progress, int64_t time) {
  if (time <= progress->through) return;
  progress->done.insert(time);
  while (!progress->done.empty()) {
    const std::optional<int64_t> next = NextAfter(section, *progress, progress->through);
    if (!next || *next != *progress->done.begin()) break;
    progress->through = *next;
    progress->done.erase(progress->done.begin());
  }
}

void Join(const Section& section, Progress* progress, const Progress& other) {
  progress->begin = other.begin;
  if (other.through > progress->through) {
    progress->through = other.through;
    progress->done.erase(progress->done.begin(), progress->done.upper_bound(other.through));
  }
  for (const int64_t time : other.done) Finish(section, progress, time);
  // What was out of order may have become the next.
  const std::set<int64_t> own = progress->done;
  for (const int64_t time : own) Finish(section, progress, time);
}

void LeaveMissed(const Section& section, Progress* progress, int64_t now) {
  if (progress->through > now) {
    // The clock was ahead when these were done. What is done again finds its sessions.
    progress->through = now;
    progress->done.clear();
    return;
  }
  if (section.catchup_max == UINT64_MAX) return;
  int64_t through = now;
  if (section.catchup_max > 0) {
    // The latest ones are looked for from the end, in spans that double.
    std::deque<int64_t> latest;
    for (int64_t span = 3600;; span *= 2) {
      const int64_t from = std::max(progress->through, now - span);
      latest.clear();
      for (std::optional<int64_t> time = NextAfter(section, *progress, from); time && *time <= now;
           time = NextAfter(section, *progress, *time)) {
        latest.push_back(*time);
        if (latest.size() > section.catchup_max) latest.pop_front();
      }
      if (latest.size() >= section.catchup_max || from == progress->through) break;
    }
    if (latest.empty()) return;
    through = latest.front() - 1;
  }
  if (through <= progress->through) return;
  progress->through = through;
  progress->done.erase(progress->done.begin(), progress->done.upper_bound(through));
}

uint64_t JitterOf(const Section& section, std::string_view trigger, int64_t time) {
  if (section.jitter_ns == 0) return 0;
  uint64_t hash = 0xcbf29ce484222325ULL;  // FNV-1a
  for (const char c : trigger) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3ULL;
  return Mix(hash ^ Mix(static_cast<uint64_t>(time))) % section.jitter_ns;
}

}  // namespace teal::schedule
