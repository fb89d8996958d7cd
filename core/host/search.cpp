#include "core/host/search.h"

#include <sys/stat.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <set>
#include <string_view>
#include <system_error>

#include "core/host/file.h"
#include "core/host/json.h"

namespace teal::host {
namespace {

namespace fs = std::filesystem;

bool IsManifestName(std::string_view name) {
  return name.size() > kManifestEnding.size() && name.substr(name.size() - kManifestEnding.size()) == kManifestEnding;
}

bool IsFolder(const std::string& path) {
  std::error_code error;
  return fs::is_directory(path, error);
}

FoundPlugin Read(const std::string& path, Origin origin) {
  return {path, origin, false, ReadManifest(path)};
}

// The manifests in a folder by name; a folder that is not there has none.
std::vector<FoundPlugin> InFolder(const std::string& folder, Origin origin) {
  std::error_code error;
  std::vector<std::string> names;
  for (fs::directory_iterator at(folder, error), end; !error && at != end; at.increment(error)) {
    const std::string name = at->path().filename().string();
    if (IsManifestName(name)) names.push_back(name);
  }
  std::vector<FoundPlugin> found;
  if (error && error != std::errc::no_such_file_or_directory && error != std::errc::not_a_directory) {
    found.push_back(
        {folder, origin, false, Fail(FailureCode::kUnavailable, folder + ": cannot be listed: " + error.message())});
    return found;
  }
  if (names.size() > kManifestsOfFolderMax) {
    found.push_back({folder, origin, false,
                     Fail(FailureCode::kTooLarge,
                          folder + ": holds more than " + std::to_string(kManifestsOfFolderMax) + " manifests")});
    return found;
  }
  std::sort(names.begin(), names.end());
  for (const std::string& name : names) found.push_back(Read(folder + "/" + name, origin));
  return found;
}

// What --plugin may name.
std::vector<FoundPlugin> AtPath(const std::string& path, Origin origin) {
  if (IsFolder(path)) return InFolder(path, origin);
  if (IsManifestName(path)) return {Read(path, origin)};
  // A library: the manifest beside it that names it.
  const std::string name = fs::path(path).filename().string();
  for (FoundPlugin& found : InFolder(FolderOf(path), origin)) {
    if (found.manifest && found.manifest->library == name) return {std::move(found)};
  }
  return {{path, origin, false,
           Fail(FailureCode::kNotFound, path + ": is no manifest (NAME" + std::string(kManifestEnding) +
                                            "), no folder with one, and no library that a manifest beside it names")}};
}

}  // namespace

const char* OriginName(Origin origin) {
  switch (origin) {
    case Origin::kFlag:
      return "--plugin";
    case Origin::kEnvironment:
      return "TEAL_PLUGIN_PATH";
    case Origin::kProject:
      return "project";
    case Origin::kUser:
      return "user";
    case Origin::kInstall:
      return "install";
  }
  return "";
}

std::vector<SearchPlace> SearchPath(const SearchOptions& options) {
  std::vector<SearchPlace> places;
  for (const std::string& flag : options.flags) places.push_back({AbsolutePath(flag), Origin::kFlag});
  const char* const variable = std::getenv("TEAL_PLUGIN_PATH");
  std::string_view rest = variable == nullptr ? "" : variable;
  while (!rest.empty()) {
    const size_t colon = rest.find(':');
    const std::string_view part = rest.substr(0, colon);
    rest = colon == std::string_view::npos ? "" : rest.substr(colon + 1);
    if (!part.empty()) places.push_back({AbsolutePath(std::string(part)), Origin::kEnvironment});
  }
  if (!options.project_folder.empty()) {
    places.push_back({AbsolutePath(options.project_folder + "/.teal/plugins"), Origin::kProject});
  }
  const char* const data = std::getenv("XDG_DATA_HOME");
  const std::string home = HomeFolder();
  if (data != nullptr && data[0] == '/') {
    places.push_back({AbsolutePath(std::string(data) + "/teal/plugins"), Origin::kUser});
  } else if (!home.empty()) {
    places.push_back({AbsolutePath(home + "/.local/share/teal/plugins"), Origin::kUser});
  }
  const std::string executable = ExecutableFolder();
  if (!executable.empty()) {
    places.push_back({AbsolutePath(executable + "/lib/teal/plugins"), Origin::kInstall});
    places.push_back({AbsolutePath(executable + "/../lib/teal/plugins"), Origin::kInstall});
  }
  return places;
}

std::vector<FoundPlugin> FindPlugins(const std::vector<SearchPlace>& places) {
  std::vector<FoundPlugin> all;
  std::set<std::string> ids;
  std::set<std::string> paths;
  for (const SearchPlace& place : places) {
    for (FoundPlugin& found :
         place.origin == Origin::kFlag ? AtPath(place.path, place.origin) : InFolder(place.path, place.origin)) {
      if (!paths.insert(found.path).second) continue;  // a place named twice
      if (found.manifest) found.shadowed = !ids.insert(found.manifest->id).second;
      all.push_back(std::move(found));
    }
  }
  return all;
}

FoundPlugin FindAt(const std::string& path) {
  const std::string absolute = AbsolutePath(path);
  std::vector<FoundPlugin> found = AtPath(absolute, Origin::kFlag);
  if (found.size() == 1) return std::move(found.front());
  return {absolute, Origin::kFlag, false,
          Fail(FailureCode::kNotFound,
               absolute + (found.empty() ? ": holds no manifest (NAME" + std::string(kManifestEnding) + ")"
                                         : ": holds several manifests; name one of them"))};
}

Result<FoundPlugin> FindPlugin(const std::string& id, const std::vector<SearchPlace>& places) {
  std::vector<std::string> ids;
  for (FoundPlugin& found : FindPlugins(places)) {
    if (found.manifest) {
      if (found.manifest->id == id) return std::move(found);
      ids.push_back(found.manifest->id);
    } else if (fs::path(found.path).filename().string() == id + std::string(kManifestEnding)) {
      return found.manifest.failure();
    }
  }
  std::string message = "there is no plugin \"" + id + "\"";
  const std::string nearest = NearestName(id, ids);
  if (!nearest.empty()) message += "; did you mean \"" + nearest + "\"?";
  message += " Looked in:";
  for (const SearchPlace& place : places) message += " " + place.path + " (" + OriginName(place.origin) + ")";
  return Fail(FailureCode::kNotFound, message);
}

}  // namespace teal::host
