#include "triggers/schedule/cron.h"

#include <array>

namespace teal::schedule {
namespace {

enum Field : uint8_t { kSecond, kMinute, kHour, kDay, kMonth, kWeekday, kYear };

struct FieldRule {
  const char* name;
  unsigned least;
  unsigned most;
};

constexpr FieldRule kRules[] = {{"second", 0, 59},
                                {"minute", 0, 59},
                                {"hour", 0, 23},
                                {"day of month", 1, 31},
                                {"month", 1, 12},
                                {"day of week", 0, 7},
                                {"year", kFirstYear, kLastYear}};
constexpr std::string_view kMonthNames = "janfebmaraprmayjunjulaugsepoctnovdec";
constexpr std::string_view kDayNames = "sunmontuewedthufrisat";
constexpr size_t kFieldsMax = 7;  // one more than any dialect has

struct Word {
  std::string_view text;
  uint32_t column;
};

char Lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c;
}

bool IsDigit(char c) {
  return c >= '0' && c <= '9';
}

// The place of a name of three letters in `names`, or -1.
int Named(std::string_view text, std::string_view names) {
  if (text.size() != 3) return -1;
  const char name[] = {Lower(text[0]), Lower(text[1]), Lower(text[2])};
  for (size_t i = 0; i < names.size(); i += 3) {
    if (names.substr(i, 3) == std::string_view(name, 3)) return static_cast<int>(i / 3);
  }
  return -1;
}

// Reads one expression. Every function is false after a refusal.
class Reader {
 public:
  Reader(bool aws, Cron* cron, Refusal* refusal) : aws_(aws), cron_(cron), refusal_(refusal) {}

  bool Read(std::string_view text, uint32_t column) {
    std::array<Word, kFieldsMax> words;
    const size_t count = Split(text, column, &words);
    const uint32_t end = column + static_cast<uint32_t>(text.size());
    if (aws_ && count != 6) {
      return Refuse(count < 6 ? end : words[6].column, "cron(…) has 6 fields, not " + Count(count),
                    "write minute, hour, day of month, month, day of week and year: cron(0 3 * * ? *)");
    }
    if (!aws_ && count != 5 && count != 6) {
      return Refuse(
          count < 5 ? end : words[6].column, "a cron expression has 5 or 6 fields, not " + Count(count),
          "write minute, hour, day of month, month and day of week, with seconds before them or not: 0 3 * * *");
    }
    const size_t first = aws_ || count == 5 ? kMinute : kSecond;
    for (size_t i = 0; i < count; ++i) {
      if (!ReadField(static_cast<Field>(first + i), words[i])) return false;
    }
    if (aws_) {
      const bool day = words[2].text == "?";
      const bool weekday = words[4].text == "?";
      if (day == weekday) {
        return Refuse(words[day ? 4 : 2].column, "exactly one of day of month and day of week is ? in cron(…)",
                      "write ? for the one that does not matter: cron(0 3 * * ? *)");
      }
    }
    constexpr uint32_t kAllHours = (1U << 24) - 1;
    cron_->interval = steps_ || cron_->hours == kAllHours;
    return true;
  }

 private:
  static std::string Count(size_t count) { return count >= kFieldsMax ? "more" : std::to_string(count); }

  static size_t Split(std::string_view text, uint32_t column, std::array<Word, kFieldsMax>* words) {
    size_t count = 0;
    for (size_t at = 0; at < text.size() && count < kFieldsMax;) {
      if (text[at] == ' ' || text[at] == '\t') {
        ++at;
        continue;
      }
      const size_t begin = at;
      while (at < text.size() && text[at] != ' ' && text[at] != '\t') ++at;
      (*words)[count++] = {text.substr(begin, at - begin), column + static_cast<uint32_t>(begin)};
    }
    return count;
  }

  bool Refuse(uint32_t column, std::string message, std::string hint) {
    *refusal_ = {std::move(message), std::move(hint), column};
    return false;
  }

  unsigned Least() const { return aws_ && field_ == kWeekday ? 1 : kRules[field_].least; }
  unsigned Most() const { return kRules[field_].most; }

  std::string Range() const {
    std::string range = std::to_string(Least()) + " to " + std::to_string(Most());
    if (field_ == kMonth) range += " or JAN to DEC";
    if (field_ == kWeekday)
      range += aws_ ? ", where 1 is Sunday, or SUN to SAT" : ", where 0 and 7 are Sunday, or SUN to SAT";
    return range;
  }

  bool RefuseItem(const Word& item, const std::string& what) {
    return Refuse(item.column, std::string(kRules[field_].name) + ": " + what, "write " + Range());
  }

  bool ReadField(Field field, const Word& word) {
    field_ = field;
    set_ = {};
    whole_ = false;
    for (size_t begin = 0;;) {
      const size_t comma = word.text.find(',', begin);
      const size_t end = comma == std::string_view::npos ? word.text.size() : comma;
      const Word item{word.text.substr(begin, end - begin), word.column + static_cast<uint32_t>(begin)};
      if (item.text.empty()) return RefuseItem(item, "something is missing beside a comma");
      if (!ReadItem(item, end - begin == word.text.size())) return false;
      if (comma == std::string_view::npos) break;
      begin = comma + 1;
    }
    Store();
    return true;
  }

  void Store() {
    const uint64_t set = set_[0];
    switch (field_) {
      case kSecond:
        cron_->seconds = set;
        break;
      case kMinute:
        cron_->minutes = set;
        break;
      case kHour:
        cron_->hours = static_cast<uint32_t>(set);
        break;
      case kMonth:
        cron_->months = static_cast<uint32_t>(set);
        break;
      case kDay:
        cron_->any_day = whole_;
        cron_->days = static_cast<uint32_t>(set);
        break;
      case kWeekday:
        cron_->any_weekday = whole_;
        cron_->weekdays = static_cast<uint32_t>(set);
        break;
      case kYear:
        cron_->any_year = whole_;
        for (unsigned i = 0; i <= kLastYear - kFirstYear; ++i) cron_->years[i] = set_[i / 64] >> (i % 64) & 1;
        break;
    }
  }

  void Add(unsigned value) {
    if (field_ == kWeekday) value = aws_ ? value - 1 : value % 7;
    if (field_ == kYear) value -= kFirstYear;
    set_[value / 64] |= uint64_t{1} << (value % 64);
  }

  bool ReadItem(const Word& item, bool alone) {
    const std::string_view text = item.text;
    if (text == "?") {
      if (field_ != kDay && field_ != kWeekday) {
        return Refuse(item.column, std::string(kRules[field_].name) + ": ? is for the two day fields only", "write *");
      }
      if (!alone)
        return Refuse(item.column, std::string(kRules[field_].name) + ": ? stands alone", "leave out ? or the rest");
      whole_ = true;
      return true;
    }
    if (field_ == kDay) {
      bool done = false;
      if (!ReadSpecialDay(item, &done)) return false;
      if (done) return true;
    }
    if (field_ == kWeekday) {
      bool done = false;
      if (!ReadSpecialWeekday(item, &done)) return false;
      if (done) return true;
    }
    return ReadRange(item);
  }

  // `*`, `a`, `a-b`, each with `/step` or without.
  bool ReadRange(const Word& item) {
    const size_t slash = item.text.find('/');
    const std::string_view range = item.text.substr(0, slash);
    unsigned first = Least();
    unsigned last = field_ == kWeekday ? first + 6 : Most();
    const unsigned span = last - first + 1;
    bool wraps = false;
    if (range != "*") {
      const size_t dash = range.find('-');
      unsigned begin, end;
      if (!ReadValue({range.substr(0, dash), item.column}, &begin)) return false;
      end = slash == std::string_view::npos ? begin : last;
      if (dash != std::string_view::npos &&
          !ReadValue({range.substr(dash + 1), item.column + static_cast<uint32_t>(dash) + 1}, &end)) {
        return false;
      }
      if (field_ == kWeekday && !aws_ && begin == 7 && end != 7) begin = 0;
      if (field_ == kWeekday && !aws_ && slash != std::string_view::npos && dash == std::string_view::npos) begin %= 7;
      wraps = begin > end;
      first = begin;
      last = wraps ? end + span : end;
      if (wraps && field_ == kYear) return RefuseItem(item, "the range ends before it begins");
    }
    unsigned step = 1;
    if (slash != std::string_view::npos) {
      const std::string_view text = item.text.substr(slash + 1);
      const uint32_t column = item.column + static_cast<uint32_t>(slash) + 1;
      if (!ReadNumber(text, &step) || step == 0) {
        return Refuse(column, std::string(kRules[field_].name) + ": \"" + std::string(text) + "\" is not a step",
                      "write a number from 1 to " + std::to_string(span - 1) + " after the /");
      }
      if (step >= span) {
        return Refuse(column,
                      std::string(kRules[field_].name) + ": a step of " + std::to_string(step) +
                          " is longer than the whole field",
                      "write a number up to " + std::to_string(span - 1) + ", or a rate such as rate(90 minutes)");
      }
      if (field_ == kSecond || field_ == kMinute) steps_ = true;
    }
    if (range == "*" && step == 1) whole_ = true;
    if (range == "*" && (field_ == kSecond || field_ == kMinute)) steps_ = true;
    for (unsigned value = first; value <= last; value += step) Add(value > Top(span) ? value - span : value);
    return true;
  }

  // The highest value that ReadRange may count to before it begins again.
  unsigned Top(unsigned span) const { return field_ == kWeekday && !aws_ ? 7 : Least() + span - 1; }

  // L, L-n, LW, nW.
  bool ReadSpecialDay(const Word& item, bool* done) {
    const std::string_view text = item.text;
    const char first = Lower(text.front());
    const char last = Lower(text.back());
    *done = true;
    if (first == 'l') {
      if (text.size() == 1) {
        cron_->before_last |= 1;
        return true;
      }
      if (text.size() == 2 && last == 'w') {
        cron_->last_working_day = true;
        return true;
      }
      unsigned days;
      if (text[1] == '-' && ReadNumber(text.substr(2), &days) && days <= 30) {
        cron_->before_last |= uint32_t{1} << days;
        return true;
      }
      return Refuse(item.column, "day of month: \"" + std::string(text) + "\" is not known",
                    "write L for the last day, L-3 for three days before it, LW for the last weekday");
    }
    if (last == 'w') {
      unsigned day;
      if (ReadNumber(text.substr(0, text.size() - 1), &day) && day >= 1 && day <= 31) {
        cron_->nearest |= uint32_t{1} << day;
        return true;
      }
      return Refuse(item.column, "day of month: \"" + std::string(text) + "\" is not known",
                    "write 15W for the weekday nearest to the 15th, LW for the last weekday");
    }
    *done = false;
    return true;
  }

  // a#n, aL, and in AWS's dialect L for Saturday.
  bool ReadSpecialWeekday(const Word& item, bool* done) {
    const std::string_view text = item.text;
    *done = true;
    unsigned day;
    if (const size_t hash = text.find('#'); hash != std::string_view::npos) {
      if (!ReadValue({text.substr(0, hash), item.column}, &day)) return false;
      unsigned n;
      if (!ReadNumber(text.substr(hash + 1), &n) || n < 1 || n > 5) {
        return Refuse(item.column + static_cast<uint32_t>(hash) + 1, "day of week: after # stands a number from 1 to 5",
                      "write FRI#2 for the second Friday of the month");
      }
      cron_->nth_weekdays[n - 1] |= uint32_t{1} << WeekdayOf(day);
      return true;
    }
    if (Lower(text.back()) == 'l') {
      if (text.size() > 1) {
        if (!ReadValue({text.substr(0, text.size() - 1), item.column}, &day)) return false;
        cron_->last_weekdays |= uint32_t{1} << WeekdayOf(day);
        return true;
      }
      if (!aws_) {
        return Refuse(item.column, "day of week: L needs a day before it",
                      "write FRIL for the last Friday of the month; L in the day of month is its last day");
      }
      set_[0] |= uint64_t{1} << 6;
      return true;
    }
    *done = false;
    return true;
  }

  unsigned WeekdayOf(unsigned value) const { return aws_ ? value - 1 : value % 7; }

  static bool ReadNumber(std::string_view text, unsigned* value) {
    if (text.empty() || text.size() > 4) return false;
    *value = 0;
    for (const char c : text) {
      if (!IsDigit(c)) return false;
      *value = *value * 10 + static_cast<unsigned>(c - '0');
    }
    return true;
  }

  bool ReadValue(const Word& word, unsigned* value) {
    if (field_ == kMonth || field_ == kWeekday) {
      const int named = Named(word.text, field_ == kMonth ? kMonthNames : kDayNames);
      if (named >= 0) {
        *value = static_cast<unsigned>(named) + (field_ == kMonth || aws_ ? 1 : 0);
        return true;
      }
    }
    if (word.text.empty()) return RefuseItem(word, "a value is missing");
    if (!ReadNumber(word.text, value)) return RefuseItem(word, "\"" + std::string(word.text) + "\" is not a value");
    if (*value < Least() || *value > Most()) return RefuseItem(word, std::string(word.text) + " is out of range");
    return true;
  }

  const bool aws_;
  Cron* const cron_;
  Refusal* const refusal_;
  // Of the field being read.
  Field field_ = kSecond;
  std::array<uint64_t, 4> set_{};
  bool whole_ = false;
  // Of the expression.
  bool steps_ = false;
};

}  // namespace

bool ParseCron(std::string_view text, uint32_t column, Cron* cron, Refusal* refusal) {
  return Reader(false, cron, refusal).Read(text, column);
}

bool ParseAwsCron(std::string_view text, uint32_t column, Cron* cron, Refusal* refusal) {
  return Reader(true, cron, refusal).Read(text, column);
}

}  // namespace teal::schedule
