// Calls that the loop does not do itself: of any value, with keywords, of a list of arguments, in tail position.
#include <algorithm>

#include "core/base/mutant.h"
#include "core/vm/builtins.h"
#include "core/vm/display.h"
#include "core/vm/interpreter.h"

namespace teal::vm {
namespace {

constexpr size_t kShownBytesMax = 60;  // of a value in a message

std::string Counted(uint64_t count) {
  return std::to_string(count) + (count == 1 ? " argument" : " arguments");
}

}  // namespace

bool Interpreter::Failed(Thread& thread, std::string_view kind, std::string_view message) {
  thread.result_ = MakeError(kind, message);
  return false;
}

bool Interpreter::WrongCount(Thread& thread, std::string_view name, uint64_t least, uint64_t most, uint64_t given) {
  std::string takes = least == most ? Counted(least)
                      : most == 255 ? "at least " + Counted(least)
                                    : std::to_string(least) + " to " + Counted(most);
  return Failed(thread, "arity",
                std::string(name) + " takes " + takes + ", " + std::to_string(given) +
                    (given == 1 ? " was given" : " were given"));
}

bool Interpreter::NotCallable(Thread& thread, const Value& value) {
  std::string message(TypeName(value));
  message += " is not a function";
  if (!value.IsNull()) message += ": " + ShortForm(value, kShownBytesMax) + " was called";
  return Failed(thread, "type", message);
}

bool Interpreter::MakeRoom(Thread& thread, uint64_t end, bool frame) {
  if (frame && thread.frames_.full()) {
    const uint32_t frames = thread.frames_.size();
    if (frames >= kFramesMax) return Failed(thread, "stack_overflow", "more than 100,000 calls within each other");
    thread.frames_.reserve(std::clamp(frames * 2, 8u, kFramesMax));
  }
  if (thread.EnsureRegisters(end)) return true;
  return Failed(thread, "stack_overflow", "the variables of the calls within each other take more than 256 MiB");
}

void Interpreter::RecordTailCall(Thread& thread, Frame& frame) {
  if (frame.tail_history == 0) {
    thread.tail_histories_.emplace_back();
    frame.tail_history = static_cast<uint32_t>(thread.tail_histories_.size());
  }
  Thread::TailHistory& history = thread.tail_histories_[frame.tail_history - 1];
  history.ring[TEAL_MUTANT("tail_history_keeps_last_only") ? 0 : history.count % kTailCallsKept] = {frame.function,
                                                                                                    frame.pc};
  // After 2^32 calls the count goes on in its upper half, so that it never looks as if few had been made.
  if (++history.count == 0) history.count = 1u << 31;
}

// Puts the keyword arguments into their places: arguments[0 .. count) become arguments[0 .. parameters). Registers from
// arguments + count on are null, and there is room.
bool Interpreter::BindKeywords(Thread& thread, const Function& function, Value* arguments, uint32_t count) {
  const auto parameters = static_cast<uint32_t>(function.parameters.size());
  if (arguments[count - 1].tag() != Tag::kHash) return Failed(thread, "internal", "keyword arguments that are no hash");
  const Value keywords = std::move(arguments[count - 1]);
  const uint32_t positional = count - 1;
  if (positional > parameters) {
    return WrongCount(thread, function.name, parameters, parameters, positional + keywords.As<Hash>()->size);
  }
  std::vector<bool> given(parameters);
  std::fill_n(given.begin(), positional, true);
  const Hash* hash = keywords.As<Hash>();
  for (uint64_t e = 0; e < hash->used; e++) {
    const Hash::Entry& entry = hash->entries[e];
    if (Hash::IsHole(entry)) continue;
    const bool named = entry.key.tag() == Tag::kString || entry.key.tag() == Tag::kSymbol;
    uint32_t place = 0;
    while (place < parameters && !(named && function.parameters[place].Text() == entry.key.Text())) place++;
    if (place == parameters) return Failed(thread, "arity", function.name + " has no parameter " + Display(entry.key));
    if (given[place] && !TEAL_MUTANT("keyword_may_repeat_position"))
      return Failed(thread, "arity", function.name + ": the argument " + Display(entry.key) + " is given twice");
    given[place] = true;
    arguments[place] = entry.value;
  }
  for (uint32_t place = 0; place < parameters; place++) {
    if (!given[place]) {
      return Failed(thread, "arity",
                    function.name + ": the argument " + Display(function.parameters[place]) + " is missing");
    }
  }
  return true;
}

// Enters a function or closure. Its arguments stand at registers_[base ..] and are the last that the top frame needs.
Interpreter::Outcome Interpreter::Enter(Thread& thread, const Value& callee, uint32_t base, uint32_t count,
                                        bool keywords, uint32_t return_to, bool tail) {
  const bool closure = callee.tag_ == Tag::kClosure;
  Closure* captured = closure ? callee.As<Closure>() : nullptr;
  const uint32_t index = closure ? captured->function : callee.AsIndex();
  const Program& program = *thread.program_;
  if (index >= program.functions_.size() || program.callees_[index].captures != (closure ? captured->count : 0)) {
    Failed(thread, "internal", "a function value that does not belong to this program");
    return Outcome::kError;
  }
  const Program::Callee& to = program.callees_[index];
  const Function& function = program.functions_[index];
  const uint64_t window_end =
      thread.frames_.back().base + uint64_t{program.callees_[thread.frames_.back().function].registers};
  if (!keywords && count != to.parameters) {
    WrongCount(thread, function.name, to.parameters, to.parameters, count);
    return Outcome::kError;
  }
  if (!MakeRoom(thread, std::max<uint64_t>(base + std::max<uint64_t>(to.registers, count), window_end), !tail))
    return Outcome::kError;
  Value* arguments = thread.registers_ + base;
  if (keywords) {
    ClearRange(arguments + count, thread.registers_ + window_end);
    if (!BindKeywords(thread, function, arguments, count)) {
      ClearRange(arguments, arguments + std::max<uint32_t>(count, to.parameters));
      return Outcome::kError;
    }
    count = to.parameters;
  }
  Frame& frame = thread.frames_.back();
  Value* first = arguments;
  if (tail) {
    RecordTailCall(thread, frame);
    first = thread.registers_ + frame.base;
    if (TEAL_MUTANT("tail_call_swaps_arguments") && count == 2) std::swap(arguments[0], arguments[1]);
    for (uint32_t n = 0; n < count && first != arguments; n++) Move(first[n], arguments[n]);
  }
  ClearRange(first + count, std::max(arguments + count, thread.registers_ + window_end));
  Value* at = first + count;
  for (uint32_t n = 0; n < to.captures; n++, at++) Copy(*at, captured->captures()[n]);
  if (to.self_register) Copy(*at, callee);
  if (tail) {
    frame.function = index;
    frame.pc = 0;
  } else {
    thread.frames_.push_back({index, 0, base, return_to, 0});
  }
  return Outcome::kGo;
}

// A builtin by its id: a pure one is computed, another one is asked for by the caller.
Interpreter::Outcome Interpreter::CallBuiltinValue(Thread& thread, uint16_t id, Value* arguments, uint32_t count,
                                                   bool keywords, Value* result) {
  const BuiltinInfo& info = BuiltinOf(id);
  if (info.name.empty()) {
    Failed(thread, "internal", "no builtin has the number " + std::to_string(id));
    return Outcome::kError;
  }
  if (keywords) {
    Failed(thread, "arity", std::string(info.name) + " takes no keyword arguments");
    return Outcome::kError;
  }
  if (count < info.least || (info.most != 255 && count > info.most)) {
    WrongCount(thread, info.name, info.least, info.most, count);
    return Outcome::kError;
  }
  if (info.kind != BuiltinKind::kPure) return Outcome::kRequest;
  Value made;
  if (!PureBuiltinOf(id)(arguments, count, &made)) {
    thread.result_ = std::move(made);
    return Outcome::kError;
  }
  *result = std::move(made);
  return Outcome::kGo;
}

Interpreter::Outcome Interpreter::CallValue(Thread& thread, Instruction i) {
  const bool tail = i.op == kTailCall;
  const bool keywords = (i.flags & kKeywords) != 0;
  const uint32_t destination = tail ? i.a : i.c;
  const Frame& frame = thread.frames_.back();
  Value* R = thread.registers_ + frame.base;
  switch (R[i.a].tag_) {
    case Tag::kFunction:
    case Tag::kClosure: {
      const Value callee = std::move(R[i.a]);
      const uint32_t base = frame.base + i.a + 1;
      return Enter(thread, callee, base, i.b, keywords, destination, tail);
    }
    case Tag::kBuiltin: {
      Value result;
      const Outcome outcome =
          CallBuiltinValue(thread, static_cast<uint16_t>(R[i.a].AsIndex()), R + i.a + 1, i.b, keywords, &result);
      if (outcome == Outcome::kRequest) return AskFor(thread, i);
      ClearRange(R + i.a, R + i.a + 1 + i.b);
      if (outcome == Outcome::kGo) Move(R[destination], result);
      return outcome;
    }
    case Tag::kForeign:
      return AskFor(thread, i);
    default:
      NotCallable(thread, R[i.a]);
      return Outcome::kError;
  }
}

Interpreter::Outcome Interpreter::Apply(Thread& thread, Instruction i) {
  const bool keywords = (i.flags & kKeywords) != 0;
  const Frame& frame = thread.frames_.back();
  Value* R = thread.registers_ + frame.base;
  const Value callee = R[i.b];
  const Value arguments = R[i.c];
  if (!callee.IsCallable()) {
    NotCallable(thread, callee);
    return Outcome::kError;
  }
  if (arguments.tag_ != Tag::kList || (keywords && arguments.As<List>()->size == 0)) {
    Failed(thread, "internal", "the arguments of a call are no list");
    return Outcome::kError;
  }
  const List* list = arguments.As<List>();
  if (callee.tag_ == Tag::kForeign) return AskFor(thread, i);
  if (callee.tag_ == Tag::kBuiltin) {
    std::vector<Value> copies(list->items, list->items + list->size);
    Value result;
    const Outcome outcome = CallBuiltinValue(thread, static_cast<uint16_t>(callee.AsIndex()), copies.data(),
                                             static_cast<uint32_t>(copies.size()), keywords, &result);
    if (outcome == Outcome::kRequest) return AskFor(thread, i);
    if (outcome == Outcome::kGo) Move(R[i.a], result);
    return outcome;
  }
  // The arguments go above this frame's window. More than a function can have are not copied: the count is wrong.
  const uint64_t base = frame.base + uint64_t{thread.program_->callees_[frame.function].registers};
  const uint64_t count = std::min<uint64_t>(list->size, kParametersMax + 1);
  if (list->size > count) {
    WrongCount(thread, "the function", 0, kParametersMax, list->size);
    return Outcome::kError;
  }
  if (!MakeRoom(thread, base + count, true)) return Outcome::kError;
  Value* to = thread.registers_ + base;
  for (uint64_t n = 0; n < count; n++) Copy(to[n], list->items[n]);
  const Outcome outcome =
      Enter(thread, callee, static_cast<uint32_t>(base), static_cast<uint32_t>(count), keywords, i.a, false);
  if (outcome == Outcome::kError) ClearRange(thread.registers_ + base, thread.registers_ + base + count);
  return outcome;
}

Interpreter::Outcome Interpreter::TailCallFunction(Thread& thread, Instruction i) {
  const uint32_t base = thread.frames_.back().base + i.a;
  return Enter(thread, Value::Function(i.b), base, thread.program_->callees_[i.b].parameters, false, 0, true);
}

bool Interpreter::CheckRequest(Thread& thread, const RequestPlace& place, const Value* registers) {
  const Program& program = *thread.program_;
  const Value* arguments = registers + place.arguments;
  uint64_t count = place.argument_count;
  if (place.spread) {
    const Value& list = registers[place.second];
    if (list.tag_ != Tag::kList) return Failed(thread, "internal", "the arguments of a call are no list");
    arguments = list.As<List>()->items;
    count = list.As<List>()->size;
  }
  switch (place.kind) {
    case RequestKind::kForeign:
      if (place.id >= program.imports_.size())
        return Failed(thread, "internal", "a foreign function that is not imported");
      break;
    case RequestKind::kHost: {
      const BuiltinInfo& info = BuiltinOf(place.id);
      if (info.name.empty() || info.kind == BuiltinKind::kPure) return Failed(thread, "internal", "no such builtin");
      if (place.keywords) return Failed(thread, "arity", std::string(info.name) + " takes no keyword arguments");
      if (count < info.least || (info.most != 255 && count > info.most)) {
        return WrongCount(thread, info.name, info.least, info.most, count);
      }
      break;
    }
    case RequestKind::kSpawn:
      if (!arguments[0].IsCallable()) return NotCallable(thread, arguments[0]);
      break;
    case RequestKind::kAwait:
      if (arguments[0].tag_ != Tag::kFuture) return Failed(thread, "internal", "what is awaited is no future");
      break;
    case RequestKind::kNone:
      return Failed(thread, "internal", "nothing is asked for");
  }
  if (place.keywords && (count == 0 || arguments[count - 1].tag_ != Tag::kHash)) {
    return Failed(thread, "internal", "keyword arguments that are no hash");
  }
  return true;
}

Interpreter::Outcome Interpreter::AskFor(Thread& thread, Instruction i) {
  const Value* R = thread.registers_ + thread.frames_.back().base;
  const RequestPlace place = RequestOf(i, R);
  if (!CheckRequest(thread, place, R)) return Outcome::kError;
  thread.EnterRequest(place);
  return Outcome::kRequest;
}

}  // namespace teal::vm
