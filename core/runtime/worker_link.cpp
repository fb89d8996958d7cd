#include "core/runtime/worker_link.h"

#include <sys/socket.h>

#include <algorithm>
#include <cassert>
#include <cerrno>
#include <cstring>

#include "core/runtime/worker_messages.h"

namespace teal::runtime {

namespace {
constexpr size_t kReadBytes = size_t{256} << 10;
constexpr size_t kKeptBytes = size_t{1} << 20;  // a buffer larger than this is given back once it is empty
}  // namespace

void FrameOutbox::Add(std::string_view message) {
  if (pending_.empty()) pending_.assign(kFrameHeadBytes, '\0');
  pending_.append(message);
  count_++;
}

FrameOutbox::Sent FrameOutbox::Flush(int fd) {
  while (true) {
    if (written_ == writing_.size()) {
      if (count_ == 0) return Sent::kAll;
      const std::string head = FrameHead(pending_.size() - kFrameHeadBytes, count_);
      std::memcpy(pending_.data(), head.data(), head.size());
      if (writing_.capacity() > kKeptBytes) writing_ = std::string();
      writing_.clear();
      writing_.swap(pending_);
      written_ = 0;
      count_ = 0;
    }
    const ssize_t n = send(fd, writing_.data() + written_, writing_.size() - written_, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return errno == EAGAIN ? Sent::kBlocked : Sent::kBroken;
    written_ += static_cast<size_t>(n);
  }
}

FrameInbox::Got FrameInbox::Read(int fd) {
  if (taken_ == filled_) {
    taken_ = filled_ = 0;
    if (buffer_.size() > kKeptBytes) buffer_ = std::string();
  } else if (taken_ > 0) {
    std::memmove(buffer_.data(), buffer_.data() + taken_, filled_ - taken_);
    filled_ -= taken_;
    taken_ = 0;
  }
  const size_t room = std::max(kReadBytes, wanted_ > filled_ ? wanted_ - filled_ : 0);
  if (buffer_.size() < filled_ + room) buffer_.resize(filled_ + room);
  ssize_t n;
  do {
    n = recv(fd, buffer_.data() + filled_, buffer_.size() - filled_, MSG_DONTWAIT);
  } while (n < 0 && errno == EINTR);
  if (n < 0) return errno == EAGAIN ? Got::kNothing : Got::kEnd;
  if (n == 0) return Got::kEnd;
  filled_ += static_cast<size_t>(n);
  return filled_ < buffer_.size() ? Got::kAll : Got::kSome;
}

bool FrameInbox::Next(std::string_view* body) {
  const size_t there = filled_ - taken_;
  if (there <= kWorkerFrameHeadBytes || wrong_) return false;
  uint32_t length;
  std::memcpy(&length, buffer_.data() + taken_, sizeof length);
  // Told by its first byte already: what only looks like a length must not be waited for.
  if (length > kWorkerFrameBytesMax || buffer_[taken_ + kWorkerFrameHeadBytes] != '[') {
    wrong_ = true;
    return false;
  }
  wanted_ = kWorkerFrameHeadBytes + length;
  if (there < wanted_) return false;
  *body = std::string_view(buffer_).substr(taken_ + kWorkerFrameHeadBytes, length);
  taken_ += wanted_;
  wanted_ = 0;
  return true;
}

}  // namespace teal::runtime
