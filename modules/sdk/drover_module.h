/* The contract between Drover and a protocol module. A module is a shared object that exports one
 * constant, `drover_module`; Drover offers a table of functions, `struct drover_host`.
 *
 * Rules that hold for everything here:
 *  - Structs begin with their size and only grow at the end. A side that sees a shorter struct than
 * its own treats the fields it lacks as null or zero. A hook left null is skipped.
 *  - A worker is one thread. All hooks but `validate` run in a worker, on its event loop, and must
 * not block.
 *  - A connection is named by a handle, never by a pointer or a descriptor. A call on a handle
 * whose connection has gone does nothing and is counted (status: stale_handles).
 *  - Memory passed to a hook or to a host function lives until that call returns, unless its
 * comment says more.
 *  - A module has no globals: two configurations may be live in one process. */
#ifndef DROVER_MODULE_H
#define DROVER_MODULE_H

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
  DROVER_MODULE_FAILED = 5     /* the module threw, or answered nonsense */
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

/* What Drover offers. All functions: worker process only, from inside a hook. */
struct drover_host {
  size_t size;
  uint32_t abi;

  /* Sends bytes to the peer, in order with all others. They are copied if they cannot be sent at
   * once. What is written in one hook leaves in one system call. There is no error: a connection
   * that breaks is told by on_close. */
  void (*write)(drover_context* context, drover_conn conn, struct drover_slice bytes);
  /* Nothing more will be written: the peer sees end of stream after what is pending. Reading goes
   * on. */
  void (*half_close)(drover_context* context, drover_conn conn);
  /* Sends what is pending, then closes, lingering until the peer has closed too (linger_timeout),
   * so that it can read all of it. on_data and on_eof are not called any more; on_close is, later.
   */
  void (*close)(drover_context* context, drover_conn conn);
  /* Stops and goes on calling on_data for this connection; Drover pauses by itself while too much
   * output is pending. */
  void (*pause_reading)(drover_context* context, drover_conn conn);
  void (*resume_reading)(drover_context* context, drover_conn conn);
  /* Bytes written but not yet taken by the kernel. 0 for a connection that has gone. */
  size_t (*pending_output)(drover_context* context, drover_conn conn);
  /* The peer as text, "127.0.0.1:5000"; behind a PROXY header the client it names. Writes at most
   * `capacity` bytes with the closing NUL, returns the length without it; 0 for a connection that
   * has gone. */
  size_t (*peer_name)(drover_context* context, drover_conn conn, char* buffer, size_t capacity);
  /* One line to the error log. The module limits the rate of what a client can cause. */
  void (*log)(drover_context* context, enum drover_log_level level, const char* message);
};

/* What on_data answers beside a count. */
#define DROVER_FAIL ((int64_t)-1) /* close the connection now, reason DROVER_MODULE_FAILED */

/* What a module offers: the one exported constant. */
struct drover_module {
  size_t size;
  uint32_t abi;
  const char* name;    /* must be the name in `protocol =` */
  const char* version; /* for `drover -m` */
  /* Bytes of state Drover keeps for each connection beside its own record, zeroed, aligned for
   * max_align_t; passed to the hooks as `state`, valid from on_open until on_close returns. */
  size_t conn_state_size;

  /* Once per server of this protocol in each worker, before the worker is ready. Returns the
   * instance passed to all other hooks; null: the worker cannot start (write why with host->log).
   * `host` and `context` live until worker_exit returns.*/
  void* (*worker_init)(const struct drover_host* host, drover_context* context);
  /* The worker is about to exit; no connection is left. */
  void (*worker_exit)(void* instance);

  /* A connection was accepted (after PROXY header, access list and limits). May write and close. */
  void (*on_open)(void* instance, drover_conn conn, void* state);
  /* Bytes arrived: what was left unconsumed by the last call, then new ones. Returns how many were
   * consumed; the rest is kept (at most 128 KiB, beyond that the connection is closed) and offered
   * again with the next bytes. */
  int64_t (*on_data)(void* instance, drover_conn conn, void* state, struct drover_slice bytes);
  /* The peer has sent its end of stream; it may still read. Null: Drover sends what is pending and
   * closes. */
  void (*on_eof)(void* instance, drover_conn conn, void* state);
  /* Pending output fell below the low-water mark after it had been above the high one. */
  void (*on_writable)(void* instance, drover_conn conn, void* state);
  /* The worker drains: finish what is under way, take on nothing new. Called once a connection.
   * Null: the connection goes on until it ends or the deadline comes. */
  void (*on_drain)(void* instance, drover_conn conn, void* state);
  /* The connection has ended; the handle is stale from here on. Called once for each on_open. */
  void (*on_close)(void* instance, drover_conn conn, void* state, enum drover_close_reason reason);
};

#if defined(__GNUC__)
#define DROVER_EXPORT __attribute__((visibility("default")))
#else
#define DROVER_EXPORT
#endif

/* The exported name. */
extern DROVER_EXPORT const struct drover_module drover_module;

#ifdef __cplusplus
}
#endif

#endif
