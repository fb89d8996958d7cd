// A schedule in words.
#include <bit>
#include <cstdio>
#include <vector>

#include "triggers/schedule/civil.h"

namespace teal::schedule {
namespace {

constexpr const char* kMonths[] = {"",     "January", "February",  "March",   "April",    "May",     "June",
                                   "July", "August",  "September", "October", "November", "December"};
constexpr const char* kWeekdays[] = {"Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"};
constexpr const char* kOrdinals[] = {"first", "second", "third", "fourth", "fifth"};
constexpr int kTimesMax = 6;  // more than these are not listed one by one

std::string Joined(const std::vector<std::string>& words, const char* last) {
  std::string text;
  for (size_t i = 0; i < words.size(); ++i) {
    if (i > 0) text += i + 1 == words.size() ? std::string(" ") + last + " " : ", ";
    text += words[i];
  }
  return text;
}

std::vector<unsigned> ValuesOf(uint64_t set) {
  std::vector<unsigned> values;
  for (; set != 0; set &= set - 1) values.push_back(static_cast<unsigned>(std::countr_zero(set)));
  return values;
}

std::string TwoDigits(unsigned value) {
  return (value < 10 ? "0" : "") + std::to_string(value);
}

// "1", "1 and 15", "9 to 17": the runs of neighbours as such.
template <typename Word>
std::string Listed(uint64_t set, const Word& word) {
  std::vector<std::string> words;
  const std::vector<unsigned> values = ValuesOf(set);
  for (size_t i = 0; i < values.size();) {
    size_t end = i;
    while (end + 1 < values.size() && values[end + 1] == values[end] + 1) ++end;
    if (end - i >= 2) {
      words.push_back(word(values[i]) + " to " + word(values[end]));
    } else {
      for (size_t k = i; k <= end; ++k) words.push_back(word(values[k]));
    }
    i = end + 1;
  }
  return Joined(words, "and");
}

std::string Plain(unsigned value) {
  return std::to_string(value);
}

std::string Numbered(const char* what, uint64_t set) {
  return std::string(what) + (std::popcount(set) == 1 ? " " : "s ") + Listed(set, Plain);
}

// n for a set that is every n from 0 on, evenly through `span`; 0 for any other.
unsigned EvenStep(uint64_t set, unsigned span) {
  const unsigned count = static_cast<unsigned>(std::popcount(set));
  if (count < 2 || span % count != 0) return 0;
  const unsigned step = span / count;
  for (unsigned value = 0; value < span; value += step) {
    if (!(set >> value & 1)) return 0;
  }
  return step;
}

std::string Every(unsigned step, const char* unit) {
  return step == 1 ? std::string("every ") + unit : "every " + std::to_string(step) + " " + unit + "s";
}

std::string HoursOf(const Cron& cron, const char* hour_of_all) {
  const unsigned step = EvenStep(cron.hours, 24);
  if (step == 1) return hour_of_all;
  if (step > 1) return " of " + Every(step, "hour");
  return " of " + Numbered("hour", cron.hours);
}

// The time of the day; *listed: as moments, so that the days have to be named.
std::string TimesOf(const Cron& cron, bool* listed) {
  const int times = std::popcount(cron.seconds) * std::popcount(cron.minutes) * std::popcount(cron.hours);
  *listed = times <= kTimesMax;
  if (*listed) {
    std::vector<std::string> words;
    for (const unsigned hour : ValuesOf(cron.hours)) {
      for (const unsigned minute : ValuesOf(cron.minutes)) {
        for (const unsigned second : ValuesOf(cron.seconds)) {
          words.push_back(TwoDigits(hour) + ":" + TwoDigits(minute) +
                          (cron.seconds == 1 ? "" : ":" + TwoDigits(second)));
        }
      }
    }
    return "at " + Joined(words, "and");
  }
  const unsigned minute_step = EvenStep(cron.minutes, 60);
  if (cron.seconds == 1) {
    if (minute_step > 0) return Every(minute_step, "minute") + HoursOf(cron, "");
    if (cron.minutes == 1 && EvenStep(cron.hours, 24) > 0) return Every(EvenStep(cron.hours, 24), "hour");
    return "at " + Numbered("minute", cron.minutes) + HoursOf(cron, " of every hour");
  }
  const unsigned second_step = EvenStep(cron.seconds, 60);
  const std::string seconds = second_step > 0 ? Every(second_step, "second") : "at " + Numbered("second", cron.seconds);
  if (minute_step == 1) return seconds + (second_step > 0 ? "" : " of every minute") + HoursOf(cron, "");
  return seconds + " of " + (minute_step > 0 ? Every(minute_step, "minute") : Numbered("minute", cron.minutes)) +
         HoursOf(cron, minute_step > 0 ? "" : " of every hour");
}

std::string DaysOf(const Cron& cron) {
  std::vector<std::string> words;
  if (!cron.any_day) {
    if (cron.days != 0) words.push_back(Numbered("day", cron.days));
    for (const unsigned n : ValuesOf(cron.before_last)) {
      if (n == 0) words.push_back("the last day");
      if (n > 0) words.push_back(std::to_string(n) + (n == 1 ? " day" : " days") + " before the last day");
    }
    for (const unsigned day : ValuesOf(cron.nearest))
      words.push_back("the working day nearest to day " + std::to_string(day));
    if (cron.last_working_day) words.push_back("the last working day");
  }
  // "of the month" once, at the end of what needs it.
  if (!words.empty()) words = {Joined(words, "and") + " of the month"};
  if (!cron.any_weekday) {
    if (cron.weekdays != 0)
      words.push_back(Listed(cron.weekdays, [](unsigned day) { return std::string(kWeekdays[day]); }));
    std::vector<std::string> nth;
    for (size_t n = 0; n < cron.nth_weekdays.size(); ++n) {
      for (const unsigned day : ValuesOf(cron.nth_weekdays[n]))
        nth.push_back(std::string("the ") + kOrdinals[n] + " " + kWeekdays[day]);
    }
    for (const unsigned day : ValuesOf(cron.last_weekdays)) nth.push_back(std::string("the last ") + kWeekdays[day]);
    if (!nth.empty()) words.push_back(Joined(nth, "and") + " of the month");
  }
  return words.empty() ? "" : " on " + Joined(words, "or on");
}

std::string YearsOf(const Cron& cron) {
  std::vector<std::string> words;
  for (int year = kFirstYear; year <= kLastYear;) {
    int end = year;
    while (end <= kLastYear && cron.years[static_cast<size_t>(end - kFirstYear)]) ++end;
    if (end > year) words.push_back(std::to_string(year) + (end - year > 1 ? " to " + std::to_string(end - 1) : ""));
    year = end + 1;
  }
  return Joined(words, "and");
}

std::string OfCron(const Cron& cron) {
  constexpr uint32_t kAllMonths = 0x1ffe;
  bool listed;
  std::string text = TimesOf(cron, &listed);
  const std::string days = DaysOf(cron);
  text += days.empty() && listed ? " every day" : days;
  if (cron.months != kAllMonths) {
    text += " in " + Listed(cron.months, [](unsigned month) { return std::string(kMonths[month]); });
  }
  if (!cron.any_year) text += (cron.months != kAllMonths ? " of " : " in ") + YearsOf(cron);
  return text;
}

std::string OfPeriod(const Period& period) {
  static constexpr struct {
    const char* name;
    int64_t seconds;
  } kUnits[] = {{"day", 86'400}, {"hour", 3600}, {"minute", 60}, {"second", 1}};
  std::vector<std::string> words;
  const auto add = [&](int64_t count, const std::string& unit) {
    if (count > 0) words.push_back(std::to_string(count) + " " + unit + (count == 1 ? "" : "s"));
  };
  add(period.months / 12, "year");
  add(period.months % 12, "month");
  int64_t left = period.seconds;
  for (const auto& unit : kUnits) {
    add(left / unit.seconds, unit.name);
    left %= unit.seconds;
  }
  if (words.size() == 1 && words[0].starts_with("1 ")) return "every " + words[0].substr(2);
  return "every " + Joined(words, "and");
}

}  // namespace

std::string Schedule::Describe() const {
  std::string text;
  switch (kind_) {
    case Kind::kCron:
      text = OfCron(cron_);
      break;
    case Kind::kPeriod:
      text = OfPeriod(period_);
      break;
    case Kind::kMoment:
      text = "once, at " + WriteLocal(moment_.local);
      break;
  }
  text[0] = static_cast<char>(text[0] - ('a' - 'A'));
  return text;
}

}  // namespace teal::schedule
