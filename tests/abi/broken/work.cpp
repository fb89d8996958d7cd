// Work items and events in this process that keep the contract, but for one defect at a time: the configuration names
// it. Each must fail exactly the row of docs/abi.md that tests/abi/run says. Every call is over before it returns; one
// thread a queue waits for what is not due yet.
#include <pthread.h>
#include <signal.h>
#include <teal/abi.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <teal/bytes.hpp>
#include <teal/plugin.hpp>
#include <thread>
#include <vector>

namespace {

using teal::Bytes;
using teal::Copy;
using teal::View;
using teal::plugin::Done;
using teal::plugin::Error;
using teal::plugin::Take;

// What the defects of threads and of triggers are called; "None" is sound.
const std::set<std::string>& Defects() {
  static const std::set<std::string> names = {
      "None",
      "LostLane",           // an item is delivered without its lane
      "CreditOverrun",      // credit for two is taken as credit for three
      "EarlyDelivery",      // an item comes 50 ms before its time
      "OrderIgnored",       // items of one order key are out at once
      "PriorityIgnored",    // items come in the order dispatched
      "DeadComesBack",      // what is settled as dead is delivered again
      "RetryAtOnce",        // the delay of a retry is not kept
      "AnyToken",           // a token that is unknown can be settled
      "DrainAtOnce",        // drain does not wait for what is delivered
      "LostByStop",         // what is not settled is forgotten by stop_consuming
      "Doubles",            // an id is delivered as often as it was dispatched
      "ManyConsumers",      // a second consumer takes the place of the first
      "AnyPayload",         // payloads have no limit
      "DeliversLate",       // an item is delivered after close
      "AnySection",         // a trigger's section may have unknown keys
      "EventOverrun",       // credit for three is taken as credit for four
      "UnknownFlag",        // an event has a flag that the header does not know
      "RejectedAtOnce",     // the delay of a reject is not kept
      "EmitsAfterStop",     // an event comes after the `done` of stop
      "ForgetsOpenEvents",  // what was not accepted does not come again
      "StartsTwice",        // an id that runs can be started
      "HalfDecoded",        // decode emits what comes before the damage
  };
  return names;
}

std::mutex g_defect_mutex;
std::string g_defect = "None";  // of the process: set by the last configuration that named one
bool Broken(const char* defect) {
  const std::lock_guard lock(g_defect_mutex);
  return g_defect == defect;
}

constexpr uint64_t kPayloadMax = 10'000;
constexpr uint64_t kMs = 1'000'000;

struct Entry {
  std::string id, lane, order_key, payload;
  uint64_t not_before = 0;
  uint32_t priority = 0;
  uint32_t attempt = 0;
  uint64_t number = 0;  // in the order dispatched
  uint64_t token = 0;   // 0: waits
};

struct Event {
  uint64_t number = 0;
  uint64_t not_before = 0;
};

// What a trigger must know over its stops: kept in this process, as long as the tests of the kit look at it.
struct Cursor {
  uint64_t next = 1;
  std::set<uint64_t> open;  // emitted and not accepted
};
std::mutex g_cursors_mutex;
std::map<std::string, Cursor> g_cursors;

struct Running {
  teal_emit_fn emit = nullptr;
  void* ctx = nullptr;
  uint64_t credit = 0;
  std::vector<Event> again;             // to be emitted before new ones
  std::map<uint64_t, uint64_t> tokens;  // token: number
};

}  // namespace

struct teal_instance {
  const teal_host* host = nullptr;
  teal::plugin::OpenCalls calls;
  std::mutex mutex;  // guards all below; held during deliver and emit, which are sinks
  std::condition_variable changed;
  bool closing = false;
  std::thread timer;

  std::vector<Entry> entries;
  teal_deliver_fn deliver = nullptr;
  void* deliver_ctx = nullptr;
  uint64_t credit = 0;
  uint64_t last_number = 0;
  uint64_t last_token = 0;
  bool draining = false;
  std::vector<Done> drains;
  std::map<std::string, Running> triggers;

  uint64_t Now() const { return host->now_unix_ns(host); }
};

namespace {

// ---- threads ----

bool Out(const Entry& entry) {
  return entry.token != 0;
}

bool Blocked(const teal_instance& instance, const Entry& entry) {
  if (entry.order_key.empty() || Broken("OrderIgnored")) return false;
  return std::any_of(instance.entries.begin(), instance.entries.end(), [&](const Entry& other) {
    return other.order_key == entry.order_key && other.number < entry.number;
  });
}

Entry* Next(teal_instance& instance) {
  const uint64_t now = instance.Now();
  const uint64_t early = Broken("EarlyDelivery") ? 50 * kMs : 0;
  Entry* best = nullptr;
  for (Entry& entry : instance.entries) {
    if (Out(entry) || entry.not_before > now + (entry.attempt == 0 ? early : 0) || Blocked(instance, entry)) continue;
    const bool first = best == nullptr || (!Broken("PriorityIgnored") && entry.priority > best->priority);
    if (first) best = &entry;
  }
  return best;
}

void Deliver(teal_instance& instance) {
  while (instance.deliver != nullptr && instance.credit > 0 && !instance.draining) {
    Entry* entry = Next(instance);
    if (entry == nullptr) return;
    --instance.credit;
    entry->token = ++instance.last_token;
    ++entry->attempt;
    teal_item item{};
    item.id = Bytes(entry->id);
    if (!Broken("LostLane")) item.lane = Bytes(entry->lane);
    item.order_key = Bytes(entry->order_key);
    item.payload = Bytes(entry->payload);
    item.not_before_unix_ns = entry->not_before;
    item.token = entry->token;
    item.attempt = entry->attempt;
    item.priority = entry->priority;
    instance.deliver(instance.deliver_ctx, &item);
  }
}

void EndDrains(teal_instance& instance) {
  if (!instance.draining ||
      (std::any_of(instance.entries.begin(), instance.entries.end(), Out) && !Broken("DrainAtOnce")))
    return;
  for (Done& drain : instance.drains) drain.Ok();
  instance.drains.clear();
}

teal_status ThreadsCaps(teal_instance*, teal_threads_caps* out) {
  teal_threads_caps caps{};
  caps.features = TEAL_THREADS_DELAY | TEAL_THREADS_ORDER | TEAL_THREADS_PRIORITY | TEAL_THREADS_DEDUP;
  caps.payload_bytes_max = kPayloadMax;
  caps.delay_ns_max = 3'600'000 * kMs;
  caps.credits_max = 1'000'000;
  teal::GiveOut(out, caps);
  return TEAL_OK;
}

teal_status Dispatch(teal_instance* instance, const teal_call* call, const teal_item* items, uint64_t count) {
  return Take(call, instance->calls, [&](Done done) {
    {
      const std::lock_guard lock(instance->mutex);
      for (uint64_t n = 0; n < count; ++n) {
        if (items[n].payload.size > kPayloadMax && !Broken("AnyPayload")) {
          return done.Fail(
              {TEAL_TOO_LARGE, "a payload has at most 10000 bytes; make it smaller", TEAL_NOT_APPLIED, 0, 0});
        }
        const std::string id = Copy(items[n].id);
        const bool waits = std::any_of(instance->entries.begin(), instance->entries.end(),
                                       [&](const Entry& entry) { return !Out(entry) && entry.id == id; });
        if (waits && !Broken("Doubles")) continue;
        instance->entries.push_back({id, Copy(items[n].lane), Copy(items[n].order_key), Copy(items[n].payload),
                                     items[n].not_before_unix_ns, items[n].priority, 0, ++instance->last_number, 0});
      }
      Deliver(*instance);
    }
    instance->changed.notify_all();
    done.Ok();
  });
}

teal_status Consume(teal_instance* instance, teal_deliver_fn deliver, void* ctx) {
  const std::lock_guard lock(instance->mutex);
  if (instance->deliver != nullptr && !Broken("ManyConsumers")) return TEAL_INVALID;
  instance->deliver = deliver;
  instance->deliver_ctx = ctx;
  instance->credit = 0;
  instance->draining = false;
  return TEAL_OK;
}

teal_status StopConsuming(teal_instance* instance) {
  const std::lock_guard lock(instance->mutex);
  instance->deliver = nullptr;
  if (Broken("LostByStop")) std::erase_if(instance->entries, Out);
  for (Entry& entry : instance->entries) entry.token = 0;
  EndDrains(*instance);
  return TEAL_OK;
}

void Credit(teal_instance* instance, uint64_t count) {
  const std::lock_guard lock(instance->mutex);
  instance->credit += count + (count == 2 && Broken("CreditOverrun") ? 1 : 0);
  Deliver(*instance);
}

teal_status Settle(teal_instance* instance, const teal_call* call, uint64_t token, uint32_t how, uint64_t delay_ns) {
  if (how > TEAL_DEAD) return TEAL_INVALID;
  return Take(call, instance->calls, [&](Done done) {
    {
      const std::lock_guard lock(instance->mutex);
      const auto at = std::find_if(instance->entries.begin(), instance->entries.end(),
                                   [&](const Entry& entry) { return token != 0 && entry.token == token; });
      if (at == instance->entries.end()) {
        if (Broken("AnyToken")) return done.Ok();
        return done.Fail({TEAL_NOT_FOUND, "nothing is out under this token", TEAL_NOT_APPLIED, 0, 0});
      }
      if (how == TEAL_RETRY || (how == TEAL_DEAD && Broken("DeadComesBack"))) {
        at->token = 0;
        at->not_before = Broken("RetryAtOnce") ? 0 : instance->Now() + delay_ns;
      } else {
        instance->entries.erase(at);
      }
      Deliver(*instance);
      EndDrains(*instance);
    }
    instance->changed.notify_all();
    done.Ok();
  });
}

teal_status Drain(teal_instance* instance, const teal_call* call) {
  return Take(call, instance->calls, [&](Done done) {
    const std::lock_guard lock(instance->mutex);
    instance->draining = true;
    instance->drains.push_back(std::move(done));
    EndDrains(*instance);
  });
}

const teal_threads kThreads = {
    sizeof(teal_threads), 0, ThreadsCaps, Dispatch, Consume, StopConsuming, Credit, Settle, Drain, nullptr, nullptr};

// ---- triggers ----

void Emit(teal_instance& instance, const std::string& id, Running& running) {
  const std::lock_guard lock(g_cursors_mutex);
  Cursor& cursor = g_cursors[id];
  while (running.credit > 0) {
    const uint64_t now = instance.Now();
    const auto due = std::find_if(running.again.begin(), running.again.end(),
                                  [&](const Event& event) { return event.not_before <= now; });
    uint64_t number = 0;
    if (due != running.again.end()) {
      number = due->number;
      running.again.erase(due);
    } else {
      number = cursor.next++;
      cursor.open.insert(number);
    }
    --running.credit;
    const std::string name = std::to_string(number);
    teal_event event{};
    event.struct_size = sizeof event;
    event.flags = Broken("UnknownFlag") ? 1 : 0;
    event.token = ++instance.last_token;
    event.time_unix_ns = now;
    event.source = Bytes(id);
    event.id = Bytes(name);
    event.data = Bytes(name);
    running.tokens[event.token] = number;
    running.emit(running.ctx, &event);
  }
}

teal_status ValidateSection(teal_instance*, teal_bytes section, teal_error* error) {
  const auto refuse = [&](const std::string& words) {
    return teal::plugin::Give(error, {TEAL_INVALID, words, TEAL_NOT_APPLIED, 0, 0});
  };
  const auto json = nlohmann::json::parse(View(section), nullptr, false);
  if (!json.is_object()) return refuse("the section is no JSON object");
  if (!json.empty() && !Broken("AnySection")) return refuse("the section has the unknown key " + json.begin().key());
  return TEAL_OK;
}

teal_status Start(teal_instance* instance, const teal_call* call, teal_bytes trigger_id, teal_bytes section,
                  teal_emit_fn emit, void* ctx) {
  return Take(call, instance->calls, [&](Done done) {
    teal_error error{};
    error.struct_size = sizeof error;
    if (ValidateSection(instance, section, &error) != TEAL_OK) {
      return done.Fail({TEAL_INVALID, error.message, TEAL_NOT_APPLIED, 0, 0});
    }
    const std::string id = Copy(trigger_id);
    {
      const std::lock_guard lock(instance->mutex);
      if (instance->triggers.contains(id) && !Broken("StartsTwice")) {
        return done.Fail({TEAL_INVALID, "the trigger runs already", TEAL_NOT_APPLIED, 0, 0});
      }
      Running& running = instance->triggers[id];
      running = {emit, ctx, 0, {}, {}};
      const std::lock_guard cursors(g_cursors_mutex);
      for (const uint64_t number : g_cursors[id].open) running.again.push_back({number, 0});
    }
    done.Ok();
  });
}

void TriggerCredit(teal_instance* instance, teal_bytes trigger_id, uint64_t count) {
  const std::lock_guard lock(instance->mutex);
  const auto at = instance->triggers.find(Copy(trigger_id));
  if (at == instance->triggers.end()) return;
  at->second.credit += count + (count == 3 && Broken("EventOverrun") ? 1 : 0);
  // A source has no end: what a large credit would bring comes by the timer.
  const uint64_t later = at->second.credit > 20 ? at->second.credit - 20 : 0;
  at->second.credit -= later;
  Emit(*instance, at->first, at->second);
  at->second.credit += later;
}

// Gives `handle(id, running, number)` the event of a token.
template <typename Handle>
teal_status OfToken(teal_instance* instance, const teal_call* call, uint64_t token, Handle&& handle) {
  return Take(call, instance->calls, [&](Done done) {
    {
      const std::lock_guard lock(instance->mutex);
      const auto at = std::find_if(instance->triggers.begin(), instance->triggers.end(),
                                   [&](const auto& one) { return one.second.tokens.contains(token); });
      if (at == instance->triggers.end()) {
        return done.Fail({TEAL_NOT_FOUND, "no event is open under this token", TEAL_NOT_APPLIED, 0, 0});
      }
      const uint64_t number = at->second.tokens[token];
      at->second.tokens.erase(token);
      handle(at->first, at->second, number);
    }
    instance->changed.notify_all();
    done.Ok();
  });
}

teal_status Accept(teal_instance* instance, const teal_call* call, uint64_t token, teal_bytes) {
  return OfToken(instance, call, token, [](const std::string& id, Running&, uint64_t number) {
    const std::lock_guard lock(g_cursors_mutex);
    g_cursors[id].open.erase(number);
  });
}

teal_status Reject(teal_instance* instance, const teal_call* call, uint64_t token, uint64_t delay_ns) {
  return OfToken(instance, call, token, [&](const std::string&, Running& running, uint64_t number) {
    running.again.push_back({number, Broken("RejectedAtOnce") ? 0 : instance->Now() + delay_ns});
  });
}

teal_status Stop(teal_instance* instance, const teal_call* call, teal_bytes trigger_id) {
  return Take(call, instance->calls, [&](Done done) {
    const std::string id = Copy(trigger_id);
    Running stopped;
    {
      const std::lock_guard lock(instance->mutex);
      stopped = instance->triggers[id];
      instance->triggers.erase(id);
      const std::lock_guard cursors(g_cursors_mutex);
      if (Broken("ForgetsOpenEvents")) g_cursors[id].open.clear();
    }
    done.Ok();
    if (!Broken("EmitsAfterStop") || stopped.emit == nullptr) return;
    std::thread([stopped] {
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
      teal_event late{};
      late.struct_size = sizeof late;
      stopped.emit(stopped.ctx, &late);
    }).detach();
  });
}

// A body is a JSON array of strings, an event each.
teal_status Decode(teal_instance*, teal_bytes body, teal_emit_fn emit, void* ctx, teal_error* error) {
  const auto json = nlohmann::json::parse(View(body), nullptr, false);
  const bool good =
      json.is_array() && std::all_of(json.begin(), json.end(), [](const auto& one) { return one.is_string(); });
  const uint64_t count = good ? json.size() : Broken("HalfDecoded") ? 1 : 0;
  for (uint64_t n = 0; n < count; ++n) {
    const std::string id = std::to_string(n);
    teal_event event{};
    event.struct_size = sizeof event;
    event.source = Bytes("body");
    event.id = Bytes(id);
    emit(ctx, &event);
  }
  if (good) return TEAL_OK;
  return teal::plugin::Give(error, {TEAL_INVALID, "the body is no JSON array of strings", TEAL_NOT_APPLIED, 0, 0});
}

const teal_trigger kTrigger = {
    sizeof(teal_trigger), 0, ValidateSection, Start, TriggerCredit, Accept, nullptr, Reject, Stop, Decode};

// ---- the plugin ----

void Run(teal_instance& instance) {
  std::unique_lock lock(instance.mutex);
  while (!instance.closing) {
    Deliver(instance);
    for (auto& [id, running] : instance.triggers) {
      const uint64_t later = running.credit > 1 ? running.credit - 1 : 0;
      running.credit -= later;
      Emit(instance, id, running);
      running.credit += later;
    }
    instance.changed.wait_for(lock, std::chrono::milliseconds(5));
  }
}

teal_status Open(const teal_host* host, teal_bytes config, teal_instance** out, teal_error* error) {
  const auto refuse = [&](const std::string& words) {
    return teal::plugin::Give(error, {TEAL_INVALID, words, TEAL_NOT_APPLIED, 0, 0});
  };
  const auto json = nlohmann::json::parse(View(config), nullptr, false);
  if (!json.is_object()) return refuse("the configuration is no JSON object");
  for (const auto& [key, value] : json.items()) {
    if (key != "defect") return refuse("the configuration has the unknown key " + key + "; it may have: defect");
    if (!value.is_string() || !Defects().contains(value.get<std::string>()))
      return refuse("there is no defect of that name");
    const std::lock_guard lock(g_defect_mutex);
    g_defect = value.get<std::string>();
  }
  auto instance = std::make_unique<teal_instance>();
  instance->host = host;
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  instance->timer = std::thread([raw = instance.get()] { Run(*raw); });
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  *out = instance.release();
  return TEAL_OK;
}

void Close(teal_instance* instance) {
  instance->calls.Close();
  teal_deliver_fn deliver = nullptr;
  void* ctx = nullptr;
  {
    const std::lock_guard lock(instance->mutex);
    instance->closing = true;
    deliver = std::exchange(instance->deliver, nullptr);
    ctx = instance->deliver_ctx;
    for (Done& drain : instance->drains) drain.Fail({TEAL_CLOSED, "the instance was closed", TEAL_NOT_APPLIED, 0, 0});
    instance->drains.clear();
  }
  instance->changed.notify_all();
  instance->timer.join();
  instance->calls.Wait();
  delete instance;
  if (!Broken("DeliversLate") || deliver == nullptr) return;
  std::thread([deliver, ctx] {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    const teal_item late{};
    deliver(ctx, &late);
  }).detach();
}

teal_status Cancel(teal_instance*, uint64_t) {
  return TEAL_OK;
}

const void* Interface(const char* id) {
  if (std::string_view(id) == TEAL_THREADS_ID) return &kThreads;
  if (std::string_view(id) == TEAL_TRIGGER_ID) return &kTrigger;
  return nullptr;
}

const teal_plugin kPlugin = {sizeof(teal_plugin), TEAL_ABI_MINOR, 0,     0,         "broken_work",
                             TEAL_PLUGIN_VERSION, Open,           Close, Interface, Cancel};

}  // namespace

extern "C" TEAL_EXPORT const teal_plugin* teal_plugin_v1(void) {
  return &kPlugin;
}
