/* The API of cmocka 1.1 (https://api.cmocka.org) over GoogleTest: a test in C that is written for
 * libcmocka builds with this header and libdrover-cmocka in its place, unchanged. Its groups are
 * suites of GoogleTest, with the flags, filters and reports of that; a failure is told with the
 * line of the C source, and leaves the test function as libcmocka does, by longjmp.
 *
 * What differs: a crash ends the program, as in GoogleTest, and is not a failed test among others;
 * a group's teardown that fails is a failure of the program; CMOCKA_* of the environment and
 * cmocka_set_message_output do nothing, for GoogleTest has its own; the functions that cmocka calls
 * deprecated (unit_test, run_tests) are not there.
 *
 * The words used for libcmocka's: 0 passes, `count` is how often something comes, -1 for always and
 * at least once (WILL_RETURN_ALWAYS), -2 for any number of times (WILL_RETURN_ONCE). */
#ifndef DROVER_CMOCKA_H
#define DROVER_CMOCKA_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef uintmax_t LargestIntegralType;
#define LargestIntegralTypePrintfFormat "%#jx"
#define LargestIntegralTypePrintfFormatDecimal "%ju"
#define cast_to_largest_integral_type(value) ((LargestIntegralType)(value))
#define cast_to_pointer_integral_type(value) ((uintptr_t)(value))
#define cast_ptr_to_largest_integral_type(value) \
  cast_to_largest_integral_type(cast_to_pointer_integral_type(value))

#define WILL_RETURN_ALWAYS (-1)
#define WILL_RETURN_ONCE (-2)

/* Groups and their tests. */

typedef void (*CMUnitTestFunction)(void** state);
typedef int (*CMFixtureFunction)(void** state);
struct CMUnitTest {
  const char* name;
  CMUnitTestFunction test_func;
  CMFixtureFunction setup_func;
  CMFixtureFunction teardown_func;
  void* initial_state; /* of a test whose group has none */
};

#define cmocka_unit_test(f) cmocka_unit_test_prestate_setup_teardown(f, NULL, NULL, NULL)
#define cmocka_unit_test_setup(f, setup) \
  cmocka_unit_test_prestate_setup_teardown(f, setup, NULL, NULL)
#define cmocka_unit_test_teardown(f, teardown) \
  cmocka_unit_test_prestate_setup_teardown(f, NULL, teardown, NULL)
#define cmocka_unit_test_setup_teardown(f, setup, teardown) \
  cmocka_unit_test_prestate_setup_teardown(f, setup, teardown, NULL)
#define cmocka_unit_test_prestate(f, state) \
  cmocka_unit_test_prestate_setup_teardown(f, NULL, NULL, state)
#define cmocka_unit_test_prestate_setup_teardown(f, setup, teardown, state) \
  { #f, f, setup, teardown, state }

/* Runs a group; how many of its tests and fixtures have failed. */
#define cmocka_run_group_tests(group_tests, group_setup, group_teardown) \
  cmocka_run_group_tests_name(#group_tests, group_tests, group_setup, group_teardown)
#define cmocka_run_group_tests_name(group_name, group_tests, group_setup, group_teardown)    \
  drover_cmocka_run(group_name, group_tests, sizeof(group_tests) / sizeof((group_tests)[0]), \
                    group_setup, group_teardown)
int drover_cmocka_run(const char* name, const struct CMUnitTest* tests, size_t count,
                      CMFixtureFunction setup, CMFixtureFunction teardown);

/* Patterns with * and ? of the names of tests that are run, and of those that are not. */
void cmocka_set_test_filter(const char* pattern);
void cmocka_set_skip_filter(const char* pattern);

enum cm_message_output { CM_OUTPUT_STDOUT, CM_OUTPUT_SUBUNIT, CM_OUTPUT_TAP, CM_OUTPUT_XML };
void cmocka_set_message_output(enum cm_message_output output);

void print_message(const char* format, ...) __attribute__((format(printf, 1, 2)));
void print_error(const char* format, ...) __attribute__((format(printf, 1, 2)));
void vprint_message(const char* format, va_list arguments) __attribute__((format(printf, 1, 0)));
void vprint_error(const char* format, va_list arguments) __attribute__((format(printf, 1, 0)));

/* Assertions. What is 0 or 1 in front says whether it has to be so, or must not be. */

#define assert_true(c) drover_cmocka_assert(cast_to_largest_integral_type(c) != 0, #c, DROVER_HERE)
#define assert_false(c) drover_cmocka_assert(cast_to_largest_integral_type(c) == 0, #c, DROVER_HERE)
#define assert_non_null(c) \
  drover_cmocka_assert(cast_ptr_to_largest_integral_type(c) != 0, #c, DROVER_HERE)
#define assert_null(c) \
  drover_cmocka_assert(cast_ptr_to_largest_integral_type(c) == 0, #c, DROVER_HERE)
#define assert_ptr_equal(a, b)                                    \
  drover_cmocka_integers(1, cast_ptr_to_largest_integral_type(a), \
                         cast_ptr_to_largest_integral_type(b), DROVER_HERE)
#define assert_ptr_not_equal(a, b)                                \
  drover_cmocka_integers(0, cast_ptr_to_largest_integral_type(a), \
                         cast_ptr_to_largest_integral_type(b), DROVER_HERE)
#define assert_int_equal(a, b)                                                                  \
  drover_cmocka_integers(1, cast_to_largest_integral_type(a), cast_to_largest_integral_type(b), \
                         DROVER_HERE)
#define assert_int_not_equal(a, b)                                                              \
  drover_cmocka_integers(0, cast_to_largest_integral_type(a), cast_to_largest_integral_type(b), \
                         DROVER_HERE)
#define assert_float_equal(a, b, epsilon) \
  drover_cmocka_floats(1, (float)(a), (float)(b), (float)(epsilon), DROVER_HERE)
#define assert_float_not_equal(a, b, epsilon) \
  drover_cmocka_floats(0, (float)(a), (float)(b), (float)(epsilon), DROVER_HERE)
#define assert_string_equal(a, b) \
  drover_cmocka_strings(1, (const char*)(a), (const char*)(b), DROVER_HERE)
#define assert_string_not_equal(a, b) \
  drover_cmocka_strings(0, (const char*)(a), (const char*)(b), DROVER_HERE)
#define assert_memory_equal(a, b, size) \
  drover_cmocka_memory(1, (const void*)(a), (const void*)(b), size, DROVER_HERE)
#define assert_memory_not_equal(a, b, size) \
  drover_cmocka_memory(0, (const void*)(a), (const void*)(b), size, DROVER_HERE)
#define assert_in_range(value, minimum, maximum)               \
  drover_cmocka_range(1, cast_to_largest_integral_type(value), \
                      cast_to_largest_integral_type(minimum),  \
                      cast_to_largest_integral_type(maximum), DROVER_HERE)
#define assert_not_in_range(value, minimum, maximum)           \
  drover_cmocka_range(0, cast_to_largest_integral_type(value), \
                      cast_to_largest_integral_type(minimum),  \
                      cast_to_largest_integral_type(maximum), DROVER_HERE)
#define assert_in_set(value, values, number_of_values) \
  drover_cmocka_set(1, cast_to_largest_integral_type(value), values, number_of_values, DROVER_HERE)
#define assert_not_in_set(value, values, number_of_values) \
  drover_cmocka_set(0, cast_to_largest_integral_type(value), values, number_of_values, DROVER_HERE)
/* What a system call has returned is not negative; `error` is an errno. */
#define assert_return_code(rc, error) \
  drover_cmocka_return_code((intmax_t)(rc), (int)(error), #rc, DROVER_HERE)
#define fail() drover_cmocka_fail(DROVER_HERE)
#define fail_msg(...) drover_cmocka_fail_msg(DROVER_HERE, __VA_ARGS__)
#define skip() drover_cmocka_skip()

#define DROVER_HERE __FILE__, __LINE__
void drover_cmocka_assert(int holds, const char* expression, const char* file, int line);
void drover_cmocka_integers(int equal, LargestIntegralType a, LargestIntegralType b,
                            const char* file, int line);
void drover_cmocka_floats(int equal, float a, float b, float epsilon, const char* file, int line);
void drover_cmocka_strings(int equal, const char* a, const char* b, const char* file, int line);
void drover_cmocka_memory(int equal, const void* a, const void* b, size_t size, const char* file,
                          int line);
void drover_cmocka_range(int inside, LargestIntegralType value, LargestIntegralType minimum,
                         LargestIntegralType maximum, const char* file, int line);
void drover_cmocka_set(int inside, LargestIntegralType value, const LargestIntegralType values[],
                       size_t count, const char* file, int line);
void drover_cmocka_return_code(intmax_t code, int error, const char* expression, const char* file,
                               int line);
__attribute__((noreturn)) void drover_cmocka_fail(const char* file, int line);
__attribute__((noreturn, format(printf, 3, 4))) void drover_cmocka_fail_msg(const char* file,
                                                                            int line,
                                                                            const char* format,
                                                                            ...);
__attribute__((noreturn)) void drover_cmocka_skip(void);

/* Mocks: what they return, in the order in which it was said. */

#define mock() drover_cmocka_mock(__func__, DROVER_HERE)
#define mock_type(type) ((type)mock())
#define mock_ptr_type(type) ((type)(uintptr_t)mock())
#define will_return(function, value) will_return_count(function, value, 1)
#define will_return_always(function, value) will_return_count(function, value, WILL_RETURN_ALWAYS)
#define will_return_maybe(function, value) will_return_count(function, value, WILL_RETURN_ONCE)
#define will_return_count(function, value, count) \
  drover_cmocka_will_return(#function, DROVER_HERE, cast_to_largest_integral_type(value), count)
LargestIntegralType drover_cmocka_mock(const char* function, const char* file, int line);
void drover_cmocka_will_return(const char* function, const char* file, int line,
                               LargestIntegralType value, int count);

/* Mocks: what they are called with. */

typedef int (*CheckParameterValue)(const LargestIntegralType value,
                                   const LargestIntegralType check_value_data);

#define check_expected(parameter) \
  drover_cmocka_check(__func__, #parameter, DROVER_HERE, cast_to_largest_integral_type(parameter))
#define check_expected_ptr(parameter)                    \
  drover_cmocka_check(__func__, #parameter, DROVER_HERE, \
                      cast_ptr_to_largest_integral_type(parameter))

#define expect_value(f, p, value) expect_value_count(f, p, value, 1)
#define expect_not_value(f, p, value) expect_not_value_count(f, p, value, 1)
#define expect_string(f, p, string) expect_string_count(f, p, string, 1)
#define expect_not_string(f, p, string) expect_not_string_count(f, p, string, 1)
#define expect_memory(f, p, memory, size) expect_memory_count(f, p, memory, size, 1)
#define expect_not_memory(f, p, memory, size) expect_not_memory_count(f, p, memory, size, 1)
#define expect_in_range(f, p, minimum, maximum) expect_in_range_count(f, p, minimum, maximum, 1)
#define expect_not_in_range(f, p, minimum, maximum) \
  expect_not_in_range_count(f, p, minimum, maximum, 1)
#define expect_in_set(f, p, value_array) expect_in_set_count(f, p, value_array, 1)
#define expect_not_in_set(f, p, value_array) expect_not_in_set_count(f, p, value_array, 1)
#define expect_any(f, p) expect_any_count(f, p, 1)
#define expect_any_always(f, p) expect_any_count(f, p, WILL_RETURN_ALWAYS)

#define expect_value_count(f, p, value, count)                     \
  drover_cmocka_expect_value(#f, #p, DROVER_HERE, (int)(count), 1, \
                             cast_to_largest_integral_type(value))
#define expect_not_value_count(f, p, value, count)                 \
  drover_cmocka_expect_value(#f, #p, DROVER_HERE, (int)(count), 0, \
                             cast_to_largest_integral_type(value))
#define expect_string_count(f, p, string, count) \
  drover_cmocka_expect_string(#f, #p, DROVER_HERE, (int)(count), 1, (const char*)(string))
#define expect_not_string_count(f, p, string, count) \
  drover_cmocka_expect_string(#f, #p, DROVER_HERE, (int)(count), 0, (const char*)(string))
#define expect_memory_count(f, p, memory, size, count) \
  drover_cmocka_expect_memory(#f, #p, DROVER_HERE, (int)(count), 1, (const void*)(memory), size)
#define expect_not_memory_count(f, p, memory, size, count) \
  drover_cmocka_expect_memory(#f, #p, DROVER_HERE, (int)(count), 0, (const void*)(memory), size)
#define expect_in_range_count(f, p, minimum, maximum, count)         \
  drover_cmocka_expect_range(#f, #p, DROVER_HERE, (int)(count), 1,   \
                             cast_to_largest_integral_type(minimum), \
                             cast_to_largest_integral_type(maximum))
#define expect_not_in_range_count(f, p, minimum, maximum, count)     \
  drover_cmocka_expect_range(#f, #p, DROVER_HERE, (int)(count), 0,   \
                             cast_to_largest_integral_type(minimum), \
                             cast_to_largest_integral_type(maximum))
#define expect_in_set_count(f, p, value_array, count)                         \
  drover_cmocka_expect_set(#f, #p, DROVER_HERE, (int)(count), 1, value_array, \
                           sizeof(value_array) / sizeof((value_array)[0]))
#define expect_not_in_set_count(f, p, value_array, count)                     \
  drover_cmocka_expect_set(#f, #p, DROVER_HERE, (int)(count), 0, value_array, \
                           sizeof(value_array) / sizeof((value_array)[0]))
#define expect_any_count(f, p, count) drover_cmocka_expect_any(#f, #p, DROVER_HERE, (int)(count))
#define expect_check(f, p, check_function, check_data)            \
  drover_cmocka_expect_check(#f, #p, DROVER_HERE, check_function, \
                             cast_to_largest_integral_type(check_data))

void drover_cmocka_check(const char* function, const char* parameter, const char* file, int line,
                         LargestIntegralType value);
void drover_cmocka_expect_value(const char* function, const char* parameter, const char* file,
                                int line, int count, int equal, LargestIntegralType value);
void drover_cmocka_expect_string(const char* function, const char* parameter, const char* file,
                                 int line, int count, int equal, const char* string);
void drover_cmocka_expect_memory(const char* function, const char* parameter, const char* file,
                                 int line, int count, int equal, const void* memory, size_t size);
void drover_cmocka_expect_range(const char* function, const char* parameter, const char* file,
                                int line, int count, int inside, LargestIntegralType minimum,
                                LargestIntegralType maximum);
void drover_cmocka_expect_set(const char* function, const char* parameter, const char* file,
                              int line, int count, int inside, const LargestIntegralType values[],
                              size_t value_count);
void drover_cmocka_expect_any(const char* function, const char* parameter, const char* file,
                              int line, int count);
void drover_cmocka_expect_check(const char* function, const char* parameter, const char* file,
                                int line, CheckParameterValue check, LargestIntegralType data);

/* Mocks: in which order they are called. */

#define function_called() drover_cmocka_function_called(__func__, DROVER_HERE)
#define expect_function_call(function) expect_function_calls(function, 1)
#define expect_function_calls(function, times) \
  drover_cmocka_expect_calls(#function, DROVER_HERE, times)
#define expect_function_call_any(function) expect_function_calls(function, -1)
#define ignore_function_calls(function) expect_function_calls(function, -2)
void drover_cmocka_function_called(const char* function, const char* file, int line);
void drover_cmocka_expect_calls(const char* function, const char* file, int line, int times);

/* Memory that a test has to give back, with guards around it. */

#define test_malloc(size) drover_cmocka_malloc(size, DROVER_HERE)
#define test_calloc(number, size) drover_cmocka_calloc(number, size, DROVER_HERE)
#define test_realloc(pointer, size) drover_cmocka_realloc(pointer, size, DROVER_HERE)
#define test_free(pointer) drover_cmocka_free(pointer, DROVER_HERE)
void* drover_cmocka_malloc(size_t size, const char* file, int line);
void* drover_cmocka_calloc(size_t number, size_t size, const char* file, int line);
void* drover_cmocka_realloc(void* pointer, size_t size, const char* file, int line);
void drover_cmocka_free(void* pointer, const char* file, int line);
#if defined(UNIT_TESTING) && UNIT_TESTING
#define malloc test_malloc
#define calloc test_calloc
#define realloc test_realloc
#define free test_free
#endif

/* What the code under test takes for assert(3). */

void mock_assert(int result, const char* expression, const char* file, int line);
#define expect_assert_failure(function_call)                        \
  do {                                                              \
    if (setjmp(*drover_cmocka_await_assertion()) == 0) {            \
      function_call;                                                \
      drover_cmocka_assertion_missing(#function_call, DROVER_HERE); \
    }                                                               \
  } while (0)
jmp_buf* drover_cmocka_await_assertion(void);
void drover_cmocka_assertion_missing(const char* call, const char* file, int line);

#ifdef __cplusplus
}
#endif

#endif
