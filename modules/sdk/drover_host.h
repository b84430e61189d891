/* What Drover offers to a protocol module: the half of the contract that a module calls. The rules
 * stand in drover_module.h, which includes this. */
#ifndef DROVER_HOST_H
#define DROVER_HOST_H

#include "drover_types.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What Drover offers. All functions: from inside a hook, in the process and thread that runs it.
 * That is a worker, or, for `validate`, the validator: there is no connection there, every handle
 * names one that has gone, and what is done to it does nothing; connect answers 0, no zone is
 * granted, nobody is rung and no timer rings. Or it is a helper, for its hooks: there is no
 * connection there either, and connect answers 0; all else is as in a worker. */
struct drover_host {
  size_t size;
  uint32_t abi;

  /* Sends bytes to the peer, in order with all others. They are copied if they cannot be sent at
   * once. What a hook writes to its own connection leaves in one system call when it returns; what
   * is written to others, at the end of the batch, or at once if it is 16 KiB or more and nothing
   * is pending. There is no error: a connection that breaks is told by on_close. */
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
  /* Has on_timer called for this connection once, `after_ms` after now_ms (0 counts as 1): never
   * early, in an idle worker some 2 ms late, of 500 ms and more some 10. Replaces what was set. */
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
   * of the parent's peer), access log. It is opened when the running hook has returned, at the end
   * of the batch or when bytes are offered to it: on_open is not called inside. It ends with its
   * parent at the latest (reason DROVER_RESET, or DROVER_DRAINED). `transport` is copied. 0: there
   * is no such connection, or it ends or was told to close; the server refuses the peer or is at a
   * limit; worker_streams are there; or it would be deeper than DROVER_DEEPEST_STREAM. Nothing is
   * called then. One connection may take all worker_streams, and DROVER_CHILD_INBOX for each: the
   * carrier limits what one peer gets. */
  drover_conn (*open_child)(drover_context* context, drover_conn parent,
                            const drover_server* server, const struct drover_transport* transport,
                            void* argument);
  /* The four by which the carrier tells what has come for a child of its own; on any other
   * connection they do nothing. No hook runs inside of them.
   * Bytes, offered to the child in the order in which they are given, unless it is paused. What
   * on_data has been given, or a part of it, is offered where it lies when the hook has returned.
   * All else, what something waits before, and small pieces behind a first are copied, joined, and
   * offered at the end of the batch.
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

#ifdef __cplusplus
}
#endif

#endif
