// Whether what concurrent clients saw fits one order: a search for a linearization.
//
// The algorithm is that of J. Wing and C. Gong, "Testing and Verifying Concurrent Objects" (Journal of Parallel and
// Distributed Computing 17, 1993), with the memory of visited configurations of G. Lowe, "Testing for linearizability"
// (Concurrency and Computation: Practice and Experience 29(4), 2017): a configuration is the set of events that are
// placed and the state they lead to; one that led nowhere once leads nowhere again.
//
// A history over several keys may be checked key by key, as long as each event is of one key (locality: M. Herlihy and
// J. Wing, "Linearizability: A Correctness Condition for Concurrent Objects", 1990).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace teal::kit {

// What an event says about one key. A value is the number of the write that made it; 0 = absent.
struct Step {
  enum class Expects { kAny, kIs, kIsNot };
  uint32_t key = 0;
  Expects expects = Expects::kAny;
  uint32_t expected = 0;
  bool writes = false;
  uint32_t written = 0;
};

// A call: somewhere between begin and end all its steps hold at once and take effect.
struct Event {
  std::vector<Step> steps;  // of distinct keys
  uint64_t begin = 0;
  uint64_t end = 0;
  bool maybe =
      false;  // its outcome is unknown: it takes effect at any time after `begin`, or never. `end` means nothing
  std::string words;
};

struct Linearity {
  enum class Kind { kYes, kNo, kUndecided };  // undecided: the search grew past its limit
  Kind kind = Kind::kYes;
  std::string why;  // kNo: the state at the furthest point, and the events none of which fits there
};

// `initial`: the state of each key. Events of keys beyond it are the caller's mistake.
Linearity CheckLinear(std::vector<Event> events, const std::vector<uint32_t>& initial);
// The same, key by key; every event has one step. The first key that has no order is told.
Linearity CheckEachKey(const std::vector<Event>& events, const std::vector<uint32_t>& initial);
// What the events say about `key` alone.
std::vector<Event> Only(const std::vector<Event>& events, uint32_t key);

}  // namespace teal::kit
