#include "core/config/reference.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "core/config/secret_command.h"

namespace teal::config {
namespace {

class References : public testing::Test {
 protected:
  References() {
    char folder[] = "/tmp/teal-config-XXXXXX";
    folder_ = ::mkdtemp(folder);
    ::setenv("TEAL_TEST_VALUE", "from the environment", 1);
  }
  ~References() override { std::filesystem::remove_all(folder_); }

  void Write(const std::string& name, const std::string& text, mode_t mode = 0600) {
    std::ofstream(folder_ + "/" + name) << text;
    ::chmod((folder_ + "/" + name).c_str(), mode);
  }
  // The value of the key `v`, or the error's message after its line.
  std::string ValueOf(const std::string& text, Commands commands = Commands::kRun) {
    const Node tree = std::get<Node>(ParseTree("teal.yaml", text));
    Resolver resolver(tree, folder_, commands);
    auto value = resolver.Text(*tree.Find("v"));
    if (const Error* const error = std::get_if<Error>(&value))
      return std::to_string(error->line) + ": " + error->message;
    return std::get<Secret>(value).Use();
  }

  std::string folder_;
};

TEST_F(References, AreReplacedWhenAStringIsUsed) {
  EXPECT_EQ(ValueOf("v: a ${env:TEAL_TEST_VALUE} b $${env:X}\n"), "a from the environment b ${env:X}");
  EXPECT_EQ(ValueOf("v: 5\n"), "5");
  EXPECT_EQ(ValueOf("x: 1\nv: ${env:TEAL_TEST_NONE}\n"), "2: the environment variable TEAL_TEST_NONE is not set");
}

TEST_F(References, TheEnvironmentComesBeforeItsFile) {
  Write("vars", "# comment\nTEAL_TEST_VALUE=other\n\nTEAL_TEST_FILE=\"of the file\"\r\n");
  EXPECT_EQ(ValueOf("env_file: vars\nv: ${env:TEAL_TEST_VALUE}, ${env:TEAL_TEST_FILE}\n"),
            "from the environment, of the file");
  EXPECT_NE(ValueOf("env_file: gone\nv: ${env:TEAL_TEST_FILE}\n").find("1: env_file: "), std::string::npos);
  Write("vars", "A=1\nsecret words\n");
  EXPECT_EQ(ValueOf("env_file: vars\nv: ${env:TEAL_TEST_FILE}\n"), "2: is no NAME=value");
}

TEST_F(References, SecretsComeFromTheirSources) {
  const std::string sources =
      "secrets: {e: {env: TEAL_TEST_VALUE}, f: {file: f}, c: {command: [echo, of a command]}}\n";
  Write("f", "of a file\n");
  EXPECT_EQ(ValueOf(sources + "v: ${secret:e}\n"), "from the environment");
  EXPECT_EQ(ValueOf(sources + "v: ${secret:f}\n"), "of a file");
  EXPECT_EQ(ValueOf(sources + "v: ${secret:c}\n"), "of a command");
  EXPECT_EQ(ValueOf(sources + "v: ${secret:c}\n", Commands::kRefused),
            "2: the secret `c` comes from a command, and none is run here");
  EXPECT_EQ(ValueOf(sources + "v: ${secret:ff}\n"), "2: unknown secret `ff`: did you mean `f`?");
  Write("f", "of a file\n", 0644);
  EXPECT_NE(ValueOf(sources + "v: ${secret:f}\n").find("is open to others"), std::string::npos);
  ::setenv("TEAL_SECRET_NOT_LISTED", "of the default", 1);
  EXPECT_EQ(ValueOf("v: ${secret:not-listed}\n"), "of the default");
}

TEST_F(References, CommandsAreHeldToRules) {
  EXPECT_EQ(RunSecretCommand({"pwd"}, folder_).value(), folder_);
  EXPECT_EQ(RunSecretCommand({"cat"}, folder_).value(), "");
  EXPECT_EQ(RunSecretCommand({"false"}, folder_).failure().message, "ended with exit code 1");
  EXPECT_EQ(RunSecretCommand({"teal-test-none"}, folder_).failure().message,
            "cannot be run: teal-test-none: No such file or directory");
  EXPECT_EQ(RunSecretCommand({"yes"}, folder_).failure().message, "printed more than 64 KiB");
}

TEST_F(References, SecretsAreNotShown) {
  std::stringstream out;
  out << Secret("hidden");
  EXPECT_EQ(out.str(), "***");
}

}  // namespace
}  // namespace teal::config
