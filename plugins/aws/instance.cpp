#include "plugins/aws/instance.hpp"

#include <semaphore>

#include "plugins/aws/profiles.hpp"

struct Finished {
  std::binary_semaphore semaphore{0};
};

namespace {

using namespace teal::aws;

constexpr uint64_t kPrepareNs = 25'000'000'000;  // hosts give `open` 30 s
constexpr uint64_t kAbortNs = 3'000'000'000;     // for uploads left open, at close
constexpr auto kTick = std::chrono::milliseconds(1);

// Limits with a bucket: a value goes to S3 whole, in one request.
constexpr uint64_t kSpilledBytesMax = 8 << 20;
constexpr uint64_t kCommitBytesMax = 16 << 20;

struct Tick {
  Loop& loop;
  bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> handle) { loop.SetTimer(Clock::now() + kTick, handle); }
  void await_resume() const noexcept {}
};

void CancelOperation(void* ctx, uint64_t op_id) {
  Context& context = *static_cast<Context*>(ctx);
  const auto [begin, end] = context.by_id.equal_range(op_id);
  for (auto at = begin; at != end; ++at) at->second->Cancel();
}

// The region may stand in the section, the environment or the profile.
Status FindRegion(Config& config) {
  for (const char* name : {"AWS_REGION", "AWS_DEFAULT_REGION"}) {
    if (config.region.empty()) config.region = ProcessEnvironment(name).value_or("");
  }
  if (config.region.empty()) {
    auto profiles = ReadProfiles(ProcessEnvironment);
    if (!profiles) return profiles.error();
    config.region = (*profiles)[ProfileName(config, ProcessEnvironment)]["region"];
  }
  if (config.region.empty()) return Error{TEAL_INVALID, "aws: no region: set `region`, or AWS_REGION"};
  return Nothing{};
}

}  // namespace

teal_instance::teal_instance(const teal_host* host, const teal_http* http, Config its_config)
    : config(std::move(its_config)),
      credentials(context, config, ProcessEnvironment),
      dynamodb(credentials, config),
      values(dynamodb, config.bucket.empty() ? nullptr : &s3.emplace(credentials, config), config),
      commits(dynamodb, values, config),
      reads(dynamodb, values, config),
      due(dynamodb, config) {
  context.host = host;
  context.http = http;
  context.loop.OnCancel(&CancelOperation, &context);
  limits.key_bytes_max = kKeyBytesMax;
  limits.commit_ops_max = kTransactionOpsMax;
  limits.get_keys_max = kGetKeysMax;
  limits.scan_records_max = kScanRecordsMax;
  limits.value_bytes_max = s3 ? kSpilledBytesMax : kInlineBytesMax;
  limits.commit_bytes_max = s3 ? kCommitBytesMax : kTransactionBytesMax;
  limits.blob_bytes_max = s3 ? kBlobBytesMax : 0;
  features = TEAL_MEMORY_DURABLE | TEAL_MEMORY_SHARED;
  if (s3) {
    blobs.emplace(*s3, config);
    features |= TEAL_MEMORY_BLOBS;
  }
  context.loop.Start();
}

teal_instance::~teal_instance() {
  context.loop.Stop();
}

Detached teal_instance::RunPrepare(std::optional<Status>& out, Finished& finished) {
  co_await OnLoop{context.loop};
  try {
    Operation operation(context, 0, context.Now() + kPrepareNs);
    auto facts = co_await PrepareTable(operation, dynamodb, config);
    if (facts && facts->expiry) features |= TEAL_MEMORY_EXPIRY;
    out = facts ? Status(Nothing{}) : Status(std::move(facts.error()));
  } catch (const std::exception& e) {
    out = Error{TEAL_INTERNAL, e.what()};
  }
  finished.semaphore.release();
}

Status teal_instance::Prepare() {
  std::optional<Status> out;
  Finished finished;
  RunPrepare(out, finished);
  finished.semaphore.acquire();
  return std::move(*out);
}

Detached teal_instance::RunInterrupt() {
  co_await OnLoop{context.loop};
  context.closing = true;
  const std::vector<Operation*> operations(context.operations.begin(), context.operations.end());
  for (Operation* operation : operations) {
    if (context.operations.contains(operation)) operation->Cancel();
  }
}

Detached teal_instance::RunShutdown(Finished& finished) {
  co_await OnLoop{context.loop};
  while (!context.operations.empty()) co_await Tick{context.loop};
  if (blobs) {
    try {
      context.closing = false;
      Operation operation(context, 0, context.Now() + kAbortNs);
      (void)co_await blobs->AbortAll(operation);
    } catch (...) {
      context.Log(TEAL_LOG_WARNING, "uploads left open could not be aborted: out of memory");
    }
  }
  finished.semaphore.release();
}

void teal_instance::Close() {
  calls.Close();
  RunInterrupt();
  calls.Wait();
  Finished finished;
  RunShutdown(finished);
  finished.semaphore.acquire();
  context.loop.Stop();
}

namespace teal::aws {

teal_status Open(const teal_host* host, teal_bytes config_json, teal_instance** out, teal_error* error) {
  return plugin::GuardWithError(error, [&]() -> teal_status {
    auto config = ParseConfig(View(config_json));
    if (!config) return plugin::Give(error, config.error());
    if (Status region = FindRegion(*config); !region) return plugin::Give(error, region.error());
    const teal_host ours = TakeIn(host);  // an older host's is shorter (LIFE-8)
    if (ours.log == nullptr || ours.now_unix_ns == nullptr) {
      return plugin::Give(error, {TEAL_UNSUPPORTED, "aws: the host has no log or no clock; use a newer Teal"});
    }
    const auto* const http =
        ours.service == nullptr ? nullptr : static_cast<const teal_http*>(ours.service(host, "teal.host.http/1"));
    if (http == nullptr || !Has(*http, http->send) || !Has(*http, http->cancel)) {
      return plugin::Give(error, {TEAL_UNSUPPORTED, "aws: the host does not serve teal.host.http/1; use a newer Teal"});
    }
    auto instance = std::make_unique<teal_instance>(host, http, std::move(*config));
    if (Status prepared = instance->Prepare(); !prepared) {
      instance->Close();
      return plugin::Give(error, prepared.error());
    }
    *out = instance.release();
    return TEAL_OK;
  });
}

}  // namespace teal::aws
