#include "core/trigger/triggers.h"

#include <gtest/gtest.h>

#include <condition_variable>
#include <filesystem>
#include <fstream>
#include <future>
#include <map>
#include <mutex>
#include <thread>

#include "core/host/json.h"
#include "core/host/manifest.h"
#include "core/runtime/durable.h"
#include "core/runtime/memory_store.h"
#include "tests/plugins/plugin_under_test.hpp"

namespace teal::trigger {
namespace {

using runtime::Done;
using runtime::ServiceError;
using runtime::SessionView;
using runtime::ViewStatus;

// Sessions that do what the name of their function says.
class Sessions : public runtime::SessionService {
 public:
  void Start(runtime::StartRequest request, Done<runtime::StartAnswer> done) override {
    const std::lock_guard lock(mutex_);
    if (request.function == "unfit")
      return done({ServiceError{ServiceError::Code::kUnfit, "it does not fit", "", 0}, {}});
    if (request.function == "full" && full_++ < 2) {
      return done({ServiceError{ServiceError::Code::kOverloaded, "too many", "", 0}, {}});
    }
    const std::string sid = runtime::DurableSessions::SidOf(request);
    runtime::StartAnswer answer;
    answer.created = !sessions_.contains(sid);
    SessionView& view = sessions_[sid];
    if (answer.created) {
      view.sid = sid;
      view.id = request.id;
      view.function = request.function;
      view.labels = request.labels;
      view.result_json = request.arguments_json;
    }
    answer.session = view;
    done({std::nullopt, answer});
  }
  void Get(std::string sid, Done<SessionView> done) override {
    const std::lock_guard lock(mutex_);
    const auto at = sessions_.find(sid);
    if (at == sessions_.end()) return done({ServiceError{ServiceError::Code::kNotFound, "none", "", 0}, {}});
    done({std::nullopt, at->second});
  }
  void Wait(std::string sid, uint64_t, Done<SessionView> done) override {
    const std::lock_guard lock(mutex_);
    SessionView& view = sessions_[sid];
    if (view.function == "ok") view.status = ViewStatus::kDone;
    if (view.function == "bad") {
      view.status = ViewStatus::kFailed;
      view.error_json = R"({"kind":"oops","message":"the password is 1234"})";
    }
    if (view.function == "long") return waiting_.push_back(std::move(done));
    done({std::nullopt, view});
  }
  void Cancel(std::string sid, Done<SessionView> done) override {
    const std::lock_guard lock(mutex_);
    sessions_[sid].status = ViewStatus::kCancelled;
    done({std::nullopt, sessions_[sid]});
  }
  void List(runtime::ListRequest, Done<runtime::ListAnswer>) override { std::abort(); }
  void Send(std::string, std::string, std::string, std::string, uint64_t, Done<std::optional<std::string>>) override {
    std::abort();
  }
  void Terminate(std::string, Done<SessionView>) override { std::abort(); }
  void Pause(std::string, Done<SessionView>) override { std::abort(); }
  void Resume(std::string, Done<SessionView>) override { std::abort(); }
  void RetryDead(std::string, Done<SessionView>) override { std::abort(); }
  void DropDead(std::string, Done<SessionView>) override { std::abort(); }
  void Rerun(std::string, std::string, Done<SessionView>) override { std::abort(); }
  void Lines(std::string, runtime::LineSort, std::string, uint64_t, uint64_t, Done<runtime::LinesAnswer>) override {
    std::abort();
  }
  void Threads(std::string, Done<std::vector<runtime::ThreadView>>) override { std::abort(); }
  void Published(std::string, Done<std::vector<std::pair<std::string, std::string>>>) override { std::abort(); }
  void Programs(Done<std::vector<runtime::ProgramView>>) override { std::abort(); }
  void AddProgram(runtime::NewProgram, Done<runtime::ProgramAnswer>) override { std::abort(); }
  void ActivateProgram(std::string, Done<runtime::ProgramView>) override { std::abort(); }
  void RemoveProgram(std::string, Done<runtime::ProgramView>) override { std::abort(); }
  runtime::ServiceCounters Counters() const override { return {}; }

  std::map<std::string, SessionView> sessions() {
    const std::lock_guard lock(mutex_);
    return sessions_;
  }

 private:
  std::mutex mutex_;
  std::map<std::string, SessionView> sessions_;
  std::vector<Done<SessionView>> waiting_;
  int full_ = 0;
};

class TriggersTest : public testing::Test {
 protected:
  TriggersTest() {
    log_ = testing::TempDir() + "/fake-" + std::to_string(::getpid()) + ".log";
    std::filesystem::remove(log_);
    host::ServicesOptions services;
    services.state = host::MakeStateInMemory();
    services_ = std::make_unique<host::Services>(std::move(services));
    TriggersOptions options;
    options.service = &sessions_;
    options.services = services_.get();
    options.store = &store_;
    options.plugin_of = [](const std::string& kind) -> Result<const host::Plugin*> {
      if (kind != "fake") return Fail(FailureCode::kNotFound, "there is no plugin \"" + kind + "\"");
      const Result<host::Manifest> manifest = host::ReadManifest(TEAL_FAKE_MANIFEST);
      if (!manifest) return manifest.failure();
      return host::LoadPlugin(manifest.value(), {});
    };
    triggers_ = std::make_unique<Triggers>(std::move(options));
  }
  ~TriggersTest() override { std::filesystem::remove(log_); }

  Declared Trigger(const std::string& function, const std::string& events) const {
    return {function + ".fake", "fake", function, "{\"log\":\"" + log_ + "\",\"events\":[" + events + "]}", 0};
  }
  void Apply(std::vector<Declared> declared) {
    const Status applied = triggers_->Apply(std::move(declared), {});
    ASSERT_TRUE(applied.ok()) << applied.failure().message;
  }
  std::vector<std::string> Lines() const {
    std::ifstream in(log_);
    std::vector<std::string> lines;
    for (std::string line; std::getline(in, line);) lines.push_back(line);
    return lines;
  }
  // When there are so many.
  std::vector<std::string> Lines(size_t count) const {
    for (int i = 0; i < 6000 && Lines().size() < count; ++i) std::this_thread::sleep_for(std::chrono::milliseconds(10));
    return Lines();
  }
  static std::string SidOf(const std::string& id) {
    runtime::StartRequest request;
    request.source = "fake:test";
    request.id = id;
    return runtime::DurableSessions::SidOf(request);
  }
  template <typename T>
  static std::pair<std::optional<ServiceError>, T> Got(const std::function<void(Done<T>)>& ask) {
    std::promise<runtime::Served<T>> promise;
    ask([&promise](runtime::Served<T> served) { promise.set_value(std::move(served)); });
    runtime::Served<T> served = promise.get_future().get();
    return {served.error, std::move(served.value)};
  }

  std::string log_;
  tests::Plugin plugin_{TEAL_MEMORY_LIBRARY};
  tests::Instance memory_{plugin_, "{}"};
  runtime::MemoryStore store_{plugin_.Interface<teal_memory>("teal.memory/1"), memory_.get()};
  Sessions sessions_;
  std::unique_ptr<host::Services> services_;
  std::unique_ptr<Triggers> triggers_;
};

constexpr char kWaits[] = R"("attributes":{"reply":{"timeout_ms":5000}})";

TEST_F(TriggersTest, AnEventIsAcceptedWithItsSession) {
  Apply({Trigger("ok", R"({"id":"a","data":"[1]"},{"id":"b","data":"[2]"},{"id":"a","data":"[1]"})")});
  const std::vector<std::string> lines = Lines(3);
  EXPECT_EQ(lines,
            (std::vector<std::string>{"accept a " + SidOf("a"), "accept b " + SidOf("b"), "accept a " + SidOf("a")}));
  EXPECT_EQ(sessions_.sessions().size(), 2u);
  const auto [error, page] = Got<TriggerPage>([&](auto done) { triggers_->List("", 10, done); });
  ASSERT_EQ(page.triggers.size(), 1u);
  EXPECT_EQ(page.triggers[0].counts.started, 2u);
  EXPECT_EQ(page.triggers[0].counts.repeated, 1u);
  EXPECT_TRUE(page.triggers[0].running);
}

TEST_F(TriggersTest, WhoeverWaitsIsAnswered) {
  const std::string event = std::string(R"({"id":"a","data":"[7]",)") + kWaits + "}";
  const std::string other = std::string(R"({"id":"b","data":"[7]",)") + kWaits + "}";
  const std::string third = std::string(R"({"id":"c","data":"[7]",)") + kWaits + "}";
  const std::string at_once = R"({"id":"d","data":"[]","attributes":{"reply":{"timeout_ms":0}}})";
  Apply({Trigger("ok", event)});
  EXPECT_EQ(Lines(2).at(1), "reply a 200 {\"location\":\"/teal/v1/sessions/" + SidOf("a") + "\",\"teal-sid\":\"" +
                                SidOf("a") + "\"} [7]");
  Apply({Trigger("bad", other)});
  const std::string failed = Lines(4).at(3);
  EXPECT_TRUE(failed.starts_with("reply b 500 ")) << failed;
  EXPECT_EQ(failed.find("1234"), std::string::npos) << failed;
  EXPECT_NE(failed.find(SidOf("b")), std::string::npos) << failed;
  Apply({Trigger("unfit", third)});
  EXPECT_EQ(Lines(5).at(4), R"(reply c 422 {} {"error":{"kind":"unfit","message":"it does not fit"}})");
  Apply({Trigger("ok", at_once)});
  EXPECT_TRUE(Lines(7).at(6).starts_with("reply d 202 ")) << Lines().at(6);
}

TEST_F(TriggersTest, WhoeverWaitsWhenTheHostStopsIsToldWhereToAsk) {
  Apply({Trigger("long", std::string(R"({"id":"a","data":"[7]",)") + kWaits + "}")});
  Lines(1);
  triggers_->Stop();
  const std::vector<std::string> lines = Lines(2);
  ASSERT_EQ(lines.size(), 2u);
  EXPECT_TRUE(lines[1].starts_with("reply a 202 ")) << lines[1];
}

TEST_F(TriggersTest, TheSameIdWithSomethingElseIsRefused) {
  Apply({Trigger("ok", R"({"id":"a","data":"[1]","attributes":{"fingerprint":"01"}},)"
                       R"({"id":"a","data":"[1]","attributes":{"fingerprint":"01"}},)"
                       R"({"id":"a","data":"[2]","attributes":{"fingerprint":"02","reply":{"timeout_ms":10}}})")});
  const std::vector<std::string> lines = Lines(3);
  EXPECT_EQ(std::count(lines.begin(), lines.end(), "accept a " + SidOf("a")), 2);
  EXPECT_TRUE(
      std::any_of(lines.begin(), lines.end(), [](const auto& line) { return line.starts_with("reply a 422 "); }));
}

TEST_F(TriggersTest, WhatCannotBeTakenNowComesAgain) {
  Apply({Trigger("full", R"({"id":"a","data":"[]"})")});
  EXPECT_EQ(Lines(3), (std::vector<std::string>{"reject a 200", "reject a 400", "accept a " + SidOf("a")}));
}

TEST_F(TriggersTest, WhatNeverFitsIsADeadLetter) {
  const std::string large(200'000, 'x');  // of several pieces
  Apply({Trigger("unfit", R"({"id":"a","data":"[\")" + large + R"(\"]"})")});
  const std::vector<std::string> lines = Lines(kAttemptsMax);
  ASSERT_EQ(lines.size(), kAttemptsMax);
  EXPECT_EQ(lines.back(), "accept a -");
  const auto [error, page] = Got<DeadPage>([&](auto done) { triggers_->Dead("", 10, done); });
  ASSERT_EQ(page.letters.size(), 1u);
  const DeadLetter letter = page.letters[0];
  EXPECT_EQ(letter.error, "it does not fit");
  EXPECT_EQ(letter.event_id, "a");
  const auto refused = Got<SessionView>([&](auto done) { triggers_->RetryDead(letter.id, done); });
  ASSERT_TRUE(refused.first);
  // The program is another, and the trigger is the same.
  Declared fits = Trigger("unfit", "");
  fits.function = "ok";
  Apply({fits});
  const auto retried = Got<SessionView>([&](auto done) { triggers_->RetryDead(letter.id, done); });
  ASSERT_FALSE(retried.first) << retried.first->message;
  EXPECT_EQ(sessions_.sessions()[retried.second.sid].result_json, "[\"" + large + "\"]");
  const auto gone = Got<DeadLetter>([&](auto done) { triggers_->ShowDead(letter.id, done); });
  ASSERT_TRUE(gone.first);
  EXPECT_EQ(gone.first->code, ServiceError::Code::kNotFound);
}

TEST_F(TriggersTest, OverlapSkipsOrReplaces) {
  Apply({Trigger("slow", R"({"id":"a","data":"[]","attributes":{"overlap":"skip"}},)"
                         R"({"id":"b","data":"[]","attributes":{"overlap":"skip"}},)"
                         R"({"id":"c","data":"[]","attributes":{"overlap":"replace"}},)"
                         R"({"id":"d","data":"[]"})")});
  const std::vector<std::string> lines = Lines(4);
  const auto has = [&](const std::string& line) { return std::find(lines.begin(), lines.end(), line) != lines.end(); };
  EXPECT_TRUE(has("accept a " + SidOf("a")));
  EXPECT_TRUE(has("accept b -"));
  EXPECT_TRUE(has("accept c " + SidOf("c")));
  EXPECT_TRUE(has("accept d " + SidOf("d")));
  auto sessions = sessions_.sessions();
  EXPECT_EQ(sessions[SidOf("a")].status, ViewStatus::kCancelled);
  EXPECT_EQ(sessions[SidOf("c")].status, ViewStatus::kRunning);
  EXPECT_FALSE(sessions.contains(SidOf("b")));
}

TEST_F(TriggersTest, NothingChangesByWhatIsWrong) {
  Apply({Trigger("ok", "")});
  Declared wrong = Trigger("other", "");
  wrong.config_json = "{}";
  EXPECT_NE(triggers_->Apply({wrong}, {}).failure().message.find("other.fake: the section names no log"),
            std::string::npos);
  Declared unknown = Trigger("other", "");
  unknown.kind = "sqs";
  EXPECT_NE(triggers_->Apply({unknown}, {}).failure().message.find("no plugin \"sqs\""), std::string::npos);
  EXPECT_NE(triggers_->Apply({Trigger("a", ""), Trigger("a", "")}, {}).failure().message.find("two triggers"),
            std::string::npos);
  const auto [error, page] = Got<TriggerPage>([&](auto done) { triggers_->List("", 10, done); });
  ASSERT_EQ(page.triggers.size(), 1u);
  EXPECT_EQ(page.triggers[0].name, "ok.fake");
  EXPECT_TRUE(page.triggers[0].running);
}

TEST_F(TriggersTest, WhatCannotBeFiredIsTold) {
  Apply({Trigger("ok", "")});
  using Started = std::vector<runtime::StartAnswer>;
  const auto none = Got<Started>([&](auto done) { triggers_->Fire("okk.fake", 0, "", done); });
  ASSERT_TRUE(none.first);
  EXPECT_EQ(none.first->hint, "did you mean ok.fake?");
  const auto unfit = Got<Started>([&](auto done) { triggers_->Fire("ok.fake", 0, "", done); });
  ASSERT_TRUE(unfit.first);
  EXPECT_EQ(unfit.first->code, ServiceError::Code::kUnfit);
  triggers_->Stop();
  const auto stopped = Got<Started>([&](auto done) { triggers_->Fire("ok.fake", 0, "", done); });
  ASSERT_TRUE(stopped.first);
  EXPECT_EQ(stopped.first->code, ServiceError::Code::kUnavailable);
}

}  // namespace
}  // namespace teal::trigger
