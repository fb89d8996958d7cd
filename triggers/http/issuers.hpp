// The keys of OIDC issuers, fetched through teal.host.http/1: discovery, then the JWKS it names, both over https from
// the issuer's own host. An unknown `kid` makes it fetch again, at most once a minute for each issuer, so that tokens
// of a stranger's making cannot make this host ask all the time.
#ifndef TEAL_HTTP_ISSUERS_HPP
#define TEAL_HTTP_ISSUERS_HPP

#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include <teal/plugin.hpp>

#include "jwt.hpp"

namespace teal::http {

inline constexpr uint64_t kFetchAgainNs = 60'000'000'000;   // after a fetch that succeeded
inline constexpr uint64_t kFetchRetryNs = 5'000'000'000;    // after one that failed
inline constexpr uint64_t kFetchTimeoutNs = 5'000'000'000;  // of one request
inline constexpr uint64_t kKeysOldNs = 3'600'000'000'000;   // then they are fetched anew while they still serve
inline constexpr uint64_t kKeySetBytesMax = 256 * 1024;
inline constexpr size_t kFetchWaitersMax = 1000;  // requests that wait for one issuer's keys

struct FoundKey {
  std::optional<SigningKey> key;
  std::optional<Answer> refusal;  // without a key: 403 for one that is not there, 503 when the issuer cannot be asked
};

// Thread-safe.
class Issuers {
 public:
  // post: runs a function soon, on a thread that may call the host; drops it once the instance is closed.
  Issuers(const teal_host* host, std::function<void(std::function<void()>)> post);

  // What is known already.
  std::optional<SigningKey> Known(const std::string& issuer, const std::string& key_id);
  // `done` is called once, at once or from `post`; not after Close.
  void Find(const std::string& issuer, const std::string& key_id, std::function<void(FoundKey)> done);
  // Returns when no call to the host is open. Nothing is fetched any more.
  void Close();

 private:
  struct Waiter {
    std::string key_id;
    std::function<void(FoundKey)> done;
  };
  struct Issuer {
    KeySet keys;
    uint64_t fetched_unix_ns = 0;  // successfully; 0: never
    uint64_t tried_unix_ns = 0;
    bool fetching = false;
    std::vector<Waiter> waiters;
  };
  struct Flight;

  bool MayFetch(const Issuer& issuer) const;
  void Fetch(const std::string& issuer);  // with mutex_ held
  void Get(const std::string& issuer, const std::string& url, bool is_discovery);
  static void TEAL_CALL OnDone(void* ctx, const teal_error* error, const void* result);
  void OnAnswer(const std::string& issuer, bool is_discovery, uint32_t status, const std::string& body);
  void End(const std::string& issuer, std::optional<KeySet> keys, const std::string& why);

  const teal_host* const host_;
  const teal_http* const http_;  // null: the host has none
  const std::function<void(std::function<void()>)> post_;
  plugin::OpenCalls fetches_;
  std::mutex mutex_;
  // Guarded by mutex_.
  std::map<std::string, Issuer> issuers_;
  std::vector<uint64_t> open_ops_;
  uint64_t last_op_ = 0;
};

}  // namespace teal::http

#endif
