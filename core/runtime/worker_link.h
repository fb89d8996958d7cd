// The two directions of a worker's socket: messages gathered into frames on the way out, frames found in what arrives
// on the way in. Not synchronised.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace teal::runtime {

// Gathers messages and sends all that have come together as one frame.
class FrameOutbox {
 public:
  enum class Sent { kAll, kBlocked, kBroken };

  void Add(std::string_view message);
  bool empty() const { return count_ == 0 && written_ == writing_.size(); }
  uint32_t count() const { return count_; }  // messages of which nothing has been sent
  // Sends what the non-blocking socket takes. kBroken: nobody reads there any more.
  Sent Flush(int fd);

 private:
  std::string pending_;  // room for the head, then messages
  uint32_t count_ = 0;   // messages in pending_
  std::string writing_;  // a whole frame, sent up to written_
  size_t written_ = 0;
};

// Cuts what arrives into frames.
class FrameInbox {
 public:
  enum class Got { kSome, kAll, kNothing, kEnd };  // kAll: some, and there is no more just now

  // Reads once from the non-blocking socket.
  Got Read(int fd);
  // The next whole frame's body, valid until the next Read. False: none is whole yet, or Wrong().
  bool Next(std::string_view* body);
  // Whether what begins cannot be a frame: it is not a list, or larger than any that a worker sends.
  bool Wrong() const { return wrong_; }
  // The first bytes of what has not been taken, for an error message.
  std::string_view Rest() const { return std::string_view(buffer_).substr(taken_, filled_ - taken_); }

 private:
  std::string buffer_;  // bytes [taken_, filled_) are there and not yet given out
  size_t taken_ = 0;
  size_t filled_ = 0;
  size_t wanted_ = 0;  // size of the frame at taken_, 0: unknown
  bool wrong_ = false;
};

}  // namespace teal::runtime
