#include "core/kit/source.h"

#include <chrono>
#include <nlohmann/json.hpp>
#include <utility>

#include "abi/include/teal/bytes.hpp"
#include "core/kit/options.h"
#include "core/kit/requests.h"
#include "core/kit/subject.h"
#include "core/kit/verdict.h"

namespace teal::kit {

std::string Emitted::Name() const {
  return Show(source) + " " + Show(id);
}

Source& Source::New(const Instance& instance, const std::string& id) {
  return *new Source(instance, id);
}

Source::Source(const Instance& instance, std::string id)
    : instance_(instance), handle_(instance.handle()), id_(std::move(id)) {}

const teal_trigger& Source::table() const {
  return *Tested().trigger;
}

Call& Source::BeginStart() {
  StartRequests();
  Call& call = NewCall("start " + Show(id_), Gives::kNothing);
  const teal_bytes id = call.inputs().Bytes(id_);
  const teal_bytes section = call.inputs().Bytes(Given().trigger);
  call.Begin([&](const teal_call* c) { return table().start(handle_, c, id, section, &Source::Emit, this); });
  return call;
}

void Source::MustStart() {
  Call& call = BeginStart();
  if (!call.Wait().Ok()) Fail(call.words(), " with the section given gave ", call.reply().Says());
}

Call& Source::BeginStop() {
  Call& call = NewCall("stop " + Show(id_), Gives::kNothing);
  const teal_bytes id = call.inputs().Bytes(id_);
  call.Begin([&](const teal_call* c) { return table().stop(handle_, c, id); });
  return call;
}

void Source::MustStop() {
  Call& call = BeginStop();
  if (!call.Wait().Ok()) Fail(call.words(), " gave ", call.reply().Says());
}

void Source::Credit(uint64_t count) {
  Note("credit ", count);
  Inputs inputs;
  table().credit(handle_, inputs.Bytes(id_), count);
}

void Source::MustAccept(const Emitted& event) {
  Call& call = NewCall("accept " + event.Name(), Gives::kNothing);
  const teal_bytes sid = call.inputs().Bytes("session of " + event.id);
  call.Begin([&](const teal_call* c) { return table().accept(handle_, c, event.token, sid); });
  if (!call.Wait().Ok()) Fail(call.words(), " gave ", call.reply().Says());
  if (!event.wants_reply) return;
  Expect(table().reply != nullptr, "the event ", event.Name(), " asks for a reply, and the table has no `reply`");
  Call& reply = NewCall("reply to " + event.Name(), Gives::kNothing);
  const teal_bytes headers = reply.inputs().Bytes("{}");
  const teal_bytes body = reply.inputs().Bytes(R"({"sid":"kit"})");
  reply.Begin([&](const teal_call* c) { return table().reply(handle_, c, event.token, 202, headers, body, 0); });
  if (!reply.Wait().Ok()) Fail(reply.words(), " gave ", reply.reply().Says());
}

void Source::MustReject(const Emitted& event, uint64_t delay_ns) {
  Call& call = NewCall(Text("reject ", event.Name(), " for ", delay_ns / 1'000'000, " ms"), Gives::kNothing);
  call.Begin([&](const teal_call* c) { return table().reject(handle_, c, event.token, delay_ns); });
  if (!call.Wait().Ok()) Fail(call.words(), " gave ", call.reply().Says());
}

void TEAL_CALL Source::Emit(void* ctx, const teal_event* event) {
  auto* self = static_cast<Source*>(ctx);
  self->calls_.fetch_add(1);
  const teal_event in = TakeIn(event);
  const auto attributes = nlohmann::json::parse(View(in.attributes_json), nullptr, false);
  Emitted emitted{in.token,
                  in.flags,
                  Copy(in.source),
                  Copy(in.id),
                  Copy(in.type),
                  Copy(in.data),
                  attributes.is_object() && attributes.contains("reply"),
                  self->instance_.host().Now()};
  Note("emitted ", emitted.Name(), " token ", emitted.token);
  const std::lock_guard lock(self->mutex_);
  self->events_.push_back(std::move(emitted));
  self->ready_.notify_all();
}

bool Source::WaitFor(std::size_t count, double timeout_s) {
  std::unique_lock lock(mutex_);
  return ready_.wait_for(lock, std::chrono::duration<double>(timeout_s), [&] { return events_.size() >= count; });
}

std::vector<Emitted> Source::Await(std::size_t count) {
  if (!WaitFor(count, CallSeconds())) {
    Fail(
        "after ", CallSeconds(), " s ", Events().size(), " of ", count,
        " events were emitted, with credit for them; the section given with --trigger makes events come by themselves");
  }
  return Events();
}

std::vector<Emitted> Source::After(double seconds) {
  WaitFor(SIZE_MAX, seconds);
  return Events();
}

std::vector<Emitted> Source::Events() {
  const std::lock_guard lock(mutex_);
  return events_;
}

}  // namespace teal::kit
