#include "core/kit/call.h"

#include <time.h>

#include <chrono>
#include <cstring>
#include <memory>
#include <utility>

#include "core/kit/options.h"
#include "core/kit/verdict.h"

namespace teal::kit {
namespace {

std::atomic<uint64_t> g_next_op{1};

struct Kept {
  std::mutex mutex;
  std::vector<std::unique_ptr<Call>> calls;  // guarded by mutex
};
Kept& All() {
  static auto* kept = new Kept;  // outlives every thread of the plugin
  return *kept;
}

}  // namespace

uint64_t Monotonic() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<uint64_t>(now.tv_sec) * 1'000'000'000u + static_cast<uint64_t>(now.tv_nsec);
}

double CallSeconds() {
  return 20.0 * Given().timeout_factor;
}

std::string Reply::Says() const {
  if (returned != TEAL_OK) return StatusName(returned) + " at once";
  if (code == TEAL_OK) return "OK";
  return Text(StatusName(code), outcome == TEAL_NOT_APPLIED ? " (not applied): " : " (outcome unknown): ", message);
}

Call::Call(std::string words, Gives gives, CallSpec spec)
    : words_(std::move(words)),
      gives_(gives),
      spec_(std::move(spec)),
      op_id_(spec_.numbered ? g_next_op.fetch_add(1) : 0) {}

void Call::Begin(const std::function<teal_status(const teal_call*)>& function) {
  teal_call call{};
  call.struct_size = sizeof call;
  call.flags = spec_.flags;
  call.op_id = op_id_;
  call.deadline_unix_ns = spec_.deadline_unix_ns;
  call.traceparent = inputs_.Bytes("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
  call.idempotency_key = inputs_.Bytes(spec_.idempotency_key);
  call.done = &Call::OnDone;
  call.done_ctx = this;
  const teal_call* placed = inputs_.Call(call);
  reply_.begun = Monotonic();
  const teal_status status = function(placed);
  if (status == TEAL_OK) return;
  const std::lock_guard lock(mutex_);
  reply_.returned = status;
  if (finished_) return;  // a plugin that calls `done` and refuses: CALL-2 looks for it
  reply_.code = status;
  reply_.ended = Monotonic();
  finished_ = true;
}

void TEAL_CALL Call::OnDone(void* ctx, const teal_error* error, const void* result) {
  auto* call = static_cast<Call*>(ctx);
  if (call->dones_.fetch_add(1) != 0) return;
  const std::lock_guard lock(call->mutex_);
  if (call->finished_) return;
  call->Take(error, result);
  call->finished_ = true;
  call->ready_.notify_all();
}

void Call::Take(const teal_error* error, const void* result) {
  reply_.ended = Monotonic();
  if (error != nullptr) {
    const teal_error in = TakeIn(error);
    reply_.code = in.code;
    reply_.outcome = in.outcome;
    reply_.retry_after_ns = in.retry_after_ns;
    reply_.error_size = in.struct_size;
    const std::size_t size = ::strnlen(in.message, sizeof in.message);
    reply_.message_ended = size < sizeof in.message;
    reply_.message.assign(in.message, size);
  }
  if (result == nullptr) return;
  reply_.has_result = true;
  switch (gives_) {
    case Gives::kNothing:
      break;
    case Gives::kCommit: {
      const auto in = TakeIn(static_cast<const teal_commit_result*>(result));
      reply_.versions.assign(in.versions, in.versions + in.count);
      reply_.failed_op = in.failed_op;
      if (in.found != nullptr) reply_.found = host::FromAbi(*in.found);
      break;
    }
    case Gives::kPage: {
      const auto in = TakeIn(static_cast<const teal_page*>(result));
      reply_.records.reserve(in.count);
      for (uint64_t i = 0; i < in.count; ++i) reply_.records.push_back(host::FromAbi(in.records[i]));
      reply_.more = in.more != 0;
      reply_.next = Copy(in.next);
      break;
    }
    case Gives::kHandle:
      reply_.handle = *static_cast<const uint64_t*>(result);
      break;
    case Gives::kBytes:
      reply_.bytes = Copy(*static_cast<const teal_bytes*>(result));
      break;
  }
}

bool Call::WaitFor(double timeout_s) {
  std::unique_lock lock(mutex_);
  const bool in_time = ready_.wait_for(lock, std::chrono::duration<double>(timeout_s), [this] { return finished_; });
  // OnDone has let go of the mutex: nothing of it but its return is left.
  if (in_time && CurrentLayout() == Layout::kGuarded) inputs_.Retire();
  return in_time;
}

const Reply& Call::Wait() {
  if (!WaitFor(CallSeconds())) Fail("`done` did not come within ", CallSeconds(), " s of ", words_);
  Note(words_, " -> ", reply_.Says());
  return reply_;
}

Call& NewCall(std::string words, Gives gives, CallSpec spec) {
  auto call = std::make_unique<Call>(std::move(words), gives, std::move(spec));
  Call& given = *call;
  const std::lock_guard lock(All().mutex);
  All().calls.push_back(std::move(call));
  return given;
}

void ForgetCalls() {
  const std::lock_guard lock(All().mutex);
  All().calls.clear();
}

void EachCall(const std::function<void(Call&)>& visit) {
  const std::lock_guard lock(All().mutex);
  for (const auto& call : All().calls) visit(*call);
}

}  // namespace teal::kit
