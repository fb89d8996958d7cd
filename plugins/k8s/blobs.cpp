#include "plugins/k8s/blobs.hpp"

#include <algorithm>
#include <limits>

#include "plugins/k8s/limits.hpp"
#include "plugins/k8s/migrations.hpp"

namespace teal::k8s {
namespace {

constexpr uint64_t kChunk = kChunkBytes;

int64_t Clamped(uint64_t value) {
  return static_cast<int64_t>(std::min(value, static_cast<uint64_t>(std::numeric_limits<int64_t>::max())));
}

plugin::Error UploadGone() {
  return {TEAL_NOT_FOUND,
          "what was written of the blob was dropped: nobody went on writing it for a day; write it anew",
          TEAL_NOT_APPLIED, 0, 0};
}

}  // namespace

uint64_t Uploads::Add(UploadPtr upload) {
  const std::lock_guard lock(mutex_);
  open_.emplace(++last_, std::move(upload));
  return last_;
}

UploadPtr Uploads::Find(uint64_t handle) const {
  const std::lock_guard lock(mutex_);
  const auto found = open_.find(handle);
  return found == open_.end() ? nullptr : found->second;
}

UploadPtr Uploads::Take(uint64_t handle) {
  const std::lock_guard lock(mutex_);
  const auto found = open_.find(handle);
  if (found == open_.end()) return nullptr;
  UploadPtr upload = std::move(found->second);
  open_.erase(found);
  return upload;
}

std::vector<UploadPtr> Uploads::TakeAll() {
  const std::lock_guard lock(mutex_);
  std::vector<UploadPtr> all;
  for (auto& [handle, upload] : open_) all.push_back(std::move(upload));
  open_.clear();
  return all;
}

bool BlobOpen::Answer(const PGresult* result) {
  auto upload = std::make_shared<Upload>();
  upload->name = std::string(name_);
  upload->id = LongAt(result, 0, 0);
  const uint64_t handle = uploads_->Add(std::move(upload));
  Succeed(&handle);
  return false;
}

BlobWrite::BlobWrite(plugin::Done done, const teal_call& call, uint64_t now, UploadPtr upload, std::string_view data)
    : Query(std::move(done), call, now),
      now_(now),
      upload_(std::move(upload)),
      data_(data),
      full_((upload_->rest.size() + data.size()) / kChunk) {
  if (full_ > 0 && !upload_->rest.empty()) {
    joined_ = upload_->rest;
    joined_.append(data.substr(0, kChunk - joined_.size()));
  }
}

bool BlobWrite::KeepOnly() {
  if (full_ > 0) return false;
  Finish();
  return true;
}

void BlobWrite::Bind(Params& params) {
  std::vector<std::string_view> chunks;
  for (uint64_t k = sent_; k < full_ && chunks.size() < kChunksAStatement; ++k) {
    chunks.push_back(k == 0 && !joined_.empty() ? std::string_view(joined_)
                                                : data_.substr(k * kChunk - upload_->rest.size(), kChunk));
  }
  sending_ = chunks.size();
  params.Long(upload_->id);
  params.Int(upload_->next + static_cast<int32_t>(sent_));
  params.Datas(chunks);
  params.Long(Flipped(now_));
}

bool BlobWrite::Answer(const PGresult* result) {
  if (DataAt(result, 0, 0) != std::string_view("\1", 1)) {
    Fail(UploadGone());
    return false;
  }
  sent_ += sending_;
  if (sent_ < full_) return true;
  Finish();
  return false;
}

void BlobWrite::Finish() {
  if (full_ == 0) {
    upload_->rest.append(data_);
  } else {
    upload_->rest = std::string(data_.substr(full_ * kChunk - upload_->rest.size()));
  }
  upload_->next += static_cast<int32_t>(full_);
  upload_->size += data_.size();
  upload_->busy.store(false);
  Succeed();
}

void BlobWrite::Failed(const plugin::Error&) {
  upload_->broken.store(true);
  upload_->busy.store(false);
}

void BlobCommit::Bind(Params& params) {
  params.Long(upload_->id);
  params.Data(upload_->name);
  params.Int(upload_->next);
  params.Data(upload_->rest);
  params.Long(static_cast<int64_t>(upload_->size));
  params.Int(kChunkBytes);
}

bool BlobCommit::Answer(const PGresult* result) {
  if (IntAt(result, 0, 0) == kBlobUploadGone) {
    // After a lost answer: committed, and deleted by somebody since; or dropped before. Which cannot be told.
    Fail(UploadGone());
  } else {
    Succeed();
  }
  return false;
}

BlobGet::BlobGet(plugin::Done done, const teal_call& call, uint64_t now, std::string_view name, uint64_t offset,
                 uint64_t size)
    : Query(std::move(done), call, now), name_(name), offset_(Clamped(offset)), size_(Clamped(size)) {}

void BlobGet::Bind(Params& params) {
  params.Data(name_);
  params.Long(offset_);
  params.Long(size_);
}

bool BlobGet::Answer(const PGresult* result) {
  const int rows = PQntuples(result);
  if (rows == 0) {
    Fail({TEAL_NOT_FOUND, "there is no blob of this name", TEAL_NOT_APPLIED, 0, 0});
    return false;
  }
  std::string joined;
  std::string_view data = rows > 1 ? DataAt(result, 1, 0) : std::string_view();
  if (rows > 2) {
    std::size_t size = 0;
    for (int row = 1; row < rows; ++row) size += DataAt(result, row, 0).size();
    joined.reserve(size);
    for (int row = 1; row < rows; ++row) joined.append(DataAt(result, row, 0));
    data = joined;
  }
  const teal_bytes out = Bytes(data);
  Succeed(&out);
  return false;
}

}  // namespace teal::k8s
