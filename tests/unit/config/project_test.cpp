#include "core/config/project.h"

#include <gtest/gtest.h>

namespace teal::config {
namespace {

std::string First(const Project& project) {
  if (project.errors.empty()) return "fine";
  const Error& error = project.errors.front();
  return error.file + ":" + std::to_string(error.line) + ":" + std::to_string(error.column) + ": " + error.message;
}

std::string FirstOf(const std::string& text) {
  const Project project = ParseProject("/p", "teal.yaml", text);
  for (const Error& error : project.errors) EXPECT_FALSE(error.hint.empty()) << error.message;
  return First(project);
}

TEST(Project, ReadsWhatTheRuntimeTakes) {
  const Project project =
      ParseProject("/p", "teal.yaml",
                   "name: shop\nmain: service.tl\n"
                   "python: {interpreter: bin/py, source: ./src/, requirements: r.txt, version: 3.10}\n"
                   "limits:\n  steps: 5\n  running_threads: 7\n  cancel_grace: 2m\n");
  ASSERT_EQ(First(project), "fine");
  const runtime::ProjectConfig& config = project.config;
  EXPECT_EQ(config.folder, "/p");
  EXPECT_EQ(config.name, "shop");
  EXPECT_EQ(config.main, "service.tl");
  EXPECT_EQ(config.interpreter, "bin/py");
  EXPECT_EQ(config.python_source, "src");
  EXPECT_EQ(config.python_requirements, "r.txt");
  EXPECT_EQ(config.python_version, "3.10");
  EXPECT_EQ(config.limits.steps, 5u);
  EXPECT_EQ(config.limits.running_threads, 7u);
  EXPECT_EQ(config.limits.living_threads, runtime::Limits().living_threads);
  EXPECT_DOUBLE_EQ(config.limits.cancel_grace_seconds, 120);
  EXPECT_EQ(runtime::InterpreterOf(config.interpreter, "/p"), "/p/bin/py");
  EXPECT_EQ(FirstOf(""), "fine");
  EXPECT_EQ(FirstOf("# nothing\n"), "fine");
}

TEST(Project, TellsWhereItIsWrong) {
  const struct {
    const char* text;
    const char* message;
  } cases[] = {
      {"limits:\n  steps: 0\n", "teal.yaml:2:10: steps is a whole number from 1 to 4611686018427387904"},
      {"limits:\n  steps: -4\n", "teal.yaml:2:10: steps is a whole number from 1 to 4611686018427387904"},
      {"limits:\n  steps: 99999999999999999999\n",
       "teal.yaml:2:10: steps is a whole number from 1 to 4611686018427387904"},
      {"limits:\n  cancel_grace: soon\n", "teal.yaml:2:17: cancel_grace is a duration"},
      {"limits:\n  cancel_grace: -1\n", "teal.yaml:2:17: cancel_grace is a duration"},
      {"- 1\n", "teal.yaml:1:1: the file is a mapping of keys to values"},
      {"python: 3\n", "teal.yaml:1:9: python is a mapping"},
      {"name: [a]\n", "teal.yaml:1:7: name is a string"},
      {"functions:\n  f:\n    evnts: []\n", "teal.yaml:3:5: unknown key `evnts`: did you mean `events`?"},
      {"zzz: 1\n", "teal.yaml:1:1: unknown key `zzz`"},
      {"python: {source: ../up}\n", "teal.yaml:1:18: python.source lies in the project's folder"},
      {"python: {version: \"2.7\"}\n", "teal.yaml:1:19: version is a version of Python"},
      {"functions:\n  f:\n    events:\n      - http: {path: /, auth: ke}\n",
       "teal.yaml:4:31: auth is one of anonymous, key, hmac, jwt"},
      {"functions:\n  f:\n    events:\n      - http: GET /\n        s3: uploads\n",
       "teal.yaml:4:9: an item of events is one trigger"},
      {"functions:\n  f:\n    events:\n      - s3: {prefix: a}\n",
       "teal.yaml:4:13: s3 needs the key `bucket`: The bucket."},
      {"functions:\n  f:\n    events:\n      - s3: ../x\n", "teal.yaml:4:13: s3 is the name of a bucket"},
      {"functions:\n  f:\n    events:\n      - schedule: 5\n",
       "teal.yaml:4:19: schedule is an expression or a mapping"},
      {"name: ${ev:X}\n", "teal.yaml:1:7: unknown kind of reference `ev`: did you mean `env`?"},
      {"tags: {a: \"x${env:\"}\n", "teal.yaml:1:11: a reference has no end: the } is missing"},
      {"name: ${secret:x}\n", "teal.yaml:1:7: name cannot be a secret: it is shown"},
      {"main: ${env:TEAL_TEST_NOT_SET}\n", "teal.yaml:1:7: the environment variable TEAL_TEST_NOT_SET is not set"},
  };
  for (const auto& c : cases) EXPECT_EQ(FirstOf(c.text), c.message) << c.text;
}

TEST(Project, TellsEverythingUpToALimit) {
  EXPECT_EQ(ParseProject("/p", "teal.yaml", "a: 1\nb: 2\nname: []\n").errors.size(), 3u);
  std::string text;
  for (int i = 0; i < 100; ++i) text += "unknown" + std::to_string(i) + ": 1\n";
  EXPECT_EQ(ParseProject("/p", "teal.yaml", text).errors.size(), 20u);
}

TEST(Project, AStageIsLaidOverTheFile) {
  const std::string base = "name: shop\ntags: {a: one, b: two}\nlimits: {steps: 5, spawn_depth: 6}\nlayers: [x, y]\n";
  const Project project = ParseProject("/p", "teal.yaml", base, "teal.prod.yaml",
                                       "name: market\ntags: {b: three, c: four}\nlimits:\n  steps: 9\nlayers: [z]\n");
  ASSERT_EQ(First(project), "fine");
  EXPECT_EQ(project.config.name, "market");
  EXPECT_EQ(project.config.limits.steps, 9u);
  EXPECT_EQ(project.config.limits.spawn_depth, 6u);
  const Node& tags = *project.tree.Find("tags");
  EXPECT_EQ(tags.Find("a")->text + tags.Find("b")->text + tags.Find("c")->text, "onethreefour");
  ASSERT_EQ(project.tree.Find("layers")->items.size(), 1u);
  EXPECT_EQ(First(ParseProject("/p", "teal.yaml", base, "teal.prod.yaml", "\nlimits: {steps: no}\n")),
            "teal.prod.yaml:2:17: steps is a whole number from 1 to 4611686018427387904");
  EXPECT_EQ(First(ParseProject("/p", "teal.yaml", "limits: {stps: 1}\n", "teal.prod.yaml", "name: x\n")),
            "teal.yaml:1:10: unknown key `stps`: did you mean `steps`?");
}

}  // namespace
}  // namespace teal::config
