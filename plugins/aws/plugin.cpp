// The plugin `aws`: what the library exports.
#include "plugins/aws/instance.hpp"

namespace {

void TEAL_CALL Close(teal_instance* instance) {
  instance->Close();
  delete instance;
}

const void* TEAL_CALL GetInterface(const char* id) {
  return id != nullptr && std::string_view(id) == "teal.memory/1" ? &teal::aws::kMemoryTable : nullptr;
}

teal_status TEAL_CALL Cancel(teal_instance* instance, uint64_t op_id) {
  return teal::plugin::Guard([&] {
    if (op_id != 0) instance->context.loop.PostCancel(op_id);
    return TEAL_OK;
  });
}

const teal_plugin kPlugin = {
    sizeof(teal_plugin), TEAL_ABI_MINOR, 0, 0, "aws", TEAL_PLUGIN_VERSION, &teal::aws::Open, &Close,
    &GetInterface,       &Cancel,
};

}  // namespace

extern "C" TEAL_EXPORT const teal_plugin* TEAL_CALL teal_plugin_v1(void) {
  return &kPlugin;
}
