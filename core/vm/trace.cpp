#include "core/vm/trace.h"

namespace teal::vm {
namespace {

// The names of the fields, made once for each trace and shared by its entries.
struct EntryMaker {
  Value function = MakeString("function");
  Value file = MakeString("file");
  Value line = MakeString("line");
  Value thread = MakeString("thread");
  Value tid;

  explicit EntryMaker(std::string_view thread_id) : tid(MakeString(thread_id)) {}

  Value Make(std::string_view function_name, std::string_view file_name, uint32_t at_line) const {
    Value entry = MakeHash(4);
    entry = HashSet(std::move(entry), function, MakeString(function_name));
    entry = HashSet(std::move(entry), file, MakeString(file_name));
    entry = HashSet(std::move(entry), line, Value::Int(at_line));
    return HashSet(std::move(entry), thread, tid);
  }
};

}  // namespace

Value TraceEntry(std::string_view function, std::string_view file, uint32_t line, std::string_view thread) {
  return EntryMaker(thread).Make(function, file, line);
}

Value TraceOf(const std::vector<FrameView>& stack, std::string_view tid, const std::vector<std::string>& files) {
  // Both ends of what is shown: [0, head) and [tail, size), library functions not counted.
  size_t shown = 0;
  size_t tail = stack.size();
  while (tail > 0 && shown < kTraceInnermost) shown += stack[--tail].function->library ? 0 : 1;
  size_t head = 0;
  for (shown = 0; head < tail && shown < kTraceOutermost; head++) shown += stack[head].function->library ? 0 : 1;

  const EntryMaker maker(tid);
  Value trace = MakeList();
  for (size_t at = 0; at < stack.size(); at++) {
    if (at == head && head < tail) {
      trace = ListAppend(std::move(trace), maker.Make("… " + std::to_string(tail - head) + " calls left out …", "", 0));
      at = tail;
    }
    const FrameView& view = stack[at];
    if (view.function->library) continue;
    const std::string_view file =
        view.function->file < files.size() ? std::string_view(files[view.function->file]) : "";
    trace =
        ListAppend(std::move(trace), maker.Make(view.function->name, file, view.function->PositionAt(view.pc).line));
  }
  return trace;
}

}  // namespace teal::vm
