// get, scan and scan_due.
#pragma once

#include <string>
#include <string_view>

#include "plugins/k8s/call.hpp"

namespace teal::k8s {

class ReadCall : public Query {
 public:
  using Query::Query;
  bool ReadOnly() const final { return true; }
};

class Get final : public ReadCall {
 public:
  // `keys` were checked, and live until the call has ended.
  Get(plugin::Done done, const teal_call& call, uint64_t now, const teal_key* keys, uint64_t count)
      : ReadCall(std::move(done), call, now), keys_(keys), count_(count) {}
  Statement statement() const override { return Statement::kGet; }
  void Bind(Params& params) override;
  bool Answer(const PGresult* result) override;

 private:
  const teal_key* keys_;
  uint64_t count_;
};

// A cursor is an S and the last sort key given.
class Scan final : public ReadCall {
 public:
  // False = `cursor` is none of a scan of this prefix.
  static bool Good(std::string_view cursor, std::string_view prefix);
  Scan(plugin::Done done, const teal_call& call, uint64_t now, std::string_view partition, std::string_view prefix,
       uint64_t limit, std::string_view cursor);
  Statement statement() const override { return Statement::kScan; }
  void Bind(Params& params) override;
  bool Answer(const PGresult* result) override;

 private:
  std::string_view partition_;  // the host's, as in every call
  std::string from_;
  std::string to_;  // empty = the partition's end
  int64_t limit_;
};

// A cursor is a D, then due time and hash of the last key given, 8 bytes each.
class ScanDue final : public ReadCall {
 public:
  static bool Good(std::string_view cursor);
  ScanDue(plugin::Done done, const teal_call& call, uint64_t now, uint32_t shard, uint32_t shards, uint64_t until,
          uint64_t limit, std::string_view cursor);
  Statement statement() const override { return Statement::kScanDue; }
  void Bind(Params& params) override;
  bool Answer(const PGresult* result) override;

 private:
  int64_t until_;
  int64_t low_;
  int64_t high_;
  int64_t after_due_;
  int64_t after_hash_;
  int64_t limit_;
};

}  // namespace teal::k8s
