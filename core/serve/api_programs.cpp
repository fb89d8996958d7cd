// The requests about programs.
#include "core/serve/answer.h"
#include "core/serve/api.h"
#include "core/serve/body.h"
#include "core/serve/text.h"

namespace teal::serve {

using runtime::ProgramView;
using runtime::Served;

void Api::Programs(const Reply& reply) {
  const Slot slot = TakeCall(*reply);
  if (slot == nullptr) return;
  service_->Programs([reply, slot](Served<std::vector<ProgramView>> served) {
    if (served.error) return reply->Give(ErrorAnswer(*served.error));
    std::string json = "{\"programs\":[";
    for (size_t i = 0; i < served.value.size(); ++i) json += (i > 0 ? "," : "") + ProgramJson(served.value[i]);
    reply->Give(JsonAnswer(200, json + "]}"));
  });
}

void Api::AddProgram(std::string_view body, const Reply& reply) {
  std::variant<runtime::NewProgram, Answer> read = ReadProgram(body);
  if (Answer* answer = std::get_if<Answer>(&read)) return reply->Give(std::move(*answer));
  const Slot slot = TakeCall(*reply);
  if (slot == nullptr) return;
  service_->AddProgram(
      std::move(std::get<runtime::NewProgram>(read)), [reply, slot](Served<runtime::ProgramAnswer> served) {
        if (served.error) return reply->Give(ErrorAnswer(*served.error));
        reply->Give(JsonAnswer(served.value.created ? 201 : 200, BriefProgramJson(served.value.program)));
      });
}

void Api::AlterProgram(const std::string& hash, AlterProgramCall call, const Reply& reply) {
  const Slot slot = TakeCall(*reply);
  if (slot == nullptr) return;
  (service_->*call)(hash, [reply, slot](Served<ProgramView> served) {
    if (served.error) return reply->Give(ErrorAnswer(*served.error));
    reply->Give(JsonAnswer(200, BriefProgramJson(served.value)));
  });
}

}  // namespace teal::serve
