#include "core/lang/link.h"

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>

#include <algorithm>
#include <cassert>
#include <cstring>

#include "core/lang/check_attributes.h"
#include "core/lang/codegen.h"
#include "core/lang/liveness.h"

namespace teal::lang {
namespace {

constexpr const char* kCompilerName = "teal 0.1.0";

void Append(FunctionScope* function, std::vector<FunctionScope*>* out) {
  // Closures nest as deep as expressions do; an explicit stack keeps the order of the source.
  std::vector<FunctionScope*> waiting{function};
  while (!waiting.empty()) {
    FunctionScope* next = waiting.back();
    waiting.pop_back();
    out->push_back(next);
    waiting.insert(waiting.end(), next->closures.rbegin(), next->closures.rend());
  }
}

class Linker {
 public:
  explicit Linker(Program& program) : program_(program) {}

  std::string Run() {
    if (!WithinLimits()) return "";
    for (const FunctionScope* function : program_.linked) {
      shapes_.push_back(
          {static_cast<uint32_t>(function->parameters.size()), static_cast<uint32_t>(function->captures.size())});
    }
    executable_.set_bytecode_version(vm::kBytecodeVersion);
    for (const ForeignImport& import : program_.imports) Import(import);
    for (FunctionScope* function : program_.linked) {
      if (!Function(*function)) return "";
    }
    program_.constants.MoveTo(&executable_);
    EntryPoints();
    for (const Unit& unit : program_.units) executable_.add_files(unit.file->name());
    executable_.add_files(program_.library.file->name());
    executable_.set_compiler(kCompilerName);
    return Serialize();
  }

 private:
  bool TooLarge(const Unit& unit, Span span, std::string message, std::string hint) {
    program_.diagnostics->Error(*unit.file, span, std::move(message), std::move(hint));
    return false;
  }

  bool WithinLimits() {
    const size_t functions = program_.linked.size();
    if (functions > vm::kFunctionsMax) {
      const FunctionScope& first = *program_.linked[vm::kFunctionsMax];
      return TooLarge(
          *first.unit, first.item->span,
          "this program has " + std::to_string(functions) + " functions, with closures and those of the library",
          "a program has at most " + std::to_string(vm::kFunctionsMax) + "; split it into several");
    }
    if (program_.imports.size() > UINT16_MAX + 1) {
      const ForeignImport& first = program_.imports[UINT16_MAX + 1];
      return TooLarge(*first.unit, first.item->span,
                      "this program has " + std::to_string(program_.imports.size()) + " imports",
                      "a program has at most " + std::to_string(UINT16_MAX + 1));
    }
    return true;
  }

  void Import(const ForeignImport& import) {
    proto::Import* out = executable_.add_imports();
    out->set_language(import.item->language);
    out->set_module(import.item->module.text);
    out->set_function(import.foreign->function.text);
    out->set_counted(import.foreign->arity.has_value());
    out->set_arity(import.foreign->arity.value_or(0));
    WriteAttributes(program_, *import.unit, *import.item, out->mutable_attributes());
    out->set_file(import.unit->file_index);
    out->set_line(import.unit->file->At(import.foreign->function.span.begin).line);
  }

  std::string NameOf(const FunctionScope& function) const {
    if (function.closure == nullptr) return function.item->name.text;
    const Position at = function.unit->file->At(function.closure->span.begin);
    return function.item->name.text + ".fn@" + std::to_string(at.line) + ":" + std::to_string(at.column);
  }

  bool Function(FunctionScope& function) {
    const Unit& unit = *function.unit;
    Code code;
    std::string problem;
    for (const bool wide : {false, true}) {
      Codegen gen(program_, function, registers_of_, wide);
      if (gen.Run(&code)) break;
      problem = gen.problem();
      if (!gen.NeedsWide()) break;
    }
    const Span span = function.closure != nullptr ? function.closure->span : function.item->name.span;
    if (!problem.empty()) return TooLarge(unit, span, problem, "split it into several functions");
    const LiveMaps live = AnalyseLiveness(&code, shapes_, program_.options.optimize);

    proto::Function* out = executable_.add_functions();
    out->set_name(NameOf(function));
    out->set_file(unit.file_index);
    out->set_line(unit.file->At(span.begin).line);
    for (const NameId name : function.parameters) {
      std::string text(program_.names.Text(name));
      if (unit.library && text.ends_with('?')) text.pop_back();
      out->add_parameters(std::move(text));
    }
    out->set_captures(static_cast<uint32_t>(function.captures.size()));
    out->set_self_register(Codegen::NeedsSelfRegister(function));
    out->set_registers(code.registers);
    Instructions(code, out);
    for (const CodeHandler& handler : code.handlers) {
      proto::Handler* to = out->add_handlers();
      to->set_from(handler.from);
      to->set_to(handler.to);
      to->set_target(handler.target);
      to->set_error_register(handler.error_register);
    }
    uint32_t before = 0;
    for (size_t i = 0; i < live.pcs.size(); ++i) {
      out->add_live_pcs(live.pcs[i] - before);
      before = live.pcs[i];
      out->add_live_map_of(live.map_of[i]);
    }
    for (const std::string& map : live.maps) out->add_live_maps(map);
    Positions(unit, code, out);
    for (const CodeLocal& local : code.locals) {
      proto::Local* to = out->add_locals();
      to->set_name(local.name);
      to->set_register_(local.reg);
      to->set_from(local.from);
      to->set_to(local.to);
    }
    // Those who ask for a function's attributes ask the one its callers call.
    const bool outermost = function.closure == nullptr && IsPublic(function);
    if (outermost) WriteAttributes(program_, *function.unit, *function.item, out->mutable_attributes());
    // Wrappers are no part of the program as it was written: traces leave them out.
    out->set_library(unit.library || (function.closure == nullptr && function.role != FunctionRole::kPlain));
    return true;
  }

  bool IsPublic(const FunctionScope& function) const {
    const auto& globals = function.unit->globals;
    const auto found = globals.find(program_.names.Intern(function.item->name.text));
    return found != globals.end() && found->second.function == &function;
  }

  static void Instructions(const Code& code, proto::Function* out) {
    std::string bytes(code.instructions.size() * 8, '\0');
    char* at = bytes.data();
    for (const vm::Instruction& i : code.instructions) {
      const uint16_t operands[3] = {i.a, i.b, i.c};
      *at++ = static_cast<char>(i.op);
      *at++ = static_cast<char>(i.flags);
      for (const uint16_t operand : operands) {
        *at++ = static_cast<char>(operand & 0xFF);
        *at++ = static_cast<char>(operand >> 8);
      }
    }
    out->set_code(std::move(bytes));
  }

  static void Positions(const Unit& unit, const Code& code, proto::Function* out) {
    auto line = static_cast<int32_t>(out->line());
    for (size_t pc = 0; pc < code.offsets.size();) {
      const uint32_t offset = code.offsets[pc];
      size_t end = pc + 1;
      while (end < code.offsets.size() && code.offsets[end] == offset) ++end;
      const Position position = unit.file->At(offset);
      out->add_positions(static_cast<int32_t>(end - pc));
      out->add_positions(static_cast<int32_t>(position.line) - line);
      out->add_positions(static_cast<int32_t>(position.column));
      line = static_cast<int32_t>(position.line);
      pc = end;
    }
  }

  void EntryPoints() {
    std::vector<std::pair<std::string, uint32_t>> entries;
    for (const auto& [name, global] : program_.units.front().globals) {
      if (global.kind != GlobalKind::kFunction) continue;
      entries.emplace_back(program_.names.Text(name), global.function->index);
    }
    std::sort(entries.begin(), entries.end());
    for (const auto& [name, index] : entries) {
      proto::EntryPoint* entry = executable_.add_entry_points();
      entry->set_name(name);
      entry->set_function(index);
    }
  }

  std::string Serialize() const {
    std::string bytes;
    {
      google::protobuf::io::StringOutputStream stream(&bytes);
      google::protobuf::io::CodedOutputStream coded(&stream);
      coded.SetSerializationDeterministic(true);
      executable_.SerializeToCodedStream(&coded);
    }
    return bytes;
  }

  Program& program_;
  proto::Executable executable_;
  std::vector<FunctionShape> shapes_;
  std::vector<Reg> registers_of_;
};

}  // namespace

void OrderFunctions(Program& program) {
  program.linked.clear();
  for (Unit& unit : program.units) {
    for (FunctionScope* function : unit.functions) Append(function, &program.linked);
  }
  for (FunctionScope* function : program.library.functions) {
    const auto found = program.library.globals.find(program.names.Intern(function->item->name.text));
    assert(found != program.library.globals.end());
    if (!found->second.used) continue;
    Append(function, &program.linked);
    if (found->second.short_form != nullptr) program.linked.push_back(found->second.short_form);
  }
  for (uint32_t i = 0; i < program.linked.size(); ++i) program.linked[i]->index = i;
}

std::string LinkExecutable(Program& program) {
  return Linker(program).Run();
}

}  // namespace teal::lang
