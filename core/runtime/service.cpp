#include "core/runtime/service.h"

namespace teal::runtime {

std::string_view NameOf(ViewStatus status) {
  switch (status) {
    case ViewStatus::kRunning:
      return "running";
    case ViewStatus::kPaused:
      return "paused";
    case ViewStatus::kDone:
      return "done";
    case ViewStatus::kFailed:
      return "failed";
    case ViewStatus::kCancelled:
      return "cancelled";
    case ViewStatus::kTerminated:
      return "terminated";
    case ViewStatus::kDead:
      return "dead";
  }
  return "running";
}

}  // namespace teal::runtime
