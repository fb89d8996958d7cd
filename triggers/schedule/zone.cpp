#include "triggers/schedule/zone.h"

#include <absl/time/civil_time.h>
#include <absl/time/time.h>

#include <utility>

namespace teal::schedule {

struct Zone::Rules {
  absl::TimeZone zone;
};

namespace {

constexpr size_t kNameBytesMax = 64;  // the longest of IANA has 32

// Abseil takes paths and names of its own ("localtime", "Fixed/…") as well: what comes from a config is a name of IANA.
bool IsName(const std::string& name) {
  if (name.empty() || name.size() > kNameBytesMax || name.front() == '/' || name == "localtime") return false;
  for (const char c : name) {
    const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    if (!letter && c != '/' && c != '_' && c != '-' && c != '+') return false;
  }
  return !name.starts_with("Fixed/");
}

}  // namespace

std::optional<Zone> Zone::Load(const std::string& name) {
  absl::TimeZone zone;
  if (!IsName(name) || !absl::LoadTimeZone(name, &zone)) return std::nullopt;
  return Zone(std::make_shared<const Rules>(Rules{zone}));
}

Zone Zone::Utc() {
  return Zone(std::make_shared<const Rules>(Rules{absl::UTCTimeZone()}));
}

int32_t Zone::OffsetAt(int64_t time) const {
  return rules_->zone.At(absl::FromUnixSeconds(time)).offset;
}

RealTime Zone::Resolve(int64_t local) const {
  const absl::TimeZone::TimeInfo found = rules_->zone.At(absl::CivilSecond(1970, 1, 1) + local);
  RealTime real;
  if (found.kind == absl::TimeZone::TimeInfo::SKIPPED) real.kind = RealTime::Kind::kNever;
  if (found.kind == absl::TimeZone::TimeInfo::REPEATED) real.kind = RealTime::Kind::kTwice;
  real.before = absl::ToUnixSeconds(found.pre);
  real.change = absl::ToUnixSeconds(found.trans);
  real.after = absl::ToUnixSeconds(found.post);
  return real;
}

std::optional<int64_t> Zone::NextChange(int64_t time) const {
  absl::TimeZone::CivilTransition change;
  if (!rules_->zone.NextTransition(absl::FromUnixSeconds(time), &change)) return std::nullopt;
  return absl::ToUnixSeconds(rules_->zone.At(change.to).trans);
}

}  // namespace teal::schedule
