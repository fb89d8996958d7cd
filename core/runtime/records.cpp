#include "core/runtime/records.h"

#include <algorithm>

namespace teal::runtime {

void Waiters::Add(Waiter waiter) {
  if (first_.who_ == 0) {
    first_ = waiter;
    return;
  }
  if (more_ == nullptr) more_ = std::make_unique<std::vector<Waiter>>();
  // Waits that ended otherwise (race, a cancelled thread) leave their waiters behind; they must not pile up.
  if (more_->size() >= 16 && (more_->size() & (more_->size() - 1)) == 0) {
    std::erase_if(*more_, [](const Waiter& w) { return !w.Waits(); });
  }
  more_->push_back(waiter);
}

std::vector<Waiter> Waiters::Take() {
  std::vector<Waiter> all;
  if (first_.who_ != 0) all.push_back(first_);
  if (more_ != nullptr) all.insert(all.end(), more_->begin(), more_->end());
  first_ = Waiter();
  more_.reset();
  return all;
}

bool Waiters::AnyWaits() const {
  if (first_.Waits()) return true;
  return more_ != nullptr && std::any_of(more_->begin(), more_->end(), [](const Waiter& w) { return w.Waits(); });
}

bool Waiters::AnyThreadWaits() const {
  const auto waits = [](const Waiter& w) { return w.cell() == nullptr && w.Waits(); };
  return waits(first_) || (more_ != nullptr && std::any_of(more_->begin(), more_->end(), waits));
}

}  // namespace teal::runtime
