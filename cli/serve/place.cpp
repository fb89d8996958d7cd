#include "cli/serve/place.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>

#include "core/host/file.h"
#include "core/host/json.h"
#include "core/runtime/config.h"

namespace teal::cli {
namespace {

constexpr size_t kSmallBytesMax = 64 * 1024;

std::string Environment(const char* name) {
  const char* const value = std::getenv(name);
  return value == nullptr ? "" : value;
}

std::string Trimmed(std::string text) {
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r' || text.back() == ' ')) text.pop_back();
  return text;
}

std::string TextOf(const host::Json& json, const char* name) {
  return json.is_object() && json.contains(name) && json[name].is_string() ? json[name].get<std::string>() : "";
}

}  // namespace

std::string ProjectFolder(const Globals& globals) {
  std::error_code error;
  const std::string here = std::filesystem::current_path(error).string();
  if (!globals.project.empty()) return host::AbsolutePath(globals.project);
  return runtime::FindProject(here).value_or(here);
}

std::string OwnFolder(const std::string& project) {
  return project + "/.teal";
}
std::string KeyFile(const std::string& project) {
  return OwnFolder(project) + "/key";
}
std::string HostFile(const std::string& project) {
  return OwnFolder(project) + "/host";
}
std::string DataFolder(const std::string& project) {
  return OwnFolder(project) + "/data";
}
std::string KeysFile(const std::string& data) {
  return data + "/keys.json";
}

Status MakeOwnFolder(const std::string& project) {
  const std::string folder = OwnFolder(project);
  if (::mkdir(folder.c_str(), 0700) == 0) return host::ReplaceFile(folder + "/.gitignore", "*\n");
  if (errno == EEXIST) return Unit{};
  return Fail(FailureCode::kUnavailable, "cannot make the folder " + folder + ": " + host::ErrnoText(errno));
}

Status WriteHostFile(const std::string& project, const std::string& url, const std::string& certificate_file) {
  host::Json json = {{"url", url}, {"pid", ::getpid()}};
  if (!certificate_file.empty()) json["certificate"] = host::AbsolutePath(certificate_file);
  return host::ReplaceFile(HostFile(project), host::ToText(json) + "\n");
}

void RemoveHostFile(const std::string& project) {
  const Result<std::string> text = host::ReadSmallFile(HostFile(project), kSmallBytesMax);
  if (!text) return;
  const Result<host::Json> json = host::ParseJson(text.value());
  if (json && json.value().is_object() && json.value().value("pid", host::Json()) == host::Json(::getpid())) {
    ::unlink(HostFile(project).c_str());
  }
}

Result<HostPlace> FindHost(const Globals& globals) {
  const std::string project = ProjectFolder(globals);
  std::string url = Environment("TEAL_HOST");
  std::string certificate;
  if (url.empty()) {
    const Result<std::string> text = host::ReadSmallFile(HostFile(project), kSmallBytesMax);
    if (!text) {
      return Fail(FailureCode::kNotFound, "no host serves " + project +
                                              ": start one with teal serve, choose the project with --project, or name "
                                              "a host in TEAL_HOST");
    }
    const Result<host::Json> json = host::ParseJson(text.value());
    url = json ? TextOf(json.value(), "url") : "";
    certificate = json ? TextOf(json.value(), "certificate") : "";
  }
  Result<HostAddress> address = ParseHostUrl(url);
  if (!address) return address.failure();
  HostPlace place{std::move(*address), globals.key};
  place.address.certificate_file = certificate;
  if (place.key.empty()) place.key = Environment("TEAL_KEY");
  if (place.key.empty()) {
    const Result<std::string> key = host::ReadSmallFile(KeyFile(project), kSmallBytesMax);
    if (key) place.key = Trimmed(key.value());
  }
  if (place.key.find_first_of("\r\n") != std::string::npos) {
    return Fail(FailureCode::kInvalid, "the key has more than one line: give the key alone");
  }
  return place;
}

}  // namespace teal::cli
