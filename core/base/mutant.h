// Switches that break one rule each, to prove that the tests can fail.
//
// In a build with TEAL_MUTANTS=1, TEAL_MUTANT("name") is true while the environment variable TEAL_MUTANT holds
// that name (read once, at first use). In every other build it is the constant false and costs nothing.
// tests/mutants lists all names and the test that must catch each. Thread-safe.
#pragma once

#include <string_view>

#if defined(TEAL_MUTANTS)
#include <cstdlib>

namespace teal {
inline bool MutantActive(std::string_view name) {
  static const char* const active = std::getenv("TEAL_MUTANT");
  return active != nullptr && name == active;
}
}  // namespace teal
#define TEAL_MUTANT(name) (::teal::MutantActive(name))
#else
#define TEAL_MUTANT(name) (false)
#endif
