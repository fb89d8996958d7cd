/* A small plugin for the loader's tests. What it does wrong is chosen by macros where it is wrong by itself
 * (CMakeLists.txt), else by its config: {"behave": "crash"} and so on. */
#define _GNU_SOURCE
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "teal/abi.h"

struct teal_instance {
  const teal_host* host;
  char config[256];
  int lacks_blobs; /* offers blobs and has no functions for them */
  atomic_int cancelled;
};

#ifdef SAMPLE_UNRESOLVED
void teal_sample_nobody_defines_this(void);
#endif

static void Sleep(long ms) {
  const struct timespec time = {ms / 1000, (ms % 1000) * 1000000};
  nanosleep(&time, NULL);
}

#if defined(SAMPLE_HANG_LOAD) || defined(SAMPLE_CRASH_LOAD)
__attribute__((constructor)) static void Initialise(void) {
#ifdef SAMPLE_HANG_LOAD
  for (;;) Sleep(1000);
#else
  abort();
#endif
}
#endif

static teal_status Caps(teal_instance* instance, teal_memory_caps* out) {
  const teal_memory_caps caps = {.struct_size = sizeof caps,
                                 .features = instance->lacks_blobs ? TEAL_MEMORY_BLOBS : 0,
                                 .key_bytes_max = 512,
                                 .value_bytes_max = 65536,
                                 .commit_ops_max = 1,
                                 .commit_bytes_max = 65536,
                                 .get_keys_max = 1,
                                 .scan_records_max = 100};
  memcpy(out, &caps, out->struct_size < sizeof caps ? out->struct_size : sizeof caps);
  return TEAL_OK;
}

static teal_status Commit(teal_instance* instance, const teal_call* call, const teal_op* ops, uint64_t count) {
  (void)instance, (void)call, (void)ops, (void)count;
  return TEAL_UNSUPPORTED;
}

/* With the flag: blocks for 100 ms, or until cancelled. Gives an empty page. */
static teal_status Get(teal_instance* instance, const teal_call* call, const teal_key* keys, uint64_t count) {
  (void)keys, (void)count;
  const teal_page page = {.struct_size = sizeof page};
#ifdef SAMPLE_BLOCKING
  for (int i = 0; i < 100 && !instance->cancelled; ++i) Sleep(1);
  if (instance->cancelled) {
    const teal_error error = {.struct_size = sizeof error, .code = TEAL_CANCELLED};
    call->done(call->done_ctx, &error, NULL);
    return TEAL_OK;
  }
#else
  (void)instance;
#endif
  call->done(call->done_ctx, NULL, &page);
  return TEAL_OK;
}

static teal_status Scan(teal_instance* instance, const teal_call* call, teal_bytes partition, teal_bytes prefix,
                        uint64_t limit, teal_bytes cursor) {
  (void)partition, (void)prefix, (void)limit, (void)cursor;
  return Get(instance, call, NULL, 0);
}

static teal_status ScanDue(teal_instance* instance, const teal_call* call, uint32_t shard, uint32_t shards,
                           uint64_t until, uint64_t limit, teal_bytes cursor) {
  (void)shard, (void)shards, (void)until, (void)limit, (void)cursor;
  return Get(instance, call, NULL, 0);
}

/* Of an older host's time: without the slots after scan_due. */
static const struct {
  uint32_t struct_size;
  uint32_t reserved0;
  void* slots[5];
  void* poison[8];
} kMemory = {48,
             0,
             {(void*)Caps, (void*)Commit, (void*)Get, (void*)Scan, (void*)ScanDue},
             {(void*)1, (void*)1, (void*)1, (void*)1, (void*)1, (void*)1, (void*)1, (void*)1}};

static int Overflow(int depth) {
  volatile char frame[4096];
  frame[0] = (char)depth;
  return depth < 0 ? 0 : Overflow(depth + 1) + frame[0];
}

static int Says(teal_bytes config, const char* word) {
  return memmem(config.data, config.size, word, strlen(word)) != NULL;
}

static void Log(const teal_host* host, const char* text) {
  const teal_bytes message = {(const uint8_t*)text, strlen(text)};
  const teal_bytes fields = {NULL, 0};
  host->log(host, TEAL_LOG_WARNING, message, fields);
}

static teal_status Open(const teal_host* host, teal_bytes config, teal_instance** out, teal_error* error) {
  if (Says(config, "crash")) *(volatile int*)0 = 1;
  if (Says(config, "overflow")) Overflow(0);
  if (Says(config, "exit")) exit(0);
  while (Says(config, "hang")) Sleep(1000);
  if (Says(config, "slow")) Sleep(300);
  if (Says(config, "fail")) {
    error->code = TEAL_DENIED;
    strcpy(error->message, "the password is wrong; see \"password\"");
    return TEAL_DENIED;
  }
  if (Says(config, "log")) Log(host, "hello from the sample");
  *out = NULL;
  if (Says(config, "nothing")) return TEAL_OK;
  teal_instance* const instance = calloc(1, sizeof *instance);
  if (instance == NULL) return TEAL_NO_MEMORY;
  instance->host = host;
  instance->lacks_blobs = Says(config, "blobs");
  memcpy(instance->config, config.data, config.size < 255 ? config.size : 255);
  *out = instance;
  return TEAL_OK;
}

static void Close(teal_instance* instance) {
  while (strstr(instance->config, "stay") != NULL) Sleep(1000);
  if (strstr(instance->config, "log") != NULL) Log(instance->host, "goodbye from the sample");
  instance->cancelled = 1;
  Sleep(20);
  free(instance);
}

static teal_status Cancel(teal_instance* instance, uint64_t op_id) {
  (void)op_id;
  instance->cancelled = 1;
  return TEAL_OK;
}

static const void* Interface(const char* id) {
  return strcmp(id, TEAL_MEMORY_ID) == 0 ? &kMemory : NULL;
}

#ifndef SAMPLE_NO_ENTRY
TEAL_EXPORT const teal_plugin* teal_plugin_v1(void) {
  static const teal_plugin plugin = {
#ifdef SAMPLE_SHORT
      .struct_size = 24,
#else
      .struct_size = sizeof plugin,
#endif
#ifdef SAMPLE_BLOCKING
      .flags = TEAL_PLUGIN_BLOCKING,
#endif
      .abi_minor = TEAL_ABI_MINOR,
      .host_minor_min = 0,
      .id = "sample",
      .version = "1.0",
      .open = Open,
      .close = Close,
      .get_interface = Interface,
      .cancel = Cancel,
  };
#ifdef SAMPLE_UNRESOLVED
  teal_sample_nobody_defines_this();
#endif
  return &plugin;
}
#else
TEAL_EXPORT const void* teal_something_else(void) {
  return (const void*)Interface;
}
const void* const kUnused[] = {(void*)Open, (void*)Close, (void*)Cancel, (void*)Interface};
#endif
