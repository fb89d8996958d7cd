#include "core/kit/instance.h"

#include <cstring>
#include <utility>

#include "core/kit/input.h"
#include "core/kit/options.h"
#include "core/kit/subject.h"
#include "core/kit/verdict.h"

namespace teal::kit {

std::string Opened::Says() const {
  if (status == TEAL_OK) return "OK";
  return Text(StatusName(status), ": ",
              std::string_view(error.message, ::strnlen(error.message, sizeof error.message)));
}

Opened Open(Host& host, std::string_view config_json) {
  Inputs inputs;
  Opened opened;
  opened.error.struct_size = sizeof opened.error;
  opened.status = Tested().plugin->open(host.table(), inputs.Bytes(config_json), &opened.instance, &opened.error);
  Note("open -> ", opened.Says());
  return opened;
}

Instance::Instance(Host& host) : host_(host) {
  const Opened opened = Open(host_, Given().config);
  if (opened.status != TEAL_OK) Fail("the plugin does not open with the configuration given: ", opened.Says());
  if (opened.instance == nullptr) Fail("open gave OK and no instance");
  handle_ = opened.instance;
}

Instance::~Instance() {
  Close();
}

void Instance::Close() {
  if (handle_ == nullptr) return;
  Note("close");
  Tested().plugin->close(std::exchange(handle_, nullptr));
}

std::string Space(std::string_view name) {
  return Given().space + std::string(name);
}

bool InSpace(std::string_view name) {
  return name.starts_with(Given().space);
}

}  // namespace teal::kit
