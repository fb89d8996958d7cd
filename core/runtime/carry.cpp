#include "core/runtime/carry.h"

#include <algorithm>
#include <vector>

namespace teal::runtime {
namespace {

using vm::Tag;
using vm::Value;

// One step on the way from the root. Steps point to the one before them, by index.
struct Step {
  const Value* value;
  size_t parent;
  const Value* key;  // of a hash
  uint64_t index;    // of a list
};
constexpr size_t kNoParent = SIZE_MAX;

bool IsName(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return c == '_' || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
  });
}

std::string PathOf(const std::vector<Step>& steps, size_t at, std::string_view root) {
  std::vector<const Step*> way;
  for (; steps[at].parent != kNoParent; at = steps[at].parent) way.push_back(&steps[at]);
  std::string path(root);
  for (auto step = way.rbegin(); step != way.rend(); ++step) {
    const Value* key = (*step)->key;
    if (key == nullptr) {
      path += "[" + std::to_string((*step)->index) + "]";
    } else if (key->tag() == Tag::kString && IsName(key->Text())) {
      path += "." + std::string(key->Text());
    } else {
      path += "[" + SourceForm(*key) + "]";
    }
  }
  return path;
}

}  // namespace

std::optional<std::string> WhyNotCarried(const Value& value, std::string_view root) {
  if (!value.IsHeap() && !value.IsCallable()) return std::nullopt;
  std::vector<Step> steps{{&value, kNoParent, nullptr, 0}};
  for (size_t at = 0; at < steps.size(); ++at) {
    const Value& v = *steps[at].value;
    if (v.IsCallable() || v.tag() == Tag::kFuture) {
      return PathOf(steps, at, root) + " is a " + (v.IsCallable() ? "function" : "future") +
             ", which cannot leave its session";
    }
    // Only what may hold more is looked at later.
    const auto add = [&](const Value& part, const Value* key, uint64_t index) {
      const Tag tag = part.tag();
      if (part.IsCallable() || tag == Tag::kFuture || tag == Tag::kList || tag == Tag::kHash || tag == Tag::kError) {
        steps.push_back({&part, at, key, index});
      }
    };
    if (v.tag() == Tag::kList) {
      const vm::List* list = v.As<vm::List>();
      for (uint64_t i = 0; i < list->size; ++i) add(list->items[i], nullptr, i);
    } else if (v.tag() == Tag::kHash) {
      const vm::Hash* hash = v.As<vm::Hash>();
      for (uint64_t i = 0; i < hash->used; ++i) {
        if (!vm::Hash::IsHole(hash->entries[i])) add(hash->entries[i].value, &hash->entries[i].key, 0);
      }
    } else if (v.tag() == Tag::kError) {
      static const Value kData = [] {
        Value name = vm::MakeString("data");
        vm::MakeImmortal(name);
        return name;
      }();
      add(v.As<vm::Error>()->data, &kData, 0);
    }
  }
  return std::nullopt;
}

}  // namespace teal::runtime
