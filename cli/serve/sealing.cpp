#include "cli/serve/sealing.h"

#include <filesystem>
#include <utility>
#include <variant>
#include <vector>

#include "core/config/project.h"
#include "core/config/reference.h"

namespace teal::cli {
namespace {

Failure At(const config::Place& place, const std::string& message) {
  return Fail(FailureCode::kInvalid,
              *place.file + ":" + std::to_string(place.line) + ":" + std::to_string(place.column) + ": " + message);
}

Result<serve::SealKey> KeyOf(config::Resolver* resolver, const config::Node& node) {
  const std::variant<config::Secret, config::Error> text = resolver->Text(node);
  if (const auto* error = std::get_if<config::Error>(&text)) {
    return At(node.place, error->message + (error->hint.empty() ? "" : "; " + error->hint));
  }
  Result<serve::SealKey> key = serve::SealKey::Parse(std::get<config::Secret>(text).Use());
  if (!key.ok()) return At(node.place, key.failure().message);
  return key;
}

}  // namespace

Result<Sealing> ReadSealing(const std::string& folder, const std::string& stage) {
  std::error_code error;
  if (!std::filesystem::exists(std::filesystem::path(folder) / runtime::kConfigFileName, error)) return Sealing{};
  const config::Project project = config::ReadProject(folder, stage);
  if (!project.errors.empty()) {
    const config::Error& first = project.errors.front();
    return Fail(FailureCode::kInvalid, first.file + ":" + std::to_string(first.line) + ": " + first.message);
  }
  const config::Node* const encryption = project.tree.Find("encryption");
  if (encryption == nullptr) return Sealing{};
  config::Resolver resolver(project.tree, folder, config::Commands::kRun);
  Result<serve::SealKey> key = KeyOf(&resolver, *encryption->Find("key"));
  if (!key.ok()) return key.failure();
  std::vector<serve::SealKey> older;
  if (const config::Node* const previous = encryption->Find("previous")) {
    for (const config::Node& node : previous->items) {
      Result<serve::SealKey> one = KeyOf(&resolver, node);
      if (!one.ok()) return one.failure();
      older.push_back(std::move(*one));
    }
  }
  Sealing sealing;
  sealing.seal = std::make_shared<const serve::Seal>(std::move(*key), std::move(older));
  const config::Node* const allow_clear = encryption->Find("allow_clear");
  if (allow_clear != nullptr && allow_clear->text == "true") sealing.clear = serve::ClearRecords::kRead;
  return sealing;
}

}  // namespace teal::cli
