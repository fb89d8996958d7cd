// Blobs: written as rows of kChunkBytes under a number of their own, seen once a row of the table `blob` names them.
#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "plugins/k8s/call.hpp"

namespace teal::k8s {

// A blob being written. Fields but the atomics belong to the call that has it: one at a time.
struct Upload {
  std::string name;
  int64_t id = 0;
  std::string rest;   // written by the host, less than a chunk, not yet sent
  int32_t next = 0;   // number of the next chunk
  uint64_t size = 0;  // of all that was written
  std::atomic<bool> busy{false};
  std::atomic<bool> broken{false};  // a piece was refused or lost: only to be given up
};
using UploadPtr = std::shared_ptr<Upload>;

// The open handles. Thread-safe.
class Uploads {
 public:
  uint64_t Add(UploadPtr upload);
  UploadPtr Find(uint64_t handle) const;  // NULL = never given, or ended
  UploadPtr Take(uint64_t handle);
  std::vector<UploadPtr> TakeAll();

 private:
  mutable std::mutex mutex_;
  std::map<uint64_t, UploadPtr> open_;
  uint64_t last_ = 0;
};

class BlobOpen final : public Query {
 public:
  BlobOpen(plugin::Done done, const teal_call& call, uint64_t now, std::string_view name, Uploads& uploads)
      : Query(std::move(done), call, now), now_(now), name_(name), uploads_(&uploads) {}
  Statement statement() const override { return Statement::kBlobBegin; }
  void Bind(Params& params) override { params.Long(Flipped(now_)); }
  bool Answer(const PGresult* result) override;

 private:
  uint64_t now_;
  std::string_view name_;
  Uploads* uploads_;
};

class BlobWrite final : public Query {
 public:
  // `upload` is marked busy; `data` lives until the call has ended.
  BlobWrite(plugin::Done done, const teal_call& call, uint64_t now, UploadPtr upload, std::string_view data);
  // Where no chunk gets full: keeps the data and ends the call. False = it is to be submitted.
  bool KeepOnly();
  Statement statement() const override { return Statement::kBlobWrite; }
  void Bind(Params& params) override;
  bool Answer(const PGresult* result) override;
  void Failed(const plugin::Error& error) override;

 private:
  void Finish();

  uint64_t now_;
  UploadPtr upload_;
  std::string_view data_;
  std::string joined_;  // the first chunk, where it begins with what was kept
  uint64_t full_ = 0;   // chunks this call fills
  uint64_t sent_ = 0;   // of them, committed
  uint64_t sending_ = 0;
};

class BlobCommit final : public Query {
 public:
  BlobCommit(plugin::Done done, const teal_call& call, uint64_t now, UploadPtr upload)
      : Query(std::move(done), call, now), upload_(std::move(upload)) {}
  Statement statement() const override { return Statement::kBlobFinish; }
  void Bind(Params& params) override;
  bool Answer(const PGresult* result) override;

 private:
  UploadPtr upload_;
};

class BlobGet final : public Query {
 public:
  BlobGet(plugin::Done done, const teal_call& call, uint64_t now, std::string_view name, uint64_t offset,
          uint64_t size);
  Statement statement() const override { return Statement::kBlobRead; }
  void Bind(Params& params) override;
  bool Answer(const PGresult* result) override;
  bool ReadOnly() const override { return true; }

 private:
  std::string_view name_;
  int64_t offset_;
  int64_t size_;
};

class BlobDelete final : public Query {
 public:
  BlobDelete(plugin::Done done, const teal_call& call, uint64_t now, std::string_view name)
      : Query(std::move(done), call, now), name_(name) {}
  Statement statement() const override { return Statement::kBlobDelete; }
  void Bind(Params& params) override { params.Data(name_); }
  bool Answer(const PGresult*) override {
    Succeed();
    return false;
  }
  // Its late twin could delete what was written anew under the name.
  bool Repeatable() const override { return false; }

 private:
  std::string_view name_;
};

}  // namespace teal::k8s
