// Stack traces as values of the language: lists of hashes {"function","file","line","thread"}, the entry point first.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/vm/thread.h"

namespace teal::vm {

inline constexpr size_t kTraceInnermost = 100;  // frames shown next to the failing line
inline constexpr size_t kTraceOutermost = 20;   // frames shown next to the entry point

// One entry; `line` 0 is left as 0: the executable has no positions.
Value TraceEntry(std::string_view function, std::string_view file, uint32_t line, std::string_view thread);

// The trace of a stack (bottom first). Library functions are left out; where more frames than the limits stand between
// the two ends, an entry says how many were left out.
Value TraceOf(const std::vector<FrameView>& stack, std::string_view tid, const std::vector<std::string>& files);

}  // namespace teal::vm
