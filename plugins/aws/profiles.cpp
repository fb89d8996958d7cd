#include "plugins/aws/profiles.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace teal::aws {
namespace {

constexpr std::size_t kFileBytesMax = 1 << 20;

std::string_view Trim(std::string_view text) {
  const std::size_t begin = text.find_first_not_of(" \t\r");
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t\r") - begin + 1);
}

std::string FileName(const Environment& environment, const char* variable, const char* name) {
  if (const auto path = environment(variable)) return *path;
  const auto home = environment("HOME");
  return home ? *home + "/.aws/" + name : std::string();
}

// "[profile x]" → x in the config file, "[x]" → x in the credentials file; nothing for other sections.
std::optional<std::string> SectionName(std::string_view line, bool prefixed) {
  if (line.back() != ']') return std::nullopt;
  std::string_view name = Trim(line.substr(1, line.size() - 2));
  if (!prefixed || name == "default") return std::string(name);
  constexpr std::string_view kWord = "profile";
  if (!name.starts_with(kWord) || name.size() == kWord.size() ||
      (name[kWord.size()] != ' ' && name[kWord.size()] != '\t')) {
    return std::nullopt;
  }
  return std::string(Trim(name.substr(kWord.size())));
}

}  // namespace

Profiles ParseProfiles(std::string_view text, bool prefixed) {
  Profiles out;
  Profile* section = nullptr;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    const std::string_view raw = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    const std::string_view line = Trim(raw);
    if (line.empty() || line[0] == '#' || line[0] == ';') continue;
    if (line[0] == '[') {
      const auto name = SectionName(line, prefixed);
      section = name ? &out[*name] : nullptr;
      continue;
    }
    const bool nested = raw[0] == ' ' || raw[0] == '\t';
    const std::size_t equals = line.find('=');
    if (section == nullptr || nested || equals == std::string_view::npos) continue;
    std::string_view value = Trim(line.substr(equals + 1));
    if (const std::size_t comment = value.find(" #"); comment != std::string_view::npos)
      value = Trim(value.substr(0, comment));
    (*section)[std::string(Trim(line.substr(0, equals)))] = std::string(value);
  }
  return out;
}

Result<std::optional<std::string>> ReadSmallFile(const std::string& path) {
  const auto failure = [&path] { return Error{TEAL_INVALID, "cannot read " + path + ": " + std::strerror(errno)}; };
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
  if (file < 0) {
    if (errno == ENOENT || errno == ENOTDIR) return std::optional<std::string>();
    return failure();
  }
  std::string text;
  char buffer[4096];
  ssize_t got;
  while ((got = ::read(file, buffer, sizeof buffer)) > 0 && text.size() <= kFileBytesMax) {
    text.append(buffer, static_cast<std::size_t>(got));
  }
  if (got < 0) {
    const Error error = failure();
    ::close(file);
    return error;
  }
  ::close(file);
  if (text.size() > kFileBytesMax) return Error{TEAL_INVALID, path + " has over 1 MiB; it cannot be what it should be"};
  return std::optional<std::string>(std::move(text));
}

Result<Profiles> ReadProfiles(const Environment& environment) {
  Profiles merged;
  for (const bool prefixed : {true, false}) {
    const std::string path = prefixed ? FileName(environment, "AWS_CONFIG_FILE", "config")
                                      : FileName(environment, "AWS_SHARED_CREDENTIALS_FILE", "credentials");
    if (path.empty()) continue;
    auto text = ReadSmallFile(path);
    if (!text) return text.error();
    if (!*text) continue;
    for (auto& [name, profile] : ParseProfiles(**text, prefixed)) {
      for (auto& [key, value] : profile) merged[name][key] = value;
    }
  }
  return merged;
}

std::string ProfileName(const Config& config, const Environment& environment) {
  if (!config.profile.empty()) return config.profile;
  return environment("AWS_PROFILE").value_or("default");
}

}  // namespace teal::aws
