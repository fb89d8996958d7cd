// Waiting for several futures: __wait, __abandon and __outcome, on which all, settle, race, some and pmap stand.
#include <algorithm>
#include <cassert>

#include "core/base/mutant.h"
#include "core/runtime/session.h"

namespace teal::runtime {

using vm::Tag;
using vm::Value;

namespace {

std::optional<WaitMode> ModeOf(const Value& mode) {
  if (mode.tag() != Tag::kString) return std::nullopt;
  if (mode.Text() == "all") return WaitMode::kAll;
  if (mode.Text() == "settle") return WaitMode::kSettle;
  if (mode.Text() == "race") return WaitMode::kRace;
  if (mode.Text() == "some") return WaitMode::kSome;
  return std::nullopt;
}

int64_t CountOf(const Value& value) {
  if (value.IsInt()) return value.AsInt();
  return value.IsFloat() ? static_cast<int64_t>(std::clamp(value.AsFloat(), -1.0, 1e15)) : 0;
}

}  // namespace

Session::Handled Session::HostWait(ThreadRecord& record) {
  const std::span<Value> arguments = record.thread->request().arguments;
  const std::optional<WaitMode> mode = ModeOf(arguments[1]);
  if (arguments[0].tag() != Tag::kList || !mode) {
    return RaiseHere(record, vm::MakeError("type", "a wait takes a list of futures, not a value of type " +
                                                       std::string(TypeName(arguments[0]))));
  }
  const vm::List* members = arguments[0].As<vm::List>();
  auto wait = std::make_unique<MultiWait>();
  wait->mode = *mode;
  wait->wanted = CountOf(arguments[2]);
  wait->failures_allowed = CountOf(arguments[3]);
  wait->cells.reserve(members->size);
  wait->pending = members->size;
  for (uint64_t i = 0; i < members->size; ++i) {
    FutureCell* cell = nullptr;
    if (members->items[i].tag() == Tag::kFuture) {
      cell = CellOf(members->items[i]);
      if (cell == nullptr) {
        return RaiseHere(record, vm::MakeError("type", "[" + std::to_string(i) + "] is a future of another session"));
      }
      MarkAwaited(*cell);
    }
    wait->cells.push_back(cell);
  }
  // What is resolved already counts in the order in which it was.
  std::vector<std::pair<uint64_t, uint32_t>> resolved;
  for (uint32_t i = 0; i < wait->cells.size(); ++i) {
    const FutureCell* cell = wait->cells[i];
    if (cell == nullptr || cell->state != CellState::kPending) resolved.push_back({cell ? cell->order : 0, i});
  }
  if (!TEAL_MUTANT("race_by_index")) std::sort(resolved.begin(), resolved.end());
  Value answer;
  bool decided = Decided(*wait, &answer);
  for (const auto& [order, index] : resolved) {
    if (decided) break;
    const FutureCell* cell = wait->cells[index];
    Count(*wait, index, cell == nullptr || cell->state == CellState::kOk);
    decided = Decided(*wait, &answer);
  }
  if (decided) return AnswerHere(record, std::move(answer));
  record.several = std::move(wait);
  Park(record, Phase::kWaiting, WaitKind::kSeveral);
  for (uint32_t i = 0; i < record.several->cells.size(); ++i) {
    FutureCell* cell = record.several->cells[i];
    if (cell != nullptr && cell->state == CellState::kPending) {
      Subscribe(*cell, Waiter::Of(&record, i));
    }
  }
  return Handled::kParked;
}

void Session::Count(MultiWait& wait, uint32_t index, bool ok) {
  assert(wait.pending > 0);
  --wait.pending;
  if ((wait.mode == WaitMode::kRace && !TEAL_MUTANT("race_skips_failures")) || ok) wait.resolved_well.push_back(index);
  if (!ok) {
    ++wait.failed;
    wait.last_failure = index;
  }
}

bool Session::Decided(const MultiWait& wait, Value* answer) const {
  switch (wait.mode) {
    case WaitMode::kAll:
      if ((wait.failed > 0 && !TEAL_MUTANT("all_waits_for_the_rest")) || wait.pending == 0) {
        *answer = Value::Int(wait.last_failure);
        return true;
      }
      return false;
    case WaitMode::kSettle:
      *answer = Value::Int(-1);
      return wait.pending == 0;
    case WaitMode::kRace:
      if (wait.resolved_well.empty()) return false;
      *answer = Value::Int(wait.resolved_well.front());
      return true;
    case WaitMode::kSome: {
      const bool enough = static_cast<int64_t>(wait.resolved_well.size()) >= wait.wanted;
      if (!enough && wait.failed > 0 && (wait.failed > wait.failures_allowed || wait.pending == 0)) {
        *answer = Value::Int(wait.last_failure);
        return true;
      }
      if (!enough && wait.pending > 0) return false;
      *answer = vm::MakeList(wait.resolved_well.size());
      for (const uint32_t index : wait.resolved_well) *answer = ListAppend(std::move(*answer), Value::Int(index));
      return true;
    }
  }
  return false;
}

void Session::MemberResolved(ThreadRecord& record, uint32_t index, bool ok) {
  assert(record.several != nullptr);
  Count(*record.several, index, ok);
  Value answer;
  if (Decided(*record.several, &answer)) Answer(record, std::move(answer));
}

Session::Handled Session::HostAbandon(ThreadRecord& record) {
  Value members = record.thread->request().arguments[0];
  Value abandoned = vm::MakeList();
  const vm::List* list = members.tag() == Tag::kList ? members.As<vm::List>() : nullptr;
  for (uint64_t i = 0; list != nullptr && i < list->size; ++i) {
    if (list->items[i].tag() != Tag::kFuture) continue;
    const FutureCell* cell = CellOf(list->items[i]);
    if (cell == nullptr || cell->kind != vm::FutureKind::kThread || cell->state != CellState::kPending) continue;
    if (cell->thread->owner != &record && !TEAL_MUTANT("all_cancels_threads_of_others")) continue;
    if (cell->waiters.AnyWaits()) continue;
    abandoned = ListAppend(std::move(abandoned), list->items[i]);
    Cancel(*cell->thread);
  }
  return AnswerHere(record, std::move(abandoned));
}

Session::Handled Session::HostOutcome(ThreadRecord& record) {
  const Value& future = record.thread->request().arguments[0];
  bool ok = true;
  Value value = future;
  if (future.tag() == Tag::kFuture) {
    FutureCell* cell = CellOf(future);
    if (cell == nullptr || cell->state == CellState::kPending) {
      return RaiseHere(record, vm::MakeError("type", "the future is not resolved"));
    }
    MarkAwaited(*cell);
    ok = cell->state == CellState::kOk;
    value = cell->outcome;
  }
  Value answer = HashSet(vm::MakeHash(1), vm::MakeString(ok ? "ok" : "error"), std::move(value));
  return AnswerHere(record, std::move(answer));
}

}  // namespace teal::runtime
