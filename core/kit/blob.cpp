// Blobs: pieces, visibility, names that exist, ranges, handles.
#include <algorithm>
#include <array>
#include <set>

#include "abi/include/teal/bytes.hpp"
#include "core/kit/memory.h"
#include "core/kit/test.h"
#include "core/kit/verdict.h"

namespace teal::kit {
namespace {

constexpr uint64_t kAll = uint64_t{1} << 40;

void NeedBlobs(const Memory& memory) {
  if (!memory.Has(TEAL_MEMORY_BLOBS)) NotOffered("no TEAL_MEMORY_BLOBS");
}

// Bytes that tell their place.
std::string Content(std::size_t size) {
  std::string content(size, '\0');
  uint32_t state = 12345;
  for (char& c : content) {
    state = state * 1664525u + 1013904223u;
    c = static_cast<char>(state >> 24u);
  }
  return content;
}

void ExpectBlob(Memory& memory, const std::string& name, const std::string& content) {
  Call& call = memory.BeginBlobGet(name, 0, kAll);
  const Reply& reply = call.Wait();
  Expect(reply.Ok(), call.words(), " gave ", reply.Says());
  if (reply.bytes == content) return;
  const auto at = std::mismatch(content.begin(), content.end(), reply.bytes.begin(), reply.bytes.end()).first;
  Fail(call.words(), " of a blob of ", content.size(), " bytes gave ", reply.bytes.size(), ", which differ from byte ",
       at - content.begin());
}

void ExpectNoBlob(Memory& memory, const std::string& name, const char* when) {
  Call& call = memory.BeginBlobGet(name, 0, kAll);
  const Reply& reply = call.Wait();
  Expect(reply.code == TEAL_NOT_FOUND, call.words(), " ", when, " gave ", reply.Says(), ", not NOT_FOUND");
}

uint64_t MustOpen(Memory& memory, const std::string& name) {
  Call& call = memory.BeginBlobOpen(name);
  Expect(call.Wait().Ok(), call.words(), " gave ", call.reply().Says());
  return call.reply().handle;
}

void MustWrite(Memory& memory, uint64_t handle, const std::string& data) {
  Call& call = memory.BeginBlobWrite(handle, data);
  Expect(call.Wait().Ok(), call.words(), " gave ", call.reply().Says());
}

void MustCommit(Memory& memory, uint64_t handle) {
  Call& call = memory.BeginBlobCommit(handle);
  Expect(call.Wait().Ok(), call.words(), " gave ", call.reply().Says());
}

void Pieces() {
  Host host;
  Memory memory(host);
  NeedBlobs(memory);
  int n = 0;
  const uint64_t most = memory.caps().blob_bytes_max;
  for (const std::size_t piece : {std::size_t{1}, std::size_t{4096}, std::size_t{70'001}, std::size_t{6'000'000}}) {
    std::string whole;
    std::vector<std::string> pieces;
    for (int i = 0; i < 3 && whole.size() + piece + 1 <= most; ++i) {
      pieces.push_back(Content(piece + static_cast<std::size_t>(i % 2)));
      whole += pieces.back();
    }
    const std::string name = Space(Text("blob", n++));
    memory.MustWriteBlob(name, pieces);
    ExpectBlob(memory, name, whole);
  }
  memory.MustWriteBlob(Space("empty"), {});
  ExpectBlob(memory, Space("empty"), "");
  memory.MustWriteBlob(Space("empty piece"), {"", "x", ""});
  ExpectBlob(memory, Space("empty piece"), "x");
  // A name of every byte value that a key's part may have.
  std::string every = Space("");
  for (int byte = 0; byte < 256; ++byte) every += static_cast<char>(byte);
  memory.MustWriteBlob(every, {"odd name"});
  ExpectBlob(memory, every, "odd name");
  // Two at once, in turns.
  const uint64_t one = MustOpen(memory, Space("one"));
  const uint64_t two = MustOpen(memory, Space("two"));
  for (int i = 0; i < 4; ++i) {
    MustWrite(memory, one, Text("one ", i, ";"));
    MustWrite(memory, two, Text("two ", i, ";"));
  }
  MustCommit(memory, two);
  MustCommit(memory, one);
  ExpectBlob(memory, Space("one"), "one 0;one 1;one 2;one 3;");
  ExpectBlob(memory, Space("two"), "two 0;two 1;two 2;two 3;");
}

void NotThereBefore() {
  Host host;
  Memory memory(host);
  NeedBlobs(memory);
  const std::string name = Space("b");
  const uint64_t first = MustOpen(memory, name);
  ExpectNoBlob(memory, name, "after blob_open");
  MustWrite(memory, first, Content(100'000));
  ExpectNoBlob(memory, name, "before blob_commit");
  Note("blob_abort ", first);
  memory.table().blob_abort(memory.instance(), first);
  ExpectNoBlob(memory, name, "after blob_abort");
  const uint64_t second = MustOpen(memory, name);
  MustWrite(memory, second, "second");
  MustCommit(memory, second);
  ExpectBlob(memory, name, "second");
}

void FirstStays() {
  Host host;
  Memory memory(host);
  NeedBlobs(memory);
  const std::string name = Space("b");
  // Two writers of one name at once: the first to commit stays.
  const uint64_t slow = MustOpen(memory, name);
  MustWrite(memory, slow, "slow");
  memory.MustWriteBlob(name, {"first"});
  MustCommit(memory, slow);
  ExpectBlob(memory, name, "first");
  memory.MustWriteBlob(name, {"another", " one"});
  ExpectBlob(memory, name, "first");
}

void Ranges() {
  Host host;
  Memory memory(host);
  NeedBlobs(memory);
  const std::string name = Space("b");
  const std::string content = Content(300'000);
  memory.MustWriteBlob(name, {content.substr(0, 123'456), content.substr(123'456)});
  const uint64_t size = content.size();
  for (const auto& [offset, length] : std::initializer_list<std::pair<uint64_t, uint64_t>>{{0, 1},
                                                                                           {0, size},
                                                                                           {1, 10},
                                                                                           {123'450, 20},
                                                                                           {65'535, 2},
                                                                                           {size - 1, 1},
                                                                                           {size - 5, 100},
                                                                                           {100, kAll},
                                                                                           {size, 10},
                                                                                           {size + 10, 10},
                                                                                           {kAll, 1},
                                                                                           {5, 0}}) {
    Call& call = memory.BeginBlobGet(name, offset, length);
    const Reply& reply = call.Wait();
    Expect(reply.Ok(), call.words(), " of ", size, " bytes gave ", reply.Says());
    const std::string want = offset >= size ? std::string() : content.substr(offset, length);
    Expect(reply.bytes == want, call.words(), " of ", size, " bytes gave ", reply.bytes.size(), " bytes, not the ",
           want.size(), " there");
  }
  ExpectNoBlob(memory, Space("none"), "that never was");
}

void Deleted() {
  Host host;
  Memory memory(host);
  NeedBlobs(memory);
  const std::string name = Space("b");
  const auto must_delete = [&] {
    Call& call = memory.BeginBlobDelete(name);
    Expect(call.Wait().Ok(), call.words(), " gave ", call.reply().Says());
  };
  must_delete();  // absent: fine
  memory.MustWriteBlob(name, {"one"});
  memory.MustWriteBlob(name + "x", {"neighbour"});
  must_delete();
  ExpectNoBlob(memory, name, "after blob_delete");
  ExpectBlob(memory, name + "x", "neighbour");
  must_delete();
  memory.MustWriteBlob(name, {"two"});
  ExpectBlob(memory, name, "two");
}

void Handles() {
  Host host;
  Memory memory(host);
  NeedBlobs(memory);
  std::set<uint64_t> seen;
  const auto open = [&](const std::string& name) {
    const uint64_t handle = MustOpen(memory, name);
    if (!seen.insert(handle).second) Fail("blob_open gave the handle ", handle, " twice");
    return handle;
  };
  const auto refused = [&](Call& call) {
    const Reply& reply = call.Wait();
    Expect(!reply.Ok(), call.words(), " of a handle that was ended or never given gave OK");
  };
  const uint64_t committed = open(Space("a"));
  MustCommit(memory, committed);
  const uint64_t aborted = open(Space("b"));
  memory.table().blob_abort(memory.instance(), aborted);
  for (const uint64_t handle : {committed, aborted, uint64_t{0xdeadbeefcafe}}) {
    refused(memory.BeginBlobWrite(handle, "x"));
    refused(memory.BeginBlobCommit(handle));
    memory.table().blob_abort(memory.instance(), handle);
  }
  for (int n = 0; n < 20; ++n) {
    const uint64_t handle = open(Space(Text("left open ", n)));
    MustWrite(memory, handle, "never committed");
  }
  memory.Close();
  Memory again(host);
  if (!again.Has(TEAL_MEMORY_DURABLE) && !again.Has(TEAL_MEMORY_SHARED)) return;
  for (int n = 0; n < 20; ++n)
    ExpectNoBlob(again, Space(Text("left open ", n)), "left open when its instance was closed");
}

void OverTheLimit() {
  Host host;
  Memory memory(host);
  NeedBlobs(memory);
  const uint64_t most = memory.caps().blob_bytes_max;
  constexpr uint64_t kTried = 256u * 1024 * 1024;
  if (most > kTried) NotOffered("blob_bytes_max is ", most, " bytes, more than this test writes (", kTried, ")");
  const std::string name = Space("b");
  const uint64_t handle = MustOpen(memory, name);
  const std::string piece = Content(1u << 20u);
  uint64_t written = 0;
  while (written + piece.size() <= most) {
    MustWrite(memory, handle, piece);
    written += piece.size();
  }
  if (written < most) MustWrite(memory, handle, piece.substr(0, most - written));
  Call& over = memory.BeginBlobWrite(handle, "x");
  const Reply& reply = over.Wait();
  teal_status code = reply.code;
  if (reply.Ok()) code = memory.BeginBlobCommit(handle).Wait().code;
  Expect(code == TEAL_TOO_LARGE, "a blob one byte over blob_bytes_max gave ", StatusName(code), ", not TOO_LARGE");
  memory.table().blob_abort(memory.instance(), handle);
  ExpectNoBlob(memory, name, "that grew too large");
}

constexpr std::array<Test, 7> kTests = {{{"BLOB-1", Needs::kMemory, 120, Pieces},
                                         {"BLOB-2", Needs::kMemory, 60, NotThereBefore},
                                         {"BLOB-3", Needs::kMemory, 60, FirstStays},
                                         {"BLOB-4", Needs::kMemory, 60, Ranges},
                                         {"BLOB-5", Needs::kMemory, 60, Deleted},
                                         {"BLOB-6", Needs::kMemory, 60, Handles},
                                         {"BLOB-8", Needs::kMemory, 180, OverTheLimit}}};

}  // namespace

std::span<const Test> BlobTests() {
  return kTests;
}

}  // namespace teal::kit
