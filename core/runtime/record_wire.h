// Between the plain structs of record.h and the messages of core/proto/record.proto. Part of record_codec.
#pragma once

#include <string>

#include "core/proto/record.pb.h"
#include "core/runtime/record.h"

namespace teal::runtime::record {

namespace pb = teal::proto::record;

void ToWire(const Thread& from, pb::Thread* to);
void ToWire(const Session& from, pb::Session* to);
void ToWire(const Value& from, pb::Value* to);
void ToWire(const Output& from, pb::Output* to);
void ToWire(const Start& from, pb::Start* to);
void ToWire(const History& from, pb::History* to);
void ToWire(const Reply& from, pb::Reply* to);
void ToWire(const Program& from, pb::Program* to);
void ToWire(const SweeperPart& from, pb::SweeperPart* to);

// Empty: done. Else the field and what is wrong with it: a length or a number that the struct cannot hold.
std::string FromWire(const pb::Thread& from, Thread* to);
std::string FromWire(const pb::Session& from, Session* to);
std::string FromWire(const pb::Value& from, Value* to);
std::string FromWire(const pb::Output& from, Output* to);
std::string FromWire(const pb::Start& from, Start* to);
std::string FromWire(const pb::History& from, History* to);
std::string FromWire(const pb::Reply& from, Reply* to);
std::string FromWire(const pb::Program& from, Program* to);
std::string FromWire(const pb::SweeperPart& from, SweeperPart* to);

// The fields of a message that this release does not know, as they came.
const std::string& UnknownOf(const google::protobuf::MessageLite& message);
void SetUnknown(const std::string& unknown, google::protobuf::MessageLite* message);

}  // namespace teal::runtime::record
