// What a source keeps: reading it at the start, writing it in rounds.
#include <utility>

#include "triggers/s3/source.hpp"

namespace teal::s3 {
namespace {
constexpr uint64_t kSaveAgainNs = 1'000'000'000;  // after a failure, where no event waits for it
}  // namespace

void Source::Load(std::function<void(std::optional<plugin::Error>)> loaded) {
  loaded_ = std::move(loaded);
  Read("");
}

void Source::Read(const std::string& bits) {
  ++reads_;
  state_->Get(id_, ledger_.Name(bits), [self = shared_from_this(), bits](const auto& error, const auto& value) {
    --self->reads_;
    std::vector<std::string> more;
    if (error) {
      self->read_failed_ = *error;
    } else if (!self->ledger_.Read(bits, value ? std::optional<std::string_view>(*value) : std::nullopt, &more)) {
      self->read_failed_ =
          plugin::Error{TEAL_CORRUPT, "the state " + self->ledger_.Name(bits) + " of the trigger " + self->id_ +
                                          " is damaged, or was written by a newer version of this plugin"};
    }
    for (const std::string& next : more) self->Read(next);
    if (self->reads_ > 0 || !self->loaded_) return;
    std::exchange(self->loaded_, nullptr)(self->read_failed_);
  });
}

// One round of writes at a time: what is accepted meanwhile is in the next. All leaves, then the marks of split ones,
// the deepest first: a mark is there only when what it points to is.
void Source::Save() {
  if (saving_ || (waiting_events_.empty() && !ledger_.dirty())) return;
  saving_ = true;
  write_failed_.reset();
  saving_events_ = std::exchange(waiting_events_, {});
  round_ = ledger_.Take();
  writes_ = round_.leaves.size();
  if (writes_ == 0) return WriteMarks();
  WriteLeaves();
}

void Source::WriteLeaves() {
  for (const Ledger::Round::Write& leaf : round_.leaves) {
    state_->Put(id_, ledger_.Name(leaf.bits), leaf.value, [self = shared_from_this()](const auto& error) {
      if (error) self->write_failed_ = *error;
      if (--self->writes_ > 0) return;
      if (self->write_failed_) return self->Saved();
      self->WriteMarks();
    });
  }
}

void Source::WriteMarks() {
  if (writes_ == round_.marks.size()) return Saved();
  const Ledger::Round::Write& mark = round_.marks[writes_];
  state_->Put(id_, ledger_.Name(mark.bits), mark.value, [self = shared_from_this()](const auto& error) {
    if (error) {
      self->write_failed_ = *error;
      return self->Saved();
    }
    ++self->writes_;
    self->WriteMarks();
  });
}

void Source::Saved() {
  saving_ = false;
  if (write_failed_) {
    ledger_.NotStored(round_);
    save_after_unix_ns_ = emitter_.now_unix_ns() + kSaveAgainNs;
  } else {
    ledger_.Stored(round_);
  }
  for (const uint64_t number : std::exchange(saving_events_, {})) {
    const auto at = events_.find(number);
    if (at == events_.end()) continue;
    Event& event = at->second;
    plugin::Done done = std::move(event.accept);
    if (write_failed_) {
      // The host may accept it again. Should it not, it comes again after the next start, under the same id.
      event.step = Step::kWithHost;
      by_token_[event.token] = number;
      if (done) done.Fail(*write_failed_);
      continue;
    }
    const Digest object = event.object;
    motions_.at(object).event = 0;
    events_.erase(at);
    Reconcile(object);
    if (done) done.Ok();
  }
  if (stopped_ && waiting_events_.empty()) {
    if (ended_) std::exchange(ended_, nullptr)();
    return;
  }
  if (!waiting_events_.empty()) Save();
}

void Source::Stop(std::function<void()> ended) {
  stopped_ = true;
  ended_ = std::move(ended);
  if (!saving_) Save();
  if (!saving_) std::exchange(ended_, nullptr)();
}

void Source::Abandon() {
  stopped_ = true;
  const plugin::Error closed{TEAL_CLOSED, "the plugin was closed", TEAL_OUTCOME_UNKNOWN, 0, 0};
  for (auto& [number, event] : events_) {
    if (event.accept) std::exchange(event.accept, plugin::Done()).Fail(closed);
  }
  if (loaded_) std::exchange(loaded_, nullptr)(closed);
  if (ended_) std::exchange(ended_, nullptr)();
}

}  // namespace teal::s3
