// The list of sessions. It lies in partitions of a day and a 16th of the sids, the newest first within each; so the
// days are gone through from the newest, each merged from its parts.
#include <algorithm>
#include <charconv>

#include "core/runtime/durable.h"
#include "core/runtime/record_codec.h"
#include "core/runtime/session.h"

namespace teal::runtime {

namespace {

constexpr uint64_t kDayNs = 86'400'000'000'000;
constexpr uint32_t kParts = 16;
constexpr uint64_t kDaysMax = 366;  // looked through for one answer
constexpr uint64_t kListMax = 1'000;

struct Entry {
  uint64_t created = 0;
  std::string sid;
  // The newest first.
  bool operator<(const Entry& other) const {
    return created != other.created ? created > other.created : sid < other.sid;
  }
};

bool HasLabels(const SessionView& view, const ListRequest& request) {
  return std::all_of(request.labels.begin(), request.labels.end(), [&](const auto& wanted) {
    return std::find(view.labels.begin(), view.labels.end(), wanted) != view.labels.end();
  });
}

}  // namespace

// One request on its way through the days. Lives as long as a callback holds it.
class DurableSessions::Listing : public std::enable_shared_from_this<DurableSessions::Listing> {
 public:
  Listing(DurableSessions* host, ListRequest request, Done<ListAnswer> done)
      : host_(host), request_(std::move(request)), done_(std::move(done)) {
    request_.limit = std::clamp<uint64_t>(request_.limit, 1, kListMax);
    after_.created = UINT64_MAX;
  }

  void Begin() {
    if (!request_.cursor.empty()) {
      const char* const begin = request_.cursor.data();
      const char* const end = begin + request_.cursor.size();
      const auto [at, error] = std::from_chars(begin, end, after_.created);
      if (error != std::errc() || at == end || *at != '.' || !record::IsSid(std::string_view(at + 1, end))) {
        return done_({ServiceError{ServiceError::Code::kInvalid, "cursor: it is none of this list",
                                   "give the cursor of an answer as it was", 0},
                      {}});
      }
      after_.sid.assign(at + 1, end);
    }
    const uint64_t now = static_cast<uint64_t>(std::max<int64_t>(host_->Now(), 0)) + kDayNs;
    day_ = std::min(now, after_.created) / kDayNs;
    const uint64_t oldest = day_ > kDaysMax ? day_ - kDaysMax : 0;
    // A session that the retention has erased is in no list.
    const uint64_t kept_days = host_->options_.constants.retention_ns / kDayNs + 2;
    last_day_ = std::max({oldest, request_.since_unix_ns / kDayNs,
                          std::min(day_, now / kDayNs) > kept_days * 8 ? now / kDayNs - kept_days * 8 : uint64_t{0}});
    ScanPart(0, {});
  }

 private:
  void ScanPart(uint32_t part, std::string cursor) {
    if (part == kParts) return DayIsThere();
    static constexpr char kDigits[] = "0123456789abcdef";
    std::string partition = record::ListKey(day_ * kDayNs, std::string(record::kSidBytes, 'a')).partition;
    partition.resize(partition.size() - 2);
    partition += {'0', kDigits[part]};
    const auto self = shared_from_this();
    host_->options_.store->Scan(partition, {}, kListMax, std::move(cursor), [self, part](Result<StorePage> page) {
      self->host_->Post([self, part, page = std::move(page)]() mutable { self->Take(part, std::move(page)); });
    });
  }

  void Take(uint32_t part, Result<StorePage> page) {
    if (!page.ok()) return done_({ErrorOf(page.failure()), {}});
    bool enough = false;
    for (const StoreItem& item : page->items) {
      const std::optional<record::ParsedKey> at = record::Parse(item.key);
      if (!at || at->kind != record::Kind::kList) continue;
      const Entry entry{at->number, at->sid};
      if (!(after_ < entry)) continue;
      if (entry.created < request_.since_unix_ns) {
        enough = true;
        break;
      }
      entries_.push_back(entry);
    }
    if (page->more && !enough) return ScanPart(part, page->next);
    ScanPart(part + 1, {});
  }

  void DayIsThere() {
    std::sort(entries_.begin(), entries_.end());
    Look(0);
  }

  // The statuses of those from `from` on: read from the sessions themselves.
  void Look(size_t from) {
    if (answer_.sessions.size() >= request_.limit) return Finish();
    if (from >= entries_.size()) return NextDay();
    const size_t to = std::min(entries_.size(), from + 64);
    std::vector<record::Key> keys;
    for (size_t i = from; i < to; ++i) keys.push_back(record::SessionKey(entries_[i].sid));
    const auto self = shared_from_this();
    host_->options_.store->Get(std::move(keys), [self, from, to](auto got) {
      self->host_->Post([self, from, to, got = std::move(got)]() mutable {
        if (!got.ok()) return self->done_({ErrorOf(got.failure()), {}});
        for (size_t i = from; i < to; ++i) {
          const std::optional<StoreItem>& item = got.value()[i - from];
          self->after_ = self->entries_[i];
          if (!item) continue;
          Result<record::Session> session = record::DecodeSession(item->key, item->bytes);
          if (!session.ok() || record::IsErase(session->main.status)) continue;
          SessionView view = self->host_->ViewOf(self->entries_[i].sid, *session);
          if (self->request_.status && view.status != *self->request_.status) continue;
          if (!HasLabels(view, self->request_)) continue;
          self->answer_.sessions.push_back(std::move(view));
          if (self->answer_.sessions.size() >= self->request_.limit) return self->Finish();
        }
        self->Look(to);
      });
    });
  }

  void NextDay() {
    entries_.clear();
    if (day_ == 0 || day_ <= last_day_) {
      return done_({std::nullopt, std::move(answer_)});
    }
    --day_;
    ScanPart(0, {});
  }

  void Finish() {
    answer_.cursor = std::to_string(after_.created) + "." + after_.sid;
    done_({std::nullopt, std::move(answer_)});
  }

  DurableSessions* const host_;
  ListRequest request_;
  const Done<ListAnswer> done_;
  ListAnswer answer_;
  Entry after_;  // the last one looked at
  uint64_t day_ = 0;
  uint64_t last_day_ = 0;
  std::vector<Entry> entries_;  // of the day
};

void DurableSessions::List(ListRequest request, Done<ListAnswer> done) {
  Post([this, request = std::move(request), done = std::move(done)]() mutable {
    std::make_shared<Listing>(this, std::move(request), std::move(done))->Begin();
  });
}

}  // namespace teal::runtime
