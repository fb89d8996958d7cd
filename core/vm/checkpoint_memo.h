// Which segments a thread has given out, and which are new in the checkpoint that is being written.
//
// The memo holds exactly the segments that the thread's last checkpoint reaches, as a graph with counted references: a
// new checkpoint costs what it changed, and a segment that is no longer reached is forgotten at once, so that it will
// be given out again should it come back (its keeper may have dropped it in between). Owned by the thread; not
// synchronised.
#pragma once

#include <cstring>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "core/base/sha256.h"
#include "core/vm/checkpoint.h"
#include "core/vm/seals.h"

namespace teal::vm {

struct Sha256Hasher {
  size_t operator()(const Sha256& hash) const {
    size_t word;
    std::memcpy(&word, hash.data(), sizeof word);
    return word;
  }
};

struct SegmentNode {
  uint64_t bytes = 0;
  uint64_t references = 0;
  std::vector<Sha256> children;  // as often as referred to
};
using SegmentGraph = std::unordered_map<Sha256, SegmentNode, Sha256Hasher>;

struct CheckpointMemo {
  // Invariant: what a node refers to is here too.
  SegmentGraph nodes;
  std::vector<Sha256> roots;  // what the last state itself refers to
  uint64_t bytes = 0;         // of all nodes
  Seals frames;               // of the thread's lower frames

  // Takes the new nodes in, counts from the new roots, and lets go of what is reached no more.
  void Replace(SegmentGraph added, std::vector<Sha256> new_roots);
  // Nothing counts as given out.
  void Forget();
};

// The segments of one checkpoint in the making.
class SegmentSet {
 public:
  explicit SegmentSet(const CheckpointMemo& memo) : memo_(memo) {}

  bool Holds(const Sha256& hash) const { return memo_.nodes.contains(hash) || added_.contains(hash); }
  bool HoldsRoots(const Seals& seals) const;
  // Gives the bytes' hash; they are new unless held already.
  Sha256 Add(std::string_view bytes, std::vector<Sha256> children);
  // Appends a chunk to the seals, with the nodes that it fills.
  void Seal(Seals* seals, const Sha256& chunk, uint64_t end);
  // kStateBytesMax is passed by the new segments alone; nothing more is kept.
  bool full() const { return bytes_ > kStateBytesMax; }

  SegmentGraph TakeGraph() { return std::move(added_); }
  std::vector<Segment> TakeSegments() { return std::move(segments_); }

 private:
  const CheckpointMemo& memo_;
  SegmentGraph added_;
  std::vector<Segment> segments_;
  uint64_t bytes_ = 0;
};

}  // namespace teal::vm
