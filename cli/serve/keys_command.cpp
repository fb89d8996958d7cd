#include "cli/serve/keys_command.h"

#include <cstdio>
#include <filesystem>

#include "cli/serve/place.h"
#include "core/serve/keys.h"
#include "core/serve/text.h"

namespace teal::cli {
namespace {

int RefuseKey(const Globals& globals, const Failure& failure) {
  ReportError(globals, failure.message, "");
  if (failure.code == FailureCode::kNotFound) return kExitNotFound;
  return failure.code == FailureCode::kInvalid || failure.code == FailureCode::kTooLarge ? kExitRefused : kExitUsage;
}

}  // namespace

int Keys(const Globals& globals, const HostFlags& flags, const std::string& what) {
  const std::string project = ProjectFolder(globals);
  const std::string data = flags.data.empty() ? DataFolder(project) : flags.data;
  std::error_code error;
  if (!std::filesystem::is_directory(data, error)) {
    ReportError(globals, data + " is no folder of a host",
                "start the host once with teal serve, or name the folder with --data");
    return kExitNotFound;
  }
  const std::string file = KeysFile(data);
  if (what == "new") {
    const Result<std::string> key = serve::AddKey(file, flags.name, serve::RoleOf(flags.role).value());
    if (!key) return RefuseKey(globals, key.failure());
    if (globals.json) {
      std::printf("{\"name\":%s,\"role\":%s,\"key\":%s}\n", serve::JsonOf(flags.name).c_str(),
                  serve::JsonOf(flags.role).c_str(), serve::JsonOf(key.value()).c_str());
    } else {
      std::printf("%s\n", key.value().c_str());
    }
    return kExitDone;
  }
  if (what == "revoke") {
    const Status revoked = serve::RevokeKey(file, flags.name);
    if (!revoked) return RefuseKey(globals, revoked.failure());
    if (globals.json) std::printf("{\"revoked\":%s}\n", serve::JsonOf(flags.name).c_str());
    return kExitDone;
  }
  const Result<std::vector<serve::KeyEntry>> keys = serve::ReadKeys(file);
  if (!keys) return RefuseKey(globals, keys.failure());
  for (const serve::KeyEntry& key : keys.value()) {
    const std::string created = serve::FormatTime(key.created_unix_ns);
    const std::string role(NameOf(key.role));
    if (globals.json) {
      std::printf("{\"name\":%s,\"role\":%s,\"created\":%s}\n", serve::JsonOf(key.name).c_str(),
                  serve::JsonOf(role).c_str(), serve::JsonOf(created).c_str());
    } else {
      std::printf("%-20s  %-7s  %s\n", key.name.c_str(), role.c_str(), created.c_str());
    }
  }
  return kExitDone;
}

}  // namespace teal::cli
