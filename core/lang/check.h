// The checker: names, scopes, calls, and everything else the compiler must catch, with what it learns on the way:
// which names each closure captures and which functions of the library are used.
#pragma once

#include "core/lang/resolve.h"

namespace teal::lang {

// Checks one unit's items, imports and functions. Afterwards FunctionScope::captures and self_used are final.
// An item with a syntax error is passed over. report_unknown: off when whole items may have been lost to syntax errors,
// so that a name that is nowhere may have stood in one of them.
void CheckUnit(Program& program, Unit& unit, bool report_unknown);
// Is there a syntax error outside of all items?
bool HasLostItems(const Unit& unit);

// Checks one top-level function (wrappers are passed over). For the functions of the library.
void CheckFunction(Program& program, FunctionScope& function);

}  // namespace teal::lang
