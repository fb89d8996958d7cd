#include "core/host/plugin.h"

#define BOOST_DLL_USE_STD_FS
#include <dlfcn.h>
#include <unistd.h>

#include <algorithm>
#include <boost/dll/shared_library.hpp>
#include <cstring>
#include <map>
#include <memory>
#include <mutex>
#include <system_error>

#include "core/host/crash_guard.h"
#include "core/host/keep.h"
#include "core/host/library_file.h"
#include "core/host/search.h"

namespace teal::host {
namespace {

constexpr const char* kKnownInterfaces[] = {TEAL_MEMORY_ID, TEAL_THREADS_ID, TEAL_TRIGGER_ID, TEAL_DEPLOY_ID};
constexpr uint32_t kTableBytesMin = sizeof(teal_plugin);  // of 1.0, which is this
constexpr uint32_t kKnownFlags = TEAL_PLUGIN_BLOCKING;

// The libraries of this process. Never destroyed: what is loaded stays.
struct Loaded {
  std::mutex mutex;  // also: one library is loaded at a time
  std::map<std::string, const Plugin*> by_hash;
  std::map<std::pair<dev_t, ino_t>, std::string> hash_by_file;
};
Loaded& TheLoaded() {
  static auto* const loaded = new Loaded;
  return *loaded;
}

std::string Whose(const Manifest& manifest) {
  return "plugin \"" + manifest.id + "\"";
}

// The loader's own words out of Boost's, with the library's true name.
std::string LoaderText(const std::string& what, const std::string& handed, const std::string& path) {
  constexpr std::string_view kBefore = "dlerror system message: ";
  constexpr std::string_view kAfter = "): ";
  std::string text = what;
  if (const size_t begin = text.find(kBefore); begin != std::string::npos) {
    text.erase(0, begin + kBefore.size());
    if (const size_t end = text.rfind(kAfter); end != std::string::npos) text.erase(end);
  }
  for (size_t at = text.find(handed); at != std::string::npos; at = text.find(handed, at + path.size())) {
    text.replace(at, handed.size(), path);
  }
  return text;
}

// What a thread inside the library may still use after it was given up.
struct Attempt {
  std::string path;     // what the loader is handed
  bool loaded = false;  // for good, whatever is found out about it after
  std::string why;      // empty: it went well
  const teal_plugin* table = nullptr;
};

// Why the table is not that of `manifest`; empty if it is. Runs get_interface, which is pure.
std::string WhyLies(const Manifest& manifest, const teal_plugin* table) {
  if (table == nullptr) return "its teal_plugin_v1 gave no table";
  if (table->struct_size < kTableBytesMin) {
    return "its table is " + std::to_string(table->struct_size) + " bytes long, and that of ABI 1.0 " +
           std::to_string(kTableBytesMin) + "; build it against teal/abi.h";
  }
  if (table->open == nullptr || table->close == nullptr || table->get_interface == nullptr ||
      table->cancel == nullptr) {
    return "its table lacks one of open, close, get_interface and cancel";
  }
  const auto differs = [](const char* what, const std::string& manifest_says, const std::string& library_says) {
    return std::string("its manifest says ") + what + " " + manifest_says + ", and the library says " + library_says;
  };
  const std::string id = table->id == nullptr ? "" : table->id;
  const std::string version = table->version == nullptr ? "" : table->version;
  if (id != manifest.id) return differs("id", "\"" + manifest.id + "\"", "\"" + id + "\"");
  if (version != manifest.version) return differs("version", manifest.version, version);
  if (table->abi_minor != manifest.abi_minor) {
    return differs("abi.minor", std::to_string(manifest.abi_minor), std::to_string(table->abi_minor));
  }
  if (table->host_minor_min != manifest.host_minor_min) {
    return differs("abi.host_minor_min", std::to_string(manifest.host_minor_min),
                   std::to_string(table->host_minor_min));
  }
  if (table->abi_minor <= TEAL_ABI_MINOR && (table->flags & ~kKnownFlags) != 0) {
    return "it sets flags that its ABI does not know";
  }
  for (const std::string& interface : manifest.interfaces) {
    if (table->get_interface(interface.c_str()) == nullptr) {
      return "its manifest says it offers " + interface + ", and the library does not";
    }
  }
  for (const char* const interface : kKnownInterfaces) {
    const bool said =
        std::find(manifest.interfaces.begin(), manifest.interfaces.end(), interface) != manifest.interfaces.end();
    if (!said && table->get_interface(interface) != nullptr) {
      return "the library offers " + std::string(interface) + ", and its manifest does not say so";
    }
  }
  return {};
}

// Foreign code runs from here on.
void LoadNow(const Manifest& manifest, Attempt& attempt) {
  const auto library = std::make_shared<boost::dll::shared_library>();
  KeepForEver(library);  // its destructor would unload
  try {
    library->load(attempt.path, static_cast<boost::dll::load_mode::type>(RTLD_NOW | RTLD_NODELETE | RTLD_LOCAL));
  } catch (const std::exception& e) {
    attempt.why = "the loader refuses it: " + LoaderText(e.what(), attempt.path, manifest.LibraryPath());
    return;
  }
  attempt.loaded = true;
  if (!library->has(TEAL_PLUGIN_ENTRY)) {
    attempt.why = "the library " + manifest.LibraryPath() + " is no plugin: it does not export " TEAL_PLUGIN_ENTRY;
    return;
  }
  const auto entry = library->get<const teal_plugin*()>(TEAL_PLUGIN_ENTRY);
  const teal_plugin* const table = entry();
  attempt.why = WhyLies(manifest, table);
  attempt.table = table;
}

Failure Refuse(const Manifest& manifest, const std::string& why, FailureCode code = FailureCode::kInvalid) {
  return Fail(code, Whose(manifest) + ": " + why);
}

}  // namespace

Plugin::Plugin(Manifest manifest, const teal_plugin* raw) : manifest_(std::move(manifest)), raw_(raw) {
  std::memcpy(&table_, raw, std::min<size_t>(raw->struct_size, sizeof table_));
}

bool Plugin::Offers(const std::string& id) const {
  return std::find(manifest_.interfaces.begin(), manifest_.interfaces.end(), id) != manifest_.interfaces.end();
}

const void* Plugin::Interface(const std::string& id) const {
  return Offers(id) ? table_.get_interface(id.c_str()) : nullptr;
}

Result<const Plugin*> LoadPlugin(const Manifest& manifest, const LoadOptions& options) {
  Result<LibraryFile> file = CheckLibrary(manifest, options.trust);
  if (!file) return file.failure();

  Loaded& loaded = TheLoaded();
  const std::lock_guard lock(loaded.mutex);
  if (const auto found = loaded.by_hash.find(file->sha256); found != loaded.by_hash.end()) {
    const std::string why = WhyLies(manifest, found->second->raw());
    if (!why.empty()) return Refuse(manifest, why);
    return found->second;
  }
  // The dynamic loader knows files by device and inode: it would hand out the old library.
  const auto key = std::make_pair(file->device, file->inode);
  if (const auto known = loaded.hash_by_file.find(key);
      known != loaded.hash_by_file.end() && known->second != file->sha256) {
    return Refuse(manifest, "the library " + manifest.LibraryPath() +
                                " was overwritten while its former version is loaded; start teal again");
  }

  // By this process's number, not as /proc/self, so that debuggers find the file behind the name.
  const auto attempt = std::make_shared<Attempt>();
  attempt->path = "/proc/" + std::to_string(::getpid()) + "/fd/" + std::to_string(file->fd.get());
  const int fd = file->fd.release();  // stays open: see plugin.h
  const auto owned = std::make_shared<const Manifest>(manifest);
  const bool came_back = RunWithin(options.load_ns_max, Whose(manifest), "its initialisers",
                                   [attempt, owned] { LoadNow(*owned, *attempt); }, {});
  if (!came_back) {
    ExitWithoutTheLoader();
    return Refuse(manifest,
                  "its initialisers did not come back within " + std::to_string(options.load_ns_max / 1'000'000) +
                      " ms; report it to the plugin's author, and take the plugin out to go on",
                  FailureCode::kUnavailable);
  }
  if (attempt->loaded) {
    loaded.hash_by_file[key] = file->sha256;
  } else {
    ::close(fd);  // nothing has its name
  }
  if (!attempt->why.empty()) return Refuse(manifest, attempt->why);
  return loaded.by_hash[file->sha256] = new Plugin(manifest, attempt->table);
}

Result<const Plugin*> LoadFound(const FoundPlugin& found, const TrustStore& trust) {
  if (!found.manifest) return found.manifest.failure();
  LoadOptions options;
  if (NeedsTrust(found.origin)) options.trust = &trust;
  return LoadPlugin(found.manifest.value(), options);
}

}  // namespace teal::host
