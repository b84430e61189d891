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
 * open_child. They may call every function of the host. No hook of the child runs inside of them,
 * none of the carrier's either. */
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

#define DROVER_HELPERS 4u /* of each server */

/* What Drover offers. All functions: from inside a hook, in the process and thread that runs it.
 * That is a worker, or, for `validate`, the validator: there is no connection there, every handle
 * names one that has gone, and what is done to it does nothing; connect answers 0, no zone is
 * granted, nobody is rung and no timer rings. Or it is a helper, for its hooks: there is no
 * connection there either, and connect answers 0; all else is as in a worker. */
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

  /* Milliseconds of CLOCK_MONOTONIC when the running batch of events began. */
  int64_t (*now_ms)(drover_context* context);
  /* Has on_timer called for this connection once, `after_ms` from now (0 counts as 1); replaces
   * what was set before. */
  void (*set_timer)(drover_context* context, drover_conn conn, int64_t after_ms);
  void (*cancel_timer)(drover_context* context, drover_conn conn);
  /* Has on_worker_timer called for this instance once, with `tag`; in a helper on_helper_timer. 0:
   * the module has no such hook, or DROVER_MOST_TIMERS of this instance run already, which the log
   * tells (at most ten times in ten seconds). */
  drover_timer (*start_timer)(drover_context* context, int64_t after_ms, uint64_t tag);
  /* Nothing happens when it has rung. */
  void (*stop_timer)(drover_context* context, drover_timer timer);

  /* The state of one of this instance's connections, as the hooks get it; null when it has gone,
   * or is not this instance's, or is not open yet, or is being told on_close. Valid until that
   * returns. */
  void* (*state_of)(drover_context* context, drover_conn conn);

  /* As write, but the bytes are not copied: they must stay as they are until release(argument) is
   * called, exactly once, when they have been sent or never will be. That may be inside this call
   * or any other of the host, or between hooks, at worker_exit at the latest; `release` must only
   * free, and call nothing of the host. It may be null. */
  void (*write_reference)(drover_context* context, drover_conn conn, struct drover_slice bytes,
                          void (*release)(void* argument), void* argument);
  /* Opens a regular file for reading, relative to the daemon's working directory. Null: errno is in
   * *error. Stores its size. */
  drover_file* (*file_open)(drover_context* context, const char* path, uint64_t* size_bytes,
                            int* error);
  /* What is being sent of it is still sent. Before worker_exit returns. */
  void (*file_close)(drover_context* context, drover_file* file);
  /* Sends `size_bytes` from `offset`, in order with all other writes, by sendfile(2): the bytes
   * never pass through the worker's memory. When the file turns out to be shorter the connection is
   * broken, for its peer has been promised more. */
  void (*write_file)(drover_context* context, drover_conn conn, drover_file* file, uint64_t offset,
                     uint64_t size_bytes);

  /* Begins an outgoing connection to "127.0.0.1:80", "[::1]:80" or "unix:/path" (names are not
   * resolved). It is served by this instance's hooks: on_open when it is established, before which
   * nothing can be written; if it is not within `timeout_ms`, on_connect_failed. Counts against
   * worker_connections, not against the server's limits. 0: the address is none, or there is no
   * room or no descriptor; nothing is called then. */
  drover_conn (*connect)(drover_context* context, const char* address, int64_t timeout_ms,
                         uint64_t tag);
  /* What connect was given; 0 for an accepted connection, and for one that has gone. */
  uint64_t (*tag)(drover_context* context, drover_conn conn);

  /* The server's value of one of the module's directives, `name` without the module's: as written
   * or the default; of DROVER_PATH absolute, relative ones being under Drover's prefix. Lives as
   * long as the context. Null, with an error in the log, for a name that is not in the table: a bug
   * of the module. In a worker, a helper and in `validate`. */
  const char* (*config_text)(drover_context* context, const char* name);
  /* The same as a number: bytes, milliseconds, 0 or 1, the index of the word. 0, with an error in
   * the log, for a name that is not in the table and for texts, paths and servers. */
  int64_t (*config_number)(drover_context* context, const char* name);

  /* Maps a zone of the configuration into this worker and claims it for this module: from then on
   * it is granted to no other module or layout. worker_init and helper_init only. The same address
   * for every server of the module in a worker; worker crashes and reloads leave the memory as it
   * is; it is freed when the last generation that names it has gone. `name`, `layout` and `out` are
   * read and written during the call. The reason of a refusal is logged and, if the hook then
   * returns null, told to whoever started or reloaded Drover. */
  enum drover_zone_result (*zone)(drover_context* context, const char* name,
                                  const struct drover_zone_layout* layout, struct drover_zone* out);
  /* Leases: the right to do what only one is to do at a time, over workers and generations.
   * Worker or helper, any hook (with a zone that was granted). They never wait.
   * take: 1 when this server in this worker holds lease `index` from now on for so many
   * milliseconds; 0 when another does, or index or time is out of range. One whose time is over
   * may be taken by anybody, also while its holder is stopped and knows nothing of it.
   * keep: prolongs from now; 0 when it is not held, or was lost because its time was over and
   * another took it. Who has not kept in time must not do what the lease is for: keep first.
   * give_back: others may take it at once; nothing when it is not held. A worker that exits in
   * order gives back its own; one that is killed holds them until their time is over. */
  int (*lease_take)(drover_context* context, const struct drover_zone* zone, uint32_t index,
                    uint32_t milliseconds);
  int (*lease_keep)(drover_context* context, const struct drover_zone* zone, uint32_t index,
                    uint32_t milliseconds);
  void (*lease_give_back)(drover_context* context, const struct drover_zone* zone, uint32_t index);

  /* This worker's number, 0 to slots() - 1: the same for whoever takes its place. Worker, also in
   * worker_init; a helper has none and gets slots(). */
  uint32_t (*slot)(drover_context* context);
  /* How many workers this generation has. Worker or helper, also in worker_init and helper_init. */
  uint32_t (*slots)(drover_context* context);
  /* Has on_doorbell called in the worker of that slot of this generation, one's own included, soon:
   * once for any number of rings. A worker that drains beside its
   * successor is rung too, and rings for one that is being replaced are heard by its successor;
   * workers of other generations are not rung. No such slot: nothing. Worker or helper, any hook.
   */
  void (*ring)(drover_context* context, uint32_t slot);

  /* The server of that name, null when there is none (a DROVER_SERVER directive has been checked).
   * Worker, any hook, also in worker_init; null in `validate`. It may have no `listen`: such a
   * server exists for children only. */
  const drover_server* (*server)(drover_context* context, const char* name);
  /* Makes a stream of `parent`, one of this instance's connections, a connection that `server`
   * serves, as it would serve a socket: its hooks, timeouts, limits and access list (by the address
   * of the parent's peer), access log. It is opened at the end of the batch: on_open is not called
   * inside. It ends with its parent at the latest (reason DROVER_RESET, or DROVER_DRAINED).
   * `transport` is copied. 0: there is no such connection, the server refuses the peer or is at a
   * limit, or worker_streams are there; nothing is called then. */
  drover_conn (*open_child)(drover_context* context, drover_conn parent,
                            const drover_server* server, const struct drover_transport* transport,
                            void* argument);
  /* The four by which the carrier tells what has come for a child of its own; on any other
   * connection they do nothing. No hook runs inside of them.
   * Bytes, which are copied, and offered to the child at the end of the batch unless it is paused.
   * Returns how many wait now. More than DROVER_CHILD_INBOX, or after child_end: none are taken and
   * the child is closed with DROVER_MODULE_FAILED. */
  size_t (*child_data)(drover_context* context, drover_conn child, struct drover_slice bytes);
  /* The peer's end of stream, behind all bytes. */
  void (*child_end)(drover_context* context, drover_conn child);
  /* The peer has broken the stream off; what waits is dropped. */
  void (*child_reset)(drover_context* context, drover_conn child);
  /* transport->write would take more now. */
  void (*child_writable)(drover_context* context, drover_conn child);

  /* Adds to a counter of the module's table, for this server in this worker; two loads and a store.
   * Status tells the sum over all workers since Drover was started, those included that have gone,
   * however they ended. Worker, any hook, also worker_init and worker_exit; in `validate` and in a
   * helper nothing happens. An index that is not in the table, or not a counter: nothing happens,
   * and the log has an error, once for each instance. */
  void (*count)(drover_context* context, uint32_t index, uint64_t add);
  /* Sets a gauge of the module's table, for this server in this worker; 0 before. Status tells the
   * sum over the workers that live, draining ones included: what a worker that has gone had set
   * counts no more. The rest as for `count`. */
  void (*gauge)(drover_context* context, uint32_t index, int64_t value);

  /* Asks for a helper: a process of its own for this server, in which helper_init is called with
   * the name, which is 1 to 31 of a-z, 0-9, - and _ and is copied. Inside of `validate` only; once
   * for each name, for at most DROVER_HELPERS a server. 1: there will be one, unless the
   * configuration is refused. 0, with an error in the log: at another time, for another name, once
   * too often, or the module has no helper_init. */
  int (*want_helper)(drover_context* context, const char* name);
  /* Has on_helper_doorbell called in this server's helper of that name and this generation, soon:
   * once for any number of rings. Rings for one that is being replaced are heard by its successor.
   * No such helper: nothing. Worker or helper, any hook. */
  void (*ring_helper)(drover_context* context, const char* name);
};

/* Bytes of pending output above which Drover reads no more from the connection itself. A module
 * that writes to it what another says pauses that one as soon as pending_output is above this, and
 * resumes it in on_writable, which is called when less than a quarter is left. */
#define DROVER_HIGH_WATER ((size_t)256 * 1024)

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
   * ECANCELED when the module closed it or the worker ends. Its handle is stale; on_open was not
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
   * connection; that leaves at the end of the batch. */
  void (*on_doorbell)(void* instance);

  /* What the module counts, see struct drover_metric; null and 0: nothing. */
  const struct drover_metric* metrics;
  size_t metric_count;

  /* Moving an open connection to another instance, which may be of another process and of another
   * version of the module. For the hand-over of connections. NOBODY IN DROVER CALLS THESE YET but
   * the test kit, with which a module can be made ready for it. Both hooks, or neither: then a
   * connection stays where it is.
   *
   * freeze: worker, between hooks, for a connection that is open and was not told to close. Writes
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
   * (worker_shutdown_timeout, at a fast stop none, and two seconds more) it is killed. Not called
   * in one that was killed or crashed; one that is dead at the end of its generation is started
   * once more for it. Leases that it holds are given back after it. */
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
