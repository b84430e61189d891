// Clients that send as fast as they can and read nothing cost the worker a bounded piece of memory
// each, cost the others nothing, and are closed after write_timeout.
#include <gtest/gtest.h>
#include <sys/socket.h>

#include "tests/support/access_lines.h"
#include "tests/support/client.h"
#include "tests/support/daemon.h"
#include "tests/support/load_generator.h"
#include "tests/support/proc.h"
#include "tests/support/sanitizer.h"

namespace drover::test {
namespace {

constexpr size_t kDeaf = 60;
// Above 256 KiB of pending output nothing more is read, and one read brings 256 KiB at most. ASan
// gives every block a power of two.
constexpr std::int64_t kMostBytesEach = (kUnderAsan ? 1200 : 600) << 10;
constexpr std::int64_t kSlackBytes = 8 << 20;

// Sends what the kernel takes, round by round, until it has taken nothing for a while. Connections
// that the worker has closed meanwhile take nothing either.
void fill_all(const std::vector<Client>& clients) {
  const std::string block(262'144, 'd');
  auto taken_at = Clock::now();
  while (since(taken_at) < Millis{300}) {
    bool taken = false;
    for (const Client& client : clients) {
      taken = ::send(client.fd(), block.data(), block.size(), MSG_NOSIGNAL) > 0 || taken;
    }
    if (taken) taken_at = Clock::now();
    if (!taken) std::this_thread::sleep_for(kGlance);
  }
}

std::vector<Client> connect_deaf(Daemon& daemon) {
  std::vector<Client> clients;
  for (size_t i = 0; i < kDeaf; ++i) clients.emplace_back(Endpoint::v4(daemon.port()));
  return clients;
}

TEST(SlowReaders, CostABoundedAmountOfMemoryAndNobodyElse) {
  Daemon daemon({.config = config("workers = 1", echo_server("exclusive")),
                 .environment = without_quarantine()});
  const pid_t worker = daemon.worker_pid(0);
  const std::int64_t before = rss_bytes(worker);
  const std::vector<Client> deaf = connect_deaf(daemon);

  fill_all(deaf);

  const std::int64_t grown = rss_bytes(worker) - before;
  EXPECT_LT(grown, static_cast<std::int64_t>(kDeaf) * kMostBytesEach + kSlackBytes);
  EXPECT_GT(grown, static_cast<std::int64_t>(kDeaf) * (128 << 10)) << "there was no pressure";
  LoadGenerator load({.targets = {Endpoint::v4(daemon.port())}, .concurrency = 20});
  EXPECT_TRUE(load.wait_for_completed(500)) << load.stats().to_string();
  EXPECT_EQ(load.stop().failures(), 0);
}

TEST(SlowReaders, AreClosedAfterTheWriteTimeoutAndLogged) {
  Daemon daemon({.config = config("workers = 1", echo_server("exclusive") +
                                                     "write_timeout = 1s\n"
                                                     "access_log = {dir}/access.log\n")});
  const std::vector<Client> deaf = connect_deaf(daemon);
  fill_all(deaf);

  EXPECT_TRUE(daemon.wait_for_status([](const DaemonStatus& now) {
    return now.live() == 0 && now.totals.closed == static_cast<std::int64_t>(kDeaf);
  }));

  const auto lines = wait_for_access_lines(daemon.file("access.log"), kDeaf);
  EXPECT_EQ(lines.size(), kDeaf);
  for (const AccessLine& line : lines) EXPECT_EQ(line.reason, "timeout") << line.peer;
}

}  // namespace
}  // namespace drover::test
