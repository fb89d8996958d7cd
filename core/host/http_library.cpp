#include "core/host/http_library.h"

#define BOOST_DLL_USE_STD_FS
#include <dlfcn.h>
#include <unistd.h>

#include <boost/dll/shared_library.hpp>
#include <map>
#include <memory>
#include <mutex>

#include "core/host/file.h"
#include "core/host/keep.h"

namespace teal::host {
namespace {

constexpr const char* kName = "lib/teal/libteal_http.so";

std::string FindLibrary() {
  const std::string executable = ExecutableFolder();
  for (const std::string& folder : {executable + "/", executable + "/../"}) {
    const std::string path = AbsolutePath(folder + kName);
    if (::access(path.c_str(), R_OK) == 0) return path;
  }
  return {};
}

}  // namespace

Result<HttpLibrary*> HttpLibrary::Load(const std::string& given) {
  static std::mutex mutex;
  static auto* const loaded = new std::map<std::string, HttpLibrary*>;
  const std::string path = given.empty() ? FindLibrary() : AbsolutePath(given);
  if (path.empty()) {
    return Fail(FailureCode::kNotFound, std::string("there is no ") + kName + " beside " + ExecutableFolder() +
                                            "; plugins that speak HTTP need it: install teal again");
  }
  const std::lock_guard lock(mutex);
  HttpLibrary*& library = (*loaded)[path];
  if (library != nullptr) return library;
  try {
    const auto shared = std::make_shared<boost::dll::shared_library>();
    KeepForEver(shared);  // never unloaded
    shared->load(path, static_cast<boost::dll::load_mode::type>(RTLD_NOW | RTLD_NODELETE | RTLD_LOCAL));
    const auto* const table = shared->get<const teal_http_library*()>(TEAL_HTTP_LIBRARY_ENTRY)();
    if (table == nullptr || table->struct_size != sizeof *table || table->version != TEAL_HTTP_LIBRARY_VERSION) {
      return Fail(FailureCode::kInvalid, path + ": is of another version of teal; install teal again");
    }
    library = new HttpLibrary(table);
    return library;
  } catch (const std::exception& e) {
    return Fail(FailureCode::kUnavailable, path + ": cannot be loaded: " + e.what());
  }
}

Status HttpLibrary::SetFaults(const std::string& faults_json) {
  char error[512] = {};
  if (library_->set_faults(faults_json.c_str(), error, sizeof error) == 0) return Unit{};
  return Fail(FailureCode::kInvalid, error);
}

teal_http_stats HttpLibrary::Stats() const {
  teal_http_stats stats{};
  library_->stats(&stats);
  return stats;
}

}  // namespace teal::host
