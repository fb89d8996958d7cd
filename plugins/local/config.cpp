#include "plugins/local/config.hpp"

#include <unistd.h>

#include <climits>

#include "plugins/common/config.hpp"
#include "plugins/local/log.hpp"

namespace teal::local {
namespace {

using nlohmann::json;
using plugin::Error;

Error Wrong(const std::string& what) {
  return {TEAL_INVALID, what};
}

std::optional<Error> Text(const json& object, const char* key, std::string& out) {
  const auto at = object.find(key);
  if (at == object.end()) return std::nullopt;
  if (!at->is_string()) return Wrong(std::string("\"") + key + "\" is to be a string");
  out = at->get<std::string>();
  if (out.empty() || out.find('\0') != std::string::npos) return Wrong(std::string("\"") + key + "\" is no path");
  return std::nullopt;
}

std::optional<Error> Number(const json& object, const char* key, uint64_t least, uint64_t most, uint64_t unit,
                            uint64_t& out) {
  const auto at = object.find(key);
  if (at == object.end()) return std::nullopt;
  if (!at->is_number_unsigned() || at->get<uint64_t>() < least || at->get<uint64_t>() > most) {
    return Wrong(std::string("\"") + key + "\" is to be a whole number from " + std::to_string(least) + " to " +
                 std::to_string(most));
  }
  out = at->get<uint64_t>() * unit;
  return std::nullopt;
}

std::optional<Error> Absolute(std::string& path) {
  if (path.front() != '/') {
    char folder[PATH_MAX];
    if (::getcwd(folder, sizeof folder) == nullptr) return Wrong("the working folder has no name; give a whole path");
    path = std::string(folder) + "/" + path;
  }
  while (path.size() > 1 && path.back() == '/') path.pop_back();
  return std::nullopt;
}

}  // namespace

std::optional<Error> ReadConfig(std::string_view text, Config& out) {
  json object;
  if (auto error = plugin::ParseConfig(
          text, {"path", "blobs", "unsafe_no_sync", "cache_mib", "queue_items_max", "testing"}, object)) {
    return error;
  }
  if (auto error = Text(object, "path", out.path)) return error;
  if (out.path.empty()) return Wrong("\"path\" is missing: the folder of the store");
  if (auto error = Absolute(out.path)) return error;
  if (auto error = Text(object, "blobs", out.blobs)) return error;
  if (out.blobs.empty()) out.blobs = out.path + "/blobs";
  if (auto error = Absolute(out.blobs)) return error;
  if (const auto at = object.find("unsafe_no_sync"); at != object.end()) {
    if (!at->is_boolean()) return Wrong("\"unsafe_no_sync\" is to be true or false");
    out.unsafe_no_sync = at->get<bool>();
  }
  if (auto error = Number(object, "cache_mib", 1, 1 << 20, 1 << 20, out.cache_bytes)) return error;
  if (auto error = Number(object, "queue_items_max", 1, 1'000'000'000, 1, out.queue_items_max)) return error;
  const auto testing = object.find("testing");
  if (testing == object.end()) return std::nullopt;
  if (!testing->is_object()) return Wrong("\"testing\" is to be an object");
  if (auto error = Text(*testing, "tape", out.tape)) return error;
  return Number(*testing, "log_segment_sectors", 16, kLogSegmentBytes / kLogSectorBytes, kLogSectorBytes,
                out.log_segment_bytes);
}

}  // namespace teal::local
