// The assertions of cmocka's API.
#include <array>
#include <cmath>
#include <cstdarg>
#include <cstdio>
#include <cstring>
#include <span>

#include "layer.hpp"

namespace drover::cmocka {
namespace {

template <class... Values>
std::string format(const char* how, Values... values) {
  std::array<char, 160> text{};
  static_cast<void>(std::snprintf(text.data(), text.size(), how, values...));
  return text.data();
}

std::string quoted(const char* text) {
  return text == nullptr ? "NULL" : '"' + std::string(text) + '"';
}

bool are_same(const char* a, const char* b) {
  return a == b || (a != nullptr && b != nullptr && std::strcmp(a, b) == 0);
}

// The first byte that differs.
std::string difference(std::span<const unsigned char> a, const unsigned char* b) {
  std::size_t i = 0;
  while (i < a.size() && a[i] == b[i]) ++i;
  if (i == a.size()) return format("%zu bytes are the same", a.size());
  return format("byte %zu of %zu: %#04x != %#04x", i, a.size(), a[i], b[i]);
}

std::string complain_floats(bool wanted, float a, float b, float epsilon) {
  const bool is_near = std::fabs(a - b) <= epsilon;
  if (is_near == wanted) return "";
  return format("%f %s %f", static_cast<double>(a), wanted ? "!=" : "==", static_cast<double>(b));
}

}  // namespace

std::string complain_integers(bool wanted, LargestIntegralType a, LargestIntegralType b) {
  if ((a == b) == wanted) return "";
  return format("%#jx %s %#jx", a, wanted ? "!=" : "==", b);
}

std::string complain_strings(bool wanted, const char* a, const char* b) {
  if (are_same(a, b) == wanted) return "";
  return quoted(a) + (wanted ? " != " : " == ") + quoted(b);
}

std::string complain_memory(bool wanted, const void* a, const void* b, std::size_t size) {
  if ((size == 0 || std::memcmp(a, b, size) == 0) == wanted) return "";
  return difference({static_cast<const unsigned char*>(a), size},
                    static_cast<const unsigned char*>(b));
}

std::string complain_range(bool wanted, LargestIntegralType value, LargestIntegralType minimum,
                           LargestIntegralType maximum) {
  if ((value >= minimum && value <= maximum) == wanted) return "";
  return format("%ju is %swithin the range %ju-%ju", value, wanted ? "not " : "", minimum, maximum);
}

std::string complain_set(bool wanted, LargestIntegralType value, const LargestIntegralType* values,
                         std::size_t count) {
  bool is_there = false;
  std::string all;
  for (const LargestIntegralType each : std::span(values, count)) {
    is_there = is_there || each == value;
    all += format("%s%#jx", all.empty() ? "" : ", ", each);
  }
  if (is_there == wanted) return "";
  return format("%#jx is %sin the set (", value, wanted ? "not " : "") + all + ")";
}

}  // namespace drover::cmocka

using namespace drover::cmocka;

extern "C" {

void drover_cmocka_assert(int holds, const char* expression, const char* file, int line) {
  if (holds != 0) return;
  told({file, line}, expression);
  leave();
}

void drover_cmocka_integers(int equal, LargestIntegralType a, LargestIntegralType b,
                            const char* file, int line) {
  if (told({file, line}, complain_integers(equal != 0, a, b))) leave();
}

void drover_cmocka_floats(int equal, float a, float b, float epsilon, const char* file, int line) {
  if (told({file, line}, complain_floats(equal != 0, a, b, epsilon))) leave();
}

void drover_cmocka_strings(int equal, const char* a, const char* b, const char* file, int line) {
  if (told({file, line}, complain_strings(equal != 0, a, b))) leave();
}

void drover_cmocka_memory(int equal, const void* a, const void* b, size_t size, const char* file,
                          int line) {
  if (told({file, line}, complain_memory(equal != 0, a, b, size))) leave();
}

void drover_cmocka_range(int inside, LargestIntegralType value, LargestIntegralType minimum,
                         LargestIntegralType maximum, const char* file, int line) {
  if (told({file, line}, complain_range(inside != 0, value, minimum, maximum))) leave();
}

void drover_cmocka_set(int inside, LargestIntegralType value, const LargestIntegralType values[],
                       size_t count, const char* file, int line) {
  if (told({file, line}, complain_set(inside != 0, value, values, count))) leave();
}

void drover_cmocka_return_code(intmax_t code, int error, const char* expression, const char* file,
                               int line) {
  if (code >= 0) return;
  told({file, line}, std::string(expression) + " is " + std::to_string(code) + ": " +
                         (error > 0 ? std::strerror(error) : "no errno"));
  leave();
}

void drover_cmocka_fail(const char* file, int line) {
  told({file, line}, "fail()");
  leave();
}

void drover_cmocka_fail_msg(const char* file, int line, const char* format, ...) {
  std::array<char, 1024> words{};
  std::va_list arguments;
  va_start(arguments, format);
  static_cast<void>(std::vsnprintf(words.data(), words.size(), format, arguments));
  va_end(arguments);
  told({file, line}, words.data()[0] == '\0' ? "fail_msg()" : words.data());
  leave();
}

}  // extern "C"
