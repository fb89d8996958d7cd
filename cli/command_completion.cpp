// teal completion: what a shell needs to complete command lines.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <string>

#include "cli/commands.h"

namespace teal::cli {
namespace {

// The commands, and the flags of each, are read from the command line itself: nothing to keep in step.
std::string Names(const CLI::App& app, bool options) {
  std::string names;
  if (options) {
    for (const CLI::Option* option : app.get_options()) {
      for (const std::string& name : option->get_lnames()) {
        if (!option->get_group().empty()) names += (names.empty() ? "--" : " --") + name;
      }
    }
  } else {
    for (const CLI::App* command : app.get_subcommands([](const CLI::App*) { return true; })) {
      names += (names.empty() ? "" : " ") + command->get_name();
    }
  }
  return names;
}

// Of a command and of those below it.
std::string AllFlags(const CLI::App& command) {
  std::string flags = Names(command, true);
  for (const CLI::App* below : command.get_subcommands([](const CLI::App*) { return true; })) {
    flags += " " + Names(*below, true);
  }
  return flags;
}

std::string Bash(const CLI::App& app) {
  std::string text = "_teal() {\n  local word=\"${COMP_WORDS[COMP_CWORD]}\" command=\"\" below=\"\" flags=\"" +
                     Names(app, true) +
                     "\"\n  local i\n  for ((i = 1; i < COMP_CWORD; i++)); do\n"
                     "    case \"${COMP_WORDS[i]}\" in -*) ;; *) command=\"${COMP_WORDS[i]}\"; break ;; esac\n  done\n"
                     "  case \"$command\" in\n";
  for (const CLI::App* command : app.get_subcommands([](const CLI::App*) { return true; })) {
    text += "    " + command->get_name() + ") flags=\"$flags " + AllFlags(*command) + "\" below=\"" +
            Names(*command, false) + "\" ;;\n";
  }
  text +=
      "  esac\n  if [[ \"$word\" == -* ]]; then\n    COMPREPLY=($(compgen -W \"$flags\" -- \"$word\"))\n"
      "  elif [[ -z \"$command\" ]]; then\n    COMPREPLY=($(compgen -W \"" +
      Names(app, false) +
      "\" -- \"$word\") $(compgen -f -- \"$word\"))\n"
      "  elif [[ \"$command\" == completion ]]; then\n    COMPREPLY=($(compgen -W \"bash zsh fish\" -- \"$word\"))\n"
      "  else\n    COMPREPLY=($(compgen -W \"$below\" -- \"$word\") $(compgen -f -- \"$word\"))\n  fi\n}\ncomplete -o "
      "filenames -F _teal teal\n";
  return text;
}

std::string Zsh(const CLI::App& app) {
  return "#compdef teal\nautoload -U +X bashcompinit && bashcompinit\n" + Bash(app);
}

std::string FishText(const std::string& text) {
  std::string quoted = "'";
  for (const char c : text) {
    if (c == '\'' || c == '\\') quoted += '\\';
    quoted += c;
  }
  return quoted + "'";
}

void FishFlags(const CLI::App& app, const std::string& condition, std::string* text) {
  for (const CLI::Option* option : app.get_options()) {
    if (option->get_group().empty()) continue;
    for (const std::string& name : option->get_lnames()) {
      *text += "complete -c teal" + condition + " -l " + name + " -d " + FishText(option->get_description()) + "\n";
    }
  }
}

std::string Fish(const CLI::App& app) {
  std::string text;
  FishFlags(app, "", &text);
  for (const CLI::App* command : app.get_subcommands([](const CLI::App*) { return true; })) {
    text += "complete -c teal -n __fish_use_subcommand -a " + command->get_name() + " -d " +
            FishText(command->get_description()) + "\n";
    const std::string seen = " -n '__fish_seen_subcommand_from " + command->get_name() + "'";
    FishFlags(*command, seen, &text);
    for (const CLI::App* below : command->get_subcommands([](const CLI::App*) { return true; })) {
      text +=
          "complete -c teal" + seen + " -a " + below->get_name() + " -d " + FishText(below->get_description()) + "\n";
      FishFlags(*below, seen, &text);
    }
  }
  return text + "complete -c teal -n '__fish_seen_subcommand_from completion' -f -a 'bash zsh fish'\n";
}

}  // namespace

Command AddCompletion(CLI::App& app, const Globals&) {
  auto shell = std::make_shared<std::string>();
  CLI::App* command = app.add_subcommand("completion", "print what a shell needs to complete command lines");
  command->footer("Example: teal completion bash > ~/.local/share/bash-completion/completions/teal");
  command->add_option("SHELL", *shell, "bash, zsh or fish")->required()->check(CLI::IsMember({"bash", "zsh", "fish"}));
  return [shell, &app] {
    const std::string text = *shell == "bash" ? Bash(app) : *shell == "zsh" ? Zsh(app) : Fish(app);
    std::fputs(text.c_str(), stdout);
    return static_cast<int>(kExitDone);
  };
}

}  // namespace teal::cli
