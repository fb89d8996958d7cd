#include "cli/serve/python_host.h"

#include "cli/python.h"
#include "core/runtime/package.h"

namespace teal::cli {

using runtime::ForeignCalls;

PythonHost::PythonHost(const std::string& data, std::string interpreter)
    : interpreter_(std::move(interpreter)), packages_(data), environments_(data), thread_([this] { Run(); }) {}

PythonHost::~PythonHost() {
  Stop();
}

void PythonHost::SetSinks(runtime::OutputSink* output, runtime::ForeignNotes* notes) {
  output_ = output;
  notes_ = notes;
}

void PythonHost::Later(std::function<void()> job) {
  const std::lock_guard<std::mutex> lock(mutex_);
  jobs_.push_back(std::move(job));
  changed_.notify_all();
}

void PythonHost::Run() {
  std::unique_lock<std::mutex> lock(mutex_);
  for (;;) {
    changed_.wait(lock, [this] { return stopping_ || !jobs_.empty(); });
    if (stopping_) return;
    const std::function<void()> job = std::move(jobs_.front());
    jobs_.pop_front();
    lock.unlock();
    job();
    lock.lock();
  }
}

Result<std::pair<std::string, std::string>> PythonHost::PlaceOf(const std::string& package) {
  const Result<runtime::Package> read = runtime::DecodePackage(package);
  if (!read) return read.failure();
  const std::lock_guard<std::mutex> lock(places_mutex_);
  Result<std::string> folder = packages_.Provide(Sha256Of(package), read.value());
  if (!folder) return folder.failure();
  if (read.value().requirements.empty()) return std::pair(interpreter_, std::move(*folder));
  Result<std::string> python = environments_.Provide(read.value().requirements, interpreter_);
  if (!python) return python.failure();
  return std::pair(std::move(*python), std::move(*folder));
}

Result<ForeignCalls*> PythonHost::Load(const runtime::ForeignNeed& need) {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (const auto found = kept_.find(need.id); found != kept_.end()) return found->second.get();
  }
  if (need.package == nullptr) {
    return Fail(FailureCode::kNotFound, "the program was kept without the package of its Python code");
  }
  const Result<std::pair<std::string, std::string>> place = PlaceOf(*need.package);
  if (!place) return place.failure();
  auto calls =
      std::make_unique<runtime::PythonCalls>(need.program, place.value().first, place.value().second, output_, notes_);
  calls->TellFilesWithoutFolder();
  const Result<runtime::WorkerLoadReport> report = calls->Load();
  if (!report) return report.failure();
  if (!report.value().failures.empty()) {
    return Fail(FailureCode::kUnavailable,
                "the Python of the program cannot be loaded: " + report.value().failures.front().message);
  }
  const std::lock_guard<std::mutex> lock(mutex_);
  std::unique_ptr<runtime::PythonCalls>& kept = kept_[need.id];
  if (kept == nullptr) kept = std::move(calls);
  return kept.get();
}

void PythonHost::Find(runtime::ForeignNeed need, std::function<void(Result<ForeignCalls*>)> done) {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (const auto found = kept_.find(need.id); found != kept_.end()) {
      ForeignCalls* const calls = found->second.get();
      jobs_.push_back([done = std::move(done), calls] { done(calls); });
      changed_.notify_all();
      return;
    }
  }
  Later([this, need = std::move(need), done = std::move(done)] { done(Load(need)); });
}

int PythonHost::LoadProject(const Globals& globals, const LoadedProgram& loaded, const Sha256& id,
                            const std::string& package) {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (kept_.count(id) > 0) return kExitDone;
  }
  const Result<std::pair<std::string, std::string>> place = PlaceOf(package);
  if (!place) {
    ReportError(globals, place.failure().message, "");
    return kExitUsage;
  }
  std::unique_ptr<runtime::PythonCalls> calls =
      LoadPython(globals, loaded, {place.value().first, place.value().second}, output_, notes_);
  if (calls == nullptr) return kExitUsage;
  const std::lock_guard<std::mutex> lock(mutex_);
  std::unique_ptr<runtime::PythonCalls>& kept = kept_[id];
  if (kept == nullptr) kept = std::move(calls);
  return kExitDone;
}

void PythonHost::Forget(const Sha256& id, std::optional<Sha256> package) {
  Later([this, id, package] {
    runtime::PythonCalls* calls = nullptr;
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      if (auto found = kept_.extract(id); !found.empty()) {
        ended_.push_back(std::move(found.mapped()));
        calls = ended_.back().get();
      }
    }
    if (calls != nullptr) calls->Shutdown();
    if (!package) return;
    const std::lock_guard<std::mutex> lock(places_mutex_);
    packages_.Forget(*package);
  });
}

void PythonHost::Stop() {
  environments_.Stop();
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    stopping_ = true;
    changed_.notify_all();
  }
  if (thread_.joinable()) thread_.join();
  for (const auto& [id, calls] : kept_) calls->Shutdown();
}

}  // namespace teal::cli
