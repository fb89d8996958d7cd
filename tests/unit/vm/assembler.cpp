#include "tests/unit/vm/assembler.h"

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <sstream>
#include <vector>

#include "core/vm/builtins.h"
#include "core/vm/verifier.h"

namespace teal::vm {
namespace {

struct Line {
  uint32_t number;
  std::vector<std::string> words;
};

[[noreturn]] void Wrong(const Line& line, const std::string& problem) {
  std::fprintf(stderr, "assembler: line %u: %s\n", line.number, problem.c_str());
  std::abort();
}

// Words, with "strings" (no escapes) kept whole; ';' begins a comment.
std::vector<Line> Split(std::string_view text) {
  std::vector<Line> lines;
  std::istringstream in{std::string(text)};
  std::string row;
  for (uint32_t number = 1; std::getline(in, row); number++) {
    Line line{number, {}};
    for (size_t at = 0; at < row.size();) {
      if (std::strchr(" ,()\t", row[at]) != nullptr) {
        at++;
      } else if (row[at] == ';') {
        break;
      } else if (row[at] == '"') {
        const size_t end = row.find('"', at + 1);
        if (end == std::string::npos) Wrong(line, "an open string");
        line.words.push_back(row.substr(at, end - at));
        at = end + 1;
      } else {
        const size_t end = std::min(row.find_first_of(" ,()\t", at), row.size());
        line.words.push_back(row.substr(at, end - at));
        at = end;
      }
    }
    if (!line.words.empty()) lines.push_back(line);
  }
  return lines;
}

class Assembler {
 public:
  proto::Executable Run(std::string_view text) {
    out_.set_bytecode_version(kBytecodeVersion);
    out_.add_files("test.tl");
    const std::vector<Line> lines = Split(text);
    // Names first, so that functions may call those below them.
    for (const Line& line : lines) {
      if (line.words[0] == "function") Declare(line);
      if (line.words[0] == "import") Import(line);
    }
    std::vector<Line> body;
    int function = -1;
    for (const Line& line : lines) {
      if (line.words[0] == "import") continue;
      if (line.words[0] != "function") {
        body.push_back(line);
        continue;
      }
      if (function >= 0) Body(function, body);
      body.clear();
      function++;
    }
    if (function >= 0) Body(function, body);
    std::map<std::string, uint32_t> entries;
    for (int f = 0; f < out_.functions_size(); f++) {
      if (out_.functions(f).captures() == 0) entries[out_.functions(f).name()] = static_cast<uint32_t>(f);
    }
    for (const auto& [name, index] : entries) {
      auto* entry = out_.add_entry_points();
      entry->set_name(name);
      entry->set_function(index);
    }
    return out_;
  }

 private:
  void Declare(const Line& line) {
    auto* f = out_.add_functions();
    f->set_name(line.words.at(1));
    f->set_line(line.number);
    functions_[f->name()] = static_cast<uint16_t>(out_.functions_size() - 1);
    size_t at = 2;
    auto keyword = [](const std::string& word) {
      return word == "registers" || word == "captures" || word == "self" || word == "library";
    };
    while (at < line.words.size() && !keyword(line.words[at])) f->add_parameters(line.words[at++]);
    for (; at < line.words.size(); at++) {
      const std::string& word = line.words[at];
      if (word == "self")
        f->set_self_register(true);
      else if (word == "library")
        f->set_library(true);
      else if (word == "registers")
        f->set_registers(Number(line, line.words.at(++at)));
      else if (word == "captures")
        f->set_captures(Number(line, line.words.at(++at)));
      else
        Wrong(line, "what is " + word);
    }
  }

  void Import(const Line& line) {
    auto* import = out_.add_imports();
    import->set_language(line.words.at(1));
    import->set_module(line.words.at(2));
    import->set_function(line.words.at(3));
  }

  static uint32_t Number(const Line& line, const std::string& word) {
    char* end = nullptr;
    const long number = std::strtol(word.c_str(), &end, 0);
    if (word.empty() || *end != '\0') Wrong(line, "no number: " + word);
    return static_cast<uint32_t>(number);
  }

  uint32_t Constant(const Line& line, const std::string& word) {
    proto::Constant constant;
    if (word[0] == '"')
      constant.set_text(word.substr(1));
    else if (word[0] == ':')
      constant.set_symbol(word.substr(1));
    else if (word[0] == '#')
      constant.set_integer(std::strtoll(word.c_str() + 1, nullptr, 0));
    else if (word == "true" || word == "false")
      constant.set_boolean(word == "true");
    else if (word == "null")
      constant.set_null(true);
    else {
      const double number = std::strtod(word.c_str(), nullptr);
      uint64_t bits;
      std::memcpy(&bits, &number, sizeof bits);
      constant.set_float_bits(bits);
    }
    const std::string key = constant.SerializeAsString();
    auto [at, added] = constants_.try_emplace(key, static_cast<uint32_t>(out_.constants_size()));
    if (added) *out_.add_constants() = constant;
    (void)line;
    return at->second;
  }

  uint32_t Operand(const Line& line, char letter, const std::string& word, uint32_t pc) {
    switch (letter) {
      case 'W':
      case 'R':
      case 'T':
      case 'U':
      case 'B':
        if (word[0] != 'r') Wrong(line, "no register: " + word);
        return Number(line, word.substr(1));
      case 'K':
      case 'Q':
        return Constant(line, word);
      case 'F': {
        auto at = functions_.find(word.substr(1));
        if (word[0] != '@' || at == functions_.end()) Wrong(line, "no function: " + word);
        return at->second;
      }
      case 'X':
        return Number(line, word.substr(1));
      case 'H':
      case 'P':
        return Named(line, word);
      case 'J':
      case 'D': {
        auto at = labels_.find(word);
        if (at == labels_.end()) Wrong(line, "no label: " + word);
        return at->second - (pc + 1);
      }
      default:
        return word[0] == '%' ? Named(line, word) : Number(line, word);
    }
  }

  static uint32_t Named(const Line& line, const std::string& word) {
    const auto id = FindBuiltin(word.substr(1));
    if (!id) Wrong(line, "no builtin: " + word);
    return *id;
  }

  Instruction Encode(const Line& line, uint32_t pc) {
    std::string name = line.words[0];
    Instruction i{};
    if (const size_t dot = name.find('.'); dot != std::string::npos) {
      for (char flag : name.substr(dot + 1)) i.flags |= flag == 'b' ? kTakeB : flag == 'c' ? kTakeC : kKeywords;
      name.resize(dot);
    }
    uint8_t op = 0;
    while (op < kOpcodeCount && name != NameOf(op)) op++;
    if (op == kOpcodeCount) Wrong(line, "no opcode: " + name);
    i.op = op;
    const char* letters = OperandsOf(op);
    size_t word = 1;
    for (int place = 0; place < 3; place++) {
      if (letters[place] == '-') continue;
      if (word >= line.words.size()) Wrong(line, "too few operands");
      const uint32_t operand = Operand(line, letters[place], line.words[word++], pc);
      const bool wide = std::strchr("DLQ", letters[place]) != nullptr;
      (place == 0 ? i.a : place == 1 ? i.b : i.c) = static_cast<uint16_t>(operand);
      if (wide) i.c = static_cast<uint16_t>(operand >> 16);
    }
    if (word != line.words.size()) Wrong(line, "too many operands");
    return i;
  }

  void Body(int function, std::vector<Line> body) {
    proto::Function& f = *out_.mutable_functions(function);
    labels_.clear();
    std::vector<Line> code, handlers;
    for (Line& line : body) {
      while (!line.words.empty() && line.words[0].back() == ':') {
        std::string label = line.words[0];
        label.pop_back();
        labels_[label] = static_cast<uint32_t>(code.size());
        line.words.erase(line.words.begin());
      }
      if (line.words.empty()) continue;
      (line.words[0] == "handler" ? handlers : code).push_back(line);
    }
    std::string bytes;
    std::vector<bool> live(code.size() + 1);
    for (const auto& [name, pc] : labels_) live[pc] = true;
    uint32_t before = f.line();
    for (uint32_t pc = 0; pc < code.size(); pc++) {
      const Instruction i = Encode(code[pc], pc);
      bytes.append(reinterpret_cast<const char*>(&i), sizeof i);
      if (IsCallOrRequest(i.op)) live[pc + 1] = true;
      f.add_positions(1);
      f.add_positions(static_cast<int32_t>(code[pc].number - before));
      f.add_positions(1);
      before = code[pc].number;
    }
    f.set_code(bytes);
    for (const Line& line : handlers) {
      auto* handler = f.add_handlers();
      handler->set_from(Operand(line, 'D', line.words.at(1), ~0u));
      handler->set_to(Operand(line, 'D', line.words.at(2), ~0u));
      handler->set_target(Operand(line, 'D', line.words.at(3), ~0u));
      handler->set_error_register(Operand(line, 'R', line.words.at(4), 0));
    }
    std::string map;
    for (uint32_t r = 0; r < f.registers(); r++) {
      if (r % 8 == 0) map.push_back(0);
      map.back() = static_cast<char>(map.back() | 1 << (r % 8));
    }
    f.add_live_maps(map);
    uint32_t last = 0;
    for (uint32_t pc = 0; pc < code.size(); pc++) {
      if (!live[pc]) continue;
      f.add_live_pcs(pc - last);
      f.add_live_map_of(0);
      last = pc;
    }
  }

  proto::Executable out_;
  std::map<std::string, uint16_t> functions_;
  std::map<std::string, uint32_t> constants_;
  std::map<std::string, uint32_t> labels_;
};

}  // namespace

std::string Bytes(const proto::Executable& executable) {
  return executable.SerializeAsString();
}
proto::Executable AssembleMessage(std::string_view text) {
  return Assembler().Run(text);
}
std::string Assemble(std::string_view text) {
  return Bytes(AssembleMessage(text));
}

std::shared_ptr<const Program> Assembled(std::string_view text) {
  auto program = Program::Load(Assemble(text));
  if (!program.ok()) {
    std::fprintf(stderr, "assembler: %s\n", program.failure().message.c_str());
    std::abort();
  }
  return std::move(program).value();
}

}  // namespace teal::vm
