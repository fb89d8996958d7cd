#include "core/serve/stream.h"

#include <utility>

// Boost 1.74 needs <utility> before it under C++20.
#include <boost/asio/ssl.hpp>

namespace teal::serve {
namespace {

namespace asio = boost::asio;
using Socket = asio::ip::tcp::socket;

void CloseSocket(Socket& socket) {
  ErrorCode ignored;
  socket.close(ignored);
}

class Plain : public Stream {
 public:
  explicit Plain(Socket socket) : socket_(std::move(socket)) {}
  void Handshake(std::function<void(ErrorCode)> done) override { done({}); }
  void ReadSome(asio::mutable_buffer buffer, Handler done) override {
    socket_.async_read_some(buffer, std::move(done));
  }
  void WriteSome(asio::const_buffer buffer, Handler done) override {
    socket_.async_write_some(buffer, std::move(done));
  }
  void EndWriting(std::function<void()> done) override {
    ErrorCode ignored;
    socket_.shutdown(Socket::shutdown_send, ignored);
    done();
  }
  void Close() override { CloseSocket(socket_); }

 private:
  Socket socket_;
};

class Tls : public Stream {
 public:
  Tls(Socket socket, asio::ssl::context& context) : stream_(std::move(socket), context) {}
  void Handshake(std::function<void(ErrorCode)> done) override {
    stream_.async_handshake(asio::ssl::stream_base::server, std::move(done));
  }
  void ReadSome(asio::mutable_buffer buffer, Handler done) override {
    stream_.async_read_some(buffer, std::move(done));
  }
  void WriteSome(asio::const_buffer buffer, Handler done) override {
    stream_.async_write_some(buffer, std::move(done));
  }
  void EndWriting(std::function<void()> done) override {
    stream_.async_shutdown([done = std::move(done)](ErrorCode) { done(); });
  }
  void Close() override { CloseSocket(stream_.next_layer()); }

 private:
  asio::ssl::stream<Socket> stream_;
};

}  // namespace

std::shared_ptr<Stream> PlainStream(Socket socket) {
  return std::make_shared<Plain>(std::move(socket));
}

std::shared_ptr<Stream> TlsStream(Socket socket, asio::ssl::context& context) {
  return std::make_shared<Tls>(std::move(socket), context);
}

}  // namespace teal::serve
