#include "core/lang/link_constants.h"

#include <bit>
#include <cassert>
#include "core/base/mutant.h"
#include "core/vm/opcodes.h"

namespace teal::lang {
namespace {

// Constants are as deep as the expression they were written as, so walking them recursively is safe.
constexpr int kDepthMax = vm::kConstantDepthMax;

bool Storable(const vm::Value& value, int depth) {
  if (depth > kDepthMax) return false;
  switch (value.tag()) {
    case vm::Tag::kNull:
    case vm::Tag::kBool:
    case vm::Tag::kInt:
    case vm::Tag::kFloat:
    case vm::Tag::kString:
    case vm::Tag::kSymbol:
    case vm::Tag::kBytes:
      return true;
    case vm::Tag::kList: {
      const auto* list = value.As<vm::List>();
      for (uint64_t i = 0; i < list->size; ++i) {
        if (!Storable(list->items[i], depth + 1)) return false;
      }
      return true;
    }
    case vm::Tag::kHash: {
      const auto* hash = value.As<vm::Hash>();
      for (uint64_t i = 0; i < hash->used; ++i) {
        const auto& entry = hash->entries[i];
        if (vm::Hash::IsHole(entry)) continue;
        if (!Storable(entry.key, depth + 1) || !Storable(entry.value, depth + 1)) return false;
      }
      return true;
    }
    default:
      return false;
  }
}

}  // namespace

bool IsStorable(const vm::Value& value) {
  return Storable(value, 0);
}

void WriteConstant(const vm::Value& value, proto::Constant* out) {
  const auto text = [&] { return std::string(value.Text()); };
  switch (value.tag()) {
    case vm::Tag::kNull:
      out->set_null(true);
      return;
    case vm::Tag::kBool:
      out->set_boolean(value.AsBool());
      return;
    case vm::Tag::kInt:
      out->set_integer(value.AsInt());
      return;
    case vm::Tag::kFloat:
      out->set_float_bits(std::bit_cast<uint64_t>(value.AsFloat()));
      return;
    case vm::Tag::kString:
      out->set_text(text());
      return;
    case vm::Tag::kSymbol:
      out->set_symbol(text());
      return;
    case vm::Tag::kBytes:
      out->set_bytes(text());
      return;
    case vm::Tag::kList: {
      const auto* list = value.As<vm::List>();
      auto* items = out->mutable_list();
      for (uint64_t i = 0; i < list->size; ++i) WriteConstant(list->items[i], items->add_items());
      return;
    }
    case vm::Tag::kHash: {
      const auto* hash = value.As<vm::Hash>();
      auto* items = out->mutable_hash();
      for (uint64_t i = 0; i < hash->used; ++i) {
        if (vm::Hash::IsHole(hash->entries[i])) continue;
        WriteConstant(hash->entries[i].key, items->add_items());
        WriteConstant(hash->entries[i].value, items->add_items());
      }
      return;
    }
    default:
      assert(false && "not storable");
  }
}

uint32_t ConstantPool::Integer(int64_t value) {
  const auto [at, added] = integers_.emplace(value, static_cast<uint32_t>(constants_.size()));
  if (added) constants_.Add()->set_integer(value);
  return at->second;
}

uint32_t ConstantPool::Text(std::string_view text) {
  const auto found = texts_.find(text);
  if (found != texts_.end()) return found->second;
  const auto index = static_cast<uint32_t>(constants_.size());
  texts_.emplace(std::string(text), index);
  constants_.Add()->set_text(std::string(text));
  return index;
}

uint32_t ConstantPool::Add(const vm::Value& value) {
  assert(IsStorable(value));
  if (value.IsInt()) return Integer(value.AsInt());
  if (TEAL_MUTANT("constants_1_and_1.0_are_one") && value.IsFloat() && value.AsFloat() == 1.0) return Integer(1);
  if (value.tag() == vm::Tag::kString) return Text(value.Text());
  proto::Constant constant;
  WriteConstant(value, &constant);
  const auto [at, added] = others_.emplace(constant.SerializeAsString(), static_cast<uint32_t>(constants_.size()));
  if (added) *constants_.Add() = std::move(constant);
  return at->second;
}

void ConstantPool::MoveTo(proto::Executable* executable) {
  executable->mutable_constants()->Swap(&constants_);
}

}  // namespace teal::lang
