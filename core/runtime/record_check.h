// What every record must be, whoever wrote it: the rules of docs/formats/records.md that the wire form alone does not
// hold.
#pragma once

#include <string>

#include "core/runtime/record.h"
#include "core/runtime/record_key.h"

namespace teal::runtime::record {

// Empty: all is well. Else the field and what is wrong with it. `at` is the record's key. Pure.
std::string FaultOf(const ParsedKey& at, const Thread& thread);
std::string FaultOf(const ParsedKey& at, const Session& session);
std::string FaultOf(const ParsedKey& at, const Value& value);
std::string FaultOf(const ParsedKey& at, const Output& output);
std::string FaultOf(const ParsedKey& at, const History& history);
std::string FaultOf(const ParsedKey& at, const Reply& reply);
std::string FaultOf(const ParsedKey& at, const Start& start);
std::string FaultOf(const ParsedKey& at, const Program& program);
std::string FaultOf(const ParsedKey& at, const SweeperPart& part);

}  // namespace teal::runtime::record
