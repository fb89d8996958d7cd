// The keys that `encryption` of teal.yaml gives, for the store of a host.
#pragma once

#include <memory>
#include <string>

#include "core/base/result.h"
#include "core/serve/sealed_store.h"

namespace teal::cli {

struct Sealing {
  std::shared_ptr<const serve::Seal> seal;  // null: values are kept in clear
  serve::ClearRecords clear = serve::ClearRecords::kRefuse;
};

// Of `folder`/teal.yaml and its stage, which were found to be right before. Runs the commands of its secrets. kInvalid:
// what is wrong, with its place; no key is in the message.
Result<Sealing> ReadSealing(const std::string& folder, const std::string& stage);

}  // namespace teal::cli
