#include "core/runtime/trace.h"

#include <algorithm>
#include <cassert>

#include "core/vm/trace.h"

namespace teal::runtime {

using vm::Value;

std::unique_ptr<const SpawnSite> SpawnSiteOf(const vm::Thread& spawner, const SpawnSite* outer) {
  auto site = std::make_unique<SpawnSite>();
  site->outer = outer;
  site->tid = spawner.tid();
  const std::vector<vm::FrameView> stack = spawner.Stack();
  const vm::Function* const functions = spawner.program()->functions().data();
  const size_t kept_below = stack.size() > kSpawnFramesMax ? kSpawnFramesMax / 2 : stack.size();
  const size_t kept_above = stack.size() > kSpawnFramesMax ? stack.size() - kSpawnFramesMax / 2 : stack.size();
  site->places.reserve(std::min(stack.size(), kSpawnFramesMax));
  for (size_t i = 0; i < stack.size(); ++i) {
    if (i >= kept_below && i < kept_above) continue;
    if (stack[i].function->library) continue;
    site->places.push_back({static_cast<uint32_t>(stack[i].function - functions), stack[i].pc});
  }
  return site;
}

namespace {

// Whether the trace begins in this very thread, so that what led to the thread is missing from it.
bool BeginsIn(const Value& trace, std::string_view tid) {
  if (trace.tag() != vm::Tag::kList || trace.As<vm::List>()->size == 0) return true;
  const Value& first = trace.As<vm::List>()->items[0];
  if (first.tag() != vm::Tag::kHash) return false;
  const Value* thread = HashGet(*first.As<vm::Hash>(), "thread");
  return thread == nullptr || thread->tag() != vm::Tag::kString || thread->Text() == tid;
}

}  // namespace

Value WithWholeTrace(Value error, std::string_view tid, const SpawnSite* site, const vm::Program& program) {
  assert(error.tag() == vm::Tag::kError);
  const vm::Error* old = error.As<vm::Error>();
  if (site == nullptr || !BeginsIn(old->trace, tid)) return error;
  std::vector<const SpawnSite*> chain;
  for (const SpawnSite* s = site; s != nullptr; s = s->outer) chain.push_back(s);
  Value trace = vm::MakeList();
  for (auto s = chain.rbegin(); s != chain.rend(); ++s) {
    for (const SpawnSite::Place& place : (*s)->places) {
      assert(place.function < program.functions().size());
      const vm::Function& function = program.functions()[place.function];
      const std::string_view file =
          function.file < program.files().size() ? std::string_view(program.files()[function.file]) : "";
      trace = ListAppend(std::move(trace),
                         vm::TraceEntry(function.name, file, function.PositionAt(place.pc).line, (*s)->tid));
    }
  }
  if (old->trace.tag() == vm::Tag::kList) trace = ListConcat(std::move(trace), old->trace);
  Value whole = vm::MakeError(old->kind, old->message, old->data);
  whole.As<vm::Error>()->trace = std::move(trace);
  return whole;
}

Value WithTraceOf(const vm::Thread& thread, Value error) {
  assert(error.tag() == vm::Tag::kError);
  const vm::Error* old = error.As<vm::Error>();
  Value trace = thread.TraceHere();
  if (old->trace.tag() == vm::Tag::kList) trace = ListConcat(std::move(trace), old->trace);
  Value whole = vm::MakeError(old->kind, old->message, old->data);
  whole.As<vm::Error>()->trace = std::move(trace);
  return whole;
}

}  // namespace teal::runtime
