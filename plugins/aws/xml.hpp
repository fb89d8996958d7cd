// The little XML that STS and S3 answer with. Pure, any thread.
#pragma once

#include <string>
#include <string_view>

namespace teal::aws {

// The text of the first element of that name, entities resolved; "" if there is none or it holds elements itself.
std::string XmlText(std::string_view xml, std::string_view element);
std::string XmlEscape(std::string_view text);

}  // namespace teal::aws
