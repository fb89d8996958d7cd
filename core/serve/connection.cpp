#include "core/serve/connection.h"

#include <algorithm>
#include <boost/asio/post.hpp>
#include <ctime>
#include <utility>

#include "core/serve/answer.h"
#include "core/serve/api_follow.h"

namespace teal::serve {

namespace asio = boost::asio;
namespace http = boost::beast::http;

namespace {

constexpr uint64_t kNever = UINT64_MAX;
constexpr uint64_t kLingerBytesMax = 16u << 20;
constexpr char kContinue[] = "HTTP/1.1 100 Continue\r\n\r\n";
constexpr char kLastChunk[] = "0\r\n\r\n";

std::string_view ReasonOf(int status) {
  const boost::beast::string_view reason = http::obsolete_reason(http::int_to_status(static_cast<unsigned>(status)));
  return {reason.data(), reason.size()};
}

// Of this second (RFC 9110, section 5.6.7).
std::string_view DateText() {
  thread_local std::time_t second = 0;
  thread_local char text[40];
  const std::time_t now = std::time(nullptr);
  if (now != second) {
    std::tm parts{};
    gmtime_r(&now, &parts);
    std::strftime(text, sizeof text, "%a, %d %b %Y %H:%M:%S GMT", &parts);
    second = now;
  }
  return text;
}

std::string ChunkOf(std::string_view text) {
  char size[24];
  std::snprintf(size, sizeof size, "%zx\r\n", text.size());
  return size + std::string(text) + "\r\n";
}

Method MethodOf(http::verb verb) {
  switch (verb) {
    case http::verb::get:
    case http::verb::head:
      return Method::kGet;
    case http::verb::post:
      return Method::kPost;
    case http::verb::delete_:
      return Method::kDelete;
    default:
      return Method::kOther;
  }
}

Answer OfPlugin(host::ServerAnswer given) {
  Answer answer;
  answer.status = given.status;
  answer.body = std::move(given.body);
  answer.headers = std::move(given.headers);
  answer.is_plugins = true;
  return answer;
}

std::string_view View(boost::beast::string_view text) {
  return {text.data(), text.size()};
}

template <typename Message>
std::string Header(const Message& message, const char* name) {
  const auto found = message.find(name);
  return found == message.end() ? "" : std::string(View(found->value()));
}

template <typename Message>
std::vector<std::string> Headers(const Message& message, http::field name) {
  std::vector<std::string> values;
  const auto [first, last] = message.equal_range(name);
  for (auto it = first; it != last; ++it) values.emplace_back(View(it->value()));
  return values;
}

template <typename Message>
std::string KeyOf(const Message& message) {
  const std::string own = Header(message, "x-teal-key");
  if (!own.empty()) return own;
  const std::string authorization = Header(message, "authorization");
  constexpr std::string_view kBearer = "bearer ";
  if (authorization.size() <= kBearer.size()) return "";
  for (size_t i = 0; i < kBearer.size(); ++i) {
    const char c = authorization[i];
    if ((c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c) != kBearer[i]) return "";
  }
  return authorization.substr(kBearer.size());
}

}  // namespace

// What the service holds of a request: nothing that keeps the connection open.
class ConnectionResponder : public Responder {
 public:
  ConnectionResponder(const std::shared_ptr<Connection>& connection, uint64_t number)
      : connection_(connection), loops_(connection->shared_->loops), io_(connection->loop_.io), number_(number) {}
  void Give(Answer answer) override {
    Post([answer = std::move(answer)](Connection& c, uint64_t number) mutable {
      c.OnAnswer(number, std::move(answer));
    });
  }
  void Follow(std::shared_ptr<Feed> feed) override {
    Post([feed = std::move(feed)](Connection& c, uint64_t number) mutable { c.OnFollow(number, std::move(feed)); });
  }
  void OnStop(std::function<void()> stop) override {
    Post([stop = std::move(stop)](Connection& c, uint64_t number) mutable { c.OnStop(number, std::move(stop)); });
  }

 private:
  template <typename Function>
  void Post(Function function) {
    asio::post(io_, [connection = connection_, number = number_, function = std::move(function)]() mutable {
      if (const std::shared_ptr<Connection> alive = connection.lock()) function(*alive, number);
    });
  }

  const std::weak_ptr<Connection> connection_;
  const std::shared_ptr<Loops> loops_;  // keeps io_ alive
  asio::io_context& io_;
  const uint64_t number_;
};

Connection::Connection(std::shared_ptr<Shared> shared, Loop* loop, std::shared_ptr<Stream> stream, Ends ends)
    : shared_(std::move(shared)), loop_(*loop), stream_(std::move(stream)), ends_(std::move(ends)), timer_(loop->io) {
  loop_.connections.insert(this);
}

Connection::~Connection() {
  loop_.connections.erase(this);
  shared_->counters->bodies_bytes.fetch_sub(body_bytes_, std::memory_order_relaxed);
  shared_->counters->connections.fetch_sub(1, std::memory_order_relaxed);
}

void Connection::Start() {
  self_ = shared_from_this();
  Deadline(shared_->limits.header_ns_max);
  stream_->Handshake([self = shared_from_this()](ErrorCode error) {
    if (error || self->state_ != State::kHandshake) return self->Close();
    self->NextRequest();
  });
}

void Connection::Close() {
  if (state_ == State::kClosed) return;
  const std::shared_ptr<Connection> self = std::move(self_);
  state_ = State::kClosed;
  feed_.reset();
  stop_ = nullptr;
  LeavePlugin();
  timer_.cancel();
  stream_->Close();
}

void Connection::Drain() {
  if (draining_) return;
  draining_ = true;
  close_after_ = true;
  if (state_ == State::kHandshake || (state_ == State::kHead && !begun_)) return Close();
  if (state_ == State::kFeeding && asked_) EndFeed();
  if (state_ == State::kCarried && stop_) std::exchange(stop_, nullptr)();
}

void Connection::NextRequest() {
  state_ = State::kHead;
  ++number_;
  parser_.emplace();
  parser_->eager(false);
  parser_->header_limit(shared_->limits.header_bytes_max);
  parser_->body_limit(UINT64_MAX);  // CountBody does it: what the limit is, the head decides
  body_bytes_max_ = shared_->limits.body_bytes_max;
  folds_ = {};
  shared_->counters->bodies_bytes.fetch_sub(std::exchange(body_bytes_, 0), std::memory_order_relaxed);
  begun_ = waits_ = no_body_ = http_1_0_ = false;
  close_after_ = draining_;
  stop_ = nullptr;
  LeavePlugin();
  Deadline(shared_->limits.idle_ns_max);
  Parse();
  const bool idle = state_ == State::kHead && !begun_;
  const bool cut_off = ended_ && (state_ == State::kHead || state_ == State::kBody);
  if (cut_off || (idle && draining_)) return Close();
  Read();
}

void Connection::Read() {
  if (reading_ || ended_ || state_ == State::kClosed) return;
  const bool parses = state_ == State::kHead || state_ == State::kBody || state_ == State::kLingering;
  if (!parses && in_.size() >= shared_->limits.pipelined_bytes_max) return;
  reading_ = true;
  stream_->ReadSome(asio::buffer(chunk_), [self = shared_from_this()](ErrorCode error, size_t bytes) {
    self->reading_ = false;
    self->OnRead(error, bytes);
  });
}

void Connection::OnRead(ErrorCode error, size_t bytes) {
  if (state_ == State::kClosed) return;
  if (error) {
    // Who has sent a whole request and then ends its sending still gets the answer, but no stream without an end.
    ended_ = true;
    const bool owed = state_ == State::kCarried || state_ == State::kAnswering;
    if (!owed || error != asio::error::eof) return Close();
    close_after_ = true;
    return;
  }
  shared_->counters->bytes_in.fetch_add(bytes, std::memory_order_relaxed);
  if (state_ == State::kLingering) {
    lingered_bytes_ += bytes;
    if (lingered_bytes_ > kLingerBytesMax) return Close();
    return Read();
  }
  in_.append(chunk_, bytes);
  Parse();
  Read();
}

void Connection::Parse() {
  while ((state_ == State::kHead || state_ == State::kBody) && !in_.empty() && ParseSome()) {
  }
}

bool Connection::ParseSome() {
  if (!begun_) {
    // Empty lines before a request are allowed (RFC 9112, section 2.2).
    const size_t start = in_.find_first_not_of("\r\n");
    in_.erase(0, std::min(start, in_.size()));
    if (in_.empty()) return false;
    begun_ = true;
    begun_at_ = Clock::now();
    Deadline(shared_->limits.header_ns_max);
  }
  ErrorCode error;
  const size_t used = parser_->put(asio::buffer(in_), error);
  const bool needs_more = error == http::error::need_more;
  const bool folded = state_ == State::kHead && folds_.Sees(std::string_view(in_).substr(0, used));
  if (error == http::error::header_limit) {
    // Without its first line in what was read, that is what is too long.
    RefuseForGood(HeadTooLong(parser_->get().target().empty() ? in_ : "", shared_->limits.header_bytes_max));
    return false;
  }
  if ((error && !needs_more) || folded) {
    RefuseForGood(ErrorAnswer(400, "invalid",
                              "this is no HTTP request: " + (folded ? "a header is folded" : error.message()),
                              "speak HTTP/1.1"));
    return false;
  }
  in_.erase(0, used);
  // What is left of a header section or of a chunk's head has no end yet.
  if (needs_more && HasBareLineFeed(in_)) {
    RefuseForGood(ErrorAnswer(400, "invalid", "this is no HTTP request: a line ends without a carriage return",
                              "speak HTTP/1.1"));
    return false;
  }
  if (needs_more && state_ == State::kBody && in_.size() > shared_->limits.header_bytes_max) {
    RefuseForGood(HeadTooLong({}, shared_->limits.header_bytes_max));
    return false;
  }
  if (state_ == State::kHead && parser_->is_header_done()) {
    OnHead();
    if (state_ != State::kBody) return false;
    parser_->eager(true);
    if (!parser_->is_done()) return CountBody();
  }
  if (state_ == State::kBody && !CountBody()) return false;
  if (state_ == State::kBody && parser_->is_done()) Carry();
  return !needs_more && used > 0;
}

bool Connection::CountBody() {
  const uint64_t now = parser_->get().body().size();
  if (now > body_bytes_max_ || parser_->content_length().value_or(0) > body_bytes_max_) {
    TooLarge();
    return false;
  }
  const uint64_t more = now - body_bytes_;
  const uint64_t all = shared_->counters->bodies_bytes.fetch_add(more, std::memory_order_relaxed) + more;
  body_bytes_ = now;
  if (all <= shared_->limits.bodies_bytes_max) return true;
  Refuse(ErrorAnswer(429, "overloaded", "the requests under way have too many bytes together",
                     "try again after a moment", 1));
  return false;
}

void Connection::TooLarge() {
  if (token_ == 0) {
    return Refuse(ErrorAnswer(413, "too_large", "the body is longer than " + std::to_string(body_bytes_max_) + " bytes",
                              "send less, or put large data into a store and send its address"));
  }
  close_after_ = true;
  state_ = State::kCarried;
  whole_at_ = Clock::now();
  Deadline(kNever);
  shared_->requests->Deliver(token_, *arrived_, {}, true);
}

void Connection::OnHead() {
  const auto& message = parser_->get();
  head_ = {};
  head_.method = MethodOf(message.method());
  head_.target = View(message.target());
  head_.hosts = Headers(message, http::field::host);
  head_.origins = Headers(message, http::field::origin);
  head_.key = KeyOf(message);
  head_.content_type = Header(message, "content-type");
  head_.accept = Header(message, "accept");
  head_.idempotency_key = Header(message, "idempotency-key");
  head_.last_event_id = Header(message, "last-event-id");
  head_.traceparent = Header(message, "traceparent");
  head_.local_address = ends_.local_address;
  head_.peer_is_loopback = ends_.peer_is_loopback;
  no_body_ = message.method() == http::verb::head;
  http_1_0_ = message.version() < 11;
  close_after_ = close_after_ || !message.keep_alive();
  const auto [coding, coding_end] = message.equal_range(http::field::transfer_encoding);
  BodyFraming framing;
  framing.length_headers = message.count(http::field::content_length);
  framing.lengths_are_a_list = Header(message, "content-length").find(',') != std::string::npos;
  framing.encoding_headers = static_cast<size_t>(std::distance(coding, coding_end));
  if (coding != coding_end) framing.encoding = View(coding->value());
  framing.http_1_0 = http_1_0_;
  if (std::optional<Answer> unclear = WhyUnclear(framing)) {
    return RefuseForGood(std::move(*unclear));
  }
  if (head_.target.size() > kTargetBytesMax) {
    return RefuseForGood(HeadTooLong(head_.target, shared_->limits.header_bytes_max));
  }
  if (shared_->requests != nullptr && !IsControlTarget(head_.target) && shared_->requests->IsListened()) {
    return OnPluginsHead();
  }
  if (head_.idempotency_key.size() > kNameBytesMax || head_.traceparent.size() > kNameBytesMax) {
    return Refuse(ErrorAnswer(
        400, "invalid", "the Idempotency-Key or traceparent is longer than " + std::to_string(kNameBytesMax) + " bytes",
        ""));
  }
  std::variant<Passed, Answer> passed = shared_->gate->Pass(head_);
  head_.key.clear();
  if (Answer* answer = std::get_if<Answer>(&passed)) return Refuse(std::move(*answer));
  passed_ = std::move(std::get<Passed>(passed));
  ReadBody();
}

// Names and origins are the plugin's matter: what it serves is there to be called from elsewhere.
void Connection::OnPluginsHead() {
  head_.key.clear();
  if (head_.hosts.size() > 1 || (head_.hosts.empty() && !http_1_0_)) {
    return RefuseForGood(
        ErrorAnswer(400, "invalid", "a request has one Host header", "send Host: with the name you asked"));
  }
  slot_ = TakeSlot(shared_->counters, shared_->counters->waits, shared_->limits.waits_max);
  if (slot_ == nullptr) {
    return Refuse(
        ErrorAnswer(503, "unavailable", "too many requests wait for their answers", "try again after a moment", 1));
  }
  const auto& message = parser_->get();
  host::ArrivedRequest& arrived = arrived_.emplace();
  arrived.method = View(message.method_string());
  arrived.target = head_.target;
  for (const auto& field : message) {
    std::string name(View(field.name_string()));
    std::transform(name.begin(), name.end(), name.begin(),
                   [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
    arrived.headers.emplace_back(std::move(name), View(field.value()));
  }
  arrived.source_address = ends_.peer_address;
  arrived.tls = ends_.tls;
  const auto answer = [weak = weak_from_this(), loops = shared_->loops, io = &loop_.io,
                       number = number_](host::ServerAnswer given) {
    asio::post(*io, [weak, number, given = std::move(given)]() mutable {
      const std::shared_ptr<Connection> alive = weak.lock();
      if (alive == nullptr || alive->number_ != number) return;
      alive->token_ = 0;  // it is answered; also before its body is here, when the plugin stops
      if (alive->state_ == State::kBody) return alive->Refuse(OfPlugin(std::move(given)));
      alive->OnAnswer(number, OfPlugin(std::move(given)));
    });
  };
  host::HttpServer::Verdict verdict = shared_->requests->Arrive(arrived, shared_->limits.body_bytes_max, answer);
  if (verdict.answer) return Refuse(OfPlugin(std::move(*verdict.answer)));
  token_ = verdict.token;
  body_bytes_max_ = verdict.body_bytes_max;
  ReadBody();
}

void Connection::LeavePlugin() {
  if (token_ != 0) shared_->requests->Leave(std::exchange(token_, 0));
  arrived_.reset();
  slot_.reset();
}

void Connection::ReadBody() {
  state_ = State::kBody;
  const auto passed_ns = static_cast<uint64_t>((Clock::now() - begun_at_).count());
  const uint64_t most = shared_->limits.request_ns_max;
  Deadline(most - std::min(passed_ns, most));
  const std::string expect = Header(parser_->get(), "expect");
  if (expect.empty() || parser_->is_done() || http_1_0_) return;
  if (parser_->content_length().value_or(0) > body_bytes_max_) return;  // it will be told so instead
  // Nothing else is being written: the last answer is out before the next request is parsed.
  Write(kContinue);
}

void Connection::Refuse(Answer answer) {
  close_after_ = close_after_ || parser_ == std::nullopt || !parser_->is_done();
  state_ = State::kCarried;
  whole_at_ = Clock::now();
  waits_ = true;  // no time of the service's
  OnAnswer(number_, std::move(answer));
}

// Where the next request would begin cannot be known.
void Connection::RefuseForGood(Answer answer) {
  close_after_ = true;
  Refuse(std::move(answer));
}

void Connection::Carry() {
  state_ = State::kCarried;
  whole_at_ = Clock::now();
  Deadline(kNever);
  if (token_ != 0) {
    waits_ = true;
    return shared_->requests->Deliver(token_, *arrived_, parser_->get().body(), false);
  }
  waits_ = WantsEvents(head_);
  std::string body = std::move(parser_->get().body());
  shared_->api->Handle(passed_.route, head_, std::move(body), passed_.principal,
                       std::make_shared<ConnectionResponder>(shared_from_this(), number_));
}

void Connection::OnStop(uint64_t number, std::function<void()> stop) {
  if (number != number_ || state_ != State::kCarried) return;
  waits_ = true;
  if (draining_) return stop();
  stop_ = std::move(stop);
}

void Connection::OnAnswer(uint64_t number, Answer answer) {
  if (number != number_ || state_ != State::kCarried) return;
  state_ = State::kAnswering;
  stop_ = nullptr;
  shared_->counters->CountAnswer(answer.status);
  if (!waits_) {
    shared_->counters->CountTime(static_cast<uint64_t>((Clock::now() - whole_at_).count()));
  }
  WriteAnswer(answer);
}

void Connection::WriteAnswer(const Answer& answer) {
  std::string text;
  text.reserve(256 + answer.body.size());
  text += "HTTP/1.1 ";
  text += std::to_string(answer.status);
  text += " ";
  text += ReasonOf(answer.status);
  text += "\r\nDate: ";
  text += DateText();
  text += "\r\n";
  // RFC 9110, section 8.6: these have no body, and no length either.
  const bool bodiless = answer.is_plugins && (answer.status == 204 || answer.status == 304);
  if (!bodiless) text += "Content-Length: " + std::to_string(answer.body.size()) + "\r\n";
  for (const auto& [name, value] : answer.headers) text += name + ": " + value + "\r\n";
  if (!answer.is_plugins) {
    text +=
        "Content-Type: " + answer.content_type + "\r\nCache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n";
    if (!answer.location.empty()) text += "Location: " + answer.location + "\r\n";
    if (answer.retry_after_s > 0) text += "Retry-After: " + std::to_string(answer.retry_after_s) + "\r\n";
    if (answer.status == 401) text += "WWW-Authenticate: Bearer\r\n";
  }
  if (close_after_) {
    text += "Connection: close\r\n";
  } else if (http_1_0_) {
    text += "Connection: keep-alive\r\n";
  }
  text += "\r\n";
  if (!no_body_ && !bodiless) text += answer.body;
  Write(std::move(text));
}

void Connection::OnFollow(uint64_t number, std::shared_ptr<Feed> feed) {
  if (number != number_ || state_ != State::kCarried) return;
  if (ended_) return Close();  // it will not read for ever
  state_ = State::kFeeding;
  stop_ = nullptr;
  feed_ = std::move(feed);
  feed_ends_ = no_body_;
  asked_ = false;
  if (http_1_0_) close_after_ = true;
  shared_->counters->CountAnswer(200);
  std::string text = "HTTP/1.1 200 OK\r\nDate: ";
  text += DateText();
  text += "\r\nContent-Type: text/event-stream\r\nCache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n";
  if (!http_1_0_) text += "Transfer-Encoding: chunked\r\n";
  if (close_after_) text += "Connection: close\r\n";
  Write(text + "\r\n");
}

void Connection::AskFeed() {
  asked_ = true;
  Deadline(kNever);
  feed_->Next([weak = weak_from_this(), loops = shared_->loops, io = &loop_.io, number = number_](FeedPart part) {
    asio::post(*io, [weak, number, part = std::move(part)]() mutable {
      if (const std::shared_ptr<Connection> alive = weak.lock()) alive->OnPart(number, std::move(part));
    });
  });
}

void Connection::OnPart(uint64_t number, FeedPart part) {
  if (number != number_ || state_ != State::kFeeding || !asked_) return;
  asked_ = false;
  feed_ends_ = part.last || draining_;
  std::string text = http_1_0_ ? std::move(part.text) : ChunkOf(part.text);
  if (feed_ends_ && !http_1_0_) text += kLastChunk;
  Write(std::move(text));
}

// The stream ends before its source has: the reader can go on from its last id.
void Connection::EndFeed() {
  asked_ = false;
  feed_ends_ = true;
  constexpr std::string_view kBye = ": the host is stopping\n\n";
  Write(http_1_0_ ? std::string(kBye) : ChunkOf(kBye) + kLastChunk);
}

void Connection::Write(std::string text) {
  if (writing_) {  // the 100 Continue is not out yet
    next_ = std::move(text);
    return;
  }
  writing_ = true;
  out_ = std::move(text);
  written_ = 0;
  answer_at_ = Clock::now();
  WriteMore();
}

void Connection::WriteMore() {
  if (state_ == State::kAnswering || state_ == State::kFeeding) Deadline(shared_->limits.stall_ns_max);
  stream_->WriteSome(asio::buffer(out_.data() + written_, out_.size() - written_),
                     [self = shared_from_this()](ErrorCode error, size_t bytes) {
                       if (self->state_ == State::kClosed) return;
                       if (error) return self->Close();
                       self->shared_->counters->bytes_out.fetch_add(bytes, std::memory_order_relaxed);
                       self->written_ += bytes;
                       if (self->written_ == self->out_.size()) return self->OnWritten();
                       const auto most = std::chrono::nanoseconds(self->shared_->limits.answer_ns_max);
                       if (Clock::now() - self->answer_at_ > most) return self->OnLate();
                       self->WriteMore();
                     });
}

void Connection::OnWritten() {
  out_ = std::string();
  writing_ = false;
  if (!next_.empty()) return Write(std::exchange(next_, {}));
  if (state_ == State::kFeeding) {
    if (!feed_ends_ && draining_) return EndFeed();
    if (!feed_ends_) return AskFeed();
    feed_.reset();
    state_ = State::kAnswering;
  }
  if (state_ != State::kAnswering) return;  // it was the 100 Continue
  if (close_after_) return Linger();
  NextRequest();
}

// Closing at once while the other side still sends would make its system drop the answer.
void Connection::Linger() {
  state_ = State::kLingering;
  LeavePlugin();
  in_.clear();
  Deadline(shared_->limits.linger_ns_max);
  stream_->EndWriting([self = shared_from_this()] {
    if (self->state_ != State::kLingering) return;
    if (self->ended_) return self->Close();
    self->Read();
  });
}

void Connection::Deadline(uint64_t ns) {
  deadline_ = ns == kNever ? Clock::time_point::max() : Clock::now() + std::chrono::nanoseconds(ns);
  if (ns == kNever) return;
  if (watching_ && timer_.expiry() <= deadline_) return;  // it looks again when it fires
  watching_ = true;
  timer_.expires_at(deadline_);
  Watch();
}

void Connection::Watch() {
  timer_.async_wait([weak = weak_from_this()](ErrorCode error) {
    const std::shared_ptr<Connection> self = weak.lock();
    if (self == nullptr || error || self->state_ == State::kClosed) return;
    if (self->deadline_ == Clock::time_point::max()) {
      self->watching_ = false;
    } else if (Clock::now() < self->deadline_) {
      self->timer_.expires_at(self->deadline_);
      self->Watch();
    } else {
      self->watching_ = false;
      self->OnLate();
    }
  });
}

void Connection::OnLate() {
  const bool slow = state_ != State::kLingering && !(state_ == State::kHead && !begun_);
  if (slow) shared_->counters->timed_out.fetch_add(1, std::memory_order_relaxed);
  if ((state_ == State::kHead && begun_) || state_ == State::kBody) {
    return Refuse(
        ErrorAnswer(400, "invalid", "the request took too long to come", "send it in one go, or in smaller parts"));
  }
  Close();
}

}  // namespace teal::serve
