#include "core/runtime/record_key.h"

#include <algorithm>
#include <cassert>
#include <chrono>

#include "core/runtime/limits.h"
#include "core/runtime/record.h"

namespace teal::runtime {

std::string ChildTid(std::string_view owner, uint64_t step) {
  std::string tid(owner);
  tid += '.';
  tid += std::to_string(step);
  if (tid.size() <= kTidBytesMax) return tid;
  return Hex(Sha256Of(tid)).substr(0, 32);
}

namespace record {
namespace {

std::string HexOf(uint64_t number, int digits) {
  std::string text(static_cast<size_t>(digits), '0');
  for (size_t i = text.size(); i-- > 0; number >>= 4) text[i] = "0123456789abcdef"[number & 15];
  assert(number == 0);
  return text;
}

int DigitOf(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool NumberOf(std::string_view hex, size_t digits, uint64_t* number) {
  if (hex.size() != digits) return false;
  *number = 0;
  for (char c : hex) {
    if (DigitOf(c) < 0) return false;
    *number = *number << 4 | static_cast<uint64_t>(DigitOf(c));
  }
  return true;
}

bool HashOf(std::string_view hex, Sha256* hash) {
  if (hex.size() != 2 * hash->size()) return false;
  for (size_t i = 0; i < hash->size(); i++) {
    const int high = DigitOf(hex[2 * i]), low = DigitOf(hex[2 * i + 1]);
    if (high < 0 || low < 0) return false;
    (*hash)[i] = static_cast<uint8_t>(high << 4 | low);
  }
  return true;
}

bool IsHex(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return DigitOf(c) >= 0; });
}

bool TakePrefix(std::string_view prefix, std::string_view* text) {
  if (!text->starts_with(prefix)) return false;
  text->remove_prefix(prefix.size());
  return true;
}

std::string_view BytesOf(const Sha256& hash) {
  return {reinterpret_cast<const char*>(hash.data()), hash.size()};
}

bool ParseOfSession(std::string_view sort, ParsedKey* out) {
  if (sort == "s") {
    out->kind = Kind::kSession;
    return true;
  }
  if (TakePrefix("t/", &sort)) {
    out->kind = Kind::kThread;
    out->tid = sort;
    return IsTid(sort) && sort != kMainTid;
  }
  if (TakePrefix("v/", &sort)) {
    out->kind = Kind::kValue;
    return HashOf(sort, &out->hash);
  }
  if (sort == "a") {
    out->kind = Kind::kStart;
    return true;
  }
  if (TakePrefix("h/", &sort)) {
    out->kind = Kind::kHistory;
    return NumberOf(sort, 16, &out->number);
  }
  if (TakePrefix("r/", &sort)) {
    out->kind = Kind::kReply;
    out->reply = sort;
    return IsReplyId(sort);
  }
  if (TakePrefix("o/", &sort)) {
    const size_t slash = sort.find('/');
    if (slash == std::string_view::npos) return false;
    out->kind = Kind::kOutput;
    out->tid = sort.substr(0, slash);
    return IsTid(out->tid) && NumberOf(sort.substr(slash + 1), 16, &out->number);
  }
  return false;
}

bool ParseOther(std::string_view partition, std::string_view sort, ParsedKey* out) {
  if (partition == "p") {
    out->kind = Kind::kProgram;
    return HashOf(sort, &out->hash);
  }
  if (partition == "w") {
    out->kind = Kind::kSweeperPart;
    return NumberOf(sort, 4, &out->number) && out->number < kSweeperPartsMax;
  }
  if (TakePrefix("p/", &partition)) {
    out->kind = Kind::kProgramPiece;
    return HashOf(partition, &out->hash) && NumberOf(sort, 16, &out->number);
  }
  if (TakePrefix("l/", &partition)) {
    out->kind = Kind::kLimit;
    return HashOf(partition, &out->hash) && NumberOf(sort, 4, &out->number);
  }
  if (TakePrefix("m/", &partition)) {
    out->kind = Kind::kMail;
    out->sid = sort;
    return partition.size() == 32 && IsHex(partition) && IsSid(sort);
  }
  if (TakePrefix("i/", &partition)) {
    out->kind = Kind::kList;
    const size_t slash = sort.find('/');
    if (slash == std::string_view::npos || !NumberOf(sort.substr(0, slash), 16, &out->number)) return false;
    out->number = ~out->number;
    out->sid = sort.substr(slash + 1);
    // The partition follows from the rest.
    return IsSid(out->sid) && ListKey(out->number, out->sid).partition.substr(2) == partition;
  }
  return false;
}

}  // namespace

std::string Text(const Key& key) {
  return key.partition + " " + key.sort;
}

bool IsSid(std::string_view text) {
  if (text.size() != kSidBytes) return false;
  for (char c : text) {
    if (!(c >= 'a' && c <= 'z') && !(c >= '2' && c <= '7')) return false;
  }
  return true;
}

bool IsTid(std::string_view text) {
  if (text.empty() || text.size() > kTidBytesMax || text.back() == '.') return false;
  char before = '.';
  for (char c : text) {
    if (c == '.' ? before == '.' : DigitOf(c) < 0) return false;
    before = c;
  }
  return true;
}

Key SessionKey(std::string_view sid) {
  return {std::string(sid), "s"};
}

Key ThreadKey(std::string_view sid, std::string_view tid) {
  if (tid == kMainTid) return SessionKey(sid);
  return {std::string(sid), "t/" + std::string(tid)};
}

Key ValueKey(std::string_view sid, const Sha256& hash) {
  return {std::string(sid), "v/" + Hex(hash)};
}

std::string OutputPrefix(std::string_view tid) {
  return "o/" + std::string(tid) + "/";
}

Key OutputKey(std::string_view sid, std::string_view tid, uint64_t number) {
  return {std::string(sid), OutputPrefix(tid) + HexOf(number, 16)};
}

Key HistoryKey(std::string_view sid, uint64_t number) {
  return {std::string(sid), "h/" + HexOf(number, 16)};
}

Key ReplyKey(std::string_view sid, std::string_view id) {
  assert(IsReplyId(id));
  return {std::string(sid), "r/" + std::string(id)};
}

Key StartKey(std::string_view sid) {
  return {std::string(sid), "a"};
}

Key ProgramKey(const Sha256& program) {
  return {"p", Hex(program)};
}

Key ProgramPieceKey(const Sha256& part, uint64_t number) {
  return {"p/" + Hex(part), HexOf(number, 16)};
}

Key LimitKey(std::string_view name, std::string_view key, uint32_t part) {
  std::string whole(name);
  whole += '\0';
  whole += key;
  return {"l/" + Hex(Sha256Of(whole)), HexOf(part, 4)};
}

Key ListKey(uint64_t created_unix_ns, std::string_view sid) {
  using std::chrono::sys_days;
  const std::chrono::year_month_day date{
      sys_days{std::chrono::days{static_cast<int>(created_unix_ns / 86'400'000'000'000u)}}};
  const uint32_t number = static_cast<uint32_t>(static_cast<int>(date.year())) * 10'000 +
                          static_cast<unsigned>(date.month()) * 100 + static_cast<unsigned>(date.day());
  const std::string shard = HexOf(Sha256Of(sid)[0] & 15, 2);
  return {"i/" + std::to_string(number) + "/" + shard, HexOf(~created_unix_ns, 16) + "/" + std::string(sid)};
}

Key SweeperPartKey(uint32_t part) {
  assert(part < kSweeperPartsMax);
  return {"w", HexOf(part, 4)};
}

std::string MailPartition(const std::array<uint8_t, 16>& host) {
  std::string partition = "m/";
  for (const uint8_t byte : host) partition += HexOf(byte, 2);
  return partition;
}

Key MailKey(const std::array<uint8_t, 16>& host, std::string_view sid) {
  assert(IsSid(sid));
  return {MailPartition(host), std::string(sid)};
}

std::optional<ParsedKey> Parse(const Key& key) {
  ParsedKey out;
  if (IsSid(key.partition)) {
    out.sid = key.partition;
    if (!ParseOfSession(key.sort, &out)) return std::nullopt;
  } else if (!ParseOther(key.partition, key.sort, &out)) {
    return std::nullopt;
  }
  return out;
}

std::string EffectKey(std::string_view sid, std::string_view tid, uint64_t step) {
  return std::string(sid) + "/" + std::string(tid) + "/" + std::to_string(step);
}

Sha256 ProgramId(const Sha256& executable, const Sha256& package) {
  std::string text = "teal program 1\n";
  text += BytesOf(executable);
  text += BytesOf(package);
  return Sha256Of(text);
}

std::string BlobSalt(std::string_view sid) {
  return std::string(sid) + "\n";
}

std::string BlobName(std::string_view sid, const Sha256& salted) {
  return std::string(sid) + "/" + Hex(salted);
}

std::string SeenId(std::string_view id) {
  return std::string(BytesOf(Sha256Of(id)).substr(0, kSeenBytes));
}

std::string ReplyId(std::string_view name, std::string_view id) {
  std::string whole(name);
  whole += '\0';
  whole += id;
  return Hex(Sha256Of(whole)).substr(0, 2 * kReplyIdBytes);
}

bool IsReplyId(std::string_view text) {
  return text.size() == 2 * kReplyIdBytes &&
         std::all_of(text.begin(), text.end(), [](char c) { return DigitOf(c) >= 0; });
}

}  // namespace record
}  // namespace teal::runtime
