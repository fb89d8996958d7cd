#include "plugins/local/log.hpp"

#include <algorithm>
#include <cassert>
#include <cerrno>
#include <cstring>

#include "plugins/local/crc32c.hpp"

namespace teal::local {
namespace {

// An entry's header, little-endian as every host of the border: salt, number, size of the payload, zero, CRC-32C of
// the 24 bytes before and of the payload, zero.
struct Header {
  uint64_t salt;
  uint64_t number;
  uint64_t size;
  uint32_t crc;
  uint32_t zero;
};
static_assert(sizeof(Header) == kLogHeaderBytes);

uint64_t RoundUp(uint64_t size) {
  return (size + kLogSectorBytes - 1) / kLogSectorBytes * kLogSectorBytes;
}

uint32_t CrcOf(const Header& header, std::string_view payload) {
  return Crc32c(payload, Crc32c({reinterpret_cast<const char*>(&header), 24}));
}

plugin::Error CannotDo(const std::string& what, const std::string& path, const std::error_code& error) {
  return {TEAL_UNAVAILABLE, "cannot " + what + " " + path + ": " + error.message()};
}

}  // namespace

std::optional<plugin::Error> Log::Make() {
  const std::string zeros(1 << 20, '\0');
  for (std::size_t i = 0; i < kLogSegments; ++i) {
    File file;
    if (const auto error = files_.Create(PathOf(i), file)) return CannotDo("make", PathOf(i), error);
    for (uint64_t at = 0; at < segment_bytes_; at += zeros.size()) {
      const auto piece = std::string_view(zeros).substr(0, std::min<uint64_t>(zeros.size(), segment_bytes_ - at));
      if (const auto error = file.Write(piece, at)) return CannotDo("write", PathOf(i), error);
    }
    if (const auto error = file.Sync()) return CannotDo("sync", PathOf(i), error);
  }
  if (const auto error = files_.SyncFolder(folder_)) return CannotDo("sync", folder_, error);
  return std::nullopt;
}

bool Log::ByNumber(const Found& a, const Found& b) {
  return a.number < b.number;
}

// Entries are looked for at every sector, not only behind valid ones: one that is damaged must not hide those behind
// it.
void Log::Search(std::size_t segment, std::string_view bytes, uint64_t after, std::vector<Found>& found) const {
  uint64_t offset = 0;
  while (offset + sizeof(Header) <= bytes.size()) {
    Header header{};
    std::memcpy(&header, bytes.data() + offset, sizeof header);
    const uint64_t room = bytes.size() - offset - sizeof header;
    if (header.salt == salt_ && header.number > after && header.size <= room &&
        header.crc == CrcOf(header, bytes.substr(offset + sizeof header, header.size))) {
      const uint64_t end = offset + RoundUp(sizeof header + header.size);
      found.push_back({header.number, segment, offset, end});
      offset = end;
    } else {
      offset += kLogSectorBytes;
    }
  }
}

std::error_code Log::Wipe(std::size_t segment, uint64_t offset) {
  File& file = segments_[segment].file;
  if (const auto error = file.Write(std::string(kLogSectorBytes, '\0'), offset)) return error;
  return file.Sync();
}

std::optional<plugin::Error> Log::Open(uint64_t applied, bool may_have_gaps,
                                       const std::function<bool(uint64_t, std::string_view)>& replay) {
  assert(!broken_);
  segments_.clear();
  segments_.resize(kLogSegments);
  failed_.reset();
  std::vector<std::string> bytes(kLogSegments);
  std::vector<Found> found;
  for (std::size_t i = 0; i < kLogSegments; ++i) {
    File& file = segments_[i].file;
    if (const auto error = files_.OpenForWriting(PathOf(i), file)) {
      if (error != std::errc::no_such_file_or_directory) return CannotDo("open", PathOf(i), error);
      return plugin::Error{TEAL_CORRUPT, PathOf(i) + " is missing; put the folder back as it was, or restore a backup"};
    }
    if (const auto error = file.Read(0, segment_bytes_, bytes[i])) return CannotDo("read", PathOf(i), error);
    if (bytes[i].size() != segment_bytes_) {
      return plugin::Error{TEAL_CORRUPT, PathOf(i) + " has " + std::to_string(bytes[i].size()) + " bytes, not " +
                                             std::to_string(segment_bytes_) + "; restore a backup"};
    }
    Search(i, bytes[i], applied, found);
  }
  // An entry may be here only because the process died, not the machine: it is shown to readers once it is on the disk.
  // Of the last not even a sync says so: its own may have failed, and its pages be called clean. So it is written
  // again.
  if (const auto last = std::max_element(found.begin(), found.end(), ByNumber); last != found.end()) {
    const std::string_view entry =
        std::string_view(bytes[last->segment]).substr(last->offset, last->end - last->offset);
    if (const auto error = segments_[last->segment].file.Write(entry, last->offset)) {
      return CannotDo("write", PathOf(last->segment), error);
    }
  }
  for (std::size_t i = 0; i < kLogSegments; ++i) {
    if (std::none_of(found.begin(), found.end(), [i](const Found& entry) { return entry.segment == i; })) continue;
    if (const auto error = segments_[i].file.Sync()) return CannotDo("sync", PathOf(i), error);
  }
  std::sort(found.begin(), found.end(), ByNumber);
  next_ = applied + 1;
  Release(applied);
  for (const Found& entry : found) {
    if (entry.number != next_ && may_have_gaps) {
      if (const auto error = Wipe(entry.segment, entry.offset)) return CannotDo("write", PathOf(entry.segment), error);
      continue;
    }
    if (entry.number != next_) {
      return plugin::Error{TEAL_CORRUPT,
                           "the commit log in " + folder_ + " is damaged: entry " + std::to_string(next_) +
                               " cannot be read, though entry " + std::to_string(entry.number) + " in file " +
                               std::to_string(entry.segment) + " can; nothing was changed; restore a backup"};
    }
    const std::string_view payload(bytes[entry.segment].data() + entry.offset + sizeof(Header), [&] {
      Header header{};
      std::memcpy(&header, bytes[entry.segment].data() + entry.offset, sizeof header);
      return header.size;
    }());
    if (!replay(entry.number, payload)) return std::nullopt;
    segments_[entry.segment].last = entry.number;
    current_ = entry.segment;
    offset_ = entry.end;
    ++next_;
  }
  return std::nullopt;
}

bool Log::MakeRoom(uint64_t payload_bytes, bool& rotated) {
  const uint64_t size = RoundUp(sizeof(Header) + payload_bytes);
  assert(size <= segment_bytes_);
  rotated = false;
  if (offset_ + size <= segment_bytes_) return true;
  const std::size_t following = (current_ + 1) % kLogSegments;
  if (segments_[following].last > Released()) return false;
  current_ = following;
  offset_ = 0;
  rotated = true;
  return true;
}

std::error_code Log::Append(std::string_view payload, bool sync) {
  assert(!broken_);
  Header header{salt_, next_, payload.size(), 0, 0};
  header.crc = CrcOf(header, payload);
  const uint64_t size = RoundUp(sizeof header + payload.size());
  assert(offset_ + size <= segment_bytes_);
  buffer_.assign(size, '\0');
  std::memcpy(buffer_.data(), &header, sizeof header);
  std::memcpy(buffer_.data() + sizeof header, payload.data(), payload.size());
  // Two entries of one number must never stand side by side.
  if (failed_ && *failed_ != std::pair(current_, offset_)) {
    if (const auto error = Wipe(failed_->first, failed_->second)) return broken_ = error;
  }
  failed_ = {current_, offset_};
  Segment& segment = segments_[current_];
  if (const auto error = segment.file.Write(buffer_, offset_)) {
    const bool full = error == std::errc::no_space_on_device || error.value() == EDQUOT;
    return full ? error : broken_ = error;
  }
  if (sync) {
    if (const auto error = segment.file.Sync()) return broken_ = error;
  }
  failed_.reset();
  files_.counters().log_bytes += size;
  ++files_.counters().log_writes;
  segment.last = next_;
  offset_ += size;
  ++next_;
  return {};
}

}  // namespace teal::local
