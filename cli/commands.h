// The commands. Each adds itself to the command line, with its flags, its help and an example; when it was chosen,
// the returned function carries it out and gives the exit code.
#pragma once

#include <functional>
#include <string>
#include <vector>

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
Command AddValidate(CLI::App& app, const Globals& globals);
Command AddNew(CLI::App& app, const Globals& globals);
Command AddSchedule(CLI::App& app, const Globals& globals);
Command AddEvent(CLI::App& app, const Globals& globals);
Command AddEmit(CLI::App& app, const Globals& globals);
Command AddPlugin(CLI::App& app, const Globals& globals);
Command AddCompletion(CLI::App& app, const Globals& globals);

// Becomes the executable of that name beside this one, with `words`. Comes back only if that cannot be: reported.
int RunBeside(const Globals& globals, const std::string& executable, std::vector<std::string> words);

}  // namespace teal::cli
