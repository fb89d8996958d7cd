#include "core/runtime/memory_store_call.h"

#include <algorithm>
#include <cassert>
#include <cstring>

namespace teal::runtime::store {
namespace {

StoreLimits LimitsOf(const teal_memory_caps& caps) {
  return {.value_bytes_max = caps.value_bytes_max,
          .commit_ops_max = caps.commit_ops_max,
          .commit_bytes_max = caps.commit_bytes_max,
          .durable = (caps.features & TEAL_MEMORY_DURABLE) != 0,
          .shared = (caps.features & TEAL_MEMORY_SHARED) != 0};
}

Failure Closing() {
  return Fail(FailureCode::kUnavailable, "the memory is being closed; the call was not sent again");
}

}  // namespace

// ---- Core ----

Core::Core(const teal_memory* table, teal_instance* instance, MemoryStoreOptions options)
    : table_(table), instance_(instance), options_(std::move(options)), random_(options_.seed) {
  teal_memory_caps caps{};
  caps.struct_size = sizeof caps;
  [[maybe_unused]] const teal_status status = table->caps(instance, &caps);
  assert(status == TEAL_OK);
  limits_ = LimitsOf(caps);
  get_keys_max_ = std::max<uint64_t>(1, caps.get_keys_max);
}

// SplitMix64 (Steele, Lea, Flood: Fast Splittable Pseudorandom Number Generators, 2014): its state is a sum, so that
// threads need no lock.
uint64_t Core::Random(uint64_t max) {
  uint64_t x = random_.fetch_add(0x9e3779b97f4a7c15, std::memory_order_relaxed) + 0x9e3779b97f4a7c15;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
  x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
  x ^= x >> 31;
  return max == UINT64_MAX ? x : x % (max + 1);
}

void Core::Later(uint64_t delay_ns, Call* call) {
  uint64_t id = 0;
  {
    const std::unique_lock lock(mutex_);
    if (!closing_) {
      id = ++next_waiting_;
      waiting_.emplace(id, call);
    }
  }
  if (id == 0) return call->Fail(Closing());
  options_.after(delay_ns, [core = shared_from_this(), id] { core->Wake(id); });
}

void Core::Wake(uint64_t id) {
  Call* call = nullptr;
  {
    const std::lock_guard lock(mutex_);
    const auto it = waiting_.find(id);
    if (it == waiting_.end()) return;  // Close has ended it
    call = it->second;
    waiting_.erase(it);
  }
  call->Next();
}

void Core::Left() {
  if (open_.fetch_sub(1) != 1 || !closing_) return;
  const std::lock_guard lock(mutex_);
  left_.notify_all();
}

void Core::Close() {
  std::map<uint64_t, Call*> waiting;
  {
    const std::lock_guard lock(mutex_);
    closing_ = true;
    waiting.swap(waiting_);
  }
  for (const auto& [id, call] : waiting) call->Fail(Closing());
  std::unique_lock lock(mutex_);
  left_.wait(lock, [&] { return open_ == 0; });
}

// ---- Call ----

void Call::Send() {
  Flight* flight = &first_;
  if (flights_++ > 0) {
    flight = new Flight;
    core_->counters().repeats.fetch_add(1, std::memory_order_relaxed);
  }
  flight->owner = this;
  // No op_id: nothing here cancels. No deadline: the memory's own. No idempotency key: P-4 needs none, and a memory may
  // make the version out of it, which would then come twice where two flights of a creation land (P-1).
  flight->call.struct_size = sizeof(teal_call);
  flight->call.done = &Call::Done;
  flight->call.done_ctx = flight;
  references_.fetch_add(1, std::memory_order_relaxed);
  const teal_status status = Enter(&flight->call);
  if (status == TEAL_OK) return;  // perhaps over already, and this object gone

  if (flight != &first_) delete flight;
  teal_error error{};
  error.struct_size = sizeof error;
  error.code = status;
  error.outcome = TEAL_NOT_APPLIED;
  std::strncpy(error.message, status == TEAL_CLOSED ? "the memory is closed" : "the memory refused the call at once",
               sizeof error.message - 1);
  Landed(&error, nullptr);
  Release();
}

void TEAL_CALL Call::Done(void* ctx, const teal_error* error, const void* result) noexcept {
  auto* const flight = static_cast<Flight*>(ctx);
  Call* const call = flight->owner;
  call->Landed(error, result);
  // From here on another thread may be at work for the next flight; only what is this flight's own is touched.
  if (flight != &call->first_) delete flight;
  call->Release();
}

void Call::Release() {
  if (references_.fetch_sub(1, std::memory_order_acq_rel) == 1) delete this;
}

void Call::Retry(const host::Error& error) {
  if (MayPass(error.code)) {
    Again(error);
  } else {
    GiveUp(error);
  }
}

void Call::Again(const host::Error& error) {
  const uint64_t now = core_->NowNs();
  // A memory that asks for more time than there is would only be troubled by another try.
  if (now >= deadline_ns_ || error.retry_after_ns > deadline_ns_ - now) return GiveUp(error);
  const MemoryStoreOptions& options = core_->options();
  const uint64_t doubled = failures_ < 32 ? options.backoff_first_ns << failures_ : options.backoff_max_ns;
  ++failures_;
  // Full jitter: those who were refused together do not come back together.
  const uint64_t delay = error.retry_after_ns + core_->Random(std::min(doubled, options.backoff_max_ns));
  core_->Later(std::min(delay, deadline_ns_ - now), this);
}

void Call::GiveUp(const host::Error& error) {
  std::string message = What() + ": " + error.message;
  if (flights_ > 1) message += "; given up after " + std::to_string(flights_) + " tries";
  Fail(teal::Fail(CodeOf(error.code), std::move(message)));
}

FailureCode CodeOf(teal_status status) {
  switch (status) {
    case TEAL_INVALID:
    case TEAL_UNSUPPORTED:
      return FailureCode::kInvalid;
    case TEAL_TOO_LARGE:
      return FailureCode::kTooLarge;
    case TEAL_CORRUPT:
      return FailureCode::kCorrupt;
    case TEAL_CONFLICT:  // of what has no condition
    case TEAL_NOT_FOUND:
    case TEAL_INTERNAL:
      return FailureCode::kInternal;
    default:
      return FailureCode::kUnavailable;
  }
}

bool MayPass(teal_status status) {
  return status == TEAL_THROTTLED || status == TEAL_UNAVAILABLE || status == TEAL_TIMEOUT || status == TEAL_CANCELLED ||
         status == TEAL_NO_MEMORY;
}

StoreItem ItemOf(const teal_record& record) {
  StoreItem item{{Copy(record.key.partition), Copy(record.key.sort)}, Copy(record.value), {}, record.due_unix_ns};
  std::memcpy(item.version.data(), record.version.opaque, item.version.size());
  return item;
}

}  // namespace teal::runtime::store
