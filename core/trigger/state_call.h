// Asking a StateStore, with owned results.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <teal/host.hpp>

#include "core/host/state.h"

namespace teal::trigger {

struct StateValue {
  host::Error error;  // TEAL_NOT_FOUND: there is none
  std::string value;
};

// `then` is called exactly once, on any thread, perhaps before this returns; it only enqueues.
inline void GetState(host::StateStore* state, std::string owner, std::string scope, std::string name,
                     std::function<void(StateValue)> then) {
  struct Flight {
    std::string owner, scope, name;
    std::function<void(StateValue)> then;
    teal_call call{};
    static void TEAL_CALL Done(void* ctx, const teal_error* error, const void* result) {
      const std::unique_ptr<Flight> own(static_cast<Flight*>(ctx));
      StateValue value{host::FromAbi(error), {}};
      if (result != nullptr) value.value = Copy(static_cast<const teal_record*>(result)->value);
      own->then(std::move(value));
    }
  };
  auto* const flight = new Flight{std::move(owner), std::move(scope), std::move(name), std::move(then), {}};
  flight->call.struct_size = sizeof(teal_call);
  flight->call.done = &Flight::Done;
  flight->call.done_ctx = flight;
  const teal_status status = state->Get(flight->owner, &flight->call, Bytes(flight->scope), Bytes(flight->name));
  if (status == TEAL_OK) return;
  const std::unique_ptr<Flight> refused(flight);
  refused->then({host::Refused(status), {}});
}

inline void PutState(host::StateStore* state, std::string owner, std::string scope, std::string name, std::string value,
                     std::function<void(host::Error)> then) {
  struct Kept {
    std::string owner, scope, name, value;
  };
  const auto kept = std::make_shared<Kept>(Kept{std::move(owner), std::move(scope), std::move(name), std::move(value)});
  host::Start<host::Error>(
      {}, [kept, then = std::move(then)](host::Error error) { then(std::move(error)); },
      [&](const teal_call* call) {
        return state->Put(kept->owner, call, Bytes(kept->scope), Bytes(kept->name), Bytes(kept->value), nullptr, 0);
      });
}

}  // namespace teal::trigger
