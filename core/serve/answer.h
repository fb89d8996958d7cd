// The control API's JSON: docs/control-api.md has the shapes. Thread-safe.
#pragma once

#include <string>
#include <string_view>

#include "core/runtime/service.h"
#include "core/serve/message.h"

namespace teal::serve {

// body: JSON.
Answer JsonAnswer(int status, std::string body);
// {"error":{"kind","message","hint"}}
Answer ErrorAnswer(int status, std::string_view kind, std::string_view message, std::string_view hint,
                   uint64_t retry_after_s = 0);
Answer ErrorAnswer(const runtime::ServiceError& error);

std::string SessionJson(const runtime::SessionView& session);
// {"sid","status","result"}: what a token lets one read.
std::string ResultJson(const runtime::SessionView& session);
// {"sid","status"}
std::string BriefJson(const runtime::SessionView& session);
std::string LineJson(runtime::LineSort sort, const runtime::LineView& line);
std::string ThreadJson(const runtime::ThreadView& thread);
std::string ProgramJson(const runtime::ProgramView& program);
// {"hash","name","created","active"}
std::string BriefProgramJson(const runtime::ProgramView& program);

}  // namespace teal::serve
