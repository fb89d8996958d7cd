#include "core/serve/seal.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <openssl/rand.h>

#include <algorithm>
#include <cassert>
#include <utility>

#include "core/base/sha256.h"

namespace teal::serve {
namespace {

// A sealed text: magic and format, the key's id, the salt, the cipher text, the tag.
constexpr std::string_view kMagic{"\0TES\1", 5};  // a record in clear never begins with a zero byte
constexpr size_t kSaltBytes = 16;
constexpr size_t kTagBytes = 16;
constexpr size_t kIdBytes = sizeof(SealKey::Id);
constexpr size_t kHeadBytes = kMagic.size() + kIdBytes + kSaltBytes;
static_assert(kHeadBytes + kTagBytes == kSealedBytesMore);

unsigned char* Raw(std::string& text, size_t at) {
  return reinterpret_cast<unsigned char*>(text.data()) + at;
}
const unsigned char* Raw(std::string_view text, size_t at = 0) {
  return reinterpret_cast<const unsigned char*>(text.data()) + at;
}

int DigitOf(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

bool FromHex(std::string_view text, std::array<uint8_t, kSealKeyBytes>* out) {
  if (text.size() != 2 * kSealKeyBytes) return false;
  for (size_t i = 0; i < kSealKeyBytes; ++i) {
    const int high = DigitOf(text[2 * i]);
    const int low = DigitOf(text[2 * i + 1]);
    if (high < 0 || low < 0) return false;
    (*out)[i] = static_cast<uint8_t>(high << 4 | low);
  }
  return true;
}

bool FromBase64(std::string_view text, std::array<uint8_t, kSealKeyBytes>* out) {
  constexpr size_t kEncoded = 44;  // of 32 bytes; 33 places, of which the last is the padding's
  if (text.size() != kEncoded || text.back() != '=' || text[kEncoded - 2] == '=') return false;
  std::array<uint8_t, kSealKeyBytes + 1> decoded{};
  const bool read = EVP_DecodeBlock(decoded.data(), Raw(text), kEncoded) == static_cast<int>(decoded.size());
  if (read) std::copy_n(decoded.begin(), out->size(), out->begin());
  OPENSSL_cleanse(decoded.data(), decoded.size());
  return read;
}

// What binds a key, and the seal, to a place: no partition holds a zero byte.
std::string PlaceText(const runtime::record::Key& place) {
  std::string text = "teal record";
  text += '\0';
  text += place.partition;
  text += '\0';
  text += place.sort;
  return text;
}

struct FreeCipher {
  void operator()(EVP_CIPHER_CTX* context) const { EVP_CIPHER_CTX_free(context); }
};
struct FreeKdf {
  void operator()(EVP_KDF_CTX* context) const { EVP_KDF_CTX_free(context); }
};

Failure NoCipher() {
  return Fail(FailureCode::kInternal, "the library of ciphers refuses AES-256-GCM or HKDF; is OpenSSL 3 whole?");
}

}  // namespace

// Looked up once: that takes longer than sealing a record.
struct Seal::Ciphers {
  EVP_CIPHER* gcm = EVP_CIPHER_fetch(nullptr, "AES-256-GCM", nullptr);
  EVP_KDF* hkdf = EVP_KDF_fetch(nullptr, "HKDF", nullptr);
  ~Ciphers() {
    EVP_CIPHER_free(gcm);
    EVP_KDF_free(hkdf);
  }

  bool KeyOf(const SealKey& key, std::string_view salt, const std::string& place,
             std::array<uint8_t, kSealKeyBytes>* out) const {
    const std::unique_ptr<EVP_KDF_CTX, FreeKdf> context(EVP_KDF_CTX_new(hkdf));
    if (context == nullptr) return false;
    std::string digest = "SHA256";
    std::array<uint8_t, kSealKeyBytes> secret = key.bytes();
    // OpenSSL takes these as if it would change them.
    const OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, digest.data(), digest.size()),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, secret.data(), secret.size()),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SALT, const_cast<char*>(salt.data()), salt.size()),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, const_cast<char*>(place.data()), place.size()),
        OSSL_PARAM_construct_end()};
    const bool derived = EVP_KDF_derive(context.get(), out->data(), out->size(), params) == 1;
    OPENSSL_cleanse(secret.data(), secret.size());
    return derived;
  }

  // Seals or opens `from` to `to`, which has as many bytes. The head up to the salt and the place are sealed as well.
  bool Run(bool seals, const std::array<uint8_t, kSealKeyBytes>& key, std::string_view head, const std::string& place,
           std::string_view from, unsigned char* to, unsigned char* tag) const {
    const std::unique_ptr<EVP_CIPHER_CTX, FreeCipher> context(EVP_CIPHER_CTX_new());
    const std::array<uint8_t, 12> nonce{};  // the key is of this text alone
    int length = 0;
    if (context == nullptr || from.size() > static_cast<size_t>(INT32_MAX) ||
        EVP_CipherInit_ex2(context.get(), gcm, key.data(), nonce.data(), seals ? 1 : 0, nullptr) != 1 ||
        EVP_CipherUpdate(context.get(), nullptr, &length, Raw(head), static_cast<int>(head.size())) != 1 ||
        EVP_CipherUpdate(context.get(), nullptr, &length, Raw(place), static_cast<int>(place.size())) != 1 ||
        EVP_CipherUpdate(context.get(), to, &length, Raw(from), static_cast<int>(from.size())) != 1) {
      return false;
    }
    if (!seals && EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_AEAD_SET_TAG, kTagBytes, tag) != 1) return false;
    std::array<unsigned char, kTagBytes> rest;  // GCM has none
    if (EVP_CipherFinal_ex(context.get(), rest.data(), &length) != 1) return false;
    return !seals || EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_AEAD_GET_TAG, kTagBytes, tag) == 1;
  }
};

Result<SealKey> SealKey::Parse(std::string_view text) {
  SealKey key;
  if (!FromHex(text, &key.bytes_) && !FromBase64(text, &key.bytes_)) {
    return Fail(FailureCode::kInvalid,
                "the encryption key has " + std::to_string(text.size()) +
                    " characters, and is neither 64 hexadecimal digits nor 32 bytes in base64; make one with "
                    "`openssl rand -base64 32`");
  }
  std::string named = "teal key id";
  named += '\0';
  named.append(key.bytes_.begin(), key.bytes_.end());
  const Sha256 hash = Sha256Of(named);
  OPENSSL_cleanse(named.data(), named.size());
  std::copy_n(hash.begin(), key.id_.size(), key.id_.begin());
  return key;
}

SealKey::~SealKey() {
  OPENSSL_cleanse(bytes_.data(), bytes_.size());
}

std::string SealKey::IdText() const {
  Sha256 padded{};
  std::copy(id_.begin(), id_.end(), padded.begin());
  return Hex(padded).substr(0, 2 * kIdBytes);
}

bool IsSealed(std::string_view bytes) {
  return bytes.substr(0, kMagic.size() - 1) == kMagic.substr(0, kMagic.size() - 1);
}

std::string SealedWith(std::string_view bytes) {
  assert(IsSealed(bytes));
  Sha256 padded{};
  const std::string_view id = bytes.substr(std::min(bytes.size(), kMagic.size()), kIdBytes);
  std::copy(id.begin(), id.end(), padded.begin());
  return Hex(padded).substr(0, 2 * kIdBytes);
}

Seal::Seal(SealKey key, std::vector<SealKey> older)
    : keys_([&] {
        std::vector<SealKey> all{std::move(key)};
        all.insert(all.end(), older.begin(), older.end());
        return all;
      }()),
      ciphers_(std::make_unique<Ciphers>()) {}

Seal::~Seal() = default;

Result<std::string> Seal::Close(const runtime::record::Key& place, std::string_view text) const {
  std::string sealed(kMagic);
  sealed.append(key().id().begin(), key().id().end());
  sealed.resize(kHeadBytes + text.size() + kTagBytes);
  if (RAND_bytes(Raw(sealed, kHeadBytes - kSaltBytes), kSaltBytes) != 1) {
    return Fail(FailureCode::kUnavailable, "the system gives no random bytes to seal a record with");
  }
  const std::string bound = PlaceText(place);
  const std::string_view head = std::string_view(sealed).substr(0, kHeadBytes);
  std::array<uint8_t, kSealKeyBytes> own;
  const bool done =
      ciphers_->KeyOf(key(), head.substr(kHeadBytes - kSaltBytes), bound, &own) &&
      ciphers_->Run(true, own, head, bound, text, Raw(sealed, kHeadBytes), Raw(sealed, kHeadBytes + text.size()));
  OPENSSL_cleanse(own.data(), own.size());
  if (!done) return NoCipher();
  return sealed;
}

bool Seal::Knows(std::string_view sealed) const {
  const std::string id = SealedWith(sealed);
  return std::any_of(keys_.begin(), keys_.end(), [&](const SealKey& key) { return key.IdText() == id; });
}

Result<std::string> Seal::Open(const runtime::record::Key& place, std::string_view sealed) const {
  const std::string where = "the record " + runtime::record::Text(place);
  if (!IsSealed(sealed) || sealed.size() < kSealedBytesMore) {
    return Fail(FailureCode::kCorrupt, where + " is not sealed, or was cut short; restore a backup");
  }
  if (sealed.substr(0, kMagic.size()) != kMagic) {
    return Fail(FailureCode::kCorrupt, where + " is sealed in a format of a newer version; run that version");
  }
  const std::string_view id = sealed.substr(kMagic.size(), kIdBytes);
  const auto key = std::find_if(keys_.begin(), keys_.end(), [&](const SealKey& one) {
    return std::equal(one.id().begin(), one.id().end(), id.begin(),
                      [](uint8_t a, char b) { return a == static_cast<uint8_t>(b); });
  });
  if (key == keys_.end()) {
    return Fail(FailureCode::kCorrupt, where + " is sealed with the key " + SealedWith(sealed) +
                                           ", which is not among those given; add it to encryption.previous");
  }
  const std::string bound = PlaceText(place);
  const std::string_view head = sealed.substr(0, kHeadBytes);
  const std::string_view text = sealed.substr(kHeadBytes, sealed.size() - kSealedBytesMore);
  std::array<unsigned char, kTagBytes> tag;
  std::copy_n(Raw(sealed, sealed.size() - kTagBytes), tag.size(), tag.begin());
  std::string opened(text.size(), '\0');
  std::array<uint8_t, kSealKeyBytes> own;
  const bool done = ciphers_->KeyOf(*key, head.substr(kHeadBytes - kSaltBytes), bound, &own) &&
                    ciphers_->Run(false, own, head, bound, text, Raw(opened, 0), tag.data());
  OPENSSL_cleanse(own.data(), own.size());
  if (!done) {
    return Fail(FailureCode::kCorrupt, where + " was altered where it lies, or moved there; restore a backup");
  }
  return opened;
}

}  // namespace teal::serve
