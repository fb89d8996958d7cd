#include "core/kit/memory.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "core/kit/options.h"
#include "core/kit/subject.h"
#include "core/kit/verdict.h"

namespace teal::kit {
namespace {

Op Make(uint32_t kind, uint32_t condition, Key key, std::string value, const teal_version& expected, uint64_t due) {
  return {kind, condition, std::move(key), std::move(value), expected, due, 0};
}

constexpr teal_version kNone{};

// The words of a call with many operations or keys name the first few.
template <typename Item>
std::string List(const std::vector<Item>& items) {
  std::string out;
  for (std::size_t i = 0; i < items.size() && i < 3; ++i) out += (i == 0 ? "" : ", ") + Show(items[i]);
  if (items.size() > 3) out += Text(" … ", items.size(), " in all");
  return out;
}

}  // namespace

std::string Show(const Key& key) {
  // The space says nothing to a reader; what comes after it does.
  const std::string& space = Given().space;
  const std::string_view partition(key.partition);
  return Show(partition.starts_with(space) ? partition.substr(space.size()) : partition) + "/" + Show(key.sort);
}

std::string Show(const Op& op) {
  const char* kind = op.kind == TEAL_PUT      ? "put"
                     : op.kind == TEAL_DELETE ? "delete"
                     : op.kind == TEAL_CHECK  ? "check"
                                              : "?";
  std::string out = Text(kind, " ", Show(op.key));
  if (op.kind == TEAL_PUT) out += " = " + Show(op.value);
  if (op.condition == TEAL_IF_ABSENT) out += " if absent";
  if (op.condition == TEAL_IF_VERSION) out += " if version " + Show(op.expected);
  if (op.due != 0) out += Text(" due ", op.due);
  return out;
}

Op Put(Key key, std::string value, uint64_t due) {
  return Make(TEAL_PUT, TEAL_IF_ANY, std::move(key), std::move(value), kNone, due);
}
Op Create(Key key, std::string value, uint64_t due) {
  return Make(TEAL_PUT, TEAL_IF_ABSENT, std::move(key), std::move(value), kNone, due);
}
Op Replace(Key key, std::string value, const teal_version& expected, uint64_t due) {
  return Make(TEAL_PUT, TEAL_IF_VERSION, std::move(key), std::move(value), expected, due);
}
Op Delete(Key key) {
  return Make(TEAL_DELETE, TEAL_IF_ANY, std::move(key), {}, kNone, 0);
}
Op DeleteIf(Key key, const teal_version& expected) {
  return Make(TEAL_DELETE, TEAL_IF_VERSION, std::move(key), {}, expected, 0);
}
Op Check(Key key, const teal_version& expected) {
  return Make(TEAL_CHECK, TEAL_IF_VERSION, std::move(key), {}, expected, 0);
}
Op CheckAbsent(Key key) {
  return Make(TEAL_CHECK, TEAL_IF_ABSENT, std::move(key), {}, kNone, 0);
}

Key MakeKey(std::string_view partition, std::string_view sort) {
  return {Space(partition), std::string(sort)};
}
MemoryView::MemoryView(const Instance& instance) : instance_(instance.handle()) {
  caps_.struct_size = sizeof caps_;
  const teal_status status = table().caps(instance_, &caps_);
  if (status != TEAL_OK) Fail("caps of " TEAL_MEMORY_ID " gave ", StatusName(status));
}

const teal_memory& MemoryView::table() const {
  return *Tested().memory;
}

Call& MemoryView::BeginCommit(const std::vector<Op>& ops, CallSpec spec) const {
  Call& call = NewCall("commit " + List(ops), Gives::kCommit, std::move(spec));
  std::vector<teal_op> raw;
  raw.reserve(ops.size());
  for (const Op& op : ops) {
    raw.push_back({op.kind, op.condition, call.inputs().Key(op.key.partition, op.key.sort),
                   call.inputs().Bytes(op.value), op.expected, op.due, op.expires});
  }
  const teal_op* placed = call.inputs().Array(std::span<const teal_op>(raw));
  call.Begin([&](const teal_call* c) { return table().commit(instance_, c, placed, raw.size()); });
  return call;
}

Call& MemoryView::BeginGet(const std::vector<Key>& keys, CallSpec spec) const {
  Call& call = NewCall("get " + List(keys), Gives::kPage, std::move(spec));
  std::vector<teal_key> raw;
  raw.reserve(keys.size());
  for (const Key& key : keys) raw.push_back(call.inputs().Key(key.partition, key.sort));
  const teal_key* placed = call.inputs().Array(std::span<const teal_key>(raw));
  call.Begin([&](const teal_call* c) { return table().get(instance_, c, placed, raw.size()); });
  return call;
}

Call& MemoryView::BeginScan(std::string_view partition, std::string_view prefix, uint64_t limit,
                            std::string_view cursor, CallSpec spec) const {
  Call& call = NewCall(Text("scan ", Show(Key{std::string(partition), std::string(prefix)}), "… limit ", limit,
                            cursor.empty() ? "" : " from a cursor"),
                       Gives::kPage, std::move(spec));
  const teal_bytes in_partition = call.inputs().Bytes(partition);
  const teal_bytes in_prefix = call.inputs().Bytes(prefix);
  const teal_bytes in_cursor = call.inputs().Bytes(cursor);
  call.Begin([&](const teal_call* c) { return table().scan(instance_, c, in_partition, in_prefix, limit, in_cursor); });
  return call;
}

Call& MemoryView::BeginScanDue(uint32_t shard, uint32_t shards, uint64_t until, uint64_t limit, std::string_view cursor,
                               CallSpec spec) const {
  Call& call = NewCall(Text("scan_due shard ", shard, " of ", shards, " until ", until, " limit ", limit,
                            cursor.empty() ? "" : " from a cursor"),
                       Gives::kPage, std::move(spec));
  const teal_bytes in_cursor = call.inputs().Bytes(cursor);
  call.Begin(
      [&](const teal_call* c) { return table().scan_due(instance_, c, shard, shards, until, limit, in_cursor); });
  return call;
}

Call& MemoryView::BeginBlobOpen(std::string_view name) const {
  Call& call = NewCall(Text("blob_open ", Show(name)), Gives::kHandle);
  const teal_bytes in_name = call.inputs().Bytes(name);
  call.Begin([&](const teal_call* c) { return table().blob_open(instance_, c, in_name); });
  return call;
}
Call& MemoryView::BeginBlobWrite(uint64_t handle, std::string_view data) const {
  Call& call = NewCall(Text("blob_write ", handle, " ", data.size(), " bytes"), Gives::kNothing);
  const teal_bytes in_data = call.inputs().Bytes(data);
  call.Begin([&](const teal_call* c) { return table().blob_write(instance_, c, handle, in_data); });
  return call;
}
Call& MemoryView::BeginBlobCommit(uint64_t handle) const {
  Call& call = NewCall(Text("blob_commit ", handle), Gives::kNothing);
  call.Begin([&](const teal_call* c) { return table().blob_commit(instance_, c, handle); });
  return call;
}
Call& MemoryView::BeginBlobGet(std::string_view name, uint64_t offset, uint64_t size) const {
  Call& call = NewCall(Text("blob_get ", Show(name), " from ", offset, " size ", size), Gives::kBytes);
  const teal_bytes in_name = call.inputs().Bytes(name);
  call.Begin([&](const teal_call* c) { return table().blob_get(instance_, c, in_name, offset, size); });
  return call;
}
Call& MemoryView::BeginBlobDelete(std::string_view name) const {
  Call& call = NewCall(Text("blob_delete ", Show(name)), Gives::kNothing);
  const teal_bytes in_name = call.inputs().Bytes(name);
  call.Begin([&](const teal_call* c) { return table().blob_delete(instance_, c, in_name); });
  return call;
}

std::vector<teal_version> MemoryView::MustAll(const std::vector<Op>& ops) const {
  Call& call = BeginCommit(ops);
  const Reply& reply = call.Wait();
  if (!reply.Ok()) Fail(call.words(), " gave ", reply.Says());
  if (reply.versions.size() != ops.size()) {
    Fail(call.words(), " gave ", reply.versions.size(), " versions for ", ops.size(), " operations");
  }
  return reply.versions;
}

teal_version MemoryView::Must(const Op& op) const {
  return MustAll({op}).front();
}

std::vector<host::Record> MemoryView::MustGetAll(const std::vector<Key>& keys) const {
  Call& call = BeginGet(keys);
  const Reply& reply = call.Wait();
  if (!reply.Ok()) Fail(call.words(), " gave ", reply.Says());
  return reply.records;
}

std::optional<host::Record> MemoryView::MustGet(const Key& key) const {
  auto records = MustGetAll({key});
  if (records.empty()) return std::nullopt;
  return std::move(records.front());
}

const Reply& MemoryView::MustScan(std::string_view partition, std::string_view prefix, uint64_t limit,
                                  std::string_view cursor) const {
  Call& call = BeginScan(partition, prefix, limit, cursor);
  const Reply& reply = call.Wait();
  if (!reply.Ok()) Fail(call.words(), " gave ", reply.Says());
  return reply;
}

std::vector<host::Record> MemoryView::ScanAll(std::string_view partition, std::string_view prefix,
                                              uint64_t limit) const {
  std::vector<host::Record> all;
  std::string cursor;
  for (int pages = 0; pages < 100'000; ++pages) {
    const Reply& page = MustScan(partition, prefix, limit, cursor);
    all.insert(all.end(), page.records.begin(), page.records.end());
    if (!page.more) return all;
    cursor = page.next;
  }
  Fail("a scan of ", Show(partition), " does not end: 100000 pages, each says more");
}

std::vector<host::Record> MemoryView::DueAll(uint32_t shards, uint64_t until, uint64_t limit) const {
  std::vector<host::Record> all;
  for (uint32_t shard = 0; shard < shards; ++shard) {
    std::string cursor;
    for (int pages = 0;; ++pages) {
      if (pages == 100'000) Fail("scan_due does not end: 100000 pages of shard ", shard, ", each says more");
      Call& call = BeginScanDue(shard, shards, until, limit, cursor);
      const Reply& page = call.Wait();
      if (!page.Ok()) Fail(call.words(), " gave ", page.Says());
      for (const host::Record& record : page.records) {
        if (InSpace(record.partition)) all.push_back(record);
      }
      if (!page.more) break;
      cursor = page.next;
    }
  }
  return all;
}

void MemoryView::MustWriteBlob(const std::string& name, const std::vector<std::string>& pieces) const {
  Call& open = BeginBlobOpen(name);
  if (!open.Wait().Ok()) Fail(open.words(), " gave ", open.reply().Says());
  for (const std::string& piece : pieces) {
    Call& write = BeginBlobWrite(open.reply().handle, piece);
    if (!write.Wait().Ok()) Fail(write.words(), " gave ", write.reply().Says());
  }
  Call& commit = BeginBlobCommit(open.reply().handle);
  if (!commit.Wait().Ok()) Fail(commit.words(), " gave ", commit.reply().Says());
}

}  // namespace teal::kit
