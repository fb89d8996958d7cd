// Which programs sessions use: counted over the list of sessions, from the newest day to the oldest.
#include <algorithm>

#include "core/runtime/durable.h"
#include "core/runtime/record_codec.h"
#include "core/runtime/session.h"

namespace teal::runtime {

namespace {

constexpr uint64_t kDayNs = 86'400'000'000'000;
constexpr uint32_t kParts = 16;
constexpr uint64_t kPageEntries = 128;

}  // namespace

// One count on its way. Lives as long as a callback holds it.
class DurableSessions::Usage : public std::enable_shared_from_this<DurableSessions::Usage> {
 public:
  Usage(DurableSessions* host, uint64_t since_unix_ns, uint64_t look_max, std::optional<Sha256> only,
        std::function<void(Result<Used>)> done)
      : host_(host), left_(look_max), only_(only), done_(std::move(done)) {
    // Clocks of hosts may differ, by less than a day.
    day_ = static_cast<uint64_t>(std::max<int64_t>(host_->Now(), 0)) / kDayNs + 1;
    last_day_ = since_unix_ns / kDayNs > 0 ? since_unix_ns / kDayNs - 1 : 0;
  }

  void Begin() { ScanPart(0, {}); }

 private:
  void ScanPart(uint32_t part, std::string cursor) {
    if (part == kParts) {
      if (day_ <= last_day_) return Finish();
      --day_;
      part = 0;
    }
    static constexpr char kDigits[] = "0123456789abcdef";
    std::string partition = record::ListKey(day_ * kDayNs, std::string(record::kSidBytes, 'a')).partition;
    partition.resize(partition.size() - 2);
    partition += {'0', kDigits[part]};
    const auto self = shared_from_this();
    host_->options_.store->Scan(partition, {}, kPageEntries, std::move(cursor), [self, part](Result<StorePage> page) {
      self->host_->Post([self, part, page = std::move(page)]() mutable { self->Take(part, std::move(page)); });
    });
  }

  void Take(uint32_t part, Result<StorePage> page) {
    if (!page.ok()) return done_(page.failure());
    std::vector<record::Key> keys;
    for (const StoreItem& item : page->items) {
      const std::optional<record::ParsedKey> at = record::Parse(item.key);
      if (at && at->kind == record::Kind::kList) keys.push_back(record::SessionKey(at->sid));
    }
    if (keys.empty()) return Next(part, *page);
    if (keys.size() > left_) {
      used_.whole = false;
      return Finish();
    }
    left_ -= keys.size();
    const auto self = shared_from_this();
    host_->options_.store->Get(std::move(keys), [self, part, page = std::move(*page)](auto got) mutable {
      self->host_->Post([self, part, page = std::move(page), got = std::move(got)]() mutable {
        if (!got.ok()) return self->done_(got.failure());
        for (const std::optional<StoreItem>& item : *got) {
          if (!item) continue;
          Result<record::Session> session = record::DecodeSession(item->key, item->bytes);
          // What cannot be read may use anything.
          if (!session.ok()) return self->done_(session.failure());
          if (session->ended_unix_ns > 0 || record::IsErase(session->main.status)) continue;
          ++self->used_.sessions[session->program];
          if (self->only_ && session->program == *self->only_) return self->Finish();
        }
        self->Next(part, page);
      });
    });
  }

  void Next(uint32_t part, const StorePage& page) {
    if (page.more) return ScanPart(part, page.next);
    ScanPart(part + 1, {});
  }

  void Finish() { done_(std::move(used_)); }

  DurableSessions* const host_;
  uint64_t left_;  // entries that may still be looked at
  const std::optional<Sha256> only_;
  const std::function<void(Result<Used>)> done_;
  Used used_;
  uint64_t day_ = 0;
  uint64_t last_day_ = 0;
};

void DurableSessions::CountUsage(uint64_t since_unix_ns, uint64_t look_max, std::optional<Sha256> only,
                                 std::function<void(Result<Used>)> done) {
  std::make_shared<Usage>(this, since_unix_ns, look_max, only, std::move(done))->Begin();
}

uint64_t DurableSessions::CarriedWith(const Sha256& id) {
  const std::lock_guard<std::mutex> lock(runtime_->mutex());
  return static_cast<uint64_t>(
      std::count_if(runtime_->sessions().begin(), runtime_->sessions().end(),
                    [&](const auto& session) { return session->kept()->head.program == id && !session->ended(); }));
}

}  // namespace teal::runtime
