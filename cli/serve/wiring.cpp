#include "cli/serve/wiring.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <map>
#include <mutex>
#include <thread>
#include <vector>

#include "cli/output.h"
#include "cli/python.h"
#include "core/host/file.h"
#include "core/host/instance.h"
#include "core/host/json.h"
#include "core/host/search.h"
#include "core/host/services.h"
#include "core/host/trust.h"
#include "core/runtime/durable.h"
#include "core/runtime/floor_store.h"
#include "core/runtime/memory_store.h"
#include "core/runtime/running_note.h"

namespace teal::cli {
namespace {

using runtime::ForeignCalls;

constexpr char kMemoryPlugin[] = "local";
constexpr char kStoreFolder[] = "/store";
constexpr char kNoteFile[] = "/running";  // what it is doing, for the life after (P-25)

class LocalSessions : public HostedSessions {
 public:
  LocalSessions(const Globals& globals, const LoadedProgram& loaded) : globals_(globals), loaded_(loaded) {}
  ~LocalSessions() override {
    Stop();
    floor_.reset();
    store_.reset();  // what is still in the memory answers to the sessions
  }

  // kExitDone, or reported.
  int Open(const std::string& name, const std::string& data, Serving serving);
  runtime::SessionService& service() override { return *sessions_; }
  void WillStop() override {
    if (note_ != nullptr) note_->WillEnd();
  }
  void Stop() override;

 private:
  int Refuse(const Failure& failure, int code) const {
    ReportError(globals_, failure.message, "");
    return code;
  }
  Status OpenNote(const std::string& data);
  Result<std::unique_ptr<host::Instance>> OpenMemory(const std::string& data);
  Result<ForeignCalls*> ForeignOf(const std::shared_ptr<const vm::Program>& program);

  const Globals& globals_;
  const LoadedProgram& loaded_;
  // In the order in which they are made; each uses those before it.
  std::unique_ptr<host::Services> services_;
  std::unique_ptr<host::Instance> memory_;
  std::unique_ptr<runtime::MemoryStore> store_;
  std::unique_ptr<runtime::FloorStore> floor_;  // where the memory cannot commit a whole session at once
  std::unique_ptr<runtime::RunningNote> note_;  // its file stays mapped until the process ends
  runtime::RealClock clock_;
  std::mutex mutex_;
  std::map<Sha256, std::unique_ptr<runtime::PythonCalls>> python_;  // by program; guarded by mutex_
  std::unique_ptr<runtime::DurableSessions> sessions_;
  std::thread thread_;
};

Result<std::unique_ptr<host::Instance>> LocalSessions::OpenMemory(const std::string& data) {
  host::SearchOptions search;
  search.flags = globals_.plugins;
  search.project_folder = loaded_.config.folder;
  const Result<host::FoundPlugin> found = host::FindPlugin(kMemoryPlugin, host::SearchPath(search));
  if (!found) return found.failure();
  host::TrustStore trust;
  if (const Result<std::string> path = host::TrustStore::DefaultPath();
      path && host::NeedsTrust(found.value().origin)) {
    Result<host::TrustStore> read = host::TrustStore::Read(path.value());
    if (!read) return read.failure();
    trust = std::move(*read);
  }
  const Result<const host::Plugin*> plugin = host::LoadFound(found.value(), trust);
  if (!plugin) return plugin.failure();
  host::LogOptions log;
  log.level_min = globals_.verbose ? TEAL_LOG_DEBUG : TEAL_LOG_WARNING;
  Result<std::shared_ptr<host::Log>> made = host::Log::Make(std::move(log));
  if (!made) return made.failure();
  host::ServicesOptions services;
  services.log = std::move(*made);
  services_ = std::make_unique<host::Services>(std::move(services));
  host::InstanceOptions options;
  options.config_json = host::ToText({{"path", data + kStoreFolder}});
  options.services = services_.get();
  return host::Instance::Open(*plugin.value(), options);
}

// Precondition: the memory is open, so no other host has the folder.
Status LocalSessions::OpenNote(const std::string& data) {
  const std::string path = data + kNoteFile;
  const int file = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  void* bytes = MAP_FAILED;
  if (file >= 0 && ::ftruncate(file, runtime::RunningNote::kBytes) == 0) {
    bytes = ::mmap(nullptr, runtime::RunningNote::kBytes, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  }
  const int error = errno;
  if (file >= 0) ::close(file);
  if (bytes == MAP_FAILED)
    return Fail(FailureCode::kUnavailable, path + " cannot be mapped: " + host::ErrnoText(error));
  note_ = std::make_unique<runtime::RunningNote>(static_cast<char*>(bytes));
  return Unit{};
}

// Called on the host's thread, and once before it is there.
Result<ForeignCalls*> LocalSessions::ForeignOf(const std::shared_ptr<const vm::Program>& program) {
  const std::lock_guard<std::mutex> lock(mutex_);
  std::unique_ptr<runtime::PythonCalls>& calls = python_[program->hash()];
  if (calls != nullptr) return calls.get();
  const std::string interpreter = runtime::InterpreterOf(loaded_.config.interpreter, loaded_.config.folder);
  auto made = std::make_unique<runtime::PythonCalls>(program, interpreter, loaded_.config.folder, sessions_.get(),
                                                     sessions_.get());
  const Result<runtime::WorkerLoadReport> report = made->Load();
  if (!report) return report.failure();
  if (!report.value().failures.empty()) {
    const runtime::WorkerLoadFailure& first = report.value().failures.front();
    return Fail(FailureCode::kUnavailable, "the Python of the program cannot be loaded: " + first.message);
  }
  calls = std::move(made);
  return calls.get();
}

int LocalSessions::Open(const std::string& name, const std::string& data, Serving serving) {
  Result<std::unique_ptr<host::Instance>> memory = OpenMemory(data);
  if (!memory) return Refuse(memory.failure(), kExitUsage);
  memory_ = std::move(*memory);
  store_ = std::make_unique<runtime::MemoryStore>(memory_->memory(), memory_->handle());
  if (serving == Serving::kAll) {
    if (const Status noted = OpenNote(data); !noted) return Refuse(noted.failure(), kExitUsage);
  }
  runtime::DurableOptions options;
  options.note = note_.get();
  options.store = store_.get();
  if (runtime::NeedsFloor(store_->limits())) {
    floor_ = std::make_unique<runtime::FloorStore>(*store_);
    options.store = floor_.get();
  }
  options.clock = &clock_;
  options.limits = loaded_.config.limits;
  options.sweeps = serving == Serving::kAll;
  options.log = [](const std::string& line) { WriteAll(STDERR_FILENO, "teal: " + line + "\n"); };
  if (::getentropy(options.incarnation.data(), options.incarnation.size()) != 0) {
    return Refuse(Fail(FailureCode::kUnavailable, "the system gives no random numbers: " + host::ErrnoText(errno)),
                  kExitUsage);
  }
  options.foreign_of = [this](const std::shared_ptr<const vm::Program>& program) { return ForeignOf(program); };
  sessions_ = std::make_unique<runtime::DurableSessions>(std::move(options));
  if (loaded_.program != nullptr && !loaded_.program->imports().empty()) {
    std::unique_ptr<runtime::PythonCalls> calls = LoadPython(globals_, loaded_, sessions_.get(), sessions_.get());
    if (calls == nullptr) return kExitUsage;
    python_[loaded_.program->hash()] = std::move(calls);
  }
  thread_ = std::thread([this] { sessions_->Run(); });
  if (loaded_.program == nullptr) return kExitDone;
  const Status active = sessions_->Activate(name, loaded_.compiled.executable);
  return active ? static_cast<int>(kExitDone) : Refuse(active.failure(), kExitUsage);
}

void LocalSessions::Stop() {
  if (!thread_.joinable()) return;
  WillStop();
  sessions_->Stop();
  thread_.join();
  // They write into the sessions, which use them.
  const std::lock_guard<std::mutex> lock(mutex_);
  for (const auto& [id, calls] : python_) {
    if (calls != nullptr) calls->Shutdown();
  }
}

}  // namespace

std::unique_ptr<HostedSessions> OpenSessions(const Globals& globals, const LoadedProgram& loaded,
                                             const std::string& name, const std::string& data, Serving serving,
                                             int* code) {
  auto sessions = std::make_unique<LocalSessions>(globals, loaded);
  *code = sessions->Open(name, data, serving);
  if (*code != kExitDone) return nullptr;
  return sessions;
}

}  // namespace teal::cli
