// What a LoadGenerator counted, and which connections failed.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tests/support/wait.h"

namespace drover::test {

struct LoadStats {
  std::int64_t connected = 0;    // connect() succeeded
  std::int64_t completed = 0;    // all messages answered, ended as planned
  std::int64_t messages = 0;     // answered in full
  std::int64_t bytes = 0;        // checked and right
  std::int64_t refused = 0;      // ECONNREFUSED, ENOENT
  std::int64_t reset = 0;        // ECONNRESET, EPIPE
  std::int64_t timeouts = 0;     // no progress within LoadOptions::timeout
  std::int64_t wrong_bytes = 0;  // an answer that is not what was sent, or more than was sent
  std::int64_t short_eof = 0;    // the end before the answer was whole
  Millis max_first_byte{0};  // longest time from connect() to the first byte of the first answer
  Millis max_answer{0};  // longest time from a message's first byte sent to its last one received

  [[nodiscard]] std::int64_t failures() const {
    return refused + reset + timeouts + wrong_bytes + short_eof;
  }
  [[nodiscard]] std::string to_string() const;
};

enum class LoadError { kRefused, kReset, kTimeout, kWrongBytes, kShortEof };
[[nodiscard]] const char* to_string(LoadError error);

// A connection that did not end well. `client` is its name as the server saw it ("127.0.0.2:40001",
// empty for unix or when it was never connected): a test that kills a worker takes the names of its
// connections first (net_tables.h) and excuses only those.
struct LoadFailure {
  LoadError error = LoadError::kReset;
  std::string client;
  std::string target;
  bool pinging = false;   // one of the long-lived ones
  bool answered = false;  // had received a byte of an answer
  Millis age{0};          // since connect()
  Clock::time_point when{};
  [[nodiscard]] std::string to_string() const;
};

}  // namespace drover::test
