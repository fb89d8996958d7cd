#include "core/host/metrics.h"

#include <array>
#include <atomic>
#include <cmath>
#include <cstdio>
#include <map>
#include <mutex>
#include <optional>
#include <vector>

#include "core/host/call.h"
#include "core/host/json.h"
#include "core/host/services.h"

namespace teal::host {
namespace {

constexpr double kSecondsBuckets[] = {0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1,
                                      0.25,   0.5,   1,      2.5,   5,    10,    30,   60};
constexpr double kBytesBuckets[] = {64,      256,     1024,     4096,     16384,     65536,     262144,
                                    1048576, 4194304, 16777216, 67108864, 268435456, 1073741824};
constexpr size_t kBucketsMax = sizeof kSecondsBuckets / sizeof *kSecondsBuckets;
constexpr size_t kHelpBytesMax = 1024;
constexpr size_t kLabelValueBytesMax = 256;

struct Buckets {
  const double* bounds = nullptr;
  size_t count = 0;
};

bool EndsWith(std::string_view text, std::string_view ending) {
  return text.size() >= ending.size() && text.substr(text.size() - ending.size()) == ending;
}

Buckets BucketsOf(std::string_view name) {
  if (EndsWith(name, "_seconds")) return {kSecondsBuckets, sizeof kSecondsBuckets / sizeof *kSecondsBuckets};
  if (EndsWith(name, "_bytes")) return {kBytesBuckets, sizeof kBytesBuckets / sizeof *kBytesBuckets};
  return {};
}

bool IsName(std::string_view name, bool colons) {
  if (name.empty() || name.size() > kMetricNameBytesMax || (name[0] >= '0' && name[0] <= '9')) return false;
  for (const char c : name) {
    const bool word = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
    if (!word && !(colons && c == ':')) return false;
  }
  return true;
}

// In a label's value a quote is escaped as well.
std::string Escaped(std::string_view text, bool quotes) {
  std::string out;
  for (const char c : text) {
    if (c == '\\')
      out += "\\\\";
    else if (c == '\n')
      out += "\\n";
    else if (c == '"' && quotes)
      out += "\\\"";
    else
      out += c;
  }
  return out;
}

// `a="1",b="2"` in the order of the names; nullopt: not an object of strings, or a bad name.
std::optional<std::string> LabelsText(std::string_view labels_json) {
  if (labels_json.empty()) return std::string();
  const Result<Json> json = ParseJson(labels_json);
  if (!json || !json.value().is_object() || json.value().size() > kMetricLabelsMax) return std::nullopt;
  std::string text;
  for (const auto& [name, value] : json.value().items()) {
    if (!IsName(name, false) || name.rfind("__", 0) == 0 || name == "le" || !value.is_string()) return std::nullopt;
    const auto& label = value.get_ref<const std::string&>();
    if (label.size() > kLabelValueBytesMax) return std::nullopt;
    text += (text.empty() ? "" : ",") + name + "=\"" + Escaped(label, true) + "\"";
  }
  return text;
}

std::string Number(double value) {
  char text[32];
  // The shortest that reads back the same.
  for (const int digits : {6, 15, 17}) {
    std::snprintf(text, sizeof text, "%.*g", digits, value);
    if (std::strtod(text, nullptr) == value) break;
  }
  return text;
}

void Add(std::atomic<double>& to, double value) {
  double before = to.load(std::memory_order_relaxed);
  while (!to.compare_exchange_weak(before, before + value, std::memory_order_relaxed)) {
  }
}

struct OneSeries {
  std::string plugin;
  uint32_t kind = 0;
  Buckets buckets;
  std::atomic<double> value{0};  // of a histogram: the sum
  std::array<std::atomic<uint64_t>, kBucketsMax + 1> counts{};
};

struct Family {
  std::string plugin;  // that made it; "a-b" and "a.b" would share a name
  uint32_t kind = 0;
  std::string help;
  std::map<std::string, uint64_t> series;  // by labels
};

}  // namespace

struct Metrics::Impl {
  mutable std::mutex mutex;
  // Guarded by mutex.
  std::map<std::string, Family> families;
  std::map<std::string, uint64_t> of_plugin;
  std::vector<std::unique_ptr<OneSeries>> owned;
  // Read without it: set once, number - 1 is the index.
  std::unique_ptr<std::atomic<OneSeries*>[]> slots = std::make_unique<std::atomic<OneSeries*>[]>(kSeriesMax);
};

Metrics::Metrics() : impl_(std::make_unique<Impl>()) {}
Metrics::~Metrics() = default;

uint64_t Metrics::Series(std::string_view plugin, uint32_t kind, std::string_view name, std::string_view help,
                         std::string_view labels_json) {
  if (!IsName(name, true) || kind < TEAL_COUNTER || kind > TEAL_HISTOGRAM || help.size() > kHelpBytesMax) return 0;
  const Buckets buckets = BucketsOf(name);
  if (kind == TEAL_HISTOGRAM && buckets.count == 0) return 0;
  const std::optional<std::string> labels = LabelsText(labels_json);
  if (!labels) return 0;
  std::string full = "teal_plugin_";
  for (const char c : plugin) full += c == '-' || c == '.' ? '_' : c;
  full += "_" + std::string(name);

  const std::lock_guard lock(impl_->mutex);
  const auto known = impl_->families.find(full);
  if (known != impl_->families.end()) {
    if (known->second.kind != kind || known->second.plugin != plugin) return 0;
    const auto same = known->second.series.find(*labels);
    if (same != known->second.series.end()) return same->second;
  }
  uint64_t& count = impl_->of_plugin[std::string(plugin)];
  if (count >= kSeriesOfPluginMax || impl_->owned.size() >= kSeriesMax) return 0;
  ++count;
  auto series = std::make_unique<OneSeries>();
  series->plugin = plugin;
  series->kind = kind;
  series->buckets = buckets;
  const size_t index = impl_->owned.size();
  impl_->slots[index].store(series.get(), std::memory_order_release);
  impl_->owned.push_back(std::move(series));
  Family& family = impl_->families[full];
  family.plugin = plugin;
  family.kind = kind;
  if (family.help.empty()) family.help = help;
  return family.series[*labels] = index + 1;
}

void Metrics::Record(std::string_view plugin, uint64_t number, double value) {
  if (number == 0 || number > kSeriesMax || !std::isfinite(value)) return;
  OneSeries* const series = impl_->slots[number - 1].load(std::memory_order_acquire);
  if (series == nullptr || series->plugin != plugin) return;
  if (series->kind == TEAL_GAUGE) {
    series->value.store(value, std::memory_order_relaxed);
  } else if (series->kind == TEAL_COUNTER) {
    if (value >= 0) Add(series->value, value);
  } else {
    size_t bucket = 0;
    while (bucket < series->buckets.count && value > series->buckets.bounds[bucket]) ++bucket;
    series->counts[bucket].fetch_add(1, std::memory_order_relaxed);
    Add(series->value, value);
  }
}

std::string Metrics::PrometheusText() const {
  constexpr const char* kKinds[] = {"", "counter", "gauge", "histogram"};
  std::string text;
  const std::lock_guard lock(impl_->mutex);
  for (const auto& [name, family] : impl_->families) {
    if (!family.help.empty()) text += "# HELP " + name + " " + Escaped(family.help, false) + "\n";
    text += "# TYPE " + name + " " + kKinds[family.kind] + "\n";
    for (const auto& [labels, number] : family.series) {
      const OneSeries& series = *impl_->owned[number - 1];
      const std::string braced = labels.empty() ? "" : "{" + labels + "}";
      const double value = series.value.load(std::memory_order_relaxed);
      if (family.kind != TEAL_HISTOGRAM) {
        text += name + braced + " " + Number(value) + "\n";
        continue;
      }
      const std::string before = labels.empty() ? "" : labels + ",";
      uint64_t total = 0;
      for (size_t i = 0; i <= series.buckets.count; ++i) {
        total += series.counts[i].load(std::memory_order_relaxed);
        const std::string bound = i == series.buckets.count ? "+Inf" : Number(series.buckets.bounds[i]);
        text += name + "_bucket{" + before + "le=\"" + bound + "\"} " + std::to_string(total) + "\n";
      }
      text += name + "_sum" + braced + " " + Number(value) + "\n";
      text += name + "_count" + braced + " " + std::to_string(total) + "\n";
    }
  }
  return text;
}

const teal_metrics* MetricsTable() {
  static constexpr auto kSeries = [](const teal_host* host, uint32_t kind, teal_bytes name, teal_bytes help,
                                     teal_bytes labels_json) -> uint64_t {
    const HostContext& context = ContextOf(host);
    return context.services->metrics().Series(context.plugin_id, kind, ViewOf(name), ViewOf(help), ViewOf(labels_json));
  };
  static constexpr auto kRecord = [](const teal_host* host, uint64_t series, double value) {
    const HostContext& context = ContextOf(host);
    context.services->metrics().Record(context.plugin_id, series, value);
  };
  static const teal_metrics table = {sizeof(teal_metrics), 0, kSeries, kRecord};
  return &table;
}

}  // namespace teal::host
