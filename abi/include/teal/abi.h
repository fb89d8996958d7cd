/* clang-format off */
/* The border between Teal's core and its plugins: memories, thread dispatchers, triggers, deployers.
 *
 * Each rule is a numbered row of docs/abi.md (LIFE-1, MEM-7, …); the comments below name them. `teal plugin check` holds a
 * plugin to the rows. What may change here and how is in abi/CHANGELOG.md; abi/golden/v1.txt keeps it so.
 *
 * 64-bit little-endian hosts. Structs are naturally aligned and have no padding. `teal_bytes.data` may be unaligned, and is
 * NULL only when size is 0. Reserved fields and unknown flags are zero, else TEAL_INVALID. Text is UTF-8. All times are in
 * the clock of host->now_unix_ns, in nanoseconds since 1970-01-01 UTC; all durations are in nanoseconds.
 *
 * Classes of functions:
 *   pure     any time, any thread, does not block
 *   control  one at a time for each instance, may block
 *   data     concurrently from any thread; does not block, unless the plugin says TEAL_PLUGIN_BLOCKING
 *   sink     a callback of the host: only enqueues, never blocks, never calls back in; any thread, locks may be held
 */
#ifndef TEAL_ABI_H
#define TEAL_ABI_H
#include <stdint.h>

#if defined(_WIN32)
#define TEAL_CALL __cdecl
#define TEAL_EXPORT __declspec(dllexport)
#else
#define TEAL_CALL
#define TEAL_EXPORT __attribute__((visibility("default")))
#endif

#ifdef __cplusplus
extern "C" {
#endif

#define TEAL_ABI_MAJOR 1u
#define TEAL_ABI_MINOR 0u

/* The symbol a plugin exports, and the ids of the tables of this header. */
#define TEAL_PLUGIN_ENTRY "teal_plugin_v1"
#define TEAL_MEMORY_ID "teal.memory/1"
#define TEAL_THREADS_ID "teal.threads/1"
#define TEAL_TRIGGER_ID "teal.trigger/1"
#define TEAL_DEPLOY_ID "teal.deploy/1"
#define TEAL_BACKUP_ID "teal.backup/1"
#define TEAL_HTTP_ID "teal.host.http/1"
#define TEAL_STATE_ID "teal.host.state/1"
#define TEAL_METRICS_ID "teal.host.metrics/1"
#define TEAL_SECRETS_ID "teal.host.secrets/1"
#define TEAL_HTTP_SERVER_ID "teal.host.http_server/1"

/* ---- Statuses and errors ---- */

typedef int32_t teal_status;
#define TEAL_OK 0
#define TEAL_CONFLICT 1    /* a condition did not hold; nothing was applied; the result carries the record found */
#define TEAL_NOT_FOUND 2
#define TEAL_INVALID 3     /* the caller's mistake; the message says which argument */
#define TEAL_UNSUPPORTED 4
#define TEAL_TOO_LARGE 5
#define TEAL_THROTTLED 6   /* see retry_after_ns */
#define TEAL_UNAVAILABLE 7
#define TEAL_TIMEOUT 8
#define TEAL_CANCELLED 9
#define TEAL_DENIED 10     /* credentials or permissions; the message names the action refused */
#define TEAL_CORRUPT 11
#define TEAL_CLOSED 12
#define TEAL_NO_MEMORY 13
#define TEAL_INTERNAL 14

#define TEAL_NOT_APPLIED 0u     /* the failed call changed nothing */
#define TEAL_OUTCOME_UNKNOWN 1u /* it may have, or may still. A condition that fails on a repeat after an unknown outcome is
                                   UNKNOWN too, never CONFLICT, unless the plugin can prove whose write stands (ERR-3) */

typedef struct teal_bytes { /* frozen */
  const uint8_t *data;
  uint64_t size;
} teal_bytes;

typedef struct teal_key { /* frozen; both parts non-empty; ordered as unsigned bytes, partition first */
  teal_bytes partition;
  teal_bytes sort;
} teal_key;

typedef struct teal_version { /* frozen; compared for equality only; all zero = absent */
  uint8_t opaque[32];
} teal_version;

typedef struct teal_error {
  uint32_t struct_size;    /* out-structs: set by the caller; the callee writes min(its own, the caller's) */
  teal_status code;
  uint32_t outcome;        /* TEAL_NOT_APPLIED or TEAL_OUTCOME_UNKNOWN */
  uint32_t reserved0;
  uint64_t retry_after_ns; /* 0 = no advice */
  int64_t vendor_code;     /* of the service behind, an HTTP status for instance; 0 = none */
  char message[224];       /* UTF-8, NUL-terminated: what happened and what the user can change; no secrets */
} teal_error;

/* ---- Calls ---- */

typedef struct teal_instance teal_instance;

/* sink. error NULL = ok. `result` is of the type the function names, or NULL where it names none; on TEAL_CONFLICT a commit
 * gives its result beside the error. Both live until the function returns. */
typedef void(TEAL_CALL *teal_done_fn)(void *ctx, const teal_error *error, const void *result);

/* What every asynchronous function takes. The struct and all inputs stay alive until `done` returns.
 *   TEAL_OK returned: `done` is called exactly once, on any thread, perhaps before the call returns.
 *   TEAL_INVALID, TEAL_UNSUPPORTED, TEAL_CLOSED, TEAL_NO_MEMORY returned: never, and nothing was done. These four have no
 *   words: INVALID is for calls no correct host makes (an unknown kind, a reserved field set). Whatever a user could change
 *   comes through `done` with a message. No other status is returned. (CALL-1 … CALL-4) */
typedef struct teal_call {
  uint32_t struct_size;
  uint32_t flags;            /* 0 */
  uint64_t op_id;            /* never used twice in an instance's life; 0 = cannot be cancelled */
  uint64_t deadline_unix_ns; /* 0 = the plugin's own default; past it the call ends with TEAL_TIMEOUT or its true result */
  teal_bytes traceparent;    /* W3C trace context, or empty */
  teal_bytes idempotency_key; /* at most 64 bytes; of a commit: the runner's commit_id. Empty = none. The same key comes again
                                 only with the same operations: a repeat of that very call */
  teal_done_fn done;
  void *done_ctx;
} teal_call;

/* ---- Host ---- */

#define TEAL_LOG_DEBUG 0u
#define TEAL_LOG_INFO 1u
#define TEAL_LOG_WARNING 2u
#define TEAL_LOG_ERROR 3u

/* One for each instance, alive until its `close` returns. All functions: pure, but `service`, which may block. */
typedef struct teal_host {
  uint32_t struct_size;
  uint32_t abi_minor;
  void *ctx;
  const void *(TEAL_CALL *service)(const struct teal_host *host, const char *id); /* a table below, or NULL */
  void(TEAL_CALL *log)(const struct teal_host *host, uint32_t level, teal_bytes message, teal_bytes fields_json);
  uint64_t(TEAL_CALL *now_unix_ns)(const struct teal_host *host);
} teal_host;

/* ---- Plugin ---- */

#define TEAL_PLUGIN_BLOCKING 1u /* data calls may block: the host runs them on a bounded pool */

typedef struct teal_plugin {
  uint32_t struct_size;
  uint32_t abi_minor;      /* of the header it was built from */
  uint32_t host_minor_min; /* the oldest host it works with */
  uint32_t flags;          /* TEAL_PLUGIN_… */
  const char *id;          /* as in its manifest */
  const char *version;     /* of the plugin, as in its manifest */
  /* control. `config_json`: its section of teal.yaml as JSON, an object. Several instances may be open at once. */
  teal_status(TEAL_CALL *open)(const teal_host *host, teal_bytes config_json, teal_instance **out, teal_error *error);
  /* control. First completes every open call, with TEAL_CLOSED or its true result, then returns; nothing comes after. */
  void(TEAL_CALL *close)(teal_instance *instance);
  const void *(TEAL_CALL *get_interface)(const char *id); /* pure; "teal.memory/1" … or NULL; the table lives for ever */
  /* data. A hint: `done` still comes exactly once, with TEAL_CANCELLED or the true result. */
  teal_status(TEAL_CALL *cancel)(teal_instance *instance, uint64_t op_id);
} teal_plugin;

typedef const teal_plugin *(TEAL_CALL *teal_plugin_entry)(void); /* exported as teal_plugin_v1: pure, no side effects */

/* ---- "teal.memory/1": records with compare-and-swap and a due time ---- */

#define TEAL_PUT 1u
#define TEAL_DELETE 2u /* carries no value and no times; with TEAL_IF_ANY an absent record is fine */
#define TEAL_CHECK 3u  /* carries no value and no times; never with TEAL_IF_ANY */
#define TEAL_IF_ANY 0u
#define TEAL_IF_ABSENT 1u
#define TEAL_IF_VERSION 2u

typedef struct teal_op { /* frozen */
  uint32_t kind;
  uint32_t condition;
  teal_key key; /* keys of one commit are distinct */
  teal_bytes value;
  teal_version expected;    /* with TEAL_IF_VERSION, else zero */
  uint64_t due_unix_ns;     /* 0 = never due */
  uint64_t expires_unix_ns; /* 0 = never; a hint where TEAL_MEMORY_EXPIRY is offered: the record may be gone after it, and
                               is there before */
} teal_op;

typedef struct teal_record { /* frozen */
  teal_key key;
  teal_bytes value;
  teal_version version;
  uint64_t due_unix_ns;
  uint64_t expires_unix_ns;
} teal_record;

typedef struct teal_commit_result {
  uint32_t struct_size;
  uint32_t failed_op;           /* on CONFLICT: the index of the operation */
  uint64_t count;               /* of versions; 0 on CONFLICT */
  const teal_version *versions; /* one an operation: of the record as it is now; zero after a delete or a check of absence */
  const teal_record *found;     /* on CONFLICT: the record in the way; NULL = absent */
} teal_commit_result;

typedef struct teal_page {
  uint32_t struct_size;
  uint32_t more; /* 1 = call again with `next` as cursor */
  uint64_t count;
  const teal_record *records;
  teal_bytes next; /* at most 4 KiB, good for an hour, on any instance over the same store */
} teal_page;

#define TEAL_MEMORY_WATCH 1u
#define TEAL_MEMORY_BLOBS 2u
#define TEAL_MEMORY_DURABLE 4u /* what was acknowledged survives the loss of power */
#define TEAL_MEMORY_EXPIRY 8u
#define TEAL_MEMORY_SHARED 16u /* several instances, also on several machines, may have the same store open at once */

typedef struct teal_memory_caps { /* hold for the instance's life */
  uint32_t struct_size;
  uint32_t reserved0;
  uint64_t features;
  uint64_t key_bytes_max;         /* of each part; at least 512 */
  uint64_t value_bytes_max;       /* at least 64 KiB */
  uint64_t commit_ops_max;        /* 1 = single-record compare-and-swap only: the floor */
  uint64_t commit_bytes_max;      /* keys and values of all operations together */
  uint64_t get_keys_max;          /* at least 1 */
  uint64_t scan_records_max;      /* of a page; a larger limit is taken as this */
  uint64_t blob_bytes_max;        /* 0 without TEAL_MEMORY_BLOBS */
  uint64_t due_staleness_ns;
  uint64_t idempotency_window_ns; /* how long a commit's idempotency_key is remembered; 0 = not */
} teal_memory_caps;

typedef struct teal_memory {
  uint32_t struct_size;
  uint32_t reserved0;
  /* pure */
  teal_status(TEAL_CALL *caps)(teal_instance *, teal_memory_caps *out);
  /* data -> teal_commit_result. Linearizable; all operations or none. */
  teal_status(TEAL_CALL *commit)(teal_instance *, const teal_call *, const teal_op *ops, uint64_t count);
  /* data -> teal_page, absent ones omitted, in the order of the keys given; `more` is 0. Each record is linearizable. Keys
   * are distinct. */
  teal_status(TEAL_CALL *get)(teal_instance *, const teal_call *, const teal_key *keys, uint64_t count);
  /* data -> teal_page in sort order. What exists throughout is given; each record as of some moment after the call. An empty
   * prefix is the whole partition. A page may hold fewer than limit and still have more. limit >= 1. */
  teal_status(TEAL_CALL *scan)(teal_instance *, const teal_call *, teal_bytes partition, teal_bytes sort_prefix, uint64_t limit,
                               teal_bytes cursor);
  /* data -> teal_page of keys and due times only (no value, version zero), due <= until, earliest first within a page; may be
   * stale by due_staleness_ns, may repeat, never omits for ever. The keys are spread over `shards` parts by a hash of the
   * whole key; each (shard, shards) gives its part, all together give all. 0 <= shard < shards <= 1024. */
  teal_status(TEAL_CALL *scan_due)(teal_instance *, const teal_call *, uint32_t shard, uint32_t shards, uint64_t until_unix_ns,
                                   uint64_t limit, teal_bytes cursor);
  /* control. `changed` is a sink: may lose and merge; an empty key (both sizes 0) means: look again. After unwatch returned
   * it is not called. Where TEAL_MEMORY_WATCH is not offered the slots are NULL or give TEAL_UNSUPPORTED. */
  teal_status(TEAL_CALL *watch)(teal_instance *, teal_bytes partition_prefix, void(TEAL_CALL *changed)(void *ctx, teal_key key),
                                void *ctx, uint64_t *watch_id);
  void(TEAL_CALL *unwatch)(teal_instance *, uint64_t watch_id);
  /* Blobs: immutable, written in pieces, visible only after blob_commit, which is durable where the memory is. Names follow
   * the rules of a key's part; they begin with the owning partition and are hashes of their content, so a name that exists
   * already keeps what it has, and blob_commit succeeds. Where TEAL_MEMORY_BLOBS is not offered the slots are NULL or give
   * TEAL_UNSUPPORTED. */
  /* data -> uint64_t, the handle; never used twice in an instance's life */
  teal_status(TEAL_CALL *blob_open)(teal_instance *, const teal_call *, teal_bytes name);
  /* data; appends; one call at a time for each handle */
  teal_status(TEAL_CALL *blob_write)(teal_instance *, const teal_call *, uint64_t handle, teal_bytes data);
  /* data; ends the handle, whatever comes of it */
  teal_status(TEAL_CALL *blob_commit)(teal_instance *, const teal_call *, uint64_t handle);
  /* data; ends the handle; what was written is forgotten. Handles left open are dropped by close. */
  void(TEAL_CALL *blob_abort)(teal_instance *, uint64_t handle);
  /* data -> teal_bytes, at most `size` of them from `offset`; shorter only at the end. TEAL_NOT_FOUND if there is none. */
  teal_status(TEAL_CALL *blob_get)(teal_instance *, const teal_call *, teal_bytes name, uint64_t offset, uint64_t size);
  /* data; an absent blob is fine */
  teal_status(TEAL_CALL *blob_delete)(teal_instance *, const teal_call *, teal_bytes name);
} teal_memory;

/* ---- "teal.threads/1": at-least-once dispatch of small work items; a hint that makes the sweeper's truth punctual ---- */

typedef struct teal_item { /* frozen */
  teal_bytes id;        /* same id = same work: a backend may drop duplicates */
  teal_bytes lane;      /* scheduling class: memory size, concurrency group */
  teal_bytes order_key; /* empty = none; items of one key are delivered one after the other, in the order dispatched */
  teal_bytes payload;   /* opaque, at most payload_bytes_max */
  uint64_t not_before_unix_ns;
  uint64_t token;    /* given by the plugin on delivery, for settle; 0 in dispatch */
  uint32_t attempt;  /* given by the plugin on delivery: 1, 2, …; 0 in dispatch */
  uint32_t priority; /* larger first, within a lane */
  uint64_t reserved[2];
} teal_item;

#define TEAL_THREADS_DELAY 1u    /* not_before is honoured, up to delay_ns_max */
#define TEAL_THREADS_ORDER 2u    /* order_key is honoured */
#define TEAL_THREADS_PRIORITY 4u /* priority is honoured */
#define TEAL_THREADS_DEDUP 8u    /* an id is delivered once while it waits */

typedef struct teal_threads_caps {
  uint32_t struct_size;
  uint32_t reserved0;
  uint64_t features;
  uint64_t payload_bytes_max;
  uint64_t delay_ns_max;
  uint64_t run_ns_max;  /* how long a runner may work on one item before it is delivered again; 0 = no limit */
  uint64_t credits_max;
} teal_threads_caps;

#define TEAL_ACK 0u
#define TEAL_RETRY 1u /* deliver again after the delay */
#define TEAL_DEAD 2u  /* never again */

typedef void(TEAL_CALL *teal_deliver_fn)(void *ctx, const teal_item *item); /* sink; the item lives until it returns */

typedef struct teal_threads {
  uint32_t struct_size;
  uint32_t reserved0;
  /* pure */
  teal_status(TEAL_CALL *caps)(teal_instance *, teal_threads_caps *out);
  /* data. OK = all taken; on an error any subset may have been. */
  teal_status(TEAL_CALL *dispatch)(teal_instance *, const teal_call *, const teal_item *items, uint64_t count);
  /* control. One consumer for each instance; a second is TEAL_INVALID. Starts with no credit. */
  teal_status(TEAL_CALL *consume)(teal_instance *, teal_deliver_fn deliver, void *ctx);
  /* control. After it returned `deliver` is not called; what was delivered and not settled is delivered again some time. */
  teal_status(TEAL_CALL *stop_consuming)(teal_instance *);
  /* data. Adds; a delivery takes one. Never delivers more than was credited. */
  void(TEAL_CALL *credit)(teal_instance *, uint64_t count);
  /* data. Once for each token; a token unknown or settled is TEAL_NOT_FOUND through `done`. */
  teal_status(TEAL_CALL *settle)(teal_instance *, const teal_call *, uint64_t token, uint32_t how, uint64_t delay_ns);
  /* data. No new deliveries; done when everything delivered is settled. */
  teal_status(TEAL_CALL *drain)(teal_instance *, const teal_call *);
  /* pure; NULL where the platform starts no runner. A platform's event body -> its items. */
  teal_status(TEAL_CALL *decode)(teal_instance *, teal_bytes platform_body, teal_deliver_fn deliver, void *ctx, teal_error *error);
  /* pure; NULL as decode. The tokens to be delivered again -> the answer the platform wants. */
  teal_status(TEAL_CALL *encode_reply)(teal_instance *, const uint64_t *retry_tokens, uint64_t count,
                                       void(TEAL_CALL *reply)(void *ctx, teal_bytes body), void *ctx);
} teal_threads;

/* ---- "teal.trigger/1": a source of events. Durable state through "teal.host.state/1", scoped to the trigger's id ---- */

typedef struct teal_event {
  uint32_t struct_size;
  uint32_t flags; /* 0 */
  uint64_t token; /* for accept, reply, reject; never used twice in an instance's life; 0 from decode */
  uint64_t time_unix_ns;
  teal_bytes source; /* source + id name the event: the session id is derived from them */
  teal_bytes id;
  teal_bytes type;
  teal_bytes order_key;
  teal_bytes content_type;
  teal_bytes data;
  teal_bytes attributes_json; /* an object, or empty */
} teal_event;

typedef void(TEAL_CALL *teal_emit_fn)(void *ctx, const teal_event *event); /* sink; the event lives until it returns */

typedef struct teal_trigger {
  uint32_t struct_size;
  uint32_t reserved0;
  /* pure. The trigger's own section; the instance may be NULL (`teal validate` opens none). */
  teal_status(TEAL_CALL *validate)(teal_instance *, teal_bytes config_json, teal_error *error);
  /* data. Done = it listens. An id that runs already is TEAL_INVALID through `done`. Starts with no credit. */
  teal_status(TEAL_CALL *start)(teal_instance *, const teal_call *, teal_bytes trigger_id, teal_bytes config_json, teal_emit_fn emit,
                                void *ctx);
  /* data. Adds; an event takes one. Never emits more than was credited. */
  void(TEAL_CALL *credit)(teal_instance *, teal_bytes trigger_id, uint64_t count);
  /* data. The session is committed: the source may be told. Only now may the trigger's state pass the event. */
  teal_status(TEAL_CALL *accept)(teal_instance *, const teal_call *, uint64_t token, teal_bytes sid);
  /* data; NULL where nobody waits for an answer. `more` = 1: a further piece of the body follows. */
  teal_status(TEAL_CALL *reply)(teal_instance *, const teal_call *, uint64_t token, uint32_t status, teal_bytes headers_json,
                                teal_bytes body, uint32_t more);
  /* data. Not taken: emit it again after the delay. */
  teal_status(TEAL_CALL *reject)(teal_instance *, const teal_call *, uint64_t token, uint64_t delay_ns);
  /* data. After done, `emit` is not called for this id; events not accepted come again after the next start. */
  teal_status(TEAL_CALL *stop)(teal_instance *, const teal_call *, teal_bytes trigger_id);
  /* pure; NULL if there is no cloud's event of this kind. A cloud's own event -> zero or more events, all or none. */
  teal_status(TEAL_CALL *decode)(teal_instance *, teal_bytes platform_event, teal_emit_fn emit, void *ctx, teal_error *error);
} teal_trigger;

/* ---- "teal.deploy/1": what must stand in the cloud ---- */

typedef void(TEAL_CALL *teal_progress_fn)(void *ctx, teal_bytes resource_json); /* sink */

typedef struct teal_deploy {
  uint32_t struct_size;
  uint32_t reserved0;
  /* data -> teal_bytes, the plan as JSON */
  teal_status(TEAL_CALL *plan)(teal_instance *, const teal_call *, teal_bytes desired_json);
  /* data -> teal_bytes, what stands, as JSON */
  teal_status(TEAL_CALL *apply)(teal_instance *, const teal_call *, teal_bytes plan_json, teal_progress_fn progress, void *ctx);
  /* data */
  teal_status(TEAL_CALL *destroy)(teal_instance *, const teal_call *, teal_progress_fn progress, void *ctx);
} teal_deploy;

/* ---- "teal.backup/1": of memories that stand on this machine, beside "teal.memory/1" ---- */

typedef struct teal_backup {
  uint32_t struct_size;
  uint32_t reserved0;
  /* data. Copies everything acknowledged before the call, records and blobs, as of one moment, to the folder `target`, an
   * absolute path: a new folder or an empty one. The memory goes on meanwhile. After done, the backup is durable. */
  teal_status(TEAL_CALL *backup)(teal_instance *, const teal_call *, teal_bytes target);
  /* control; of no instance. Makes the store that `config_json` describes, as `open` takes it, from the backup in the folder
   * `source`. A store that is there already is TEAL_INVALID and stays. Versions of the restored store never come back. */
  teal_status(TEAL_CALL *restore)(teal_bytes config_json, teal_bytes source, teal_error *error);
} teal_backup;

/* ---- What the host serves: tables from host->service(host, id). The roles of caller and callee are turned round: the plugin
 * is the caller of a teal_call, `done` is the plugin's sink. A plugin's `close` waits for the calls it has open here. ---- */

/* ---- "teal.host.http/1" ---- */

typedef struct teal_header { /* frozen */
  teal_bytes name;
  teal_bytes value;
} teal_header;

#define TEAL_HTTP_SAFE 1u /* the request may be sent again after any failure: the service then retries by itself */

typedef void(TEAL_CALL *teal_header_fn)(void *ctx, teal_header header); /* pure; copies */

typedef struct teal_http_request {
  uint32_t struct_size;
  uint32_t flags;              /* TEAL_HTTP_… */
  teal_bytes method;
  teal_bytes url;              /* http: or https:, with path and query already encoded; sent as it is */
  const teal_header *headers;
  uint64_t header_count;
  teal_bytes body;
  uint64_t connect_timeout_ns; /* 0 = 5 s */
  uint64_t timeout_ns;         /* of one attempt; 0 = 30 s */
  uint64_t response_bytes_max; /* more is TEAL_TOO_LARGE; 0 = 16 MiB */
  /* NULL, or called before each attempt, on a thread of the service: adds headers (a signature over the time of this very
   * attempt). Does not block. A status other than OK ends the call with it and TEAL_NOT_APPLIED. */
  teal_status(TEAL_CALL *sign)(void *ctx, const struct teal_http_request *request, uint64_t now_unix_ns, teal_header_fn add,
                               void *add_ctx);
  void *sign_ctx;
} teal_http_request;

typedef struct teal_http_response {
  uint32_t struct_size;
  uint32_t status;            /* any answer of the server is a success of the call, 500 too */
  const teal_header *headers; /* names in lower case */
  uint64_t header_count;
  teal_bytes body;
  uint64_t attempts;
} teal_http_response;

/* Proxy and certificate settings are the host's (the environment's http_proxy, https_proxy, no_proxy, SSL_CERT_FILE). TLS is
 * verified always. Redirects are not followed. Connections are kept alive and shared by all plugins of a host.
 * Errors: UNAVAILABLE (no connection: NOT_APPLIED; reset or cut after the first byte left: OUTCOME_UNKNOWN), TIMEOUT (the
 * same two), TOO_LARGE, INVALID (the URL), CANCELLED, CLOSED; outcome says whether the server may have seen the request.
 * With TEAL_HTTP_SAFE, answers 429, 502, 503, 504 and failures are tried again, at most 4 attempts, after Retry-After or a
 * delay with full jitter that doubles from 50 ms, never past the call's deadline. */
typedef struct teal_http {
  uint32_t struct_size;
  uint32_t reserved0;
  /* data -> teal_http_response */
  teal_status(TEAL_CALL *send)(const teal_host *, const teal_call *, const teal_http_request *request);
  /* data; a hint, as teal_plugin's */
  teal_status(TEAL_CALL *cancel)(const teal_host *, uint64_t op_id);
} teal_http;

/* ---- "teal.host.state/1": small durable state of a plugin. `scope` is the trigger's id; each plugin sees its own only. ---- */

typedef struct teal_state {
  uint32_t struct_size;
  uint32_t reserved0;
  /* data -> teal_record (key.partition = scope, key.sort = name), TEAL_NOT_FOUND if absent. Linearizable. */
  teal_status(TEAL_CALL *get)(const teal_host *, const teal_call *, teal_bytes scope, teal_bytes name);
  /* data -> teal_version. Compare-and-put: `expected` NULL = any, zero = absent. TEAL_CONFLICT gives nothing beside the error.
   * A value of at most 64 KiB; a `due` of 0 = never. */
  teal_status(TEAL_CALL *put)(const teal_host *, const teal_call *, teal_bytes scope, teal_bytes name, teal_bytes value,
                              const teal_version *expected, uint64_t due_unix_ns);
  /* data; conditions as put; an absent record is fine with NULL */
  teal_status(TEAL_CALL *remove)(const teal_host *, const teal_call *, teal_bytes scope, teal_bytes name,
                                 const teal_version *expected);
  /* data -> teal_page of names (key.sort) and due times, due <= until, earliest first, at most limit; `more` tells of others */
  teal_status(TEAL_CALL *due)(const teal_host *, const teal_call *, teal_bytes scope, uint64_t until_unix_ns, uint64_t limit);
} teal_state;

/* ---- "teal.host.metrics/1" ---- */

#define TEAL_COUNTER 1u
#define TEAL_GAUGE 2u
#define TEAL_HISTOGRAM 3u /* seconds or bytes, as the name's ending says; buckets are the host's */

typedef struct teal_metrics {
  uint32_t struct_size;
  uint32_t reserved0;
  /* pure. The number of a series; the same name and labels give the same number. Names as Prometheus has them, the host puts
   * `teal_plugin_<id>_` before. labels_json: an object of strings, or empty. 0 = refused (a bad name, another kind before, or
   * over 1,000 series): recording to it does nothing. */
  uint64_t(TEAL_CALL *series)(const teal_host *, uint32_t kind, teal_bytes name, teal_bytes help, teal_bytes labels_json);
  /* pure. Counter: adds (>= 0). Gauge: sets. Histogram: observes. */
  void(TEAL_CALL *record)(const teal_host *, uint64_t series, double value);
} teal_metrics;

/* ---- "teal.host.secrets/1" ---- */

typedef struct teal_secrets {
  uint32_t struct_size;
  uint32_t reserved0;
  /* data -> teal_bytes. TEAL_NOT_FOUND, or TEAL_DENIED if the plugin's section does not name it. Never logged. */
  teal_status(TEAL_CALL *get)(const teal_host *, const teal_call *, teal_bytes name);
} teal_secrets;

/* ---- "teal.host.http_server/1": requests that come to the host's own listener. Whatever is not under /teal/ goes to the one
 * plugin that listens. Framing, TLS, slow clients and the limits of a request are the host's; they are checked before. ---- */

#define TEAL_ARRIVAL_TLS 1u       /* it came through TLS */
#define TEAL_ARRIVAL_TOO_LARGE 2u /* its body is longer than allowed: `body` is empty, the connection closes after the answer */

typedef struct teal_arrival {
  uint32_t struct_size;
  uint32_t flags;             /* TEAL_ARRIVAL_… */
  uint64_t token;             /* for answer; never used twice in a host's life */
  teal_bytes method;          /* as it came: GET, get … */
  teal_bytes target;          /* as it came, nothing decoded: /a/b?c, *, or http://host/a/b */
  const teal_header *headers; /* names in lower case, in the order they came, repeated ones one by one */
  uint64_t header_count;
  teal_bytes body;            /* whole; empty in `head` */
  teal_bytes source_address;  /* of the other end of the connection: an IP address as text */
} teal_arrival;

/* data, all three: concurrent, do not block; may call `answer` from within. What they are given lives until they return. */
typedef struct teal_http_handler {
  uint32_t struct_size;
  uint32_t reserved0;
  void *ctx;
  /* The headers are here, the body is not. *body_bytes_max holds the host's limit, which may be lowered for this request.
   * Who answers from within refuses: the body is not read, `request` does not come, and the connection closes. */
  void(TEAL_CALL *head)(void *ctx, const teal_arrival *head, uint64_t *body_bytes_max);
  /* The request, whole. Comes once after `head`, or not at all if the client went. */
  void(TEAL_CALL *request)(void *ctx, const teal_arrival *request);
  /* The client went, or the host stopped, before an answer; from now on the token is unknown. */
  void(TEAL_CALL *gone)(void *ctx, uint64_t token);
} teal_http_handler;

typedef struct teal_http_answer {
  uint32_t struct_size;
  uint32_t status;            /* 200 to 599 */
  const teal_header *headers; /* without those of the connection: connection, content-length, date, keep-alive,
                                 transfer-encoding, trailer, upgrade */
  uint64_t header_count;
  teal_bytes body;            /* not sent where HTTP has none: to HEAD, with 204 and 304 */
} teal_http_answer;

typedef struct teal_http_server {
  uint32_t struct_size;
  uint32_t reserved0;
  /* control. One plugin of a host listens; another is TEAL_INVALID. The host copies the struct. Before `close` returns the
   * plugin must call unlisten. */
  teal_status(TEAL_CALL *listen)(const teal_host *, const teal_http_handler *handler);
  /* control, never from within the handler. After it returned the handler is not called. What has no answer gets 503. */
  void(TEAL_CALL *unlisten)(const teal_host *);
  /* data; copies. Once for each token, at any time after `head` came. TEAL_NOT_FOUND: it has its answer, or the client went.
   * TEAL_INVALID: a status, a name or a value that HTTP does not have (CR, LF and NUL among them); the token stays open. */
  teal_status(TEAL_CALL *answer)(const teal_host *, uint64_t token, const teal_http_answer *answer);
} teal_http_server;

#ifdef __cplusplus
}
#endif
#endif
