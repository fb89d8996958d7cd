// teal fmt: one style for every program.
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "cli/commands.h"
#include "cli/output.h"
#include "cli/report.h"
#include "cli/source.h"
#include "core/lang/format.h"

namespace teal::cli {
namespace {

struct FmtFlags {
  std::vector<std::string> files;
  bool check = false;
};

// In one step: a reader sees the old text or the new one.
bool Replace(const Globals& globals, const std::string& file, const std::string& text) {
  namespace fs = std::filesystem;
  std::error_code error;
  const fs::path target = fs::is_symlink(file, error) ? fs::canonical(file, error) : fs::path(file);
  const fs::path fresh = target.string() + ".teal-fmt";
  std::ofstream out(fresh, std::ios::binary | std::ios::trunc);
  out << text;
  out.close();
  if (out.good()) {
    fs::permissions(fresh, fs::status(target, error).permissions(), error);
    fs::rename(fresh, target, error);
    if (!error) return true;
  }
  const std::string reason = error ? error.message() : std::strerror(errno);
  fs::remove(fresh, error);
  ReportError(globals, "cannot write " + file + ": " + reason, "check the permissions of the file and its folder");
  return false;
}

int Fmt(const Globals& globals, const FmtFlags& flags) {
  int code = kExitDone;
  for (const std::string& file : flags.files) {
    std::optional<std::string> text = ReadSource(globals, file);
    if (!text) {
      code = kExitUsage;
      continue;
    }
    const std::string before = *text;
    const std::optional<ParsedSource> parsed = ParseSource(globals, file == "-" ? "<stdin>" : file, std::move(*text));
    if (!parsed) {
      code = kExitUsage;
      continue;
    }
    const std::string after = lang::Format(*parsed->module);
    if (flags.check) {
      if (after == before) continue;
      if (globals.json) {
        std::printf("{\"file\":%s}\n", ToJson(vm::MakeString(file)).c_str());
      } else {
        std::printf("%s\n", file.c_str());
      }
      if (code == kExitDone) code = kExitFailed;
    } else if (file == "-") {
      WriteAll(STDOUT_FILENO, after);
    } else if (after != before && !Replace(globals, file, after)) {
      code = kExitUsage;
    }
  }
  return code;
}

}  // namespace

Command AddFmt(CLI::App& app, const Globals& globals) {
  auto flags = std::make_shared<FmtFlags>();
  CLI::App* fmt = app.add_subcommand("fmt", "write programs in the one style");
  fmt->footer("Example: teal fmt --check service.tl\n`-` formats standard input to standard output.");
  fmt->add_option("FILE", flags->files, "the programs, or -")->required();
  fmt->add_flag("--check", flags->check, "change nothing; list the files that are not in the style, and exit with 1");
  return [flags, &globals] { return Fmt(globals, *flags); };
}

}  // namespace teal::cli
