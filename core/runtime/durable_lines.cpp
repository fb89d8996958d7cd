// Output, log lines and history as people read them: the pieces that have moved out of the session's record, in order,
// then what stands in it.
//
// A cursor is "n.i": entry i of piece n comes next. What stands in the record becomes, as it is, the piece after those
// that are there, so a cursor stays true; and a request reads the session's record and no piece before its cursor.
#include <algorithm>
#include <charconv>

#include "core/runtime/durable.h"
#include "core/runtime/history.h"
#include "core/runtime/record_codec.h"
#include "core/runtime/session.h"

namespace teal::runtime {

using Code = ServiceError::Code;

namespace {

constexpr uint64_t kPiecesAtOnce = 16;
constexpr uint64_t kLinesMax = 10'000;  // of one answer

}  // namespace

struct DurableSessions::LinesRequest {
  std::string sid;
  LineSort sort = LineSort::kOutput;
  uint64_t limit = 0;
  int64_t until_ns = 0;
  Done<LinesAnswer> done;
  // The cursor.
  uint64_t piece = 0;
  uint64_t index = 0;
  // As the session's record has it.
  record::Session session;
  uint64_t pieces = 0;

  std::vector<LineView> lines;
  bool full = false;  // there are more than fit

  // Takes line or entry `at` of the piece at hand. It counts whether or not it is asked for.
  void Take(uint64_t at, bool asked, const std::function<LineView()>& view) {
    if (at < index || full) return;
    if (asked && lines.size() == limit) {
      full = true;
      return;
    }
    if (asked) lines.push_back(view());
    index = at + 1;
  }
  void TakeLines(const std::vector<record::Line>& all) {
    static constexpr const char* kLevels[] = {"debug", "info", "warning", "error"};
    for (size_t at = 0; at < all.size(); ++at) {
      const record::Line& line = all[at];
      Take(at, static_cast<int>(line.kind) == static_cast<int>(sort) + 1, [&line] {
        LineView view;
        view.tid = line.tid.empty() ? std::string(record::kMainTid) : line.tid;
        view.unix_ns = line.unix_ns;
        view.text = line.text;
        if (line.kind == record::LineKind::kLog) view.level = kLevels[std::min<uint32_t>(line.level, 3)];
        return view;
      });
    }
  }
  void TakeHistory(std::string_view entries) {
    uint64_t at = 0;
    EachHistory(entries, [&](const HistoryEntry& entry) {
      Take(at++, true, [&entry] { return LineView{std::string(entry.tid), entry.unix_ns, {}, HistoryJson(entry)}; });
    });
  }
  void NextPiece() {
    if (full) return;
    ++piece;
    index = 0;
  }
};

void DurableSessions::Lines(std::string sid, LineSort sort, std::string cursor, uint64_t limit, uint64_t wait_ns,
                            Done<LinesAnswer> done) {
  auto request = std::make_shared<LinesRequest>();
  request->sid = std::move(sid);
  request->sort = sort;
  request->limit = std::clamp<uint64_t>(limit, 1, kLinesMax);
  if (!cursor.empty()) {
    const char* const end = cursor.data() + cursor.size();
    auto [at, error] = std::from_chars(cursor.data(), end, request->piece);
    bool good = error == std::errc() && at != end && *at == '.';
    if (good) {
      const auto rest = std::from_chars(at + 1, end, request->index);
      good = rest.ec == std::errc() && rest.ptr == end;
    }
    if (!good) {
      return done(
          {ServiceError{Code::kInvalid, "cursor: it is none of this list", "give the cursor of an answer as it was", 0},
           {}});
    }
  }
  request->done = std::move(done);
  Post([this, wait_ns, request = std::move(request)]() mutable {
    const int64_t now = Now();
    request->until_ns =
        wait_ns > static_cast<uint64_t>(INT64_MAX - now) ? INT64_MAX : now + static_cast<int64_t>(wait_ns);
    LookForLines(std::move(request));
  });
}

void DurableSessions::LookForLines(std::shared_ptr<LinesRequest> request) {
  GetRecord(request->sid, [this, request](Served<record::Session> record) mutable {
    if (record.error) return request->done({std::move(record.error), {}});
    request->session = std::move(record.value);
    const bool history = request->sort == LineSort::kHistory;
    request->pieces = history ? request->session.history_pieces : request->session.main.pieces;
    // Of a long history the oldest pieces are gone.
    const uint64_t kept = history ? record::kHistoryPiecesMax : request->pieces;
    if (request->piece + kept < request->pieces) {
      request->piece = request->pieces - kept;
      request->index = 0;
    }
    ReadPieces(std::move(request));
  });
}

void DurableSessions::ReadPieces(std::shared_ptr<LinesRequest> request) {
  if (request->full || request->piece >= request->pieces) return AnswerLines(std::move(request));
  std::vector<record::Key> keys;
  const uint64_t end = std::min(request->pieces, request->piece + kPiecesAtOnce);
  for (uint64_t piece = request->piece; piece < end; ++piece) {
    keys.push_back(request->sort == LineSort::kHistory ? record::HistoryKey(request->sid, piece)
                                                       : record::OutputKey(request->sid, record::kMainTid, piece));
  }
  options_.store->Get(std::move(keys), [this, request](auto got) {
    Post([this, request, got = std::move(got)]() mutable {
      if (!got.ok()) return request->done({ErrorOf(got.failure()), {}});
      for (const std::optional<StoreItem>& item : got.value()) {
        // One that has been deleted meanwhile is passed over; a damaged one is said to be.
        if (item && request->sort == LineSort::kHistory) {
          Result<record::History> piece = record::DecodeHistory(item->key, item->bytes);
          if (!piece.ok()) return request->done({ErrorOf(piece.failure()), {}});
          request->TakeHistory(piece->entries);
        } else if (item) {
          Result<record::Output> piece = record::DecodeOutput(item->key, item->bytes);
          if (!piece.ok()) return request->done({ErrorOf(piece.failure()), {}});
          request->TakeLines(piece->lines);
        }
        request->NextPiece();
        if (request->full) break;
      }
      ReadPieces(std::move(request));
    });
  });
}

void DurableSessions::AnswerLines(std::shared_ptr<LinesRequest> request) {
  if (!request->full && request->piece == request->pieces) {
    if (request->sort == LineSort::kHistory) {
      request->TakeHistory(request->session.history);
    } else {
      request->TakeLines(request->session.main.lines);
    }
  }
  const bool ended = request->session.ended_unix_ns > 0;
  request->session = record::Session();
  if (request->lines.empty() && !ended && Now() < request->until_ns && !stopped_) {
    // Again after its next commit, or when the time is over.
    following_[request->sid].push_back({request->until_ns, [this, request] { LookForLines(request); }});
    return WaitUntil(request->until_ns);
  }
  LinesAnswer answer;
  answer.ended = ended && !request->full;
  answer.next = std::to_string(request->piece) + "." + std::to_string(request->index);
  answer.lines = std::move(request->lines);
  request->done({std::nullopt, std::move(answer)});
}

}  // namespace teal::runtime
