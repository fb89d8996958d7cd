#include "core/kit/clients.h"

#include <atomic>
#include <map>
#include <random>
#include <sstream>
#include <string_view>
#include <thread>
#include <utility>

#include "abi/include/teal/bytes.hpp"
#include "core/kit/verdict.h"

namespace teal::kit {
namespace {

constexpr uint32_t kNobody = UINT32_MAX;  // a write that never was: an event that expects it fits nowhere
constexpr uint32_t kWritesOfClient = 100'000;

Key KeyOf(uint32_t n) {
  return MakeKey(Text("race", n % 2), Text("key", n));
}

std::string ValueOf(uint32_t write) {
  return Text("write ", write);
}

// The number of the write that made the record; 0 = absent.
uint32_t WriteOf(const host::Record* record) {
  if (record == nullptr) return 0;
  unsigned number = 0;
  if (std::sscanf(record->value.c_str(), "write %u", &number) != 1 || ValueOf(number) != record->value) {
    Fail("a record holds a value that nobody wrote: ", Show(record->value));
  }
  return number;
}

struct Sighting {
  uint32_t key;
  teal_version version;
  uint32_t write;
};

class Client {
 public:
  Client(const MemoryView& memory, const RacePlan& plan, uint32_t number)
      : memory_(memory),
        plan_(plan),
        number_(plan.first_client + number),
        random_(number_ * 7919 + 13),
        known_(plan.keys) {}

  void Run() {
    for (uint32_t n = 0; n < plan_.calls; ++n) {
      if (Below(100) < plan_.gets_in_100) {
        Get();
      } else {
        Commit();
      }
    }
  }
  std::vector<Seen>& seen() { return seen_; }
  const std::vector<Sighting>& sightings() const { return sightings_; }

 private:
  struct Known {
    teal_version version{};
    uint32_t write = 0;
  };
  struct Planned {
    Op op;
    Step step;
  };

  uint32_t Below(uint32_t bound) { return static_cast<uint32_t>(random_() % bound); }

  void Learn(uint32_t key, const teal_version& version, uint32_t write) {
    known_[key] = {version, write};
    if (write != 0) sightings_.push_back({key, version, write});
  }

  Planned Plan(uint32_t key) {
    const Known& known = known_[key];
    const bool there = known.write != 0;
    Planned planned;
    planned.step.key = key;
    planned.step.expects = Step::Expects::kIs;
    planned.step.expected = known.write;
    const uint32_t die = Below(100);
    if (die < 10) {
      planned.op = there ? Check(KeyOf(key), known.version) : CheckAbsent(KeyOf(key));
      return planned;
    }
    planned.step.writes = true;
    if (die < 20 && there) {
      planned.op = DeleteIf(KeyOf(key), known.version);
      return planned;
    }
    planned.step.written = (number_ + 1) * kWritesOfClient + ++writes_;
    const std::string value = ValueOf(planned.step.written);
    if (die < 27) {
      planned.step.expects = Step::Expects::kAny;
      planned.op = Put(KeyOf(key), value);
    } else {
      planned.op = there ? Replace(KeyOf(key), value, known.version) : Create(KeyOf(key), value);
    }
    return planned;
  }

  void Commit() {
    std::vector<Planned> planned;
    const uint32_t key = Below(plan_.keys);
    planned.push_back(Plan(key));
    if (plan_.many) planned.push_back(Plan((key + 1 + Below(plan_.keys - 1)) % plan_.keys));
    std::vector<Op> ops;
    Seen seen;
    for (const Planned& one : planned) {
      ops.push_back(one.op);
      seen.event.steps.push_back(one.step);
    }
    Call& call = memory_.BeginCommit(ops);
    const Reply& reply = call.Wait();
    seen.event.begin = reply.begun;
    seen.event.end = reply.ended;
    seen.event.words = Text("client ", number_, ": ", call.words(), " -> ", reply.Says());
    if (reply.Ok()) {
      if (reply.versions.size() != ops.size()) Fail(call.words(), " gave ", reply.versions.size(), " versions");
      for (std::size_t i = 0; i < planned.size(); ++i) {
        const Step& step = planned[i].step;
        if (step.writes) Learn(step.key, reply.versions[i], step.written);
      }
    } else if (reply.code == TEAL_CONFLICT && reply.outcome == TEAL_NOT_APPLIED) {
      Conflict(planned, reply, seen.event);
    } else if (!plan_.expect_errors) {
      Fail(call.words(), " gave ", reply.Says());
    } else if (reply.outcome == TEAL_OUTCOME_UNKNOWN) {
      seen.event.maybe = true;
    } else {
      return;  // nothing happened, it says: whoever reads its value now contradicts
    }
    seen_.push_back(std::move(seen));
  }

  void Conflict(const std::vector<Planned>& planned, const Reply& reply, Event& event) {
    if (reply.failed_op >= planned.size())
      Fail("a conflict of ", planned.size(), " operations has failed_op ", reply.failed_op);
    const Planned& failed = planned[reply.failed_op];
    const host::Record* found = reply.found ? &*reply.found : nullptr;
    Step step;
    step.key = failed.step.key;
    step.expects = Step::Expects::kIs;
    step.expected = WriteOf(found);
    event.words += found == nullptr ? ", found none" : ", found " + Show(found->value);
    const bool holds =
        failed.op.condition == TEAL_IF_ANY || (failed.op.condition == TEAL_IF_ABSENT && found == nullptr) ||
        (failed.op.condition == TEAL_IF_VERSION && found != nullptr && SameVersion(found->version, failed.op.expected));
    if (holds) {
      step.expected = kNobody;
      event.words += ", which is no conflict";
    }
    event.steps = {step};
    Learn(step.key, found != nullptr ? found->version : kAbsent, WriteOf(found));
  }

  void Get() {
    const uint32_t key = Below(plan_.keys);
    Call& call = memory_.BeginGet({KeyOf(key)});
    const Reply& reply = call.Wait();
    if (!reply.Ok()) {
      if (!plan_.expect_errors) Fail(call.words(), " gave ", reply.Says());
      return;
    }
    const host::Record* record = reply.records.empty() ? nullptr : &reply.records.front();
    Seen seen;
    seen.get = true;
    seen.event.begin = reply.begun;
    seen.event.end = reply.ended;
    seen.event.words =
        Text("client ", number_, ": ", call.words(), " -> ", record != nullptr ? Show(record->value) : "absent");
    seen.event.steps = {{key, Step::Expects::kIs, WriteOf(record), false, 0}};
    Learn(key, record != nullptr ? record->version : kAbsent, WriteOf(record));
    seen_.push_back(std::move(seen));
  }

  const MemoryView& memory_;
  const RacePlan& plan_;
  const uint32_t number_;
  std::minstd_rand random_;
  std::vector<Known> known_;
  uint32_t writes_ = 0;
  std::vector<Seen> seen_;
  std::vector<Sighting> sightings_;
};

std::string FindReuse(const std::vector<Client>& clients) {
  std::map<std::pair<uint32_t, std::string>, uint32_t> writes;
  for (const Client& client : clients) {
    for (const Sighting& sighting : client.sightings()) {
      const std::string version(reinterpret_cast<const char*>(sighting.version.opaque), sizeof sighting.version.opaque);
      const auto [at, added] = writes.try_emplace({sighting.key, version}, sighting.write);
      if (!added && at->second != sighting.write) {
        return Text("version ", Show(sighting.version), " of key ", sighting.key, " is that of writes ", at->second,
                    " and ", sighting.write);
      }
    }
  }
  return {};
}

}  // namespace

History Race(const MemoryView& memory, const RacePlan& plan) {
  std::vector<Client> clients;
  clients.reserve(plan.clients);
  for (uint32_t n = 0; n < plan.clients; ++n) clients.emplace_back(memory, plan, n);
  std::atomic<bool> go{false};
  std::vector<std::thread> threads;
  for (Client& client : clients) {
    threads.emplace_back([&client, &go] {
      while (!go.load()) std::this_thread::yield();
      client.Run();
    });
  }
  go.store(true);
  for (std::thread& thread : threads) thread.join();
  History history;
  for (Client& client : clients) {
    history.seen.insert(history.seen.end(), client.seen().begin(), client.seen().end());
  }
  history.reused = FindReuse(clients);
  return history;
}

std::string Write(const History& history) {
  std::ostringstream out;
  out << history.reused << '\n' << history.seen.size() << '\n';
  for (const Seen& seen : history.seen) {
    const Event& event = seen.event;
    out << seen.get << ' ' << event.begin << ' ' << event.end << ' ' << event.maybe << ' ' << event.steps.size();
    for (const Step& step : event.steps) {
      out << ' ' << step.key << ' ' << static_cast<int>(step.expects) << ' ' << step.expected << ' ' << step.writes
          << ' ' << step.written;
    }
    out << ' ' << event.words << '\n';
  }
  return out.str();
}

History ReadHistory(const std::string& text) {
  std::istringstream in(text);
  History history;
  std::size_t count = 0;
  std::getline(in, history.reused);
  in >> count;
  for (std::size_t n = 0; n < count && in; ++n) {
    Seen seen;
    std::size_t steps = 0;
    in >> seen.get >> seen.event.begin >> seen.event.end >> seen.event.maybe >> steps;
    for (std::size_t s = 0; s < steps && in; ++s) {
      Step step;
      int expects = 0;
      in >> step.key >> expects >> step.expected >> step.writes >> step.written;
      step.expects = static_cast<Step::Expects>(expects);
      seen.event.steps.push_back(step);
    }
    std::getline(in, seen.event.words);
    history.seen.push_back(std::move(seen));
  }
  if (!in) Fail("the kit cannot read the history of another of its processes");
  return history;
}

std::vector<Event> Commits(const History& history) {
  std::vector<Event> events;
  for (const Seen& seen : history.seen) {
    if (!seen.get) events.push_back(seen.event);
  }
  return events;
}

std::vector<Event> All(const History& history) {
  std::vector<Event> events;
  events.reserve(history.seen.size());
  for (const Seen& seen : history.seen) events.push_back(seen.event);
  return events;
}

}  // namespace teal::kit
