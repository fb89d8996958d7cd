// What a session tells of itself: output and log lines, and its history. Both collect in the session's record and move
// to pieces of their own when that grows (P-29), so they ride in its commits and cost none.
#include <algorithm>

#include "core/base/mutant.h"
#include "core/runtime/record_codec.h"
#include "core/runtime/session.h"

namespace teal::runtime {

namespace {

// A piece of either. Far below what any memory takes.
constexpr size_t kPieceBytes = 32 << 10;

// The first bytes of a text that are whole characters.
size_t WholeCharacters(std::string_view text, size_t most) {
  if (text.size() <= most) return text.size();
  size_t end = most;
  while (end > most - 4 && (static_cast<uint8_t>(text[end]) & 0xC0) == 0x80) --end;
  return end;
}

}  // namespace

void Session::AddLine(std::string_view tid, record::Line line) {
  if (ended_ || kept_ == nullptr) return;
  KeptLines& kept = kept_->lines;
  if (tid != main_->tid()) line.tid = tid;
  // A long one is several: people see their texts one after the other.
  while (line.text.size() > kPieceBytes) {
    record::Line part = line;
    const size_t end = WholeCharacters(line.text, kPieceBytes);
    part.text.resize(end);
    line.text.erase(0, end);
    kept.bytes += part.text.size() + kLineBytes;
    kept.lines.push_back(std::move(part));
  }
  kept.bytes += line.text.size() + kLineBytes;
  kept.lines.push_back(std::move(line));
  Touch(*main_);
}

// Lines that find no room in the session's record.
Status Session::MoveLines() {
  KeptLines& kept = kept_->lines;
  if (kept.bytes <= record::kOutputBytesMax) return Unit{};
  record::Output piece;
  uint64_t bytes = 0;
  const auto move = [&]() -> Status {
    const record::Key key = record::OutputKey(sid_, record::kMainTid, kept.pieces);
    Result<std::string> encoded = record::Encode(key, piece);
    if (!encoded.ok()) return encoded.failure();
    StoreWrite& write = kept_->pieces.emplace_back();
    write.key = key;
    write.bytes = std::move(*encoded);
    ++kept.pieces;
    piece.lines.clear();
    bytes = 0;
    return Unit{};
  };
  for (record::Line& line : kept.lines) {
    if (bytes > 0 && bytes + line.text.size() > kPieceBytes) {
      if (Status s = move(); !s.ok()) return s;
    }
    bytes += line.text.size() + kLineBytes;
    piece.lines.push_back(std::move(line));
  }
  kept.lines.clear();
  kept.bytes = 0;
  return move();
}

void Session::Note(Happened what, const ThreadRecord& record, std::string_view text) {
  if (kept_ == nullptr || ended_ || kept_->lost) return;
  KeptHistory& history = kept_->history;
  if (history.entries.size() >= kPieceBytes) {
    history.full.push_back(std::move(history.entries));
    history.entries.clear();
  }
  HistoryEntry entry;
  entry.unix_ns = static_cast<uint64_t>(std::max<int64_t>(scheduler_.clock().NowUnixNs(), 0));
  entry.what = what;
  entry.tid = record.tid();
  entry.text = text;
  AppendHistory(&history.entries, &history.last_us, entry);
}

void Session::NoteStep(Happened what, const ThreadRecord& record, std::string_view text) {
  if (kept_ == nullptr || ended_ || kept_->lost) return;
  HistoryEntry entry;
  entry.unix_ns = static_cast<uint64_t>(std::max<int64_t>(scheduler_.clock().NowUnixNs(), 0));
  entry.what = what;
  entry.tid = record.tid();
  entry.step = record.has_effect_step ? record.effect_step + 1 : 0;
  entry.text = text;
  AppendHistory(&kept_->history.entries, &kept_->history.last_us, entry);
}

void Session::NoteError(Happened what, const ThreadRecord& record, const vm::Value& error) {
  if (kept_ == nullptr) return;
  const auto* const raised = error.As<vm::Error>();
  std::string text(raised->kind.Text());
  if (!raised->message.Text().empty())
    text += ": " + std::string(raised->message.Text().substr(0, 4 * kHistoryTextMax));
  if (what == Happened::kThreadFailed) return Note(what, record, text);
  NoteStep(what, record, text);
}

// Only what the store has is told: a thread that waits between two commits alone has never stopped.
void Session::NoteParked() {
  if (ended_) return;
  for (ThreadRecord* record : kept_->changed) {
    if (record->phase != Phase::kWaiting || record->parked_noted) continue;
    if (record->wait == WaitKind::kRetry || record->wait == WaitKind::kNone) continue;
    record->parked_noted = true;
    Note(Happened::kParked, *record, WhatItAwaits(*record));
  }
}

// Entries that find no room in the session's record go to a piece, and the oldest piece goes: a long life has the
// newest part of its history.
Status Session::MoveHistory() {
  KeptHistory& history = kept_->history;
  if (history.entries.size() > record::kHistoryBytesMax) {
    history.full.push_back(std::move(history.entries));
    history.entries.clear();
  }
  for (std::string& entries : history.full) {
    const record::Key key = record::HistoryKey(sid_, history.pieces);
    record::History piece;
    piece.entries = std::move(entries);
    Result<std::string> bytes = record::Encode(key, piece);
    if (!bytes.ok()) return bytes.failure();
    StoreWrite& write = kept_->pieces.emplace_back();
    write.key = key;
    write.bytes = std::move(*bytes);
    if (history.pieces >= record::kHistoryPiecesMax && !TEAL_MUTANT("history_grows")) {
      kept_->gone.push_back(record::HistoryKey(sid_, history.pieces - record::kHistoryPiecesMax));
    }
    ++history.pieces;
  }
  history.full.clear();
  return Unit{};
}

}  // namespace teal::runtime
