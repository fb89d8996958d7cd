// The end of a placeholder: of a session that was deleted, or never came to be.
//
//   1. it is written anew, unless it is the own one: who is still creating the session finds it changed, and nothing of
//      that attempt can ever count;
//   2. everything in the partition is looked at;
//   3. the placeholder is still the same: so all that was seen is from before anybody could take it over;
//   4. what is to be done elsewhere is done, and what was seen is deleted, values only as the versions that were seen;
//   5. the placeholder goes.
//
// Whatever fails on the way leaves the placeholder due, and it begins anew.
#include <algorithm>

#include "core/runtime/floor_core.h"

namespace teal::runtime::floor {
namespace {

class Collection : public std::enable_shared_from_this<Collection> {
 public:
  Collection(std::shared_ptr<Core> core, std::string sid, std::optional<StoreVersion> own)
      : core_(std::move(core)), sid_(std::move(sid)), own_(own) {}
  ~Collection() { core_->CollectEnded(sid_); }

  // Not from a sink.
  void Begin() {
    core_->Load(sid_, [self = shared_from_this()](Result<Loaded> loaded) {
      if (!loaded || loaded->state == nullptr || !loaded->state->placeholder) return;
      self->state_ = loaded->state;
      if (self->own_) {
        if (self->state_->version != *self->own_) return;
        return self->core_->Post([self] { self->Look({}); });
      }
      if (self->state_->due_unix_ns > self->core_->NowUnixNs()) return;
      self->core_->Post([self] { self->Fence(); });
    });
  }

 private:
  void Fence() {
    Head head;
    head.attempt = {state_->number + 1, core_->Random()};
    if (state_->work != nullptr) head.work = state_->work->all;
    StoreWrite write;
    write.key = record::SessionKey(sid_);
    write.condition = StoreCondition::kVersion;
    write.expected = state_->version;
    write.due_unix_ns = state_->due_unix_ns;
    write.bytes = EncodeHead(write.key, head);
    core_->Commit({write}, [self = shared_from_this(), number = head.attempt.number](Result<StoreCommitted> outcome) {
      if (!outcome || !outcome->applied) return;
      ++self->core_->counters().placeholders;
      auto fenced = std::make_shared<State>(*self->state_);
      fenced->version = outcome->versions[0];
      fenced->number = number;
      self->state_ = std::move(fenced);
      self->core_->Remember(self->sid_, self->state_);
      self->core_->Post([self] { self->Look({}); });
    });
  }

  void Look(std::string cursor) {
    core_->Scan(sid_, {}, 1'000, std::move(cursor), [self = shared_from_this()](Result<StorePage> page) {
      if (!page) return;
      for (StoreItem& item : page->items) {
        if (SortOf(item.key.sort) == Sort::kHead) continue;
        const std::optional<Name> name = ParseName(item.key.sort);
        if (name && !self->state_->IsOrphan(*name)) continue;
        StoreWrite& write = self->deletes_.emplace_back();
        write.kind = StoreWrite::Kind::kDelete;
        write.condition = StoreCondition::kVersion;
        write.key = std::move(item.key);
        write.expected = item.version;
      }
      self->core_->Post([self, more = page->more, next = page->next] {
        if (more) return self->Look(next);
        self->LookAgain();
      });
    });
  }

  void LookAgain() {
    core_->Get({record::SessionKey(sid_)}, [self = shared_from_this()](Result<Items> got) {
      if (!got || !(*got).front() || (*got).front()->version != self->state_->version) return;
      self->core_->Post([self] { self->WorkElsewhere(); });
    });
  }

  void WorkElsewhere() {
    std::vector<StoreWrite> writes;
    if (state_->work != nullptr) {
      for (const Work& work : state_->work->all) {
        StoreWrite& write = writes.emplace_back();
        write.key = work.key;
        write.kind = work.remove ? StoreWrite::Kind::kDelete : StoreWrite::Kind::kPut;
        write.condition = work.remove ? StoreCondition::kAny : StoreCondition::kAbsent;
        write.bytes = work.bytes;
      }
    }
    core_->Each(std::move(writes), [self = shared_from_this()](const Result<std::vector<StoreCommitted>>& outcome) {
      if (!outcome) return;
      self->core_->Post([self] { self->Delete(); });
    });
  }

  void Delete() {
    const size_t many = deletes_.size();
    core_->Each(std::move(deletes_),
                [self = shared_from_this(), many](const Result<std::vector<StoreCommitted>>& outcome) {
                  if (!outcome) return;
                  const auto gone = [](const StoreCommitted& one) { return one.applied || !one.found; };
                  if (!std::all_of(outcome.value().begin(), outcome.value().end(), gone)) return;
                  self->core_->counters().orphans += many;
                  self->core_->Post([self] { self->DeleteHead(); });
                });
  }

  void DeleteHead() {
    StoreWrite write;
    write.kind = StoreWrite::Kind::kDelete;
    write.key = record::SessionKey(sid_);
    write.condition = StoreCondition::kVersion;
    write.expected = state_->version;
    core_->Commit({write}, [self = shared_from_this()](const Result<StoreCommitted>& outcome) {
      if (outcome && outcome.value().applied) self->core_->Remember(self->sid_, nullptr);
    });
  }

  const std::shared_ptr<Core> core_;
  const std::string sid_;
  const std::optional<StoreVersion> own_;
  StatePtr state_;
  std::vector<StoreWrite> deletes_;
};

}  // namespace

void StartCollect(const std::shared_ptr<Core>& core, std::string sid, const StoreVersion* own) {
  std::make_shared<Collection>(core, std::move(sid), own != nullptr ? std::optional(*own) : std::nullopt)->Begin();
}

}  // namespace teal::runtime::floor
