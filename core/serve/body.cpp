#include "core/serve/body.h"

#include <algorithm>

#include "core/serve/answer.h"
#include "core/serve/limits.h"
#include "core/serve/text.h"
#include "core/vm/json.h"
#include "core/vm/string_base64.h"

namespace teal::serve {
namespace {

using vm::Tag;
using vm::Value;

Answer Bad(const std::string& message, const std::string& hint = "") {
  return ErrorAnswer(400, "invalid", message, hint);
}

std::variant<Value, Answer> Decode(std::string_view body) {
  Value value;
  Value error;
  if (vm::DecodeJson(body, &value, &error)) return value;
  const auto* e = error.As<vm::Error>();
  return Bad("the body is no JSON: " + std::string(e->message.Text()),
             "send JSON in UTF-8, with Content-Type: application/json");
}

std::variant<Value, Answer> DecodeObject(std::string_view body) {
  std::variant<Value, Answer> decoded = Decode(body);
  const Value* const value = std::get_if<Value>(&decoded);
  if (value == nullptr || value->tag() == Tag::kHash) return decoded;
  return Bad("the body is a JSON object, not " + std::string(vm::TypeName(*value)));
}

// What one field must be; fields that are null count as absent.
class Fields {
 public:
  Fields(const vm::Hash& hash, std::string where) : hash_(hash), where_(std::move(where)) {}

  // Empty, or what is wrong.
  std::string Unknown(const std::vector<std::string>& known, std::string* hint) const {
    for (uint64_t i = 0; i < hash_.used; ++i) {
      const Value& key = hash_.entries[i].key;
      if (key.tag() != Tag::kString) continue;
      const std::string name(key.Text());
      if (std::find(known.begin(), known.end(), name) != known.end()) continue;
      *hint = DidYouMean(name, known);
      if (hint->empty()) {
        for (const std::string& other : known) *hint += (hint->empty() ? "there is " : ", ") + other;
      }
      return "there is no field \"" + where_ + name + "\"";
    }
    return "";
  }

  const Value* Find(std::string_view name) const {
    const Value* value = vm::HashGet(hash_, name);
    return value == nullptr || value->IsNull() ? nullptr : value;
  }

  // True: absent, or read into *out.
  bool Text(std::string_view name, size_t bytes_max, std::string* out, std::string* wrong) const {
    const Value* value = Find(name);
    if (value == nullptr) return true;
    const std::string field = "\"" + where_ + std::string(name) + "\"";
    if (value->tag() != Tag::kString) {
      *wrong = field + " is a string, not " + std::string(vm::TypeName(*value));
    } else if (value->Text().size() > bytes_max) {
      *wrong = field + " is longer than " + std::to_string(bytes_max) + " bytes";
    } else {
      *out = value->Text();
    }
    return wrong->empty();
  }

  bool Time(std::string_view name, uint64_t* ns, std::string* wrong) const {
    std::string text;
    if (Find(name) == nullptr) return true;
    if (!Text(name, 64, &text, wrong)) return false;
    const std::optional<uint64_t> parsed = ParseDuration(text);
    if (parsed) *ns = *parsed;
    if (!parsed) *wrong = "\"" + where_ + std::string(name) + "\" is a duration such as \"500ms\", \"10s\" or \"2h\"";
    return parsed.has_value();
  }

 private:
  const vm::Hash& hash_;
  const std::string where_;
};

// False with *wrong set, where the value cannot be JSON; what was read from JSON always can.
std::string Encode(const Value& value) {
  std::string json;
  Value error;
  return vm::EncodeJson(value, &json, &error) ? json : "null";
}

bool ReadLabels(const Fields& fields, StartBody* start, std::string* wrong) {
  const Value* labels = fields.Find("labels");
  if (labels == nullptr) return true;
  if (labels->tag() != Tag::kHash) {
    *wrong = "\"labels\" is an object of strings";
    return false;
  }
  const vm::Hash& hash = *labels->As<vm::Hash>();
  for (uint64_t i = 0; i < hash.used; ++i) {
    const Value& key = hash.entries[i].key;
    const Value& value = hash.entries[i].value;
    if (key.tag() != Tag::kString) continue;
    if (value.tag() != Tag::kString) {
      *wrong = "the label \"" + std::string(key.Text()) + "\" is a string, not " + std::string(vm::TypeName(value));
      return false;
    }
    if (key.Text().empty() || key.Text().find(':') != std::string_view::npos || key.Text().size() > kLabelBytesMax ||
        value.Text().size() > kLabelBytesMax) {
      *wrong =
          "a label has a name without colons and a value, each of at most " + std::to_string(kLabelBytesMax) + " bytes";
      return false;
    }
    start->request.labels.emplace_back(key.Text(), value.Text());
  }
  if (start->request.labels.size() > kLabelsMax) {
    *wrong = "a session has at most " + std::to_string(kLabelsMax) + " labels";
    return false;
  }
  return true;
}

bool ReadEventField(const Fields& fields, StartBody* start, std::string* wrong, std::string* hint) {
  const Value* event = fields.Find("event");
  if (event == nullptr) return true;
  if (event->tag() != Tag::kHash) {
    *wrong = "\"event\" is an object with \"name\" and \"value\"";
    return false;
  }
  const vm::Hash& hash = *event->As<vm::Hash>();
  const Fields inner(hash, "event.");
  *wrong = inner.Unknown({"name", "value"}, hint);
  if (!wrong->empty() || !inner.Text("name", kNameBytesMax, &start->request.event_name, wrong)) return false;
  if (start->request.event_name.empty()) {
    *wrong = "\"event.name\" is missing";
    return false;
  }
  const Value* value = vm::HashGet(hash, "value");
  start->request.event_json = value == nullptr ? "null" : Encode(*value);
  return true;
}

bool ReadConflict(const Fields& fields, StartBody* start, std::string* wrong, std::string* hint) {
  std::string text;
  if (!fields.Text("on_conflict", 64, &text, wrong)) return false;
  if (text.empty() || text == "same") return true;
  if (text == "reject") {
    start->request.on_conflict = runtime::OnConflict::kReject;
  } else if (text == "restart") {
    start->request.on_conflict = runtime::OnConflict::kRestart;
  } else {
    *wrong = "\"on_conflict\" is same, reject or restart";
    *hint = DidYouMean(text, {"same", "reject", "restart"});
    return false;
  }
  return true;
}

bool ReadArguments(const Fields& fields, StartBody* start, std::string* wrong) {
  const Value* arguments = fields.Find("args");
  if (arguments == nullptr) return true;
  if (arguments->tag() != Tag::kList) {
    *wrong = "\"args\" is a list of the arguments, not " + std::string(vm::TypeName(*arguments));
    return false;
  }
  start->request.arguments_json = Encode(*arguments);
  return true;
}

bool ReadFields(const Fields& fields, StartBody* start, std::string* wrong, std::string* hint) {
  *wrong = fields.Unknown({"function", "args", "id", "on_conflict", "labels", "timeout", "event", "wait"}, hint);
  if (!wrong->empty()) return false;
  runtime::StartRequest& request = start->request;
  if (!fields.Text("function", kNameBytesMax, &request.function, wrong)) return false;
  if (request.function.empty()) {
    *wrong = "\"function\" is missing";
    *hint = "name the function to start, as {\"function\": \"main\"}";
    return false;
  }
  if (!fields.Text("id", kNameBytesMax, &request.id, wrong) || !ReadArguments(fields, start, wrong) ||
      !ReadConflict(fields, start, wrong, hint) || !ReadLabels(fields, start, wrong) ||
      !fields.Time("timeout", &request.timeout_ns, wrong) || !ReadEventField(fields, start, wrong, hint) ||
      !fields.Time("wait", &start->wait_ns, wrong)) {
    return false;
  }
  if (request.timeout_ns > kTimeoutNsMax) *wrong = "\"timeout\" is at most 100 years";
  return wrong->empty();
}

}  // namespace

std::variant<StartBody, Answer> ReadStart(std::string_view body) {
  std::variant<Value, Answer> decoded = DecodeObject(body);
  if (Answer* answer = std::get_if<Answer>(&decoded)) return std::move(*answer);
  const Value value = std::get<Value>(decoded);
  StartBody start;
  std::string wrong;
  std::string hint;
  if (!ReadFields(Fields(*value.As<vm::Hash>(), ""), &start, &wrong, &hint)) return Bad(wrong, hint);
  return start;
}

std::variant<std::string, Answer> ReadRerun(std::string_view body) {
  std::string from = "start";
  if (body.empty()) return from;
  std::variant<Value, Answer> decoded = DecodeObject(body);
  if (Answer* answer = std::get_if<Answer>(&decoded)) return std::move(*answer);
  const Value value = std::get<Value>(decoded);
  const Fields fields(*value.As<vm::Hash>(), "");
  std::string hint;
  std::string wrong = fields.Unknown({"from"}, &hint);
  if (wrong.empty()) fields.Text("from", kNameBytesMax, &from, &wrong);
  if (!wrong.empty()) return Bad(wrong, hint);
  return from;
}

std::variant<FireBody, Answer> ReadFire(std::string_view body) {
  FireBody fire;
  if (body.empty()) return fire;
  std::variant<Value, Answer> decoded = DecodeObject(body);
  if (Answer* answer = std::get_if<Answer>(&decoded)) return std::move(*answer);
  const Value value = std::get<Value>(decoded);
  const Fields fields(*value.As<vm::Hash>(), "");
  std::string hint, at;
  std::string wrong = fields.Unknown({"at", "event"}, &hint);
  if (wrong.empty()) fields.Text("at", kNameBytesMax, &at, &wrong);
  if (!wrong.empty()) return Bad(wrong, hint);
  if (!at.empty()) {
    const std::optional<uint64_t> time = ParseTime(at);
    if (!time) return Bad("\"at\" is a time of RFC 3339", "write 2026-01-31T10:00:00Z");
    fire.at_unix_ns = *time;
  }
  if (const Value* event = fields.Find("event")) fire.event_json = Encode(*event);
  if (!at.empty() && !fire.event_json.empty()) return Bad("\"at\" and \"event\" do not go together", "leave one out");
  return fire;
}

std::variant<std::string, Answer> ReadBackup(std::string_view body) {
  std::variant<Value, Answer> decoded = DecodeObject(body);
  if (Answer* answer = std::get_if<Answer>(&decoded)) return std::move(*answer);
  const Value value = std::get<Value>(decoded);
  const Fields fields(*value.As<vm::Hash>(), "");
  std::string folder, hint;
  std::string wrong = fields.Unknown({"folder"}, &hint);
  if (wrong.empty()) fields.Text("folder", kPathBytesMax, &folder, &wrong);
  if (!wrong.empty()) return Bad(wrong, hint);
  if (!folder.starts_with('/')) return Bad("\"folder\" is an absolute path on the host's machine");
  return folder;
}

std::variant<runtime::NewProgram, Answer> ReadProgram(std::string_view body) {
  std::variant<Value, Answer> decoded = DecodeObject(body);
  if (Answer* answer = std::get_if<Answer>(&decoded)) return std::move(*answer);
  const Value value = std::get<Value>(decoded);
  const Fields fields(*value.As<vm::Hash>(), "");
  runtime::NewProgram program;
  std::string wrong, hint, executable, package;
  wrong = fields.Unknown({"name", "executable", "package", "activate"}, &hint);
  if (!wrong.empty()) return Bad(wrong, hint);
  if (!fields.Text("name", kNameBytesMax, &program.name, &wrong) ||
      !fields.Text("executable", body.size(), &executable, &wrong) ||
      !fields.Text("package", body.size(), &package, &wrong)) {
    return Bad(wrong);
  }
  if (executable.empty()) return Bad("\"executable\" is missing", "send the compiled program, in Base64");
  const std::string no_base64 = " is no Base64";
  if (!vm::DecodeBase64(executable, &program.executable)) return Bad("\"executable\"" + no_base64);
  if (fields.Find("package") != nullptr && !vm::DecodeBase64(package, &program.package.emplace())) {
    return Bad("\"package\"" + no_base64);
  }
  if (const Value* activate = fields.Find("activate")) {
    if (activate->tag() != Tag::kBool) return Bad("\"activate\" is true or false");
    program.activate = activate->AsBool();
  }
  return program;
}

std::variant<std::string, Answer> ReadEvent(std::string_view content_type, std::string_view body) {
  std::string type(content_type.substr(0, content_type.find(';')));
  while (!type.empty() && type.back() == ' ') type.pop_back();
  std::transform(type.begin(), type.end(), type.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  // What curl says of -d when it is told nothing.
  const bool said_nothing = type.empty() || type == "application/x-www-form-urlencoded";
  if (said_nothing || type == "application/json" || type.ends_with("+json")) {
    if (body.empty()) return "null";
    std::variant<Value, Answer> decoded = Decode(body);
    if (const Value* value = std::get_if<Value>(&decoded)) return Encode(*value);
    return ErrorAnswer(400, "invalid", "the body is no JSON, as its Content-Type says or as is taken without one",
                       "send JSON; or raw bytes with Content-Type: application/octet-stream, or text with text/plain");
  }
  if (type.starts_with("text/")) {
    if (vm::IsValidUtf8(body)) return JsonOf(body);
    return Bad("the body is text but no UTF-8", "send UTF-8, or bytes with Content-Type: application/octet-stream");
  }
  std::string json = "\"";
  vm::AppendBase64(body, &json);
  return json + "\"";
}

}  // namespace teal::serve
