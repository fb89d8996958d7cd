#include "tests/sim/shared_world.h"

#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "core/runtime/record_codec.h"

namespace teal::sim {

namespace record = runtime::record;

namespace {

constexpr uint64_t kAskAgainNs = 20'000'000'000;
constexpr uint64_t kStopTakesNs = 15'000'000'000;

class SkewedClock : public runtime::Clock {
 public:
  SkewedClock(SimLoop& loop, int64_t skew_ns) : loop_(loop), skew_ns_(skew_ns) {}
  int64_t NowUnixNs() const override { return loop_.now() + skew_ns_; }
  bool IsVirtual() const override { return true; }
  void JumpTo(int64_t) override {}
  int64_t ToLoop(int64_t unix_ns) const { return unix_ns == INT64_MAX ? unix_ns : unix_ns - skew_ns_; }

 private:
  SimLoop& loop_;
  const int64_t skew_ns_;
};

}  // namespace

struct SharedWorld::Host {
  Host(SharedWorld& world, uint64_t seed, int64_t skew_ns, bool has_code)
      : clock(world.loop_, skew_ns),
        store(world.memory_, world.options_.faults, seed),
        calls(world.loop_, world.world_, world.program_, seed + 1) {
    runtime::DurableOptions options;
    options.store = &store;
    options.clock = &clock;
    SimRandom random(seed + 2);
    for (uint8_t& byte : options.incarnation) byte = static_cast<uint8_t>(1 + random.Below(255));
    options.foreign_of = [this, has_code](const runtime::ForeignNeed&, const auto& done) {
      if (!has_code) return done(Fail(FailureCode::kInvalid, "no Python here"));
      done(static_cast<runtime::ForeignCalls*>(&calls));
    };
    if (std::getenv("TEAL_SIM_LOG") != nullptr) {
      options.log = [seed](const std::string& line) {
        std::fprintf(stderr, "host %llu: %s\n", static_cast<unsigned long long>(seed), line.c_str());
      };
    }
    sessions = std::make_unique<runtime::DurableSessions>(options);
  }
  SkewedClock clock;
  FaultyStore store;
  WorldCalls calls;
  std::unique_ptr<runtime::DurableSessions> sessions;
  int64_t wake_at = INT64_MAX;
  int64_t asleep_until = 0;
  bool stopping = false;
};

SharedWorld::SharedWorld(SharedOptions options)
    : options_(std::move(options)), memory_(loop_, CapsOf(options_.faults)), random_(options_.seed) {
  Result<std::shared_ptr<const vm::Program>> program = vm::Program::Load(options_.executable);
  if (!program.ok()) {
    std::fprintf(stderr, "%s\n", program.failure().message.c_str());
    std::abort();
  }
  program_ = *program;
  for (size_t i = 0; i < options_.hosts; ++i) hosts_.push_back(Boot(i));
}

SharedWorld::~SharedWorld() {
  for (const auto& host : hosts_) {
    host->calls.Cut();
    host->store.Crash();
  }
}

std::unique_ptr<SharedWorld::Host> SharedWorld::Boot(size_t place) {
  const int64_t skew =
      options_.skew_ns_max == 0
          ? 0
          : static_cast<int64_t>(random_.Below(static_cast<uint64_t>(2 * options_.skew_ns_max))) - options_.skew_ns_max;
  auto host =
      std::make_unique<Host>(*this, options_.seed * 1'000'003 + ++boots_ * 17, skew, place != options_.without_code);
  host->sessions->ActivateSoon({"main.tl", options_.executable, std::nullopt, true}, [](const Status&) {});
  Run(*host);
  return host;
}

// The host has died; or it has ended as asked, and what it did is done.
void SharedWorld::Bury(size_t host, bool cut) {
  Host& old = *hosts_[host];
  if (cut) ++counts_.crashes;
  old.calls.Cut();
  old.store.Crash();
  dead_.push_back(std::move(hosts_[host]));
  hosts_[host] = Boot(host);
}

void SharedWorld::Run(Host& host) {
  if (loop_.now() < host.asleep_until) return;
  const int64_t next = host.clock.ToLoop(host.sessions->RunReady());
  Check("a turn of a host");
  if (next == INT64_MAX || next >= host.wake_at) return;
  host.wake_at = next;
  // Hosts that died stay in `dead_`, so that the address is one host's alone.
  loop_.At(next, [&host, next] {
    if (host.wake_at == next) host.wake_at = INT64_MAX;
  });
}

SharedWorld::Host& SharedWorld::Any() {
  return *hosts_[random_.Below(hosts_.size())];
}

void SharedWorld::Step() {
  if (!loop_.RunOne()) {
    std::fprintf(stderr, "nothing can happen any more\n");
    std::abort();
  }
  Check("a call of the store");
  if (random_.Happens(options_.crash_rate)) Bury(random_.Below(hosts_.size()), true);
  if (random_.Happens(options_.sleep_rate)) {
    Host& host = Any();
    ++counts_.sleeps;
    host.asleep_until = loop_.now() + static_cast<int64_t>(random_.Between(1'000'000'000, options_.sleep_ns_max));
    loop_.At(host.asleep_until, [] {});
  }
  if (random_.Happens(options_.stop_rate)) {
    Host& host = Any();
    if (!host.stopping) {
      host.stopping = true;
      ++counts_.stops;
      host.sessions->Stop();
      loop_.After(kStopTakesNs, [this, &host] {
        for (size_t i = 0; i < hosts_.size(); ++i) {
          if (hosts_[i].get() == &host) Bury(i, false);
        }
      });
    }
  }
  for (size_t i = 0; i < hosts_.size(); ++i) Run(*hosts_[i]);
}

void SharedWorld::Pass(uint64_t virtual_ns) {
  const int64_t until = loop_.now() + static_cast<int64_t>(virtual_ns);
  loop_.At(until, [] {});
  while (loop_.now() < until) Step();
}

// Each write that was made since the last look, against the one before it.
void SharedWorld::Check(const char* after) {
  for (auto& [sid, seen] : seen_) {
    const SimMemory::Record* const there = memory_.Find({sid, "s"});
    if (there == nullptr || std::memcmp(&there->version, &seen.version, sizeof(teal_version)) == 0) continue;
    seen.version = there->version;
    if (there->value.starts_with("x\1")) {  // a list of parts
      seen.session.reset();
      continue;
    }
    Result<record::Session> now = record::DecodeSession(record::SessionKey(sid), there->value);
    if (!now.ok()) {
      world_.wrongs.push_back(sid + ": " + now.failure().message);
      continue;
    }
    if (seen.session) {
      const record::Session& before = *seen.session;
      const auto wrong = [&](const std::string& what) {
        world_.wrongs.push_back(sid + ": " + what + ", after " + after);
      };
      if (now->main.commit_id == before.main.commit_id) {
        if (*now != before) ++counts_.side_writes;
        if (const std::string fault = record::SideWriteFault(before, *now); !fault.empty()) wrong("P-2: " + fault);
      } else if (!record::IsErase(now->main.status)) {
        if (before.ended_unix_ns != 0) wrong("P-19: it had ended");
        if (now->main.epoch < before.main.epoch) wrong("P-10: an epoch came back");
        const bool taken_over = before.carrier && before.carrier->holder != now->main.commit_id.incarnation;
        if (taken_over) {
          ++counts_.take_overs;
          if (now->main.epoch == before.main.epoch) wrong("P-10: taken over without the next epoch");
          const auto over = static_cast<int64_t>(before.carrier->until_unix_ns + record::Constants().skew_max_ns);
          if (loop_.now() + options_.skew_ns_max < over) wrong("P-10: taken over before the lease was over");
        }
      }
    }
    if (std::getenv("TEAL_SIM_LOG") != nullptr) {
      std::fprintf(
          stderr, "%.3f s: %s: %s, epoch %llu, by %02x/%llu, carrier %s %.1f s, due %.1f s, in flight %zu\n",
          static_cast<double>(loop_.now() - SimLoop::kBeginUnixNs) / 1e9, sid.c_str(),
          std::string(record::NameOf(now->main.status)).c_str(), static_cast<unsigned long long>(now->main.epoch),
          now->main.commit_id.incarnation[0], static_cast<unsigned long long>(now->main.commit_id.counter),
          now->carrier ? "until" : "none",
          now->carrier
              ? (static_cast<double>(now->carrier->until_unix_ns) - static_cast<double>(SimLoop::kBeginUnixNs)) / 1e9
              : 0.0,
          there->due_unix_ns == 0
              ? 0.0
              : (static_cast<double>(there->due_unix_ns) - static_cast<double>(SimLoop::kBeginUnixNs)) / 1e9,
          now->main.in_flight.size());
    }
    seen.session = std::move(*now);
  }
}

// ---- what the world asks for ----

void SharedWorld::Insist(Ask ask, std::function<void()> then) {
  const auto answered = std::make_shared<bool>(false);
  ask(*Any().sessions, [answered, then](bool well) {
    if (!well || *answered) return;
    *answered = true;
    if (then) then();
  });
  loop_.After(kAskAgainNs, [this, answered, ask = std::move(ask), then = std::move(then)] {
    if (!*answered) Insist(ask, then);
  });
}

std::string SharedWorld::Start(const runtime::StartRequest& request) {
  const std::string sid = runtime::DurableSessions::SidOf(request);
  seen_[sid];
  Insist(
      [request](runtime::DurableSessions& host, std::function<void(bool)> done) {
        host.Start(request, [done](runtime::Served<runtime::StartAnswer> answer) { done(!answer.error); });
      },
      [this, sid] { WaitFor(sid); });
  return sid;
}

void SharedWorld::WaitFor(const std::string& sid) {
  Insist([this, sid](runtime::DurableSessions& host, std::function<void(bool)> done) {
    host.Wait(sid, kAskAgainNs, [this, sid, done](runtime::Served<runtime::SessionView> answer) {
      if (answer.error || !HasEnded(answer.value.status)) return;
      views_[sid] = answer.value;
      done(true);
    });
  });
}

void SharedWorld::Send(const std::string& sid, const std::string& event, const std::string& json,
                       const std::string& key, std::function<void()> then) {
  Insist(
      [=](runtime::DurableSessions& host, std::function<void(bool)> done) {
        host.Send(sid, event, json, key, 0,
                  [done](runtime::Served<std::optional<std::string>> answer) { done(!answer.error); });
      },
      std::move(then));
}

void SharedWorld::Request(const std::string& sid, const std::string& event, const std::string& json,
                          const std::string& key, const std::string& wanted, std::function<void()> then) {
  Insist(
      [=, this](runtime::DurableSessions& host, std::function<void(bool)> done) {
        host.Send(sid, event, json, key, kAskAgainNs, [=, this](runtime::Served<std::optional<std::string>> answer) {
          if (!answer.error && answer.value && *answer.value != wanted) {
            world_.wrongs.push_back(key + ": the reply " + *answer.value + " instead of " + wanted);
          }
          done(!answer.error && answer.value);
        });
      },
      std::move(then));
}

runtime::DurableSessions& SharedWorld::At(size_t host) {
  return *hosts_[host]->sessions;
}

std::string SharedWorld::Open() const {
  std::string text;
  for (const auto& [sid, seen] : seen_) {
    if (views_.count(sid) > 0) continue;
    text += "\n" + sid + ": ";
    const SimMemory::Record* const there = memory_.Find({sid, "s"});
    if (there == nullptr || !seen.session) {
      text += "not there";
      continue;
    }
    const record::Session& session = *seen.session;
    const auto from_now = [this](uint64_t unix_ns) {
      return std::to_string((static_cast<int64_t>(unix_ns) - loop_.now()) / 1'000'000'000) + " s";
    };
    text += std::string(record::NameOf(session.main.status)) + ", epoch " + std::to_string(session.main.epoch);
    text += there->due_unix_ns == 0 ? ", never due" : ", due in " + from_now(there->due_unix_ns);
    if (session.carrier) text += ", carried for " + from_now(session.carrier->until_unix_ns);
    if (session.paused) text += ", paused";
    if (session.main.cancel != record::Cancel::kNo) text += ", cancelled";
    if (session.ended_unix_ns > 0) text += ", ended";
    for (const record::Inbox& inbox : session.inbox) text += ", " + std::to_string(inbox.values.size()) + " events";
  }
  return text;
}

bool SharedWorld::RunToEnd(uint64_t virtual_ns) {
  const int64_t until = loop_.now() + static_cast<int64_t>(virtual_ns);
  while (views_.size() < seen_.size() && loop_.now() < until && world_.wrongs.empty()) Step();
  return views_.size() == seen_.size();
}

}  // namespace teal::sim
