#include "core/serve/metrics.h"

#include <charconv>

namespace teal::serve {
namespace {

constexpr std::array<double, 11> kBounds = {0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 0.5, 2.5, 10};

std::string Number(double value) {
  char text[32];
  const auto [end, error] = std::to_chars(text, text + sizeof text, value);
  return std::string(text, error == std::errc() ? end : text);
}

void Head(const char* name, const char* type, const char* help, std::string* out) {
  *out += std::string("# HELP ") + name + " " + help + "\n# TYPE " + name + " " + type + "\n";
}

void Counter(const char* name, const char* help, uint64_t value, std::string* out) {
  Head(name, "counter", help, out);
  *out += std::string(name) + " " + std::to_string(value) + "\n";
}

void Gauge(const char* name, const char* help, double value, std::string* out) {
  Head(name, "gauge", help, out);
  *out += std::string(name) + " " + Number(value) + "\n";
}

void Latencies(const ServeCounters& serve, std::string* out) {
  const std::string name = "teal_http_request_seconds";
  Head(name.c_str(), "histogram", "From a whole request to its answer, of requests that do not wait.", out);
  uint64_t sum = 0;
  for (size_t i = 0; i < kBounds.size(); ++i) {
    sum += serve.seconds[i];
    *out += name + "_bucket{le=\"" + Number(kBounds[i]) + "\"} " + std::to_string(sum) + "\n";
  }
  sum += serve.seconds.back();
  *out += name + "_bucket{le=\"+Inf\"} " + std::to_string(sum) + "\n" + name + "_sum " +
          Number(static_cast<double>(serve.seconds_ns) / 1e9) + "\n" + name + "_count " + std::to_string(sum) + "\n";
}

}  // namespace

void ServeCounters::CountAnswer(int status) {
  const int digit = status / 100;
  answers[digit >= 1 && digit <= 5 ? static_cast<size_t>(digit) : 0].fetch_add(1, std::memory_order_relaxed);
}

void ServeCounters::CountTime(uint64_t ns) {
  size_t bucket = 0;
  while (bucket < kBounds.size() && static_cast<double>(ns) > kBounds[bucket] * 1e9) ++bucket;
  seconds[bucket].fetch_add(1, std::memory_order_relaxed);
  seconds_ns.fetch_add(ns, std::memory_order_relaxed);
}

std::shared_ptr<void> TakeSlot(const std::shared_ptr<ServeCounters>& owner, std::atomic<uint32_t>& gauge,
                               uint32_t max) {
  if (gauge.fetch_add(1, std::memory_order_relaxed) >= max) {
    gauge.fetch_sub(1, std::memory_order_relaxed);
    return nullptr;
  }
  return std::shared_ptr<void>(&gauge, [owner, &gauge](void*) { gauge.fetch_sub(1, std::memory_order_relaxed); });
}

std::string MetricsText(const runtime::ServiceCounters& service, const ServeCounters& serve) {
  std::string out;
  Counter("teal_sessions_started_total", "Sessions started by this process.", service.sessions_started, &out);
  Head("teal_sessions_ended_total", "counter", "Sessions ended by this process, by how.", &out);
  out += "teal_sessions_ended_total{status=\"done\"} " + std::to_string(service.sessions_done) + "\n" +
         "teal_sessions_ended_total{status=\"failed\"} " + std::to_string(service.sessions_failed) + "\n" +
         "teal_sessions_ended_total{status=\"cancelled\"} " + std::to_string(service.sessions_cancelled) + "\n";
  Counter("teal_steps_total", "Foreign calls that ended.", service.steps, &out);
  Counter("teal_commits_total", "Commits that were applied.", service.commits, &out);
  Counter("teal_commit_conflicts_total", "Commits that met another writer.", service.commit_conflicts, &out);
  Counter("teal_commit_bytes_total", "Bytes of values that were committed.", service.commit_bytes, &out);
  Gauge("teal_sessions_in_memory", "Sessions carried in memory now.", static_cast<double>(service.sessions_in_memory),
        &out);
  Gauge("teal_threads_queued", "Threads that could run now.", static_cast<double>(service.queued), &out);
  Gauge("teal_timer_lag_seconds", "How late the last timer was.", static_cast<double>(service.timer_lag_ns) / 1e9,
        &out);
  Gauge("teal_sweep_lag_seconds", "How long the oldest record that the last sweep found had been due.",
        static_cast<double>(service.sweep_lag_ns) / 1e9, &out);
  Head("teal_http_answers_total", "counter", "Answers of the control API by the class of their status.", &out);
  for (size_t i = 1; i < serve.answers.size(); ++i) {
    out += "teal_http_answers_total{class=\"" + std::to_string(i) + "xx\"} " + std::to_string(serve.answers[i]) + "\n";
  }
  Latencies(serve, &out);
  Counter("teal_http_received_bytes_total", "Bytes received.", serve.bytes_in, &out);
  Counter("teal_http_sent_bytes_total", "Bytes sent.", serve.bytes_out, &out);
  Counter("teal_http_refused_connections_total", "Connections refused since too many were open.",
          serve.refused_connections, &out);
  Counter("teal_http_slow_connections_total", "Connections closed since the other side was too slow.", serve.timed_out,
          &out);
  Gauge("teal_http_connections", "Connections open now.", serve.connections, &out);
  Gauge("teal_http_calls", "Requests under way now, without those that wait.", serve.calls, &out);
  Gauge("teal_http_waits", "Requests now that wait, event streams included.", serve.waits, &out);
  Gauge("teal_http_bodies_bytes", "Bytes of bodies held now.", static_cast<double>(serve.bodies_bytes), &out);
  return out;
}

}  // namespace teal::serve
