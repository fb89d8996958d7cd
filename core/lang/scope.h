// Which names each function binds.
//
// Scoping rules of the language, as this compiler reads them:
//  - `x = e` binds in the function's scope, wherever it stands in the function.
//  - Loop variables are new each turn and the name of a catch is new in its clause: they exist in that block only, and
//    hide a variable of the same name there.
//  - A closure captures by value what it reads of the functions around it. Captured names are locals of its own.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <vector>

#include "core/lang/ast.h"
#include "core/lang/link_constants.h"
#include "core/lang/scope_names.h"

namespace teal::lang {

struct Unit;

// What a function of the executable is made from.
enum class FunctionRole : uint8_t {
  kPlain,  // a top-level function, or the body behind a wrapper
  kClosure,
  kRetry,    // calls `inner` through the library's __retry
  kTimeout,  // runs `inner` as a thread with a deadline
  kShort,    // a library function as a value: its optional parameters left out
};

struct FunctionScope {
  FunctionRole role = FunctionRole::kPlain;
  Unit* unit = nullptr;
  const Item* item = nullptr;             // the top-level function this belongs to
  const FunctionExpr* closure = nullptr;  // kClosure only
  FunctionScope* parent = nullptr;        // kClosure: the function around it
  FunctionScope* inner = nullptr;         // kRetry, kTimeout, kShort: what is called
  uint32_t index = UINT32_MAX;            // in the executable; set before code is generated
  std::vector<NameId> parameters;
  std::vector<NameId> locals;            // assigned at function level, in order of first assignment, without parameters
  std::vector<NameId> captures;          // found by the checker, in order of first use
  std::vector<FunctionScope*> closures;  // directly within, in order of the source
  NameId self = kNoName;                 // the name this closure is assigned to
  bool self_used = false;                // it calls itself by that name
  struct OperandAssign {
    uint32_t offset;  // of the source
    NameId name;
  };
  std::vector<OperandAssign> operand_assigns;  // assignments within operands, in order of the source

  const std::vector<Ident>& ParameterIdents() const {
    return closure != nullptr ? closure->parameters : item->parameters;
  }
  // Does an operand that begins in [from, to) of the source assign `name`? Then operands before it must keep its value.
  bool AssignedWithin(NameId name, uint32_t from, uint32_t to) const;
  const BlockExpr& Body() const { return closure != nullptr ? *closure->body : *item->body; }
};

// Fills in parameters, locals and closures of `top` and, recursively, of the closures within, which are added to `all`
// in order of the source, those of one function before those within them.
// Names of fields go into `constants` (unless null) at once: instructions have 16 bits for them, so they come first.
void CollectScopes(FunctionScope& top, NameTable& names, std::deque<FunctionScope>& all, ConstantPool* constants);

}  // namespace teal::lang
