/* The C module of tests/modules/echo_c in a host of the test's own, tested in C: with libcmocka and
 * with the layer over GoogleTest, from this one source. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "modules/sdk/testkit/testkit.h"

struct fixture {
  drover_testkit* kit;
  drover_conn conn;
};
static struct fixture fixture;

/* The group's: the module, loaded once. */
static int load(void** state) {
  *state = (void*)(uintptr_t)drover_testkit_load(DROVER_BUILD_DIR "/test-modules/echo_c.so");
  return *state == NULL ? -1 : 0;
}

static int start(void** state) {
  const struct drover_module* module = *state;
  const struct drover_testkit_setting settings[] = {{"greeting", "hello\n"}};
  fixture.kit = drover_testkit_start(module, settings, 1);
  assert_null(drover_testkit_refusal(fixture.kit));
  fixture.conn = drover_testkit_accept(fixture.kit, NULL);
  *state = &fixture;
  return 0;
}

static int stop(void** state) {
  struct fixture* used = *state;
  drover_testkit_stop(used->kit);
  return 0;
}

static const char* said(const struct fixture* used) {
  return drover_testkit_read(used->kit, used->conn).data;
}

static void greets_with_what_the_server_says(void** state) {
  assert_string_equal(said(*state), "hello\n");
}

static void greets_nobody_by_default(void** state) {
  const struct drover_module* module = *state;
  drover_testkit* kit = drover_testkit_start(module, NULL, 0);
  const drover_conn conn = drover_testkit_accept(kit, "192.0.2.7:99");
  assert_int_equal(drover_testkit_read(kit, conn).size, 0);
  drover_testkit_stop(kit);
}

static void sends_back_what_it_gets_however_it_is_split(void** state) {
  const struct fixture* used = *state;
  const char text[] = "All happy families are alike.";
  said(used);
  for (size_t piece = 1; piece < sizeof text; ++piece) {
    drover_testkit_feed_in_pieces(used->kit, used->conn, text, strlen(text), piece);
    assert_string_equal(said(used), text);
  }
}

static void sends_back_bytes_of_any_kind(void** state) {
  const struct fixture* used = *state;
  const unsigned char bytes[] = {0, 255, '\n', 0, 7};
  struct drover_slice answer;
  said(used);
  drover_testkit_feed(used->kit, used->conn, bytes, sizeof bytes);
  answer = drover_testkit_read(used->kit, used->conn);
  assert_int_equal(answer.size, sizeof bytes);
  assert_memory_equal(answer.data, bytes, sizeof bytes);
}

static void answers_the_end_of_stream_with_its_own(void** state) {
  const struct fixture* used = *state;
  assert_false(drover_testkit_has_ended(used->kit, used->conn));
  assert_int_equal(drover_testkit_closed(used->kit, used->conn), DROVER_TESTKIT_LIVES);
  drover_testkit_end(used->kit, used->conn);
  assert_true(drover_testkit_has_ended(used->kit, used->conn));
  assert_int_equal(drover_testkit_closed(used->kit, used->conn), DROVER_CLOSED_BY_PEER);
  assert_int_equal(drover_testkit_live(used->kit), 0);
  assert_int_equal(drover_testkit_calls(used->kit, "half_close"), 1);
}

static void ends_after_a_deaf_client_has_heard_all(void** state) {
  const struct fixture* used = *state;
  drover_testkit_set_deaf(used->kit, used->conn, 1);
  drover_testkit_end(used->kit, used->conn);
  assert_int_equal(drover_testkit_live(used->kit), 1);
  drover_testkit_set_deaf(used->kit, used->conn, 0);
  assert_string_equal(said(used), "hello\n");
  assert_int_equal(drover_testkit_live(used->kit), 0);
}

static void forgets_a_client_that_is_reset(void** state) {
  const struct fixture* used = *state;
  drover_testkit_reset(used->kit, used->conn);
  assert_int_equal(drover_testkit_closed(used->kit, used->conn), DROVER_RESET);
  assert_int_equal(drover_testkit_calls(used->kit, "stale"), 0);
}

int main(void) {
  const struct CMUnitTest echo_c[] = {
      cmocka_unit_test_setup_teardown(greets_with_what_the_server_says, start, stop),
      cmocka_unit_test(greets_nobody_by_default),
      cmocka_unit_test_setup_teardown(sends_back_what_it_gets_however_it_is_split, start, stop),
      cmocka_unit_test_setup_teardown(sends_back_bytes_of_any_kind, start, stop),
      cmocka_unit_test_setup_teardown(answers_the_end_of_stream_with_its_own, start, stop),
      cmocka_unit_test_setup_teardown(ends_after_a_deaf_client_has_heard_all, start, stop),
      cmocka_unit_test_setup_teardown(forgets_a_client_that_is_reset, start, stop),
  };
  return cmocka_run_group_tests(echo_c, load, NULL);
}
