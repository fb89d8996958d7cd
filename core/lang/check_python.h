// Does an import name a Python module that is there?
#pragma once

#include "core/lang/resolve.h"

namespace teal::lang {

// Reports an import of `item` whose module is missing from the project. Reads the file system.
void CheckPythonModule(Program& program, Unit& unit, const Item& item);

}  // namespace teal::lang
