// The library and its tables; open and close.
#include <elf.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>

#include "abi/include/teal/bytes.hpp"
#include "core/kit/instance.h"
#include "core/kit/memory.h"
#include "core/kit/options.h"
#include "core/kit/subject.h"
#include "core/kit/test.h"
#include "core/kit/tour.h"
#include "core/kit/verdict.h"

namespace teal::kit {
namespace {

template <typename Struct>
Struct At(const std::string& file, uint64_t offset) {
  Struct value{};
  if (offset > file.size() || file.size() - offset < sizeof value) Fail("the library is no whole ELF file");
  std::memcpy(&value, file.data() + offset, sizeof value);
  return value;
}

// The names that the library's table of dynamic symbols defines for others.
std::vector<std::string> Exported() {
  std::ifstream in(Given().library, std::ios::binary);
  const std::string file((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
  const auto header = At<Elf64_Ehdr>(file, 0);
  if (std::memcmp(header.e_ident, ELFMAG, SELFMAG) != 0) Fail("the library is no ELF file");
  std::vector<std::string> names;
  for (unsigned n = 0; n < header.e_shnum; ++n) {
    const auto section = At<Elf64_Shdr>(file, header.e_shoff + uint64_t{n} * header.e_shentsize);
    if (section.sh_type != SHT_DYNSYM) continue;
    const auto strings = At<Elf64_Shdr>(file, header.e_shoff + uint64_t{section.sh_link} * header.e_shentsize);
    for (uint64_t at = 0; at + sizeof(Elf64_Sym) <= section.sh_size; at += sizeof(Elf64_Sym)) {
      const auto symbol = At<Elf64_Sym>(file, section.sh_offset + at);
      const unsigned binding = ELF64_ST_BIND(symbol.st_info);
      const unsigned visibility = ELF64_ST_VISIBILITY(symbol.st_other);
      if (symbol.st_shndx == SHN_UNDEF || binding == STB_LOCAL) continue;
      if (visibility == STV_HIDDEN || visibility == STV_INTERNAL) continue;
      names.emplace_back(file.c_str() + strings.sh_offset + symbol.st_name);
    }
  }
  return names;
}

void OnlyTheEntry() {
  std::vector<std::string> names = Exported();
  Expect(std::find(names.begin(), names.end(), TEAL_PLUGIN_ENTRY) != names.end(),
         "the library does not export " TEAL_PLUGIN_ENTRY);
  std::erase(names, TEAL_PLUGIN_ENTRY);
  if (names.empty()) return;
  std::string some;
  for (std::size_t i = 0; i < names.size() && i < 8; ++i) some += " " + names[i];
  Fail("the library exports ", names.size(), " symbols besides " TEAL_PLUGIN_ENTRY ":", some);
}

bool IsName(const char* text) {
  return text != nullptr && *text != '\0' && std::strlen(text) <= 200;
}

void Table() {
  const teal_plugin& plugin = *Tested().plugin;
  Expect(IsName(plugin.id), "id is empty or longer than 200 bytes");
  Expect(IsName(plugin.version), "version is empty or longer than 200 bytes");
  Expect((plugin.flags & ~TEAL_PLUGIN_BLOCKING) == 0, "flags has bits that the header does not know: ", plugin.flags);
  Expect(plugin.host_minor_min <= plugin.abi_minor, "host_minor_min ", plugin.host_minor_min,
         " is newer than abi_minor ", plugin.abi_minor);
  Expect(Tested().started == 0, "loading the library and calling " TEAL_PLUGIN_ENTRY " left ", Tested().started,
         " threads or descriptors");
}

template <typename Entry>
void NeedSlot(const char* table, const char* slot, Entry entry) {
  Expect(entry != nullptr, table, " has NULL as ", slot);
}

// A table is the plugin's, a feature is the instance's: one that this instance does not offer may have its slots for
// another. What they give is then TEAL_UNSUPPORTED.
void CheckWatchSlots(const Memory& memory) {
  const teal_memory& table = memory.table();
  if (memory.Has(TEAL_MEMORY_WATCH)) {
    NeedSlot(TEAL_MEMORY_ID, "watch", table.watch);
    NeedSlot(TEAL_MEMORY_ID, "unwatch", table.unwatch);
  } else if (table.watch != nullptr) {
    uint64_t id = 0;
    Inputs inputs;
    const teal_status status = table.watch(memory.instance(), inputs.Bytes("p"), [](void*, teal_key) {}, nullptr, &id);
    Expect(status == TEAL_UNSUPPORTED, "TEAL_MEMORY_WATCH is not offered, and watch gives ", StatusName(status));
  }
}

void CheckBlobSlots(const Memory& memory) {
  const teal_memory& table = memory.table();
  if (memory.Has(TEAL_MEMORY_BLOBS)) {
    NeedSlot(TEAL_MEMORY_ID, "blob_open", table.blob_open);
    NeedSlot(TEAL_MEMORY_ID, "blob_write", table.blob_write);
    NeedSlot(TEAL_MEMORY_ID, "blob_commit", table.blob_commit);
    NeedSlot(TEAL_MEMORY_ID, "blob_abort", table.blob_abort);
    NeedSlot(TEAL_MEMORY_ID, "blob_get", table.blob_get);
    NeedSlot(TEAL_MEMORY_ID, "blob_delete", table.blob_delete);
    return;
  }
  const auto unsupported = [](Call& call) {
    Expect(call.Wait().code == TEAL_UNSUPPORTED, "TEAL_MEMORY_BLOBS is not offered, and ", call.words(), " gave ",
           call.reply().Says());
  };
  if (table.blob_open != nullptr) unsupported(memory.BeginBlobOpen(Space("b")));
  if (table.blob_get != nullptr) unsupported(memory.BeginBlobGet(Space("b"), 0, 1));
  if (table.blob_delete != nullptr) unsupported(memory.BeginBlobDelete(Space("b")));
}

void Interfaces() {
  const teal_plugin& plugin = *Tested().plugin;
  for (const char* id : {"", "teal.memory/2", "teal.memory", "kit.unknown/1"}) {
    Expect(plugin.get_interface(id) == nullptr, "get_interface gives a table for the unknown id \"", id, "\"");
  }
  for (const char* id : {TEAL_MEMORY_ID, TEAL_THREADS_ID, TEAL_TRIGGER_ID, TEAL_DEPLOY_ID}) {
    Expect(plugin.get_interface(id) == plugin.get_interface(id), "get_interface gives another table of ", id,
           " the second time");
  }
  if (const teal_memory* memory = Tested().memory) {
    Expect(memory->struct_size >= sizeof *memory, TEAL_MEMORY_ID " says struct_size ", memory->struct_size,
           "; 1.0 has ", sizeof *memory);
    NeedSlot(TEAL_MEMORY_ID, "caps", memory->caps);
    NeedSlot(TEAL_MEMORY_ID, "commit", memory->commit);
    NeedSlot(TEAL_MEMORY_ID, "get", memory->get);
    NeedSlot(TEAL_MEMORY_ID, "scan", memory->scan);
    NeedSlot(TEAL_MEMORY_ID, "scan_due", memory->scan_due);
    Host host;
    const Memory opened(host);
    CheckWatchSlots(opened);
    CheckBlobSlots(opened);
  }
  if (const teal_threads* threads = Tested().threads) {
    Expect(threads->struct_size >= sizeof *threads, TEAL_THREADS_ID " says struct_size ", threads->struct_size,
           "; 1.0 has ", sizeof *threads);
    NeedSlot(TEAL_THREADS_ID, "caps", threads->caps);
    NeedSlot(TEAL_THREADS_ID, "dispatch", threads->dispatch);
    NeedSlot(TEAL_THREADS_ID, "consume", threads->consume);
    NeedSlot(TEAL_THREADS_ID, "stop_consuming", threads->stop_consuming);
    NeedSlot(TEAL_THREADS_ID, "credit", threads->credit);
    NeedSlot(TEAL_THREADS_ID, "settle", threads->settle);
    NeedSlot(TEAL_THREADS_ID, "drain", threads->drain);
    Expect((threads->decode == nullptr) == (threads->encode_reply == nullptr),
           "one of decode and encode_reply is NULL, the other is not");
  }
  if (const teal_trigger* trigger = Tested().trigger) {
    Expect(trigger->struct_size >= sizeof *trigger, TEAL_TRIGGER_ID " says struct_size ", trigger->struct_size,
           "; 1.0 has ", sizeof *trigger);
    NeedSlot(TEAL_TRIGGER_ID, "validate", trigger->validate);
    NeedSlot(TEAL_TRIGGER_ID, "start", trigger->start);
    NeedSlot(TEAL_TRIGGER_ID, "credit", trigger->credit);
    NeedSlot(TEAL_TRIGGER_ID, "accept", trigger->accept);
    NeedSlot(TEAL_TRIGGER_ID, "reject", trigger->reject);
    NeedSlot(TEAL_TRIGGER_ID, "stop", trigger->stop);
  }
}

void ManifestAgrees() {
  if (Given().manifest.empty()) NotOffered("no manifest stands beside the library");
  const auto manifest = nlohmann::json::parse(std::ifstream(Given().manifest), nullptr, false);
  Expect(manifest.is_object(), "the manifest is no JSON object");
  const teal_plugin& plugin = *Tested().plugin;
  const auto text = [&](const char* key) {
    return manifest.contains(key) && manifest[key].is_string() ? manifest[key].get<std::string>() : std::string();
  };
  Expect(text("id") == plugin.id, "the manifest says id ", Show(text("id")), ", the library ", Show(plugin.id));
  Expect(text("version") == plugin.version, "the manifest says version ", Show(text("version")), ", the library ",
         Show(plugin.version));
  const auto abi = manifest.value("abi", nlohmann::json::object());
  Expect(abi.value("major", -1) == static_cast<int>(TEAL_ABI_MAJOR), "the manifest's abi has another major than ",
         TEAL_ABI_MAJOR);
  Expect(abi.value("minor", -1) == static_cast<int>(plugin.abi_minor), "the manifest says abi minor ",
         abi.value("minor", -1), ", the library ", plugin.abi_minor);
  Expect(abi.value("host_minor_min", -1) == static_cast<int>(plugin.host_minor_min),
         "the manifest says host_minor_min ", abi.value("host_minor_min", -1), ", the library ", plugin.host_minor_min);
  const auto interfaces = manifest.value("interfaces", nlohmann::json::array());
  for (const char* id : {TEAL_MEMORY_ID, TEAL_THREADS_ID, TEAL_TRIGGER_ID, TEAL_DEPLOY_ID}) {
    const bool said = std::find(interfaces.begin(), interfaces.end(), id) != interfaces.end();
    const bool has = plugin.get_interface(id) != nullptr;
    Expect(said == has, "the manifest ", said ? "names " : "does not name ", id, ", the library ",
           has ? "has it" : "has it not");
  }
}

void OpenManyTimes() {
  Host host;
  for (int n = 0; n < 10; ++n) {
    Instance instance(host);
    if (n % 3 == 0) Tour(instance);
  }
}

void ExpectRefused(Host& host, const std::string& config, const std::string& named) {
  static int mark = 0;
  auto* const untouched = reinterpret_cast<teal_instance*>(&mark);
  teal_instance* out = untouched;
  teal_error error{};
  error.struct_size = sizeof error;
  Inputs inputs;
  const teal_status status = Tested().plugin->open(host.table(), inputs.Bytes(config), &out, &error);
  Note("open with ", Show(config), " -> ", StatusName(status));
  Expect(status != TEAL_OK, "open takes the configuration ", Show(config));
  Expect(error.code == status, "open with the configuration ", Show(config), " gave ", StatusName(status),
         " and an error of ", StatusName(error.code));
  const std::string message(error.message, ::strnlen(error.message, sizeof error.message));
  Expect(message.size() < sizeof error.message && IsUtf8(message) && message.size() >= 8,
         "open with the configuration ", Show(config), " is refused with the words ", Show(message));
  Expect(message.find(named) != std::string::npos, "open with the configuration ", Show(config),
         " is refused without naming \"", named, "\": ", message);
  Expect(out == untouched || out == nullptr, "open refused the configuration ", Show(config), " and set *out");
  // The same without an error to fill is not asked for: the header does not let it be NULL.
}

void WrongConfiguration() {
  Host host;
  for (const char* config : {"{", "nonsense", "[]", "null", "17", "\"text\"", "{\"a\":1}}", "{\"\xff\":1}"}) {
    ExpectRefused(host, config, "");
  }
  auto config = nlohmann::json::parse(Given().config);
  config["kit_unknown_key"] = 1;
  ExpectRefused(host, config.dump(), "kit_unknown_key");
}

constexpr std::array<Test, 6> kTests = {{{"LIFE-1", Needs::kNothing, 30, OnlyTheEntry},
                                         {"LIFE-2", Needs::kNothing, 30, Table},
                                         {"LIFE-3", Needs::kNothing, 60, Interfaces},
                                         {"LIFE-4", Needs::kNothing, 30, ManifestAgrees},
                                         {"LIFE-5", Needs::kNothing, 120, OpenManyTimes},
                                         {"LIFE-6", Needs::kNothing, 60, WrongConfiguration}}};

}  // namespace

std::span<const Test> LifeTests() {
  return kTests;
}

}  // namespace teal::kit
