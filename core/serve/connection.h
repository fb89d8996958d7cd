// One connection: reads requests one after the other, has each carried out, writes its answer, in order.
//
// A request is with the service at a time; what comes meanwhile is read ahead up to a limit, then not read, so that the
// sender is held back. An event stream asks its source for more when the reader has taken what there was.
#pragma once

#include <boost/asio/steady_timer.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "core/host/http_server.h"
#include "core/serve/api.h"
#include "core/serve/framing.h"
#include "core/serve/gate.h"
#include "core/serve/loop.h"
#include "core/serve/message.h"
#include "core/serve/stream.h"

namespace teal::serve {

// What all connections of a server share.
struct Shared {
  ServeLimits limits;
  std::shared_ptr<Loops> loops;
  std::shared_ptr<ServeCounters> counters;
  std::shared_ptr<Api> api;
  std::unique_ptr<Gate> gate;
  std::shared_ptr<host::HttpServer> requests;  // where what is not under /teal/ goes; null: nowhere
};

// Both ends of a connection.
struct Ends {
  std::string local_address;  // without a port
  std::string peer_address;
  bool peer_is_loopback = false;
  bool tls = false;
};

// Belongs to the thread of its loop, every function of it.
class Connection : public std::enable_shared_from_this<Connection> {
 public:
  Connection(std::shared_ptr<Shared> shared, Loop* loop, std::shared_ptr<Stream> stream, Ends ends);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  void Start();
  // The server stops: ends when the request under way has its answer, at once without one.
  void Drain();
  void Close();

 private:
  friend class ConnectionResponder;
  using Clock = std::chrono::steady_clock;
  using Parser = boost::beast::http::request_parser<boost::beast::http::string_body>;
  // The only way is downwards, and from the end of an answer back to kHead.
  enum class State : uint8_t {
    kHandshake,
    kHead,       // reads the first line and the headers
    kBody,       // its headers have passed the gate
    kCarried,    // is with the service
    kAnswering,  // its answer is being written
    kFeeding,    // its event stream is
    kLingering,  // nothing more is sent; waits for the other side to close
    kClosed,
  };

  void Read();
  void OnRead(ErrorCode error, size_t bytes);
  void Parse();
  // False: no more of what was read can be parsed now.
  bool ParseSome();
  void OnHead();
  void OnPluginsHead();
  void ReadBody();
  void Refuse(Answer answer);
  void RefuseForGood(Answer answer);
  bool CountBody();
  void TooLarge();
  void Carry();
  void LeavePlugin();
  void OnAnswer(uint64_t number, Answer answer);
  void OnFollow(uint64_t number, std::shared_ptr<Feed> feed);
  void OnStop(uint64_t number, std::function<void()> stop);
  void AskFeed();
  void OnPart(uint64_t number, FeedPart part);
  void EndFeed();
  void WriteAnswer(const Answer& answer);
  void Write(std::string text);
  void WriteMore();
  void OnWritten();
  void NextRequest();
  void Linger();
  // The state's time begins now; kNever: it has none.
  void Deadline(uint64_t ns);
  void Watch();
  void OnLate();

  // Constant after construction.
  const std::shared_ptr<Shared> shared_;
  Loop& loop_;
  const std::shared_ptr<Stream> stream_;
  const Ends ends_;

  std::shared_ptr<Connection> self_;  // until it is closed: at times nothing is under way that would hold it
  State state_ = State::kHandshake;
  bool reading_ = false;
  bool ended_ = false;  // the other side sends no more
  bool draining_ = false;
  char chunk_[8192];
  std::string in_;  // read and not parsed

  // Of the request under way.
  uint64_t number_ = 0;  // what comes for an earlier one is dropped
  std::optional<Parser> parser_;
  Passed passed_;
  RequestHead head_;
  FoldWatch folds_;
  uint64_t body_bytes_ = 0;      // counted in ServeCounters::bodies_bytes
  uint64_t body_bytes_max_ = 0;  // of this request
  // Of one that a plugin answers.
  std::optional<host::ArrivedRequest> arrived_;
  uint64_t token_ = 0;          // 0: no plugin has it
  std::shared_ptr<void> slot_;  // in ServeCounters::waits
  bool begun_ = false;          // a byte of it has come
  bool close_after_ = false;
  bool no_body_ = false;  // HEAD
  bool http_1_0_ = false;
  bool waits_ = false;  // how long it takes says nothing of the service
  Clock::time_point begun_at_, whole_at_, answer_at_;
  std::function<void()> stop_;
  std::shared_ptr<Feed> feed_;
  bool asked_ = false;  // the feed, for its next part
  bool feed_ends_ = false;

  bool writing_ = false;
  std::string out_;
  size_t written_ = 0;
  std::string next_;  // to be written after out_
  uint64_t lingered_bytes_ = 0;

  boost::asio::steady_timer timer_;
  bool watching_ = false;
  Clock::time_point deadline_ = Clock::time_point::max();
};

}  // namespace teal::serve
