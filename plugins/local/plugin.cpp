// The plugin `local`: a durable teal.memory/1 on RocksDB in one folder of this machine, and teal.threads/1 in this
// process beside it.
#include <teal/abi.h>

#include <string_view>

#include "plugins/local/backup.hpp"
#include "plugins/local/calls.hpp"
#include "plugins/local/instance.hpp"

namespace {

teal_status TEAL_CALL Open(const teal_host* host, teal_bytes config_json, teal_instance** out, teal_error* error) {
  return teal::plugin::GuardWithError(error, [&] {
    teal::local::Config config;
    if (const auto wrong = ReadConfig(teal::View(config_json), config)) return Give(error, *wrong);
    auto instance = std::make_unique<teal_instance>(host, config);
    if (const auto wrong = instance->Open()) return Give(error, *wrong);
    *out = instance.release();
    return TEAL_OK;
  });
}

void TEAL_CALL Close(teal_instance* instance) {
  instance->Close();
  const teal::local::Quiet quiet;
  delete instance;
}

const void* TEAL_CALL GetInterface(const char* id) {
  const std::string_view name = id;
  if (name == "teal.memory/1") return &teal::local::kMemoryTable;
  if (name == "teal.threads/1") return &teal::local::kThreadsTable;
  if (name == TEAL_BACKUP_ID) return &teal::local::kBackupTable;
  return nullptr;
}

teal_status TEAL_CALL Cancel(teal_instance* instance, uint64_t op_id) {
  return teal::plugin::Guard([&] {
    if (op_id != 0) instance->committer->Cancel(op_id);
    return TEAL_OK;
  });
}

constexpr teal_plugin kPlugin = {sizeof(teal_plugin), TEAL_ABI_MINOR, 0, 0, "local", TEAL_PLUGIN_VERSION, Open, Close,
                                 GetInterface,        Cancel};

}  // namespace

extern "C" TEAL_EXPORT const teal_plugin* TEAL_CALL teal_plugin_v1(void) {
  return &kPlugin;
}
