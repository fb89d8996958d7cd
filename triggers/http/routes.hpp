// From a path to the routes that serve it, by a trie with a hash table at each segment: what a look-up costs depends on
// the length of the path, not on how many routes there are.
//
// Segments are split before they are decoded, so %2F never splits. Where several patterns fit, the one with a literal
// in the earliest segment where they differ comes first; `{rest+}` comes last.
#ifndef TEAL_HTTP_ROUTES_HPP
#define TEAL_HTTP_ROUTES_HPP

#include <memory>
#include <optional>
#include <shared_mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace teal::http {

inline constexpr size_t kSegmentsMax = 64;  // of a path that can be served

// The segments of a path, decoded. nullopt: it cannot be decoded (400).
std::optional<std::vector<std::string>> SegmentsOf(std::string_view path);

// What is wrong with a pattern; nullopt: nothing.
std::optional<std::string> WrongPattern(std::string_view pattern);

struct Route {
  virtual ~Route() = default;
  std::string pattern;
  std::vector<std::string> methods;          // empty: any
  std::vector<std::string> parameter_names;  // in the order of the pattern; the table fills them in
  bool rest = false;                         // the last takes all that follows

  // HEAD comes with GET.
  bool Takes(std::string_view method) const;
};
using RoutePtr = std::shared_ptr<Route>;

struct Match {
  RoutePtr route;      // null: none takes the method, or there is none at all
  RoutePtr any_route;  // the first that fits the path, whatever its methods; null: 404
  std::vector<std::pair<std::string, std::string>> parameters;
  std::string allow;  // the methods of all that fit the path
};

// Thread-safe.
class Routes {
 public:
  // False: another route takes one of its methods on this shape of path already.
  bool Add(const RoutePtr& route);
  void Remove(const RoutePtr& route);
  Match Find(std::string_view method, const std::vector<std::string>& segments) const;

 private:
  struct Hash {
    using is_transparent = void;
    size_t operator()(std::string_view text) const { return std::hash<std::string_view>()(text); }
  };
  struct Node {
    std::unordered_map<std::string, std::unique_ptr<Node>, Hash, std::equal_to<>> literals;
    std::unique_ptr<Node> parameter;
    std::vector<RoutePtr> here;  // that end here
    std::vector<RoutePtr> rest;  // whose {rest+} begins here
  };
  struct Search;
  std::vector<RoutePtr>& Place(Route& route);

  mutable std::shared_mutex mutex_;
  Node root_;  // guarded by mutex_
};

}  // namespace teal::http

#endif
