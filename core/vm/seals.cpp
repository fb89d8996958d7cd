#include "core/vm/seals.h"

namespace teal::vm {

void DestroySeals(Seals* seals) {
  delete seals;
}

void Seals::Truncate(uint64_t end) {
  while (!ends.empty() && ends.back() > end) ends.pop_back();
  uint64_t count = ends.size();
  for (std::vector<Sha256>& level : levels) {
    level.resize(count);
    count /= kSealFanOut;
  }
  while (!levels.empty() && levels.back().empty()) levels.pop_back();
  if (covers > end) covers = end;
}

}  // namespace teal::vm
