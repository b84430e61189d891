// Groups of C tests as suites of GoogleTest: how they are registered, run and left.
#include <fnmatch.h>
#include <gtest/gtest.h>

#include <cctype>
#include <csetjmp>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <set>
#include <span>
#include <vector>

#include "layer.hpp"

namespace drover::cmocka {
namespace {

struct Group {
  std::string suite;
  CMFixtureFunction setup = nullptr;
  CMFixtureFunction teardown = nullptr;
  void* state = nullptr;
  int failed_fixtures = 0;
};

// What the functions of a C API without a context share. Of the process.
struct Run {
  std::jmp_buf way_out{};  // of the C function that runs
  bool is_inside = false;  // of one
  bool is_skipped = false;
  std::jmp_buf assertion{};  // where expect_assert_failure waits
  bool awaits_assertion = false;
  std::string test_filter = "*";
  std::string skip_filter;
  std::set<std::string> suites;  // of all groups
  Group none{};
  Group* group = &none;  // the one that is run
};

Run& run() {
  static Run the_run;
  return the_run;
}

// In a frame of its own, which owns nothing. False when call() was left.
template <class Call>
[[gnu::noinline]] bool returns(const Call& call) {
  if (setjmp(run().way_out) != 0) return false;
  call();
  return true;
}

// A function of a test, with nothing that mocks were told before it, nor after it.
template <class Call>
bool succeeds(const Call& call) {
  forget_mocks();
  run().is_inside = true;
  run().awaits_assertion = false;
  bool is_good = returns(call);
  run().is_inside = false;
  if (is_good) is_good = is_nothing_left();
  forget_mocks();
  return is_good;
}

bool fixture_succeeds(CMFixtureFunction fixture, void** state) {
  int answer = 0;
  return fixture == nullptr || (succeeds([&] { answer = fixture(state); }) && answer == 0);
}

class CTest : public testing::Test {
 public:
  CTest(const CMUnitTest& test, const Group& group) : test_(test), group_(group) {}

  // As libcmocka: no test without its setup, and no teardown without it either.
  void TestBody() override {
    void* state = group_.state != nullptr ? group_.state : test_.initial_state;
    const std::size_t mark = memory_mark();
    if (fixture_succeeds(test_.setup_func, &state)) {
      run_test(&state);
      tear_down(&state);
      if (!HasFailure()) is_no_memory_left(mark);
    } else {
      ADD_FAILURE() << "the setup has failed";
    }
    free_memory(mark);
    if (std::exchange(run().is_skipped, false) && !HasFailure()) GTEST_SKIP();
  }

 private:
  void run_test(void** state) {
    const std::size_t mark = memory_mark();
    if (succeeds([&] { test_.test_func(state); })) is_no_memory_left(mark);
  }
  void tear_down(void** state) {
    if (!fixture_succeeds(test_.teardown_func, state)) ADD_FAILURE() << "the teardown has failed";
  }

  CMUnitTest test_;
  const Group& group_;
};

// The fixtures of whichever group is run: GoogleTest leaves the tests out when a setup fails.
class Fixtures : public testing::Environment {
 public:
  void SetUp() override {
    if (fixture_succeeds(run().group->setup, &run().group->state)) return;
    ++run().group->failed_fixtures;
    FAIL() << "the group's setup has failed";
  }
  void TearDown() override {
    if (fixture_succeeds(run().group->teardown, &run().group->state)) return;
    ++run().group->failed_fixtures;
    FAIL() << "the group's teardown has failed";
  }
};

bool matches(const std::string& pattern, const char* name) {
  return fnmatch(pattern.c_str(), name, 0) == 0;
}
bool is_chosen(const char* name) {
  return matches(run().test_filter, name) && !matches(run().skip_filter, name);
}

// What GoogleTest's filters can name, and none of those that there are.
std::string unique_name(const std::string& wanted, const std::set<std::string>& taken) {
  std::string name = wanted;
  for (char& each : name) {
    if (std::isalnum(static_cast<unsigned char>(each)) == 0) each = '_';
  }
  std::string unique = name;
  for (int next = 2; taken.contains(unique); ++next) unique = name + "_" + std::to_string(next);
  return unique;
}

void add_tests(std::span<const CMUnitTest> tests, const Group& group) {
  std::set<std::string> names;
  for (const CMUnitTest& test : tests) {
    if (!is_chosen(test.name)) continue;
    const std::string name = unique_name(test.name, names);
    names.insert(name);
    testing::RegisterTest(group.suite.c_str(), name.c_str(), nullptr, nullptr, __FILE__, __LINE__,
                          [test, &group]() -> testing::Test* { return new CTest(test, group); });
  }
}

// With the program's own arguments, which cmocka's API does not pass on.
void start_googletest() {
  std::ifstream file("/proc/self/cmdline", std::ios::binary);
  std::string all{std::istreambuf_iterator<char>(file), {}};
  std::vector<char*> arguments;
  for (std::size_t at = 0; at < all.size(); at = all.find('\0', at) + 1) {
    arguments.push_back(all.data() + at);
  }
  int count = static_cast<int>(arguments.size());
  arguments.push_back(nullptr);
  testing::InitGoogleTest(&count, arguments.data());
  testing::AddGlobalTestEnvironment(new Fixtures);  // GoogleTest's from here on
}

// What GoogleTest has run in former groups is not run again.
void leave_out(const std::string& suite) {
  std::string filter = GTEST_FLAG_GET(filter);
  filter += filter.find('-') == std::string::npos ? '-' : ':';
  GTEST_FLAG_SET(filter, filter + suite + ".*");
}

int failed_tests_of(const std::string& suite) {
  const testing::UnitTest& all = *testing::UnitTest::GetInstance();
  for (int i = 0; i < all.total_test_suite_count(); ++i) {
    if (all.GetTestSuite(i)->name() == suite) return all.GetTestSuite(i)->failed_test_count();
  }
  return 0;
}

int run_group(Group& group) {
  run().group = &group;
  const bool is_red = RUN_ALL_TESTS() != 0;
  leave_out(group.suite);
  const int failed = failed_tests_of(group.suite) + group.failed_fixtures;
  return failed == 0 && is_red ? 1 : failed;
}

}  // namespace

std::string at(Place place) { return std::string(place.file) + ":" + std::to_string(place.line); }

bool told(Place place, const std::string& complaint) {
  if (complaint.empty()) return false;
  ADD_FAILURE_AT(place.file, place.line) << complaint;
  return true;
}

void leave() {
  if (!run().is_inside) std::abort();  // in no test: there is nowhere to go
  std::longjmp(run().way_out, 1);
}

}  // namespace drover::cmocka

using namespace drover::cmocka;

extern "C" {

int drover_cmocka_run(const char* name, const CMUnitTest* tests, size_t count,
                      CMFixtureFunction setup, CMFixtureFunction teardown) {
  if (run().suites.empty()) start_googletest();
  // GoogleTest keeps the tests, which refer to it, until the end.
  static std::vector<std::unique_ptr<Group>> groups;
  groups.push_back(
      std::make_unique<Group>(Group{unique_name(name, run().suites), setup, teardown, nullptr, 0}));
  Group& group = *groups.back();
  run().suites.insert(group.suite);
  add_tests({tests, count}, group);
  return run_group(group);
}

void cmocka_set_test_filter(const char* pattern) {
  run().test_filter = pattern == nullptr ? "*" : pattern;
}
void cmocka_set_skip_filter(const char* pattern) {
  run().skip_filter = pattern == nullptr ? "" : pattern;
}
void cmocka_set_message_output(enum cm_message_output /*output*/) {}

void vprint_message(const char* format, va_list arguments) {
  static_cast<void>(std::vfprintf(stdout, format, arguments));
}
void vprint_error(const char* format, va_list arguments) {
  static_cast<void>(std::vfprintf(stderr, format, arguments));
}
void print_message(const char* format, ...) {
  va_list arguments;
  va_start(arguments, format);
  static_cast<void>(std::vfprintf(stdout, format, arguments));
  va_end(arguments);
}
void print_error(const char* format, ...) {
  va_list arguments;
  va_start(arguments, format);
  static_cast<void>(std::vfprintf(stderr, format, arguments));
  va_end(arguments);
}

void drover_cmocka_skip() {
  run().is_skipped = true;
  leave();
}

void mock_assert(int result, const char* expression, const char* file, int line) {
  if (result != 0) return;
  if (std::exchange(run().awaits_assertion, false)) std::longjmp(run().assertion, 1);
  told({file, line}, std::string("assertion: ") + expression);
  leave();
}

jmp_buf* drover_cmocka_await_assertion() {
  run().awaits_assertion = true;
  return &run().assertion;
}

void drover_cmocka_assertion_missing(const char* call, const char* file, int line) {
  run().awaits_assertion = false;
  told({file, line}, std::string("no assertion failed in ") + call);
  leave();
}

}  // extern "C"
