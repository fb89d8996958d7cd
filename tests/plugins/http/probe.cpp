// Drives "teal.host.http/1" for tests/plugins/http/run: a JSON request a line on stdin, a JSON answer a line on stdout
// in the order the calls end. Also {"faults": TEXT} and {"stats": true}, answered at once.
#include <cstdio>
#include <cstring>
#include <iostream>
#include <memory>
#include <mutex>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>
#include <vector>

#include "core/host/call.h"
#include "core/host/services.h"

namespace {

using nlohmann::json;
using teal::host::BytesOf;
using teal::host::ViewOf;

void Say(const json& line) {
  static std::mutex mutex;
  const std::lock_guard lock(mutex);
  std::printf("%s\n", line.dump(-1, ' ', false, json::error_handler_t::replace).c_str());
  std::fflush(stdout);
}

// What a call needs until `done` returned.
struct Request {
  json id;
  std::string method, url, body, sign_name;
  std::vector<std::pair<std::string, std::string>> headers;
  std::vector<teal_header> raw;
  teal_status sign_status = TEAL_OK;
  uint64_t signatures = 0;
  teal_http_request request{};
  teal_call call{};
};

// "name: <how many attempts were signed>".
teal_status Sign(void* ctx, const teal_http_request*, uint64_t now, teal_header_fn add, void* add_ctx) {
  auto* const self = static_cast<Request*>(ctx);
  const std::string value = std::to_string(++self->signatures) + (now == 0 ? " without time" : "");
  add(add_ctx, {BytesOf(self->sign_name), BytesOf(value)});
  return self->sign_status;
}

void Done(void* ctx, const teal_error* error, const void* result) {
  const std::unique_ptr<Request> self(static_cast<Request*>(ctx));
  json answer = {{"id", self->id}};
  if (error != nullptr) {
    answer["code"] = teal::host::StatusName(error->code);
    answer["unknown"] = error->outcome == TEAL_OUTCOME_UNKNOWN;
    answer["message"] = teal::host::MessageOf(*error);
  } else {
    const auto* const response = static_cast<const teal_http_response*>(result);
    answer["status"] = response->status;
    answer["attempts"] = response->attempts;
    answer["size"] = response->body.size;
    answer["body"] = std::string(ViewOf(response->body).substr(0, 1000));
    for (uint64_t i = 0; i < response->header_count; ++i) {
      answer["headers"][std::string(ViewOf(response->headers[i].name))] =
          std::string(ViewOf(response->headers[i].value));
    }
  }
  Say(answer);
}

void Start(const teal_http* http, const teal_host* host, const json& line) {
  auto self = std::make_unique<Request>();
  self->id = line["id"];
  self->method = line.value("method", "GET");
  self->url = line["url"];
  self->body = line.value("body", "") + std::string(line.value("body_size", size_t{0}), 'x');
  for (const json& header : line.value("headers", json::array())) self->headers.emplace_back(header[0], header[1]);
  for (const auto& [name, value] : self->headers) self->raw.push_back({BytesOf(name), BytesOf(value)});
  teal_http_request& request = self->request;
  request.struct_size = sizeof request;
  request.flags = line.value("safe", false) ? TEAL_HTTP_SAFE : 0;
  request.method = BytesOf(self->method);
  request.url = BytesOf(self->url);
  request.headers = self->raw.data();
  request.header_count = self->raw.size();
  request.body = BytesOf(self->body);
  constexpr uint64_t kMs = 1'000'000;
  request.connect_timeout_ns = line.value("connect_timeout_ms", uint64_t{0}) * kMs;
  request.timeout_ns = line.value("timeout_ms", uint64_t{0}) * kMs;
  request.response_bytes_max = line.value("max", uint64_t{0});
  self->sign_name = line.value("sign", "");
  self->sign_status = line.value("sign_status", 0);
  if (!self->sign_name.empty()) {
    request.sign = Sign;
    request.sign_ctx = self.get();
  }
  self->call.struct_size = sizeof self->call;
  self->call.op_id = line["id"];
  if (line.contains("deadline_ms")) {
    const int64_t ms = line["deadline_ms"];
    self->call.deadline_unix_ns = host->now_unix_ns(host) + static_cast<uint64_t>(ms * static_cast<int64_t>(kMs));
  }
  self->call.done = Done;
  self->call.done_ctx = self.get();
  Request* const raw = self.release();
  const teal_status status = http->send(host, &raw->call, &raw->request);
  if (status != TEAL_OK) {
    const std::unique_ptr<Request> refused(raw);
    Say({{"id", refused->id}, {"code", teal::host::StatusName(status)}, {"at_once", true}});
  }
}

}  // namespace

int main() {
  teal::host::Services services({});
  teal::host::HostContext context;
  context.plugin_id = "probe";
  context.services = &services;
  context.log = &services.log();
  const teal_host host = teal::host::MakeHost(&context);
  const auto* const http = static_cast<const teal_http*>(host.service(&host, TEAL_HTTP_ID));
  if (http == nullptr) return 1;
  teal::host::HttpLibrary& library = *services.Http().value();
  for (std::string text; std::getline(std::cin, text);) {
    const json line = json::parse(text);
    if (line.contains("faults")) {
      const teal::Status set = library.SetFaults(line["faults"]);
      Say({{"faults", set ? "set" : set.failure().message}});
    } else if (line.contains("stats")) {
      const teal_http_stats stats = library.Stats();
      Say({{"attempts", stats.attempts},
           {"retries", stats.retries},
           {"connections", stats.connections},
           {"faults", stats.faults},
           {"open", stats.open},
           {"calls", stats.calls}});
    } else if (line.contains("cancel")) {
      http->cancel(&host, line["cancel"]);
    } else {
      Start(http, &host, line);
    }
  }
  return 0;
}
