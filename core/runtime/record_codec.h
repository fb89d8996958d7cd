// Records as bytes, and back: docs/formats/records.md. The bytes of a record are one letter for its kind, one byte for
// the version of the format, a Protobuf message of core/proto/record.proto, and a CRC-32C over these and the record's
// key.
//
// The same record gives the same bytes. Encode holds what Decode demands: a record that breaks a rule of the format is
// kInternal, one over kRecordBytesMax kTooLarge. Decode gives kCorrupt for bytes that are damaged, truncated, or
// another key's, and for a message that breaks a rule; kInvalid for a record of a newer version. Both messages name key
// and field. All functions are pure.
#pragma once

#include <string>
#include <string_view>

#include "core/base/result.h"
#include "core/runtime/record.h"
#include "core/runtime/record_key.h"

namespace teal::runtime::record {

inline constexpr uint8_t kFormatVersion = 1;

Result<std::string> Encode(const Key& key, const Thread& thread);
Result<std::string> Encode(const Key& key, const Session& session);
Result<std::string> Encode(const Key& key, const Value& value);
Result<std::string> Encode(const Key& key, const Output& output);
Result<std::string> Encode(const Key& key, const History& history);
Result<std::string> Encode(const Key& key, const Reply& reply);
Result<std::string> Encode(const Key& key, const Start& start);
Result<std::string> Encode(const Key& key, const Program& program);
Result<std::string> Encode(const Key& key, const SweeperPart& part);
Result<std::string> EncodePiece(const Key& key, std::string_view piece);  // of a program: bytes as they are

Result<std::string> EncodeListed(const Key& key);  // of the list of sessions, and of mail: it says nothing but its key

Result<Thread> DecodeThread(const Key& key, std::string_view bytes);
Result<Session> DecodeSession(const Key& key, std::string_view bytes);
Result<Value> DecodeValue(const Key& key, std::string_view bytes);
Result<Output> DecodeOutput(const Key& key, std::string_view bytes);
Result<History> DecodeHistory(const Key& key, std::string_view bytes);
Result<Reply> DecodeReply(const Key& key, std::string_view bytes);
Result<Start> DecodeStart(const Key& key, std::string_view bytes);
Result<Program> DecodeProgram(const Key& key, std::string_view bytes);
Result<SweeperPart> DecodeSweeperPart(const Key& key, std::string_view bytes);
Result<std::string> DecodePiece(const Key& key, std::string_view bytes);

}  // namespace teal::runtime::record
