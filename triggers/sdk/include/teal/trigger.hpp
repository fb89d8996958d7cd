// A trigger plugin's side of the border in C++: the tables from a class, a desk that keeps credit and tokens, durations
// and sizes as teal.yaml writes them. Header only. Thread-safety is said at each class.
#ifndef TEAL_TRIGGER_HPP
#define TEAL_TRIGGER_HPP

#include <teal/trigger.h>
#include <teal/plugin.hpp>

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace teal::trigger {

// An event to be emitted. The views live until Emit returns.
struct Event {
  uint64_t time_unix_ns = 0;
  std::string_view source;  // begins with the plugin's id and a colon; source and id name the event
  std::string_view id;
  std::string_view type;
  std::string_view order_key;
  std::string_view content_type = TEAL_CONTENT_ARGUMENTS;
  std::string_view data;
  std::string_view attributes_json;
};

inline teal_event ToAbi(const Event& event, uint64_t token) noexcept {
  return {sizeof(teal_event),
          0,
          token,
          event.time_unix_ns,
          Bytes(event.source),
          Bytes(event.id),
          Bytes(event.type),
          Bytes(event.order_key),
          Bytes(event.content_type),
          Bytes(event.data),
          Bytes(event.attributes_json)};
}

// The triggers that run in an instance, their credit, and the tokens given out. `Kept` is what the plugin wants back
// when an event is settled. Thread-safe: `emit` is called with the desk's lock, so that nothing is emitted after Close.
template <typename Kept>
class Desk {
 public:
  struct Settled {
    std::string trigger;
    Kept kept;
  };

  // False: one with this id runs.
  bool Open(const std::string& trigger, teal_emit_fn emit, void* ctx) {
    const std::lock_guard lock(mutex_);
    return triggers_.try_emplace(trigger, Trigger{emit, ctx, 0}).second;
  }
  // After it returned nothing is emitted for the id. Its open tokens are given back: those events were not accepted.
  std::vector<Kept> Close(std::string_view trigger) {
    const std::lock_guard lock(mutex_);
    std::vector<Kept> open;
    if (const auto at = triggers_.find(trigger); at != triggers_.end()) triggers_.erase(at);
    for (auto at = open_.begin(); at != open_.end();) {
      if (at->second.trigger != trigger) {
        ++at;
        continue;
      }
      open.push_back(std::move(at->second.kept));
      at = open_.erase(at);
    }
    return open;
  }
  bool Runs(std::string_view trigger) const {
    const std::lock_guard lock(mutex_);
    return triggers_.find(trigger) != triggers_.end();
  }
  // What it has after that; 0: it does not run.
  uint64_t AddCredit(std::string_view trigger, uint64_t count) {
    const std::lock_guard lock(mutex_);
    const auto at = triggers_.find(trigger);
    if (at == triggers_.end()) return 0;
    at->second.credit += std::min(count, UINT64_MAX - at->second.credit);
    return at->second.credit;
  }
  uint64_t Credit(std::string_view trigger) const {
    const std::lock_guard lock(mutex_);
    const auto at = triggers_.find(trigger);
    return at == triggers_.end() ? 0 : at->second.credit;
  }
  // The event's token; 0: there is no credit, or the trigger does not run, and nothing was emitted.
  uint64_t Emit(std::string_view trigger, const Event& event, Kept kept) {
    const std::lock_guard lock(mutex_);
    const auto at = triggers_.find(trigger);
    if (at == triggers_.end() || at->second.credit == 0) return 0;
    --at->second.credit;
    const uint64_t token = next_token_++;
    open_.emplace(token, Settled{at->first, std::move(kept)});
    const teal_event out = ToAbi(event, token);
    at->second.emit(at->second.ctx, &out);
    return token;
  }
  // Of accept and reject: the token is used up. Nothing: it is unknown, or its trigger was stopped.
  std::optional<Settled> Take(uint64_t token) {
    const std::lock_guard lock(mutex_);
    const auto at = open_.find(token);
    if (at == open_.end()) return std::nullopt;
    std::optional<Settled> settled(std::move(at->second));
    open_.erase(at);
    return settled;
  }

 private:
  struct Trigger {
    teal_emit_fn emit;
    void* ctx;
    uint64_t credit;
  };

  mutable std::mutex mutex_;
  // Guarded by mutex_.
  std::map<std::string, Trigger, std::less<>> triggers_;
  std::unordered_map<uint64_t, Settled> open_;  // emitted, not settled
  uint64_t next_token_ = 1;
};

// "30s", "500ms", "1.5h", a plain number of seconds -> nanoseconds.
inline std::optional<uint64_t> ReadDuration(std::string_view text) noexcept {
  double value = 0;
  double scale = 1;
  bool digits = false;
  std::size_t at = 0;
  for (; at < text.size() && text[at] >= '0' && text[at] <= '9'; ++at, digits = true)
    value = value * 10 + (text[at] - '0');
  if (at < text.size() && text[at] == '.') {
    for (++at; at < text.size() && text[at] >= '0' && text[at] <= '9'; ++at) value += (text[at] - '0') * (scale /= 10);
  }
  const std::string_view unit = text.substr(at);
  const double seconds = unit.empty() || unit == "s" ? 1
                         : unit == "ms"              ? 1e-3
                         : unit == "m"               ? 60
                         : unit == "h"               ? 3600
                         : unit == "d"               ? 86'400
                                                     : -1;
  if (!digits || seconds < 0 || value * seconds > 9e9) return std::nullopt;
  return static_cast<uint64_t>(value * seconds * 1e9 + 0.5);
}

// "64KiB", "512B", a plain number of bytes -> bytes.
inline std::optional<uint64_t> ReadSize(std::string_view text) noexcept {
  uint64_t value = 0;
  std::size_t at = 0;
  for (; at < text.size() && text[at] >= '0' && text[at] <= '9'; ++at) {
    if (value > (uint64_t{1} << 50)) return std::nullopt;
    value = value * 10 + static_cast<uint64_t>(text[at] - '0');
  }
  const std::string_view unit = text.substr(at);
  const int shift = unit.empty() || unit == "B" ? 0 : unit == "KiB" ? 10 : unit == "MiB" ? 20 : unit == "GiB" ? 30 : -1;
  if (at == 0 || shift < 0 || value > (uint64_t{1} << 60) >> shift) return std::nullopt;
  return value << shift;
}

// The table "teal.trigger/1" of a class T, an instance of the plugin:
//
//   static std::optional<plugin::Error> Validate(T* instance, std::string_view config);   // instance may be null; pure
//   plugin::OpenCalls& calls();
//   void Start(plugin::Done done, std::string id, std::string config, teal_emit_fn emit, void* ctx);
//   void Credit(std::string_view id, uint64_t count);
//   void Accept(plugin::Done done, uint64_t token, std::string_view sid);
//   void Reject(plugin::Done done, uint64_t token, uint64_t delay_ns);
//   void Stop(plugin::Done done, std::string id);
// and where there is such a thing:
//   void Reply(plugin::Done done, uint64_t token, uint32_t status, std::string_view headers, std::string_view body,
//   bool more); static std::optional<plugin::Error> Decode(T* instance, std::string_view body, teal_emit_fn emit, void*
//   ctx);
//
// An exception of a data function ends its call as a dropped Done does.
template <typename T>
struct Table {
  static T& Of(teal_instance* instance) noexcept { return *reinterpret_cast<T*>(instance); }

  static teal_status TEAL_CALL Validate(teal_instance* instance, teal_bytes config, teal_error* error) {
    return plugin::GuardWithError(error, [&] {
      const auto wrong = T::Validate(instance == nullptr ? nullptr : &Of(instance), View(config));
      return wrong ? plugin::Give(error, *wrong) : TEAL_OK;
    });
  }
  static teal_status TEAL_CALL Start(teal_instance* instance, const teal_call* call, teal_bytes id, teal_bytes config,
                                     teal_emit_fn emit, void* ctx) {
    if (id.size == 0 || emit == nullptr) return TEAL_INVALID;
    return plugin::Take(call, Of(instance).calls(), [&](plugin::Done done) {
      Of(instance).Start(std::move(done), Copy(id), Copy(config), emit, ctx);
    });
  }
  static void TEAL_CALL Credit(teal_instance* instance, teal_bytes id, uint64_t count) {
    plugin::Guard([&] {
      Of(instance).Credit(View(id), count);
      return TEAL_OK;
    });
  }
  static teal_status TEAL_CALL Accept(teal_instance* instance, const teal_call* call, uint64_t token, teal_bytes sid) {
    return plugin::Take(call, Of(instance).calls(),
                        [&](plugin::Done done) { Of(instance).Accept(std::move(done), token, View(sid)); });
  }
  static teal_status TEAL_CALL Reply(teal_instance* instance, const teal_call* call, uint64_t token, uint32_t status,
                                     teal_bytes headers, teal_bytes body, uint32_t more) {
    return plugin::Take(call, Of(instance).calls(), [&](plugin::Done done) {
      if constexpr (kReplies) Of(instance).Reply(std::move(done), token, status, View(headers), View(body), more != 0);
    });
  }
  static teal_status TEAL_CALL Reject(teal_instance* instance, const teal_call* call, uint64_t token,
                                      uint64_t delay_ns) {
    return plugin::Take(call, Of(instance).calls(),
                        [&](plugin::Done done) { Of(instance).Reject(std::move(done), token, delay_ns); });
  }
  static teal_status TEAL_CALL Stop(teal_instance* instance, const teal_call* call, teal_bytes id) {
    return plugin::Take(call, Of(instance).calls(),
                        [&](plugin::Done done) { Of(instance).Stop(std::move(done), Copy(id)); });
  }
  static teal_status TEAL_CALL Decode(teal_instance* instance, teal_bytes body, teal_emit_fn emit, void* ctx,
                                      teal_error* error) {
    return plugin::GuardWithError(error, [&] {
      std::optional<plugin::Error> wrong;
      if constexpr (kDecodes) wrong = T::Decode(instance == nullptr ? nullptr : &Of(instance), View(body), emit, ctx);
      return wrong ? plugin::Give(error, *wrong) : TEAL_OK;
    });
  }

  static constexpr bool kReplies = requires(T& t, plugin::Done done, std::string_view text) {
    t.Reply(std::move(done), uint64_t{}, uint32_t{}, text, text, false);
  };
  static constexpr bool kDecodes = requires(std::string_view body, teal_emit_fn emit, void* ctx) {
    T::Decode(static_cast<T*>(nullptr), body, emit, ctx);
  };
  static constexpr teal_trigger Make() {
    return {sizeof(teal_trigger),       0, Validate, Start, Credit, Accept, kReplies ? Reply : nullptr, Reject, Stop,
            kDecodes ? Decode : nullptr};
  }
};

// The rest of a plugin whose one interface is "teal.trigger/1". T has, beside the above:
//   static std::unique_ptr<T> Open(const teal_host* host, std::string_view config, plugin::Error* error);  // null:
//   *error void Close();   // ends every open call; nothing is emitted and no call of its own is open after it
// and the file says  TEAL_TRIGGER_PLUGIN(T, "id", "1.0.0")
template <typename T>
struct Plugin {
  static teal_status TEAL_CALL Open(const teal_host* host, teal_bytes config, teal_instance** out, teal_error* error) {
    return plugin::GuardWithError(error, [&] {
      plugin::Error wrong;
      std::unique_ptr<T> made = T::Open(host, View(config), &wrong);
      if (made == nullptr) return plugin::Give(error, wrong);
      *out = reinterpret_cast<teal_instance*>(made.release());
      return TEAL_OK;
    });
  }
  static void TEAL_CALL Close(teal_instance* instance) {
    const std::unique_ptr<T> own(reinterpret_cast<T*>(instance));
    plugin::Guard([&] {
      own->Close();
      return TEAL_OK;
    });
  }
  static const void* TEAL_CALL GetInterface(const char* id) {
    static constexpr teal_trigger kTable = Table<T>::Make();
    return std::string_view(id) == TEAL_TRIGGER_ID ? &kTable : nullptr;
  }
  static teal_status TEAL_CALL Cancel(teal_instance*, uint64_t) { return TEAL_OK; }
};

}  // namespace teal::trigger

#define TEAL_TRIGGER_PLUGIN(type, id, version)                                                                         \
  extern "C" TEAL_EXPORT const teal_plugin* TEAL_CALL teal_plugin_v1(void) {                                           \
    using P = teal::trigger::Plugin<type>;                                                                             \
    static constexpr teal_plugin kPlugin = {sizeof(teal_plugin), TEAL_ABI_MINOR, 0, 0, id, version, P::Open, P::Close, \
                                            P::GetInterface,     P::Cancel};                                           \
    return &kPlugin;                                                                                                   \
  }                                                                                                                    \
  static_assert(true)

#endif
