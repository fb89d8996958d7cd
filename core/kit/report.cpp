#include "core/kit/report.h"

#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <string>

#include "core/kit/child.h"
#include "core/kit/options.h"
#include "core/kit/spawn.h"
#include "core/kit/text.h"

namespace teal::kit {
namespace {

constexpr int kExitNoPlugin = 2;
constexpr int kLoadSeconds = 30;

const char* Name(Result result) {
  switch (result) {
    case Result::kPassed:
      return "passed";
    case Result::kNotOffered:
      return "not offered";
    case Result::kFailed:
    case Result::kNone:
      break;
  }
  return "failed";
}

// Begins the partitions of one test of one run: no other test, run or process uses them.
std::string SpaceFor(const Test& test) {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  const auto micros = std::chrono::duration_cast<std::chrono::microseconds>(now).count();
  return Text("kit-", test.row, "-", std::hex, micros, "-", ::getpid(), "-");
}

void Print(const Test& test, const Finding& found, double seconds) {
  if (Given().json) {
    const nlohmann::ordered_json line = {{"row", test.row}, {"result", Name(found.result)}, {"detail", found.detail}};
    std::printf("%s\n", line.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace).c_str());
  } else {
    std::printf("%-9s %-12s", test.row, Name(found.result));
    std::string detail = found.detail;
    for (std::size_t at = detail.find('\n'); at != std::string::npos; at = detail.find('\n', at + 1)) {
      detail.insert(at + 1, 12, ' ');
    }
    if (!detail.empty()) std::printf(" %s", detail.c_str());
    if (seconds >= 5) std::printf(" (%.0f s)", seconds);
    std::printf("\n");
  }
  std::fflush(stdout);
}

}  // namespace

int CheckAll(const std::vector<Test>& tests) {
  Options load = Given();
  load.run_row = kLoadOnly;
  Process loading(load, true);
  const Finding loaded = Judge(loading, kLoadSeconds * Given().timeout_factor);
  if (loaded.result != Result::kPassed) {
    std::fprintf(stderr, "teal-plugin-check: %s: %s\n", Given().library.c_str(), loaded.detail.c_str());
    return kExitNoPlugin;
  }
  int passed = 0;
  int failed = 0;
  int not_offered = 0;
  for (const Test& test : tests) {
    Options options = Given();
    options.run_row = test.row;
    options.space = SpaceFor(test);
    const auto begun = std::chrono::steady_clock::now();
    Process process(options, true);
    const Finding found = Judge(process, test.timeout_s * Given().timeout_factor);
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begun;
    Print(test, found, took.count());
    ++(found.result == Result::kPassed ? passed : found.result == Result::kNotOffered ? not_offered : failed);
  }
  if (!Given().json) std::printf("%d passed, %d failed, %d not offered\n", passed, failed, not_offered);
  return failed == 0 ? 0 : 1;
}

}  // namespace teal::kit
