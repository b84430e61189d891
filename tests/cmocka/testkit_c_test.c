/* The test kit's functions for C, with modules of the test's own: one whose hooks are mocks, and
 * one that uses what a host offers. */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "modules/sdk/testkit/testkit.h"

/* The module whose hooks are mocks. */
static int an_instance;
static void* mocked_init(const struct drover_host* host, drover_context* context) {
  void* instance = mock_ptr_type(void*);
  if (instance == NULL) host->log(context, DROVER_LOG_ERROR, "no instance today");
  return instance;
}
static int64_t mocked_on_data(void* instance, drover_conn conn, void* state,
                              struct drover_slice bytes) {
  (void)instance, (void)conn, (void)state;
  check_expected(bytes.size);
  return mock_type(int64_t);
}
static void mocked_on_close(void* instance, drover_conn conn, void* state,
                            enum drover_close_reason reason) {
  (void)instance, (void)conn, (void)state;
  check_expected(reason);
}
static const struct drover_module mocked = {.size = sizeof(struct drover_module),
                                            .abi = DROVER_ABI,
                                            .name = "mocked",
                                            .worker_init = mocked_init,
                                            .on_data = mocked_on_data,
                                            .on_close = mocked_on_close};

static void offers_again_what_was_not_consumed(void** state) {
  drover_testkit* kit;
  drover_conn conn;
  (void)state;
  will_return(mocked_init, &an_instance);
  kit = drover_testkit_start(&mocked, NULL, 0);
  assert_ptr_equal(drover_testkit_instance(kit), &an_instance);
  conn = drover_testkit_accept(kit, NULL);
  expect_value(mocked_on_data, bytes.size, 5);
  will_return(mocked_on_data, 2);
  drover_testkit_feed(kit, conn, "hello", 5);
  expect_value(mocked_on_data, bytes.size, 4);
  will_return(mocked_on_data, DROVER_FAIL);
  expect_value(mocked_on_close, reason, DROVER_MODULE_FAILED);
  drover_testkit_feed(kit, conn, "!", 1);
  drover_testkit_stop(kit);
}

static void says_why_a_module_did_not_start(void** state) {
  drover_testkit* kit;
  (void)state;
  will_return(mocked_init, NULL);
  kit = drover_testkit_start(&mocked, NULL, 0);
  assert_string_equal(drover_testkit_refusal(kit), "no instance today");
  drover_testkit_stop(kit);
  kit = drover_testkit_start(NULL, NULL, 0);
  assert_string_equal(drover_testkit_refusal(kit), "there is no module");
  drover_testkit_stop(kit);
  assert_null(drover_testkit_load("/nonexistent.so"));
}

static void refuses_what_drover_would_refuse(void** state) {
  const struct drover_testkit_setting settings[] = {{"no", "such"}};
  drover_testkit* kit = drover_testkit_start(&mocked, settings, 1);
  (void)state;
  assert_string_equal(drover_testkit_refusal(kit), "the module has no directive no");
  drover_testkit_stop(kit);
}

/* The module that uses what a host offers: each line is an order. */
struct clerk {
  const struct drover_host* host;
  drover_context* context;
};
static struct clerk the_clerk; /* one at a time */
static const struct drover_directive directives[] = {{.size = sizeof(struct drover_directive),
                                                      .name = "delay",
                                                      .type = DROVER_DURATION,
                                                      .default_text = "50ms"}};
static const struct drover_metric metrics[] = {
    {.size = sizeof(struct drover_metric), .name = "orders", .kind = DROVER_COUNTER}};

static void* clerk_init(const struct drover_host* host, drover_context* context) {
  the_clerk.host = host;
  the_clerk.context = context;
  return &the_clerk;
}
static void say(const struct clerk* clerk, drover_conn conn, const char* text) {
  const struct drover_slice slice = {text, strlen(text)};
  clerk->host->write(clerk->context, conn, slice);
}
static void send_file(const struct clerk* clerk, drover_conn conn) {
  uint64_t size = 0;
  int error = 0;
  drover_file* file = clerk->host->file_open(clerk->context, "motd", &size, &error);
  if (file == NULL) {
    say(clerk, conn, "no file");
    return;
  }
  clerk->host->write_file(clerk->context, conn, file, 0, size);
  clerk->host->file_close(clerk->context, file);
}
static int64_t clerk_on_data(void* instance, drover_conn conn, void* state,
                             struct drover_slice bytes) {
  const struct clerk* clerk = instance;
  const struct drover_host* host = clerk->host;
  char text[16];
  (void)state;
  host->count(clerk->context, 0, 1);
  switch (*(const char*)bytes.data) {
    case 't':
      host->set_timer(clerk->context, conn, host->config_number(clerk->context, "delay"));
      break;
    case 'f':
      send_file(clerk, conn);
      break;
    case 'p':
      host->pause_reading(clerk->context, conn);
      break;
    case 'l':
      host->log(clerk->context, DROVER_LOG_INFO, "as ordered");
      break;
    case 'c':
      host->connect(clerk->context, "127.0.0.1:80", 1000, 7);
      break;
    case 's':
      (void)snprintf(text, sizeof text, "%u of %u", host->slot(clerk->context),
                     host->slots(clerk->context));
      say(clerk, conn, text);
      break;
    default:
      return DROVER_FAIL;
  }
  return (int64_t)bytes.size;
}
static void clerk_on_timer(void* instance, drover_conn conn, void* state) {
  (void)state;
  say(instance, conn, "tick");
}
static void clerk_on_drain(void* instance, drover_conn conn, void* state) {
  (void)state;
  say(instance, conn, "bye");
}
static void clerk_on_doorbell(void* instance) {
  const struct clerk* clerk = instance;
  clerk->host->log(clerk->context, DROVER_LOG_INFO, "rung");
}
static void clerk_on_connect_failed(void* instance, uint64_t tag, int error) {
  (void)instance;
  check_expected(tag);
  check_expected(error);
}
static const struct drover_module clerk_module = {.size = sizeof(struct drover_module),
                                                  .abi = DROVER_ABI,
                                                  .name = "clerk",
                                                  .worker_init = clerk_init,
                                                  .on_data = clerk_on_data,
                                                  .on_timer = clerk_on_timer,
                                                  .on_drain = clerk_on_drain,
                                                  .on_doorbell = clerk_on_doorbell,
                                                  .on_connect_failed = clerk_on_connect_failed,
                                                  .directives = directives,
                                                  .directive_count = 1,
                                                  .metrics = metrics,
                                                  .metric_count = 1};

static drover_conn client;
static int start(void** state) {
  *state = drover_testkit_start(&clerk_module, NULL, 0);
  client = drover_testkit_accept(*state, NULL);
  return 0;
}
static int stop(void** state) {
  drover_testkit_stop(*state);
  return 0;
}
static void order(drover_testkit* kit, const char* what) {
  drover_testkit_feed(kit, client, what, 1);
}
static const char* said(drover_testkit* kit) { return drover_testkit_read(kit, client).data; }

static void rings_a_timer_at_its_moment(void** state) {
  order(*state, "t");
  drover_testkit_pass(*state, 49);
  assert_string_equal(said(*state), "");
  drover_testkit_pass(*state, 1);
  assert_string_equal(said(*state), "tick");
}
static void gives_a_directive_as_it_is_written(void** state) {
  const struct drover_testkit_setting settings[] = {{"delay", "2s"}};
  drover_testkit* kit = drover_testkit_start(&clerk_module, settings, 1);
  const drover_conn conn = drover_testkit_accept(kit, NULL);
  (void)state;
  drover_testkit_feed(kit, conn, "t", 1);
  drover_testkit_pass(kit, 1999);
  assert_int_equal(drover_testkit_read(kit, conn).size, 0);
  drover_testkit_pass(kit, 1);
  assert_int_equal(drover_testkit_read(kit, conn).size, 4);
  drover_testkit_stop(kit);
}
static void counts_what_the_module_counts(void** state) {
  order(*state, "l");
  order(*state, "l");
  assert_int_equal(drover_testkit_metric(*state, "orders"), 2);
  assert_int_equal(drover_testkit_calls(*state, "count"), 2);
}
static void keeps_the_log(void** state) {
  assert_null(drover_testkit_log(*state, 0));
  order(*state, "l");
  drover_testkit_ring(*state);
  assert_string_equal(drover_testkit_log(*state, 0), "as ordered");
  assert_string_equal(drover_testkit_log(*state, 1), "rung");
  assert_null(drover_testkit_log(*state, 2));
}
static void has_the_files_that_it_was_given(void** state) {
  const struct drover_slice content = {"good morning", 12};
  order(*state, "f");
  assert_string_equal(said(*state), "no file");
  drover_testkit_add_file(*state, "motd", content);
  order(*state, "f");
  assert_string_equal(said(*state), "good morning");
}
static void is_the_slot_that_it_is_told(void** state) {
  order(*state, "s");
  assert_string_equal(said(*state), "0 of 1");
  drover_testkit_set_slot(*state, 2, 5);
  order(*state, "s");
  assert_string_equal(said(*state), "2 of 5");
}
static void drains(void** state) {
  drover_testkit_drain(*state);
  assert_string_equal(said(*state), "bye");
}
static void offers_nothing_while_the_module_has_paused(void** state) {
  order(*state, "p");
  assert_true(drover_testkit_is_paused(*state, client));
  order(*state, "s");
  assert_string_equal(said(*state), "");
}
static void ends_by_a_timeout(void** state) {
  drover_testkit_time_out(*state, client);
  assert_int_equal(drover_testkit_closed(*state, client), DROVER_TIMEOUT);
}
static void decides_what_becomes_of_outgoing_connections(void** state) {
  drover_conn out;
  order(*state, "c");
  order(*state, "c");
  assert_string_equal(drover_testkit_outgoing_address(*state, 1), "127.0.0.1:80");
  expect_value(clerk_on_connect_failed, tag, 7);
  expect_value(clerk_on_connect_failed, error, ECONNREFUSED);
  drover_testkit_refuse(*state, drover_testkit_outgoing(*state, 0), ECONNREFUSED);
  out = drover_testkit_outgoing(*state, 0);
  drover_testkit_establish(*state, out);
  assert_int_equal(drover_testkit_live(*state), 2);
  assert_int_equal(drover_testkit_outgoing(*state, 0), 0);
  assert_null(drover_testkit_outgoing_address(*state, 0));
  drover_testkit_feed(*state, out, "s", 1);
  assert_int_equal(drover_testkit_read(*state, out).size, 6);
}

/* Wrong use, in a process of its own. */
static void use_a_connection_that_never_was(drover_testkit* kit) { drover_testkit_end(kit, 99); }
static void ask_for_a_metric_that_there_is_not(drover_testkit* kit) {
  drover_testkit_metric(kit, "x");
}
static void feed_pieces_of_nothing(drover_testkit* kit) {
  drover_testkit_feed_in_pieces(kit, client, "x", 1, 0);
}
static void go_on_with_what_did_not_start(drover_testkit* kit) {
  (void)kit;
  drover_testkit_accept(drover_testkit_start(NULL, NULL, 0), NULL);
}
static int signal_of(void (*use)(drover_testkit* kit), drover_testkit* kit) {
  int status = 0;
  const pid_t child = fork();
  if (child == 0) {
    use(kit);
    _exit(0);
  }
  assert_int_equal(waitpid(child, &status, 0), child);
  return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}
static void aborts_when_it_is_used_wrongly(void** state) {
  assert_int_equal(signal_of(use_a_connection_that_never_was, *state), SIGABRT);
  assert_int_equal(signal_of(ask_for_a_metric_that_there_is_not, *state), SIGABRT);
  assert_int_equal(signal_of(feed_pieces_of_nothing, *state), SIGABRT);
  assert_int_equal(signal_of(go_on_with_what_did_not_start, *state), SIGABRT);
}

#define WITH_CLERK(test) cmocka_unit_test_setup_teardown(test, start, stop)
int main(void) {
  const struct CMUnitTest testkit_c[] = {
      cmocka_unit_test(offers_again_what_was_not_consumed),
      cmocka_unit_test(says_why_a_module_did_not_start),
      cmocka_unit_test(refuses_what_drover_would_refuse),
      WITH_CLERK(rings_a_timer_at_its_moment),
      cmocka_unit_test(gives_a_directive_as_it_is_written),
      WITH_CLERK(counts_what_the_module_counts),
      WITH_CLERK(keeps_the_log),
      WITH_CLERK(has_the_files_that_it_was_given),
      WITH_CLERK(is_the_slot_that_it_is_told),
      WITH_CLERK(drains),
      WITH_CLERK(offers_nothing_while_the_module_has_paused),
      WITH_CLERK(ends_by_a_timeout),
      WITH_CLERK(decides_what_becomes_of_outgoing_connections),
      WITH_CLERK(aborts_when_it_is_used_wrongly),
  };
  return cmocka_run_group_tests(testkit_c, NULL, NULL);
}
