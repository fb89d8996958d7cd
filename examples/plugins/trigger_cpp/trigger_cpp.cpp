// A trigger for Teal in C++: each line written to a file starts a session. It shows credit, accept after commit, reject
// with a delay, and a state kept in the host's "teal.host.state/1", so that a restart goes on where the last run was.
//
// In teal.yaml: trigger_cpp: {path: orders.txt}
#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <csignal>
#include <memory>
#include <mutex>
#include <nlohmann/json.hpp>
#include <teal/plugin.hpp>
#include <thread>

#include "source.hpp"

using lines::Source;
using teal::Bytes;
using teal::Copy;
using teal::View;
using teal::plugin::Done;
using teal::plugin::Error;
using teal::plugin::Give;
using teal::plugin::Take;

namespace {
constexpr auto kLookEvery = std::chrono::milliseconds(20);  // for new lines
constexpr std::string_view kState = "lines";
}  // namespace

struct teal_instance {
  teal_instance(const teal_host* its_host, const teal_state* its_state) : host(its_host), state(its_state) {}

  const teal_host* const host;
  const teal_state* const state;
  teal::plugin::OpenCalls calls;
  teal::plugin::OpenCalls puts;  // calls of ours that the state service has
  std::mutex mutex;              // guards what follows
  std::condition_variable wake;
  std::vector<std::shared_ptr<Source>> sources;
  uint64_t last_token = 0;
  bool closing = false;
  std::thread reader;

  uint64_t Now() const { return host->now_unix_ns(host); }
  std::shared_ptr<Source> Find(std::string_view id) {
    const auto at =
        std::find_if(sources.begin(), sources.end(), [&](const auto& source) { return source->id() == id; });
    return at == sources.end() ? nullptr : *at;
  }
  void Run();
  // With the mutex held by `lock`, which is given up while the state service is called: it may answer at once.
  void Save(const std::shared_ptr<Source>& source, std::unique_lock<std::mutex>& lock);
};

void teal_instance::Run() {
  std::unique_lock lock(mutex);
  while (!closing) {
    bool any = false;
    for (const auto& source : sources) any |= source->Emit(Now(), &last_token);
    // Waking often and asking the host for the time keeps its clock the only one that counts.
    if (!any) wake.wait_for(lock, kLookEvery);
  }
}

namespace {

Error NotFound(std::string_view what) {
  return {TEAL_NOT_FOUND, std::string(what)};
}

// A call of ours to the state service, alive until it is done.
struct StateCall {
  teal_call call{};
  teal_instance* instance = nullptr;
  std::shared_ptr<Source> source;
  std::string value;
  teal_version expected{};
  Done start;  // of the call that a read is for

  void Fill(teal_done_fn done) {
    call.struct_size = sizeof call;
    call.done = done;
    call.done_ctx = this;
  }
};

Error RunsAlready(const std::string& id) {
  return {TEAL_INVALID, "the trigger " + id + " runs already"};
}

Error FromAbi(const teal_error& error) {
  return {error.code, error.message, error.outcome, error.retry_after_ns, error.vendor_code};
}

void TEAL_CALL Saved(void* ctx, const teal_error* error, const void* result) {
  const std::unique_ptr<StateCall> call(static_cast<StateCall*>(ctx));
  teal_instance* const instance = call->instance;
  {
    std::unique_lock lock(instance->mutex);
    if (error == nullptr) call->source->Stored(*static_cast<const teal_version*>(result));
    for (Done& done : call->source->saving) {
      // Where the state was not stored, the lines come again after a restart, under their ids: no session starts
      // twice.
      if (error == nullptr) {
        done.Ok();
      } else {
        done.Fail(FromAbi(*error));
      }
    }
    call->source->saving.clear();
    instance->Save(call->source, lock);
  }
  instance->puts.Leave();
}

void TEAL_CALL Read(void* ctx, const teal_error* error, const void* result) {
  const std::unique_ptr<StateCall> call(static_cast<StateCall*>(ctx));
  teal_instance* const instance = call->instance;
  if (error != nullptr && error->code != TEAL_NOT_FOUND) {
    call->start.Fail(FromAbi(*error));
  } else {
    if (error == nullptr) {
      const auto* const record = static_cast<const teal_record*>(result);
      call->source->GoOnFrom(Copy(record->value), record->version);
    }
    bool runs = false;
    {
      const std::lock_guard lock(instance->mutex);
      runs = instance->Find(call->source->id()) != nullptr;  // two starts at once
      if (!runs) instance->sources.push_back(call->source);
      instance->wake.notify_all();
    }
    if (runs) {
      call->start.Fail(RunsAlready(call->source->id()));
    } else {
      call->start.Ok();
    }
  }
  instance->puts.Leave();
}

}  // namespace

// One put at a time; accepts that come meanwhile wait for the next.
void teal_instance::Save(const std::shared_ptr<Source>& source, std::unique_lock<std::mutex>& lock) {
  if (!source->saving.empty() || source->waiting.empty()) return;
  source->saving.swap(source->waiting);
  auto call = std::make_unique<StateCall>();
  call->instance = this;
  call->source = source;
  call->value = source->State();
  call->expected = source->version();
  call->Fill(Saved);
  puts.Enter();
  StateCall* const raw = call.release();  // Saved deletes it
  lock.unlock();
  const teal_status status =
      state->put(host, &raw->call, Bytes(source->id()), Bytes(kState), Bytes(raw->value), &raw->expected, 0);
  lock.lock();
  if (status == TEAL_OK) return;
  delete raw;
  for (Done& done : source->saving) done.Fail({status, "the host's state service refused the state"});
  source->saving.clear();
  puts.Leave();
}

namespace {

// What is wrong with an object of settings that may have the keys given.
std::optional<std::string> WhyWrong(const nlohmann::json& json, std::initializer_list<std::string_view> known) {
  if (!json.is_object()) return "the settings must be an object";
  for (const auto& [key, value] : json.items()) {
    if (std::find(known.begin(), known.end(), key) == known.end()) return "unknown setting \"" + key + "\"";
  }
  return std::nullopt;
}

std::optional<std::string> PathOf(teal_bytes config, teal_error* error) {
  const auto json = nlohmann::json::parse(View(config), nullptr, false);
  if (const auto wrong = WhyWrong(json, {"path"})) {
    Give(error, {TEAL_INVALID, *wrong + "; write {path: FILE}"});
    return std::nullopt;
  }
  const auto path = json.find("path");
  if (path == json.end() || !path->is_string() || path->get<std::string>().empty()) {
    Give(error,
         {TEAL_INVALID, "\"path\" is missing or no text: write {path: FILE}, the file whose lines are the events"});
    return std::nullopt;
  }
  return path->get<std::string>();
}

teal_status TEAL_CALL Validate(teal_instance*, teal_bytes config, teal_error* error) {
  return teal::plugin::GuardWithError(error, [&] { return PathOf(config, error) ? TEAL_OK : TEAL_INVALID; });
}

teal_status TEAL_CALL Start(teal_instance* instance, const teal_call* call, teal_bytes id, teal_bytes config,
                            teal_emit_fn emit, void* ctx) {
  if (emit == nullptr || id.size == 0) return TEAL_INVALID;
  return Take(call, instance->calls, [&](Done done) {
    teal_error error{};
    error.struct_size = sizeof error;
    const auto path = PathOf(config, &error);
    if (!path) return done.Fail(FromAbi(error));
    {
      const std::lock_guard lock(instance->mutex);
      if (instance->Find(View(id)) != nullptr) return done.Fail(RunsAlready(Copy(id)));
    }
    auto read = std::make_unique<StateCall>();
    read->instance = instance;
    read->source = std::make_shared<Source>(Copy(id), *path, emit, ctx);
    read->start = std::move(done);
    read->Fill(Read);
    instance->puts.Enter();
    StateCall* const raw = read.release();  // Read deletes it
    const teal_status status =
        instance->state->get(instance->host, &raw->call, Bytes(raw->source->id()), Bytes(kState));
    if (status == TEAL_OK) return;
    raw->start.Fail({status, "the host's state service refused to read the state"});
    delete raw;
    instance->puts.Leave();
  });
}

void TEAL_CALL Credit(teal_instance* instance, teal_bytes id, uint64_t count) {
  const std::lock_guard lock(instance->mutex);
  if (const auto source = instance->Find(View(id))) source->AddCredit(count);
  instance->wake.notify_all();
}

teal_status TEAL_CALL Accept(teal_instance* instance, const teal_call* call, uint64_t token, teal_bytes) {
  return Take(call, instance->calls, [&](Done done) {
    std::unique_lock lock(instance->mutex);
    for (const auto& found : instance->sources) {
      if (!found->Accept(token)) continue;
      const std::shared_ptr<Source> source = found;  // Save gives up the mutex
      source->waiting.push_back(std::move(done));
      return instance->Save(source, lock);
    }
    done.Fail(NotFound("there is no event of this token: it was accepted, or its trigger was stopped"));
  });
}

teal_status TEAL_CALL Reject(teal_instance* instance, const teal_call* call, uint64_t token, uint64_t delay_ns) {
  return Take(call, instance->calls, [&](Done done) {
    const std::lock_guard lock(instance->mutex);
    for (const auto& source : instance->sources) {
      if (source->Reject(token, instance->Now() + delay_ns)) return done.Ok();
    }
    done.Fail(NotFound("there is no event of this token: it was accepted, or its trigger was stopped"));
  });
}

teal_status TEAL_CALL Stop(teal_instance* instance, const teal_call* call, teal_bytes id) {
  return Take(call, instance->calls, [&](Done done) {
    const std::lock_guard lock(instance->mutex);  // the reader emits under it: once we have it, nothing is under way
    const auto source = instance->Find(View(id));
    if (source == nullptr) return done.Fail(NotFound("the trigger does not run"));
    std::erase(instance->sources, source);
    done.Ok();
  });
}

constexpr teal_trigger kTrigger{
    sizeof(teal_trigger), 0, Validate, Start, Credit, Accept, nullptr, Reject, Stop, nullptr};

// The plugin itself has no settings: each trigger has its own, which `start` gets.
teal_status TEAL_CALL Open(const teal_host* host, teal_bytes config, teal_instance** out, teal_error* error) {
  return teal::plugin::GuardWithError(error, [&] {
    if (const auto wrong = WhyWrong(nlohmann::json::parse(View(config), nullptr, false), {})) {
      return Give(error, {TEAL_INVALID, *wrong + "; the plugin takes none, its triggers take a path"});
    }
    const auto* const state = static_cast<const teal_state*>(host->service(host, TEAL_STATE_ID));
    if (state == nullptr || !teal::Has(*state, state->put)) {
      return Give(error, {TEAL_UNSUPPORTED, "this host has no " TEAL_STATE_ID ": what was accepted could not be kept"});
    }
    auto instance = std::make_unique<teal_instance>(host, state);
    // The thread inherits the mask: signals are the host's.
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    instance->reader = std::thread([raw = instance.get()] { raw->Run(); });
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
    *out = instance.release();
    return TEAL_OK;
  });
}

void TEAL_CALL Close(teal_instance* instance) {
  instance->calls.Close();
  {
    const std::lock_guard lock(instance->mutex);
    instance->closing = true;
    instance->wake.notify_all();
  }
  instance->reader.join();
  // Every open call waits for a call of the state service, which ends in any case.
  instance->calls.Wait();
  instance->puts.Wait();
  delete instance;
}

const void* TEAL_CALL GetInterface(const char* id) {
  return std::string_view(id) == TEAL_TRIGGER_ID ? &kTrigger : nullptr;
}

// A hint: what is open waits for the state service only, which is quick.
teal_status TEAL_CALL Cancel(teal_instance*, uint64_t) {
  return TEAL_OK;
}

constexpr teal_plugin kPlugin{sizeof(teal_plugin), TEAL_ABI_MINOR, 0, 0, "trigger_cpp", "1.0.0", Open, Close,
                              GetInterface,        Cancel};

}  // namespace

extern "C" TEAL_EXPORT const teal_plugin* TEAL_CALL teal_plugin_v1(void);
const teal_plugin* teal_plugin_v1(void) {
  return &kPlugin;
}
