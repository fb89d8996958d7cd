#include <gtest/gtest.h>

#include "core/vm/program.h"
#include "tests/unit/vm/assembler.h"

namespace teal::vm {
namespace {

TEST(Listing, ShowsInstructionsWithTheirOperands) {
  auto program = Assembled(
      "import python src.main f\nfunction main(a) registers 4\n try: kLoadConst r1 \"hi\"\n kCallForeign r1 1 $0\n"
      "kJumpLessImm r1 5 end\n kCallBuiltin r1 1 %length\n end: kReturn r1\n handler try end end r2");
  const std::string listing = Listing(
      *program,
      [](void*, uint32_t, uint32_t line) { return line == 3 ? std::string_view("say(\"hi\")\n") : std::string_view(); },
      nullptr);
  EXPECT_EQ(listing, R"(file 0 test.tl
import 0 python src.main.f

function 0 main(a)  test.tl:2  registers 4
  handler 0 to 4 goes to 4 with the error in r2
  3 | say("hi")
     0  LoadConst          r1 "hi"                     ; live r0 r1 r2 r3
  4 | 
     1  CallForeign        r1 1 src.main.f
  5 | 
     2  JumpLessImm        r1 5 -> 4                   ; live r0 r1 r2 r3
  6 | 
     3  CallBuiltin        r1 1 length
  7 | 
     4  Return             r1                          ; live r0 r1 r2 r3
)");
}

}  // namespace
}  // namespace teal::vm
