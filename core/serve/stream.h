// A connection's bytes, with TLS or without, so that what is above compiles once.
//
// Belongs to the one thread of its io_context. One read and one write may be under way at a time; their buffers and the
// stream itself must live until the handler was called. Close ends both with an error.
#pragma once

#include <boost/asio/buffer.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/system/error_code.hpp>
#include <functional>
#include <memory>

namespace boost::asio::ssl {
class context;
}

namespace teal::serve {

using ErrorCode = boost::system::error_code;

class Stream {
 public:
  using Handler = std::function<void(ErrorCode, size_t)>;
  virtual ~Stream() = default;
  virtual void Handshake(std::function<void(ErrorCode)> done) = 0;
  virtual void ReadSome(boost::asio::mutable_buffer buffer, Handler done) = 0;
  virtual void WriteSome(boost::asio::const_buffer buffer, Handler done) = 0;
  // Says that nothing more will be sent; the other side can still be read.
  virtual void EndWriting(std::function<void()> done) = 0;
  virtual void Close() = 0;
};

std::shared_ptr<Stream> PlainStream(boost::asio::ip::tcp::socket socket);
// context: outlives the stream.
std::shared_ptr<Stream> TlsStream(boost::asio::ip::tcp::socket socket, boost::asio::ssl::context& context);

}  // namespace teal::serve
