#include "core/kit/linear.h"

#include <algorithm>
#include <cassert>
#include <cstddef>
#include <limits>
#include <unordered_set>
#include <utility>

#include "core/kit/text.h"

namespace teal::kit {
namespace {

constexpr std::size_t kConfigurationsMax = 3'000'000;
constexpr uint64_t kNever = std::numeric_limits<uint64_t>::max();

class Search {
 public:
  Search(std::vector<Event> events, std::vector<uint32_t> state)
      : events_(std::move(events)), state_(std::move(state)) {
    std::sort(events_.begin(), events_.end(), [](const Event& a, const Event& b) { return a.begin < b.begin; });
    for (Event& event : events_) {
      if (event.maybe) event.end = kNever;
      must_ += event.maybe ? 0 : 1;
    }
    placed_.assign(events_.size(), false);
    bits_.assign((events_.size() + 63) / 64, 0);
  }

  Linearity Run();

 private:
  struct Choice {
    std::size_t event;
    std::vector<uint32_t> before;  // the state of its keys
  };

  bool Fits(const Event& event) const {
    return std::all_of(event.steps.begin(), event.steps.end(), [this](const Step& step) {
      const uint32_t is = state_[step.key];
      return step.expects == Step::Expects::kAny || (is == step.expected) == (step.expects == Step::Expects::kIs);
    });
  }
  // Events that may come next begin before every event not yet placed has ended.
  uint64_t Horizon() const {
    uint64_t horizon = kNever;
    for (std::size_t i = first_; i < events_.size() && events_[i].begin <= horizon; ++i) {
      if (!placed_[i]) horizon = std::min(horizon, events_[i].end);
    }
    return horizon;
  }
  void Place(std::size_t i) {
    Choice choice{i, {}};
    for (const Step& step : events_[i].steps) {
      choice.before.push_back(state_[step.key]);
      if (step.writes) state_[step.key] = step.written;
    }
    placed_[i] = true;
    bits_[i / 64] |= uint64_t{1} << (i % 64);
    must_ -= events_[i].maybe ? 0 : 1;
    path_.push_back(std::move(choice));
    while (first_ < events_.size() && placed_[first_]) ++first_;
  }
  std::size_t TakeBack() {
    const Choice choice = std::move(path_.back());
    path_.pop_back();
    const Event& event = events_[choice.event];
    for (std::size_t s = event.steps.size(); s-- > 0;) state_[event.steps[s].key] = choice.before[s];
    placed_[choice.event] = false;
    bits_[choice.event / 64] &= ~(uint64_t{1} << (choice.event % 64));
    must_ += event.maybe ? 0 : 1;
    first_ = std::min(first_, choice.event);
    return choice.event;
  }
  std::string Configuration() const {
    std::string bytes(reinterpret_cast<const char*>(bits_.data()), bits_.size() * sizeof(uint64_t));
    bytes.append(reinterpret_cast<const char*>(state_.data()), state_.size() * sizeof(uint32_t));
    return bytes;
  }
  std::string Explain() const;

  std::vector<Event> events_;  // by their begin
  std::vector<uint32_t> state_;
  std::vector<bool> placed_;
  std::vector<uint64_t> bits_;  // placed_, for Configuration
  std::vector<Choice> path_;
  std::size_t must_ = 0;   // events that are not placed and not `maybe`
  std::size_t first_ = 0;  // every event before it is placed
  std::unordered_set<std::string> visited_;
  std::size_t furthest_ = 0;
  std::string why_;
};

std::string Search::Explain() const {
  std::string out = Text("after ", path_.size(), " of ", events_.size(), " events there is no way on");
  if (!path_.empty()) out += "; the last placed: " + events_[path_.back().event].words;
  const uint64_t horizon = Horizon();
  int shown = 0;
  for (std::size_t i = first_; i < events_.size() && events_[i].begin <= horizon; ++i) {
    if (placed_[i]) continue;
    if (++shown > 8) break;
    out += "\n  open there: " + events_[i].words;
  }
  return out;
}

Linearity Search::Run() {
  std::size_t from = 0;  // the first event to try at this depth
  for (;;) {
    if (must_ == 0) return {};
    const uint64_t horizon = Horizon();
    std::size_t i = std::max(from, first_);
    bool went = false;
    for (; i < events_.size() && events_[i].begin <= horizon; ++i) {
      if (placed_[i] || !Fits(events_[i])) continue;
      Place(i);
      if (visited_.insert(Configuration()).second) {
        went = true;
        break;
      }
      TakeBack();
    }
    if (went) {
      if (visited_.size() > kConfigurationsMax) return {Linearity::Kind::kUndecided, {}};
      from = 0;
      continue;
    }
    if (path_.size() >= furthest_) {
      furthest_ = path_.size();
      why_ = Explain();
    }
    if (path_.empty()) return {Linearity::Kind::kNo, why_};
    from = TakeBack() + 1;
  }
}

}  // namespace

Linearity CheckLinear(std::vector<Event> events, const std::vector<uint32_t>& initial) {
  return Search(std::move(events), initial).Run();
}

std::vector<Event> Only(const std::vector<Event>& events, uint32_t key) {
  std::vector<Event> only;
  for (const Event& event : events) {
    for (const Step& step : event.steps) {
      if (step.key != key) continue;
      Event alone = event;
      alone.steps = {step};
      alone.steps[0].key = 0;
      only.push_back(std::move(alone));
    }
  }
  return only;
}

Linearity CheckEachKey(const std::vector<Event>& events, const std::vector<uint32_t>& initial) {
  Linearity worst;
  for (uint32_t key = 0; key < initial.size(); ++key) {
    const Linearity one = CheckLinear(Only(events, key), {initial[key]});
    if (one.kind == Linearity::Kind::kNo) return one;
    if (one.kind == Linearity::Kind::kUndecided) worst = one;
  }
  return worst;
}

}  // namespace teal::kit
