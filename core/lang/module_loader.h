// Reads a program's source files and what they import.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "core/lang/resolve.h"

namespace teal::lang {

struct LoadedModule {
  const SourceFile* file = nullptr;
  std::unique_ptr<Module> tree;
  std::vector<uint32_t> error_lines;  // of syntax errors, ascending
  // For each kImportModule item, in order: the index of the module it names, or -1 where it could not be loaded.
  std::vector<int> imports;
};

class ModuleLoader {
 public:
  // files: takes every file that was read, in order of first import.
  ModuleLoader(Diagnostics& diagnostics, std::vector<std::unique_ptr<SourceFile>>& files)
      : diagnostics_(diagnostics), files_(files) {}

  // The main module is number 0 of the result; empty when it could not be read.
  std::vector<LoadedModule> LoadFile(const std::string& path);
  std::vector<LoadedModule> LoadText(const std::string& name, std::string text);

 private:
  void Add(const std::string& name, std::string text, std::string identity);
  void LoadImports();
  int Import(size_t from, const Item& item);
  void CheckRings();

  Diagnostics& diagnostics_;
  std::vector<std::unique_ptr<SourceFile>>& files_;
  std::vector<LoadedModule> modules_;
  std::vector<std::string> identities_;  // of modules_: the same for all spellings of one path
};

}  // namespace teal::lang
