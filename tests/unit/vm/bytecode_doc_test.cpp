// docs/formats/bytecode.md lists exactly the instructions of opcodes.h.
#include <gtest/gtest.h>

#include <fstream>
#include <string>
#include <vector>

#include "core/vm/opcodes.h"

namespace teal::vm {
namespace {

TEST(BytecodeDoc, ListsEveryInstruction) {
  std::vector<std::string> expected;
#define X(name, operands, meaning) \
  expected.push_back("| " + std::to_string(name) + " | `" #name "` | `" operands "` | " meaning " |");
  TEAL_OPCODES(X)
#undef X
  std::ifstream doc(TEAL_SOURCE_DIR "/docs/formats/bytecode.md");
  ASSERT_TRUE(doc.good());
  std::vector<std::string> listed;
  bool instructions = false;
  for (std::string line; std::getline(doc, line);) {
    if (line == "## Instructions") instructions = true;
    if (instructions && line.size() > 3 && line[0] == '|' && line[2] >= '0' && line[2] <= '9') listed.push_back(line);
  }
  EXPECT_EQ(listed, expected);
}

}  // namespace
}  // namespace teal::vm
