/* The border between the host and libteal_http.so. Both are built together and always of one version: what differs is
 * refused. C, so that neither side's standard library shows in it. */
#ifndef TEAL_HOST_HTTP_LIBRARY_H
#define TEAL_HOST_HTTP_LIBRARY_H

#include <stddef.h>
#include <stdint.h>

#include "teal/abi.h"

#define TEAL_HTTP_LIBRARY_ENTRY "teal_http_library_v1"
#define TEAL_HTTP_LIBRARY_VERSION 1u

/* Counted since the start of the process. */
typedef struct teal_http_stats {
  uint64_t calls;       /* taken */
  uint64_t attempts;    /* begun */
  uint64_t retries;     /* attempts after a call's first */
  uint64_t connections; /* opened */
  uint64_t faults;      /* put in */
  uint64_t open;        /* calls not done yet */
} teal_http_stats;

typedef struct teal_http_library {
  uint32_t struct_size;
  uint32_t version; /* TEAL_HTTP_LIBRARY_VERSION */
  const teal_http* http;
  /* A JSON text (core/host/http/faults.h), or "" for none. 0, or 1 with what is wrong in `error`. */
  int (*set_faults)(const char* json, char* error, size_t error_size);
  void (*stats)(teal_http_stats* out);
} teal_http_library;

typedef const teal_http_library* (*teal_http_library_entry)(void);

#endif
