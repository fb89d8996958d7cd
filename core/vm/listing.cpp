// `teal asm`: a program as text.
#include <cstring>
#include <string>

#include "core/vm/builtins.h"
#include "core/vm/program.h"
#include "core/vm/verifier.h"

namespace teal::vm {
namespace {

constexpr size_t kConstantShownMax = 60;
constexpr size_t kOpcodeWidth = 19;
constexpr size_t kOperandsWidth = 28;

using SourceOf = std::string_view (*)(void* ctx, uint32_t file, uint32_t line);

void PadTo(std::string& text, size_t width) {
  if (text.size() < width) text.resize(width, ' ');
}

class Lister {
 public:
  Lister(const Program& program, SourceOf source_of, void* ctx) : program_(program), source_of_(source_of), ctx_(ctx) {}

  std::string Run() {
    for (size_t n = 0; n < program_.files().size(); n++)
      out_ += "file " + std::to_string(n) + " " + program_.files()[n] + "\n";
    for (size_t n = 0; n < program_.imports().size(); n++) {
      const Import& import = program_.imports()[n];
      out_ += "import " + std::to_string(n) + " " + import.language + " " + import.module + "." + import.function;
      if (import.counted) out_ += " (" + std::to_string(import.arity) + ")";
      out_ += "\n";
      ListAttributes(import.attributes);
    }
    for (uint32_t n = 0; n < program_.ApplyFunction(); n++) ListFunction(n, program_.functions()[n]);
    return std::move(out_);
  }

 private:
  static std::string Register(uint32_t n) { return "r" + std::to_string(n); }

  std::string Constant(uint64_t n) const {
    std::string form = SourceForm(program_.constants()[n]);
    if (form.size() <= kConstantShownMax) return form;
    size_t end = kConstantShownMax;
    while (end > 0 && (static_cast<uint8_t>(form[end]) & 0xC0) == 0x80) end--;
    return form.substr(0, end) + "…";
  }

  void ListAttributes(const std::vector<Attribute>& attributes) {
    for (const Attribute& attribute : attributes) {
      out_ += "  #[" + attribute.name + "(";
      bool first = true;
      for (const AttributeArgument& argument : attribute.arguments) {
        if (!first) out_ += ", ";
        first = false;
        out_ +=
            argument.key + "=" + (argument.parameter ? std::string(argument.value.Text()) : SourceForm(argument.value));
      }
      out_ += ")]\n";
    }
  }

  void ListFunction(uint32_t index, const Function& f) {
    out_ += "\nfunction " + std::to_string(index) + " " + f.name + "(";
    for (size_t n = 0; n < f.parameters.size(); n++) out_ += (n == 0 ? "" : ", ") + std::string(f.parameters[n].Text());
    out_ +=
        ")  " + program_.files()[f.file] + ":" + std::to_string(f.line) + "  registers " + std::to_string(f.registers);
    if (f.captures != 0) out_ += "  captures " + std::to_string(f.captures);
    if (f.self_register) out_ += "  self " + Register(static_cast<uint32_t>(f.parameters.size()) + f.captures);
    if (f.library) out_ += "  library";
    out_ += "\n";
    ListAttributes(f.attributes);
    for (const Function::Local& local : f.locals) {
      out_ += "  local " + local.name + " " + Register(local.reg) + "  " + std::to_string(local.from) + " to " +
              std::to_string(local.to) + "\n";
    }
    for (const Handler& handler : f.handlers) {
      out_ += "  handler " + std::to_string(handler.from) + " to " + std::to_string(handler.to) + " goes to " +
              std::to_string(handler.target) + " with the error in " + Register(handler.error_register) + "\n";
    }
    uint32_t shown_line = 0;
    for (uint32_t pc = 0; pc < f.code.size(); pc++) {
      const uint32_t line = f.PositionAt(pc).line;
      if (line != 0 && line != shown_line) ListSource(f.file, line);
      shown_line = line;
      ListInstruction(f, pc);
    }
  }

  void ListSource(uint32_t file, uint32_t line) {
    std::string_view text = source_of_ == nullptr ? std::string_view() : source_of_(ctx_, file, line);
    while (!text.empty() && (text.back() == '\n' || text.back() == '\r')) text.remove_suffix(1);
    out_ += "  " + std::to_string(line) + " | " + std::string(text) + "\n";
  }

  void ListInstruction(const Function& f, uint32_t pc) {
    const Instruction& i = f.code[pc];
    std::string row = std::to_string(pc);
    row.insert(0, row.size() < 6 ? 6 - row.size() : 0, ' ');
    row += "  ";
    row += NameOf(i.op) + 1;  // without the k
    if (i.flags != 0) row += ".";
    if ((i.flags & kTakeB) != 0) row += "b";
    if ((i.flags & kTakeC) != 0) row += "c";
    if ((i.flags & kKeywords) != 0) row += "k";
    PadTo(row, 8 + kOpcodeWidth);
    row += Operands(i, pc);
    if (const std::vector<bool>* live = f.LiveAt(pc)) {
      PadTo(row, 8 + kOpcodeWidth + kOperandsWidth);
      row += "; live";
      for (uint32_t n = 0; n < live->size(); n++) {
        if ((*live)[n]) row += " " + Register(n);
      }
    }
    while (row.back() == ' ') row.pop_back();
    out_ += row + "\n";
  }

  std::string Operands(const Instruction& i, uint32_t pc) const {
    const char* letters = OperandsOf(i.op);
    const uint16_t operands[] = {i.a, i.b, i.c};
    std::string text;
    for (int place = 0; place < 3; place++) {
      if (letters[place] == '-') continue;
      if (!text.empty()) text += " ";
      text += Operand(letters[place], operands[place], i, pc);
    }
    return text;
  }

  std::string Operand(char letter, uint16_t operand, const Instruction& i, uint32_t pc) const {
    switch (letter) {
      case 'W':
      case 'R':
      case 'T':
      case 'U':
      case 'B':
        return Register(operand);
      case 'K':
        return Constant(operand);
      case 'Q':
        return Constant(static_cast<uint32_t>(i.d()));
      case 'I':
        return std::to_string(static_cast<int16_t>(operand));
      case 'L':
        return std::to_string(i.d());
      case 'J':
        return "-> " + std::to_string(int64_t{pc} + 1 + static_cast<int16_t>(operand));
      case 'D':
        return "-> " + std::to_string(int64_t{pc} + 1 + i.d());
      case 'F':
        return program_.functions()[operand].name;
      case 'X':
        return program_.imports()[operand].module + "." + program_.imports()[operand].function;
      case 'H':
      case 'P':
        return std::string(BuiltinOf(operand).name);
      default:
        return i.op == kLoadBuiltin ? std::string(BuiltinOf(operand).name) : std::to_string(operand);
    }
  }

  const Program& program_;
  SourceOf source_of_;
  void* ctx_;
  std::string out_;
};

}  // namespace

std::string Listing(const Program& program, SourceOf source_of, void* ctx) {
  return Lister(program, source_of, ctx).Run();
}

}  // namespace teal::vm
