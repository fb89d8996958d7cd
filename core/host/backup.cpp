#include "core/host/backup.h"

#include <future>

#include "core/host/call.h"

namespace teal::host {
namespace {

Status ResultOf(const Plugin& plugin, teal_status status, const std::string& words) {
  if (status == TEAL_OK) return Unit{};
  FailureCode code = FailureCode::kUnavailable;
  if (status == TEAL_INVALID || status == TEAL_UNSUPPORTED) code = FailureCode::kInvalid;
  if (status == TEAL_CORRUPT) code = FailureCode::kCorrupt;
  return Fail(code, "the memory " + plugin.id() + ": " + (words.empty() ? StatusName(status) : words));
}

// Null: it has none.
const teal_backup* TableOf(const Plugin& plugin) {
  if (!plugin.Offers(TEAL_BACKUP_ID)) return nullptr;
  const auto* table = static_cast<const teal_backup*>(plugin.Interface(TEAL_BACKUP_ID));
  return table != nullptr && table->struct_size >= sizeof(teal_backup) ? table : nullptr;
}

Failure MakesNone(const Plugin& plugin) {
  return Fail(FailureCode::kInvalid,
              "the memory " + plugin.id() + " makes no backups of its own; use what its store offers for them");
}

}  // namespace

Status BackUpStore(Instance& instance, const std::string& target) {
  const teal_backup* const table = TableOf(instance.plugin());
  // Where calls go through a pool of threads the plugin's own instance is not to be had.
  if (table == nullptr || instance.plugin().blocking()) return MakesNone(instance.plugin());
  struct Outcome {
    std::promise<void> done;
    teal_status status = TEAL_OK;
    std::string words;
  } outcome;
  teal_call call{};
  call.struct_size = sizeof call;
  call.op_id = instance.NextOpId();
  call.done_ctx = &outcome;
  call.done = [](void* ctx, const teal_error* error, const void*) {
    auto* to = static_cast<Outcome*>(ctx);
    if (error != nullptr) {
      to->status = error->code;
      to->words = MessageOf(*error);
    }
    to->done.set_value();
  };
  const teal_status status = table->backup(instance.handle(), &call, BytesOf(target));
  if (status != TEAL_OK) return ResultOf(instance.plugin(), status, "");  // done was not called
  outcome.done.get_future().wait();
  return ResultOf(instance.plugin(), outcome.status, outcome.words);
}

Status RestoreStore(const Plugin& plugin, const std::string& config_json, const std::string& source) {
  const teal_backup* const table = TableOf(plugin);
  if (table == nullptr) return MakesNone(plugin);
  teal_error error{};
  error.struct_size = sizeof error;
  const teal_status status = table->restore(BytesOf(config_json), BytesOf(source), &error);
  return ResultOf(plugin, status, MessageOf(error));
}

}  // namespace teal::host
