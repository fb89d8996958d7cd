// A program loaded for running: verified bytecode, immortal constants, tables ready for the machine.
// Immutable after loading; shared by every thread that runs it, on any OS thread.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.h"
#include "core/base/sha256.h"
#include "core/vm/opcodes.h"
#include "core/vm/value.h"

namespace teal::vm {

struct Handler {
  uint32_t from, to, target, error_register;
};

struct AttributeArgument {
  std::string key;
  Value value;
  bool parameter = false;  // value is a string that names a parameter
};
struct Attribute {
  std::string name;
  std::vector<AttributeArgument> arguments;
};

struct SourcePosition {
  uint32_t line = 0;  // 0: not known (positions were stripped)
  uint32_t column = 0;
};

struct Function {
  std::string name;
  uint32_t file = 0;
  uint32_t line = 0;
  std::vector<Value> parameters;  // names, as immortal strings
  uint32_t captures = 0;
  bool self_register = false;
  uint32_t registers = 0;
  bool library = false;
  std::vector<Instruction> code;
  std::vector<Handler> handlers;
  std::vector<uint32_t> live_pcs;
  std::vector<uint32_t> live_map_of;
  std::vector<std::vector<bool>> live_maps;
  std::vector<Attribute> attributes;
  struct Local {
    std::string name;
    uint32_t reg, from, to;
  };
  std::vector<Local> locals;
  struct Run {
    uint32_t from;
    SourcePosition position;
  };
  std::vector<Run> positions;  // sorted by from

  // The registers needed when the next instruction is pc; null when pc is no suspension point. pc 0 always is one.
  const std::vector<bool>* LiveAt(uint32_t pc) const;
  SourcePosition PositionAt(uint32_t pc) const;
};

struct Import {
  std::string language, module, function;
  bool counted = false;
  uint32_t arity = 0;
  std::vector<Attribute> attributes;
  uint32_t file = 0, line = 0;
};

class Program {
 public:
  // Decodes, verifies and prepares. kCorrupt with what is wrong and where for anything a compiler would not have
  // written, however damaged: a program that loads cannot crash the machine.
  static Result<std::shared_ptr<const Program>> Load(std::string_view executable);
  // Frees the constants: no value of a thread of this program may outlive it.
  ~Program();
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;

  const Sha256& hash() const { return hash_; }                           // of the bytes given to Load
  const std::vector<Function>& functions() const { return functions_; }  // the last one is the apply trampoline
  const std::vector<Import>& imports() const { return imports_; }
  const std::vector<Value>& constants() const { return constants_; }
  const std::vector<std::string>& files() const { return files_; }
  const Function* FindEntry(std::string_view name, uint32_t* index) const;  // null: none
  std::vector<std::string_view> EntryNames() const;
  // Index of the function `(f, args, keywords) -> f(elements of args)` that Load adds behind the program's own (if
  // keywords, the last element is a hash of keyword arguments), in which a thread starts that cannot begin with its
  // callee itself: no function of the program, another number of arguments, keywords.
  uint32_t ApplyFunction() const { return static_cast<uint32_t>(functions_.size() - 1); }

 private:
  Program() = default;
  friend class ProgramLoader;
  friend class Interpreter;

  // What a call needs of a function, close together.
  struct Callee {
    const Instruction* code;
    uint16_t registers;
    uint16_t captures;
    uint8_t parameters;
    bool self_register;
  };
  Sha256 hash_{};
  std::vector<Function> functions_;
  std::vector<Import> imports_;
  std::vector<Value> constants_;
  std::vector<std::string> files_;
  struct Entry {
    std::string name;
    uint32_t function;
  };
  std::vector<Entry> entries_;
  std::vector<Callee> callees_;  // as functions_
  std::vector<Object*> owned_;   // objects of constants, immortal until ~Program
};

// The executable without debug positions and locals: what `teal fmt` must not change.
Result<std::string> WithoutPositions(std::string_view executable);
// `teal asm`: the listing, with source lines from source_of (may be empty for unknown lines).
std::string Listing(const Program& program, std::string_view (*source_of)(void* ctx, uint32_t file, uint32_t line),
                    void* ctx);

}  // namespace teal::vm
