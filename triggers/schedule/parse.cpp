// Which dialect an expression is of, and those that are not cron.
#include <cctype>

#include "triggers/schedule/civil.h"
#include "triggers/schedule/cron.h"

namespace teal::schedule {
namespace {

constexpr int32_t kPeriodMonthsMax = 1200;
constexpr const char* kDialects =
    "write cron (0 3 * * *), @daily, cron(0 3 * * ? *), rate(5 minutes), at(2027-01-31T09:00:00) or a duration (PT15M)";

bool IsSpace(char c) {
  return c == ' ' || c == '\t';
}

bool StartsWith(std::string_view text, std::string_view small) {
  if (text.size() < small.size()) return false;
  for (size_t i = 0; i < small.size(); ++i) {
    if (std::tolower(static_cast<unsigned char>(text[i])) != small[i]) return false;
  }
  return true;
}

bool Is(std::string_view text, std::string_view small) {
  return text.size() == small.size() && StartsWith(text, small);
}

bool Refuse(Refusal* refusal, uint32_t column, std::string message, std::string hint) {
  *refusal = {std::move(message), std::move(hint), column};
  return false;
}

// Digits from *at on; nothing if there are none or the number is over a billion.
std::optional<int64_t> Number(std::string_view text, size_t* at) {
  int64_t value = 0;
  const size_t begin = *at;
  for (; *at < text.size() && text[*at] >= '0' && text[*at] <= '9'; ++*at) {
    value = value * 10 + (text[*at] - '0');
    if (value > 1'000'000'000) return std::nullopt;
  }
  return *at == begin ? std::nullopt : std::optional(value);
}

bool Checked(const Period& period, uint32_t column, Refusal* refusal) {
  if (period.seconds == 0 && period.months == 0) {
    return Refuse(refusal, column, "a schedule cannot repeat after no time", "write at least one second: PT1S");
  }
  if (period.seconds > kPeriodSecondsMax || period.months > kPeriodMonthsMax) {
    return Refuse(refusal, column, "the time between two runs is over a hundred years", "write a shorter one");
  }
  return true;
}

bool ParseRate(std::string_view text, uint32_t column, Period* period, Refusal* refusal) {
  constexpr const char* kHint = "write rate(1 minute), rate(5 minutes), rate(1 hour) or rate(7 days)";
  size_t at = 0;
  while (at < text.size() && IsSpace(text[at])) ++at;
  const uint32_t number_column = column + static_cast<uint32_t>(at);
  const std::optional<int64_t> count = Number(text, &at);
  if (!count || *count == 0) return Refuse(refusal, number_column, "rate(…) begins with a number from 1", kHint);
  while (at < text.size() && IsSpace(text[at])) ++at;
  const uint32_t unit_column = column + static_cast<uint32_t>(at);
  std::string_view unit = text.substr(at);
  while (!unit.empty() && IsSpace(unit.back())) unit.remove_suffix(1);
  static constexpr struct {
    std::string_view one, many;
    int64_t seconds;
  } kUnits[] = {{"minute", "minutes", 60}, {"hour", "hours", 3600}, {"day", "days", 86'400}};
  for (const auto& known : kUnits) {
    const bool one = Is(unit, known.one);
    if (!one && !Is(unit, known.many)) continue;
    if (one != (*count == 1)) {
      return Refuse(refusal, unit_column,
                    "the unit of rate(…) is " + std::string(one ? "plural for more than 1" : "singular for 1"),
                    "write rate(" + std::to_string(*count) + " " + std::string(one ? known.many : known.one) + ")");
    }
    period->seconds = *count * known.seconds;
    return Checked(*period, number_column, refusal);
  }
  return Refuse(refusal, unit_column, "\"" + std::string(unit) + "\" is not a unit of rate(…)", kHint);
}

bool ParseMoment(std::string_view text, uint32_t column, Moment* moment, Refusal* refusal) {
  const std::optional<int64_t> local = ReadLocal(text);
  if (!local || *local < 0) {
    return Refuse(refusal, column, "\"" + std::string(text) + "\" is not a date and time from 1970 on",
                  "write at(2027-01-31T09:00:00): local to the time zone, without an offset");
  }
  moment->local = *local;
  return true;
}

// PnYnMnWnDTnHnMnS, each part at most once, in this order.
bool ParseDuration(std::string_view text, uint32_t column, Period* period, Refusal* refusal) {
  static constexpr struct {
    char letter;
    bool of_day;
    int64_t seconds, months;
  } kParts[] = {{'y', false, 0, 12},     {'m', false, 0, 1},   {'w', false, 7 * 86'400, 0},
                {'d', false, 86'400, 0}, {'h', true, 3600, 0}, {'m', true, 60, 0},
                {'s', true, 1, 0}};
  constexpr const char* kHint = "write PT15M, PT1H30M, P1D, P2W or P1M: whole numbers, the largest unit first";
  size_t part = 0;
  bool of_day = false;
  size_t parts_of_day = 0;
  size_t at = 1;
  int64_t months = 0;
  if (at == text.size()) return Refuse(refusal, column, "the duration is empty", kHint);
  while (at < text.size()) {
    const uint32_t here = column + static_cast<uint32_t>(at);
    if (!of_day && std::tolower(static_cast<unsigned char>(text[at])) == 't') {
      of_day = true;
      ++at;
      continue;
    }
    const std::optional<int64_t> count = Number(text, &at);
    if (!count || at == text.size()) return Refuse(refusal, here, "this is not a duration of ISO 8601", kHint);
    const char letter = static_cast<char>(std::tolower(static_cast<unsigned char>(text[at++])));
    while (part < std::size(kParts) && (kParts[part].letter != letter || kParts[part].of_day != of_day)) ++part;
    if (part == std::size(kParts)) return Refuse(refusal, here, "this is not a duration of ISO 8601", kHint);
    period->seconds += *count * kParts[part].seconds;
    months += *count * kParts[part].months;
    if (of_day) ++parts_of_day;
    ++part;
  }
  if (of_day && parts_of_day == 0) {
    return Refuse(refusal, column + static_cast<uint32_t>(text.size()) - 1, "after T stand hours, minutes or seconds",
                  kHint);
  }
  period->months = static_cast<int32_t>(months > kPeriodMonthsMax ? kPeriodMonthsMax + 1 : months);
  return Checked(*period, column, refusal);
}

bool ParseNamed(std::string_view text, uint32_t column, Cron* cron, Refusal* refusal) {
  static constexpr struct {
    std::string_view name, fields;
  } kNamed[] = {{"@yearly", "0 0 1 1 *"}, {"@annually", "0 0 1 1 *"}, {"@monthly", "0 0 1 * *"},
                {"@weekly", "0 0 * * 0"}, {"@daily", "0 0 * * *"},    {"@midnight", "0 0 * * *"},
                {"@hourly", "0 * * * *"}};
  for (const auto& known : kNamed) {
    if (Is(text, known.name)) return ParseCron(known.fields, column, cron, refusal);
  }
  return Refuse(refusal, column, "\"" + std::string(text) + "\" is not known",
                "write @yearly, @monthly, @weekly, @daily, @midnight or @hourly");
}

}  // namespace

std::optional<Schedule> Schedule::Parse(std::string_view text, Refusal* refusal) {
  uint32_t column = 1;
  if (text.size() > kExpressionBytesMax) {
    Refuse(refusal, static_cast<uint32_t>(kExpressionBytesMax) + 1,
           "a schedule has at most " + std::to_string(kExpressionBytesMax) + " bytes", kDialects);
    return std::nullopt;
  }
  for (; !text.empty() && IsSpace(text.front()); ++column) text.remove_prefix(1);
  while (!text.empty() && IsSpace(text.back())) text.remove_suffix(1);
  if (text.empty()) {
    Refuse(refusal, 1, "the schedule is empty", kDialects);
    return std::nullopt;
  }
  Schedule made;
  bool taken = false;
  const size_t open = text.find('(');
  if (open != std::string_view::npos) {
    const std::string_view name = text.substr(0, open);
    const uint32_t inner_column = column + static_cast<uint32_t>(open) + 1;
    if (!Is(name, "cron") && !Is(name, "rate") && !Is(name, "at")) {
      Refuse(refusal, column, "\"" + std::string(name) + "(…)\" is not known", kDialects);
      return std::nullopt;
    }
    if (text.back() != ')') {
      Refuse(refusal, column + static_cast<uint32_t>(text.size()), "the closing bracket is missing",
             "write ) at the end");
      return std::nullopt;
    }
    const std::string_view inner = text.substr(open + 1, text.size() - open - 2);
    if (Is(name, "cron")) {
      taken = ParseAwsCron(inner, inner_column, &made.cron_, refusal);
    } else if (Is(name, "rate")) {
      made.kind_ = Kind::kPeriod;
      taken = ParseRate(inner, inner_column, &made.period_, refusal);
    } else {
      made.kind_ = Kind::kMoment;
      taken = ParseMoment(inner, inner_column, &made.moment_, refusal);
    }
  } else if (text.front() == '@') {
    taken = ParseNamed(text, column, &made.cron_, refusal);
  } else if (text.front() == 'P' || text.front() == 'p') {
    made.kind_ = Kind::kPeriod;
    taken = ParseDuration(text, column, &made.period_, refusal);
  } else {
    taken = ParseCron(text, column, &made.cron_, refusal);
  }
  if (!taken) return std::nullopt;
  return made;
}

}  // namespace teal::schedule
