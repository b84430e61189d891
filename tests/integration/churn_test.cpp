// A hundred thousand connections come and go, over every strategy and ending in both ways: nothing
// stays behind, neither a descriptor nor memory nor a connection that was counted in and not out.
// DROVER_CHURN is how many.
#include <gtest/gtest.h>

#include <cstdlib>
#include <map>
#include <thread>

#include "tests/support/client.h"
#include "tests/support/daemon.h"
#include "tests/support/proc.h"
#include "tests/support/sanitizer.h"

namespace drover::test {
namespace {

constexpr int kDefaultChurn = kUnderAsan ? 20'000 : 100'000;
constexpr int kThreads = 4;
constexpr std::int64_t kSlackBytes = (kUnderAsan ? 8 : 2) << 20;
constexpr int kSlackDescriptors = 3;

int churn() {
  const char* wanted = std::getenv("DROVER_CHURN");
  return wanted == nullptr ? kDefaultChurn : std::atoi(wanted);
}

std::string all_strategies() {
  std::string servers;
  int number = 2;
  for (const char* strategy : {"shared", "exclusive", "mutex", "acceptor", "reuseport"}) {
    servers += echo_server(strategy, "127.0.0.1:{port" + std::to_string(number++) + "}", strategy);
  }
  return config("workers = 2", servers);
}

// One thread's part: every other connection ends with a reset. Returns how many were served.
int connect_and_close(const std::vector<Endpoint>& targets, int first, int end) {
  int served = 0;
  for (int i = first; i < end; i += kThreads) {
    const auto n = static_cast<size_t>(i / kThreads);
    Client client(targets[n % targets.size()], "127.0.0." + std::to_string(2 + n % 8));
    if (client.exchange("message") == "message") ++served;
    if (n % 2 == 0) client.reset();
  }
  return served;
}

int churn_between(const std::vector<Endpoint>& targets, int first, int end) {
  std::vector<int> served(kThreads);
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([&, i] {
      try {
        served[static_cast<size_t>(i)] = connect_and_close(targets, first + i, end);
      } catch (const std::exception& error) {
        ADD_FAILURE() << error.what();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  int all = 0;
  for (const int part : served) all += part;
  return all;
}

struct Usage {
  std::int64_t rss_bytes = 0;
  int descriptors = 0;
};

std::map<std::string, Usage> usage_of(const Daemon& daemon) {
  std::map<std::string, Usage> usage;
  for (const pid_t pid : daemon.processes()) usage[title_of(pid)] = {rss_bytes(pid), fd_count(pid)};
  return usage;
}

TEST(Churn, LeavesNothingBehind) {
  Daemon daemon({.config = all_strategies(), .environment = without_quarantine()});
  std::vector<Endpoint> targets;
  for (int number = 2; number <= 6; ++number) targets.push_back(Endpoint::v4(daemon.port(number)));
  const int total = churn();
  const auto all_gone = [](const DaemonStatus& now) { return now.live() == 0; };

  ASSERT_EQ(churn_between(targets, 0, total / 5), total / 5);
  ASSERT_TRUE(daemon.wait_for_status(all_gone));
  const std::map<std::string, Usage> before = usage_of(daemon);
  ASSERT_EQ(churn_between(targets, total / 5, total), total - total / 5);
  ASSERT_TRUE(daemon.wait_for_status(all_gone));
  const std::map<std::string, Usage> after = usage_of(daemon);

  ASSERT_EQ(before.size(), 4U) << "master, acceptor, two workers";
  ASSERT_EQ(after.size(), before.size());
  for (const auto& [title, usage] : after) {
    const Usage& former = before.at(title);
    EXPECT_LT(usage.rss_bytes - former.rss_bytes, kSlackBytes) << title;
    EXPECT_LT(usage.descriptors - former.descriptors, kSlackDescriptors) << title;
  }
  const Counters totals = daemon.status().totals;
  EXPECT_EQ(totals.accepted, total);
  EXPECT_EQ(totals.closed, total);
  EXPECT_EQ(totals.bytes_in, totals.bytes_out);
}

}  // namespace
}  // namespace drover::test
