#include "core/vm/program_loader.h"

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/stubs/logging.h>

#include <algorithm>
#include <set>

#include "core/base/sha256.h"
#include "core/vm/builtins.h"
#include "core/vm/thread.h"
#include "core/vm/verifier.h"

namespace teal::vm {
namespace {

constexpr uint32_t kImportsMax = 65535;
constexpr uint32_t kLinesMax = 1u << 30;
// A list in a list takes two messages; the rest is room for what surrounds a constant.
constexpr int kMessageDepthMax = 2 * static_cast<int>(kConstantDepthMax) + 10;

// Messages of the lite runtime keep unknown fields where only classes derived from them may look.
struct MetadataOf : google::protobuf::MessageLite {
  static bool HasUnknown(const google::protobuf::MessageLite& message) {
    return (message.*(&MetadataOf::_internal_metadata_)).have_unknown_fields();
  }
};
bool HasUnknown(const google::protobuf::MessageLite& message) {
  return MetadataOf::HasUnknown(message);
}

std::string Quoted(const std::string& text) {
  return IsValidUtf8(text) ? "\"" + text + "\"" : "(not UTF-8)";
}

}  // namespace

bool ParseExecutable(std::string_view bytes, proto::Executable* executable) {
  if (bytes.size() > INT32_MAX) return false;
  // The library would write its opinion of damaged bytes to the error output.
  google::protobuf::LogSilencer silent;
  google::protobuf::io::CodedInputStream stream(reinterpret_cast<const uint8_t*>(bytes.data()),
                                                static_cast<int>(bytes.size()));
  stream.SetRecursionLimit(kMessageDepthMax);
  return executable->ParseFromCodedStream(&stream) && stream.ConsumedEntireMessage();
}

Result<std::shared_ptr<const Program>> ProgramLoader::Load(std::string_view bytes) {
  proto::Executable message;
  if (!ParseExecutable(bytes, &message))
    return Fail(FailureCode::kCorrupt, "the executable is damaged: it cannot be decoded");
  if (message.bytecode_version() != kBytecodeVersion) {
    return Fail(FailureCode::kCorrupt, "the executable has bytecode version " +
                                           std::to_string(message.bytecode_version()) + ", this is version " +
                                           std::to_string(kBytecodeVersion) + ": compile it again");
  }
  std::shared_ptr<Program> program(new Program());
  program->hash_ = Sha256Of(bytes);
  ProgramLoader loader(*program);
  const bool good = loader.Decode(message);
  if (!good) return Fail(FailureCode::kCorrupt, "the executable is damaged: " + loader.problem_);
  loader.Finish();
  return std::shared_ptr<const Program>(std::move(program));
}

bool ProgramLoader::Decode(const proto::Executable& from) {
  if (HasUnknown(from)) return Bad("unknown fields");
  if (from.functions_size() > static_cast<int>(kFunctionsMax)) return Bad("more than 65535 functions");
  if (from.imports_size() > static_cast<int>(kImportsMax)) return Bad("more than 65535 imports");
  const auto functions = static_cast<size_t>(from.functions_size());
  for (const std::string& file : from.files()) {
    if (!IsValidUtf8(file)) return Bad("the name of a file is not UTF-8");
    program_.files_.push_back(file);
  }
  program_.constants_.resize(static_cast<size_t>(from.constants_size()));
  for (int i = 0; i < from.constants_size(); i++) {
    if (!DecodeConstant(from.constants(i), functions, 0, &program_.constants_[static_cast<size_t>(i)])) {
      return Bad("constant " + std::to_string(i) + ": " + problem_);
    }
  }
  program_.imports_.resize(static_cast<size_t>(from.imports_size()));
  for (int i = 0; i < from.imports_size(); i++) {
    if (!DecodeImport(from.imports(i), functions, &program_.imports_[static_cast<size_t>(i)])) {
      return Bad("import " + std::to_string(i) + ": " + problem_);
    }
  }
  program_.functions_.reserve(functions + 1);
  program_.functions_.resize(functions);
  for (int i = 0; i < from.functions_size(); i++) {
    Function& to = program_.functions_[static_cast<size_t>(i)];
    if (!DecodeFunction(from.functions(i), from, &to)) {
      return Bad("function " + std::to_string(i) + " " + Quoted(to.name) + ": " + problem_);
    }
  }
  if (!DecodeEntries(from) || !CheckReferences() || !Verify()) return false;
  AddApply();
  return true;
}

bool ProgramLoader::DecodeConstant(const proto::Constant& from, size_t functions, uint32_t depth, Value* to) {
  if (HasUnknown(from)) return Bad("unknown fields");
  switch (from.kind_case()) {
    case proto::Constant::kInteger:
      *to = Value::Int(from.integer());
      return true;
    case proto::Constant::kFloatBits: {
      const uint64_t bits = from.float_bits();
      double number;
      std::memcpy(&number, &bits, sizeof number);
      *to = Value::Float(number);
      return true;
    }
    case proto::Constant::kText:
    case proto::Constant::kSymbol: {
      const bool text = from.kind_case() == proto::Constant::kText;
      const std::string& characters = text ? from.text() : from.symbol();
      if (!IsValidUtf8(characters)) return Bad("not UTF-8");
      if (characters.size() > kValueBytesMax) return Bad("over 64 MiB");
      *to = text ? MakeString(characters) : MakeSymbol(characters);
      return true;
    }
    case proto::Constant::kBytes:
      if (from.bytes().size() > kValueBytesMax) return Bad("over 64 MiB");
      *to = MakeBytes(from.bytes());
      return true;
    case proto::Constant::kList:
      return DecodeList(from.list(), functions, depth + 1, to);
    case proto::Constant::kHash:
      return DecodeHash(from.hash(), functions, depth + 1, to);
    case proto::Constant::kBoolean:
      *to = Value::Bool(from.boolean());
      return true;
    case proto::Constant::kNull:
      return from.null() || Bad("null that is not true");
    case proto::Constant::kFunction:
      if (from.function() >= functions) return Bad("no function " + std::to_string(from.function()));
      *to = Value::Function(from.function());
      return true;
    case proto::Constant::kBuiltin:
      if (from.builtin() >= kBuiltinIdEnd || BuiltinOf(static_cast<uint16_t>(from.builtin())).name.empty()) {
        return Bad("no builtin " + std::to_string(from.builtin()));
      }
      *to = Value::Builtin(from.builtin());
      return true;
    case proto::Constant::kForeign:
      // Whether the import exists is checked with the references, once all imports are there.
      *to = Value::Foreign(from.foreign());
      return true;
    case proto::Constant::KIND_NOT_SET:
      return Bad("no kind");
  }
  return Bad("unknown kind");
}

bool ProgramLoader::DecodeList(const proto::Constant::List& from, size_t functions, uint32_t depth, Value* to) {
  if (HasUnknown(from)) return Bad("unknown fields");
  if (depth > kConstantDepthMax) return Bad("nested more than " + std::to_string(kConstantDepthMax) + " deep");
  const auto size = static_cast<uint64_t>(from.items_size());
  if (size * sizeof(Value) > kValueBytesMax) return Bad("over 64 MiB");
  *to = MakeList(size);
  List* list = to->As<List>();
  for (const proto::Constant& item : from.items()) {
    Value value;
    if (!DecodeConstant(item, functions, depth, &value)) return false;
    new (&list->items[list->size]) Value(std::move(value));
    list->size++;
  }
  return true;
}

bool ProgramLoader::DecodeHash(const proto::Constant::Hash& from, size_t functions, uint32_t depth, Value* to) {
  if (HasUnknown(from)) return Bad("unknown fields");
  if (depth > kConstantDepthMax) return Bad("nested more than " + std::to_string(kConstantDepthMax) + " deep");
  if (from.items_size() % 2 != 0) return Bad("a key without a value");
  const auto size = static_cast<uint64_t>(from.items_size()) / 2;
  if (size * sizeof(Hash::Entry) > kValueBytesMax) return Bad("over 64 MiB");
  Value hash = MakeHash(size);
  for (int i = 0; i < from.items_size(); i += 2) {
    Value key, value;
    if (!DecodeConstant(from.items(i), functions, depth, &key) ||
        !DecodeConstant(from.items(i + 1), functions, depth, &value)) {
      return false;
    }
    if (!IsKey(key)) return Bad("a key that cannot be one: " + std::string(TypeName(key)));
    if (HashGet(*hash.As<Hash>(), key) != nullptr) return Bad("the same key twice");
    hash = HashSet(std::move(hash), std::move(key), std::move(value));
  }
  *to = std::move(hash);
  return true;
}

bool ProgramLoader::DecodeImport(const proto::Import& from, size_t functions, Import* to) {
  if (HasUnknown(from)) return Bad("unknown fields");
  for (const std::string* name : {&from.language(), &from.module(), &from.function()}) {
    if (name->empty() || !IsValidUtf8(*name)) return Bad("a name is missing or not UTF-8");
  }
  if (from.arity() > kParametersMax || (!from.counted() && from.arity() != 0))
    return Bad("arity " + std::to_string(from.arity()));
  if (from.file() >= program_.files_.size()) return Bad("no file " + std::to_string(from.file()));
  to->language = from.language();
  to->module = from.module();
  to->function = from.function();
  to->counted = from.counted();
  to->arity = from.arity();
  to->file = from.file();
  to->line = from.line();
  to->attributes.resize(static_cast<size_t>(from.attributes_size()));
  for (int i = 0; i < from.attributes_size(); i++) {
    if (!DecodeAttribute(from.attributes(i), nullptr, functions, &to->attributes[static_cast<size_t>(i)])) return false;
  }
  return true;
}

bool ProgramLoader::DecodeAttribute(const proto::Attribute& from, const std::vector<Value>* parameters,
                                    size_t functions, Attribute* to) {
  if (HasUnknown(from)) return Bad("an attribute: unknown fields");
  if (from.name().empty() || !IsValidUtf8(from.name())) return Bad("an attribute without a name");
  to->name = from.name();
  for (const auto& argument : from.arguments()) {
    const std::string where = "attribute " + to->name + ", argument " + Quoted(argument.key());
    if (HasUnknown(argument)) return Bad(where + ": unknown fields");
    if (argument.key().empty() || !IsValidUtf8(argument.key())) return Bad(where + ": no name");
    for (const AttributeArgument& earlier : to->arguments) {
      if (earlier.key == argument.key()) return Bad(where + ": given twice");
    }
    AttributeArgument made;
    made.key = argument.key();
    made.parameter = argument.parameter();
    if (!argument.has_value()) return Bad(where + ": no value");
    if (!DecodeConstant(argument.value(), functions, 0, &made.value)) return Bad(where + ": " + problem_);
    if (made.parameter) {
      if (made.value.tag() != Tag::kString) return Bad(where + ": the name of a parameter is no string");
      const bool known =
          parameters == nullptr || std::any_of(parameters->begin(), parameters->end(),
                                               [&](const Value& name) { return name.Text() == made.value.Text(); });
      if (!known) return Bad(where + ": no parameter has this name");
    }
    to->arguments.push_back(std::move(made));
  }
  return true;
}

bool ProgramLoader::DecodeFunction(const proto::Function& from, const proto::Executable& executable, Function* to) {
  if (!IsValidUtf8(from.name())) return Bad("the name is not UTF-8");
  to->name = from.name();
  if (HasUnknown(from)) return Bad("unknown fields");
  if (from.file() >= static_cast<uint32_t>(executable.files_size()))
    return Bad("no file " + std::to_string(from.file()));
  if (from.line() > kLinesMax) return Bad("line " + std::to_string(from.line()));
  to->file = from.file();
  to->line = from.line();
  if (from.parameters_size() > static_cast<int>(kParametersMax)) return Bad("more than 255 parameters");
  for (const std::string& name : from.parameters()) {
    if (name.empty() || !IsValidUtf8(name)) return Bad("a parameter without a name");
    for (const Value& earlier : to->parameters) {
      if (earlier.Text() == name) return Bad("two parameters " + name);
    }
    to->parameters.push_back(MakeString(name));
  }
  to->captures = from.captures();
  to->self_register = from.self_register();
  to->registers = from.registers();
  to->library = from.library();
  if (to->registers > kRegistersMax) return Bad(std::to_string(to->registers) + " registers");
  if (uint64_t{to->captures} + to->parameters.size() + (to->self_register ? 1 : 0) > to->registers) {
    return Bad(std::to_string(to->registers) + " registers do not hold parameters and captures");
  }
  if (from.code().size() % sizeof(Instruction) != 0) return Bad("half an instruction");
  to->code.resize(from.code().size() / sizeof(Instruction));
  if (!to->code.empty()) std::memcpy(to->code.data(), from.code().data(), from.code().size());
  const auto size = static_cast<uint32_t>(to->code.size());
  for (const proto::Handler& handler : from.handlers()) {
    if (HasUnknown(handler)) return Bad("a handler: unknown fields");
    if (handler.from() >= handler.to() || handler.to() > size || handler.target() < handler.to() ||
        handler.target() >= size || handler.error_register() >= to->registers) {
      return Bad("a handler from " + std::to_string(handler.from()) + " to " + std::to_string(handler.to()) +
                 ", target " + std::to_string(handler.target()) + ", register " +
                 std::to_string(handler.error_register()));
    }
    to->handlers.push_back({handler.from(), handler.to(), handler.target(), handler.error_register()});
  }
  for (const proto::Local& local : from.locals()) {
    if (HasUnknown(local)) return Bad("a local: unknown fields");
    if (local.name().empty() || !IsValidUtf8(local.name()) || local.register_() >= to->registers ||
        local.from() > local.to() || local.to() > size) {
      return Bad("a local " + Quoted(local.name()));
    }
    to->locals.push_back({local.name(), local.register_(), local.from(), local.to()});
  }
  to->attributes.resize(static_cast<size_t>(from.attributes_size()));
  for (int i = 0; i < from.attributes_size(); i++) {
    if (!DecodeAttribute(from.attributes(i), &to->parameters, static_cast<size_t>(executable.functions_size()),
                         &to->attributes[static_cast<size_t>(i)])) {
      return false;
    }
  }
  return DecodeLiveMaps(from, to) && DecodePositions(from, to);
}

bool ProgramLoader::DecodeLiveMaps(const proto::Function& from, Function* to) {
  if (from.live_pcs_size() != from.live_map_of_size()) return Bad("live maps: as many pcs as maps are needed");
  std::set<std::string_view> distinct;
  for (const std::string& bits : from.live_maps()) {
    if (!bits.empty() && bits.back() == 0) return Bad("a live map ends with zeros");
    if (bits.size() > (to->registers + 7) / 8) return Bad("a live map names registers that do not exist");
    if (!distinct.insert(bits).second) return Bad("two equal live maps");
    std::vector<bool> map(to->registers);
    for (size_t bit = 0; bit < bits.size() * 8; bit++) {
      if ((static_cast<uint8_t>(bits[bit / 8]) >> (bit % 8) & 1) == 0) continue;
      if (bit >= map.size()) return Bad("a live map names registers that do not exist");
      map[bit] = true;
    }
    to->live_maps.push_back(std::move(map));
  }
  uint64_t pc = 0;
  to->live_pcs.reserve(static_cast<size_t>(from.live_pcs_size()) + 1);
  to->live_map_of.reserve(static_cast<size_t>(from.live_pcs_size()) + 1);
  if (from.live_pcs_size() == 0 || from.live_pcs(0) != 0) {
    // A frame that has just begun needs what its call gave it.
    std::vector<bool> map(to->registers);
    std::fill_n(map.begin(), to->parameters.size() + to->captures + (to->self_register ? 1 : 0), true);
    to->live_pcs.push_back(0);
    to->live_map_of.push_back(static_cast<uint32_t>(to->live_maps.size()));
    to->live_maps.push_back(std::move(map));
  }
  for (int i = 0; i < from.live_pcs_size(); i++) {
    if (i > 0 && from.live_pcs(i) == 0) return Bad("live maps: the pcs do not increase");
    pc += from.live_pcs(i);
    if (pc >= to->code.size()) return Bad("live maps: pc " + std::to_string(pc));
    if (from.live_map_of(i) >= static_cast<uint32_t>(from.live_maps_size())) {
      return Bad("live maps: no map " + std::to_string(from.live_map_of(i)));
    }
    to->live_pcs.push_back(static_cast<uint32_t>(pc));
    to->live_map_of.push_back(from.live_map_of(i));
  }
  return true;
}

bool ProgramLoader::DecodePositions(const proto::Function& from, Function* to) {
  if (from.positions_size() % 3 != 0) return Bad("positions: not in threes");
  uint64_t pc = 0;
  int64_t line = to->line;
  to->positions.reserve(static_cast<size_t>(from.positions_size()) / 3);
  for (int i = 0; i < from.positions_size(); i += 3) {
    const int64_t count = from.positions(i);
    line += from.positions(i + 1);
    const int64_t column = from.positions(i + 2);
    if (count <= 0 || line < 0 || line > kLinesMax || column < 0) return Bad("positions: run " + std::to_string(i / 3));
    to->positions.push_back({static_cast<uint32_t>(pc), {static_cast<uint32_t>(line), static_cast<uint32_t>(column)}});
    pc += static_cast<uint64_t>(count);
    if (pc > to->code.size()) return Bad("positions: past the end of the code");
  }
  return true;
}

bool ProgramLoader::DecodeEntries(const proto::Executable& from) {
  for (const proto::EntryPoint& entry : from.entry_points()) {
    const std::string where = "entry point " + Quoted(entry.name());
    if (HasUnknown(entry)) return Bad(where + ": unknown fields");
    if (entry.name().empty() || !IsValidUtf8(entry.name())) return Bad(where + ": no name");
    if (!program_.entries_.empty() && !(program_.entries_.back().name < entry.name()))
      return Bad(where + ": not in order");
    if (entry.function() >= program_.functions_.size())
      return Bad(where + ": no function " + std::to_string(entry.function()));
    if (program_.functions_[entry.function()].captures != 0) return Bad(where + ": its function has captures");
    program_.entries_.push_back({entry.name(), entry.function()});
  }
  return true;
}

// Functions as constants have no captures, and imports as constants exist, at any depth.
bool ProgramLoader::CheckReference(const Value& constant, size_t own_functions) {
  switch (constant.tag()) {
    case Tag::kFunction:
      assert(constant.AsIndex() < own_functions);
      return program_.functions_[constant.AsIndex()].captures == 0 || Bad("a function with captures as a constant");
    case Tag::kForeign:
      return constant.AsIndex() < program_.imports_.size() || Bad("no import " + std::to_string(constant.AsIndex()));
    case Tag::kList: {
      const List* list = constant.As<List>();
      return std::all_of(list->items, list->items + list->size,
                         [&](const Value& v) { return CheckReference(v, own_functions); });
    }
    case Tag::kHash: {
      const Hash* hash = constant.As<Hash>();
      return std::all_of(hash->entries, hash->entries + hash->used,
                         [&](const Hash::Entry& entry) { return CheckReference(entry.value, own_functions); });
    }
    default:
      return true;
  }
}

bool ProgramLoader::CheckReferences() {
  const size_t functions = program_.functions_.size();
  auto check_attributes = [&](const std::vector<Attribute>& attributes) {
    for (const Attribute& attribute : attributes) {
      for (const AttributeArgument& argument : attribute.arguments) {
        if (!CheckReference(argument.value, functions)) return Bad("attribute " + attribute.name + ": " + problem_);
      }
    }
    return true;
  };
  for (size_t i = 0; i < program_.constants_.size(); i++) {
    if (!CheckReference(program_.constants_[i], functions))
      return Bad("constant " + std::to_string(i) + ": " + problem_);
  }
  for (const Function& function : program_.functions_) {
    if (!check_attributes(function.attributes)) return Bad("function " + function.name + ": " + problem_);
  }
  for (const Import& import : program_.imports_) {
    if (!check_attributes(import.attributes)) return Bad("import " + import.function + ": " + problem_);
  }
  return true;
}

bool ProgramLoader::Verify() {
  const VerifierInput input{program_.functions_, program_.constants_, program_.imports_.size()};
  for (const Function& function : program_.functions_) {
    Status status = VerifyFunction(function, input);
    if (!status.ok()) return Bad(status.failure().message);
  }
  return true;
}

void ProgramLoader::AddApply() {
  enum : uint16_t { kCallee, kArguments, kKeywordsGiven, kResult, kRegisters };
  Function apply;
  apply.name = "apply";
  for (const char* name : {"f", "args", "keywords"}) apply.parameters.push_back(MakeString(name));
  apply.registers = kRegisters;
  apply.library = true;
  apply.code = {
      {kJumpIfTrue, 0, kKeywordsGiven, 2, 0},
      {kApply, 0, kResult, kCallee, kArguments},
      {kReturn, 0, kResult, 0, 0},
      {kApply, kKeywords, kResult, kCallee, kArguments},
      {kReturn, 0, kResult, 0, 0},
  };
  apply.live_pcs = {0, 2, 4};
  apply.live_map_of = {0, 1, 1};
  apply.live_maps = {{true, true, true, false}, std::vector<bool>(kRegisters)};
  program_.functions_.push_back(std::move(apply));
}

// What the loader made has one reference each. Objects that the value library keeps for itself (and may hand out as
// constants) are immortal already, and not ours.
void ProgramLoader::Own(const Value& value) {
  if (!value.IsHeap() || !value.AsObject()->Sole()) return;
  program_.owned_.push_back(value.AsObject());
  if (value.tag() == Tag::kList) {
    const List* list = value.As<List>();
    std::for_each(list->items, list->items + list->size, [&](const Value& item) { Own(item); });
  } else if (value.tag() == Tag::kHash) {
    const Hash* hash = value.As<Hash>();
    for (uint64_t i = 0; i < hash->used; i++) {
      Own(hash->entries[i].key);
      Own(hash->entries[i].value);
    }
  }
}

void ProgramLoader::Finish() {
  auto keep = [&](const Value& value) {
    Own(value);
    MakeImmortal(value);
  };
  auto keep_attributes = [&](const std::vector<Attribute>& attributes) {
    for (const Attribute& attribute : attributes) {
      for (const AttributeArgument& argument : attribute.arguments) keep(argument.value);
    }
  };
  for (const Value& constant : program_.constants_) keep(constant);
  for (const Import& import : program_.imports_) keep_attributes(import.attributes);
  program_.callees_.reserve(program_.functions_.size());
  for (const Function& function : program_.functions_) {
    for (const Value& name : function.parameters) keep(name);
    keep_attributes(function.attributes);
    program_.callees_.push_back({function.code.data(), static_cast<uint16_t>(function.registers),
                                 static_cast<uint16_t>(function.captures),
                                 static_cast<uint8_t>(function.parameters.size()), function.self_register});
  }
}

}  // namespace teal::vm
