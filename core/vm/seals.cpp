#include "core/vm/seals.h"

namespace teal::vm {

void DestroySeals(Seals* seals) { delete seals; }

}  // namespace teal::vm
