// Where each record lies: its partition and sort key, to the byte. docs/formats/records.md has the table.
//
// A sid has 26 characters of a-z and 2-7 and is the partition of all that belongs to its session; no other partition
// has that form. All functions are pure.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "core/base/sha256.h"

namespace teal::runtime {

// The tid of a child: the owner's, a dot, the number of the spawning step; longer than kTidBytesMax: 32 hexadecimal
// digits of its SHA-256. The engine names its threads by it, too.
std::string ChildTid(std::string_view owner, uint64_t step);

namespace record {

inline constexpr size_t kSidBytes = 26;
inline constexpr std::string_view kMainTid = "0";
inline constexpr uint32_t kSweeperPartsMax = 1024;

struct Key {
  std::string partition;
  std::string sort;
  bool operator==(const Key&) const = default;
};
// For messages: partition and sort with a blank between.
std::string Text(const Key& key);

bool IsSid(std::string_view text);
bool IsTid(std::string_view text);  // digits, a-f and dots, 1 to kTidBytesMax, no dot at an end or beside another

Key SessionKey(std::string_view sid);                       // <sid>, s
Key ThreadKey(std::string_view sid, std::string_view tid);  // <sid>, t/<tid>; main: that of its session
Key ValueKey(std::string_view sid, const Sha256& hash);     // <sid>, v/<64 hex>
Key OutputKey(std::string_view sid, std::string_view tid, uint64_t number);  // <sid>, o/<tid>/<16 hex>
std::string OutputPrefix(std::string_view tid);                              // o/<tid>/
Key HistoryKey(std::string_view sid, uint64_t number);                       // <sid>, h/<16 hex>
Key ReplyKey(std::string_view sid, std::string_view id);                     // <sid>, r/<32 hex>; id: of ReplyId
Key StartKey(std::string_view sid);                                          // <sid>, a
Key ProgramKey(const Sha256& program);                                       // p, <64 hex>
Key ProgramPieceKey(const Sha256& part, uint64_t number);                    // p/<64 hex>, <16 hex>
Key LimitKey(std::string_view name, std::string_view key, uint32_t part);    // l/<64 hex>, <4 hex>
Key ListKey(uint64_t created_unix_ns, std::string_view sid);                 // i/<8 digits>/<2 hex>, <16 hex>/<sid>
Key SweeperPartKey(uint32_t part);                                           // w, <4 hex>
// m/<32 hex>, <sid>: that somebody wrote beside the host which carries the session. The host: its incarnation.
Key MailKey(const std::array<uint8_t, 16>& host, std::string_view sid);
std::string MailPartition(const std::array<uint8_t, 16>& host);

enum class Kind : uint8_t {
  kSession,
  kThread,
  kValue,
  kOutput,
  kHistory,
  kReply,
  kStart,
  kProgram,
  kProgramPiece,
  kLimit,
  kList,
  kSweeperPart,
  kMail
};
struct ParsedKey {
  Kind kind = Kind::kSession;
  std::string sid;      // of what belongs to a session, kList and kMail
  std::string tid;      // kThread, kOutput
  Sha256 hash{};        // kValue, kProgram, kProgramPiece; kLimit: of name and key
  std::string reply;    // kReply: its id, 32 digits
  uint64_t number = 0;  // kOutput, kHistory, kProgramPiece, kLimit, kSweeperPart; kList: the time of creation
};
// Only what the functions above give; anything else is absent.
std::optional<ParsedKey> Parse(const Key& key);

// The key of an effect, which foreign code can read: the same at every repetition.
std::string EffectKey(std::string_view sid, std::string_view tid, uint64_t step);

// A program's id: SHA-256 of "teal program 1\n", the SHA-256 of its executable, and that of its package (without one:
// zeros).
Sha256 ProgramId(const Sha256& executable, const Sha256& package);

// A blob holds "<sid>\n" and then the value, so that no two sessions share one (P-28).
std::string BlobSalt(std::string_view sid);
std::string BlobName(std::string_view sid, const Sha256& salted);  // <sid>/<64 hex>

// What `seen` keeps of the id of an event: the first 16 bytes of its SHA-256.
std::string SeenId(std::string_view id);

// What names the reply to the event `name` of the sender `id`: 32 hexadecimal digits of the SHA-256 of the name, a zero
// byte, the id.
std::string ReplyId(std::string_view name, std::string_view id);
bool IsReplyId(std::string_view text);

}  // namespace record
}  // namespace teal::runtime
