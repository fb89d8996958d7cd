#include "tests/sim/sessions_world.h"

#include <cassert>
#include <cstdio>
#include <cstdlib>
#include <utility>

#include "core/vm/json.h"

namespace teal::sim {

using vm::Value;

uint64_t WorldCalls::Start(const runtime::ForeignCall& call, std::function<void(runtime::ForeignOutcome)> done) {
  const std::string name = program_->imports()[call.import].function;
  const std::string thread = std::string(call.session) + "/" + std::string(call.thread);
  const std::string key = thread + "/" + std::to_string(call.step);
  std::string arguments = name + "(";
  for (const Value& argument : call.arguments) arguments += vm::SourceForm(argument) + ",";
  if (world_.note) world_.note("begins " + key + " " + arguments);
  World::Effect& effect = world_.effects[key];
  if (effect.begun++ == 0) {
    effect.arguments = arguments;
  } else if (effect.arguments != arguments) {
    world_.wrongs.push_back(key + " began again with other arguments: " + effect.arguments + " and " + arguments);
  }
  if (name == "once" && effect.begun > 1) world_.wrongs.push_back(key + ": an at-most-once step ran twice");
  uint64_t& last = world_.last_step[thread];
  if (call.step < last) {
    world_.wrongs.push_back(key + " began after step " + std::to_string(last) + " of its thread had: it was recorded");
  }
  last = std::max(last, call.step);
  runtime::ForeignOutcome outcome;
  outcome.ok = true;
  if (name == "kill" || (name == "kill_once" && effect.begun == 1)) world_.host_ends = true;
  if (name == "add") {
    outcome.value = Value::Int(call.arguments[0].AsInt() + call.arguments[1].AsInt());
  } else if (name == "fail") {
    outcome.ok = false;
    outcome.value = vm::MakeError("Broken", "as asked");
  } else {
    outcome.value = Value::Int(2 * call.arguments[0].AsInt());
  }
  const uint64_t longest = name == "slow" ? 5'000'000'000 : 50'000'000;
  loop_.After(random_.Between(1'000, longest), [alive = alive_, done = std::move(done), outcome = std::move(outcome)] {
    if (*alive) done(outcome);
  });
  return ++numbers_;
}

struct SessionsWorld::Host {
  Host(SessionsWorld& world, uint64_t seed)
      : store(world.memory_, world.options_.faults, seed), calls(world.loop_, world.world_, world.program_, seed + 1) {
    runtime::DurableOptions options;
    options.store = &store;
    if (world.options_.floor) {
      runtime::FloorOptions of_floor;
      of_floor.seed = seed + 3;
      of_floor.now_unix_ns = [&world] { return static_cast<uint64_t>(world.loop_.now()); };
      of_floor.post = [&world, living = alive](std::function<void()> run) {
        world.loop_.After(0, [living, run = std::move(run)] {
          if (*living) run();  // else its host has died
        });
      };
      floor = std::make_unique<runtime::FloorStore>(store, of_floor);
      options.store = floor.get();
    }
    options.clock = &world.clock_;
    options.constants = world.options_.constants;
    SimRandom random(seed + 2);
    for (uint8_t& byte : options.incarnation) byte = static_cast<uint8_t>(1 + random.Below(255));
    if (world.options_.noted) {
      note = std::make_unique<runtime::RunningNote>(world.note_.data());
      options.note = note.get();
    }
    options.foreign_of = [this](const runtime::ForeignNeed&, const auto& done) {
      done(static_cast<runtime::ForeignCalls*>(&calls));
    };
    sessions = std::make_unique<runtime::DurableSessions>(options);
  }
  // What is still to be answered has somebody who hears it.
  ~Host() { floor.reset(); }
  void Die() {
    *alive = false;
    calls.Cut();
    store.Crash();
  }
  const std::shared_ptr<bool> alive = std::make_shared<bool>(true);
  std::unique_ptr<runtime::RunningNote> note;
  FaultyStore store;
  std::unique_ptr<runtime::FloorStore> floor;
  WorldCalls calls;
  std::unique_ptr<runtime::DurableSessions> sessions;
};

SessionsWorld::SessionsWorld(SessionsOptions options)
    : options_(std::move(options)), memory_(loop_, CapsOf(options_.faults)), random_(options_.seed) {
  assert(runtime::NeedsFloor({.commit_ops_max = options_.faults.commit_ops_max}) || !options_.floor);
  Result<std::shared_ptr<const vm::Program>> program = vm::Program::Load(options_.executable);
  if (!program.ok()) {
    std::fprintf(stderr, "%s\n", program.failure().message.c_str());
    std::abort();
  }
  program_ = *program;
  memory_.SetWatch([this](const SimMemory::Key& key, const SimMemory::Record* before, const SimMemory::Record* after) {
    watch_.Changed(key, before, after, loop_.now());
  });
  world_.note = [this](const std::string& what) { watch_.Note(loop_.now(), what); };
  Boot();
}

SessionsWorld::~SessionsWorld() {
  if (host_ != nullptr) host_->Die();
}

std::string SessionsWorld::Wrong() const {
  if (!world_.wrongs.empty()) return world_.wrongs.front();
  return watch_.wrongs().empty() ? std::string() : watch_.wrongs().front();
}

FaultCounts SessionsWorld::faults() const {
  FaultCounts all = faults_;
  for (size_t i = 0; i < all.size(); ++i) all[i] += host_->store.faults()[i];
  return all;
}

uint64_t SessionsWorld::commits() const {
  return host_->store.counters().commits;
}

const runtime::FloorCounters* SessionsWorld::floor_counters() const {
  return host_->floor != nullptr ? &host_->floor->floor_counters() : nullptr;
}

const runtime::StoreCounters& SessionsWorld::store_counters() const {
  return host_->store.counters();
}

void SessionsWorld::Boot() {
  host_ = std::make_unique<Host>(*this, options_.seed * 1'000'003 + ++boots_ * 17);
  wake_at_ = INT64_MAX;
  host_->sessions->ActivateSoon({"main.tl", options_.executable, std::nullopt, true}, [](const Status&) {});
  RunHost();
}

void SessionsWorld::Crash() {
  ++crashes_;
  watch_.Note(loop_.now(), "the host dies");
  host_->Die();
  for (size_t i = 0; i < faults_.size(); ++i) faults_[i] += host_->store.faults()[i];
  dead_.push_back(std::move(host_));
  Boot();
}

void SessionsWorld::RunHost() {
  const int64_t next = host_->sessions->RunReady();
  if (next == INT64_MAX || next >= wake_at_) return;
  wake_at_ = next;
  const uint64_t boot = boots_;
  loop_.At(next, [this, next, boot] {
    if (boot == boots_ && wake_at_ == next) wake_at_ = INT64_MAX;
  });
}

void SessionsWorld::Step() {
  if (!loop_.RunOne()) {
    std::fprintf(stderr, "nothing can happen any more\n");
    std::abort();
  }
  if (random_.Happens(options_.crash_rate)) return Crash();
  RunHost();
  if (std::exchange(world_.host_ends, false)) Crash();
}

runtime::DurableSessions* SessionsWorld::HostOfNow() {
  return host_->sessions.get();
}

void SessionsWorld::AskAt(int64_t unix_ns, std::string sid, std::string event, std::string json, std::string key,
                          std::vector<std::string>* replies) {
  loop_.At(unix_ns, [this, sid, event, json, key, replies] {
    const auto over = std::make_shared<bool>(false);
    host_->sessions->Send(sid, event, json, key, 15'000'000'000,
                          [over, replies](runtime::Served<std::optional<std::string>> answer) {
                            if (answer.value) replies->push_back(*answer.value);
                            *over = answer.value.has_value();
                          });
    loop_.After(20'000'000'000, [this, over, sid, event, json, key, replies] {
      if (!*over) AskAt(loop_.now(), sid, event, json, key, replies);
    });
  });
}

std::vector<runtime::LineView> SessionsWorld::ReadLines(const std::string& sid, runtime::LineSort sort, uint64_t page) {
  std::vector<runtime::LineView> all;
  std::string cursor;
  for (;;) {
    const auto answer =
        Ask<runtime::LinesAnswer>([&](runtime::DurableSessions& host, runtime::Done<runtime::LinesAnswer> done) {
          host.Lines(sid, sort, cursor, page, 0, std::move(done));
        });
    if (answer.error || answer.value.lines.empty()) return all;
    all.insert(all.end(), answer.value.lines.begin(), answer.value.lines.end());
    cursor = answer.value.next;
  }
}

void SessionsWorld::Pass(uint64_t virtual_ns) {
  const int64_t until = loop_.now() + static_cast<int64_t>(virtual_ns);
  loop_.At(until, [] {});
  while (loop_.now() < until) Step();
}

void SessionsWorld::At(int64_t unix_ns, std::function<void(runtime::DurableSessions&)> call) {
  loop_.At(unix_ns, [this, call = std::move(call)] { call(*host_->sessions); });
}

void SessionsWorld::SendAt(int64_t unix_ns, std::string sid, std::string event, std::string json, std::string key) {
  loop_.At(unix_ns, [this, sid, event, json, key] {
    const auto sent = std::make_shared<bool>(false);
    host_->sessions->Send(sid, event, json, key, 0, [sent](runtime::Served<std::optional<std::string>> answer) {
      // An end is an answer, too.
      *sent = !answer.error || answer.error->code == runtime::ServiceError::Code::kConflict;
    });
    // Asked again under the same key until it is known to be there.
    loop_.After(20'000'000'000, [this, sent, sid, event, json, key] {
      if (!*sent) SendAt(loop_.now(), sid, event, json, key);
    });
  });
}

std::string SessionsWorld::SidOf(const runtime::StartRequest& request) {
  return runtime::DurableSessions::SidOf(request);
}

bool SessionsWorld::RunToEnd(const runtime::StartRequest& request, uint64_t virtual_ns, runtime::SessionView* view) {
  const int64_t until = loop_.now() + static_cast<int64_t>(virtual_ns);
  // Shared with answers that come when this is over.
  struct Progress {
    std::string sid;
    bool ended = false;
    runtime::SessionView view;
  };
  const auto progress = std::make_shared<Progress>();
  while (!progress->ended && loop_.now() < until) {
    // Asks, and asks again after a while: the host may have died, and with it the answer.
    if (progress->sid.empty()) {
      host_->sessions->Start(request, [progress](runtime::Served<runtime::StartAnswer> answer) {
        if (!answer.error) progress->sid = answer.value.session.sid;
      });
    } else {
      host_->sessions->Wait(progress->sid, 10'000'000'000, [progress](runtime::Served<runtime::SessionView> answer) {
        if (answer.error || !HasEnded(answer.value.status)) return;
        progress->ended = true;
        progress->view = answer.value;
      });
    }
    RunHost();
    const int64_t again = loop_.now() + 15'000'000'000;
    const bool had_sid = !progress->sid.empty();
    loop_.At(again, [] {});
    while (loop_.now() < again && !progress->ended && (had_sid || progress->sid.empty())) Step();
  }
  *view = progress->view;
  return progress->ended;
}

}  // namespace teal::sim
