// Blobs as objects in S3. Small ones are put whole at their commit; larger ones go up in parts while they are written
// and become visible when the upload is completed. Loop thread only.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "plugins/aws/s3.hpp"

namespace teal::aws {

inline constexpr uint64_t kPartBytes = 8 << 20;                    // S3: at least 5 MiB, but for the last
inline constexpr uint64_t kPartsMax = 10'000;                      // of S3
inline constexpr uint64_t kBlobBytesMax = kPartBytes * kPartsMax;  // 78 GiB

class Blobs {
 public:
  Blobs(S3& s3, const Config& config) : s3_(s3), config_(config) {}

  // A name is escaped where it is short, so that it can be read in the bucket, else hashed.
  std::string ObjectKey(std::string_view name) const;

  uint64_t Open(std::string_view name);
  Task<Status> Write(Operation& operation, uint64_t handle, std::string_view data);
  Task<Status> Commit(Operation& operation, uint64_t handle);
  Task<bool> Abort(Operation& operation, uint64_t handle);
  Task<bool> AbortAll(Operation& operation);
  Task<Result<std::string>> Get(Operation& operation, std::string_view name, uint64_t offset, uint64_t size);
  Task<Status> Delete(Operation& operation, std::string_view name);

 private:
  struct Draft {
    std::string key;
    std::string buffer;  // what is not in a part yet; at most kPartBytes
    std::string upload;  // id, once there is one
    std::vector<std::string> etags;
    uint64_t bytes = 0;   // written in all
    bool broken = false;  // a write failed: there is a hole
  };
  Task<Status> Flush(Operation& operation, Draft& draft);
  Task<bool> Drop(Operation& operation, std::shared_ptr<Draft> draft);
  static Error NoHandle() { return {TEAL_INVALID, "the blob's handle is not open"}; }

  S3& s3_;
  const Config& config_;
  uint64_t next_handle_ = 1;
  std::unordered_map<uint64_t, std::shared_ptr<Draft>> drafts_;  // a call that is under way keeps its own alive
};

}  // namespace teal::aws
