#include "plugins/aws/blobs.hpp"

#include <algorithm>
#include <utility>

#include "plugins/aws/encoding.hpp"

namespace teal::aws {
namespace {

constexpr std::size_t kReadableMax = 200;  // S3 allows keys of 1,024 bytes; file systems behind it, names of 255

std::string Escaped(std::string_view name) {
  std::string out;
  for (const char c : name) {
    const bool plain =
        (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
    if (plain) {
      out += c;
    } else {
      out += '=' + Hex({&c, 1});
    }
  }
  return out;
}

}  // namespace

std::string Blobs::ObjectKey(std::string_view name) const {
  const std::string readable = Escaped(name);
  if (readable.size() <= kReadableMax) return config_.bucket_prefix + "blobs/n/" + readable;
  return config_.bucket_prefix + "blobs/h/" + Hex(AsText(Sha256(name)));
}

uint64_t Blobs::Open(std::string_view name) {
  const auto draft = std::make_shared<Draft>();
  draft->key = ObjectKey(name);
  drafts_.emplace(next_handle_, draft);
  return next_handle_++;
}

Task<Status> Blobs::Write(Operation& operation, uint64_t handle, std::string_view data) {
  const auto at = drafts_.find(handle);
  if (at == drafts_.end()) co_return NoHandle();
  const std::shared_ptr<Draft> owner = at->second;
  Draft& draft = *owner;
  if (draft.broken) co_return Error{TEAL_UNAVAILABLE, "an earlier write of this blob failed; open it again"};
  if (data.size() > kBlobBytesMax - draft.bytes) {
    co_return Error{TEAL_TOO_LARGE,
                    "the blob would have over blob_bytes_max of " + std::to_string(kBlobBytesMax) + " bytes"};
  }
  draft.bytes += data.size();
  while (!data.empty()) {
    // A part leaves only when more follows, so that what fits into one is put whole.
    if (draft.buffer.size() == kPartBytes) {
      Status flushed = co_await Flush(operation, draft);
      if (!flushed) {
        draft.broken = true;
        co_return flushed;
      }
    }
    const std::size_t take = std::min<std::size_t>(data.size(), kPartBytes - draft.buffer.size());
    draft.buffer.append(data.substr(0, take));
    data.remove_prefix(take);
  }
  co_return Nothing{};
}

Task<Status> Blobs::Flush(Operation& operation, Draft& draft) {
  if (draft.upload.empty()) {
    auto upload = co_await s3_.CreateUpload(operation, draft.key);
    if (!upload) co_return std::move(upload.error());
    draft.upload = std::move(*upload);
  }
  const auto number = static_cast<uint32_t>(draft.etags.size() + 1);
  auto etag = co_await s3_.UploadPart(operation, draft.key, draft.upload, number, draft.buffer);
  if (!etag) co_return std::move(etag.error());
  draft.etags.push_back(std::move(*etag));
  draft.buffer.clear();
  co_return Nothing{};
}

Task<Status> Blobs::Commit(Operation& operation, uint64_t handle) {
  auto node = drafts_.extract(handle);
  if (node.empty()) co_return NoHandle();
  const std::shared_ptr<Draft> owner = std::move(node.mapped());
  Draft& draft = *owner;
  Status status = Nothing{};
  if (draft.broken) {
    status = Error{TEAL_UNAVAILABLE, "a write of this blob failed; write it again"};
  } else if (draft.upload.empty()) {
    co_return co_await s3_.Put(operation, draft.key, draft.buffer, true);
  } else {
    if (!draft.buffer.empty()) status = co_await Flush(operation, draft);
    if (status) status = co_await s3_.CompleteUpload(operation, draft.key, draft.upload, draft.etags);
  }
  if (!status && status.error().outcome == TEAL_NOT_APPLIED) (void)co_await Drop(operation, owner);
  co_return status;
}

Task<bool> Blobs::Abort(Operation& operation, uint64_t handle) {
  auto node = drafts_.extract(handle);
  if (node.empty()) co_return false;
  co_return co_await Drop(operation, std::move(node.mapped()));
}

Task<bool> Blobs::AbortAll(Operation& operation) {
  const auto drafts = std::exchange(drafts_, {});
  for (const auto& [handle, draft] : drafts) (void)co_await Drop(operation, draft);
  co_return true;
}

Task<bool> Blobs::Drop(Operation& operation, std::shared_ptr<Draft> draft) {
  if (draft->upload.empty()) co_return true;
  Status aborted = co_await s3_.AbortUpload(operation, draft->key, draft->upload);
  if (aborted) co_return true;
  operation.context().Log(TEAL_LOG_WARNING, "an upload of " + draft->key + " is left over: " + aborted.error().message);
  co_return false;
}

Task<Result<std::string>> Blobs::Get(Operation& operation, std::string_view name, uint64_t offset, uint64_t size) {
  co_return co_await s3_.Get(operation, ObjectKey(name), offset, size);
}

Task<Status> Blobs::Delete(Operation& operation, std::string_view name) {
  co_return co_await s3_.Delete(operation, ObjectKey(name));
}

}  // namespace teal::aws
