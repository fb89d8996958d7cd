// Tests that hold straight to PostgreSQL and through PgBouncer in transaction mode.
#pragma once

#include <set>

#include "tests/plugins/k8s/support.h"

namespace teal::k8s_test {

class Both : public testing::TestWithParam<const char*> {
 protected:
  std::string Url() const { return Env(GetParam()); }
  bool pooled() const { return std::string(GetParam()) == "TEAL_K8S_POOLED_URL"; }
  // Another instance over the same store.
  std::string Config(const std::string& more = "") const { return Section(Url(), schema, more); }
  // A time as it stands in the tables.
  static std::string Stored(uint64_t unix_ns) { return std::to_string(static_cast<int64_t>(unix_ns ^ (1ULL << 63))); }

  const std::string schema = FreshSchema();
  Store store{Config()};
};

inline std::string NameOf(const testing::TestParamInfo<const char*>& info) {
  return std::string(info.param) == "TEAL_K8S_URL" ? "direct" : "pooled";
}

}  // namespace teal::k8s_test
