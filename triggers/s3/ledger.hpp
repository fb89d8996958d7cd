// What a trigger has done with, kept in the host's state: for each object that was accepted its key's digest and the
// version accepted, and the key itself where removals are told. Used by one thread.
//
// The records: a tree over the bits of the digests, "objects/BUCKET/BITS". Each is a leaf, which holds the objects
// whose digest begins with BITS, or says that BITS0 and BITS1 hold them. A leaf over 16 KiB is split: the two are
// written first, then the mark. docs/formats/s3-ledger.md has the bytes.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "triggers/s3/sha256.hpp"

namespace teal::s3 {

inline constexpr std::size_t kLeafBytesMax = 16 << 10;  // a value of the host's state may have 64 KiB

class Ledger {
 public:
  struct Kept {
    Digest stamp{};
    std::string key;    // empty: not kept
    uint64_t scan = 0;  // the last in which it was found
  };

  explicit Ledger(const std::string& bucket) : prefix_("objects/" + bucket + "/") {}

  // Reading: begin with Name(""), and read what *more names, too. `value` nullopt: there is no such record.
  std::string Name(const std::string& bits) const { return prefix_ + bits; }
  // False: the record is not one of a ledger.
  bool Read(const std::string& bits, std::optional<std::string_view> value, std::vector<std::string>* more);

  Kept* Find(const Digest& object);
  void Set(const Digest& object, const Digest& stamp, std::string key);
  void Erase(const Digest& object);
  std::map<Digest, Kept>& kept() { return kept_; }

  // What is to be written: first all of the leaves, and when these stand, the marks one by one, the deepest first.
  struct Round {
    struct Write {
      std::string bits, value;
    };
    std::vector<Write> leaves, marks;
  };
  bool dirty() const { return !dirty_.empty() || !unmarked_.empty(); }
  Round Take();
  void Stored(const Round& round);
  void NotStored(const Round& round);  // its writes are part of the next again

 private:
  std::string LeafOf(const Digest& object) const;
  std::string WriteLeaf(const std::string& bits) const;
  void TakeLeaf(const std::string& bits, Round* round);

  std::string prefix_;
  std::map<Digest, Kept> kept_;  // by the digest of the key
  std::set<std::string> leaves_;
  std::set<std::string> dirty_;     // leaves to be written
  std::set<std::string> unmarked_;  // split, and the mark not yet written
};

}  // namespace teal::s3
