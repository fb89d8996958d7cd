#include "core/runtime/record_children.h"

#include <algorithm>

namespace teal::runtime::record {
namespace {

using List = std::vector<Children>;

// The first range that ends after `step`.
template <typename Ranges>
auto AtOrAfter(Ranges& list, uint64_t step) {
  return std::partition_point(list.begin(), list.end(),
                              [step](const Children& c) { return c.first < step && step - c.first >= c.count; });
}

bool Joins(const Children& a, const Children& b) {
  return b.first - a.first == a.count && a.shared == b.shared && a.has_children == b.has_children &&
         a.unknown.empty() && b.unknown.empty();
}

// Around `at`, which has changed: at most three ranges become one.
void Merge(List* list, size_t at) {
  if (at + 1 < list->size() && Joins((*list)[at], (*list)[at + 1])) {
    (*list)[at].count += (*list)[at + 1].count;
    list->erase(list->begin() + static_cast<ptrdiff_t>(at) + 1);
  }
  if (at > 0 && at < list->size() && Joins((*list)[at - 1], (*list)[at])) {
    (*list)[at - 1].count += (*list)[at].count;
    list->erase(list->begin() + static_cast<ptrdiff_t>(at));
  }
}

// Makes the listed step a range of its own and gives its place.
size_t Isolate(List* list, List::iterator range, uint64_t step) {
  if (step > range->first) {
    Children before = *range;
    before.count = step - range->first;
    range->first = step;
    range->count -= before.count;
    range = list->insert(range, before) + 1;
  }
  if (range->count > 1) {
    Children after = *range;
    after.first = step + 1;
    after.count--;
    range->count = 1;
    range = list->insert(range + 1, after) - 1;
  }
  return static_cast<size_t>(range - list->begin());
}

}  // namespace

const Children* FindChild(const List& list, uint64_t step) {
  const auto range = AtOrAfter(list, step);
  return range != list.end() && range->Has(step) ? &*range : nullptr;
}

bool ListChildren(List* list, uint64_t first, uint64_t count, Marks marks) {
  if (count == 0 || first + (count - 1) < first) return false;
  const auto after = AtOrAfter(*list, first);
  if (after != list->end() && after->first <= first + (count - 1)) return false;
  const auto added = list->insert(after, {first, count, marks.shared, marks.has_children, {}});
  Merge(list, static_cast<size_t>(added - list->begin()));
  return true;
}

bool DropChild(List* list, uint64_t step) {
  const auto range = AtOrAfter(*list, step);
  if (range == list->end() || !range->Has(step)) return false;
  const size_t at = Isolate(list, range, step);  // first: it may move the list
  list->erase(list->begin() + static_cast<ptrdiff_t>(at));
  return true;
}

bool MarkChild(List* list, uint64_t step, Marks marks) {
  const auto range = AtOrAfter(*list, step);
  if (range == list->end() || !range->Has(step)) return false;
  if (Marks{range->shared, range->has_children} == marks) return true;
  const size_t at = Isolate(list, range, step);
  (*list)[at].shared = marks.shared;
  (*list)[at].has_children = marks.has_children;
  Merge(list, at);
  return true;
}

std::string FaultOf(const List& list) {
  for (size_t i = 0; i < list.size(); i++) {
    const Children& c = list[i];
    if (c.count == 0 || c.first + (c.count - 1) < c.first) return "children: a range without end or without steps";
    if (i == 0) continue;
    const Children& before = list[i - 1];
    if (c.first <= before.first || c.first - before.first < before.count) return "children: ranges not in order";
    if (Joins(before, c)) return "children: two ranges that are one";
  }
  return {};
}

}  // namespace teal::runtime::record
