#include "core/runtime/config.h"

#include <gtest/gtest.h>

namespace teal::runtime {
namespace {

TEST(Config, ReadsWhatItKnowsAndLeavesTheRest) {
  const auto read = ParseConfig("teal.yaml",
                                "name: shop\nmain: service.tl\npython: {interpreter: bin/py}\ntriggers: [1]\n"
                                "limits:\n  steps: 5\n  running_threads: 7\n  cancel_grace: 2m\n");
  const ProjectConfig& config = std::get<ProjectConfig>(read);
  EXPECT_EQ(config.name, "shop");
  EXPECT_EQ(config.main, "service.tl");
  EXPECT_EQ(config.interpreter, "bin/py");
  EXPECT_EQ(config.limits.steps, 5u);
  EXPECT_EQ(config.limits.running_threads, 7u);
  EXPECT_DOUBLE_EQ(config.limits.cancel_grace_seconds, 120);
  EXPECT_EQ(InterpreterOf(config.interpreter, "/p"), "/p/bin/py");
}

TEST(Config, TellsWhereItIsWrong) {
  const struct {
    const char* text;
    int line;
  } cases[] = {{"a: [1\nb: 2\n", 2}, {"limits:\n  steps: 0\n", 2},           {"limits:\n  steps: -4\n", 2},
               {"- 1\n", 1},         {"limits:\n  cancel_grace: soon\n", 2}, {"python: 3\n", 1}};
  for (const auto& c : cases) {
    const auto read = ParseConfig("teal.yaml", c.text);
    ASSERT_TRUE(std::holds_alternative<ConfigError>(read)) << c.text;
    EXPECT_EQ(std::get<ConfigError>(read).line, c.line) << c.text;
    EXPECT_FALSE(std::get<ConfigError>(read).hint.empty());
  }
  EXPECT_TRUE(std::holds_alternative<ProjectConfig>(ParseConfig("teal.yaml", "")));
}

}  // namespace
}  // namespace teal::runtime
