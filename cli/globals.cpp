#include "cli/globals.h"

#include <unistd.h>

#include <cstdio>
#include <cstdlib>

#include "core/lang/diagnostic.h"

namespace teal::cli {

bool Globals::ColorOnStderr() const {
  if (json || color == "never") return false;
  if (color == "always") return true;
  return isatty(STDERR_FILENO) == 1 && std::getenv("NO_COLOR") == nullptr;
}

void ReportError(const Globals& globals, const std::string& message, const std::string& hint) {
  if (globals.json) {
    lang::Diagnostic diagnostic;
    diagnostic.position = {0, 0};
    diagnostic.message = message;
    diagnostic.hint = hint;
    std::printf("%s\n", RenderJson(diagnostic).c_str());
    return;
  }
  std::fprintf(stderr, "teal: error: %s\n", message.c_str());
  if (!hint.empty()) std::fprintf(stderr, "hint: %s\n", hint.c_str());
}

}  // namespace teal::cli
