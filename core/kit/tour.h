// A walk through everything the plugin offers: each data function is called at least once. Tests use it to see how the
// plugin treats what is around its answers; whether the answers are right is for other rows.
#pragma once

#include "core/kit/instance.h"

namespace teal::kit {

struct TourSpec {
  int rounds = 1;
  bool numbered = true;  // else op ids are 0
};

// Every call has ended when it returns. Answers are not judged.
void Tour(Instance& instance, const TourSpec& spec = {});

}  // namespace teal::kit
