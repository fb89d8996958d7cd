#include "plugins/k8s/chores.hpp"

#include "plugins/k8s/engine.hpp"

namespace teal::k8s {
namespace {

constexpr uint64_t kSecond = 1'000'000'000;
constexpr uint64_t kExpiryMargin = 60 * kSecond;
constexpr uint64_t kUploadIdle = 24 * 3600 * kSecond;
constexpr int64_t kDropAtOnce = 500;
constexpr std::size_t kNoticeBytesMax = 7900;  // PostgreSQL takes 7,999
constexpr std::size_t kNoticesMax = 8;

int64_t Before(uint64_t now, uint64_t margin) {
  return Flipped(now > margin ? now - margin : 0);
}

int Digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

void AppendHex(std::string& out, std::string_view bytes) {
  static constexpr char kDigits[] = "0123456789abcdef";
  for (const char c : bytes) {
    out.push_back(kDigits[static_cast<unsigned char>(c) >> 4]);
    out.push_back(kDigits[static_cast<unsigned char>(c) & 15]);
  }
}

bool FromHex(std::string_view hex, std::string& out) {
  out.clear();
  if (hex.size() % 2 != 0) return false;
  for (std::size_t i = 0; i < hex.size(); i += 2) {
    const int high = Digit(hex[i]);
    const int low = Digit(hex[i + 1]);
    if (high < 0 || low < 0) return false;
    out.push_back(static_cast<char>(high << 4 | low));
  }
  return true;
}

}  // namespace

std::string ChannelOf(const Config& config) {
  return config.schema + ".changed";
}

std::string Spelled(KeyView key) {
  std::string out;
  out.reserve(2 * (key.partition.size() + key.sort.size()) + 1);
  AppendHex(out, key.partition);
  out.push_back(':');
  AppendHex(out, key.sort);
  return out;
}

bool Spelt(std::string_view word, std::string& partition, std::string& sort) {
  const std::size_t colon = word.find(':');
  return colon != std::string_view::npos && FromHex(word.substr(0, colon), partition) &&
         FromHex(word.substr(colon + 1), sort);
}

void DropExpired::Bind(Params& params) {
  params.Long(Before(now_, kExpiryMargin));
  params.Long(kDropAtOnce);
}

bool DropExpired::Answer(const PGresult* result) {
  if (LongAt(result, 0, 0) == kDropAtOnce) return true;
  Succeed();
  return false;
}

void DropUploads::Bind(Params& params) {
  params.Long(Before(now_, kUploadIdle));
}

bool DropUploads::Answer(const PGresult*) {
  Succeed();
  return false;
}

Tell::Tell(std::string channel, bool all, const std::set<std::pair<std::string, std::string>>& keys)
    : channel_(std::move(channel)) {
  for (const auto& [partition, sort] : keys) {
    std::string word = Spelled({partition, sort});
    if (!notices_.empty() && notices_.back().size() + 1 + word.size() <= kNoticeBytesMax) {
      notices_.back().append(" ").append(word);
    } else {
      notices_.push_back(std::move(word));
    }
  }
  if (all || notices_.size() > kNoticesMax) notices_.assign(1, std::string(kAllChanged));
}

void Tell::Bind(Params& params) {
  params.Data(channel_);  // text in binary format is its bytes
  params.Texts(notices_);
}

}  // namespace teal::k8s
