/* The words of the contract between Drover and a protocol module (drover_module.h, which includes
 * this): names of things, and the tables that a module gives. */
#ifndef DROVER_TYPES_H
#define DROVER_TYPES_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Grows when a change cannot be made at the end of a struct; both sides must have the same. */
#define DROVER_ABI 1u

/* A connection (or a stream of a multiplexed one). Never reused while the worker lives; 0 is no
 * connection. */
typedef uint64_t drover_conn;

/* A timer of an instance. Never reused while the worker lives; 0 is none. */
typedef uint64_t drover_timer;

/* A server of the configuration, in this worker; opaque, lives until the worker ends. */
typedef struct drover_server drover_server;

/* A file that a module has opened; opaque. */
typedef struct drover_file drover_file;

/* Bytes somewhere. */
struct drover_slice {
  const void* data;
  size_t size;
};

/* Why a connection ended, told to on_close. */
enum drover_close_reason {
  DROVER_CLOSED_BY_MODULE = 0, /* the module called close */
  DROVER_CLOSED_BY_PEER = 1,   /* end of stream from the peer, and ours: half_close, or no on_eof */
  DROVER_RESET = 2,            /* reset by the peer, or another socket error */
  DROVER_TIMEOUT = 3,          /* one of the server's timeouts */
  DROVER_DRAINED = 4,          /* worker_shutdown_timeout, or the worker stops */
  DROVER_MODULE_FAILED = 5,    /* on_data answered DROVER_FAIL or nonsense (in C++: it threw) */
  DROVER_MOVED = 6             /* it goes on in another instance: see freeze */
};

enum drover_log_level {
  DROVER_LOG_ERROR = 0,
  DROVER_LOG_WARNING = 1,
  DROVER_LOG_NOTICE = 2,
  DROVER_LOG_INFO = 3,
  DROVER_LOG_DEBUG = 4
};

/* Opaque: the worker's side of one module instance; passed back in each host call. */
typedef struct drover_context drover_context;

/* What a directive's value is. Numbers, sizes and durations are never negative. */
enum drover_directive_type {
  DROVER_TEXT = 0,     /* the rest of the line, which may have blanks in it */
  DROVER_NUMBER = 1,   /* decimal digits */
  DROVER_SIZE = 2,     /* "64k": bytes */
  DROVER_DURATION = 3, /* "75s": milliseconds */
  DROVER_FLAG = 4,     /* "on": 1, "off": 0 */
  DROVER_CHOICE = 5,   /* one of `words`: its index */
  DROVER_PATH = 6,     /* a path, absolute when the module gets it */
  DROVER_SERVER = 7    /* the name of a server of the configuration; a default can only be "" */
};

/* One directive of a module, written `MODULE.NAME = value` in a server whose protocol the module
 * is, at most once in each. The rows lie in an array, are constant, and are read in the validator,
 * in each worker and for `drover --directives`, before any hook. A table that is wrong in itself
 * (a name missing or twice, an unknown type, a default that would be refused, min above max or
 * below 0, bounds or words of a type that has none, DROVER_CHOICE without words, a size that
 * differs from row to row) refuses the module. */
struct drover_directive {
  size_t size;      /* of this struct, the same in all rows: the distance from one to the next */
  const char* name; /* without the module's: letters, digits, - and _ */
  enum drover_directive_type type;
  /* The value of a server that does not say it, as it would be written; null: every server must
   * say it. "" is no value: config_text gives "" (of texts, paths and servers only). */
  const char* default_text;
  /* Inclusive bounds of DROVER_NUMBER, DROVER_SIZE (bytes) and DROVER_DURATION (milliseconds);
   * both 0: any. In any case a size is at most 2^50 bytes and a duration 3650 days. */
  int64_t min;
  int64_t max;
  const char* const* words; /* of DROVER_CHOICE, a null pointer after the last */
  const char* help;         /* one line without a full stop; may be null */
};

enum drover_metric_kind {
  DROVER_COUNTER = 0, /* only rises */
  DROVER_GAUGE = 1    /* how many there are now */
};

/* A number that a module keeps for `drover -s status`. The rows lie in an array, are constant, and
 * are read in the validator and in each worker before any hook; `count` and `gauge` name one by its
 * place in the array. A table that is wrong in itself (more than DROVER_MOST_METRICS rows, a name
 * missing or twice, an unknown kind, a help that is too long, a size that differs from row to row)
 * refuses the module. */
struct drover_metric {
  size_t size;      /* of this struct, the same in all rows: the distance from one to the next */
  const char* name; /* at most 47 of a-z, 0-9 and _ */
  enum drover_metric_kind kind;
  const char* help; /* at most 160 printable ASCII characters without a full stop; may be null */
};

#define DROVER_MOST_METRICS 32u /* of a module */

/* Why a zone is refused. */
enum drover_zone_result {
  DROVER_ZONE_GRANTED = 0,
  DROVER_ZONE_UNKNOWN = 1,           /* the configuration has no [zone] of that name */
  DROVER_ZONE_OF_ANOTHER_MODULE = 2, /* it was initialised by another module */
  DROVER_ZONE_OF_ANOTHER_LAYOUT = 3, /* ... with another `version` or `type_sizes` */
  DROVER_ZONE_DAMAGED = 4,           /* somebody has written over Drover's header of the zone */
  DROVER_ZONE_FAILED = 5,            /* no memory, or `initialise` answered other than 0 */
  DROVER_ZONE_NOT_NOW =
      6 /* called outside of worker_init and helper_init, or inside of `initialise` */
};

/* How a module lays out a zone: what must be the same for two workers to share it. */
struct drover_zone_layout {
  size_t size;
  uint64_t version;    /* the module's number, another with each change of the layout */
  uint64_t type_sizes; /* changes with the sizes of the types in it: a hash of sizeofs; 0 will do */
  /* Fills the zeroed memory of a zone that nobody has initialised. Worker, inside of host->zone, in
   * one worker at a time: the others, also those of another generation, wait in their worker_init
   * until it has returned. 0: done, once for the life of the zone. Anything else: the zone is
   * refused, and the next who asks begins with zeroed memory; so it does when the worker dies in
   * it. Takes no longer than ready_timeout, or the worker is killed. Null: zeroes are all it needs.
   */
  int (*initialise)(void* argument, void* memory, size_t memory_size);
  void* argument;
};

/* A zone in this worker. It lies at another address in each: what is kept in it refers to other
 * parts of it by their distance from `memory`. Other workers read and write it at the same time,
 * those of older generations too while they drain, and each may be killed at any instruction: it
 * is atomics, and orders of writing that are right wherever they stop. */
struct drover_zone {
  size_t size;        /* the module's, before the call */
  void* memory;       /* aligned to a page; valid until the process ends */
  size_t memory_size; /* the `size` of the [zone] section */
  /* How many workers and helpers that had the zone were killed, crashed, or did not exit with 0:
   * read it as an atomic. A module that repairs what such a one may have left notes down, in the
   * zone, the value from before its last repair. */
  const uint64_t* unclean_ends;
};

#define DROVER_MOST_TIMERS 65536u /* of an instance, beside those of its connections */

#define DROVER_ZONE_LEASES 16u      /* of each zone, numbered from 0 */
#define DROVER_LONGEST_LEASE 60000u /* milliseconds */

/* How a module carries a stream inside of one of its connections: what Drover calls, in place of a
 * socket's system calls, for the connection that open_child has made of it (a *child*). Worker, in
 * any hook of any module and between hooks; `instance` and `argument` are those of whoever called
 * open_child. They may call every function of the host; what they write to the child itself is
 * dropped. No hook of the child runs inside of them, none of the carrier's either. */
struct drover_transport {
  size_t size;
  /* Takes bytes for the stream's peer, in order, from the front of `slices`, which live during the
   * call. Returns how many. Fewer than there are: the rest stays with Drover, which asks again
   * after child_writable. More than there are is a bug and breaks the child. */
  size_t (*write)(void* instance, void* argument, const struct drover_slice* slices, size_t count);
  /* The child has ended its stream: nothing more is written. May be null. */
  void (*half_close)(void* instance, void* argument);
  /* The child has taken so many bytes of what child_data gave: the peer may send as many again. May
   * be null. */
  void (*consumed)(void* instance, void* argument, size_t size_bytes);
  /* The child has ended: the last call for it, exactly one for each open_child that succeeded; its
   * handle is stale. `is_in_order`: the end of stream was given by the peer and sent by the child
   * (a half_close that is missing is meant); otherwise the peer is to be told that the stream was
   * broken off. */
  void (*close)(void* instance, void* argument, enum drover_close_reason reason, int is_in_order);
};

/* Bytes that may wait in a child because its module has paused it or lags behind. A carrier keeps
 * its peer well below it by `consumed`, or by pausing its own connection. */
#define DROVER_CHILD_INBOX ((size_t)1024 * 1024)

#define DROVER_DEEPEST_STREAM 8 /* a stream of a stream ... */

#define DROVER_HELPERS 4u /* of each server */

#ifdef __cplusplus
}
#endif

#endif
