/* A test for each verdict that cmocka's API can give: what begins with fails_ must make the program
 * red, passes_ must not, skips_ is neither. Run by verdicts_test.py one by one (the argument is
 * the name), and all together, with libcmocka and with the layer over GoogleTest. A failure must be
 * told with the line that has "HERE" behind it. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define UNUSED(state) (void)(state)

/* What is mocked. */
static int fetch(const char* name, int depth) {
  check_expected_ptr(name);
  check_expected(depth);
  return mock_type(int);
}
static int answer(void) { return mock_type(int); }
static const char* word(void) { return mock_ptr_type(const char*); }
static void take(int value) { check_expected(value); }
static void take_text(const char* text) { check_expected_ptr(text); }
static void first(void) { function_called(); }
static void second(void) { function_called(); }
static int is_even(const LargestIntegralType value, const LargestIntegralType divisor) {
  return value % divisor == 0;
}
static int assert_even(const LargestIntegralType value, const LargestIntegralType divisor) {
  assert_int_equal(value % divisor, 0);
  return 1;
}

/* Assertions: each as it holds, and as it does not. */
static void passes_what_holds(void** state) {
  const LargestIntegralType set[] = {1, 3, 5};
  UNUSED(state);
  assert_true(1);
  assert_false(0);
  assert_non_null(set);
  assert_null(NULL);
  assert_ptr_equal(set, set);
  assert_ptr_not_equal(set, &set[1]);
  assert_int_equal(-1, -1);
  assert_int_not_equal(1, 2);
  assert_float_equal(1.0F, 1.05F, 0.1F);
  assert_float_not_equal(1.0F, 1.2F, 0.1F);
  assert_string_equal("a", "a");
  assert_string_not_equal("a", "b");
  assert_memory_equal("abX", "abY", 2);
  assert_memory_not_equal("abX", "abY", 3);
  assert_in_range(5, 5, 9);
  assert_not_in_range(10, 5, 9);
  assert_in_set(3, set, 3);
  assert_not_in_set(4, set, 3);
  assert_return_code(0, 0);
}
#define FAILS(name, assertion)                \
  static void fails_##name(void** state) {    \
    const LargestIntegralType set[] = {1, 3}; \
    UNUSED(state);                            \
    UNUSED(set);                              \
    assertion;                                \
  }
FAILS(true, assert_true(1 == 2))                              /* HERE */
FAILS(false, assert_false(1 == 1))                            /* HERE */
FAILS(non_null, assert_non_null(NULL))                        /* HERE */
FAILS(null, assert_null(set))                                 /* HERE */
FAILS(ptr_equal, assert_ptr_equal(set, &set[1]))              /* HERE */
FAILS(ptr_not_equal, assert_ptr_not_equal(set, set))          /* HERE */
FAILS(int_equal, assert_int_equal(1, 2))                      /* HERE */
FAILS(int_not_equal, assert_int_not_equal(2, 2))              /* HERE */
FAILS(float_equal, assert_float_equal(1.0F, 1.2F, 0.1F))      /* HERE */
FAILS(float_not_equal, assert_float_not_equal(1.F, 1.F, .1F)) /* HERE */
FAILS(string_equal, assert_string_equal("a", "b"))            /* HERE */
FAILS(string_not_equal, assert_string_not_equal("a", "a"))    /* HERE */
FAILS(memory_equal, assert_memory_equal("abX", "abY", 3))     /* HERE */
FAILS(memory_not_equal, assert_memory_not_equal("a", "a", 1)) /* HERE */
FAILS(in_range, assert_in_range(4, 5, 9))                     /* HERE */
FAILS(not_in_range, assert_not_in_range(9, 5, 9))             /* HERE */
FAILS(in_set, assert_in_set(2, set, 2))                       /* HERE */
FAILS(not_in_set, assert_not_in_set(3, set, 2))               /* HERE */
FAILS(return_code, assert_return_code(-1, ENOENT))            /* HERE */
FAILS(fail, fail())                                           /* HERE */
FAILS(fail_msg, fail_msg("%s %d", "words", 1))                /* HERE */

static void skips_skip(void** state) {
  UNUSED(state);
  skip();
  fail();
}
static void passes_return_code_of_any_width(void** state) {
  const char narrow = 3;
  const int wide = 0x7FFFFFFE;
  UNUSED(state);
  assert_return_code(narrow, 0);
  assert_return_code(wide, 0);
}
static void fails_narrow_return_code(void** state) {
  const signed char narrow = -2;
  UNUSED(state);
  assert_return_code(narrow, 0); /* HERE */
}

/* Values that mocks return. */
static void passes_values_in_their_order(void** state) {
  UNUSED(state);
  will_return(answer, 1);
  will_return_count(answer, 2, 2);
  will_return(word, "text");
  assert_int_equal(answer(), 1);
  assert_int_equal(answer(), 2);
  assert_int_equal(answer(), 2);
  assert_string_equal(word(), "text");
}
static void passes_always(void** state) {
  UNUSED(state);
  will_return_always(answer, 7);
  assert_int_equal(answer() + answer() + answer(), 21);
}
static void passes_maybe(void** state) {
  UNUSED(state);
  will_return_maybe(answer, 7);
}
static void fails_always_that_is_never(void** state) {
  UNUSED(state);
  will_return_always(answer, 7); /* HERE */
}
static void fails_value_not_returned(void** state) {
  UNUSED(state);
  will_return(answer, 1); /* HERE */
}
static void fails_value_not_returned_often_enough(void** state) {
  UNUSED(state);
  will_return_count(answer, 1, 2); /* HERE */
  answer();
}
static void fails_mock_without_a_value(void** state) {
  UNUSED(state);
  answer();
}
static void fails_mock_without_a_value_any_more(void** state) {
  UNUSED(state);
  will_return(answer, 1);
  answer();
  answer();
}
static void fails_mock_whose_value_is_anothers(void** state) {
  UNUSED(state);
  will_return(word, 1);
  answer();
}
static void passes_queues_are_empty_in_the_next_test(void** state) {
  UNUSED(state);
  will_return(answer, 5);
  assert_int_equal(answer(), 5);
}

/* What mocks are called with. */
static void passes_parameters(void** state) {
  UNUSED(state);
  expect_string(fetch, name, "x");
  expect_value(fetch, depth, 2);
  will_return(fetch, 3);
  assert_int_equal(fetch("x", 2), 3);
}
static void passes_every_kind_of_check(void** state) {
  const LargestIntegralType set[] = {1, 3};
  UNUSED(state);
  expect_value(take, value, 1);
  expect_not_value(take, value, 1);
  expect_in_range(take, value, 1, 3);
  expect_not_in_range(take, value, 1, 3);
  expect_in_set(take, value, set);
  expect_not_in_set(take, value, set);
  expect_any(take, value);
  expect_check(take, value, is_even, 2);
  take(1), take(2), take(3), take(4), take(3), take(2), take(9), take(8);
  expect_string(take_text, text, "a");
  expect_not_string(take_text, text, "a");
  expect_memory(take_text, text, "ab", 2);
  expect_not_memory(take_text, text, "ab", 2);
  take_text("a"), take_text("b"), take_text("abc"), take_text("bb");
}
static void passes_counted_checks(void** state) {
  const LargestIntegralType set[] = {1, 3};
  UNUSED(state);
  expect_value_count(take, value, 1, 2);
  expect_not_value_count(take, value, 1, 1);
  expect_in_range_count(take, value, 1, 3, 1);
  expect_not_in_range_count(take, value, 1, 3, 1);
  expect_in_set_count(take, value, set, 1);
  expect_not_in_set_count(take, value, set, 1);
  expect_any_count(take, value, 2);
  take(1), take(1), take(2), take(3), take(4), take(3), take(2), take(9), take(8);
  expect_string_count(take_text, text, "a", 2);
  expect_not_string_count(take_text, text, "a", 1);
  expect_memory_count(take_text, text, "ab", 2, 1);
  expect_not_memory_count(take_text, text, "ab", 2, 1);
  take_text("a"), take_text("a"), take_text("b"), take_text("abc"), take_text("bb");
  expect_any_always(take, value);
  take(1), take(2);
}
static void passes_memory_as_it_was(void** state) {
  char memory[] = "ab";
  LargestIntegralType set[] = {4};
  UNUSED(state);
  expect_memory(take_text, text, memory, 2);
  expect_in_set(take, value, set);
  memory[0] = 'x';
  set[0] = 5;
  take_text("ab");
  take(4);
}
#define FAILS_CHECK(name, expectation, call)  \
  static void fails_##name(void** state) {    \
    const LargestIntegralType set[] = {1, 3}; \
    UNUSED(state);                            \
    UNUSED(set);                              \
    expectation;                              \
    call;                                     \
  }
FAILS_CHECK(expect_value, expect_value(take, value, 1), take(2))
FAILS_CHECK(expect_not_value, expect_not_value(take, value, 1), take(1))
FAILS_CHECK(expect_in_range, expect_in_range(take, value, 1, 3), take(4))
FAILS_CHECK(expect_not_in_range, expect_not_in_range(take, value, 1, 3), take(3))
FAILS_CHECK(expect_in_set, expect_in_set(take, value, set), take(2))
FAILS_CHECK(expect_not_in_set, expect_not_in_set(take, value, set), take(3))
FAILS_CHECK(expect_check, expect_check(take, value, is_even, 2), take(3))
FAILS_CHECK(check_that_asserts, expect_check(take, value, assert_even, 2), take(3))
FAILS_CHECK(expect_string, expect_string(take_text, text, "a"), take_text("b"))
FAILS_CHECK(expect_not_string, expect_not_string(take_text, text, "a"), take_text("a"))
FAILS_CHECK(expect_memory, expect_memory(take_text, text, "ab", 2), take_text("aa"))
FAILS_CHECK(expect_not_memory, expect_not_memory(take_text, text, "ab", 2), take_text("abc"))
FAILS_CHECK(expectation_not_met, expect_value(take, value, 1), UNUSED(set))
FAILS_CHECK(expectation_not_met_twice, expect_value_count(take, value, 1, 2), take(1))
FAILS_CHECK(expectation_always_never_met, expect_any_always(take, value), UNUSED(set))
FAILS_CHECK(parameter_not_expected, UNUSED(set), take(1))
FAILS_CHECK(parameter_of_another, expect_value(fetch, depth, 1), take(1))

/* The order of calls. */
static void passes_calls_in_order(void** state) {
  UNUSED(state);
  expect_function_call(first);
  expect_function_calls(second, 2);
  expect_function_call(first);
  first(), second(), second(), first();
}
static void passes_calls_ignored(void** state) {
  UNUSED(state);
  ignore_function_calls(second);
  expect_function_call(first);
  second(), first(), second();
}
static void passes_calls_ignored_that_never_come(void** state) {
  UNUSED(state);
  ignore_function_calls(second);
  expect_function_call(first);
  first();
}
static void passes_call_any(void** state) {
  UNUSED(state);
  expect_function_call_any(first);
  first(), first(), first();
}
FAILS_CHECK(call_not_expected, UNUSED(set), first())
FAILS_CHECK(call_missing, expect_function_call(first), UNUSED(set))
FAILS_CHECK(call_any_missing, expect_function_call_any(first), UNUSED(set))
FAILS_CHECK(call_of_another, expect_function_call(first), second())
FAILS_CHECK(call_too_many, expect_function_call(first), (first(), first()))
FAILS_CHECK(call_not_among_the_ignored, ignore_function_calls(first), second())

/* Memory. */
static void passes_memory_given_back(void** state) {
  char* text = test_malloc(3);
  int* numbers = test_calloc(2, sizeof(int));
  UNUSED(state);
  assert_int_equal(numbers[1], 0);
  text[2] = 'c';
  text = test_realloc(text, 30);
  assert_int_equal(text[2], 'c');
  test_free(text);
  test_free(numbers);
  test_free(NULL);
}
static void fails_memory_leaked(void** state) {
  UNUSED(state);
  assert_non_null(test_malloc(3)); /* HERE */
}
static void fails_memory_written_behind(void** state) {
  volatile char* text = test_malloc(3); /* HERE */
  UNUSED(state);
  text[3] = 'x';
  test_free((char*)text);
}

static int allocate(void** state) {
  *state = test_malloc(5);
  return 0;
}
static int give_back(void** state) {
  test_free(*state);
  return 0;
}
static int keep(void** state) {
  UNUSED(state);
  return 0;
}
static void passes_memory_of_the_setup(void** state) { assert_non_null(*state); }
static void fails_memory_of_the_setup_kept(void** state) { UNUSED(state); }

/* Failed assertions of the code under test. */
static void stop_if(int condition) { mock_assert(!condition, "!condition", "stop_if.c", 7); }
static void passes_expected_assertion(void** state) {
  UNUSED(state);
  expect_assert_failure(stop_if(1));
}
static void fails_expected_assertion_holds(void** state) {
  UNUSED(state);
  expect_assert_failure(stop_if(0)); /* HERE */
}
static void fails_assertion_not_expected(void** state) {
  UNUSED(state);
  stop_if(1);
}

/* Fixtures. */
static int trace;
static int set_up(void** state) {
  trace = 1;
  *state = &trace;
  return 0;
}
static int tear_down(void** state) {
  assert_ptr_equal(*state, &trace);
  trace = 0;
  return 0;
}
static int refuse(void** state) {
  UNUSED(state);
  return -1;
}
static int refuse_by_assertion(void** state) {
  UNUSED(state);
  assert_int_equal(1, 2); /* HERE */
  return 0;
}
static void passes_with_fixtures(void** state) { assert_int_equal(*(int*)*state, 1); }
static void passes_teardown_came(void** state) {
  UNUSED(state);
  assert_int_equal(trace, 0);
}
static void fails_between_fixtures(void** state) {
  UNUSED(state);
  fail(); /* HERE */
}
static void passes_teardown_came_after_failure(void** state) {
  UNUSED(state);
  assert_int_equal(trace, 0);
}
static void fails_setup_refuses(void** state) {
  UNUSED(state);
  trace = 5;
}
static void passes_test_of_refused_setup_did_not_run(void** state) {
  UNUSED(state);
  assert_int_equal(trace, 0);
}
static void fails_setup_asserts(void** state) { UNUSED(state); }
static void fails_teardown_refuses(void** state) { UNUSED(state); }
static void fails_teardown_asserts(void** state) { UNUSED(state); }
static char prestate[] = "prestate";
static void passes_prestate(void** state) { assert_ptr_equal(*state, prestate); }
static int prestate_set_up(void** state) {
  assert_ptr_equal(*state, prestate);
  *state = &trace;
  return 0;
}
static void passes_prestate_replaced(void** state) { assert_ptr_equal(*state, &trace); }
static int will_return_in_setup(void** state) {
  UNUSED(state);
  will_return(answer, 1);
  return 0;
}
static void fails_value_queued_in_setup(void** state) {
  UNUSED(state);
  answer();
}

static char of_group[] = "of the group";
static int group_set_up(void** state) {
  *state = of_group;
  return 0;
}
static int group_tear_down(void** state) { return *state == of_group ? 0 : -1; }
static void passes_state_of_the_group(void** state) {
  assert_ptr_equal(*state, of_group);
  *state = NULL; /* a copy of the group's */
}

#define T(test) cmocka_unit_test(test)
static int all(void) {
  const struct CMUnitTest verdicts[] = {
      T(passes_what_holds),
      T(fails_true),
      T(fails_false),
      T(fails_non_null),
      T(fails_null),
      T(fails_ptr_equal),
      T(fails_ptr_not_equal),
      T(fails_int_equal),
      T(fails_int_not_equal),
      T(fails_float_equal),
      T(fails_float_not_equal),
      T(fails_string_equal),
      T(fails_string_not_equal),
      T(fails_memory_equal),
      T(fails_memory_not_equal),
      T(fails_in_range),
      T(fails_not_in_range),
      T(fails_in_set),
      T(fails_not_in_set),
      T(fails_return_code),
      T(fails_fail),
      T(fails_fail_msg),
      T(skips_skip),
      T(passes_return_code_of_any_width),
      T(fails_narrow_return_code),
      T(passes_values_in_their_order),
      T(passes_always),
      T(passes_maybe),
      T(fails_always_that_is_never),
      T(fails_value_not_returned),
      T(fails_value_not_returned_often_enough),
      T(fails_mock_without_a_value),
      T(fails_mock_without_a_value_any_more),
      T(fails_mock_whose_value_is_anothers),
      T(passes_queues_are_empty_in_the_next_test),
      T(passes_parameters),
      T(passes_every_kind_of_check),
      T(passes_counted_checks),
      T(passes_memory_as_it_was),
      T(fails_expect_value),
      T(fails_expect_not_value),
      T(fails_expect_in_range),
      T(fails_expect_not_in_range),
      T(fails_expect_in_set),
      T(fails_expect_not_in_set),
      T(fails_expect_check),
      T(fails_check_that_asserts),
      T(fails_expect_string),
      T(fails_expect_not_string),
      T(fails_expect_memory),
      T(fails_expect_not_memory),
      T(fails_expectation_not_met),
      T(fails_expectation_not_met_twice),
      T(fails_expectation_always_never_met),
      T(fails_parameter_not_expected),
      T(fails_parameter_of_another),
      T(passes_calls_in_order),
      T(passes_calls_ignored),
      T(passes_calls_ignored_that_never_come),
      T(passes_call_any),
      T(fails_call_not_expected),
      T(fails_call_missing),
      T(fails_call_any_missing),
      T(fails_call_of_another),
      T(fails_call_too_many),
      T(fails_call_not_among_the_ignored),
      T(passes_memory_given_back),
      T(fails_memory_leaked),
      T(fails_memory_written_behind),
      cmocka_unit_test_setup_teardown(passes_memory_of_the_setup, allocate, give_back),
      cmocka_unit_test_setup_teardown(fails_memory_of_the_setup_kept, allocate, keep),
      T(passes_expected_assertion),
      T(fails_expected_assertion_holds),
      T(fails_assertion_not_expected),
      cmocka_unit_test_setup_teardown(passes_with_fixtures, set_up, tear_down),
      T(passes_teardown_came),
      cmocka_unit_test_setup_teardown(fails_between_fixtures, set_up, tear_down),
      T(passes_teardown_came_after_failure),
      cmocka_unit_test_setup_teardown(fails_setup_refuses, refuse, tear_down),
      T(passes_test_of_refused_setup_did_not_run),
      cmocka_unit_test_setup(fails_setup_asserts, refuse_by_assertion),
      cmocka_unit_test_teardown(fails_teardown_refuses, refuse),
      cmocka_unit_test_teardown(fails_teardown_asserts, refuse_by_assertion),
      cmocka_unit_test_prestate(passes_prestate, prestate),
      cmocka_unit_test_prestate_setup_teardown(passes_prestate_replaced, prestate_set_up, NULL,
                                               prestate),
      cmocka_unit_test_setup(fails_value_queued_in_setup, will_return_in_setup)};
  const struct CMUnitTest of_a_group[] = {
      cmocka_unit_test(passes_state_of_the_group),
      {"passes_state_of_the_group_again", passes_state_of_the_group, NULL, NULL, NULL},
      {"passes_state_of_the_group_before_its_own", passes_state_of_the_group, NULL, NULL, prestate},
  };
  return cmocka_run_group_tests(verdicts, NULL, NULL) +
         cmocka_run_group_tests_name("a group", of_a_group, group_set_up, group_tear_down);
}

/* Groups whose fixtures fail. */
static void is_run(void** state) {
  UNUSED(state);
  print_message("a test of the group was run\n");
}
static int groups(const char* which) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(is_run)};
  if (strcmp(which, "group-setup-refuses") == 0) return cmocka_run_group_tests(tests, refuse, NULL);
  if (strcmp(which, "group-setup-asserts") == 0)
    return cmocka_run_group_tests(tests, refuse_by_assertion, NULL);
  if (strcmp(which, "group-teardown-refuses") == 0)
    return cmocka_run_group_tests(tests, NULL, refuse);
  return cmocka_run_group_tests(tests, NULL, refuse_by_assertion);
}

/* Nothing, or a pattern of tests, or "group-..." */
int main(int argc, char** argv) {
  const char* which = argc > 1 ? argv[1] : "*";
  if (strncmp(which, "group-", 6) == 0) return groups(which);
  cmocka_set_test_filter(which);
  return all();
}
