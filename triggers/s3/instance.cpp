#include "triggers/s3/instance.hpp"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <utility>

#include "triggers/s3/decode.hpp"
#include "triggers/s3/rule.hpp"

namespace teal::s3 {
namespace {

constexpr auto kTurnEvery = std::chrono::milliseconds(1000);
// `folder`, `keys`, `app` and `stage` are what the host tells every plugin of triggers.
constexpr std::array<std::string_view, 5> kKnown = {"buckets", "folder", "keys", "app", "stage"};

plugin::Error Invalid(std::string message) {
  return {TEAL_INVALID, std::move(message), TEAL_NOT_APPLIED, 0, 0};
}

plugin::Error NoToken() {
  return {TEAL_NOT_FOUND, "there is no event of this token: it was accepted, or its trigger was stopped",
          TEAL_NOT_APPLIED, 0, 0};
}

}  // namespace

Instance::Instance(const teal_host* host, const teal_state* state, std::string buckets)
    : host_(host), buckets_(std::move(buckets)), state_(host, state, &loop_) {}

std::unique_ptr<Instance> Instance::Open(const teal_host* host, std::string_view config, plugin::Error* error) {
  const auto json = nlohmann::json::parse(config, nullptr, false);
  if (!json.is_object()) {
    *error = Invalid("the configuration of the plugin s3 is no object");
    return nullptr;
  }
  for (const auto& [key, value] : json.items()) {
    if (std::find(kKnown.begin(), kKnown.end(), key) != kKnown.end()) continue;
    *error = Invalid("unknown key \"" + key + "\" in the configuration of the plugin s3; known: buckets");
    return nullptr;
  }
  const auto buckets = json.find("buckets");
  if (buckets != json.end() && !buckets->is_string()) {
    *error = Invalid("\"buckets\" of the plugin s3 is no text: it is the folder in which each folder is a bucket");
    return nullptr;
  }
  const teal_state* const state = State::Of(host);
  if (state == nullptr) {
    *error = {TEAL_UNSUPPORTED, "this host has no " TEAL_STATE_ID ": what was accepted could not be kept",
              TEAL_NOT_APPLIED, 0, 0};
    return nullptr;
  }
  std::unique_ptr<Instance> instance(
      new Instance(host, state, buckets == json.end() ? "" : buckets->get<std::string>()));
  instance->loop_.Start([raw = instance.get()] { return raw->OnTurn(); });
  return instance;
}

void Instance::Close() {
  calls_.Close();
  loop_.Stop([this] { Abandon(); });
  calls_.Wait();
  state_.Wait();
}

void Instance::Abandon() {
  closing_ = true;
  for (const auto& [id, source] : sources_) source->Abandon();
  sources_.clear();
  trees_.clear();
}

void Instance::Log(uint32_t level, const std::string& message) const {
  host_->log(host_, level, Bytes(message), {});
}

std::optional<plugin::Error> Instance::Validate(Instance*, std::string_view config) {
  std::string wrong;
  if (ReadRule(config, &wrong)) return std::nullopt;
  return Invalid(wrong);
}

std::optional<plugin::Error> Instance::Decode(Instance*, std::string_view body, teal_emit_fn emit, void* ctx) {
  const auto json = nlohmann::json::parse(body, nullptr, false);
  if (json.is_object() && json.contains(TEAL_PLATFORM_FIRE)) {
    return plugin::Error{TEAL_UNSUPPORTED,
                         "an s3 trigger is fired by an object: teal emit s3 --bucket BUCKET --key KEY puts one",
                         TEAL_NOT_APPLIED, 0, 0};
  }
  const Decoded decoded = s3::Decode(body, Kind::kAny);
  if (!decoded.wrong.empty()) return Invalid(decoded.wrong);
  for (const ObjectEvent& event : decoded.events) {
    const std::string source = event.Source();
    const std::string id = event.Id();
    const std::string data = event.Arguments();
    const teal_event out = trigger::ToAbi({0, source, id, event.type, "", kArgumentsType, data, ""}, 0);
    emit(ctx, &out);
  }
  return std::nullopt;
}

// Every call of the host ends on the loop, or here if there is none any more.
void Instance::Post(plugin::Done done, std::function<void(const SharedDone&)> work) {
  const auto shared = std::make_shared<plugin::Done>(std::move(done));
  if (loop_.Post([shared, work = std::move(work)] { work(shared); })) return;
  shared->Fail({TEAL_CLOSED, "the plugin was closed", TEAL_NOT_APPLIED, 0, 0});
}

void Instance::Start(plugin::Done done, std::string id, std::string config, teal_emit_fn emit, void* ctx) {
  std::string wrong;
  std::optional<Rule> rule = ReadRule(config, &wrong);
  if (!rule) return done.Fail(Invalid(wrong));
  if (buckets_.empty())
    return done.Fail(Invalid("the plugin s3 was not told where the buckets are; set \"buckets\" to a folder"));
  Source::Emitter emitter{emit, ctx, &last_token_, [this] { return host_->now_unix_ns(host_); }};
  const auto source = std::make_shared<Source>(id, std::move(*rule), std::move(emitter), &state_);
  Post(std::move(done), [this, source](const SharedDone& shared) {
    if (!sources_.emplace(source->id(), source).second)
      return shared->Fail(Invalid("the trigger " + source->id() + " runs already"));
    source->Load(
        [this, source, shared](std::optional<plugin::Error> failed) { OnLoaded(source, shared, std::move(failed)); });
  });
}

void Instance::OnLoaded(const std::shared_ptr<Source>& source, const SharedDone& done,
                        std::optional<plugin::Error> failed) {
  if (!failed) {
    std::unique_ptr<Tree>& tree = trees_[source->rule().bucket];
    const bool first = tree == nullptr;
    if (first) {
      tree = std::make_unique<Tree>(buckets_, source->rule().bucket,
                                    [this](uint32_t level, const std::string& message) { Log(level, message); });
    }
    tree->listeners().push_back(source.get());
    source->SetTree(tree.get());
    std::string wrong;
    if (!first) {
      tree->Scan();
    } else if (!tree->Begin(&wrong)) {
      LeaveTree(source);
      failed = plugin::Error{TEAL_UNAVAILABLE, wrong, TEAL_NOT_APPLIED, 0, 0};
    }
  }
  if (!failed) return done->Ok();
  if (!closing_) sources_.erase(source->id());  // else it is gone through
  done->Fail(*failed);
}

void Instance::LeaveTree(const std::shared_ptr<Source>& source) {
  const auto tree = trees_.find(source->rule().bucket);
  if (tree == trees_.end()) return;
  std::erase(tree->second->listeners(), source.get());
  source->SetTree(nullptr);
  if (tree->second->listeners().empty()) trees_.erase(tree);
}

void Instance::Credit(std::string_view id, uint64_t count) {
  loop_.Post([this, id = std::string(id), count] {
    if (const auto source = sources_.find(id); source != sources_.end()) source->second->AddCredit(count);
  });
}

void Instance::Accept(plugin::Done done, uint64_t token, std::string_view) {
  Post(std::move(done), [this, token](const SharedDone& shared) {
    for (const auto& [id, source] : sources_) {
      if (source->Accept(token, *shared)) return;
    }
    shared->Fail(NoToken());
  });
}

void Instance::Reject(plugin::Done done, uint64_t token, uint64_t delay_ns) {
  Post(std::move(done), [this, token, delay_ns](const SharedDone& shared) {
    for (const auto& [id, source] : sources_) {
      if (source->Reject(token, delay_ns)) return shared->Ok();
    }
    shared->Fail(NoToken());
  });
}

void Instance::Stop(plugin::Done done, std::string id) {
  Post(std::move(done), [this, id = std::move(id)](const SharedDone& shared) { OnStop(shared, id); });
}

void Instance::OnStop(const SharedDone& done, const std::string& id) {
  const auto found = sources_.find(id);
  if (found == sources_.end() || found->second->loading() || found->second->stopped())
    return done->Fail({TEAL_NOT_FOUND, "the trigger " + id + " does not run", TEAL_NOT_APPLIED, 0, 0});
  const std::shared_ptr<Source> source = found->second;
  LeaveTree(source);
  // Its id is taken until what is under way is written: the next start reads it.
  source->Stop([this, source, done] {
    const auto at = sources_.find(source->id());
    if (at != sources_.end() && at->second == source && !closing_) sources_.erase(at);
    done->Ok();
  });
}

Loop::Turn Instance::OnTurn() {
  Loop::Turn turn;
  const auto now = Loop::Clock::now();
  turn.next = now + kTurnEvery;
  for (const auto& [bucket, tree] : trees_) {
    tree->Read();
    tree->Tick(now);
    if (tree->fd() >= 0) turn.watched.push_back(tree->fd());
    turn.next = std::min(turn.next, tree->NextTick());
  }
  const uint64_t host_now = host_->now_unix_ns(host_);
  for (const auto& [id, source] : sources_) {
    source->Pump();
    const uint64_t due = source->NextDue();
    if (due == 0) continue;
    const auto wait = std::chrono::nanoseconds(due <= host_now ? 0 : std::min<uint64_t>(due - host_now, 1'000'000'000));
    turn.next = std::min(turn.next, now + std::chrono::duration_cast<Loop::Clock::duration>(wait));
  }
  return turn;
}

}  // namespace teal::s3
