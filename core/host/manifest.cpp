#include "core/host/manifest.h"

#include <algorithm>
#include <limits>
#include <optional>

#include "core/host/file.h"
#include "core/host/json.h"
#include "teal/abi.h"

namespace teal::host {
namespace {

constexpr int kManifestVersion = 1;
constexpr std::string_view kLower = "abcdefghijklmnopqrstuvwxyz";
constexpr std::string_view kDigits = "0123456789";

bool MadeOf(std::string_view text, std::string_view set1, std::string_view set2, std::string_view set3) {
  return std::all_of(text.begin(), text.end(), [&](char c) {
    return set1.find(c) != std::string_view::npos || set2.find(c) != std::string_view::npos ||
           set3.find(c) != std::string_view::npos;
  });
}

bool IsId(std::string_view text) {
  return !text.empty() && kLower.find(text[0]) != std::string_view::npos && MadeOf(text, kLower, kDigits, "._-");
}

bool IsVersion(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c < 0x7f; });
}

bool IsFileName(std::string_view text) {
  return !text.empty() && text[0] != '.' && text.find('/') == std::string_view::npos &&
         text.find('\0') == std::string_view::npos;
}

bool IsSha256(std::string_view text) {
  return text.size() == 64 && MadeOf(text, kDigits, "abcdef", "");
}

bool IsInterface(std::string_view text) {
  const size_t slash = text.find('/');
  if (slash == std::string_view::npos || slash == 0 || slash + 1 == text.size()) return false;
  const std::string_view version = text.substr(slash + 1);
  return MadeOf(text.substr(0, slash), kLower, kDigits, "._-") && MadeOf(version, kDigits, "", "") && version[0] != '0';
}

// Takes an object apart; the first thing wrong is kept, with the file and the key.
class Reader {
 public:
  Reader(const std::string& path, const Json& object, std::string prefix)
      : path_(path), object_(object), prefix_(std::move(prefix)) {}

  const Json* Key(const std::string& key) {
    known_.push_back(key);
    const auto found = object_.find(key);
    if (found != object_.end()) return &*found;
    Wrong(key, "is missing");
    return nullptr;
  }

  std::string Text(const std::string& key, size_t bytes_max, bool (*good)(std::string_view), const char* form) {
    const Json* const value = Key(key);
    if (value == nullptr) return {};
    if (!value->is_string()) {
      Wrong(key, "must be a string, and is " + KindOf(*value));
      return {};
    }
    auto text = value->get<std::string>();
    if (text.size() > bytes_max) {
      Wrong(key, "is longer than " + std::to_string(bytes_max) + " bytes");
    } else if (good != nullptr && !good(text)) {
      Wrong(key, "must be " + std::string(form) + ", and is " + ToText(*value));
    }
    return text;
  }

  uint32_t Number(const std::string& key) {
    const Json* const value = Key(key);
    if (value == nullptr) return 0;
    if (!value->is_number_unsigned() || value->get<uint64_t>() > std::numeric_limits<uint32_t>::max()) {
      Wrong(key, "must be an integer from 0 to 4294967295, and is " + ToText(*value));
      return 0;
    }
    return value->get<uint32_t>();
  }

  void Wrong(const std::string& key, const std::string& what) {
    if (!failure_) failure_ = Fail(FailureCode::kInvalid, path_ + ": \"" + prefix_ + key + "\" " + what);
  }

  // Call last.
  std::optional<Failure> Finish() {
    for (const auto& [key, value] : object_.items()) {
      if (std::find(known_.begin(), known_.end(), key) != known_.end()) continue;
      const std::string nearest = NearestName(key, known_);
      Wrong(key, "is no key of a manifest" + (nearest.empty() ? "" : "; did you mean \"" + nearest + "\"?"));
    }
    return failure_;
  }

 private:
  const std::string& path_;
  const Json& object_;
  const std::string prefix_;
  std::vector<std::string> known_;
  std::optional<Failure> failure_;
};

std::vector<std::string> Interfaces(Reader& reader) {
  std::vector<std::string> interfaces;
  const Json* const list = reader.Key("interfaces");
  if (list == nullptr) return interfaces;
  if (!list->is_array() || list->empty() || list->size() > kInterfacesMax) {
    reader.Wrong("interfaces", "must be a list of 1 to " + std::to_string(kInterfacesMax) + " strings");
    return interfaces;
  }
  for (const Json& item : *list) {
    if (!item.is_string() || item.get_ref<const std::string&>().size() > kInterfaceBytesMax ||
        !IsInterface(item.get_ref<const std::string&>())) {
      reader.Wrong("interfaces", "must hold ids such as \"teal.memory/1\", and has " + ToText(item));
      return interfaces;
    }
    if (std::find(interfaces.begin(), interfaces.end(), item.get<std::string>()) != interfaces.end()) {
      reader.Wrong("interfaces", "has " + ToText(item) + " twice");
      return interfaces;
    }
    interfaces.push_back(item.get<std::string>());
  }
  return interfaces;
}

}  // namespace

std::string Manifest::LibraryPath() const {
  return FolderOf(path) + "/" + library;
}

Result<Manifest> ParseManifest(std::string_view text, const std::string& path) {
  if (text.size() > kManifestBytesMax) {
    return Fail(FailureCode::kTooLarge, path + ": is larger than " + std::to_string(kManifestBytesMax) + " bytes");
  }
  const Result<Json> json = ParseJson(text);
  if (!json) return Fail(FailureCode::kInvalid, path + ": is not the JSON of a manifest: " + json.failure().message);
  if (!json.value().is_object()) {
    return Fail(FailureCode::kInvalid, path + ": must hold an object, and holds " + KindOf(json.value()));
  }
  // Told first: every other complaint about a manifest of another version would mislead.
  const auto format = json.value().find("manifest");
  if (format != json.value().end() && *format != kManifestVersion) {
    return Fail(FailureCode::kInvalid, path + ": \"manifest\" is " + ToText(*format) +
                                           ", and this version of teal reads 1; install a teal that knows it");
  }

  Manifest manifest;
  manifest.path = AbsolutePath(path);
  Reader reader(path, json.value(), "");
  reader.Number("manifest");
  manifest.id =
      reader.Text("id", kPluginIdBytesMax, IsId, "lower-case letters, digits, '.', '_' and '-', a letter first");
  manifest.version = reader.Text("version", kPluginVersionBytesMax, IsVersion, "printable ASCII without spaces");
  manifest.description = reader.Text("description", kDescriptionBytesMax, nullptr, "");
  manifest.library = reader.Text("library", kLibraryNameBytesMax, IsFileName,
                                 "the name of a file beside the manifest, without a folder");
  manifest.sha256 = reader.Text("sha256", 64, IsSha256, "64 lower-case hexadecimal digits");
  manifest.interfaces = Interfaces(reader);
  const Json* const config = reader.Key("config");
  if (config != nullptr && (!config->is_object() || config->value("type", Json()) != "object")) {
    reader.Wrong("config", "must be the JSON Schema of an object: {\"type\": \"object\", …}");
  }
  const Json* const abi = reader.Key("abi");
  std::optional<Failure> wrong_abi;
  if (abi != nullptr && !abi->is_object()) {
    reader.Wrong("abi", "must be an object, and is " + KindOf(*abi));
  } else if (abi != nullptr) {
    Reader inner(path, *abi, "abi.");
    manifest.abi_major = inner.Number("major");
    manifest.abi_minor = inner.Number("minor");
    manifest.host_minor_min = inner.Number("host_minor_min");
    wrong_abi = inner.Finish();
  }
  if (const auto wrong = reader.Finish()) return *wrong;
  if (wrong_abi) return *wrong_abi;
  manifest.config_schema = ToText(*config);
  return manifest;
}

Result<Manifest> ReadManifest(const std::string& path) {
  const Result<std::string> text = ReadSmallFile(path, kManifestBytesMax);
  if (!text) return text.failure();
  return ParseManifest(text.value(), path);
}

Status CheckAbi(const Manifest& manifest) {
  const auto refuse = [&](const std::string& why) {
    return Fail(FailureCode::kInvalid, "plugin \"" + manifest.id + "\": " + why);
  };
  const std::string ours = std::to_string(TEAL_ABI_MAJOR) + "." + std::to_string(TEAL_ABI_MINOR);
  if (manifest.abi_major != TEAL_ABI_MAJOR) {
    return refuse("it is built for ABI " + std::to_string(manifest.abi_major) + ", and this teal has ABI " + ours +
                  "; get a plugin built for " + std::to_string(TEAL_ABI_MAJOR));
  }
  if (manifest.host_minor_min > TEAL_ABI_MINOR) {
    return refuse("it needs a host with ABI " + std::to_string(TEAL_ABI_MAJOR) + "." +
                  std::to_string(manifest.host_minor_min) + " or later, and this teal has " + ours + "; update teal");
  }
  if (manifest.host_minor_min > manifest.abi_minor) {
    return refuse("its manifest asks for a host newer than the header it was built from");
  }
  return Unit{};
}

}  // namespace teal::host
