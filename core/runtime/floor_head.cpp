#include "core/runtime/floor_head.h"

#include <algorithm>
#include <cassert>

#include "core/vm/checkpoint_crc.h"

namespace teal::runtime::floor {
namespace {

constexpr char kHeadLetter = 'f';
constexpr char kChunkLetter = 'd';
constexpr uint8_t kVersion = 1;
constexpr size_t kCheckBytes = 4;
constexpr char kMark = '!';

void PutHex(uint64_t number, std::string* to) {
  int shift = 60;
  while (shift > 0 && (number >> shift) == 0) shift -= 4;
  for (; shift >= 0; shift -= 4) *to += "0123456789abcdef"[(number >> shift) & 15];
}

bool TakeHex(std::string_view text, uint64_t* number) {
  if (text.empty() || text.size() > 16) return false;
  *number = 0;
  for (const char c : text) {
    const bool digit = c >= '0' && c <= '9';
    if (!digit && (c < 'a' || c > 'f')) return false;
    *number = *number << 4 | static_cast<uint64_t>(digit ? c - '0' : c - 'a' + 10);
  }
  return true;
}

// ---- Bytes ----

void PutNumber(uint64_t number, std::string* to) {
  for (; number >= 0x80; number >>= 7) *to += static_cast<char>(number | 0x80);
  *to += static_cast<char>(number);
}

void PutText(std::string_view text, std::string* to) {
  PutNumber(text.size(), to);
  *to += text;
}

void PutAttempt(const Attempt& attempt, std::string* to) {
  PutNumber(attempt.number, to);
  for (int shift = 0; shift < 64; shift += 8) *to += static_cast<char>(attempt.nonce >> shift);
}

// Takes from the front; after a failure nothing that is given counts.
struct Taking {
  std::string_view left;
  bool ok = true;

  uint64_t Number() {
    uint64_t number = 0;
    for (int shift = 0; shift < 64; shift += 7) {
      if (left.empty()) break;
      const auto byte = static_cast<uint8_t>(left.front());
      left.remove_prefix(1);
      if (shift == 63 && byte > 1) break;
      number |= static_cast<uint64_t>(byte & 0x7f) << shift;
      if (byte < 0x80) return number;
    }
    ok = false;
    return 0;
  }
  std::string_view Text(uint64_t size) {
    if (size > left.size()) {
      ok = false;
      return {};
    }
    const std::string_view text = left.substr(0, size);
    left.remove_prefix(size);
    return text;
  }
  std::string_view Text() { return Text(Number()); }
  Attempt OneAttempt() {
    Attempt attempt{Number(), 0};
    const std::string_view nonce = Text(8);
    for (size_t i = 0; i < nonce.size(); ++i) {
      attempt.nonce |= static_cast<uint64_t>(static_cast<uint8_t>(nonce[i])) << 8 * i;
    }
    return attempt;
  }
  // How many follow, of at least one byte each.
  uint64_t Count() {
    const uint64_t count = Number();
    ok = ok && count <= left.size();
    return ok ? count : 0;
  }
};

// The attempts, each once; then the sort keys, each as what it shares with the one before, and the rest.
void PutDirectory(const Directory& directory, std::string* to) {
  std::map<Attempt, size_t> places;
  for (const auto& [sort, attempt] : directory) {
    if (attempt) places.emplace(*attempt, 0);
  }
  PutNumber(places.size(), to);
  size_t place = 0;
  for (auto& [attempt, at] : places) {
    at = ++place;
    PutAttempt(attempt, to);
  }
  PutNumber(directory.size(), to);
  std::string_view before;
  for (const auto& [sort, attempt] : directory) {
    const auto differs = std::mismatch(sort.begin(), sort.end(), before.begin(), before.end());
    const auto shared = static_cast<size_t>(differs.first - sort.begin());
    PutNumber(shared, to);
    PutText(std::string_view(sort).substr(shared), to);
    PutNumber(attempt ? places.at(*attempt) : 0, to);
    before = sort;
  }
}

Directory TakeDirectory(Taking& from) {
  std::vector<Attempt> attempts(from.Count());
  for (Attempt& attempt : attempts) attempt = from.OneAttempt();
  Directory directory;
  std::string sort;
  for (uint64_t count = from.Count(); count > 0 && from.ok; --count) {
    const uint64_t shared = from.Number();
    if (shared > sort.size()) from.ok = false;
    if (!from.ok) break;
    std::string next = sort.substr(0, shared);
    next += from.Text();
    const uint64_t place = from.Number();
    // Ascending, so that each is there once.
    if (place > attempts.size() || (!directory.empty() && next <= sort)) from.ok = false;
    if (!from.ok) break;
    sort = std::move(next);
    directory.emplace_hint(directory.end(), sort, place == 0 ? std::nullopt : std::optional(attempts[place - 1]));
  }
  return directory;
}

uint32_t CheckOf(const record::Key& key, std::string_view bytes) {
  return vm::Crc32c(bytes) ^ vm::Crc32c(key.partition + "\n" + key.sort);
}

std::string Seal(const record::Key& key, std::string bytes) {
  const uint32_t check = CheckOf(key, bytes);
  for (int shift = 0; shift < 32; shift += 8) bytes += static_cast<char>(check >> shift);
  return bytes;
}

Failure Damaged(const record::Key& key, const std::string& what) {
  return Fail(FailureCode::kCorrupt, "the record " + record::Text(key) + " " + what);
}

Result<Taking> Open(const record::Key& key, char letter, std::string_view bytes) {
  if (bytes.size() < 2 + kCheckBytes) return Damaged(key, "is cut off");
  const std::string_view body = bytes.substr(0, bytes.size() - kCheckBytes);
  uint32_t check = 0;
  for (size_t i = 0; i < kCheckBytes; ++i) {
    check |= static_cast<uint32_t>(static_cast<uint8_t>(bytes[body.size() + i])) << 8 * i;
  }
  if (check != CheckOf(key, body)) return Damaged(key, "is damaged, or is not of this key: its check sum is wrong");
  if (body[0] != letter) {
    return Damaged(key, "was not written by the floor store: it begins with byte " + std::to_string(body[0]));
  }
  if (static_cast<uint8_t>(body[1]) > kVersion) {
    return Fail(FailureCode::kInvalid, "the record " + record::Text(key) + " is of a newer release");
  }
  return Taking{body.substr(2)};
}

}  // namespace

std::string NameOf(std::string_view sort, const Attempt& attempt) {
  std::string name(sort);
  name += kMark;
  PutHex(attempt.number, &name);
  name += '-';
  PutHex(attempt.nonce, &name);
  return name;
}

std::optional<Name> ParseName(std::string_view name) {
  const size_t mark = name.rfind(kMark);
  if (mark == std::string_view::npos) return std::nullopt;
  const size_t dash = name.find('-', mark);
  if (dash == std::string_view::npos) return std::nullopt;
  Name parsed{std::string(name.substr(0, mark)), {}};
  if (!TakeHex(name.substr(mark + 1, dash - mark - 1), &parsed.attempt.number)) return std::nullopt;
  if (!TakeHex(name.substr(dash + 1), &parsed.attempt.nonce)) return std::nullopt;
  if (NameOf(parsed.sort, parsed.attempt) != name) return std::nullopt;
  return parsed;
}

std::string ChunkSort(size_t index) {
  return "d/" + std::to_string(index);
}

size_t SizeOf(const Directory& directory) {
  std::string bytes;
  PutDirectory(directory, &bytes);
  return bytes.size();
}

std::string EncodeHead(const record::Key& key, const Head& head) {
  std::string bytes{kHeadLetter, static_cast<char>(kVersion)};
  PutAttempt(head.attempt, &bytes);
  PutNumber(head.record ? head.record->size() + 1 : 0, &bytes);
  if (head.record) bytes += *head.record;
  PutDirectory(head.recent, &bytes);
  PutNumber(head.chunks.size(), &bytes);
  for (const Attempt& chunk : head.chunks) PutAttempt(chunk, &bytes);
  PutNumber(head.work.size(), &bytes);
  for (const Work& work : head.work) {
    PutText(work.key.partition, &bytes);
    PutText(work.key.sort, &bytes);
    PutNumber(work.remove ? 0 : work.bytes.size() + 1, &bytes);
    if (!work.remove) bytes += work.bytes;
  }
  return Seal(key, std::move(bytes));
}

std::string EncodeChunk(const record::Key& key, const Directory& directory) {
  std::string bytes{kChunkLetter, static_cast<char>(kVersion)};
  PutDirectory(directory, &bytes);
  return Seal(key, std::move(bytes));
}

Result<Head> DecodeHead(const record::Key& key, std::string_view bytes) {
  Result<Taking> opened = Open(key, kHeadLetter, bytes);
  if (!opened) return opened.failure();
  Taking& from = *opened;
  Head head;
  head.attempt = from.OneAttempt();
  if (const uint64_t size = from.Number(); size > 0) head.record = std::string(from.Text(size - 1));
  head.recent = TakeDirectory(from);
  head.chunks.resize(from.Count());
  for (Attempt& chunk : head.chunks) chunk = from.OneAttempt();
  head.work.resize(from.Count());
  for (Work& work : head.work) {
    work.key.partition = from.Text();
    work.key.sort = from.Text();
    const uint64_t size = from.Number();
    work.remove = size == 0;
    if (size > 0) work.bytes = from.Text(size - 1);
  }
  if (!from.ok || !from.left.empty()) return Damaged(key, "is no head of a session");
  return head;
}

Result<Directory> DecodeChunk(const record::Key& key, std::string_view bytes) {
  Result<Taking> opened = Open(key, kChunkLetter, bytes);
  if (!opened) return opened.failure();
  Directory directory = TakeDirectory(*opened);
  if (!opened->ok || !opened->left.empty()) return Damaged(key, "is no chunk of a directory");
  return directory;
}

}  // namespace teal::runtime::floor
