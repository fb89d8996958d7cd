#include "plugins/aws/xml.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace teal::aws {
namespace {

constexpr std::array<std::pair<std::string_view, char>, 5> kEntities{
    {{"&amp;", '&'}, {"&lt;", '<'}, {"&gt;", '>'}, {"&quot;", '"'}, {"&apos;", '\''}}};

}  // namespace

std::string XmlText(std::string_view xml, std::string_view element) {
  std::size_t at = 0;
  while ((at = xml.find('<', at)) != std::string_view::npos) {
    ++at;
    if (xml.substr(at, element.size()) != element) continue;
    const std::size_t open = xml.find('>', at);
    if (open == std::string_view::npos) return {};
    const char after = xml[at + element.size()];
    if ((after != '>' && after != ' ') || xml[open - 1] == '/') continue;
    const std::size_t close = xml.find('<', open);
    if (close == std::string_view::npos || xml.substr(close, 2) != "</") return {};
    std::string_view raw = xml.substr(open + 1, close - open - 1);
    std::string out;
    while (!raw.empty()) {
      const auto entity = std::find_if(kEntities.begin(), kEntities.end(),
                                       [raw](const auto& known) { return raw.starts_with(known.first); });
      out += entity == kEntities.end() ? raw.front() : entity->second;
      raw.remove_prefix(entity == kEntities.end() ? 1 : entity->first.size());
    }
    return out;
  }
  return {};
}

std::string XmlEscape(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const auto entity =
        std::find_if(kEntities.begin(), kEntities.end(), [c](const auto& known) { return known.second == c; });
    if (entity == kEntities.end()) {
      out += c;
    } else {
      out += entity->first;
    }
  }
  return out;
}

}  // namespace teal::aws
