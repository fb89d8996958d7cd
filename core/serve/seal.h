// Sealing what a record holds, so that it cannot be read or altered where it lies: AES-256-GCM (NIST SP 800-38D) under
// a key of the record's own. docs/formats/sealed.md has the format to the byte and says what stays in clear.
//
// The record's own key comes of the user's key by HKDF-SHA-256 (RFC 5869) over the place of the record and 16 random
// bytes, so each of these keys seals one text only: random nonces under one key would run out in a day at full speed.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.h"
#include "core/runtime/record_key.h"

namespace teal::serve {

inline constexpr size_t kSealKeyBytes = 32;
inline constexpr size_t kSealedBytesMore = 41;  // a sealed text is longer by so many bytes

// 32 bytes, written as 64 hexadecimal digits or in base64. Its memory is wiped when it ends.
class SealKey {
 public:
  using Id = std::array<uint8_t, 4>;  // names the key without telling it: 4 bytes of a hash

  // kInvalid: the text is no key. The message does not hold it.
  static Result<SealKey> Parse(std::string_view text);
  SealKey(const SealKey&) = default;
  SealKey& operator=(const SealKey&) = default;
  ~SealKey();

  const std::array<uint8_t, kSealKeyBytes>& bytes() const { return bytes_; }
  const Id& id() const { return id_; }
  std::string IdText() const;  // 8 hexadecimal digits

 private:
  SealKey() = default;
  std::array<uint8_t, kSealKeyBytes> bytes_{};
  Id id_{};
};

// Whether the bytes of a record are sealed. No record in clear begins so.
bool IsSealed(std::string_view bytes);
// The id of the key that they are sealed with, 8 hexadecimal digits. Precondition: IsSealed.
std::string SealedWith(std::string_view bytes);

// Immutable; thread-safe.
class Seal {
 public:
  // key: seals and opens; older: open only.
  Seal(SealKey key, std::vector<SealKey> older);
  ~Seal();
  Seal(const Seal&) = delete;
  Seal& operator=(const Seal&) = delete;

  // kUnavailable: the system gives no random bytes.
  Result<std::string> Close(const runtime::record::Key& place, std::string_view text) const;
  // kCorrupt: not sealed, with another key, for another place, or altered since.
  Result<std::string> Open(const runtime::record::Key& place, std::string_view sealed) const;
  bool Knows(std::string_view sealed) const;  // the key that it is sealed with
  const SealKey& key() const { return keys_.front(); }

 private:
  struct Ciphers;
  const std::vector<SealKey> keys_;  // the first seals
  const std::unique_ptr<Ciphers> ciphers_;
};

}  // namespace teal::serve
