#include "core/runtime/record_codec.h"

#include <google/protobuf/arena.h>

#include <array>
#include <cassert>
#include <cstddef>

#include "core/runtime/record_check.h"
#include "core/runtime/record_wire.h"
#include "core/vm/checkpoint_crc.h"

namespace teal::runtime::record {
namespace {

constexpr size_t kHeadBytes = 2;   // kind, version
constexpr size_t kCheckBytes = 4;  // at the end, in every version
constexpr std::string_view kSeparator = "\n";

char LetterOf(Kind kind) {
  switch (kind) {
    case Kind::kSession:
      return 's';
    case Kind::kThread:
      return 't';
    case Kind::kValue:
      return 'v';
    case Kind::kOutput:
      return 'o';
    case Kind::kHistory:
      return 'h';
    case Kind::kReply:
      return 'r';
    case Kind::kStart:
      return 'a';
    case Kind::kProgram:
      return 'p';
    case Kind::kProgramPiece:
      return 'b';
    case Kind::kSweeperPart:
      return 'w';
    case Kind::kList:
      return 'i';
    case Kind::kMail:
      return 'm';
    case Kind::kLimit:
      return 0;
  }
  return 0;
}

// CRC-32C is linear: with the key's own mixed in, bytes under another key do not pass, and all damage to the bytes is
// found as well as without.
uint32_t CheckOf(const Key& key, std::string_view bytes) {
  std::string name = key.partition;
  name += kSeparator;
  name += key.sort;
  return vm::Crc32c(bytes) ^ vm::Crc32c(name);
}

Result<std::string> Seal(const Key& key, Kind kind, std::string bytes) {
  assert(bytes.size() >= kHeadBytes);
  bytes[0] = LetterOf(kind);
  bytes[1] = static_cast<char>(kFormatVersion);
  if (bytes.size() + kCheckBytes > kRecordBytesMax) {
    return Fail(FailureCode::kTooLarge, Text(key) + ": a record of " + std::to_string(bytes.size()) +
                                            " bytes; the most is " + std::to_string(kRecordBytesMax));
  }
  const uint32_t check = CheckOf(key, bytes);
  for (int shift = 0; shift < 32; shift += 8) bytes += static_cast<char>(check >> shift);
  return bytes;
}

// The message inside.
Result<std::string_view> Open(const Key& key, Kind kind, std::string_view bytes) {
  const auto corrupt = [&key](const std::string& what) {
    return Fail(FailureCode::kCorrupt, "the record " + Text(key) + " " + what);
  };
  if (bytes.size() < kHeadBytes + kCheckBytes) {
    return corrupt("is cut off: it has " + std::to_string(bytes.size()) + " bytes");
  }
  if (bytes.size() > kRecordBytesMax) return corrupt("has " + std::to_string(bytes.size()) + " bytes, more than any");
  const std::string_view body = bytes.substr(0, bytes.size() - kCheckBytes);
  uint32_t check = 0;
  for (size_t i = 0; i < kCheckBytes; i++) {
    check |= static_cast<uint32_t>(static_cast<uint8_t>(bytes[body.size() + i])) << 8 * i;
  }
  if (check != CheckOf(key, body)) return corrupt("is damaged, or is not of this key: its check sum is wrong");
  if (body[0] != LetterOf(kind)) return corrupt("is of another kind: it begins with byte " + std::to_string(body[0]));
  const unsigned version = static_cast<uint8_t>(body[1]);
  if (version == 0) return corrupt("has format version 0, which there is not");
  if (version > kFormatVersion) {
    return Fail(FailureCode::kInvalid, "the record " + Text(key) + " has format version " + std::to_string(version) +
                                           "; this release reads up to " + std::to_string(kFormatVersion) +
                                           ": run the release that wrote it, or a later one");
  }
  return body.substr(kHeadBytes);
}

Failure Unfit(const Key& key, const std::string& what) {
  return Fail(FailureCode::kInternal, "the record " + Text(key) + " cannot be written: " + what);
}

template <typename Message, typename Record>
Result<std::string> EncodeAs(const Key& key, Kind kind, const Record& record) {
  const std::optional<ParsedKey> at = Parse(key);
  if (!at || at->kind != kind) return Unfit(key, "its key is of another kind");
  if (std::string fault = FaultOf(*at, record); !fault.empty()) return Unfit(key, fault);
  // A record's parts are messages of their own: most fit into the block, and none is allocated by itself.
  alignas(std::max_align_t) std::array<char, 2048> block;
  google::protobuf::ArenaOptions of_block;
  of_block.initial_block = block.data();
  of_block.initial_block_size = block.size();
  google::protobuf::Arena arena(of_block);
  Message& message = *google::protobuf::Arena::CreateMessage<Message>(&arena);
  ToWire(record, &message);
  std::string bytes(kHeadBytes, '\0');
  if (message.ByteSizeLong() > kRecordBytesMax) {
    bytes.resize(kRecordBytesMax);  // Seal refuses it
  } else if (!message.AppendToString(&bytes)) {
    return Unfit(key, "it is no message");
  }
  return Seal(key, kind, std::move(bytes));
}

template <typename Message, typename Record>
Result<Record> DecodeAs(const Key& key, Kind kind, std::string_view bytes) {
  const std::optional<ParsedKey> at = Parse(key);
  if (!at || at->kind != kind) {
    return Fail(FailureCode::kCorrupt, "the key " + Text(key) + " is not one of this kind of record");
  }
  Result<std::string_view> body = Open(key, kind, bytes);
  if (!body.ok()) return body.failure();
  Message message;
  const auto corrupt = [&key](const std::string& what) {
    return Fail(FailureCode::kCorrupt, "the record " + Text(key) + " is not whole: " + what);
  };
  if (!message.ParseFromArray(body->data(), static_cast<int>(body->size()))) return corrupt("it is no message");
  Record record;
  if (std::string problem = FromWire(message, &record); !problem.empty()) return corrupt(problem);
  if (std::string fault = FaultOf(*at, record); !fault.empty()) return corrupt(fault);
  return record;
}

}  // namespace

Result<std::string> Encode(const Key& key, const Thread& thread) {
  return EncodeAs<pb::Thread>(key, Kind::kThread, thread);
}
Result<std::string> Encode(const Key& key, const Session& session) {
  return EncodeAs<pb::Session>(key, Kind::kSession, session);
}
Result<std::string> Encode(const Key& key, const Value& value) {
  return EncodeAs<pb::Value>(key, Kind::kValue, value);
}
Result<std::string> Encode(const Key& key, const Output& output) {
  return EncodeAs<pb::Output>(key, Kind::kOutput, output);
}
Result<std::string> Encode(const Key& key, const History& history) {
  return EncodeAs<pb::History>(key, Kind::kHistory, history);
}
Result<std::string> Encode(const Key& key, const Reply& reply) {
  return EncodeAs<pb::Reply>(key, Kind::kReply, reply);
}
Result<std::string> Encode(const Key& key, const Start& start) {
  return EncodeAs<pb::Start>(key, Kind::kStart, start);
}
Result<std::string> Encode(const Key& key, const Program& program) {
  return EncodeAs<pb::Program>(key, Kind::kProgram, program);
}
Result<std::string> Encode(const Key& key, const SweeperPart& part) {
  return EncodeAs<pb::SweeperPart>(key, Kind::kSweeperPart, part);
}
Result<std::string> EncodePiece(const Key& key, std::string_view piece) {
  const std::optional<ParsedKey> at = Parse(key);
  if (!at || at->kind != Kind::kProgramPiece) return Unfit(key, "its key is of another kind");
  if (piece.empty()) return Unfit(key, "a piece without bytes");
  return Seal(key, Kind::kProgramPiece, std::string(kHeadBytes, '\0').append(piece));
}

Result<std::string> EncodeListed(const Key& key) {
  const std::optional<ParsedKey> at = Parse(key);
  if (!at || (at->kind != Kind::kList && at->kind != Kind::kMail)) return Unfit(key, "its key is of another kind");
  return Seal(key, at->kind, std::string(kHeadBytes, '\0'));
}

Result<Thread> DecodeThread(const Key& key, std::string_view bytes) {
  return DecodeAs<pb::Thread, Thread>(key, Kind::kThread, bytes);
}
Result<Session> DecodeSession(const Key& key, std::string_view bytes) {
  return DecodeAs<pb::Session, Session>(key, Kind::kSession, bytes);
}
Result<Value> DecodeValue(const Key& key, std::string_view bytes) {
  return DecodeAs<pb::Value, Value>(key, Kind::kValue, bytes);
}
Result<Output> DecodeOutput(const Key& key, std::string_view bytes) {
  return DecodeAs<pb::Output, Output>(key, Kind::kOutput, bytes);
}
Result<History> DecodeHistory(const Key& key, std::string_view bytes) {
  return DecodeAs<pb::History, History>(key, Kind::kHistory, bytes);
}
Result<Reply> DecodeReply(const Key& key, std::string_view bytes) {
  return DecodeAs<pb::Reply, Reply>(key, Kind::kReply, bytes);
}
Result<Start> DecodeStart(const Key& key, std::string_view bytes) {
  return DecodeAs<pb::Start, Start>(key, Kind::kStart, bytes);
}
Result<Program> DecodeProgram(const Key& key, std::string_view bytes) {
  return DecodeAs<pb::Program, Program>(key, Kind::kProgram, bytes);
}
Result<SweeperPart> DecodeSweeperPart(const Key& key, std::string_view bytes) {
  return DecodeAs<pb::SweeperPart, SweeperPart>(key, Kind::kSweeperPart, bytes);
}
Result<std::string> DecodePiece(const Key& key, std::string_view bytes) {
  const std::optional<ParsedKey> at = Parse(key);
  if (!at || at->kind != Kind::kProgramPiece) {
    return Fail(FailureCode::kCorrupt, "the key " + Text(key) + " is not that of a piece of a program");
  }
  Result<std::string_view> body = Open(key, Kind::kProgramPiece, bytes);
  if (!body.ok()) return body.failure();
  if (body->empty()) return Fail(FailureCode::kCorrupt, "the record " + Text(key) + " is not whole: it has no bytes");
  return std::string(*body);
}

}  // namespace teal::runtime::record
