// What a test tells its mocks: what to return, what to be called with, in which order to be called.
#include <cstring>
#include <deque>
#include <functional>
#include <map>
#include <utility>
#include <vector>

#include "layer.hpp"

namespace drover::cmocka {
namespace {

constexpr int kAlways = WILL_RETURN_ALWAYS;  // and at least once
constexpr int kMaybe = WILL_RETURN_ONCE;     // any number of times

// What is asked for by `count`, and is due until it has come so often.
struct Due {
  Place place;
  int count;

  [[nodiscard]] bool is_wanted() const { return count == kAlways || count > 0; }
  // It has come; true: it is done with.
  bool comes() {
    if (count == kAlways) count = kMaybe;
    return count > 0 && --count == 0;
  }
};

struct Value : Due {
  LargestIntegralType value;
};
// A function of the user's, asked by nobody who owns anything: it may leave the test.
struct UserCheck {
  CheckParameterValue function = nullptr;
  LargestIntegralType data = 0;
};
struct Check : Due {
  std::function<std::string(LargestIntegralType)> complain;
  UserCheck user;
};
struct Call : Due {
  std::string function;
};

// The notes of the running test. cmocka's API has no place for it but the process.
struct Notes {
  std::map<std::string, std::deque<Value>> values;                          // by function
  std::map<std::pair<std::string, std::string>, std::deque<Check>> checks;  // and parameter
  std::deque<Call> calls;
};

Notes& notes() {
  static Notes all;
  return all;
}

// The front of the queue comes; what it is then is in `copy`.
template <class Entry>
bool take(std::deque<Entry>& queue, Entry& copy) {
  if (queue.empty()) return false;
  copy = queue.front();
  if (queue.front().comes()) queue.pop_front();
  return true;
}

template <class Queue>
void tell_rest(const Queue& queue, const std::string& complaint) {
  for (const auto& each : queue) {
    if (each.is_wanted()) told(each.place, complaint);
  }
}

template <class Queue>
bool is_any_wanted(const Queue& queue) {
  for (const auto& each : queue) {
    if (each.is_wanted()) return true;
  }
  return false;
}

bool is_complete(const Notes& all) {
  bool is_any = is_any_wanted(all.calls);
  for (const auto& entry : all.values) is_any = is_any || is_any_wanted(entry.second);
  for (const auto& entry : all.checks) is_any = is_any || is_any_wanted(entry.second);
  return !is_any;
}

bool take_value(const char* function, Place place, LargestIntegralType& value) {
  Value found{};
  if (!take(notes().values[function], found)) {
    told(place, std::string("mock() of ") + function + ": no value is left to return");
    return false;
  }
  value = found.value;
  return true;
}

std::string name_of(const char* function, const char* parameter) {
  return std::string(parameter) + " of " + function;
}

// False when it fails, which is told; what there is to ask beside is in `user`.
bool passes_check(const char* function, const char* parameter, Place place,
                  LargestIntegralType value, UserCheck& user) {
  const std::string what = name_of(function, parameter);
  Check check{};
  if (!take(notes().checks[{function, parameter}], check))
    return !told(place, "check_expected: nothing is expected of " + what);
  user = check.user;
  const std::string complaint = user.function == nullptr ? check.complain(value) : "";
  if (complaint.empty()) return true;
  return !told(place, what + ": " + complaint + ", expected at " + at(check.place));
}

void add_check(const char* function, const char* parameter, Due due,
               std::function<std::string(LargestIntegralType)> complain) {
  notes().checks[{function, parameter}].push_back({due, std::move(complain), {}});
}

// Those in front that may come or not are passed over.
bool passes_call(const char* function, Place place) {
  auto& calls = notes().calls;
  auto call = calls.begin();
  while (call != calls.end() && call->function != function && !call->is_wanted()) ++call;
  if (call == calls.end()) return !told(place, std::string("no call is expected of ") + function);
  if (call->function != function) {
    return !told(place, std::string("call of ") + function + ", expected is " + call->function +
                            " at " + at(call->place));
  }
  if (call->comes()) calls.erase(call);
  return true;
}

}  // namespace

bool is_nothing_left() {
  const Notes& all = notes();
  for (const auto& [function, values] : all.values)
    tell_rest(values, function + "() has not returned this");
  for (const auto& [name, checks] : all.checks)
    tell_rest(checks, "this was not checked: " + name.second + " of " + name.first);
  for (const Call& call : all.calls) {
    if (call.is_wanted()) told(call.place, call.function + "() was expected to be called");
  }
  return is_complete(all);
}

void forget_mocks() { notes() = {}; }

}  // namespace drover::cmocka

using namespace drover::cmocka;

extern "C" {

LargestIntegralType drover_cmocka_mock(const char* function, const char* file, int line) {
  LargestIntegralType value = 0;
  if (!take_value(function, {file, line}, value)) leave();
  return value;
}

void drover_cmocka_will_return(const char* function, const char* file, int line,
                               LargestIntegralType value, int count) {
  notes().values[function].push_back({{{file, line}, count}, value});
}

void drover_cmocka_check(const char* function, const char* parameter, const char* file, int line,
                         LargestIntegralType value) {
  UserCheck user;
  if (!passes_check(function, parameter, {file, line}, value, user)) leave();
  if (user.function == nullptr || user.function(value, user.data) != 0) return;
  told({file, line}, name_of(function, parameter) + ": the check refuses it");
  leave();
}

void drover_cmocka_expect_value(const char* function, const char* parameter, const char* file,
                                int line, int count, int equal, LargestIntegralType value) {
  add_check(function, parameter, {{file, line}, count}, [equal, value](LargestIntegralType given) {
    return complain_integers(equal != 0, given, value);
  });
}

void drover_cmocka_expect_string(const char* function, const char* parameter, const char* file,
                                 int line, int count, int equal, const char* string) {
  add_check(function, parameter, {{file, line}, count}, [equal, string](LargestIntegralType given) {
    return complain_strings(equal != 0, reinterpret_cast<const char*>(given), string);
  });
}

void drover_cmocka_expect_memory(const char* function, const char* parameter, const char* file,
                                 int line, int count, int equal, const void* memory, size_t size) {
  const std::string kept(static_cast<const char*>(memory), size);
  add_check(function, parameter, {{file, line}, count}, [equal, kept](LargestIntegralType given) {
    return complain_memory(equal != 0, reinterpret_cast<const void*>(given), kept.data(),
                           kept.size());
  });
}

void drover_cmocka_expect_range(const char* function, const char* parameter, const char* file,
                                int line, int count, int inside, LargestIntegralType minimum,
                                LargestIntegralType maximum) {
  add_check(function, parameter, {{file, line}, count},
            [inside, minimum, maximum](LargestIntegralType given) {
              return complain_range(inside != 0, given, minimum, maximum);
            });
}

void drover_cmocka_expect_set(const char* function, const char* parameter, const char* file,
                              int line, int count, int inside, const LargestIntegralType values[],
                              size_t value_count) {
  const std::vector<LargestIntegralType> kept(values, values + value_count);
  add_check(function, parameter, {{file, line}, count}, [inside, kept](LargestIntegralType given) {
    return complain_set(inside != 0, given, kept.data(), kept.size());
  });
}

void drover_cmocka_expect_any(const char* function, const char* parameter, const char* file,
                              int line, int count) {
  add_check(function, parameter, {{file, line}, count},
            [](LargestIntegralType /*given*/) { return std::string(); });
}

void drover_cmocka_expect_check(const char* function, const char* parameter, const char* file,
                                int line, CheckParameterValue check, LargestIntegralType data) {
  notes().checks[{function, parameter}].push_back({{{file, line}, 1}, {}, {check, data}});
}

void drover_cmocka_function_called(const char* function, const char* file, int line) {
  if (!passes_call(function, {file, line})) leave();
}

void drover_cmocka_expect_calls(const char* function, const char* file, int line, int times) {
  notes().calls.push_back({{{file, line}, times}, function});
}

}  // extern "C"
