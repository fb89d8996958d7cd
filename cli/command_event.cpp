// teal event decode: what sessions a notification would start.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <iterator>
#include <memory>
#include <nlohmann/json.hpp>

#include "cli/commands.h"
#include "triggers/s3/decode.hpp"

namespace teal::cli {
namespace {

using Json = nlohmann::ordered_json;

struct DecodeRequest {
  std::string type;
  std::string file = "-";
};

// One byte more than is taken tells a message that is too large.
bool ReadMessage(const std::string& file, std::string* text) {
  std::ifstream opened;
  if (file != "-") opened.open(file, std::ios::binary);
  std::istream& in = file == "-" ? std::cin : opened;
  if (!in) return false;
  text->resize(s3::kMessageBytesMax + 1);
  in.read(text->data(), static_cast<std::streamsize>(text->size()));
  text->resize(static_cast<std::size_t>(in.gcount()));
  return !in.bad();
}

int DecodeEvent(const Globals& globals, const DecodeRequest& asked) {
  const std::optional<s3::Kind> kind = s3::KindOf(asked.type);
  if (!kind) {
    ReportError(globals, "there is no type \"" + asked.type + "\"",
                "the types are s3, sns, sqs, eventbridge, gcs and pubsub");
    return kExitUsage;
  }
  std::string message;
  if (!ReadMessage(asked.file, &message)) {
    ReportError(globals, "cannot read " + asked.file, "name a file with the message, or - for standard input");
    return kExitUsage;
  }
  const s3::Decoded decoded = s3::Decode(message, *kind);
  if (!decoded.wrong.empty()) {
    ReportError(globals, "malformed: " + decoded.wrong,
                "a message is taken as a whole or not at all; is it of the type " + asked.type + "?");
    return kExitUsage;
  }
  for (const s3::ObjectEvent& event : decoded.events) {
    const Json line{{"source", event.Source()}, {"id", event.Id()},         {"bucket", event.bucket},
                    {"key", event.key},         {"event_type", event.type}, {"version", event.version}};
    std::puts(line.dump(-1, ' ', false, Json::error_handler_t::replace).c_str());
  }
  return kExitDone;
}

}  // namespace

Command AddEvent(CLI::App& app, const Globals& globals) {
  auto asked = std::make_shared<DecodeRequest>();
  CLI::App* command = app.add_subcommand("event", "events of other systems");
  command->footer("Example: teal event decode --type s3 notification.json");
  command->require_subcommand(1);
  CLI::App* decode = command->add_subcommand("decode", "what sessions a notification would start: a JSON line each");
  decode->fallthrough();
  decode->footer(
      "Example: teal event decode --type sqs <message.json\n"
      "A test event starts nothing: no line. A message of which any part is malformed: no line, and exit code 2.");
  decode->add_option("--type", asked->type, "whose message it is: s3, sns, sqs, eventbridge, gcs or pubsub")
      ->required();
  decode->add_option("FILE", asked->file, "the message; - or left out: standard input");
  return [asked, &globals] { return DecodeEvent(globals, *asked); };
}

}  // namespace teal::cli
