// The commands. Each adds itself to the command line, with its flags, its help and an example; when it was chosen,
// the returned function carries it out and gives the exit code.
#pragma once

#include <functional>

#include "cli/globals.h"

namespace CLI {
class App;
}

namespace teal::cli {

using Command = std::function<int()>;

// `app` and `globals` outlive the command.
Command AddRun(CLI::App& app, const Globals& globals);
Command AddCheck(CLI::App& app, const Globals& globals);
Command AddFmt(CLI::App& app, const Globals& globals);
Command AddAsm(CLI::App& app, const Globals& globals);
Command AddAst(CLI::App& app, const Globals& globals);
Command AddTest(CLI::App& app, const Globals& globals);
Command AddNew(CLI::App& app, const Globals& globals);
Command AddPlugin(CLI::App& app, const Globals& globals);
Command AddCompletion(CLI::App& app, const Globals& globals);

}  // namespace teal::cli
