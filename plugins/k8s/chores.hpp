// The plugin's own statements, for which nobody waits.
#pragma once

#include <set>
#include <string>
#include <utility>
#include <vector>

#include "plugins/k8s/call.hpp"
#include "plugins/k8s/commit.hpp"

namespace teal::k8s {

// Deletes records a minute after they expired, so that a clock ahead of the others' deletes nothing early. (MEM-24)
class DropExpired final : public Query {
 public:
  explicit DropExpired(uint64_t now) : now_(now) {}
  Statement statement() const override { return Statement::kDropExpired; }
  void Bind(Params& params) override;
  bool Answer(const PGresult* result) override;

 private:
  uint64_t now_;
};

// Deletes blobs nobody went on writing for a day.
class DropUploads final : public Query {
 public:
  explicit DropUploads(uint64_t now) : now_(now) {}
  Statement statement() const override { return Statement::kDropUploads; }
  void Bind(Params& params) override;
  bool Answer(const PGresult* result) override;

 private:
  uint64_t now_;
};

// Deletes what was written of a blob that was given up.
class DropUpload final : public Query {
 public:
  explicit DropUpload(int64_t id) : id_(id) {}
  Statement statement() const override { return Statement::kBlobDropUpload; }
  void Bind(Params& params) override { params.Long(id_); }
  bool Answer(const PGresult*) override {
    Succeed();
    return false;
  }

 private:
  int64_t id_;
};

// Tells listeners which keys were written. After the commit and on its own: a NOTIFY within a commit would hold a lock
// over the whole database until the disk has it, so that no two commits could share a write. What is lost is lost.
// (WATCH-1)
class Tell final : public Query {
 public:
  Tell(std::string channel, bool all, const std::set<std::pair<std::string, std::string>>& keys);
  Statement statement() const override { return Statement::kTell; }
  void Bind(Params& params) override;
  bool Answer(const PGresult*) override {
    Succeed();
    return false;
  }

 private:
  std::string channel_;
  std::vector<std::string> notices_;
};

}  // namespace teal::k8s
