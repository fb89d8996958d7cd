// A trigger for tests of its host: emits the events of its section, and writes what becomes of them into a file, a line
// each.
#include <fstream>
#include <nlohmann/json.hpp>
#include <teal/trigger.hpp>

namespace {

using teal::plugin::Done;
using Json = nlohmann::json;

// {"log":FILE,"events":[{"id","data","content_type"?,"attributes"?}]}
class Fake {
 public:
  static std::unique_ptr<Fake> Open(const teal_host*, std::string_view, teal::plugin::Error*) {
    return std::make_unique<Fake>();
  }
  void Close() {
    calls_.Close();
    calls_.Wait();
  }
  static std::optional<teal::plugin::Error> Validate(Fake*, std::string_view config) {
    const Json json = Json::parse(config, nullptr, false);
    if (json.is_object() && json.contains("log")) return std::nullopt;
    return teal::plugin::Error{TEAL_INVALID, "the section names no log"};
  }
  teal::plugin::OpenCalls& calls() { return calls_; }

  void Start(Done done, std::string id, std::string config, teal_emit_fn emit, void* ctx) {
    if (!desk_.Open(id, emit, ctx)) return done.Fail({TEAL_INVALID, "it runs already"});
    const std::lock_guard lock(mutex_);
    Source& source = sources_[id];
    source.section = Json::parse(config);
    for (const Json& event : source.section["events"]) source.waiting.push_back(event);
    done.Ok();
  }
  void Credit(std::string_view id, uint64_t count) {
    desk_.AddCredit(id, count);
    EmitAll(std::string(id));
  }
  void Accept(Done done, uint64_t token, std::string_view sid) {
    Settle(std::move(done), token, "accept", sid.empty() ? "-" : std::string(sid), true);
  }
  void Reply(Done done, uint64_t token, uint32_t status, std::string_view headers, std::string_view body, bool) {
    Settle(std::move(done), token, "reply",
           std::to_string(status) + " " + std::string(headers) + " " + std::string(body), true);
  }
  void Reject(Done done, uint64_t token, uint64_t delay_ns) {
    const auto [trigger, event] = Settle(std::move(done), token, "reject", std::to_string(delay_ns / 1'000'000), false);
    {
      const std::lock_guard lock(mutex_);
      sources_[trigger].waiting.push_back(event);
    }
    EmitAll(trigger);
  }
  void Stop(Done done, std::string id) {
    desk_.Close(id);
    done.Ok();
  }

 private:
  struct Source {
    Json section;
    std::vector<Json> waiting;
  };

  void EmitAll(const std::string& id) {
    const std::lock_guard lock(mutex_);
    Source& source = sources_[id];
    while (!source.waiting.empty()) {
      const Json json = source.waiting.front();
      const std::string event_id = json["id"];
      const std::string data = json["data"];
      const std::string type = json.value("content_type", TEAL_CONTENT_ARGUMENTS);
      const std::string attributes = json.contains("attributes") ? json["attributes"].dump() : "";
      teal::trigger::Event event;
      event.source = "fake:test";
      event.id = event_id;
      event.content_type = type;
      event.data = data;
      event.attributes_json = attributes;
      if (desk_.Emit(id, event, json) == 0) return;
      source.waiting.erase(source.waiting.begin());
    }
  }
  // A reply comes after accept with the same token, so those that were accepted are remembered.
  std::pair<std::string, Json> Settle(Done done, uint64_t token, const char* how, const std::string& what, bool keep) {
    const std::lock_guard lock(mutex_);
    auto settled = desk_.Take(token);
    if (!settled && accepted_.contains(token)) settled = accepted_[token];
    if (!settled) {
      done.Fail({TEAL_NOT_FOUND, "there is no such token"});
      return {};
    }
    if (keep) accepted_[token] = *settled;
    std::ofstream(sources_[settled->trigger].section["log"].get<std::string>(), std::ios::app)
        << how << " " << settled->kept["id"].get<std::string>() << " " << what << std::endl;
    done.Ok();
    return {settled->trigger, settled->kept};
  }

  teal::plugin::OpenCalls calls_;
  teal::trigger::Desk<Json> desk_;
  std::mutex mutex_;
  std::map<std::string, Source> sources_;                            // guarded by mutex_
  std::map<uint64_t, teal::trigger::Desk<Json>::Settled> accepted_;  // guarded by mutex_
};

}  // namespace

TEAL_TRIGGER_PLUGIN(Fake, "fake", "1.0.0");
