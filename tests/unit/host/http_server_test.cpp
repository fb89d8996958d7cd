#include "core/host/http_server.h"

#include <gtest/gtest.h>

#include <atomic>
#include <optional>
#include <thread>
#include <vector>

#include "core/host/call.h"
#include "core/host/services.h"

namespace teal::host {
namespace {

// A plugin that listens, and what it has seen.
struct Listener {
  explicit Listener(Services* services) {
    context.plugin_id = "listener";
    context.services = services;
    context.log = &services->log();
    host = MakeHost(&context);
    table = static_cast<const teal_http_server*>(host.service(&host, TEAL_HTTP_SERVER_ID));
    handler.struct_size = sizeof handler;
    handler.ctx = this;
    handler.head = [](void* ctx, const teal_arrival* head, uint64_t* most) {
      auto* const self = static_cast<Listener*>(ctx);
      self->heads.push_back(std::string(ViewOf(head->method)) + " " + std::string(ViewOf(head->target)));
      EXPECT_EQ(head->body.size, 0u);
      *most = self->body_bytes_max;
      if (self->refuse_with != 0) self->Answer(head->token, self->refuse_with);
    };
    handler.request = [](void* ctx, const teal_arrival* request) {
      auto* const self = static_cast<Listener*>(ctx);
      self->tokens.push_back(request->token);
      self->flags.push_back(request->flags);
      self->bodies.emplace_back(ViewOf(request->body));
      for (uint64_t i = 0; i < request->header_count; ++i) {
        self->headers.emplace_back(ViewOf(request->headers[i].name), ViewOf(request->headers[i].value));
      }
    };
    handler.gone = [](void* ctx, uint64_t token) { static_cast<Listener*>(ctx)->gone.push_back(token); };
  }

  teal_status Listen() { return table->listen(&host, &handler); }
  teal_status Answer(uint64_t token, uint32_t status, const std::string& name = "x-a", const std::string& value = "b") {
    const teal_header header{BytesOf(name), BytesOf(value)};
    teal_http_answer answer{};
    answer.struct_size = sizeof answer;
    answer.status = status;
    answer.headers = &header;
    answer.header_count = 1;
    answer.body = BytesOf("hello");
    return table->answer(&host, token, &answer);
  }

  HostContext context;
  teal_host host{};
  const teal_http_server* table = nullptr;
  teal_http_handler handler{};
  uint64_t body_bytes_max = 1000;
  uint32_t refuse_with = 0;
  std::vector<std::string> heads, bodies;
  std::vector<uint64_t> tokens, gone;
  std::vector<uint32_t> flags;
  HeaderList headers;
};

struct HttpServerTest : testing::Test {
  HttpServerTest() : server(std::make_shared<HttpServer>()), services(Options()), plugin(&services) {}
  ServicesOptions Options() const {
    ServicesOptions options;
    options.http_server = server;
    return options;
  }
  HttpServer::Verdict Arrive() {
    return server->Arrive(request, 5000, [this](ServerAnswer answer) { answers.push_back(std::move(answer)); });
  }
  // A request that was taken, its body brought; its token.
  uint64_t Bring(std::string_view body = "body") {
    const HttpServer::Verdict verdict = Arrive();
    EXPECT_FALSE(verdict.answer);
    server->Deliver(verdict.token, request, body, false);
    return verdict.token;
  }

  const std::shared_ptr<HttpServer> server;
  Services services;
  Listener plugin;
  ArrivedRequest request{"POST", "/a%20b?c=d", {{"accept", "x"}, {"a", "1"}, {"a", "2"}}, "192.0.2.7", true};
  std::vector<ServerAnswer> answers;
};

TEST_F(HttpServerTest, GivesRequestsToWhoListens) {
  EXPECT_FALSE(server->IsListened());
  EXPECT_EQ(Arrive().answer->status, 404);
  ASSERT_EQ(plugin.Listen(), TEAL_OK);
  EXPECT_TRUE(server->IsListened());
  const HttpServer::Verdict verdict = Arrive();
  EXPECT_EQ(verdict.body_bytes_max, 1000u);
  EXPECT_EQ(plugin.heads, std::vector<std::string>{"POST /a%20b?c=d"});
  EXPECT_TRUE(plugin.bodies.empty());
  server->Deliver(verdict.token, request, "body", false);
  EXPECT_EQ(plugin.bodies, std::vector<std::string>{"body"});
  EXPECT_EQ(plugin.headers, request.headers);
  EXPECT_EQ(plugin.flags, std::vector<uint32_t>{TEAL_ARRIVAL_TLS});
  server->Deliver(Arrive().token, request, "", true);
  EXPECT_EQ(plugin.flags.back(), TEAL_ARRIVAL_TLS | TEAL_ARRIVAL_TOO_LARGE);
  // Nobody raises the host's limit.
  plugin.body_bytes_max = 1'000'000;
  EXPECT_EQ(Arrive().body_bytes_max, 5000u);
  plugin.table->unlisten(&plugin.host);
}

TEST_F(HttpServerTest, OnePluginListens) {
  Listener other(&services);
  ASSERT_EQ(plugin.Listen(), TEAL_OK);
  EXPECT_EQ(other.Listen(), TEAL_INVALID);
  EXPECT_EQ(plugin.Listen(), TEAL_INVALID);
  other.table->unlisten(&other.host);
  EXPECT_TRUE(server->IsListened());
  const uint64_t token = Bring();
  EXPECT_EQ(other.Answer(token, 200), TEAL_NOT_FOUND);
  plugin.table->unlisten(&plugin.host);
  EXPECT_EQ(other.Listen(), TEAL_OK);
  other.table->unlisten(&other.host);
}

TEST_F(HttpServerTest, AnAnswerCountsOnce) {
  ASSERT_EQ(plugin.Listen(), TEAL_OK);
  const uint64_t token = Bring();
  EXPECT_EQ(plugin.Answer(token, 201), TEAL_OK);
  EXPECT_EQ(plugin.Answer(token, 202), TEAL_NOT_FOUND);
  EXPECT_EQ(plugin.Answer(token + 7, 200), TEAL_NOT_FOUND);
  ASSERT_EQ(answers.size(), 1u);
  EXPECT_EQ(answers[0].status, 201);
  EXPECT_EQ(answers[0].headers, (HeaderList{{"x-a", "b"}}));
  EXPECT_EQ(answers[0].body, "hello");
  plugin.table->unlisten(&plugin.host);
}

TEST_F(HttpServerTest, RefusesWhatHttpDoesNotHave) {
  ASSERT_EQ(plugin.Listen(), TEAL_OK);
  const uint64_t token = Bring();
  for (const uint32_t status : {0u, 99u, 100u, 199u, 600u, 100'000u}) {
    EXPECT_EQ(plugin.Answer(token, status), TEAL_INVALID) << status;
  }
  for (const char* const name :
       {"", "a b", "a:", "a\r\nb", "\xc3\xa4", "Content-Length", "transfer-encoding", "Connection", "date"}) {
    EXPECT_EQ(plugin.Answer(token, 200, name), TEAL_INVALID) << name;
  }
  for (const std::string value : {"a\r\nb: c", "a\n", "\r", "\x7f", "\x01"}) {
    EXPECT_EQ(plugin.Answer(token, 200, "a", value), TEAL_INVALID) << value;
  }
  EXPECT_EQ(plugin.Answer(token, 200, "a", std::string("a\0b", 3)), TEAL_INVALID);
  EXPECT_TRUE(answers.empty());
  EXPECT_EQ(plugin.Answer(token, 200, "a", "tab\tand \xc3\xa4"), TEAL_OK);
  plugin.table->unlisten(&plugin.host);
}

TEST_F(HttpServerTest, UnlistenAnswersWhatIsOpen) {
  ASSERT_EQ(plugin.Listen(), TEAL_OK);
  const uint64_t token = Bring();
  const HttpServer::Verdict without_body = Arrive();
  plugin.table->unlisten(&plugin.host);
  ASSERT_EQ(answers.size(), 2u);
  EXPECT_EQ(answers[0].status, 503);
  EXPECT_EQ(plugin.Answer(token, 200), TEAL_NOT_FOUND);
  server->Deliver(without_body.token, request, "late", false);
  server->Leave(token);
  EXPECT_EQ(plugin.bodies.size(), 1u);
  EXPECT_TRUE(plugin.gone.empty());
  EXPECT_EQ(Arrive().answer->status, 404);
}

TEST_F(HttpServerTest, TheHeadCanRefuse) {
  ASSERT_EQ(plugin.Listen(), TEAL_OK);
  plugin.refuse_with = 403;
  const HttpServer::Verdict verdict = Arrive();
  ASSERT_TRUE(verdict.answer);
  EXPECT_EQ(verdict.answer->status, 403);
  server->Deliver(verdict.token, request, "body", false);
  EXPECT_TRUE(plugin.bodies.empty());
  EXPECT_TRUE(answers.empty());
  EXPECT_EQ(plugin.Answer(verdict.token, 200), TEAL_NOT_FOUND);
  plugin.table->unlisten(&plugin.host);
}

TEST_F(HttpServerTest, WhoWentIsTold) {
  ASSERT_EQ(plugin.Listen(), TEAL_OK);
  const uint64_t went = Bring();
  const uint64_t answered = Bring();
  EXPECT_EQ(plugin.Answer(answered, 200), TEAL_OK);
  server->Leave(went);
  server->Leave(went);
  server->Leave(answered);
  EXPECT_EQ(plugin.gone, std::vector<uint64_t>{went});
  EXPECT_EQ(plugin.Answer(went, 200), TEAL_NOT_FOUND);
  EXPECT_EQ(answers.size(), 1u);
  plugin.table->unlisten(&plugin.host);
}

// Requests on many threads while the plugin stops and listens again: each has one answer.
TEST_F(HttpServerTest, EachRequestIsAnsweredWhileThePluginComesAndGoes) {
  ASSERT_EQ(plugin.Listen(), TEAL_OK);
  plugin.handler.head = nullptr;
  plugin.table->unlisten(&plugin.host);
  plugin.handler.request = [](void* ctx, const teal_arrival* arrival) {
    static_cast<Listener*>(ctx)->Answer(arrival->token, 200);
  };
  std::atomic<uint64_t> sent{0}, answered{0};
  std::atomic<bool> stop{false};
  std::vector<std::thread> clients;
  for (int i = 0; i < 3; ++i) {
    clients.emplace_back([&] {
      while (!stop) {
        ++sent;
        const auto verdict = server->Arrive(request, 5000, [&](const ServerAnswer&) { ++answered; });
        if (verdict.answer) {
          ++answered;
        } else {
          server->Deliver(verdict.token, request, "body", false);
        }
      }
    });
  }
  for (int i = 0; i < 200; ++i) {
    ASSERT_EQ(plugin.Listen(), TEAL_OK);
    std::this_thread::yield();
    plugin.table->unlisten(&plugin.host);
  }
  stop = true;
  for (std::thread& client : clients) client.join();
  EXPECT_EQ(sent.load(), answered.load());
}

}  // namespace
}  // namespace teal::host
