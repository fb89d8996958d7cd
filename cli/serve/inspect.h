// Sessions, threads and lines of a host as people read them.
#pragma once

#include <string>

#include "core/vm/value.h"

namespace teal::cli {

// "SID  status  created  function  id  name=value", without a newline. session: as the control API has it.
std::string SessionLine(const vm::Value& session);
// The session, then its threads as a tree, each with where it is, what it waits for, and its variables.
std::string InspectText(const vm::Value& session, const vm::Value& threads);
// "ID  dead  time  trigger  why", without a newline. letter: of GET /dead.
std::string DeadEventLine(const vm::Value& letter);
// A trigger with its next times, last delivery, last error and counts, with newlines.
std::string TriggerText(const vm::Value& trigger);
// A log line or an entry of the history: time, thread, level, then the text or the other fields.
std::string EntryLine(const vm::Value& item);

}  // namespace teal::cli
