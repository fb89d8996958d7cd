/* A memory for Teal in one C file: records in a sorted array under one mutex. It shows every rule that a memory has to keep;
 * it keeps nothing over the end of the process. docs/write-a-memory-plugin.md walks through it. */
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <teal/abi.h>

/* The limits this memory declares in its capabilities, and refuses to exceed. */
#define KEY_BYTES_MAX 1024u
#define VALUE_BYTES_MAX (1024u * 1024u)
#define COMMIT_OPS_MAX 64u
#define COMMIT_BYTES_MAX (8u * 1024u * 1024u)
#define PAGE_RECORDS_MAX 1000u
#define CURSOR_BYTES_MAX (16u + 2u * KEY_BYTES_MAX)

/* A stored record in one allocation: this head, then partition, sort and value. */
typedef struct entry {
  teal_version version;
  uint64_t due, expires;
  uint32_t partition_size, sort_size;
  uint64_t value_size;
  uint8_t bytes[];
} entry;

struct teal_instance {
  pthread_mutex_t mutex;
  entry **entries; /* sorted by key; guarded by mutex, as all that follows */
  size_t count, capacity;
  uint64_t incarnation; /* makes versions of this instance differ from those of any other */
  uint64_t last_version;
};

/* ---- Keys ---- */

static teal_bytes part(const uint8_t *data, uint64_t size) {
  teal_bytes bytes = {size ? data : NULL, size};
  return bytes;
}
static teal_key key_of(const entry *e) {
  teal_key key = {part(e->bytes, e->partition_size), part(e->bytes + e->partition_size, e->sort_size)};
  return key;
}
static teal_bytes value_of(const entry *e) { return part(e->bytes + e->partition_size + e->sort_size, e->value_size); }

static int compare_bytes(teal_bytes a, teal_bytes b) {
  uint64_t shorter = a.size < b.size ? a.size : b.size;
  int order = shorter ? memcmp(a.data, b.data, (size_t)shorter) : 0; /* memcmp compares unsigned bytes */
  return order ? order : (a.size > b.size) - (a.size < b.size);
}
static int compare_keys(teal_key a, teal_key b) {
  int order = compare_bytes(a.partition, b.partition);
  return order ? order : compare_bytes(a.sort, b.sort);
}

/* The place of the first entry whose key is not less than `key`; *found tells whether it is that very key. */
static size_t place_of(const teal_instance *memory, teal_key key, bool *found) {
  size_t low = 0, high = memory->count;
  while (low < high) {
    size_t middle = low + (high - low) / 2;
    if (compare_keys(key_of(memory->entries[middle]), key) < 0) low = middle + 1;
    else high = middle;
  }
  *found = low < memory->count && compare_keys(key_of(memory->entries[low]), key) == 0;
  return low;
}

/* ---- Ending a call ---- */

static teal_error make_error(teal_status code, const char *message) {
  teal_error error;
  memset(&error, 0, sizeof error);
  error.struct_size = sizeof error;
  error.code = code;
  error.outcome = TEAL_NOT_APPLIED;
  snprintf(error.message, sizeof error.message, "%s", message);
  return error;
}

static teal_status fail(const teal_call *call, teal_status code, const char *message, const void *result) {
  teal_error error = make_error(code, message);
  call->done(call->done_ctx, &error, result);
  return TEAL_OK; /* the call was accepted, and has ended */
}

static teal_record record_of(const entry *e) {
  teal_record record = {key_of(e), value_of(e), e->version, e->due, e->expires};
  return record;
}

/* ---- commit ---- */

static bool is_zero(const teal_version *version) {
  static const teal_version zero;
  return memcmp(version, &zero, sizeof zero) == 0;
}

/* What no correct host sends. */
static bool well_formed(const teal_op *op) {
  if (op->kind < TEAL_PUT || op->kind > TEAL_CHECK || op->condition > TEAL_IF_VERSION) return false;
  if (op->key.partition.size == 0 || op->key.sort.size == 0) return false;
  if (op->kind != TEAL_PUT && (op->value.size || op->due_unix_ns || op->expires_unix_ns)) return false;
  if (op->kind == TEAL_CHECK && op->condition == TEAL_IF_ANY) return false;
  return (op->condition == TEAL_IF_VERSION) == !is_zero(&op->expected);
}

static bool holds(const teal_op *op, const entry *now) {
  if (op->condition == TEAL_IF_ABSENT) return now == NULL;
  if (op->condition == TEAL_IF_VERSION) return now && memcmp(&now->version, &op->expected, sizeof op->expected) == 0;
  return true;
}

static entry *make_entry(teal_instance *memory, const teal_op *op) {
  size_t bytes = (size_t)(op->key.partition.size + op->key.sort.size + op->value.size);
  entry *e = malloc(sizeof *e + bytes);
  if (!e) return NULL;
  memset(&e->version, 0, sizeof e->version);
  ++memory->last_version; /* a version never comes back, not even after a delete */
  memcpy(e->version.opaque, &memory->last_version, 8);
  memcpy(e->version.opaque + 8, &memory->incarnation, 8);
  e->due = op->due_unix_ns;
  e->expires = op->expires_unix_ns;
  e->partition_size = (uint32_t)op->key.partition.size;
  e->sort_size = (uint32_t)op->key.sort.size;
  e->value_size = op->value.size;
  uint8_t *to = e->bytes;
  memcpy(to, op->key.partition.data, e->partition_size);
  memcpy(to += e->partition_size, op->key.sort.data, e->sort_size);
  if (op->value.size) memcpy(to + e->sort_size, op->value.data, (size_t)op->value.size);
  return e;
}

static teal_status memory_commit(teal_instance *memory, const teal_call *call, const teal_op *ops, uint64_t count) {
  if (call->flags || count == 0) return TEAL_INVALID;
  uint64_t bytes = 0;
  if (count > COMMIT_OPS_MAX) return fail(call, TEAL_TOO_LARGE, "a commit takes at most 64 operations: split it", NULL);
  for (uint64_t i = 0; i < count; ++i) {
    if (!well_formed(&ops[i])) return TEAL_INVALID;
    for (uint64_t j = 0; j < i; ++j)
      if (compare_keys(ops[i].key, ops[j].key) == 0) return TEAL_INVALID;
    if (ops[i].key.partition.size > KEY_BYTES_MAX || ops[i].key.sort.size > KEY_BYTES_MAX)
      return fail(call, TEAL_TOO_LARGE, "a part of a key takes at most 1024 bytes", NULL);
    if (ops[i].value.size > VALUE_BYTES_MAX) return fail(call, TEAL_TOO_LARGE, "a value takes at most 1 MiB", NULL);
    bytes += ops[i].key.partition.size + ops[i].key.sort.size + ops[i].value.size;
  }
  if (bytes > COMMIT_BYTES_MAX) return fail(call, TEAL_TOO_LARGE, "a commit takes at most 8 MiB: split it", NULL);

  teal_commit_result result = {sizeof result, 0, 0, NULL, NULL};
  teal_version versions[COMMIT_OPS_MAX];
  entry *made[COMMIT_OPS_MAX] = {NULL};
  memset(versions, 0, sizeof versions);
  pthread_mutex_lock(&memory->mutex);

  /* First all conditions, then all that can fail, then the change: all operations or none. */
  for (uint64_t i = 0; i < count; ++i) {
    bool found;
    size_t place = place_of(memory, ops[i].key, &found);
    const entry *now = found ? memory->entries[place] : NULL;
    if (holds(&ops[i], now)) continue;
    teal_record in_the_way;
    if (now) in_the_way = record_of(now), result.found = &in_the_way;
    result.failed_op = (uint32_t)i;
    /* `done` is a sink: it only enqueues, so it may be called with the mutex held, and what it is given cannot change. */
    teal_status status = fail(call, TEAL_CONFLICT, "a condition does not hold", &result);
    pthread_mutex_unlock(&memory->mutex);
    return status;
  }
  bool enough = true;
  for (uint64_t i = 0; i < count && enough; ++i)
    if (ops[i].kind == TEAL_PUT) enough = (made[i] = make_entry(memory, &ops[i])) != NULL;
  if (enough && memory->count + count > memory->capacity) {
    size_t capacity = (memory->count + (size_t)count) * 2;
    entry **entries = realloc(memory->entries, capacity * sizeof *entries);
    if (entries) memory->entries = entries, memory->capacity = capacity;
    else enough = false;
  }
  if (!enough) {
    for (uint64_t i = 0; i < count; ++i) free(made[i]);
    pthread_mutex_unlock(&memory->mutex);
    return fail(call, TEAL_NO_MEMORY, "out of memory", NULL);
  }
  for (uint64_t i = 0; i < count; ++i) {
    bool found;
    size_t place = place_of(memory, ops[i].key, &found);
    entry **at = &memory->entries[place];
    if (ops[i].kind == TEAL_CHECK) {
      if (found) versions[i] = (*at)->version;
    } else if (ops[i].kind == TEAL_PUT) {
      versions[i] = made[i]->version;
      if (found) free(*at);
      else memmove(at + 1, at, (memory->count++ - place) * sizeof *at);
      *at = made[i];
    } else if (found) {
      free(*at);
      memmove(at, at + 1, (--memory->count - place) * sizeof *at);
    }
  }
  pthread_mutex_unlock(&memory->mutex);
  result.count = count;
  result.versions = versions;
  call->done(call->done_ctx, NULL, &result);
  return TEAL_OK;
}

/* ---- get, scan, scan_due: pages of records ---- */

static teal_status give_page(const teal_call *call, const teal_record *records, uint64_t count, bool more, teal_bytes next) {
  teal_page page = {sizeof page, more, count, count ? records : NULL, more ? next : part(NULL, 0)};
  call->done(call->done_ctx, NULL, &page);
  return TEAL_OK;
}

static teal_status memory_get(teal_instance *memory, const teal_call *call, const teal_key *keys, uint64_t count) {
  if (call->flags || count == 0) return TEAL_INVALID;
  for (uint64_t i = 0; i < count; ++i)
    if (keys[i].partition.size == 0 || keys[i].sort.size == 0) return TEAL_INVALID;
  for (uint64_t i = 0; i < count; ++i)
    if (keys[i].partition.size > KEY_BYTES_MAX || keys[i].sort.size > KEY_BYTES_MAX)
      return fail(call, TEAL_TOO_LARGE, "a part of a key takes at most 1024 bytes", NULL);
  if (count > PAGE_RECORDS_MAX) return fail(call, TEAL_TOO_LARGE, "a get takes at most 1000 keys: split it", NULL);
  teal_record *records = malloc((size_t)count * sizeof *records);
  if (!records) return TEAL_NO_MEMORY;
  uint64_t taken = 0;
  pthread_mutex_lock(&memory->mutex);
  for (uint64_t i = 0; i < count; ++i) {
    bool found;
    size_t place = place_of(memory, keys[i], &found);
    if (found) records[taken++] = record_of(memory->entries[place]);
  }
  teal_status status = give_page(call, records, taken, false, part(NULL, 0));
  pthread_mutex_unlock(&memory->mutex);
  free(records);
  return status;
}

/* The cursor is the sort key of the last record given: it needs no state here, and stays good whatever is written. */
static teal_status memory_scan(teal_instance *memory, const teal_call *call, teal_bytes partition, teal_bytes sort_prefix,
                               uint64_t limit, teal_bytes cursor) {
  if (call->flags || partition.size == 0 || limit == 0) return TEAL_INVALID;
  if (partition.size > KEY_BYTES_MAX || sort_prefix.size > KEY_BYTES_MAX)
    return fail(call, TEAL_TOO_LARGE, "a part of a key takes at most 1024 bytes", NULL);
  if (limit > PAGE_RECORDS_MAX) limit = PAGE_RECORDS_MAX;
  teal_record *records = malloc((size_t)limit * sizeof *records);
  if (!records) return TEAL_NO_MEMORY;
  uint64_t taken = 0;
  bool more = false, found;
  pthread_mutex_lock(&memory->mutex);
  teal_key from = {partition, cursor.size ? cursor : sort_prefix};
  size_t place = place_of(memory, from, &found);
  if (found && cursor.size) ++place;
  for (; place < memory->count; ++place) {
    teal_key key = key_of(memory->entries[place]);
    if (compare_bytes(key.partition, partition) != 0) break;
    if (key.sort.size < sort_prefix.size) break;
    if (sort_prefix.size && memcmp(key.sort.data, sort_prefix.data, (size_t)sort_prefix.size) != 0) break;
    if (taken == limit) {
      more = true;
      break;
    }
    records[taken++] = record_of(memory->entries[place]);
  }
  teal_status status = give_page(call, records, taken, more, taken ? records[taken - 1].key.sort : part(NULL, 0));
  pthread_mutex_unlock(&memory->mutex);
  free(records);
  return status;
}

/* FNV-1a over both parts, see the FNV page of Fowler, Noll and Vo: any hash will do that spreads keys over the shards. */
static uint32_t shard_of(teal_key key, uint32_t shards) {
  uint64_t hash = 14695981039346656037u;
  for (uint64_t i = 0; i < key.partition.size; ++i) hash = (hash ^ key.partition.data[i]) * 1099511628211u;
  hash = (hash ^ 0xff) * 1099511628211u;
  for (uint64_t i = 0; i < key.sort.size; ++i) hash = (hash ^ key.sort.data[i]) * 1099511628211u;
  return (uint32_t)((hash ^ (hash >> 32)) % shards);
}

static int compare_due(const void *left, const void *right) {
  const teal_record *a = left, *b = right;
  if (a->due_unix_ns != b->due_unix_ns) return a->due_unix_ns < b->due_unix_ns ? -1 : 1;
  return compare_keys(a->key, b->key);
}

/* The cursor is due time, size of the partition, partition, sort of the last record given. */
static teal_status memory_scan_due(teal_instance *memory, const teal_call *call, uint32_t shard, uint32_t shards, uint64_t until,
                                   uint64_t limit, teal_bytes cursor) {
  if (call->flags || shards == 0 || shards > 1024 || shard >= shards || limit == 0) return TEAL_INVALID;
  teal_record after;
  memset(&after, 0, sizeof after);
  if (cursor.size) {
    uint64_t partition_size;
    if (cursor.size < 18) return fail(call, TEAL_INVALID, "the cursor is not one of this memory", NULL);
    memcpy(&after.due_unix_ns, cursor.data, 8);
    memcpy(&partition_size, cursor.data + 8, 8);
    if (partition_size == 0 || partition_size >= cursor.size - 16) return fail(call, TEAL_INVALID, "the cursor is not one of this memory", NULL);
    after.key.partition = part(cursor.data + 16, partition_size);
    after.key.sort = part(cursor.data + 16 + partition_size, cursor.size - 16 - partition_size);
  }
  if (limit > PAGE_RECORDS_MAX) limit = PAGE_RECORDS_MAX;
  pthread_mutex_lock(&memory->mutex);
  teal_record *records = malloc((memory->count + 1) * sizeof *records);
  if (!records) {
    pthread_mutex_unlock(&memory->mutex);
    return TEAL_NO_MEMORY;
  }
  uint64_t taken = 0;
  for (size_t i = 0; i < memory->count; ++i) {
    const entry *e = memory->entries[i];
    if (e->due == 0 || e->due > until || shard_of(key_of(e), shards) != shard) continue;
    teal_record due = {key_of(e), part(NULL, 0), {{0}}, e->due, 0}; /* keys and due times only */
    if (cursor.size == 0 || compare_due(&due, &after) > 0) records[taken++] = due;
  }
  qsort(records, (size_t)taken, sizeof *records, compare_due);
  bool more = taken > limit;
  uint8_t next[CURSOR_BYTES_MAX];
  uint64_t next_size = 0;
  if (more) {
    const teal_record *last = &records[limit - 1];
    memcpy(next, &last->due_unix_ns, 8);
    memcpy(next + 8, &last->key.partition.size, 8);
    memcpy(next + 16, last->key.partition.data, (size_t)last->key.partition.size);
    memcpy(next + 16 + last->key.partition.size, last->key.sort.data, (size_t)last->key.sort.size);
    next_size = 16 + last->key.partition.size + last->key.sort.size;
  }
  teal_status status = give_page(call, records, more ? limit : taken, more, part(next, next_size));
  pthread_mutex_unlock(&memory->mutex);
  free(records);
  return status;
}

static teal_status memory_caps(teal_instance *memory, teal_memory_caps *out) {
  (void)memory;
  teal_memory_caps caps;
  memset(&caps, 0, sizeof caps);
  caps.struct_size = out->struct_size; /* the caller's: it stays, and no more than it is written */
  caps.key_bytes_max = KEY_BYTES_MAX;
  caps.value_bytes_max = VALUE_BYTES_MAX;
  caps.commit_ops_max = COMMIT_OPS_MAX;
  caps.commit_bytes_max = COMMIT_BYTES_MAX;
  caps.get_keys_max = PAGE_RECORDS_MAX;
  caps.scan_records_max = PAGE_RECORDS_MAX;
  memcpy(out, &caps, out->struct_size < sizeof caps ? out->struct_size : sizeof caps);
  return TEAL_OK;
}

/* ---- The plugin ---- */

/* The manifest's schema allows an empty object only, and the host has checked it; the kit checks that we do not rely on it. */
static bool is_empty_object(teal_bytes json) {
  int seen = 0;
  for (uint64_t i = 0; i < json.size; ++i) {
    uint8_t c = json.data[i];
    if (c == ' ' || c == '\t' || c == '\r' || c == '\n') continue;
    if (seen > 1 || c != "{}"[seen]) return false;
    ++seen;
  }
  return seen == 2;
}

static teal_status plugin_open(const teal_host *host, teal_bytes config_json, teal_instance **out, teal_error *error) {
  if (!is_empty_object(config_json)) {
    char message[160], shown[81] = "";
    for (uint64_t i = 0; i < config_json.size && i < sizeof shown - 1; ++i) /* messages are UTF-8, and this may be none */
      shown[i] = config_json.data[i] >= ' ' && config_json.data[i] <= '~' ? (char)config_json.data[i] : '?';
    snprintf(message, sizeof message, "this memory takes no settings: write {} instead of %s", shown);
    teal_error refusal = make_error(TEAL_INVALID, message);
    refusal.struct_size = error->struct_size; /* the caller's: it stays, and no more than it is written */
    memcpy(error, &refusal, error->struct_size < sizeof refusal ? error->struct_size : sizeof refusal);
    return TEAL_INVALID;
  }
  teal_instance *memory = calloc(1, sizeof *memory);
  if (!memory) return TEAL_NO_MEMORY;
  pthread_mutex_init(&memory->mutex, NULL);
  memory->incarnation = host->now_unix_ns(host) ^ (uint64_t)(uintptr_t)memory;
  *out = memory;
  return TEAL_OK;
}

/* Every call ends before it returns, so none is open here. */
static void plugin_close(teal_instance *memory) {
  for (size_t i = 0; i < memory->count; ++i) free(memory->entries[i]);
  free(memory->entries);
  pthread_mutex_destroy(&memory->mutex);
  free(memory);
}

static teal_status plugin_cancel(teal_instance *memory, uint64_t op_id) {
  (void)memory;
  (void)op_id; /* a hint: by the time it comes, the call has ended */
  return TEAL_OK;
}

static const teal_memory memory_table = {
    .struct_size = sizeof(teal_memory),
    .caps = memory_caps,
    .commit = memory_commit,
    .get = memory_get,
    .scan = memory_scan,
    .scan_due = memory_scan_due,
    /* watch and blobs are not offered: their slots are NULL, and the capabilities do not name them */
};

static const void *plugin_get_interface(const char *id) { return strcmp(id, TEAL_MEMORY_ID) == 0 ? &memory_table : NULL; }

static const teal_plugin plugin_table = {
    .struct_size = sizeof(teal_plugin),
    .abi_minor = TEAL_ABI_MINOR,
    .host_minor_min = 0,
    .id = "memory_c",
    .version = "1.0.0",
    .open = plugin_open,
    .close = plugin_close,
    .get_interface = plugin_get_interface,
    .cancel = plugin_cancel,
};

TEAL_EXPORT const teal_plugin *teal_plugin_v1(void);
const teal_plugin *teal_plugin_v1(void) { return &plugin_table; }
