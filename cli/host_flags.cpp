#include "cli/host_flags.h"

#include <CLI/CLI.hpp>
#include <algorithm>

namespace teal::cli {
namespace {

constexpr const char* kNames[] = {"serve",    "start", "invoke",  "wait",   "result", "sessions",  "inspect",
                                  "stdout",   "logs",  "history", "send",   "cancel", "terminate", "pause",
                                  "resume",   "keys",  "doctor",  "rerun",  "dead",   "dev",       "versions",
                                  "triggers", "fire",  "backup",  "restore"};

void AddServing(CLI::App* serve, HostFlags* flags) {
  serve->add_option("FILE", flags->file, "the program; else `main` of teal.yaml");
  CLI::Option* const listen = serve->add_option("--listen", flags->listen, "address:port; 127.0.0.1:8787 if left out");
  serve->add_option("--port", flags->port, "the same on 127.0.0.1; 0: a free one")
      ->check(CLI::Range(0, 65535))
      ->excludes(listen);
  serve->add_option("--data", flags->data, "the folder of the data; .teal/data of the project if left out");
  serve->add_option("--memory", flags->memory,
                    "the plugin that keeps the sessions; local if left out, k8s for PostgreSQL and several hosts");
  serve->add_option("--memory-config", flags->memory_config,
                    "a JSON file with the plugin's configuration; teal plugin info NAME shows its keys");
  serve
      ->add_option("--lease", flags->lease_seconds,
                   "with several hosts: seconds after which the others go on with the sessions of a host that is not "
                   "heard of; 30 if left out, the same for all of them")
      ->check(CLI::Range(3, 600));
  CLI::Option* const certificate =
      serve->add_option("--tls-cert", flags->tls_certificate, "a PEM file: serve with TLS");
  CLI::Option* const key = serve->add_option("--tls-key", flags->tls_key, "the certificate's key, a PEM file");
  certificate->needs(key);
  key->needs(certificate);
  serve->add_option("--allow-host", flags->allowed_hosts, "a name by which the host may be asked; may be repeated")
      ->allow_extra_args(false);
}

void AddServe(CLI::App& app, HostFlags* flags) {
  CLI::App* serve = app.add_subcommand("serve", "run a host: durable sessions and the control API");
  serve->footer(
      "Example: teal serve service.tl --port 8787\nPrints `ready URL` when it is ready. Without a program, the one "
      "that "
      "was activated last goes on. SIGTERM lets what is under way end, a second stops at once; both lose nothing.");
  AddServing(serve, flags);
  serve->add_flag("--empty", flags->empty, "begin also if no program was ever activated: one is added later");
  CLI::App* dev = app.add_subcommand("dev", "serve, and take what you write: program and Python are loaded anew");
  dev->footer(
      "Example: teal dev service.tl\nSessions keep the version they began with; what does not compile changes "
      "nothing.");
  AddServing(dev, flags);
  dev->add_flag("--debug", flags->debug, "let a Python debugger attach (not in this version)");
  dev->add_flag("--time-skip", flags->time_skip, "skip the time that sessions sleep (not in this version)");
}

void AddVersions(CLI::App& app, HostFlags* flags) {
  CLI::App* versions = app.add_subcommand("versions", "the programs of a host, and which sessions keep which");
  versions->footer(
      "Example: teal versions activate 3f9a1c\nA version is the program and its Python code. Of a hash its first "
      "digits "
      "are enough. Activating an older one is rolling back: new sessions take it, others keep theirs.");
  versions->require_subcommand(0, 1);
  versions->add_subcommand("list", "all, the newest first; the same without a word")->fallthrough();
  CLI::App* add = versions->add_subcommand("add", "compile a program here and send it, with its Python code");
  add->fallthrough();
  add->add_option("FILE", flags->file, "the program; else `main` of teal.yaml");
  add->add_flag("--activate", flags->activate, "let new sessions take it");
  CLI::App* activate = versions->add_subcommand("activate", "let new sessions take this version");
  CLI::App* remove = versions->add_subcommand("remove", "remove a version that no session uses");
  for (CLI::App* one : {activate, remove}) {
    one->fallthrough();
    one->add_option("HASH", flags->hash, "the version's hash, or its first digits")->required();
  }
}

void AddBackups(CLI::App& app, HostFlags* flags) {
  CLI::App* backup = app.add_subcommand("backup", "copy all that a host keeps into a folder, while it goes on");
  backup->footer(
      "Example: teal backup /backups/2026-11-21\nThe folder is new or empty, on the machine of the host. What was "
      "acknowledged before is in it, as of one moment.");
  CLI::App* restore = app.add_subcommand("restore", "make the data of a host from a backup");
  restore->footer("Example: teal restore /backups/2026-11-21\nA host that has data keeps it: this is refused then.");
  for (CLI::App* one : {backup, restore}) {
    one->add_option("DIR", flags->folder, "the backup's folder")->required();
    one->add_option("--data", flags->data, "the folder of the data; .teal/data of the project if left out");
  }
}

void AddStarts(CLI::App& app, HostFlags* flags) {
  CLI::App* start = app.add_subcommand("start", "start a session on a host, print its id");
  start->footer(
      "Example: teal start order '{\"item\":7}' --id order-7\nARG… are JSON where they parse as JSON, else strings.");
  CLI::App* invoke = app.add_subcommand("invoke", "start a session, show its output and wait for its result");
  invoke->footer("Example: teal invoke order '{\"item\":7}' --timeout 1m");
  for (CLI::App* command : {start, invoke}) {
    command->add_option("FN", flags->function, "the function to start")->required();
    command->add_option("ARG", flags->arguments, "its arguments");
    command->add_option("--id", flags->id, "an id of yours: a second start with it gives the same session");
    command->add_option("--on-conflict", flags->on_conflict, "if there is a session with the id: same, reject, restart")
        ->check(CLI::IsMember({"same", "reject", "restart"}));
    command->add_option("--label", flags->labels, "name=value; may be repeated")->allow_extra_args(false);
  }
  start->add_option("--timeout", flags->timeout, "the session is cancelled after this time: 500ms 5s 10m 2h 1d");
  invoke->add_option("--timeout", flags->timeout, "how long to wait; the session goes on");
}

CLI::App* AddOfSession(CLI::App& app, HostFlags* flags, const char* name, const char* what, const char* example) {
  CLI::App* command = app.add_subcommand(name, what);
  command->footer(std::string("Example: teal ") + name + " " + example);
  command->add_option("SID", flags->sid, "the session's id")->required();
  return command;
}

void AddReading(CLI::App& app, HostFlags* flags) {
  AddOfSession(app, flags, "wait", "wait until a session has ended, print its result", "SID --timeout 1m")
      ->add_option("--timeout", flags->timeout, "how long: 500ms 5s 10m 2h 1d");
  AddOfSession(app, flags, "result", "print the result of a session that has ended", "SID");
  CLI::App* sessions = app.add_subcommand("sessions", "list sessions, the newest first");
  sessions->footer("Example: teal sessions --status running --label team=blue --since 1h");
  sessions->add_option("--status", flags->status, "only of this status")
      ->check(CLI::IsMember({"running", "paused", "done", "failed", "cancelled", "terminated", "dead"}));
  sessions->add_option("--label", flags->labels, "name=value, only with it; may be repeated")->allow_extra_args(false);
  sessions->add_option("--since", flags->since, "only made since: a time of RFC 3339, or a duration before now");
  sessions->add_option("--limit", flags->limit, "at most so many; 100 if left out")->check(CLI::Range(1, 1'000'000));
  AddOfSession(app, flags, "inspect", "where each thread of a session is, and what it waits for", "SID");
  AddOfSession(app, flags, "stdout", "what a session printed", "SID -f")
      ->add_flag("-f,--follow", flags->follow, "show what comes, until the session has ended");
  AddOfSession(app, flags, "logs", "log lines of a session", "SID -f")
      ->add_flag("-f,--follow", flags->follow, "show what comes, until the session has ended");
  AddOfSession(app, flags, "history", "what happened in a session, step by step", "SID");
}

void AddChanging(CLI::App& app, HostFlags* flags) {
  CLI::App* send = AddOfSession(app, flags, "send", "send an event to a session", "SID approved '{\"by\":\"Ada\"}'");
  send->add_option("EVENT", flags->event, "the event's name")->required();
  send->add_option("JSON", flags->value, "its value; null if left out");
  send->add_option("--wait", flags->wait, "wait so long for the reply: 500ms 5s 10m");
  AddOfSession(app, flags, "cancel", "cancel a session; it cleans up", "SID");
  AddOfSession(app, flags, "terminate", "end a session without cleaning up", "SID");
  AddOfSession(app, flags, "pause", "let a session take no further step", "SID");
  AddOfSession(app, flags, "resume", "let a paused session go on", "SID");
  CLI::App* doctor = app.add_subcommand("doctor", "whether what a host needs is there, and what to do where it is not");
  doctor->footer(
      "Example: teal doctor\nA line for each check: ok, warning or error. The exit code is 1 if there is an error.");
  doctor->add_option("--data", flags->data, "the folder of the data; .teal/data of the project if left out");
  CLI::App* rerun = AddOfSession(app, flags, "rerun", "run a session again: a new one, with its program and arguments",
                                 "SID --from start");
  rerun->add_option("--from", flags->from, "where it begins: `start`")->required();
  CLI::App* dead = app.add_subcommand(
      "dead", "what was set aside: sessions that ended their host three times, events that fit nothing");
  dead->footer("Example: teal dead list");
  dead->require_subcommand(1);
  const auto one = [&](const char* name, const char* what) {
    dead->add_subcommand(name, what)->add_option("ID", flags->sid, "the id of the session or the event")->required();
  };
  dead->add_subcommand("list", "which there are, the newest first");
  one("show", "one, and why it is dead");
  one("retry", "let the session go on from where it was; start the event's session");
  one("drop", "end the session; forget the event");
  CLI::App* keys = app.add_subcommand("keys", "the keys of this project's host");
  keys->footer("Example: teal keys new dashboard --role read");
  keys->require_subcommand(1);
  keys->add_option("--data", flags->data, "the folder of the data; .teal/data of the project if left out");
  keys->add_subcommand("list", "names, roles and when they were made")->fallthrough();
  CLI::App* made = keys->add_subcommand("new", "make a key and print it, once");
  made->fallthrough();
  made->add_option("NAME", flags->name, "its name")->required();
  made->add_option("--role", flags->role, "read, operate or admin; operate if left out")
      ->check(CLI::IsMember({"read", "operate", "admin"}));
  CLI::App* revoke = keys->add_subcommand("revoke", "let a key be good for nothing any more");
  revoke->fallthrough();
  revoke->add_option("NAME", flags->name, "its name")->required();
}

void AddTriggers(CLI::App& app, HostFlags* flags) {
  CLI::App* triggers =
      app.add_subcommand("triggers", "the triggers of a host: their next times, last delivery, last error");
  triggers->footer("Example: teal triggers\nCounts are since the host started.");
  triggers->add_option("--limit", flags->limit, "at most so many; 100 if left out")->check(CLI::Range(1, 1'000'000));
  CLI::App* fire = app.add_subcommand("fire", "start now what a trigger starts, print the session's id");
  fire->footer(
      "Example: teal fire nightly.schedule --at 2026-01-31T03:00:00Z\nWith --at it is the session of that time: the "
      "one "
      "that is there already, or a new one.");
  fire->add_option("NAME", flags->name, "the trigger's name, as teal triggers shows it")->required();
  fire->add_option("--at", flags->at, "as if it were this time, of RFC 3339");
}

}  // namespace

void AddHostCommands(CLI::App& app, HostFlags* flags) {
  AddServe(app, flags);
  AddStarts(app, flags);
  AddReading(app, flags);
  AddChanging(app, flags);
  AddVersions(app, flags);
  AddTriggers(app, flags);
  AddBackups(app, flags);
}

bool IsHostCommand(const std::string& name) {
  return std::find(std::begin(kNames), std::end(kNames), name) != std::end(kNames);
}

}  // namespace teal::cli
