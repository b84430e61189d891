/* The contract between Drover and a protocol module. A module is a shared object that exports one
 * constant, `drover_module`; Drover offers a table of functions, `struct drover_host`.
 *
 * Rules that hold for everything here:
 *  - Structs begin with their size and only grow at the end. A side that sees a shorter struct than
 * its own treats the fields it lacks as null or zero. A hook left null is skipped.
 *  - A worker is one thread. All hooks but `validate` and those of helpers run in a worker, on its
 * event loop, and must not block.
 *  - A connection is named by a handle, never by a pointer or a descriptor. A call on a handle
 * whose connection has gone, or is another instance's, does nothing and is counted (status:
 * stale_handles).
 *  - Memory passed to a hook or to a host function lives until that call returns, unless its
 * comment says more.
 *  - A module has no globals: two configurations may be live in one process. */
#ifndef DROVER_MODULE_H
#define DROVER_MODULE_H

#include "drover_host.h"
#include "drover_types.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What on_data answers beside a count. */
#define DROVER_FAIL ((int64_t)-1) /* close the connection now, reason DROVER_MODULE_FAILED */

/* What freeze answers beside a size. */
#define DROVER_NOT_NOW ((int64_t)-1)             /* the connection stays where it is */
#define DROVER_MOST_FROZEN ((size_t)1024 * 1024) /* bytes of one connection */

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
  /* The instance is no more needed, and no connection is left: the worker is about to exit, or goes
   * on without this server, which is out of service. */
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
  /* Pending output fell below a quarter of DROVER_HIGH_WATER after it had been above that, if only
   * between two writes. */
  void (*on_writable)(void* instance, drover_conn conn, void* state);
  /* The worker drains: finish what is under way, take on nothing new. Called once a connection.
   * Null: the connection goes on until it ends or the deadline comes. */
  void (*on_drain)(void* instance, drover_conn conn, void* state);
  /* The connection has ended; the handle is stale from here on. Called once for each on_open. */
  void (*on_close)(void* instance, drover_conn conn, void* state, enum drover_close_reason reason);

  /* What set_timer or start_timer asked for. */
  void (*on_timer)(void* instance, drover_conn conn, void* state);
  void (*on_worker_timer)(void* instance, uint64_t tag);
  /* The hooks of this instance that the batch had have run, and what they wrote has left. Only
   * after a batch that had one; again if what it writes leads to another. May write. */
  void (*on_batch_end)(void* instance);
  /* An outgoing connection was not established: error is an errno, ETIMEDOUT after its time,
   * ECANCELED when the module closed it or the instance ends. Its handle is stale; on_open was not
   * and on_close will not be called. */
  void (*on_connect_failed)(void* instance, uint64_t tag, int error);

  /* The directives a server of this protocol may have, see struct drover_directive; null and 0:
   * none. */
  const struct drover_directive* directives;
  size_t directive_count;
  /* Validator process only (at a test, a start and each reload, before any worker is forked): once
   * per server of this protocol, after the directives of all servers were found good. Checks what a
   * row cannot say: values that do not go together, files that must be there. No instance exists,
   * worker_init is not called in this process. Nonzero refuses the configuration; the last message
   * given to host->log is the reason. `host` and `context` live until it returns. A crash refuses
   * the configuration too, and so does taking longer than ready_timeout. */
  int (*validate)(const struct drover_host* host, drover_context* context);

  /* This slot's doorbell was rung: by this module in some worker, or by another or by Drover, so it
   * may be for nothing: look. Worker, on its loop, also while it drains. May write to any
   * connection. */
  void (*on_doorbell)(void* instance);

  /* What the module counts, see struct drover_metric; null and 0: nothing. */
  const struct drover_metric* metrics;
  size_t metric_count;

  /* Moving an open connection to another instance, which may be of another process and of another
   * version of the module. For the hand-over of connections. NOBODY IN DROVER CALLS THESE YET but
   * the test kit, with which a module can be made ready for it. Both hooks, or neither: then a
   * connection stays where it is.
   *
   * freeze: worker, between hooks, for a connection that is open, was not told to close, and
   * neither is a child nor has children, for these stay where they are. Writes
   * to `buffer` what thaw must know beside what goes along by itself: the socket, input not
   * consumed, output not sent, whether reading is paused, the timer with the time it has left, peer
   * and tag. Returns how many bytes that is; if more than `capacity`, what it wrote is thrown away
   * and it is called again with room for them. DROVER_NOT_NOW, more than DROVER_MOST_FROZEN, and
   * any other negative number: the connection stays and goes on. freeze itself changes nothing, in
   * the module or by the host: whether the connection moves is told by on_close with DROVER_MOVED,
   * before any other hook of this instance, or never.
   *
   * thaw: worker, in the place of on_open, for a connection that another instance froze, which may
   * have been of an older or a newer version: `version` is its freeze_version, and `blob` is to be
   * checked as what a client sends. `conn` is a new handle, `state` is zeroed. May call what
   * on_open may; what it writes goes behind the output that came along. Nonzero: taken, all hooks
   * follow as after on_open. 0: cannot; the connection is reset, and nothing more is called for it,
   * nor is on_close.
   *
   * `buffer` and `blob` live until the call returns. */
  uint64_t freeze_version; /* of what freeze writes; another with each change of its form */
  int64_t (*freeze)(void* instance, drover_conn conn, void* state, void* buffer, size_t capacity);
  int (*thaw)(void* instance, drover_conn conn, void* state, uint64_t version,
              struct drover_slice blob);

  /* Helpers: processes for what a worker must not do, such as waiting for a disk. One for each name
   * that `validate` asked for, with a loop and no connections; unprivileged, supervised as a worker
   * is: one that dies is replaced, its generation is ready when its helpers are. It begins before
   * the workers serve and ends after the last of them has gone. While two generations live, each
   * has its own: a lease says which one works. Its hooks may block; the watchdog does not judge it.
   *
   * helper_init: once in each helper process, before it is ready, and within ready_timeout. Returns
   * the helper passed to the other hooks; null: it cannot start (write why with host->log), which
   * refuses a start or a reload. The zones of the configuration may be asked for here. `host`,
   * `context` and `name` live until helper_exit returns. No other hook is called before the
   * generation serves. Null: the module has no helpers. */
  void* (*helper_init)(const struct drover_host* host, drover_context* context, const char* name);
  /* Helper process: the last worker of its generation has gone, or it got SIGTERM and another takes
   * its place. May block for a last write; but when the generation's time is over
   * (worker_shutdown_timeout, at a fast stop none) and two seconds more, and two after the last
   * worker, it is killed. Not called in one that was killed or crashed; one that is dead at the end
   * of its generation, or dies here then, is started once more for it. Leases that it holds are
   * given back after it. */
  void (*helper_exit)(void* helper);
  /* Helper process: what host->start_timer asked for there. */
  void (*on_helper_timer)(void* helper, uint64_t tag);
  /* Helper process: host->ring_helper was called, or it takes the place of one that had been rung,
   * so it may be for nothing: look. */
  void (*on_helper_doorbell)(void* helper);
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
