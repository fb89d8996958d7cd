// One started trigger: the lines of a file, each an event. Its state, which the host keeps, is the place up to which
// every line was accepted, and the places of lines behind it that were accepted before their forerunners: "140 154
// 168".
#ifndef LINES_SOURCE_HPP
#define LINES_SOURCE_HPP

#include <cstdint>
#include <fstream>
#include <map>
#include <optional>
#include <set>
#include <sstream>
#include <string>
#include <teal/plugin.hpp>
#include <utility>
#include <vector>

namespace lines {

constexpr std::size_t kLineBytesMax = 64 * 1024;  // a longer line is cut, with a warning in the log
constexpr std::size_t kOutstandingMax = 1000;     // lines emitted and not accepted

struct Line {
  uint64_t token = 0;
  uint64_t begin = 0, end = 0;  // bytes of the file; `end` is behind the newline
  std::string text;
  uint64_t again_unix_ns = 0;  // rejected: to be emitted again at this time; 0: it is with the host
};

// Not thread-safe: guarded by the instance's mutex.
class Source {
 public:
  Source(std::string id, std::string path, teal_emit_fn emit, void* ctx)
      : id_(std::move(id)), path_(std::move(path)), emit_(emit), ctx_(ctx) {}

  const std::string& id() const { return id_; }
  const std::string& path() const { return path_; }

  // Goes on with the state of an earlier run.
  void GoOnFrom(const std::string& state, const teal_version& version) {
    std::istringstream numbers(state);
    numbers >> read_to_;
    for (uint64_t begin = 0; numbers >> begin;) accepted_.insert(begin);
    version_ = version;
  }

  void AddCredit(uint64_t count) { credit_ += count; }

  // Emits what may be emitted now: rejected lines whose time has come, then new ones. False: there was nothing.
  bool Emit(uint64_t now_unix_ns, uint64_t* last_token) {
    bool any = false;
    for (auto& [begin, line] : outstanding_) {
      if (credit_ == 0) return any;
      if (line.again_unix_ns == 0 || line.again_unix_ns > now_unix_ns) continue;
      Give(line, now_unix_ns, last_token);
      any = true;
    }
    while (credit_ > 0 && outstanding_.size() < kOutstandingMax && accepted_.size() < kOutstandingMax) {
      std::optional<Line> line = Read();
      if (!line) return any;
      if (accepted_.contains(line->begin)) continue;  // by the run before
      Give(outstanding_.emplace(line->begin, std::move(*line)).first->second, now_unix_ns, last_token);
      any = true;
    }
    return any;
  }

  bool Accept(uint64_t token) {
    Line* line = Find(token);
    if (line == nullptr) return false;
    accepted_.insert(line->begin);
    outstanding_.erase(line->begin);
    return true;
  }
  bool Reject(uint64_t token, uint64_t again_unix_ns) {
    Line* line = Find(token);
    if (line == nullptr) return false;
    line->again_unix_ns = again_unix_ns == 0 ? 1 : again_unix_ns;
    return true;
  }

  // To be stored before an accept is done. Forgets what the cursor has passed.
  std::string State() {
    const uint64_t cursor = outstanding_.empty() ? read_to_ : outstanding_.begin()->first;
    accepted_.erase(accepted_.begin(), accepted_.lower_bound(cursor));
    std::string state = std::to_string(cursor);
    for (const uint64_t begin : accepted_) state += " " + std::to_string(begin);
    return state;
  }
  // Of the state that the host has; the next is put upon it.
  const teal_version& version() const { return version_; }
  void Stored(const teal_version& version) { version_ = version; }

  // Accepts that wait for the state to be stored: those of the present put, and those after it.
  std::vector<teal::plugin::Done> saving, waiting;

 private:
  Line* Find(uint64_t token) {
    for (auto& [begin, line] : outstanding_) {
      if (line.token == token && line.again_unix_ns == 0) return &line;
    }
    return nullptr;
  }

  // The next whole line; a piece without its newline is still being written, and waits.
  std::optional<Line> Read() {
    std::ifstream file(path_, std::ios::binary);
    if (!file.seekg(static_cast<std::streamoff>(read_to_))) return std::nullopt;
    Line line;
    std::getline(file, line.text);
    if (!file || file.eof()) return std::nullopt;
    line.begin = read_to_;
    line.end = read_to_ + line.text.size() + 1;
    if (line.text.size() > kLineBytesMax) line.text.resize(kLineBytesMax);
    read_to_ = line.end;
    return line;
  }

  void Give(Line& line, uint64_t now_unix_ns, uint64_t* last_token) {
    line.token = ++*last_token;
    line.again_unix_ns = 0;
    --credit_;
    // The place in the file names the line: a repeat after a restart has the same id, so it starts no second session.
    const std::string event_id = std::to_string(line.begin);
    teal_event event{};
    event.struct_size = sizeof event;
    event.token = line.token;
    event.time_unix_ns = now_unix_ns;
    event.source = teal::Bytes(path_);
    event.id = teal::Bytes(event_id);
    event.type = teal::Bytes("line");
    event.content_type = teal::Bytes("text/plain");
    event.data = teal::Bytes(line.text);
    emit_(ctx_, &event);  // a sink: it only enqueues, so the mutex may be held
  }

  const std::string id_, path_;
  const teal_emit_fn emit_;
  void* const ctx_;
  uint64_t credit_ = 0;
  uint64_t read_to_ = 0;
  std::map<uint64_t, Line> outstanding_;  // by where they begin
  std::set<uint64_t> accepted_;           // of lines behind the cursor: where they begin
  teal_version version_ = teal::kAbsent;
};

}  // namespace lines

#endif
