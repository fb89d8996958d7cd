// Faults under the real store: this program's own fdatasync, fsync and pwrite stand before libc's for every library it
// loads (it exports them), and fail or wait where a test says so. Thread-safe.
#pragma once

#include <cstdint>
#include <string>

namespace teal::tests::faults {

enum class Call { kWrite, kSync };

// The next call of this kind but `after`, to a file whose path has `part` in it, fails with `error`, once. A write that
// fails has written half of what it was given; a sync has done nothing, and as on Linux the kernel then holds the pages
// for clean.
void Fail(Call call, const std::string& part, int error, uint64_t after);
// Whether the failure asked for last has come.
bool Failed();
// Syncs of files whose path has `part` in it take so much longer; 0 = as they are.
void SlowSyncs(const std::string& part, uint64_t milliseconds);

}  // namespace teal::tests::faults
