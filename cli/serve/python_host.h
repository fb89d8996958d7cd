// The Python of every program that a host has sessions of: packages unpacked, environments made, worker processes.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "cli/globals.h"
#include "cli/program.h"
#include "core/runtime/durable.h"
#include "core/runtime/python_calls.h"
#include "core/serve/package_folder.h"
#include "core/serve/python_environment.h"

namespace teal::cli {

// Thread-safe.
class PythonHost {
 public:
  // data: the host's folder. interpreter: what runs programs without a lock file, and makes the environments of others.
  PythonHost(const std::string& data, std::string interpreter);
  // Stops.
  ~PythonHost();
  PythonHost(const PythonHost&) = delete;
  PythonHost& operator=(const PythonHost&) = delete;

  // Before anything else; both outlive this.
  void SetSinks(runtime::OutputSink* output, runtime::ForeignNotes* notes);

  // Of a project's program: loads the package as Find does, and reports what is wrong as `teal run` would. Blocks.
  // kExitDone, or an exit code.
  int LoadProject(const Globals& globals, const LoadedProgram& loaded, const Sha256& id, const std::string& package);
  // DurableOptions::foreign_of: at once what is loaded, else when it is, on a thread of this.
  void Find(runtime::ForeignNeed need, std::function<void(Result<runtime::ForeignCalls*>)> done);
  // DurableOptions::foreign_gone.
  void Forget(const Sha256& id, std::optional<Sha256> package);
  // Ends all processes. Afterwards nothing is called any more. Idempotent.
  void Stop();

 private:
  void Run();
  void Later(std::function<void()> job);
  Result<std::pair<std::string, std::string>> PlaceOf(const std::string& package);  // interpreter, folder
  Result<runtime::ForeignCalls*> Load(const runtime::ForeignNeed& need);

  const std::string interpreter_;
  runtime::OutputSink* output_ = nullptr;
  runtime::ForeignNotes* notes_ = nullptr;
  std::mutex places_mutex_;                 // held while packages are unpacked and requirements installed
  serve::PackageFolder packages_;           // guarded by places_mutex_
  serve::PythonEnvironments environments_;  // so, but for Stop
  std::mutex mutex_;
  // Guarded by mutex_.
  std::map<Sha256, std::unique_ptr<runtime::PythonCalls>> kept_;  // by program
  std::vector<std::unique_ptr<runtime::PythonCalls>> ended_;      // sessions that are gone may still name them
  std::deque<std::function<void()>> jobs_;
  bool stopping_ = false;
  std::condition_variable changed_;
  std::thread thread_;
};

}  // namespace teal::cli
