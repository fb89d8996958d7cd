// Where the lines go that a session writes.
#pragma once

#include <string>
#include <string_view>

namespace teal::runtime {

class OutputSink {
 public:
  virtual ~OutputSink() = default;
  // `text` as it is, with its newlines; thread `tid` of session `sid` wrote it, nobody of them if they are empty. Safe
  // to call from any thread. Texts are not cut or mixed.
  virtual void Write(std::string_view sid, std::string_view tid, std::string_view text) = 0;
  // Nothing more comes for a while: what is buffered should become visible. Safe to call from any thread.
  virtual void Flush() = 0;
  // What was written and is kept to be shown later; it moves with the session. Safe to call from any thread.
  virtual std::string Kept() { return {}; }
};

}  // namespace teal::runtime
