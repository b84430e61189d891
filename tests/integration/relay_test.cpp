// Outgoing connections through a module that passes on what either side says.
#include <gtest/gtest.h>

#include "tests/support/client.h"
#include "tests/support/daemon.h"
#include "tests/support/load_generator.h"
#include "tests/support/payload.h"
#include "tests/support/proc.h"
#include "tests/support/sanitizer.h"

namespace drover::test {
namespace {

// A relay in front of an echo server of the same daemon.
std::string relaying(const std::string& to, int workers = 1) {
  return config(
      "workers = " + std::to_string(workers) + "\nload = " + built("test-modules/relay.so") + "\n",
      "\n[server relay]\nlisten = 127.0.0.1:{port}\nprotocol = relay\nrelay.to = " + to + "\n" +
          echo_server("exclusive", "127.0.0.1:{port2}"));
}

class Relay : public testing::Test {
 protected:
  Daemon daemon_{{.config = relaying("127.0.0.1:{port2}"), .environment = without_quarantine()}};
  const Endpoint relay_ = Endpoint::v4(daemon_.port());
};

TEST_F(Relay, PassesOnEveryByteBothWaysAndTheEnds) {
  LoadGenerator load({.targets = {relay_}, .concurrency = 30});
  EXPECT_TRUE(load.wait_for_completed(500)) << load.stats().to_string();
  EXPECT_EQ(load.stop().failures(), 0);
}

TEST_F(Relay, ReadsNoFasterThanTheOtherSide) {
  const pid_t worker = daemon_.worker_pid(0);
  Client client(relay_);
  ASSERT_EQ(client.exchange("x"), "x");
  const std::int64_t before = rss_bytes(worker);
  const std::string block(1 << 20, 'b');
  std::size_t sent = 0;
  for (auto taken_at = Clock::now(); since(taken_at) < Millis{500};) {
    const std::size_t taken = client.send_some(block);
    sent += taken;
    if (taken > 0) taken_at = Clock::now();
  }

  EXPECT_LT(rss_bytes(worker) - before, 8 << 20) << sent << " bytes were taken";
  EXPECT_EQ(client.receive(sent), std::string(sent, 'b'));
}

TEST_F(Relay, LeavesNothingBehindAfterManyConnections) {
  const pid_t worker = daemon_.worker_pid(0);
  LoadGenerator warm_up({.targets = {relay_}, .concurrency = 20});
  ASSERT_TRUE(warm_up.wait_for_completed(500));
  warm_up.stop();
  ASSERT_TRUE(wait_until([&] { return daemon_.status().live() == 0; }));
  const int descriptors = fd_count(worker);
  const std::int64_t memory = rss_bytes(worker);

  LoadGenerator load({.targets = {relay_}, .concurrency = 20});
  ASSERT_TRUE(load.wait_for_completed(10'000, Millis{60'000})) << load.stats().to_string();
  EXPECT_EQ(load.stop().failures(), 0);
  ASSERT_TRUE(wait_until([&] { return daemon_.status().live() == 0; }));

  EXPECT_EQ(fd_count(worker), descriptors);
  EXPECT_LT(rss_bytes(worker) - memory, 4 << 20);
  EXPECT_GE(daemon_.status().totals.outgoing, 10'500);
}

TEST_F(Relay, LetsBothSidesFinishWhenTheWorkerDrains) {
  Client client(relay_);
  ASSERT_EQ(client.exchange("before"), "before");
  ASSERT_EQ(daemon_.reload(relaying("127.0.0.1:{port2}")).status, 0);

  EXPECT_EQ(client.exchange("after"), "after");
  client.half_close();
  EXPECT_EQ(client.receive_all(), "");
  EXPECT_TRUE(wait_until([&] { return daemon_.workers_of(1).empty(); }));
}

TEST(RelayToNobody, ClosesTheClientAndServesOn) {
  Daemon daemon({.config = relaying("127.0.0.1:1")});
  for (int i = 0; i < 20; ++i) {
    Client client(Endpoint::v4(daemon.port()));
    EXPECT_EQ(client.receive_all(), "");
  }
  EXPECT_EQ(Client(Endpoint::v4(daemon.port(2))).exchange("well"), "well");
}

}  // namespace
}  // namespace drover::test
