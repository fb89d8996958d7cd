// From a function's value to the answer on the wire.
#ifndef TEAL_HTTP_ANSWERS_HPP
#define TEAL_HTTP_ANSWERS_HPP

#include <string>
#include <string_view>

#include "message.hpp"
#include "settings.hpp"

namespace teal::http {

// value_json: of the session `sid`. A hash with `statusCode`, or with a number as `status`, is the whole answer;
// another hash, a list, a number or a boolean is JSON 200, a string text 200, null 204. What cannot be an answer is
// 500.
Answer AnswerOf(std::string_view value_json, const std::string& sid);

// A header that HTTP has: its name a token, its value without control characters, and not the connection's own.
bool IsSendable(std::string_view name, std::string_view value);

// The headers that CORS needs on every answer to this request, errors too; none for a foreign origin.
void AddCors(const Request& request, const Cors& cors, Answer* answer);
// To OPTIONS: with what may be asked, for a browser that asks before it asks. cors: null for a route without.
Answer OptionsAnswer(const Request& request, const Cors* cors, const std::string& allow);

}  // namespace teal::http

#endif
