#include "cli/serve/reload.h"

#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include "cli/output.h"
#include "core/serve/package_source.h"

namespace teal::cli {
namespace {

namespace fs = std::filesystem;

constexpr size_t kFilesLookedAtMax = 20'000;  // below the project's folder

// How the programs and the teal.yaml below a folder look: of any file, since an import may name one that is not there
// yet.
std::string GlanceAtPrograms(const std::string& folder) {
  std::string seen;
  std::error_code error;
  size_t looked_at = 0;
  auto at = fs::recursive_directory_iterator(folder, fs::directory_options::skip_permission_denied, error);
  for (; !error && at != fs::recursive_directory_iterator(); at.increment(error)) {
    if (++looked_at > kFilesLookedAtMax) break;
    const std::string name = at->path().filename().string();
    std::error_code ignored;
    if (name.starts_with('.') || name == "node_modules" || name == "__pycache__") {
      if (at->is_directory(ignored)) at.disable_recursion_pending();
      continue;
    }
    if (!name.ends_with(".tl") && !name.ends_with(".hk") && name != runtime::kConfigFileName) continue;
    struct stat status{};
    if (::stat(at->path().c_str(), &status) != 0) continue;
    seen += at->path().string() + " " + std::to_string(status.st_mtim.tv_sec) + "." +
            std::to_string(status.st_mtim.tv_nsec) + " " + std::to_string(status.st_size) + " " +
            std::to_string(status.st_ino) + "\n";
  }
  return seen;
}

}  // namespace

Reloader::Reloader(const Globals& globals, std::string file, HostedSessions* sessions)
    : globals_(globals), file_(std::move(file)), name_(fs::path(file_).filename().string()), sessions_(sessions) {}

std::string Reloader::Glance() const {
  std::string seen = GlanceAtPrograms(loaded_.config.folder);
  if (loaded_.program != nullptr && !loaded_.program->imports().empty()) {
    seen += serve::GlanceAt(serve::SourceOf(loaded_.config, *loaded_.program));
  }
  return seen;
}

int Reloader::Begin(LoadedProgram loaded) {
  loaded_ = std::move(loaded);
  taken_ = seen_ = Glance();
  return sessions_->Use(loaded_, name_, &hash_);
}

bool Reloader::Look() {
  std::string now = Glance();
  const bool settled = now == seen_;
  seen_ = std::move(now);
  if (!settled || seen_ == taken_) return false;
  taken_ = seen_;
  LoadedProgram next;
  if (LoadProgram(globals_, file_, &next) != kExitDone) return false;
  std::string hash;
  if (sessions_->Use(next, name_, &hash) != kExitDone) return false;
  loaded_ = std::move(next);
  taken_ = seen_ = Glance();       // what it imports may be other files
  if (hash == hash_) return true;  // teal.yaml alone, perhaps
  const std::string before = std::exchange(hash_, hash);
  if (!globals_.quiet)
    WriteAll(STDERR_FILENO, "teal: new sessions take " + name_ + " as version " + hash.substr(0, 12) + "\n");
  sessions_->service().RemoveProgram(before, [](const auto&) {});
  return true;
}

}  // namespace teal::cli
