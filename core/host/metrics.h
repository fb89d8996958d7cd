// "teal.host.metrics/1": a registry of series and its text for Prometheus (text format 0.0.4).
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "teal/abi.h"

namespace teal::host {

inline constexpr uint64_t kSeriesOfPluginMax = 1000;
inline constexpr uint64_t kSeriesMax = 16 * 1024;  // of all plugins
inline constexpr size_t kMetricNameBytesMax = 128;
inline constexpr size_t kMetricLabelsMax = 16;

// Thread-safe. Record takes no lock.
class Metrics {
 public:
  Metrics();
  ~Metrics();

  // As teal_metrics.series: the number of the series, or 0 if refused. A histogram's name ends with _seconds or _bytes.
  uint64_t Series(std::string_view plugin, uint32_t kind, std::string_view name, std::string_view help,
                  std::string_view labels_json);
  // As teal_metrics.record. Only the plugin that made a series can record to it; NaN, infinities and a counter's
  // negative values are dropped.
  void Record(std::string_view plugin, uint64_t series, double value);

  // Families in the order of their names, series in the order of their labels.
  std::string PrometheusText() const;

 private:
  struct Impl;
  const std::unique_ptr<Impl> impl_;
};

// The table for Services.
const teal_metrics* MetricsTable();

}  // namespace teal::host
