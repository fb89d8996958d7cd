#include "core/vm/program.h"

#include <algorithm>

#include "core/proto/executable.pb.h"
#include "core/vm/program_loader.h"

namespace teal::vm {

const std::vector<bool>* Function::LiveAt(uint32_t pc) const {
  auto at = std::lower_bound(live_pcs.begin(), live_pcs.end(), pc);
  if (at == live_pcs.end() || *at != pc) return nullptr;
  return &live_maps[live_map_of[static_cast<size_t>(at - live_pcs.begin())]];
}

SourcePosition Function::PositionAt(uint32_t pc) const {
  auto after = std::upper_bound(positions.begin(), positions.end(), pc,
                                [](uint32_t wanted, const Run& run) { return wanted < run.from; });
  return after == positions.begin() ? SourcePosition{} : (after - 1)->position;
}

Result<std::shared_ptr<const Program>> Program::Load(std::string_view executable) {
  return ProgramLoader::Load(executable);
}

Program::~Program() {
  // Each owned object was made by the loader with one reference, held by a constant or by another owned object.
  for (Object* object : owned_) object->refs.store(1, std::memory_order_relaxed);
}

const Function* Program::FindEntry(std::string_view name, uint32_t* index) const {
  auto at = std::lower_bound(entries_.begin(), entries_.end(), name,
                             [](const Entry& entry, std::string_view wanted) { return entry.name < wanted; });
  if (at == entries_.end() || at->name != name) return nullptr;
  if (index != nullptr) *index = at->function;
  return &functions_[at->function];
}

std::vector<std::string_view> Program::EntryNames() const {
  std::vector<std::string_view> names;
  names.reserve(entries_.size());
  for (const Entry& entry : entries_) names.push_back(entry.name);
  return names;
}

Result<std::string> WithoutPositions(std::string_view executable) {
  proto::Executable message;
  auto loaded = Program::Load(executable);
  if (!loaded.ok()) return loaded.failure();
  [[maybe_unused]] bool parsed = ParseExecutable(executable, &message);
  assert(parsed);
  for (auto& function : *message.mutable_functions()) {
    function.clear_positions();
    function.clear_locals();
    function.clear_line();
    // A closure's name ends with where it stands: "main.fn@12:5".
    function.mutable_name()->resize(std::min(function.name().find('@'), function.name().size()));
  }
  for (auto& import : *message.mutable_imports()) import.clear_line();
  return message.SerializeAsString();
}

}  // namespace teal::vm
