#include "cli/serve/wiring.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <future>
#include <thread>

#include "cli/output.h"
#include "cli/serve/plugin_of.h"
#include "cli/serve/python_host.h"
#include "cli/serve/sealing.h"
#include "core/host/file.h"
#include "core/host/instance.h"
#include "core/host/json.h"
#include "core/host/manifest.h"
#include "core/host/schema.h"
#include "core/host/secrets.h"
#include "core/host/services.h"
#include "core/runtime/durable.h"
#include "core/runtime/floor_store.h"
#include "core/runtime/memory_store.h"
#include "core/runtime/package.h"
#include "core/runtime/running_note.h"
#include "core/serve/package_source.h"
#include "core/serve/sealed_store.h"

namespace teal::cli {
namespace {

constexpr char kLocal[] = "local";
constexpr char kMemoryInterface[] = "teal.memory/1";
constexpr char kStoreFolder[] = "/store";
constexpr char kNoteFile[] = "/running";  // what it is doing, for the life after (P-25)

class LocalSessions : public HostedSessions {
 public:
  LocalSessions(const Globals& globals, const runtime::ProjectConfig& config, const std::string& data)
      : globals_(globals),
        config_(config),
        data_(data),
        python_(data, runtime::InterpreterOf(config.interpreter, config.folder)) {}
  ~LocalSessions() override {
    Stop();
    floor_.reset();
    sealed_.reset();
    store_.reset();  // what is still in the memory answers to the sessions
    if (note_file_ >= 0) ::close(note_file_);
  }

  // kExitDone, or reported.
  int Open(const MemoryChoice& memory, Serving serving);
  runtime::SessionService& service() override { return *sessions_; }
  host::Instance& memory() override { return *memory_; }
  runtime::Store& store() override {
    if (sealed_ != nullptr) return *sealed_;
    return *store_;
  }
  void WillStop() override {
    if (note_ != nullptr) note_->WillEnd();
  }
  void Begin() override;
  int Use(const LoadedProgram& loaded, const std::string& name, std::string* hash) override;
  Status UseNewest() override;
  void Stop() override;

 private:
  int Refuse(const Failure& failure, int code) const {
    ReportError(globals_, failure.message, "");
    return code;
  }
  Status OpenNote(const std::string& data);
  Result<std::unique_ptr<host::Instance>> OpenMemory(const MemoryChoice& choice);

  const Globals& globals_;
  const runtime::ProjectConfig& config_;
  const std::string data_;
  // In the order in which they are made; each uses those before it.
  std::unique_ptr<host::Services> services_;
  std::unique_ptr<host::Instance> memory_;
  std::unique_ptr<runtime::MemoryStore> store_;
  std::unique_ptr<serve::SealedStore> sealed_;  // where teal.yaml gives a key
  std::unique_ptr<runtime::FloorStore> floor_;  // where the memory cannot commit a whole session at once
  std::unique_ptr<runtime::RunningNote> note_;  // its file stays mapped until the process ends
  int note_file_ = -1;                          // locked: the folder is this host's alone
  runtime::RealClock clock_;
  PythonHost python_;
  std::unique_ptr<runtime::DurableSessions> sessions_;
  std::thread thread_;
};

// What depends on the lease keeps its share of it.
runtime::record::Constants ConstantsOf(uint32_t lease_seconds) {
  runtime::record::Constants constants;
  const auto scaled = [lease_seconds](uint64_t of_thirty_ns) { return of_thirty_ns / 30 * lease_seconds; };
  constants.lease_ns = scaled(constants.lease_ns);
  constants.guard_ns = scaled(constants.guard_ns);
  constants.skew_max_ns = scaled(constants.skew_max_ns);
  constants.due_round_ns = scaled(constants.due_round_ns);
  return constants;
}

// The plugin's configuration as its schema wants it.
Result<std::string> ConfigOf(const host::Manifest& manifest, const std::string& data, const MemoryChoice& choice) {
  std::string json = "{}";
  if (!choice.config_file.empty()) {
    Result<std::string> read = host::ReadSmallFile(choice.config_file, host::kConfigBytesMax);
    if (!read) return Fail(FailureCode::kInvalid, "--memory-config: " + read.failure().message);
    json = std::move(*read);
  } else if (choice.plugin == kLocal) {
    json = host::ToText({{"path", data + kStoreFolder}});
  }
  Result<std::string> config = host::ValidateConfig(manifest.config_schema, json, "memory");
  if (config || !choice.config_file.empty()) return config;
  return Fail(config.failure().code, config.failure().message + ": give it in a file, with --memory-config FILE");
}

Result<std::unique_ptr<host::Instance>> LocalSessions::OpenMemory(const MemoryChoice& choice) {
  const Result<const host::Plugin*> plugin = PluginOf(globals_, config_.folder, choice.plugin);
  if (!plugin) return plugin.failure();
  if (!plugin.value()->Offers(kMemoryInterface)) {
    return Fail(FailureCode::kInvalid, "the plugin " + choice.plugin + " is no memory: choose another with --memory");
  }
  Result<std::string> config = ConfigOf(plugin.value()->manifest(), data_, choice);
  if (!config) return config.failure();
  host::LogOptions log;
  log.level_min = globals_.verbose ? TEAL_LOG_DEBUG : TEAL_LOG_WARNING;
  Result<std::shared_ptr<host::Log>> made = host::Log::Make(std::move(log));
  if (!made) return made.failure();
  host::ServicesOptions services;
  services.log = std::move(*made);
  services.secrets = host::DefaultSecrets();
  services_ = std::make_unique<host::Services>(std::move(services));
  host::InstanceOptions options;
  options.config_json = std::move(*config);
  options.services = services_.get();
  return host::Instance::Open(*plugin.value(), options);
}

// Takes the folder for this host alone: a memory that several hosts share does not keep others out of it.
Status LocalSessions::OpenNote(const std::string& data) {
  const std::string path = data + kNoteFile;
  const int file = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  void* bytes = MAP_FAILED;
  const bool taken = file >= 0 && ::flock(file, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK;
  if (file >= 0 && !taken && ::ftruncate(file, runtime::RunningNote::kBytes) == 0) {
    bytes = ::mmap(nullptr, runtime::RunningNote::kBytes, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  }
  const int error = errno;
  note_file_ = file;
  if (taken) {
    return Fail(FailureCode::kUnavailable,
                "another host uses the folder " + data + ": give each host one of its own, with --data FOLDER");
  }
  if (bytes == MAP_FAILED)
    return Fail(FailureCode::kUnavailable, path + " cannot be mapped: " + host::ErrnoText(error));
  note_ = std::make_unique<runtime::RunningNote>(static_cast<char*>(bytes));
  return Unit{};
}

int LocalSessions::Open(const MemoryChoice& choice, Serving serving) {
  Result<std::unique_ptr<host::Instance>> memory = OpenMemory(choice);
  if (!memory) return Refuse(memory.failure(), kExitUsage);
  memory_ = std::move(*memory);
  store_ = std::make_unique<runtime::MemoryStore>(memory_->memory(), memory_->handle());
  const Result<Sealing> sealing = ReadSealing(config_.folder, globals_.stage);
  if (!sealing) return Refuse(sealing.failure(), kExitUsage);
  const Status may_open = serve::CheckSealing(store_.get(), sealing.value().seal.get(), sealing.value().clear);
  if (!may_open) return Refuse(may_open.failure(), kExitUsage);
  if (serving == Serving::kAll) {
    if (const Status noted = OpenNote(data_); !noted) return Refuse(noted.failure(), kExitUsage);
  }
  runtime::DurableOptions options;
  options.note = note_.get();
  options.store = store_.get();
  if (sealing.value().seal != nullptr) {
    sealed_ = std::make_unique<serve::SealedStore>(store_.get(), sealing.value().seal, sealing.value().clear);
    options.store = sealed_.get();
  }
  if (runtime::NeedsFloor(options.store->limits())) {
    floor_ = std::make_unique<runtime::FloorStore>(*options.store);
    options.store = floor_.get();
  }
  options.clock = &clock_;
  options.limits = config_.limits;
  options.constants = ConstantsOf(choice.lease_seconds);
  options.sweeps = serving == Serving::kAll;
  options.log = [](const std::string& line) { WriteAll(STDERR_FILENO, "teal: " + line + "\n"); };
  if (::getentropy(options.incarnation.data(), options.incarnation.size()) != 0) {
    return Refuse(Fail(FailureCode::kUnavailable, "the system gives no random numbers: " + host::ErrnoText(errno)),
                  kExitUsage);
  }
  options.foreign_of = [this](runtime::ForeignNeed need, auto done) { python_.Find(std::move(need), std::move(done)); };
  options.foreign_gone = [this](const Sha256& id, std::optional<Sha256> package) { python_.Forget(id, package); };
  sessions_ = std::make_unique<runtime::DurableSessions>(std::move(options));
  python_.SetSinks(sessions_.get(), sessions_.get());
  return kExitDone;
}

void LocalSessions::Begin() {
  if (!thread_.joinable()) thread_ = std::thread([this] { sessions_->Run(); });
}

int LocalSessions::Use(const LoadedProgram& loaded, const std::string& name, std::string* hash) {
  runtime::NewProgram program{name, loaded.compiled.executable, std::nullopt, true};
  Sha256 package{};
  if (!loaded.program->imports().empty()) {
    Result<runtime::Package> collected = serve::CollectPackage(serve::SourceOf(loaded.config, *loaded.program));
    if (!collected) return Refuse(collected.failure(), kExitUsage);
    Result<std::string> bytes = runtime::EncodePackage(std::move(*collected));
    if (!bytes) return Refuse(bytes.failure(), kExitUsage);
    package = Sha256Of(*bytes);
    program.package = std::move(*bytes);
  }
  const Sha256 id = runtime::record::ProgramId(Sha256Of(program.executable), package);
  if (program.package) {
    if (const int code = python_.LoadProject(globals_, loaded, id, *program.package); code != kExitDone) return code;
  }
  Begin();
  std::promise<Status> done;
  sessions_->ActivateSoon(std::move(program), [&done](const Status& status) { done.set_value(status); });
  const Status active = done.get_future().get();
  if (!active) return Refuse(active.failure(), kExitUsage);
  if (hash != nullptr) *hash = Hex(id);
  return kExitDone;
}

Status LocalSessions::UseNewest() {
  Begin();
  std::promise<Status> done;
  sessions_->ActivateNewest([&done](const Status& status) { done.set_value(status); });
  return done.get_future().get();
}

void LocalSessions::Stop() {
  if (thread_.joinable()) {
    WillStop();
    sessions_->Stop();
    thread_.join();
  }
  python_.Stop();  // its processes write into the sessions, which use them
}

}  // namespace

std::unique_ptr<HostedSessions> OpenSessions(const Globals& globals, const runtime::ProjectConfig& config,
                                             const std::string& data, const MemoryChoice& memory, Serving serving,
                                             int* code) {
  auto sessions = std::make_unique<LocalSessions>(globals, config, data);
  *code = sessions->Open(memory, serving);
  if (*code != kExitDone) return nullptr;
  return sessions;
}

}  // namespace teal::cli
