// The attributes #[…] of functions and imports: which there are, their arguments, types and defaults.
#pragma once

#include <vector>

#include "core/lang/ast.h"
#include "core/lang/resolve.h"
#include "core/proto/executable.pb.h"
#include "core/vm/value.h"

namespace teal::lang {

// Reports what is wrong with the attributes of `item`.
void CheckAttributes(Program& program, Unit& unit, const Item& item);

// In canonical order: attributes by name, arguments in the order of their definition, those left out left out.
// Precondition for this and the next: CheckAttributes reported nothing.
void WriteAttributes(Program& program, Unit& unit, const Item& item,
                     google::protobuf::RepeatedPtrField<proto::Attribute>* out);

// All arguments of one attribute in the order of their definition, defaults filled in, null where there is none.
std::vector<vm::Value> AttributeValues(Program& program, Unit& unit, const Attribute& attribute);

}  // namespace teal::lang
