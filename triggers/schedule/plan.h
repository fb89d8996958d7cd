// One schedule's section, and which of its fire times are done with. Not synchronised. Times are whole seconds since
// 1970 unless they say ns.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <teal/plugin.hpp>
#include <vector>

#include "triggers/schedule/schedule.h"

namespace teal::schedule {

inline constexpr uint64_t kJitterNsMax = 86'400'000'000'000;
inline constexpr size_t kDoneMax = 1000;  // fire times done with out of order

// The section of a trigger: {"expression","timezone","catchup","overlap","jitter","dst"}, all but the first optional.
struct Section {
  std::string expression;
  std::string timezone = "UTC";
  std::string overlap = "allow";
  Schedule schedule;
  Zone zone;
  Daylight daylight = Daylight::kRun;
  uint64_t catchup_max = 1;  // missed runs that are made up for; UINT64_MAX: all
  uint64_t jitter_ns = 0;
};
// The error names the key, of an expression the column.
std::optional<plugin::Error> ReadSection(std::string_view json, std::optional<Section>* section);

// What is kept: fire times up to `through` are done with, and those of `done`, which came out of order. It only grows,
// so that what two hosts know can be joined.
struct Progress {
  int64_t begin = 0;  // what periods are counted from: when the schedule was first started
  int64_t through = 0;
  std::set<int64_t> done;
  std::string expression;  // of which these are the times; another begins anew
};
// Nothing: it is no text of WriteProgress.
std::optional<Progress> ReadProgress(std::string_view json);
// With the next five fire times, for people.
std::string WriteProgress(const Section& section, const Progress& progress, int64_t now);

std::optional<int64_t> NextAfter(const Section& section, const Progress& progress, int64_t after);
// The time is done with.
void Finish(const Section& section, Progress* progress, int64_t time);
// Takes over what the other knows.
void Join(const Section& section, Progress* progress, const Progress& other);
// At the start: leaves of the times that were missed, up to `now`, as many as catchup allows, the latest. What a clock
// that was ahead made of the time to come is forgotten.
void LeaveMissed(const Section& section, Progress* progress, int64_t now);

// How long after its time the run is to start: the same on every host.
uint64_t JitterOf(const Section& section, std::string_view trigger, int64_t time);

}  // namespace teal::schedule
