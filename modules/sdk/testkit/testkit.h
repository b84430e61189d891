/* The test kit for tests in C: what drover::testkit::Host is in C++ (testkit.hpp says what it
 * promises), as functions. It knows no test framework; an example is with cmocka's API.
 *
 *   drover_testkit* kit = drover_testkit_start(drover_testkit_load("./echo.so"), NULL, 0);
 *   drover_conn conn = drover_testkit_accept(kit, NULL);
 *   drover_testkit_feed(kit, conn, "hello", 5);
 *   assert_string_equal(drover_testkit_read(kit, conn).data, "hello");
 *   drover_testkit_stop(kit);
 *
 * One kit is one instance of the module in one worker; not thread-safe. What is returned by pointer
 * or as a slice lives until the next call on the same kit, and a zero byte lies behind it. Wrong
 * use (a connection that never was, a metric that the module does not declare) says so on standard
 * error and aborts. An assertion that fails inside of a hook leaves the kit where it was: stop it,
 * and do nothing else with it. Zones, helpers, streams and moving are in testkit.hpp only. */
#ifndef DROVER_TESTKIT_H
#define DROVER_TESTKIT_H

#include <stddef.h>
#include <stdint.h>

#include "../drover_module.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct drover_testkit drover_testkit;

/* A directive of the server, as it is written in the configuration, without the module's name. */
struct drover_testkit_setting {
  const char* name;
  const char* text;
};

/* The table of a module's shared object, which stays loaded; null: it could not be, which is said
 * on standard error. A module that is linked into the test is &drover_module. */
const struct drover_module* drover_testkit_load(const char* path);

/* Calls worker_init. Directives that are not given have their defaults. Never null: a module that
 * is null, or refuses to start, or a directive that it refuses, is told by drover_testkit_refusal,
 * and only that and drover_testkit_stop may be called then. */
drover_testkit* drover_testkit_start(const struct drover_module* module,
                                     const struct drover_testkit_setting* settings, size_t count);
/* Why the module did not start; null: it did. */
const char* drover_testkit_refusal(const drover_testkit* kit);
/* Ends what is open as a worker does that leaves, and calls worker_exit. Null: nothing. */
void drover_testkit_stop(drover_testkit* kit);
/* What worker_init has returned. */
void* drover_testkit_instance(const drover_testkit* kit);

/* A client connects; null: from 192.0.2.1:1000. */
drover_conn drover_testkit_accept(drover_testkit* kit, const char* peer);
/* Bytes of the client arrive, together with what the module had left. */
void drover_testkit_feed(drover_testkit* kit, drover_conn conn, const void* bytes, size_t size);
/* The same in pieces of `piece` bytes, at least 1. */
void drover_testkit_feed_in_pieces(drover_testkit* kit, drover_conn conn, const void* bytes,
                                   size_t size, size_t piece);
/* The client's end of stream; it may still read. */
void drover_testkit_end(drover_testkit* kit, drover_conn conn);
/* The client is gone. */
void drover_testkit_reset(drover_testkit* kit, drover_conn conn);
/* One of the server's timeouts has passed. */
void drover_testkit_time_out(drover_testkit* kit, drover_conn conn);
/* Takes what the module has written and the client has not read: nothing of a deaf client, whose
 * output is pending until it hears again. */
struct drover_slice drover_testkit_read(drover_testkit* kit, drover_conn conn);
void drover_testkit_set_deaf(drover_testkit* kit, drover_conn conn, int is_deaf);

/* The module's end of stream has been sent. */
int drover_testkit_has_ended(const drover_testkit* kit, drover_conn conn);
#define DROVER_TESTKIT_LIVES (-1)
/* Why it ended, an enum drover_close_reason; DROVER_TESTKIT_LIVES while it lives. */
int drover_testkit_closed(const drover_testkit* kit, drover_conn conn);
int drover_testkit_is_paused(const drover_testkit* kit, drover_conn conn);
/* How many connections live. */
size_t drover_testkit_live(const drover_testkit* kit);

/* Lets time pass; timers ring in their order, each at its own moment. */
void drover_testkit_pass(drover_testkit* kit, int64_t milliseconds);
/* The slot's doorbell was rung, by whomever. */
void drover_testkit_ring(drover_testkit* kit);
/* The worker drains: every connection is told, those that come too. */
void drover_testkit_drain(drover_testkit* kit);
/* The worker's number, and how many there are: 0 of 1 before this is called. */
void drover_testkit_set_slot(drover_testkit* kit, uint32_t slot, uint32_t slots);
/* A file that file_open finds; others are ENOENT. */
void drover_testkit_add_file(drover_testkit* kit, const char* path, struct drover_slice content);

/* The outgoing connections that the module has asked for and the test has not answered, in their
 * order; 0 and null beyond the last. Each is answered by establish or refuse. */
drover_conn drover_testkit_outgoing(const drover_testkit* kit, size_t index);
const char* drover_testkit_outgoing_address(const drover_testkit* kit, size_t index);
void drover_testkit_establish(drover_testkit* kit, drover_conn conn);
void drover_testkit_refuse(drover_testkit* kit, drover_conn conn, int error);

/* The value of a counter or gauge that the module declares. */
int64_t drover_testkit_metric(const drover_testkit* kit, const char* name);
/* How often the module called a function of the host, by its name in struct drover_host; "stale":
 * on connections that had gone. */
int drover_testkit_calls(const drover_testkit* kit, const char* function);
/* The module's lines of the log, from 0; null beyond the last. */
const char* drover_testkit_log(const drover_testkit* kit, size_t index);

#ifdef __cplusplus
}
#endif

#endif
