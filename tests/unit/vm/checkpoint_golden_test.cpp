// Checkpoints of every format version there was must load for ever, and the document's example must be true.
#include <fstream>
#include <iterator>

#include "tests/unit/vm/checkpoint_test_util.h"

namespace teal::vm {
namespace {

std::string FileText(const std::string& name) {
  std::ifstream file(std::string(TEAL_SOURCE_DIR) + "/" + name, std::ios::binary);
  EXPECT_TRUE(file.good()) << name;
  return {std::istreambuf_iterator<char>(file), {}};
}

std::string SourceOf(const std::string& state_file) {
  Result<std::shared_ptr<const Program>> program = Program::Load(FileText("tests/golden/state/v1-program.bin"));
  if (!program.ok()) return program.failure().message;
  auto source = [](const Sha256& hash) -> Result<std::string> {
    return FileText("tests/golden/state/v1-segment-" + Hex(hash) + ".bin");
  };
  Result<std::unique_ptr<Thread>> thread = ReadCheckpoint(FileText(state_file), *program, source);
  if (!thread.ok()) return thread.failure().message;
  (*thread)->Resolve(Value());
  EXPECT_EQ((*thread)->Run(kPlenty), RunState::kDone);
  return SourceForm((*thread)->result());
}

TEST(CheckpointGolden, Version1) {
  EXPECT_EQ(SourceOf("tests/golden/state/v1-small.bin"), "[-3, \"ab\", \"ab\"]");
  const std::string large = SourceOf("tests/golden/state/v1-large.bin");
  EXPECT_NE(large.find("199: \"value 199\""), std::string::npos) << large.substr(0, 200);
  EXPECT_NE(large.find(std::string(9000, 'x')), std::string::npos);
  EXPECT_EQ(large.find("\"value 133\""), std::string::npos);
}

// The hexadecimal digits before " |" in the document's table are the bytes of the sample.
TEST(CheckpointGolden, TheDocumentShowsTheSample) {
  std::string text = FileText("docs/formats/checkpoint.md");
  const size_t from = text.find("```dump\n");
  ASSERT_NE(from, std::string::npos);
  const size_t to = text.find("```", from + 8);
  std::string shown;
  for (size_t at = from + 8; at < to;) {
    const size_t end = text.find('\n', at);
    for (size_t c = at; c < text.find('|', at); c++) {
      if (text[c] != ' ') shown += text[c];
    }
    at = end + 1;
  }
  std::string digits;
  for (unsigned char byte : FileText("tests/golden/state/v1-small.bin")) {
    digits += "0123456789abcdef"[byte >> 4];
    digits += "0123456789abcdef"[byte & 15];
  }
  EXPECT_EQ(shown, digits);
}

}  // namespace
}  // namespace teal::vm
