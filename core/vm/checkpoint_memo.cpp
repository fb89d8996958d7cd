#include "core/vm/checkpoint_memo.h"

#include "core/vm/checkpoint_format.h"
#include "core/vm/checkpoint_wire.h"

namespace teal::vm {

void CheckpointMemo::Replace(SegmentGraph added, std::vector<Sha256> new_roots) {
  std::vector<const SegmentNode*> fresh;
  for (auto& [hash, node] : added) {
    assert(!nodes.contains(hash));
    bytes += node.bytes;
    fresh.push_back(&nodes.emplace(hash, std::move(node)).first->second);
  }
  for (const SegmentNode* node : fresh) {
    for (const Sha256& child : node->children) nodes.at(child).references++;
  }
  for (const Sha256& root : new_roots) nodes.at(root).references++;
  roots.swap(new_roots);

  std::vector<Sha256> released = std::move(new_roots);
  while (!released.empty()) {
    auto at = nodes.find(released.back());
    released.pop_back();
    assert(at != nodes.end() && at->second.references > 0);
    if (--at->second.references > 0) continue;
    released.insert(released.end(), at->second.children.begin(), at->second.children.end());
    bytes -= at->second.bytes;
    nodes.erase(at);
  }
}

void CheckpointMemo::Forget() {
  nodes.clear();
  roots.clear();
  bytes = 0;
  frames = Seals();
}

bool SegmentSet::HoldsRoots(const Seals& seals) const {
  bool all = true;
  seals.EachRoot([&](const Sha256& root) { all = all && Holds(root); });
  return all;
}

Sha256 SegmentSet::Add(std::string_view bytes, std::vector<Sha256> children) {
  Sha256 hash = Sha256Of(bytes);
  if (Holds(hash) || full()) return hash;
  bytes_ += bytes.size();
  added_.emplace(hash, SegmentNode{bytes.size(), 0, std::move(children)});
  segments_.push_back({hash, std::string(bytes)});
  return hash;
}

void SegmentSet::Seal(Seals* seals, const Sha256& chunk, uint64_t end) {
  assert(end > seals->sealed());
  if (seals->levels.empty()) seals->levels.emplace_back();
  seals->levels[0].push_back(chunk);
  seals->ends.push_back(end);
  for (size_t k = 0; seals->levels[k].size() % kSealFanOut == 0; k++) {
    std::vector<Sha256> children(seals->levels[k].end() - kSealFanOut, seals->levels[k].end());
    wire::Out out;
    out.Field(format::kSegmentKind, format::kNode);
    out.Field(format::kSegmentBytes,
              {reinterpret_cast<const char*>(children.data()), children.size() * sizeof(Sha256)});
    Sha256 node = Add(out.view(), std::move(children));
    if (seals->levels.size() == k + 1) seals->levels.emplace_back();
    seals->levels[k + 1].push_back(node);
  }
}

}  // namespace teal::vm
