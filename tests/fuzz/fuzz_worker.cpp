// Frames of a worker over any bytes: refused as a whole, or messages whose payloads can all be decoded.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "core/runtime/worker_codec.h"
#include "core/runtime/worker_messages.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  auto messages = teal::runtime::ParseWorkerFrame(std::string_view(reinterpret_cast<const char*>(data), size));
  if (!messages.ok()) {
    if (messages.failure().message.empty()) abort();
    return 0;
  }
  for (const teal::runtime::WorkerMessage& message : messages.value()) {
    if (message.payload.empty()) continue;
    teal::vm::Value value;
    if (!teal::runtime::DecodeWorkerPayload(message.payload, &value)) abort();
    if (message.kind == teal::runtime::WorkerMessage::Kind::kError && message.error_kind.empty()) abort();
  }
  return 0;
}
