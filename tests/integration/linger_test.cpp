// A server that says all it has to say when it accepts, and closes: what becomes of clients that
// close at once, later, or never.
#include <gtest/gtest.h>

#include <csignal>

#include "tests/support/access_lines.h"
#include "tests/support/client.h"
#include "tests/support/daemon.h"

namespace drover::test {
namespace {

constexpr Millis kSoon{3000};

// The module of the bench: eight bytes at accept, then close.
std::string returning(const std::string& lines) {
  return config("workers = 1\nload = " DROVER_BUILD_DIR "/bench-modules/return.so",
                "\n[server returning]\nlisten = 127.0.0.1:{port}\nprotocol = return\n"
                "access_log = {dir}/access.log\n" +
                    lines);
}

Client served(Daemon& daemon) {
  Client client(Endpoint::v4(daemon.port()));
  EXPECT_EQ(client.receive_all(), "dddddddd");
  return client;
}

bool none_is_left(Daemon& daemon) {
  return daemon.wait_for_status([](const DaemonStatus& now) { return now.live() == 0; }, kSoon);
}

TEST(Lingering, IsOverForAllWhoCloseAtOnce) {
  constexpr size_t kClients = 300;
  Daemon daemon({.config = returning("linger_timeout = 1h\n")});

  for (size_t i = 0; i < kClients; ++i) served(daemon).close();

  EXPECT_TRUE(none_is_left(daemon));
  const auto totals = daemon.status().totals;
  EXPECT_EQ(totals.closed, totals.accepted);
  const auto lines = wait_for_access_lines(daemon.file("access.log"), kClients);
  for (const AccessLine& line : lines) EXPECT_EQ(line.reason, "module");
}

TEST(Lingering, IsOverWhenTheOnlyClientOfAnIdleWorkerCloses) {
  Daemon daemon({.config = returning("linger_timeout = 1h\n")});
  Client client = served(daemon);
  ASSERT_TRUE(
      daemon.wait_for_status([](const DaemonStatus& now) { return now.live() == 1; }, kSoon));

  client.close();

  EXPECT_TRUE(none_is_left(daemon));
}

TEST(Lingering, EndsAfterItsTimeoutWhenTheClientNeverCloses) {
  constexpr Millis kTimeout{1000};
  Daemon daemon({.config = returning("linger_timeout = 1s\n")});
  const auto from = Clock::now();
  const Client client = served(daemon);

  EXPECT_TRUE(none_is_left(daemon));

  EXPECT_GE(since(from), kTimeout - kEarly);
}

TEST(Lingering, TakesWhatAClientStillSends) {
  Daemon daemon({.config = returning("linger_timeout = 1h\n")});
  Client client = served(daemon);

  for (int i = 0; i < 16; ++i) client.send_all(std::string(1'000'000, 'x'));

  EXPECT_EQ(client.next(Millis{100}), Client::Next::kEnd) << "no reset";
  client.close();
  EXPECT_TRUE(none_is_left(daemon));
}

TEST(Lingering, IsWaitedForByQuit) {
  Daemon daemon({.config = returning("linger_timeout = 1h\n")});
  Client client = served(daemon);

  daemon.signal_master(SIGQUIT);
  EXPECT_FALSE(daemon.wait_gone(Millis{500}));
  client.close();

  EXPECT_TRUE(daemon.wait_gone(kSoon));
}

TEST(Lingering, IsNotWaitedForByStop) {
  Daemon daemon({.config = returning("linger_timeout = 1h\n")});
  const Client client = served(daemon);

  EXPECT_EQ(daemon.stop(SIGTERM, kSoon), 0);
}

}  // namespace
}  // namespace drover::test
