// Each timeout closes what it is for, not before its time and not much after, and leaves the
// others alone. Deadlines are looked at every 250 ms.
#include <gtest/gtest.h>

#include "tests/support/access_lines.h"
#include "tests/support/client.h"
#include "tests/support/daemon.h"

namespace drover::test {
namespace {

constexpr Millis kTimeout{1000};
constexpr Millis kLate{600};

std::string timed(const std::string& lines, const std::string& protocol = "echo") {
  return config("workers = 1\nload = " DROVER_BUILD_DIR "/test-modules/closing.so",
                "\n[server timed]\nlisten = 127.0.0.1:{port}\nprotocol = " + protocol +
                    "\naccess_log = {dir}/access.log\n" + lines);
}

// Waits for the end of the connection; when it came.
Clock::time_point end_of(Client& client) {
  EXPECT_NE(client.next(), Client::Next::kSilence);
  return Clock::now();
}

void expect_in_time(Clock::time_point from, Clock::time_point ended) {
  const auto after = std::chrono::duration_cast<Millis>(ended - from);
  EXPECT_GE(after, kTimeout - kEarly);
  EXPECT_LE(after, kTimeout + kLate);
}

void expect_reason(Daemon& daemon, const std::string& reason) {
  const auto lines = wait_for_access_lines(daemon.file("access.log"), 1);
  EXPECT_EQ(lines.front().reason, reason);
}

TEST(IdleTimeout, ClosesASilentClientAndNotABusyOne) {
  Daemon daemon({.config = timed("idle_timeout = 1s\n")});
  Client busy(Endpoint::v4(daemon.port()));
  Client silent(Endpoint::v4(daemon.port()));
  ASSERT_EQ(silent.exchange("one"), "one");
  const auto from = Clock::now();
  Clock::time_point ended = from;

  while (since(from) < 2 * kTimeout) {
    ASSERT_EQ(busy.exchange("busy"), "busy") << "after " << since(from).count() << " ms";
    if (ended == from && silent.next(Millis{50}) != Client::Next::kSilence) ended = Clock::now();
  }

  expect_in_time(from, ended);
  expect_reason(daemon, "timeout");
}

TEST(FirstByteTimeout, ClosesAClientThatSaysNothingAndNotOneThatHasSpoken) {
  Daemon daemon({.config = timed("first_byte_timeout = 1s\n")});
  Client spoken(Endpoint::v4(daemon.port()));
  ASSERT_EQ(spoken.exchange("x"), "x");
  const auto from = Clock::now();
  Client mute(Endpoint::v4(daemon.port()));

  expect_in_time(from, end_of(mute));

  EXPECT_EQ(spoken.next(kTimeout), Client::Next::kSilence);
  EXPECT_EQ(spoken.exchange("y"), "y");
  expect_reason(daemon, "timeout");
}

// Sends until nothing has been taken for 150 ms: every buffer on the way is full.
void fill(Client& client) {
  const std::string block(65536, 'f');
  for (auto taken_at = Clock::now(); since(taken_at) < Millis{150};) {
    if (client.send_some(block) > 0) {
      taken_at = Clock::now();
    } else {
      std::this_thread::sleep_for(kGlance);
    }
  }
}

// Takes a little and sends as much again: there is always output pending, and always some progress.
// It is enough at a time to make room in the kernel's window, or the worker would not see it.
void read_slowly(Client& client) {
  ASSERT_FALSE(client.receive_some(262'144).empty());
  static_cast<void>(client.send_some(std::string(262'144, 's')));
}

TEST(WriteTimeout, ClosesAClientThatReadsNothingAndNotASlowOne) {
  Daemon daemon({.config = timed("write_timeout = 1s\n")});
  Client slow(Endpoint::v4(daemon.port()));
  Client deaf(Endpoint::v4(daemon.port()));
  fill(slow);
  const auto from = Clock::now();
  fill(deaf);
  const auto filled = Clock::now();

  while (daemon.status().live() == 2 && since(filled) < Millis{8000}) read_slowly(slow);

  EXPECT_GE(since(from), kTimeout - kEarly);
  EXPECT_LE(since(filled), kTimeout + kLate);
  for (const auto start = Clock::now(); since(start) < kTimeout;) read_slowly(slow);
  const auto lines = wait_for_access_lines(daemon.file("access.log"), 1);
  ASSERT_EQ(lines.size(), 1U);
  EXPECT_EQ(lines.front().reason, "timeout");
  EXPECT_EQ(lines.front().peer, deaf.name());
}

// The module says "bye" and closes; the client reads that and leaves its own side open.
TEST(LingerTimeout, EndsAConnectionWhoseClientDoesNotClose) {
  Daemon daemon({.config = timed("linger_timeout = 1s\n", "closing")});
  Client client(Endpoint::v4(daemon.port()));
  const auto from = Clock::now();
  client.send_all("x");
  ASSERT_EQ(client.receive_all(), "bye");

  EXPECT_TRUE(daemon.wait_for_status([](const DaemonStatus& now) { return now.live() == 0; }));

  expect_in_time(from, Clock::now());
  expect_reason(daemon, "module");
}

TEST(LingerTimeout, IsOverWhenTheClientClosesToo) {
  Daemon daemon({.config = timed("linger_timeout = 30s\n", "closing")});
  Client client(Endpoint::v4(daemon.port()));
  client.send_all("x");
  ASSERT_EQ(client.receive_all(), "bye");

  client.close();

  EXPECT_TRUE(daemon.wait_for_status([](const DaemonStatus& now) { return now.live() == 0; },
                                     Millis{3000}));
  expect_reason(daemon, "module");
}

}  // namespace
}  // namespace drover::test
