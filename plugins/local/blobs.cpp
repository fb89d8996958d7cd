#include "plugins/local/blobs.hpp"

#include <dirent.h>

#include <algorithm>
#include <cerrno>

#include "plugins/local/codec.hpp"
#include "plugins/local/crc32c.hpp"
#include "plugins/local/folder.hpp"
#include "plugins/local/sha256.hpp"

namespace teal::local {
namespace {

using plugin::Error;

constexpr std::string_view kMagic = "TEALBLB1";
constexpr uint64_t kTrailerBytes = 12;

std::string BlockCrc(uint64_t block, std::string_view data) {
  std::string number;
  AppendBigEndian(number, block, 8);
  std::string crc;
  AppendBigEndian(crc, Crc32c(data, Crc32c(number)), 4);
  return crc;
}

std::string Head(std::string_view name) {
  std::string head(kMagic);
  AppendBigEndian(head, name.size(), 4);
  head.append(name);
  AppendBigEndian(head, Crc32c(head), 4);
  return head;
}

std::string Trailer(uint64_t size) {
  std::string trailer;
  AppendBigEndian(trailer, size, 8);
  AppendBigEndian(trailer, Crc32c(trailer), 4);
  return trailer;
}

uint64_t FileSize(uint64_t head, uint64_t size) {
  return head + size + (size + kBlobBlockBytes - 1) / kBlobBlockBytes * 4 + kTrailerBytes;
}

Error Damaged(const std::string& path) {
  return {TEAL_CORRUPT, "the blob in " + path + " is damaged; restore it from a backup"};
}

}  // namespace

Error Blobs::Failed(const std::string& doing, const std::string& path, const std::error_code& error) const {
  if (error == std::errc::no_space_on_device) {
    Error full{TEAL_UNAVAILABLE,
               "cannot " + doing + " a blob: the disk that holds " + folder_ + " is full; free some room"};
    full.retry_after_ns = 200'000'000;
    return full;
  }
  return {TEAL_UNAVAILABLE, "cannot " + doing + " " + path + ": " + error.message()};
}

std::string Blobs::PathOf(std::string_view name) const {
  const std::string hash = Sha256Hex(name);
  return folder_ + "/" + hash.substr(0, 2) + "/" + hash;
}

std::optional<Error> Blobs::Open(const std::string& store_id) {
  if (auto error = MakeFolderIfMissing(files_, folder_)) return error;
  const std::string owner = folder_ + "/STORE";
  std::string text;
  const std::error_code unread = files_.ReadWhole(owner, text);
  if (unread == std::errc::no_such_file_or_directory) {
    if (auto error = SyncName(files_, folder_)) return error;
    if (const auto error = files_.Replace(owner, store_id + "\n")) return Failed("write", owner, error);
  } else if (unread) {
    return Failed("read", owner, unread);
  } else if (text != store_id + "\n") {
    return Error{TEAL_INVALID,
                 "the folder of blobs " + folder_ + " belongs to another store; give this one its own in \"blobs\""};
  }
  const std::string beside = folder_ + "/new";
  if (auto error = MakeFolderIfMissing(files_, beside)) return error;
  DIR* const listing = ::opendir(beside.c_str());
  if (listing == nullptr) return Failed("list", beside, {errno, std::generic_category()});
  while (const dirent* const entry = ::readdir(listing)) {
    if (entry->d_name[0] != '.') static_cast<void>(files_.Remove(beside + "/" + entry->d_name));
  }
  ::closedir(listing);
  return std::nullopt;
}

std::optional<Error> Blobs::Begin(std::string_view name, uint64_t& handle) {
  auto upload = std::make_shared<Upload>();
  upload->name = std::string(name);
  {
    const std::lock_guard lock(mutex_);
    handle = ++last_handle_;
  }
  const std::string path = folder_ + "/new/" + std::to_string(handle);
  if (const auto error = files_.Create(path, upload->file)) return Failed("make", path, error);
  const std::string head = Head(name);
  if (const auto error = upload->file.Write(head, 0)) {
    Drop(*upload);
    return Failed("write", path, error);
  }
  upload->file_offset = head.size();
  const std::lock_guard lock(mutex_);
  uploads_.emplace(handle, std::move(upload));
  return std::nullopt;
}

std::shared_ptr<Blobs::Upload> Blobs::Take(uint64_t handle, bool end) {
  const std::lock_guard lock(mutex_);
  const auto at = uploads_.find(handle);
  if (at == uploads_.end()) return nullptr;
  std::shared_ptr<Upload> upload = at->second;
  if (end) uploads_.erase(at);
  return upload;
}

std::error_code Blobs::WriteBlock(Upload& upload) {
  upload.block += BlockCrc(upload.blocks, upload.block);
  if (const auto error = upload.file.Write(upload.block, upload.file_offset)) return error;
  upload.file_offset += upload.block.size();
  ++upload.blocks;
  upload.block.clear();
  return {};
}

std::optional<Error> Blobs::Append(uint64_t handle, std::string_view data) {
  const std::shared_ptr<Upload> upload = Take(handle, false);
  if (upload == nullptr) return Error{TEAL_INVALID, "no blob is open under this handle"};
  if (upload->failed) return Error{TEAL_UNAVAILABLE, "a piece of this blob could not be written before; begin anew"};
  if (data.size() > blob_bytes_max_ - upload->size) {
    return Error{TEAL_TOO_LARGE, "the blob passes blob_bytes_max of " + std::to_string(blob_bytes_max_)};
  }
  upload->size += data.size();
  while (!data.empty()) {
    const std::size_t piece = std::min<std::size_t>(data.size(), kBlobBlockBytes - upload->block.size());
    upload->block.append(data.substr(0, piece));
    data.remove_prefix(piece);
    if (upload->block.size() < kBlobBlockBytes) break;
    if (const auto error = WriteBlock(*upload)) {
      upload->failed = true;
      return Failed("write", upload->file.path(), error);
    }
  }
  return std::nullopt;
}

std::optional<Error> Blobs::Commit(uint64_t handle) {
  const std::shared_ptr<Upload> upload = Take(handle, true);
  if (upload == nullptr) return Error{TEAL_INVALID, "no blob is open under this handle"};
  if (upload->failed) {
    Drop(*upload);
    return Error{TEAL_UNAVAILABLE, "a piece of this blob could not be written before; begin anew"};
  }
  auto error = Finish(*upload);
  if (error) Drop(*upload);
  return error;
}

std::optional<Error> Blobs::Place(const std::string& folder) {
  if (placed_.contains(folder)) return std::nullopt;
  if (auto error = MakeFolderIfMissing(files_, folder)) return error;
  if (sync_) {
    if (auto error = SyncName(files_, folder)) return error;
  }
  placed_.insert(folder);
  return std::nullopt;
}

std::optional<Error> Blobs::Finish(Upload& upload) {
  const std::string& path = upload.file.path();
  if (!upload.block.empty()) {
    if (const auto error = WriteBlock(upload)) return Failed("write", path, error);
  }
  if (const auto error = upload.file.Write(Trailer(upload.size), upload.file_offset))
    return Failed("write", path, error);
  if (sync_) {
    if (const auto error = upload.file.Sync()) return Failed("sync", path, error);
  }
  const std::string name = PathOf(upload.name);
  const std::string folder = name.substr(0, name.rfind('/'));
  const std::lock_guard lock(naming_);
  if (auto error = Place(folder)) return error;
  File there;
  if (!files_.OpenForReading(name, there)) {
    // The name keeps what it has. (BLOB-3) It may be there without its folder having been synced: by a Commit that
    // failed.
    Drop(upload);
  } else if (const auto error = files_.Rename(path, name)) {
    return Failed("name", name, error);
  }
  if (!sync_) return std::nullopt;
  if (const auto error = files_.SyncFolder(folder)) {
    Error unknown = Failed("sync", folder, error);
    unknown.outcome = TEAL_OUTCOME_UNKNOWN;
    return unknown;
  }
  return std::nullopt;
}

void Blobs::Drop(Upload& upload) {
  static_cast<void>(files_.Remove(upload.file.path()));  // what is left is removed by the next Open
}

void Blobs::Abort(uint64_t handle) {
  if (const std::shared_ptr<Upload> upload = Take(handle, true)) Drop(*upload);
}

void Blobs::AbortAll() {
  const std::lock_guard lock(mutex_);
  for (const auto& [handle, upload] : uploads_) Drop(*upload);
  uploads_.clear();
}

std::optional<Error> Blobs::Get(std::string_view name, uint64_t offset, uint64_t size, std::string& out) {
  out.clear();
  const std::string path = PathOf(name);
  File file;
  if (const auto error = files_.OpenForReading(path, file)) {
    if (error != std::errc::no_such_file_or_directory) return Failed("read", path, error);
    return Error{TEAL_NOT_FOUND, "there is no blob of this name"};
  }
  const std::string head = Head(name);
  std::string bytes;
  uint64_t file_size = 0;
  if (const auto error = file.Size(file_size)) return Failed("read", path, error);
  if (file_size < head.size() + kTrailerBytes) return Damaged(path);
  if (const auto error = file.Read(0, head.size(), bytes)) return Failed("read", path, error);
  if (bytes != head) return Damaged(path);
  if (const auto error = file.Read(file_size - kTrailerBytes, kTrailerBytes, bytes)) return Failed("read", path, error);
  const uint64_t content = bytes.size() == kTrailerBytes ? BigEndian(bytes.substr(0, 8)) : 0;
  if (bytes != Trailer(content) || FileSize(head.size(), content) != file_size) return Damaged(path);
  if (offset >= content || size == 0) return std::nullopt;
  const uint64_t end = size < content - offset ? offset + size : content;
  for (uint64_t block = offset / kBlobBlockBytes; block * kBlobBlockBytes < end; ++block) {
    const uint64_t begin = block * kBlobBlockBytes;
    const uint64_t length = std::min(kBlobBlockBytes, content - begin);
    if (const auto error = file.Read(head.size() + block * (kBlobBlockBytes + 4), length + 4, bytes)) {
      return Failed("read", path, error);
    }
    if (bytes.size() != length + 4) return Damaged(path);
    const std::string_view data = std::string_view(bytes).substr(0, length);
    if (BlockCrc(block, data) != std::string_view(bytes).substr(length)) return Damaged(path);
    const uint64_t from = std::max(begin, offset) - begin;
    out.append(data.substr(from, std::min(begin + length, end) - begin - from));
  }
  return std::nullopt;
}

std::optional<Error> Blobs::Delete(std::string_view name) {
  const std::string path = PathOf(name);
  const std::unique_lock keep(removing_);
  const std::lock_guard lock(naming_);
  if (const auto error = files_.Remove(path)) {
    if (error != std::errc::no_such_file_or_directory) return Failed("remove", path, error);
    return std::nullopt;
  }
  if (!sync_) return std::nullopt;
  const std::string folder = path.substr(0, path.rfind('/'));
  if (const auto error = files_.SyncFolder(folder)) {
    Error unknown = Failed("sync", folder, error);
    unknown.outcome = TEAL_OUTCOME_UNKNOWN;
    return unknown;
  }
  return std::nullopt;
}

}  // namespace teal::local
