// Scans of a partition: order, prefix, pages, cursors.
#include <algorithm>
#include <array>
#include <map>
#include <set>

#include "abi/include/teal/bytes.hpp"
#include "core/kit/memory.h"
#include "core/kit/test.h"
#include "core/kit/verdict.h"

namespace teal::kit {
namespace {

std::string Names(const std::vector<host::Record>& records) {
  std::string out;
  for (std::size_t i = 0; i < records.size() && i < 12; ++i) out += (i == 0 ? "" : " ") + Show(records[i].sort);
  return out;
}

std::string Bytes(std::initializer_list<int> bytes) {
  std::string out;
  for (const int byte : bytes) out += static_cast<char>(byte);
  return out;
}

// Sort parts whose order differs if bytes are signed, text is collated, or a NUL ends it.
std::vector<std::string> Sorts() {
  return {Bytes({0}),
          Bytes({0, 0}),
          Bytes({0, 255}),
          Bytes({1}),
          "A",
          "B",
          "a",
          Bytes({'a', 0}),
          "a/",
          "a/1",
          "a/10",
          "a/2",
          Bytes({'a', '/', 255}),
          "a0",
          "aa",
          "b",
          Bytes({127}),
          Bytes({128}),
          Bytes({128, 0}),
          Bytes({195, 164}),
          Bytes({254}),
          Bytes({255}),
          Bytes({255, 0}),
          Bytes({255, 255})};
}

void OrderAndPrefix() {
  Host host;
  Memory memory(host);
  std::map<std::string, teal_version> expected;
  std::vector<std::string> sorts = Sorts();
  std::reverse(sorts.begin(), sorts.end());
  for (const std::string& sort : sorts) {
    expected[sort] = memory.Must(Put(MakeKey("p", sort), "value of " + sort, 77));
    // Neighbours that a careless range would take in.
    memory.Must(Put(MakeKey("p2", sort), "other partition"));
    memory.Must(Put({Space("p") + Bytes({0}), sort}, "other partition"));
  }
  const auto less = [](const std::string& a, const std::string& b) {
    return std::lexicographical_compare(a.begin(), a.end(), b.begin(), b.end(), [](char x, char y) {
      return static_cast<unsigned char>(x) < static_cast<unsigned char>(y);
    });
  };
  for (const std::string& prefix : {std::string(), std::string("a"), std::string("a/"), std::string("a/1"), Bytes({0}),
                                    Bytes({255}), Bytes({255, 255}), Bytes({128}), std::string("nothing")}) {
    std::vector<std::string> want;
    for (const std::string& sort : sorts) {
      if (sort.starts_with(prefix)) want.push_back(sort);
    }
    std::sort(want.begin(), want.end(), less);
    const auto got = memory.ScanAll(Space("p"), prefix, 1000);
    for (std::size_t i = 0; i < std::max(want.size(), got.size()); ++i) {
      if (i >= got.size() || i >= want.size() || got[i].sort != want[i]) {
        Fail("a scan with prefix ", Show(prefix), " gives ", i < got.size() ? Show(got[i].sort) : "nothing",
             " as record ", i, "; by unsigned bytes it is ", i < want.size() ? Show(want[i]) : "the end",
             "; it gave: ", Names(got));
      }
      const host::Record& record = got[i];
      Expect(record.partition == Space("p"), "a scan gives a record of partition ", Show(record.partition));
      Expect(record.value == "value of " + record.sort && record.due_unix_ns == 77 &&
                 SameVersion(record.version, expected[record.sort]),
             "a scan does not give ", Show(record.sort), " whole: value ", Show(record.value), ", due ",
             record.due_unix_ns, ", version ", Show(record.version));
    }
  }
  Expect(memory.ScanAll(Space("empty"), "", 10).empty(), "a scan of a partition without records gives some");
}

void Pages() {
  Host host;
  Memory memory(host);
  constexpr int kRecords = 57;
  for (int n = 0; n < kRecords; ++n) memory.Must(Put(MakeKey("p", Text("s", 100 + n)), std::string(100, 'x')));
  for (const uint64_t limit :
       {uint64_t{1}, uint64_t{2}, uint64_t{10}, uint64_t{56}, uint64_t{57}, uint64_t{1'000'000'000}}) {
    std::string cursor;
    int next = 0;
    for (int pages = 0;; ++pages) {
      if (pages > 4 * kRecords)
        Fail("a scan with limit ", limit, " over ", kRecords, " records takes over ", pages, " pages");
      const Reply& page = memory.MustScan(Space("p"), "s", limit, cursor);
      const uint64_t most = std::min(limit, memory.caps().scan_records_max);
      Expect(page.records.size() <= most, "a page of limit ", limit, " holds ", page.records.size(), " records");
      for (const host::Record& record : page.records) {
        Expect(record.sort == Text("s", 100 + next), "with limit ", limit, " page ", pages, " gives ",
               Show(record.sort), " where ", Text("s", 100 + next), " was to come");
        ++next;
      }
      if (!page.more) break;
      Expect(!page.next.empty(), "a page says more and has no cursor");
      cursor = page.next;
    }
    Expect(next == kRecords, "with limit ", limit, " the pages end after ", next, " of ", kRecords, " records");
  }
}

void CursorsWhileRecordsChange() {
  Host host;
  Memory memory(host);
  const auto name = [](int n) { return Text("s", 1000 + n); };
  constexpr int kRecords = 120;  // every third stays as long as the test runs
  for (const uint64_t limit : {uint64_t{4}, uint64_t{9}}) {
    const std::string partition = Text("p", limit);
    for (int n = 0; n < kRecords; ++n) memory.Must(Put(MakeKey(partition, name(n)), "first"));
    std::vector<std::string> got;
    std::string cursor;
    for (int page_number = 0;; ++page_number) {
      const Reply& page = memory.MustScan(Space(partition), "", limit, cursor);
      for (const host::Record& record : page.records) got.push_back(record.sort);
      if (!page.more) break;
      if (page_number > 1000) Fail("a scan does not end while records change");
      cursor = page.next;
      // The record at the cursor's place, one before and one behind it go; new ones come; the others change.
      const int at = got.empty() ? 0 : std::atoi(got.back().c_str() + 1) - 1000;
      for (const int near : {at - 7, at - 4, at - 1, at, at + 1, at + 2, at + 3}) {
        if (near < 0 || near >= kRecords) continue;
        if (near % 3 == 0) {
          memory.Must(Put(MakeKey(partition, name(near)), Text("changed at page ", page_number)));
        } else {
          memory.Must(Delete(MakeKey(partition, name(near))));
        }
      }
      memory.Must(Put(MakeKey(partition, name(std::max(at - 2, 0)) + "+new"), "new before"));
      memory.Must(Put(MakeKey(partition, name(at) + "+new"), "new behind"));
    }
    Expect(std::is_sorted(got.begin(), got.end()), "the pages are not in order while records change");
    for (int n = 0; n < kRecords; n += 3) {
      const auto times = std::count(got.begin(), got.end(), name(n));
      Expect(times == 1, name(n), ", which exists throughout, was given ", times, " times by pages of ", limit,
             " while others were deleted and made");
    }
  }
}

void CursorSize() {
  Host host;
  Memory memory(host);
  constexpr std::size_t kCursorMax = 4096;
  // Both parts as long as they may be, of a byte that grows if it is escaped.
  const auto longest = static_cast<std::size_t>(std::min<uint64_t>(memory.caps().key_bytes_max, 4096));
  Key key{Space(""), std::string(longest, '\xff')};
  key.partition.resize(longest, '\0');
  for (int n = 0; n < 6; ++n) {
    key.sort[0] = static_cast<char>('a' + n);
    memory.Must(Put(key, "x"));
  }
  std::string cursor;
  for (int n = 0; n < 7; ++n) {
    const Reply& page = memory.MustScan(key.partition, "", 1, cursor);
    Expect(page.next.size() <= kCursorMax, "a cursor of a scan over keys of ", longest, " bytes has ", page.next.size(),
           " bytes, more than ", kCursorMax);
    if (!page.more) break;
    cursor = page.next;
  }
  cursor.clear();
  for (int n = 0; n < 5; ++n) memory.Must(Put({key.partition, std::string(longest, static_cast<char>(n + 1))}, "x", 5));
  for (int n = 0; n < 100; ++n) {
    Call& call = memory.BeginScanDue(0, 1, 10, 1, cursor);
    const Reply& page = call.Wait();
    Expect(page.Ok(), call.words(), " gave ", page.Says());
    Expect(page.next.size() <= kCursorMax, "a cursor of scan_due over keys of ", longest, " bytes has ",
           page.next.size(), " bytes, more than ", kCursorMax);
    if (!page.more) break;
    cursor = page.next;
  }
  for (int n = 0; n < 5; ++n) memory.Must(Delete({key.partition, std::string(longest, static_cast<char>(n + 1))}));
}

void CursorInAnotherInstance() {
  Host host;
  auto first = std::make_unique<Memory>(host);
  const bool shared = first->Has(TEAL_MEMORY_SHARED);
  if (!shared && !first->Has(TEAL_MEMORY_DURABLE))
    NotOffered("neither SHARED nor DURABLE: another instance has another store");
  constexpr int kRecords = 20;
  for (int n = 0; n < kRecords; ++n) first->Must(Put(MakeKey("p", Text("s", 100 + n)), "x"));
  const Reply& page = first->MustScan(Space("p"), "", 7);
  std::vector<host::Record> got = page.records;
  if (!page.more) Fail("a page of limit 7 over ", kRecords, " records does not say more");
  const std::string cursor = page.next;
  if (!shared) first->Close();
  Memory second(host);
  std::string next = cursor;
  for (;;) {
    const Reply& rest = second.MustScan(Space("p"), "", 7, next);
    got.insert(got.end(), rest.records.begin(), rest.records.end());
    if (!rest.more || got.size() > kRecords) break;
    next = rest.next;
  }
  Expect(got.size() == kRecords, "with its cursor taken on by another instance a scan gives ", got.size(), " of ",
         kRecords, " records");
  for (int n = 0; n < kRecords; ++n) {
    Expect(got[static_cast<std::size_t>(n)].sort == Text("s", 100 + n),
           "with its cursor taken on by another instance a scan gives ", Show(got[static_cast<std::size_t>(n)].sort),
           " where ", Text("s", 100 + n), " was to come");
  }
}

void ScanSeesCommits() {
  Host host;
  Memory memory(host);
  for (int n = 0; n < 50; ++n) {
    const Key key = MakeKey("p", Text("s", n % 5));
    memory.Must(Put(key, Text("value ", n)));
    const Reply& page = memory.MustScan(Space("p"), key.sort, 10);
    Expect(page.records.size() == 1, "a scan that began after the commit of ", Show(key), " gives ",
           page.records.size(), " records");
    Expect(page.records[0].value == Text("value ", n), "a scan that began after the commit of \"value ", n, "\" gives ",
           Show(page.records[0].value));
    if (n % 7 != 6) continue;
    memory.Must(Delete(key));
    Expect(memory.MustScan(Space("p"), key.sort, 10).records.empty(), "a scan that began after the delete of ",
           Show(key), " gives it");
  }
}

constexpr std::array<Test, 6> kTests = {{{"MEM-25", Needs::kMemory, 60, OrderAndPrefix},
                                         {"MEM-26", Needs::kMemory, 60, Pages},
                                         {"MEM-27", Needs::kMemory, 90, CursorsWhileRecordsChange},
                                         {"MEM-28", Needs::kMemory, 60, CursorSize},
                                         {"MEM-29", Needs::kMemory, 60, CursorInAnotherInstance},
                                         {"MEM-30", Needs::kMemory, 60, ScanSeesCommits}}};

}  // namespace

std::span<const Test> ScanTests() {
  return kTests;
}

}  // namespace teal::kit
