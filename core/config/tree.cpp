#include "core/config/tree.h"

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <charconv>
#include <sstream>
#include <unordered_map>

namespace teal::config {
namespace {

// Where reading stops; caught in ParseTree.
struct Wrong {
  Error error;
};

// The kinds of YAML's core schema, decimal numbers only.
Kind KindOfPlain(const std::string& text) {
  if (text == "true" || text == "True" || text == "TRUE" || text == "false" || text == "False" || text == "FALSE") {
    return Kind::kBoolean;
  }
  const char* begin = text.data();
  const char* const end = begin + text.size();
  if (begin != end && *begin == '+') ++begin;
  if (begin == end || text.find_first_not_of("0123456789.eE+-") != std::string::npos) return Kind::kString;
  int64_t integer = 0;
  if (const auto [at, error] = std::from_chars(begin, end, integer); at == end && error == std::errc()) {
    return Kind::kInteger;
  }
  double number = 0;
  const auto [at, error] = std::from_chars(begin, end, number);
  return at == end && error == std::errc() ? Kind::kNumber : Kind::kString;
}

size_t CountNodes(const Node& node) {
  size_t count = 1;
  for (const Node& item : node.items) count += CountNodes(item);
  for (const Entry& entry : node.entries) count += 1 + CountNodes(entry.value);
  return count;
}

size_t DepthOf(const Node& node) {
  size_t depth = 0;
  for (const Node& item : node.items) depth = std::max(depth, DepthOf(item));
  for (const Entry& entry : node.entries) depth = std::max(depth, DepthOf(entry.value));
  return depth + 1;
}

class Builder : public YAML::EventHandler {
 public:
  explicit Builder(const std::string& file) : file_(std::make_shared<const std::string>(file)) {}

  Node Take() {
    if (root_.kind == Kind::kNull) root_.kind = Kind::kMap;
    return std::move(root_);
  }
  Place At(const YAML::Mark& mark) const {
    // A mark that is not known has negative numbers.
    return mark.is_null() ? Place{file_} : Place{file_, mark.line + 1, mark.column + 1};
  }

  void OnDocumentStart(const YAML::Mark& mark) override {
    if (documents_++ > 0) Stop(At(mark), "a second document begins here", "keep one document in a file: drop the ---");
    root_.place = At(mark);
  }
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override { Add(Make(Kind::kNull, mark), anchor); }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    const auto found = anchors_.find(anchor);
    if (found == anchors_.end()) Stop(At(mark), "an alias stands within its own anchor", "write the value out");
    Spend(At(mark), CountNodes(found->second));
    if (open_.size() + DepthOf(found->second) > kDepthMax) TooDeep(At(mark));
    Add(Node(found->second), 0);
  }
  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override {
    CheckTag(mark, tag);
    Node node = Make(tag == "?" ? KindOfPlain(value) : Kind::kString, mark);
    node.text = value;
    Add(std::move(node), anchor);
  }
  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    Begin(Kind::kList, mark, tag, anchor);
  }
  void OnSequenceEnd() override { End(); }
  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    Begin(Kind::kMap, mark, tag, anchor);
  }
  void OnMapEnd() override { End(); }

 private:
  struct Open {
    Node node;
    YAML::anchor_t anchor = 0;
    bool has_key = false;                             // of a map: the next node is the value of the last entry
    std::unordered_map<std::string, int> lines = {};  // of a map: where each key stands
  };

  [[noreturn]] static void Stop(const Place& place, std::string message, std::string hint) {
    throw Wrong{ErrorAt(place, std::move(message), std::move(hint))};
  }
  [[noreturn]] static void TooDeep(const Place& place) {
    Stop(place, "is nested deeper than " + std::to_string(kDepthMax) + " levels", "keep data out of teal.yaml");
  }
  void Spend(const Place& place, size_t nodes) {
    nodes_ += nodes;
    if (nodes_ <= kNodesMax) return;
    Stop(place, "has more than " + std::to_string(kNodesMax) + " values, aliases counted with what they stand for",
         "keep data out of teal.yaml");
  }
  void CheckTag(const YAML::Mark& mark, const std::string& tag) const {
    if (tag.empty() || tag == "?" || tag == "!" || tag == "tag:yaml.org,2002:str") return;
    Stop(At(mark), "the tag " + tag + " has no meaning here", "write the value without a tag");
  }
  Node Make(Kind kind, const YAML::Mark& mark) {
    Node node;
    node.kind = kind;
    node.place = At(mark);
    Spend(node.place, 1);
    return node;
  }
  void Begin(Kind kind, const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor) {
    CheckTag(mark, tag);
    if (open_.size() >= kDepthMax) TooDeep(At(mark));
    open_.push_back(Open{Make(kind, mark), anchor});
  }
  void End() {
    Open done = std::move(open_.back());
    open_.pop_back();
    Add(std::move(done.node), done.anchor);
  }
  void Add(Node node, YAML::anchor_t anchor) {
    if (anchor != 0) {
      Spend(node.place, CountNodes(node));  // the copy
      anchors_[anchor] = node;
    }
    if (open_.empty()) {
      root_ = std::move(node);
      return;
    }
    Open& open = open_.back();
    if (open.node.kind == Kind::kList) {
      open.node.items.push_back(std::move(node));
    } else if (open.has_key) {
      open.node.entries.back().value = std::move(node);
      open.has_key = false;
    } else {
      AddKey(&open, std::move(node));
    }
  }
  static void AddKey(Open* open, Node node) {
    if (!node.IsScalar() || node.kind == Kind::kNull) Stop(node.place, "a key is a string", "write key: value");
    const auto [before, is_new] = open->lines.emplace(node.text, node.place.line);
    if (!is_new) {
      Stop(node.place, "the key `" + node.text + "` is there twice, first in line " + std::to_string(before->second),
           "keep one of the two");
    }
    open->node.entries.push_back(Entry{node.text, node.place, {}});
    open->has_key = true;
  }

  const std::shared_ptr<const std::string> file_;
  Node root_;
  std::vector<Open> open_;
  std::unordered_map<YAML::anchor_t, Node> anchors_;
  size_t nodes_ = 0;
  int documents_ = 0;
};

// YAML's own words for a tab are about anything but the tab. `line`: from 1, where reading stopped.
bool FindTab(const std::string& text, int line, int* tab_line, int* tab_column) {
  std::istringstream in(text);
  std::string one;
  for (int at = 1; at <= line && std::getline(in, one); ++at) {
    const size_t end = one.find_first_not_of(" \t");
    const size_t tab = one.find('\t');
    if (at + 1 < line || end == std::string::npos || tab == std::string::npos || tab > end) continue;
    *tab_line = at;
    *tab_column = static_cast<int>(tab) + 1;
    return true;
  }
  return false;
}

}  // namespace

const Node* Node::Find(std::string_view key) const {
  const auto found = std::find_if(entries.begin(), entries.end(), [&](const Entry& entry) { return entry.key == key; });
  return found == entries.end() ? nullptr : &found->value;
}

std::variant<Node, Error> ParseTree(const std::string& file, const std::string& text) {
  Builder builder(file);
  try {
    std::istringstream in(text);
    YAML::Parser parser(in);
    while (parser.HandleNextDocument(builder)) {
    }
    return builder.Take();
  } catch (const Wrong& wrong) {
    return wrong.error;
  } catch (const YAML::Exception& e) {
    Place place = builder.At(e.mark);
    if (FindTab(text, place.line, &place.line, &place.column)) {
      return ErrorAt(place, "a tab indents this line", "YAML is indented with spaces: replace the tab");
    }
    return ErrorAt(place, "is not YAML: " + e.msg, "correct it at this place");
  } catch (const std::exception& e) {
    return ErrorAt(builder.At(YAML::Mark::null_mark()), std::string("cannot be read: ") + e.what(),
                   "check that it is a YAML file");
  }
}

void Merge(Node* base, Node over) {
  if (base->kind != Kind::kMap || over.kind != Kind::kMap) {
    *base = std::move(over);
    return;
  }
  std::unordered_map<std::string, size_t> index;
  for (size_t i = 0; i < base->entries.size(); ++i) index.emplace(base->entries[i].key, i);
  for (Entry& entry : over.entries) {
    const auto found = index.find(entry.key);
    if (found == index.end()) {
      base->entries.push_back(std::move(entry));
    } else {
      Entry& known = base->entries[found->second];
      known.place = entry.place;
      Merge(&known.value, std::move(entry.value));
    }
  }
}

Error ErrorAt(const Place& place, std::string message, std::string hint) {
  return Error{place.file == nullptr ? "" : *place.file, place.line, place.column, std::move(message), std::move(hint)};
}

}  // namespace teal::config
