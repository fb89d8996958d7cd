#include "plugins/local/replay.hpp"

#include <rocksdb/write_batch.h>

namespace teal::local {
namespace {

using rocksdb::Slice;
using rocksdb::Status;
using rocksdb::WriteBatch;

// Entries are written to RocksDB so many bytes at a time: most are one small commit, and each write has its price.
constexpr std::size_t kBatchBytes = 256 << 10;

// Adds to a batch what another does. The kinds are those that the committer writes.
class Joining : public WriteBatch::Handler {
 public:
  explicit Joining(WriteBatch& batch) : batch_(batch) {}
  Status PutCF(uint32_t, const Slice& key, const Slice& value) override { return batch_.Put(key, value); }
  Status DeleteCF(uint32_t, const Slice& key) override { return batch_.Delete(key); }
  Status SingleDeleteCF(uint32_t, const Slice& key) override { return batch_.SingleDelete(key); }

 private:
  WriteBatch& batch_;
};

}  // namespace

std::optional<plugin::Error> Replay(Log& log, Store& store, bool may_have_gaps) {
  uint64_t applied = 0;
  if (auto error = store.Applied(applied)) return error;
  WriteBatch batch;
  Joining joining(batch);
  Status status;
  const auto write = [&] {
    status = store.Write(batch, 0);
    batch.Clear();
    return status.ok();
  };
  const auto put_in = [&](uint64_t, std::string_view payload) {
    status = WriteBatch(std::string(payload)).Iterate(&joining);
    return status.ok() && (batch.GetDataSize() < kBatchBytes || write());
  };
  if (auto error = log.Open(applied, may_have_gaps, put_in)) return error;
  if (status.ok() && batch.Count() > 0) write();
  if (!status.ok()) return ToError(status, "cannot put in what the commit log holds");
  return std::nullopt;
}

}  // namespace teal::local
