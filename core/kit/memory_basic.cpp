// Single records: what each operation does under each condition, what a conflict says, and that versions never come
// back.
#include <algorithm>
#include <array>
#include <set>

#include "abi/include/teal/bytes.hpp"
#include "core/kit/memory.h"
#include "core/kit/subject.h"
#include "core/kit/test.h"
#include "core/kit/verdict.h"

namespace teal::kit {
namespace {

constexpr uint64_t kHour = 3'600'000'000'000;

void ExpectRecord(Memory& memory, const Key& key, const std::string& value, const teal_version& version, uint64_t due,
                  uint64_t expires) {
  const auto record = memory.MustGet(key);
  if (!record) Fail(Show(key), " was written and is absent");
  Expect(record->partition == key.partition && record->sort == key.sort, "a get of ", Show(key), " gave the key ",
         Show(Key{record->partition, record->sort}));
  Expect(record->value == value, Show(key), " holds ", Show(record->value), ", written was ", Show(value));
  Expect(SameVersion(record->version, version), Show(key), " has version ", Show(record->version), "; the commit gave ",
         Show(version));
  Expect(record->due_unix_ns == due, Show(key), " is due ", record->due_unix_ns, "; written was ", due);
  Expect(record->expires_unix_ns == expires, Show(key), " expires ", record->expires_unix_ns, "; written was ",
         expires);
}

void ExpectAbsent(Memory& memory, const Key& key, const char* why) {
  if (const auto record = memory.MustGet(key)) Fail(Show(key), " is there, holding ", Show(record->value), ", ", why);
}

void ExpectConflict(Memory& memory, const Op& op) {
  Call& call = memory.BeginCommit({op});
  const Reply& reply = call.Wait();
  Expect(reply.code == TEAL_CONFLICT, call.words(), " gave ", reply.Says(), ", not CONFLICT");
}

teal_version Other(teal_version version) {
  version.opaque[0] ^= 0x55u;
  version.opaque[31] ^= 0x55u;
  return version;
}

void Caps() {
  Host host;
  Memory memory(host);
  const teal_memory_caps& caps = memory.caps();
  teal_memory_caps again{};
  again.struct_size = sizeof again;
  Expect(memory.table().caps(memory.instance(), &again) == TEAL_OK, "caps did not give OK the second time");
  Expect(std::memcmp(&again, &caps, sizeof caps) == 0, "caps gave something else the second time");
  Expect(caps.reserved0 == 0, "reserved0 is ", caps.reserved0);
  constexpr uint64_t kKnown =
      TEAL_MEMORY_WATCH | TEAL_MEMORY_BLOBS | TEAL_MEMORY_DURABLE | TEAL_MEMORY_EXPIRY | TEAL_MEMORY_SHARED;
  Expect((caps.features & ~kKnown) == 0, "features has bits that the header does not know: ", caps.features);
  Expect(caps.key_bytes_max >= 512, "key_bytes_max is ", caps.key_bytes_max, ", at least 512 is asked");
  Expect(caps.value_bytes_max >= 65536, "value_bytes_max is ", caps.value_bytes_max, ", at least 65536 is asked");
  Expect(caps.commit_ops_max >= 1, "commit_ops_max is 0");
  Expect(caps.commit_bytes_max >= caps.value_bytes_max + 2 * caps.key_bytes_max, "commit_bytes_max is ",
         caps.commit_bytes_max, ": one record of the largest key and value has ",
         caps.value_bytes_max + 2 * caps.key_bytes_max);
  Expect(caps.get_keys_max >= 1, "get_keys_max is 0");
  Expect(caps.scan_records_max >= 1, "scan_records_max is 0");
  Expect(memory.Has(TEAL_MEMORY_BLOBS) == (caps.blob_bytes_max != 0), "blob_bytes_max is ", caps.blob_bytes_max,
         memory.Has(TEAL_MEMORY_BLOBS) ? " though blobs are offered" : " though blobs are not offered");
}

void PutAny() {
  Host host;
  Memory memory(host);
  const Key key = MakeKey("p", "s");
  const uint64_t now = host.Now();
  Op first = Put(key, "one", now + kHour);
  first.expires = now + 2 * kHour;
  const teal_version v1 = memory.Must(first);
  ExpectRecord(memory, key, "one", v1, first.due, first.expires);
  const teal_version v2 = memory.Must(Put(key, "second and longer"));
  ExpectRecord(memory, key, "second and longer", v2, 0, 0);
  Op third = Put(key, "3", now + 3 * kHour + 123'456'789);
  const teal_version v3 = memory.Must(third);
  ExpectRecord(memory, key, "3", v3, third.due, 0);
}

void PutIfAbsent() {
  Host host;
  Memory memory(host);
  const Key key = MakeKey("p", "s");
  const teal_version version = memory.Must(Create(key, "one"));
  ExpectRecord(memory, key, "one", version, 0, 0);
  ExpectConflict(memory, Create(key, "two"));
  ExpectRecord(memory, key, "one", version, 0, 0);
}

void PutIfVersion() {
  Host host;
  Memory memory(host);
  const Key key = MakeKey("p", "s");
  const Key absent = MakeKey("p", "absent");
  const teal_version v1 = memory.Must(Put(key, "one"));
  ExpectConflict(memory, Replace(key, "wrong", Other(v1)));
  ExpectRecord(memory, key, "one", v1, 0, 0);
  const teal_version v2 = memory.Must(Replace(key, "two", v1));
  ExpectRecord(memory, key, "two", v2, 0, 0);
  ExpectConflict(memory, Replace(key, "late", v1));
  ExpectRecord(memory, key, "two", v2, 0, 0);
  ExpectConflict(memory, Replace(absent, "none", v2));
  ExpectAbsent(memory, absent, "though its put was in conflict");
}

void DeleteRecord() {
  Host host;
  Memory memory(host);
  const Key key = MakeKey("p", "s");
  memory.Must(Delete(key));  // absent: fine
  const teal_version v1 = memory.Must(Put(key, "one"));
  ExpectConflict(memory, DeleteIf(key, Other(v1)));
  ExpectRecord(memory, key, "one", v1, 0, 0);
  memory.Must(DeleteIf(key, v1));
  ExpectAbsent(memory, key, "though it was deleted");
  Expect(memory.MustScan(key.partition, "", 10).records.empty(), "a scan gives a record that was deleted");
  ExpectConflict(memory, DeleteIf(key, v1));
  memory.Must(Create(key, "again"));
  memory.Must(Delete(key));
  ExpectAbsent(memory, key, "though it was deleted");
}

void CheckOnly() {
  Host host;
  Memory memory(host);
  const Key key = MakeKey("p", "s");
  const Key absent = MakeKey("p", "absent");
  const teal_version version = memory.Must(Put(key, "one"));
  memory.Must(Check(key, version));
  ExpectConflict(memory, Check(key, Other(version)));
  ExpectConflict(memory, CheckAbsent(key));
  memory.Must(CheckAbsent(absent));
  ExpectConflict(memory, Check(absent, version));
  ExpectRecord(memory, key, "one", version, 0, 0);
  ExpectAbsent(memory, absent, "though it was only checked");
}

void FoundRecord() {
  Host host;
  Memory memory(host);
  const Key key = MakeKey("p", "s");
  const Key absent = MakeKey("p", "absent");
  const std::string value(2000, 'v');
  Op put = Put(key, value, host.Now() + kHour);
  put.expires = host.Now() + 2 * kHour;
  const teal_version version = memory.Must(put);
  const std::array<Op, 5> there = {Create(key, "x"), Replace(key, "x", Other(version)), DeleteIf(key, Other(version)),
                                   Check(key, Other(version)), CheckAbsent(key)};
  for (const Op& op : there) {
    Call& call = memory.BeginCommit({op});
    const Reply& reply = call.Wait();
    if (reply.code != TEAL_CONFLICT) continue;  // MEM-3 to MEM-6 judge that
    Expect(reply.outcome == TEAL_NOT_APPLIED, call.words(), " is in conflict with outcome ", reply.outcome);
    Expect(reply.has_result, call.words(), " is in conflict without a result beside the error");
    Expect(reply.versions.empty(), call.words(), " is in conflict and gives ", reply.versions.size(), " versions");
    if (!reply.found) Fail(call.words(), " is in conflict with no record found; ", Show(key), " is in the way");
    const host::Record& found = *reply.found;
    Expect(found.partition == key.partition && found.sort == key.sort, call.words(), " found the key ",
           Show(Key{found.partition, found.sort}));
    Expect(found.value == value, call.words(), " found the value ", Show(found.value), ", written was ", Show(value));
    Expect(SameVersion(found.version, version), call.words(), " found version ", Show(found.version), ", it is ",
           Show(version));
    Expect(found.due_unix_ns == put.due && found.expires_unix_ns == put.expires, call.words(), " found due ",
           found.due_unix_ns, " and expiry ", found.expires_unix_ns, ", written were ", put.due, " and ", put.expires);
  }
  const std::array<Op, 3> gone = {Replace(absent, "x", version), DeleteIf(absent, version), Check(absent, version)};
  for (const Op& op : gone) {
    Call& call = memory.BeginCommit({op});
    const Reply& reply = call.Wait();
    if (reply.code != TEAL_CONFLICT) continue;
    Expect(reply.has_result, call.words(), " is in conflict without a result beside the error");
    Expect(!reply.found, call.words(), " found a record where none is");
  }
}

void VersionsNeverComeBack() {
  Host host;
  std::set<std::string> seen;
  const Key key = MakeKey("p", "s");
  const auto take = [&](const teal_version& version, const char* after) {
    const std::string bytes(reinterpret_cast<const char*>(version.opaque), sizeof version.opaque);
    Expect(!SameVersion(version, kAbsent), "the version after ", after, " is zero, which means absent");
    if (!seen.insert(bytes).second) Fail("the version ", Show(version), " of ", Show(key), " came back after ", after);
  };
  bool again = true;
  for (int opened = 0; again && opened < 2; ++opened) {
    Memory memory(host);
    again = memory.Has(TEAL_MEMORY_DURABLE) || memory.Has(TEAL_MEMORY_SHARED);  // else the next has a store of its own
    memory.Must(Delete(key));
    for (int i = 0; i < 6; ++i) {
      const teal_version made = memory.Must(Create(key, "same"));
      take(made, "a delete and a new create");
      const teal_version replaced = memory.Must(Replace(key, "same", made));
      take(replaced, "a put of the same value");
      take(memory.Must(Put(key, "same")), "a put of the same value");
      memory.Must(Delete(key));
    }
  }
}

constexpr std::array<Test, 8> kTests = {{{"MEM-1", Needs::kMemory, 60, Caps},
                                         {"MEM-2", Needs::kMemory, 60, PutAny},
                                         {"MEM-3", Needs::kMemory, 60, PutIfAbsent},
                                         {"MEM-4", Needs::kMemory, 60, PutIfVersion},
                                         {"MEM-5", Needs::kMemory, 60, DeleteRecord},
                                         {"MEM-6", Needs::kMemory, 60, CheckOnly},
                                         {"MEM-7", Needs::kMemory, 60, FoundRecord},
                                         {"MEM-12", Needs::kMemory, 60, VersionsNeverComeBack}}};

}  // namespace

std::span<const Test> MemoryBasicTests() {
  return kTests;
}

}  // namespace teal::kit
