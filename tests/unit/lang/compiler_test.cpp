// Executables: the same bytes for the same program, whatever surrounds it.
#include <filesystem>
#include <fstream>

#include "core/lang/format.h"
#include "core/lang/parser.h"
#include "tests/unit/lang/compiling.h"

namespace teal::lang {
namespace {

namespace fs = std::filesystem;

constexpr const char* kMain =
    "import \"lib/b.tl\" as b\nimport \"a.tl\" as a\n"
    "fn on_http(method, path, event) { [method,path] }\n"
    "fn main() { xs=[1,2.5,\"x\"];h={\"k\":xs , 3:null}\n  f = fn(n) { n+a.two()+b.one() }\n  sort(map(xs, f)) |> "
    "length }\n";

// A project of three modules in a new folder.
class Project {
 public:
  explicit Project(const std::string& name) : folder_(fs::path(testing::TempDir()) / name) {
    fs::create_directories(folder_ / "lib");
    Write("main.tl", kMain);
    Write("a.tl", "fn two() { 2 }\n");
    Write("lib/b.tl", "import \"../a.tl\" as a\nfn one() { a.two() - 1 }\n");
  }
  ~Project() { fs::remove_all(folder_); }
  CompileOutput Compile() const { return CompileFile((folder_ / "main.tl").string()); }

 private:
  void Write(const char* name, const char* text) const { std::ofstream(folder_ / name) << text; }
  const fs::path folder_;
};

TEST(Compiler, GivesTheSameBytesTwice) {
  EXPECT_EQ(CompileText("x.tl", kMain).executable, CompileText("x.tl", kMain).executable);
  const Project project("teal_twice");
  const CompileOutput first = project.Compile();
  ASSERT_TRUE(first.ok()) << Shown(first);
  EXPECT_EQ(first.executable, project.Compile().executable);
}

TEST(Compiler, GivesTheSameCodeInEveryFolder) {
  const Project here("teal_here"), there("teal_there_longer");
  const auto first = Loaded(here.Compile()), second = Loaded(there.Compile());
  ASSERT_TRUE(first != nullptr && second != nullptr);
  ASSERT_EQ(first->functions().size(), second->functions().size());
  for (size_t i = 0; i < first->functions().size(); ++i) {
    const vm::Function& a = first->functions()[i];
    const vm::Function& b = second->functions()[i];
    EXPECT_EQ(a.name, b.name);
    ASSERT_EQ(a.code.size(), b.code.size());
    for (size_t pc = 0; pc < a.code.size(); ++pc) {
      EXPECT_EQ(a.code[pc].op, b.code[pc].op);
      EXPECT_EQ(a.code[pc].d(), b.code[pc].d());
    }
  }
}

TEST(Compiler, OrdersModulesByFirstImport) {
  const Project project("teal_order");
  const auto program = Loaded(project.Compile());
  ASSERT_NE(program, nullptr);
  ASSERT_EQ(program->files().size(), 4u);
  EXPECT_TRUE(program->files()[0].ends_with("main.tl"));
  EXPECT_TRUE(program->files()[1].ends_with("b.tl"));
  EXPECT_TRUE(program->files()[2].ends_with("a.tl"));
  EXPECT_EQ(program->files()[3], "library");
}

TEST(Compiler, OffersTheFunctionsOfTheMainModule) {
  const Project project("teal_entries");
  const auto program = Loaded(project.Compile());
  ASSERT_NE(program, nullptr);
  EXPECT_EQ(program->EntryNames(), (std::vector<std::string_view>{"main", "on_http"}));
}

TEST(Compiler, KeepsTheCodeOfAFormattedProgram) {
  constexpr const char* kText =
      "fn f( a,b ){ x=a+b*2 ;if x>3{x}else{ {\"k\":[x,] } } }\n\n\nfn main(){ f( 1,2 )\n// done\n }\n";
  Diagnostics diagnostics;
  const SourceFile file("a.tl", kText);
  const std::string formatted = Format(*Parse(file, diagnostics));
  ASSERT_NE(formatted, kText);
  const auto before = vm::WithoutPositions(CompileText("a.tl", kText).executable);
  const auto after = vm::WithoutPositions(CompileText("a.tl", formatted).executable);
  ASSERT_TRUE(before.ok() && after.ok());
  EXPECT_EQ(before.value(), after.value());
  EXPECT_NE(CompileText("a.tl", kText).executable, CompileText("a.tl", formatted).executable);
}

TEST(Compiler, GivesLinesOfEachFunction) {
  const auto program = Loaded(CompileText("a.tl", "fn f() {\n  1\n}\n\nfn main() {\n  x = sid()\n  [x, x]\n}\n"));
  ASSERT_NE(program, nullptr);
  const vm::Function* main = program->FindEntry("main", nullptr);
  ASSERT_NE(main, nullptr);
  EXPECT_EQ(main->line, 5u);
  EXPECT_EQ(main->PositionAt(0).line, 6u);
}

TEST(Compiler, MeansTheSameWithoutOptimizing) {
  for (const char* body :
       {"1 + 2 * 3 - 4 / 2", "i = 0\nwhile i < 100000 { i = i + 40000 }\ni",
        "t = 0\nfor i in range(10, 0, -3) { t = t * 10 + i }\nt", "[-0.0 - 0, 7 % -3, \"a\" + \"b\"]",
        "xs = [3, 1]\nxs |> append(2) |> sort |> set(0, xs[1])"}) {
    const std::string text = std::string("fn main() {\n") + body + "\n}\n";
    EXPECT_EQ(ValueOf(text), ValueOf(text, false)) << body;
  }
}

}  // namespace
}  // namespace teal::lang
