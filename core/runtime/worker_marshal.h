// The encoding of values and messages between the host and its Python workers: the part of Python's `marshal`
// version 2 that Teal's values need (docs/formats/worker-protocol.md, "Values"). Knows nothing of Teal's own values.
// Not synchronised: a writer or reader belongs to one thread at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace teal::runtime {

inline constexpr size_t kWorkerValueBytesMax = size_t{64} << 20;
inline constexpr int kWorkerDepthMax = 100;

// Appends encoded values to a string. A container is its head followed by its parts.
class MarshalWriter {
 public:
  explicit MarshalWriter(std::string* out) : out_(out) {}

  void None() { out_->push_back('N'); }
  void Bool(bool value) { out_->push_back(value ? 'T' : 'F'); }
  void Int(int64_t value);
  void Float(double value);
  void Text(std::string_view utf8);  // precondition: valid UTF-8, less than 2 GiB
  void Bytes(std::string_view bytes);
  void ListHead(uint32_t count);
  void TupleHead(uint32_t count);
  void DictHead() { out_->push_back('{'); }  // followed by key, value, key, value …
  void DictEnd() { out_->push_back('0'); }
  void Id(uint64_t value);  // always 9 bytes, so that it can be overwritten in place (PatchId)
  void Raw(std::string_view encoded) { out_->append(encoded); }

  // Precondition: `at` is where an Id was written in `out`.
  static void PatchId(std::string* out, size_t at, uint64_t value);

 private:
  void Fixed32(uint32_t value);
  void Fixed64(uint64_t value);
  std::string* const out_;
};

// Why a value that arrived whole cannot become a Teal value.
struct UncarryableValue {
  std::string kind;     // of the Teal error: "type", "overflow"; empty: the value is fine
  std::string message;  // names the path: "result[2].x is …"
};

// Reads encoded values from front to back. Every method gives false, and leaves the reader failed for good, when the
// bytes are not what the method expects; no method reads outside of the bytes given.
class MarshalReader {
 public:
  explicit MarshalReader(std::string_view bytes) : bytes_(bytes) {}

  bool failed() const { return failed_; }
  bool AtEnd() const { return at_ == bytes_.size(); }
  size_t position() const { return at_; }
  // The type byte of the next value, 0 at the end.
  char Peek() const { return at_ < bytes_.size() && !failed_ ? bytes_[at_] : '\0'; }

  bool None();
  bool Bool(bool* value);
  // In `*fits`: whether it is within 64 bits; `*value` is 0 if not.
  bool Int(int64_t* value, bool* fits);
  bool Float(double* value);
  // The bytes stay those of the input. Text is not checked to be UTF-8.
  bool Text(std::string_view* utf8);
  bool Bytes(std::string_view* bytes);
  // A list or a tuple.
  bool SequenceHead(uint32_t* count);
  bool DictHead();
  bool AtDictEnd() const { return Peek() == '0'; }
  bool DictEnd();

  // Passes over one whole value, in `*encoded`, and checks that it can become a Teal value; if not, `*problem` says
  // why, with paths that begin with `root`. False only if the bytes are malformed.
  bool Value(std::string_view root, std::string_view* encoded, UncarryableValue* problem);

 private:
  friend class ValueChecker;
  bool Fail() {
    failed_ = true;
    return false;
  }
  bool Take(size_t count, std::string_view* bytes);
  bool Expect(char type);
  bool Fixed32(uint32_t* value);

  const std::string_view bytes_;
  size_t at_ = 0;
  bool failed_ = false;
};

// `text` with every byte that is no part of UTF-8 replaced by U+FFFD.
std::string ToUtf8(std::string_view text);

}  // namespace teal::runtime
