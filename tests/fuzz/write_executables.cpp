// Compiles every program of a folder that compiles, and writes the executables into another: write_executables FROM TO.
// Seeds for fuzz_machine.
#include <filesystem>
#include <fstream>

#include "core/lang/compiler.h"

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  teal::lang::CompileOptions options;
  options.check_python_files = false;
  for (const auto& entry : std::filesystem::directory_iterator(argv[1])) {
    auto output = teal::lang::CompileFile(entry.path().string(), options);
    if (!output.ok()) continue;
    std::ofstream out(std::filesystem::path(argv[2]) / entry.path().filename(), std::ios::binary);
    out << output.executable;
  }
  return 0;
}
