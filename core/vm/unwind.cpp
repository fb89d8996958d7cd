// Errors: raising, handlers, and what becomes of the frames between.
#include <algorithm>

#include "core/base/mutant.h"
#include "core/vm/interpreter.h"
#include "core/vm/trace.h"
#include "core/vm/value_walk.h"

namespace teal::vm {
namespace {

// The same error with other data or another trace; a sole owner is changed in place. Precondition: an error.
Value WithTrace(Value error, Value trace) {
  if (!error.AsObject()->Sole()) {
    const Error* from = error.As<Error>();
    error = MakeError(from->kind, from->message, from->data);
  }
  error.As<Error>()->trace = std::move(trace);
  return error;
}

}  // namespace

bool Interpreter::Unwind(Thread& thread, uint32_t pc) {
  assert(thread.result_.tag() == Tag::kError && !thread.frames_.empty());
  if (thread.result_.As<Error>()->trace.IsNull() || TEAL_MUTANT("raising_again_forgets_trace")) {
    // Every frame is looked at, also those that the trace leaves out.
    CountWork(thread.frames_.size() * sizeof(FrameView));
    Value trace = TraceOf(thread.Stack(pc), thread.tid_, thread.program_->files());
    thread.result_ = WithTrace(std::move(thread.result_), std::move(trace));
  }
  const Program& program = *thread.program_;
  for (;;) {
    Frame& frame = thread.frames_.back();
    const Function& function = program.functions_[frame.function];
    Value* R = thread.registers_ + frame.base;
    const auto handler = std::find_if(function.handlers.begin(), function.handlers.end(),
                                      [pc](const Handler& h) { return h.from <= pc && pc < h.to; });
    if (handler != function.handlers.end()) {
      Move(R[handler->error_register], thread.result_);
      frame.pc = handler->target;
      thread.state_ = RunState::kBudget;
      break;
    }
    if (!TEAL_MUTANT("unwind_leaves_registers")) ClearRange(R, R + function.registers);
    if (frame.tail_history != 0) thread.tail_histories_.pop_back();
    thread.frames_.pop_back();
    if (thread.frames_.empty()) {
      thread.state_ = RunState::kFailed;
      break;
    }
    pc = thread.frames_.back().pc - (TEAL_MUTANT("unwind_one_behind_call") ? 0 : 1);
  }
  thread.low_water_ = std::min(thread.low_water_, thread.frames_.size());
  return thread.state_ != RunState::kFailed;
}

bool Interpreter::Raise(Thread& thread, Value& error) {
  if (error.tag_ != Tag::kError) {
    return Failed(thread, "type",
                  std::string(TypeName(error)) + " cannot be raised: raise takes an error, or kind, message and data");
  }
  Move(thread.result_, error);
  return false;
}

bool Interpreter::RaiseNew(Thread& thread, Value* parts) {
  static constexpr const char* kParts[] = {"kind", "message"};
  for (int part = 0; part < 2; part++) {
    if (parts[part].tag_ == Tag::kString) continue;
    return Failed(
        thread, "type",
        std::string("the ") + kParts[part] + " of an error is a string, not " + std::string(TypeName(parts[part])));
  }
  thread.result_ = MakeError(std::move(parts[0]), std::move(parts[1]), std::move(parts[2]));
  return false;
}

void Interpreter::Suppress(Value* errors) {
  if (errors[0].tag_ != Tag::kError || errors[1].tag_ != Tag::kError) return;
  const Error* from = errors[1].As<Error>();
  Value data = from->data;
  if (data.tag() != Tag::kHash) {
    Value hash = MakeHash();
    // Data that is no hash stays reachable.
    if (!data.IsNull()) hash = HashSet(std::move(hash), Value::FromText("data"), std::move(data));
    data = std::move(hash);
  }
  if (!TEAL_MUTANT("finally_loses_error")) data = HashSet(std::move(data), Value::FromText("suppressed"), errors[0]);
  Value made = MakeError(from->kind, from->message, std::move(data));
  made.As<Error>()->trace = from->trace;
  Move(errors[1], made);
}

}  // namespace teal::vm
