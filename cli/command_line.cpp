#include "cli/command_line.h"

#include <CLI/CLI.hpp>

#include "cli/arguments.h"

namespace teal::cli {

void AddGlobalFlags(CLI::App& app, Globals* globals) {
  app.add_flag("--json", globals->json, "only JSON on standard output, a line an answer");
  app.add_flag("-q,--quiet", globals->quiet, "no progress, no warnings");
  app.add_flag("-v,--verbose", globals->verbose, "tell more on standard error");
  app.add_option("--color", globals->color, "colours: auto, always or never")
      ->check(CLI::IsMember({"auto", "always", "never"}));
  app.add_option("--project", globals->project, "the project's folder; else the nearest parent with a teal.yaml");
  app.add_option("--backend", globals->backend, "where the program runs: local");
  app.add_option("--stage", globals->stage, "the stage: teal.STAGE.yaml is laid over teal.yaml");
  app.add_option("--key", globals->key, "the key of a host");
  app.add_option("--plugin", globals->plugins, "a plugin to look at first: its manifest, library or folder")
      ->allow_extra_args(false);
}

void KeepFromCli11(std::vector<std::string>* words) {
  for (std::string& word : *words) {
    const bool brackets = word.size() >= 2 && word.front() == '[' && word.back() == ']';
    if (brackets || word == "{}" || word == "%%") word.insert(word.begin(), kVerbatim);
  }
}

}  // namespace teal::cli
