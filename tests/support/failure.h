// How the support library says that the harness itself could not go on: an exception, which gtest
// reports as a failure of the test that ran. What a test expects to fail is a value instead.
#pragma once

#include <cerrno>
#include <cstring>
#include <stdexcept>
#include <string>

namespace drover::test {

[[noreturn]] inline void fail(const std::string& message) { throw std::runtime_error(message); }

[[noreturn]] inline void fail_errno(const std::string& what, int code = errno) {
  fail(what + ": " + std::strerror(code));
}

}  // namespace drover::test
