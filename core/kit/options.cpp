#include "core/kit/options.h"

#include <utility>

namespace teal::kit {
namespace {

Options& Mutable() {
  static Options options;
  return options;
}

}  // namespace

const Options& Given() {
  return Mutable();
}

void SetGiven(Options options) {
  Mutable() = std::move(options);
}

std::vector<std::string> ArgumentsFor(const Options& options) {
  return {"teal-plugin-check",
          "--run-library",
          options.library,
          "--run-manifest",
          options.manifest,
          "--run-config",
          options.config,
          "--run-trigger",
          options.trigger,
          "--run-row",
          options.run_row,
          "--run-part",
          options.part,
          "--run-space",
          options.space,
          "--run-board",
          std::to_string(options.board),
          "--run-shared",
          std::to_string(options.shared),
          "--timeout-factor",
          std::to_string(options.timeout_factor)};
}

}  // namespace teal::kit
