#include "core/vm/thread.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <new>

#include "core/base/sha256.h"
#include "core/vm/builtins.h"
#include "core/vm/interpreter.h"
#include "core/vm/trace.h"

namespace teal::vm {

static_assert(sizeof(Thread) <= 320, "100,000 parked threads take at most 1 KB each");
static_assert(std::is_trivially_copyable_v<Frame>);

// ---- frames ----

FrameStack::~FrameStack() {
  std::free(begin_);
}

void FrameStack::Reallocate(uint32_t capacity) {
  assert(capacity >= size() && capacity <= kFramesMax);
  const size_t used = size();
  auto* moved = static_cast<Frame*>(std::realloc(begin_, std::max<size_t>(capacity, 1) * sizeof(Frame)));
  if (moved == nullptr) std::abort();
  begin_ = moved;
  end_ = moved + used;
  limit_ = moved + capacity;
}

void FrameStack::reserve(uint32_t capacity) {
  if (capacity > this->capacity()) Reallocate(capacity);
}

void FrameStack::shrink_to_fit() {
  if (size() < capacity()) Reallocate(size());
}

void FrameStack::Grow() {
  assert(size() < kFramesMax);
  Reallocate(std::clamp(size() * 2, 1u, kFramesMax));
}

// ---- construction ----

Thread::Thread(std::shared_ptr<const Program> program, std::string tid)
    : program_(std::move(program)), tid_(std::move(tid)) {}

uint64_t Thread::OriginOf(std::string_view tid) {
  const Sha256 digest = Sha256Of(tid);
  uint64_t origin = 0;
  std::memcpy(&origin, digest.data(), sizeof origin);
  return origin;
}

Thread::Thread(std::shared_ptr<const Program> program, std::string tid, Value callee, std::vector<Value> arguments,
               bool keywords)
    : Thread(std::move(program), std::move(tid)) {
  uint32_t index = callee.tag() == Tag::kFunction ? callee.AsIndex() : program_->ApplyFunction();
  const std::vector<Function>& functions = program_->functions();
  const bool direct = index < program_->ApplyFunction() && !keywords && functions[index].captures == 0 &&
                      functions[index].parameters.size() == arguments.size();
  if (!direct) index = program_->ApplyFunction();
  const Function& function = functions[index];
  [[maybe_unused]] const bool room = EnsureRegisters(function.registers);
  assert(room);
  if (direct) {
    std::move(arguments.begin(), arguments.end(), registers_);
    if (function.self_register) registers_[arguments.size()] = std::move(callee);
  } else {
    Value list = MakeList(arguments.size());
    for (Value& argument : arguments) list = ListAppend(std::move(list), std::move(argument));
    registers_[0] = std::move(callee);
    registers_[1] = std::move(list);
    registers_[2] = Value::Bool(keywords);
  }
  frames_.push_back({index, 0, 0, 0, 0});
}

Thread::~Thread() {
  for (uint32_t n = 0; n < capacity_; n++) registers_[n].~Value();
  std::free(registers_);
}

bool Thread::EnsureRegisters(uint64_t count) {
  if (count <= capacity_) return true;
  if (count > kStackRegistersMax) return false;
  const auto capacity =
      static_cast<uint32_t>(std::min(std::max<uint64_t>(count, uint64_t{capacity_} * 2), kStackRegistersMax));
  // Values do not know where they are, so that their bytes may move.
  auto* moved = static_cast<Value*>(std::realloc(static_cast<void*>(registers_), capacity * sizeof(Value)));
  if (moved == nullptr) std::abort();
  registers_ = moved;
  for (uint32_t n = capacity_; n < capacity; n++) new (&registers_[n]) Value();
  capacity_ = capacity;
  return true;
}

RunState Thread::Run(uint64_t budget) {
  assert(state_ != RunState::kRequest);
  return Interpreter::Run(*this, budget);
}

// ---- requests ----

RequestPlace RequestOf(const Instruction& i, const Value* registers) {
  RequestPlace place;
  // A function value that is called: a foreign one and one of the host are requests.
  auto called = [&](const Value& callee) {
    if (callee.tag() == Tag::kForeign) {
      place.kind = RequestKind::kForeign;
    } else if (callee.tag() == Tag::kBuiltin &&
               BuiltinOf(static_cast<uint16_t>(callee.AsIndex())).kind != BuiltinKind::kPure) {
      place.kind = RequestKind::kHost;
    } else {
      return false;
    }
    place.id = static_cast<uint16_t>(callee.AsIndex());
    return true;
  };
  auto range = [&](RequestKind kind, uint32_t first, uint32_t count, uint32_t destination) {
    place.kind = kind;
    place.first = place.arguments = first;
    place.count = place.argument_count = count;
    place.destination = destination;
  };
  switch (i.op) {
    case kCallForeign:
    case kHost:
      range(i.op == kHost ? RequestKind::kHost : RequestKind::kForeign, i.a, i.b, i.a);
      place.id = i.c;
      break;
    case kSpawn:
      range(RequestKind::kSpawn, i.a, i.b + 1u, i.c);
      break;
    case kAwait:
      if (registers[i.b].tag() == Tag::kFuture) range(RequestKind::kAwait, i.b, 1, i.a);
      break;
    case kCall:
    case kTailCall:
      if (!called(registers[i.a])) break;
      range(place.kind, i.a, i.b + 1u, i.op == kCall ? i.c : i.a);
      place.arguments = i.a + 1u;
      place.argument_count = i.b;
      break;
    case kApply:
      if (!called(registers[i.b])) break;
      range(place.kind, i.b, 1, i.a);
      place.spread = true;
      place.second = i.c;
      break;
    default:
      return place;
  }
  if (place.kind != RequestKind::kNone) place.keywords = (i.flags & vm::kKeywords) != 0;
  return place;
}

void Thread::EnterRequest(const RequestPlace& place) {
  Value* R = registers_ + frames_.back().base;
  request_ = {place.kind, place.id, place.keywords, {R + place.arguments, place.argument_count}};
  if (place.spread) {
    const List* list = R[place.second].As<List>();
    spread_ = std::make_unique<std::vector<Value>>(list->items, list->items + list->size);
    request_.arguments = *spread_;
  }
  state_ = RunState::kRequest;
}

void Thread::ClearRequest() {
  assert(state_ == RunState::kRequest);
  const Frame& frame = frames_.back();
  Value* R = registers_ + frame.base;
  const Instruction& i = program_->functions()[frame.function].code[frame.pc - 1];
  const RequestPlace place = RequestOf(i, R);
  const bool consumed = place.kind != RequestKind::kAwait && !place.spread;
  if (consumed) Interpreter::ClearRange(R + place.first, R + place.first + place.count);
  spread_.reset();
  request_ = {};
  state_ = RunState::kBudget;
}

bool Thread::RebuildRequest() {
  const Frame& frame = frames_.back();
  assert(frame.pc > 0);
  const Value* R = registers_ + frame.base;
  const RequestPlace place = RequestOf(program_->functions()[frame.function].code[frame.pc - 1], R);
  if (place.kind == RequestKind::kNone) return false;
  if (!Interpreter::CheckRequest(*this, place, R)) {
    result_ = Value();
    return false;
  }
  EnterRequest(place);
  return true;
}

void Thread::Resolve(Value value) {
  assert(state_ == RunState::kRequest);
  const Frame& frame = frames_.back();
  Value* R = registers_ + frame.base;
  const uint32_t destination = RequestOf(program_->functions()[frame.function].code[frame.pc - 1], R).destination;
  ClearRequest();
  // What comes from outside was not allocated here.
  measure_in_ -= std::min(MemoryReached({&value, 1}, measure_in_), measure_in_);
  R[destination] = std::move(value);
}

void Thread::Raise(Value error) {
  assert(error.tag() == Tag::kError);
  assert(state_ == RunState::kRequest || state_ == RunState::kBudget);
  uint32_t pc = frames_.back().pc;
  if (state_ == RunState::kRequest) {
    pc--;
    ClearRequest();
  }
  result_ = std::move(error);
  Interpreter::Unwind(*this, pc);
}

// ---- looking ----

std::vector<FrameView> Thread::Stack() const {
  if (frames_.empty()) return {};
  return Stack(state_ == RunState::kRequest ? frames_.back().pc - 1 : frames_.back().pc);
}

std::vector<FrameView> Thread::Stack(uint32_t top_pc) const {
  std::vector<FrameView> views;
  views.reserve(frames_.size() + tail_histories_.size());
  const std::vector<Function>& functions = program_->functions();
  for (size_t n = 0; n < frames_.size(); n++) {
    const Frame& frame = frames_[n];
    if (frame.tail_history != 0) {
      const TailHistory& history = tail_histories_[frame.tail_history - 1];
      const uint32_t kept = std::min(history.count, kTailCallsKept);
      for (uint32_t k = history.count - kept; k != history.count; k++) {
        const auto& entry = history.ring[k % kTailCallsKept];
        views.push_back({&functions[entry.function], entry.pc - 1, {}, true});
      }
    }
    const Function& function = functions[frame.function];
    const uint32_t pc = n + 1 == frames_.size() ? top_pc : frame.pc - 1;
    views.push_back({&function, pc, {registers_ + frame.base, function.registers}, false});
  }
  return views;
}

Value Thread::TraceHere() const {
  return TraceOf(Stack(), tid_, program_->files());
}

void Thread::DropDead() {
  assert(state_ == RunState::kRequest);
  const std::vector<Function>& functions = program_->functions();
  const Frame& last = frames_.back();
  const RequestPlace place = RequestOf(functions[last.function].code[last.pc - 1], registers_ + last.base);
  for (uint32_t n = 0; n < frames_.size(); n++) {
    const Frame& frame = frames_[n];
    const std::vector<bool>* live = functions[frame.function].LiveAt(frame.pc);
    assert(live != nullptr);
    const bool top = n + 1 == frames_.size();
    // What stands in the callee's window belongs to the callee.
    const size_t count = top ? live->size() : std::min<size_t>(live->size(), frames_[n + 1].base - frame.base);
    for (uint32_t r = 0; r < count; r++) {
      const bool kept =
          top && ((r >= place.first && r - place.first < place.count) || (place.spread && r == place.second));
      if (!(*live)[r] && !kept) registers_[frame.base + r] = Value();
    }
  }
}

void Thread::Shrink() {
  if (state_ == RunState::kRequest) DropDead();
  uint32_t needed = 0;
  // A caller's window may reach higher than its callee's.
  for (const Frame& frame : frames_)
    needed = std::max(needed, frame.base + program_->functions()[frame.function].registers);
  assert(needed <= capacity_);
  if (needed < capacity_) {
    // What lies above the top frame is null and owns nothing.
    const size_t bytes = std::max<size_t>(needed, 1) * sizeof(Value);
    if (auto* moved = static_cast<Value*>(std::realloc(static_cast<void*>(registers_), bytes))) registers_ = moved;
    capacity_ = needed;
    if (state_ == RunState::kRequest && spread_ == nullptr) {
      [[maybe_unused]] const bool rebuilt = RebuildRequest();
      assert(rebuilt);
    }
  }
  frames_.shrink_to_fit();
  tail_histories_.shrink_to_fit();
}

uint64_t Thread::MemorySize() const {
  uint64_t bytes = sizeof(Thread) + capacity_ * sizeof(Value) + frames_.capacity() * sizeof(Frame);
  bytes += tail_histories_.capacity() * sizeof(TailHistory);
  if (tid_.capacity() >= sizeof(std::string) / 2) bytes += tid_.capacity() + 1;
  bytes += MemoryReached({registers_, capacity_});
  if (result_.IsHeap()) bytes += teal::vm::MemorySize(result_);
  if (spread_ != nullptr) bytes += sizeof *spread_ + spread_->capacity() * sizeof(Value);
  return bytes;
}

}  // namespace teal::vm
