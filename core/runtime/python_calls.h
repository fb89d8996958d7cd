// Foreign calls carried out by Python worker processes.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "core/base/result.h"
#include "core/runtime/foreign.h"
#include "core/runtime/output.h"
#include "core/runtime/worker_pool.h"

namespace teal::runtime {

// Takes what Python code says besides results. Safe to call from any thread; must not block for long.
class ForeignNotes {
 public:
  virtual ~ForeignNotes() = default;
  // `text` went to standard error.
  virtual void OnErrorText(std::string_view text) = 0;
  // teal.log(…): `fields` is a hash or null.
  virtual void OnLog(std::string_view sid, std::string_view tid, std::string_view level, std::string_view message,
                     const vm::Value& fields) = 0;
};

class PythonCalls : public ForeignCalls, private WorkerEvents {
 public:
  // The calls of `program`. folder: absolute, first in sys.path. output, notes: outlive this.
  PythonCalls(std::shared_ptr<const vm::Program> program, std::string interpreter, std::string folder,
              OutputSink* output, ForeignNotes* notes);
  ~PythonCalls() override;

  // Errors name files in the folder by their path in it: users know the files, not where this host keeps them. Before
  // Load.
  void TellFilesWithoutFolder();
  // Starts Python and imports all modules. Blocks. A report with failures: this cannot be used. kUnavailable: there is
  // no usable interpreter.
  Result<WorkerLoadReport> Load();

  uint64_t Start(const ForeignCall& call, std::function<void(ForeignOutcome)> done) override;
  void Flush() override { pool_->Flush(); }
  void Cancel(uint64_t number, double grace_seconds) override;
  int PositionOf(uint16_t import, std::string_view parameter) const override;
  bool CanWaitHere() const override { return true; }
  void WaitHere(std::chrono::nanoseconds longest) override { pool_->Drive(longest); }
  void EndWait() override { pool_->Interrupt(); }
  void Shutdown() override;

 private:
  struct Place;
  void NoteError(std::string_view text);
  void OnOutput(uint64_t tag, int stream, std::string_view text) override;
  void OnHeartbeat(uint64_t, std::string_view) override {}
  void OnLog(uint64_t tag, std::string_view level, std::string_view message, std::string_view fields) override;
  void OnStrayOutput(int stream, std::string_view text) override;

  const std::shared_ptr<const vm::Program> program_;
  const std::string folder_;
  std::string untold_;  // what file names begin with and errors leave out; constant after Load
  OutputSink* const output_;
  ForeignNotes* const notes_;
  std::vector<uint32_t> number_of_import_;
  std::vector<WorkerFunctionInfo> functions_;  // by number; constant after Load
  std::unique_ptr<WorkerPool> pool_;
};

}  // namespace teal::runtime
