// The versions and times of the records that were written last, so that the condition of a commit on one of them does
// not read the store: a running session writes the same record again and again.
//
// Two generations: what was not written again while the younger one filled up goes with the older. Not thread-safe.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "plugins/local/codec.hpp"

namespace teal::local {

class Recent {
 public:
  // Of about 200 bytes each, and twice as many at most.
  static constexpr std::size_t kGenerationMax = 8192;

  // Without its value; null: not known here. Good until the next Put.
  const StoredRecord* Find(const std::string& record_key) const {
    for (const Generation* generation : {&young_, &old_}) {
      const auto found = generation->find(record_key);
      if (found != generation->end()) return &found->second;
    }
    return nullptr;
  }

  void Put(const std::string& record_key, const StoredRecord& record) {
    if (young_.size() >= kGenerationMax && young_.count(record_key) == 0) {
      old_ = std::move(young_);
      young_ = {};
    }
    young_.insert_or_assign(record_key, StoredRecord{record.version, record.due, record.expires, {}});
  }

  void Remove(const std::string& record_key) {
    young_.erase(record_key);
    old_.erase(record_key);
  }

  void Clear() {
    young_.clear();
    old_.clear();
  }

 private:
  using Generation = std::unordered_map<std::string, StoredRecord>;
  Generation young_;
  Generation old_;
};

}  // namespace teal::local
