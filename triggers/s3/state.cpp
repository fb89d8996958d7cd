#include "triggers/s3/state.hpp"

#include <cstring>
#include <memory>
#include <utility>

namespace teal::s3 {

struct State::Call {
  teal_call call{};
  State* state = nullptr;
  std::string scope, name, value;
  Read read;
  Written written;
};

const teal_state* State::Of(const teal_host* host) {
  const auto* const table = static_cast<const teal_state*>(host->service(host, TEAL_STATE_ID));
  return table != nullptr && Has(*table, table->get) && Has(*table, table->put) ? table : nullptr;
}

template <typename Begin>
void State::Make(std::unique_ptr<Call> call, Begin&& begin) {
  call->state = this;
  call->call.struct_size = sizeof call->call;
  call->call.done = &End;
  call->call.done_ctx = call.get();
  calls_.Enter();
  Call* const raw = call.release();  // End deletes it, perhaps before `begin` returns
  const teal_status status = begin(raw);
  if (status == TEAL_OK) return;
  const teal_error error = plugin::ToAbi({status, "the host's state service refused the call", TEAL_NOT_APPLIED, 0, 0});
  End(raw, &error, nullptr);
}

void State::Get(const std::string& scope, const std::string& name, Read read) {
  auto call = std::make_unique<Call>();
  call->scope = scope;
  call->name = name;
  call->read = std::move(read);
  Make(std::move(call),
       [this](Call* raw) { return table_->get(host_, &raw->call, Bytes(raw->scope), Bytes(raw->name)); });
}

void State::Put(const std::string& scope, const std::string& name, std::string value, Written written) {
  auto call = std::make_unique<Call>();
  call->scope = scope;
  call->name = name;
  call->value = std::move(value);
  call->written = std::move(written);
  Make(std::move(call), [this](Call* raw) {
    return table_->put(host_, &raw->call, Bytes(raw->scope), Bytes(raw->name), Bytes(raw->value), nullptr, 0);
  });
}

void State::End(void* ctx, const teal_error* error, const void* result) {
  const std::unique_ptr<Call> call(static_cast<Call*>(ctx));
  State* const state = call->state;
  std::optional<plugin::Error> failed;
  if (error != nullptr) {
    const teal_error in = TakeIn(error);
    failed = plugin::Error{in.code, std::string(in.message, ::strnlen(in.message, sizeof in.message)), in.outcome,
                           in.retry_after_ns, in.vendor_code};
  }
  try {
    if (call->read) {
      std::optional<std::string> value;
      if (failed && failed->code == TEAL_NOT_FOUND) {
        failed.reset();
      } else if (!failed) {
        value = Copy(static_cast<const teal_record*>(result)->value);
      }
      state->loop_->Post([read = std::move(call->read), failed, value] { read(failed, value); });
    } else {
      state->loop_->Post([written = std::move(call->written), failed] { written(failed); });
    }
  } catch (...) {
    // Out of memory: what waits for the answer is ended by close.
  }
  state->calls_.Leave();
}

}  // namespace teal::s3
