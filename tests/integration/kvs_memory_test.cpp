// What clients that do not read make a worker keep for them, in the real daemon.
#include <gtest/gtest.h>
#include <sys/socket.h>

#include "tests/integration/kvs_daemon.h"
#include "tests/support/sanitizer.h"

namespace drover::test {
namespace {

using namespace kvs::kv1;

constexpr std::int64_t kMiB = 1 << 20;

// Reads as it comes, and counts.
struct Counting {
  explicit Counting(Daemon& daemon) : client(Endpoint::v4(daemon.port())) {}
  void read() {
    std::string bytes(std::size_t{64} << 10, '\0');
    const ssize_t count = ::recv(client.fd(), bytes.data(), bytes.size(), MSG_DONTWAIT);
    if (count <= 0) return;
    std::string_view left(bytes.data(), static_cast<std::size_t>(count));
    while (const auto received = reader.next(left)) {
      EXPECT_EQ(received->frame.type, kOk);
      ++answers;
    }
  }
  Client client;
  FrameReader reader{FrameReader::Side::kAnswers, {}};
  int answers = 0;
};

// Nobody is given anything any more.
void wait_until_quiet(KvClient& client) {
  std::uint64_t hits = 0;
  const auto is_quiet = [&] {
    const std::uint64_t before = std::exchange(hits, client.stat("worker_hits"));
    return hits == before && hits > 0;
  };
  EXPECT_TRUE(wait_until(is_quiet, kPatience, Millis{200}));
}

TEST(KvsMemory, AThousandConnectionsThatAskAndDoNotReadKeepToTheBudget) {
  constexpr std::size_t kClients = 1'000;
  constexpr int kRequests = 100;
  constexpr std::size_t kValue = 3'000;
  std::string text = kvs_config("kvs.memory_budget = 2m", 1, "worker_connections = 2000");
  const std::string listen = "127.0.0.1:{port}";
  text.replace(text.find(listen), listen.size(), listen + " sndbuf=4k");
  Daemon daemon({.config = text, .environment = without_quarantine()});
  KvClient other(daemon);
  ASSERT_EQ(other.status(kSet, "k", std::string(kValue, 'v')), kOk);
  ASSERT_EQ(other.status(kSet, "larger", std::string(30'000, 'v')), kOk);
  const pid_t worker = daemon.worker_pid(0);
  const std::int64_t before = private_dirty_bytes(worker);

  std::string requests;
  for (std::uint32_t i = 1; i <= kRequests; ++i) requests += frame(kGet, i, "k");
  std::vector<std::unique_ptr<Counting>> clients;
  for (std::size_t i = 0; i < kClients; ++i) {
    clients.push_back(std::make_unique<Counting>(daemon));
    clients.back()->client.send_all(requests);
  }

  EXPECT_TRUE(wait_until([&] { return other.stat("worker_memory_used") > 2 * kMiB - 10'000; }))
      << other.stat("worker_memory_used") << " bytes are counted";
  wait_until_quiet(other);
  const std::int64_t grown = private_dirty_bytes(worker) - before;
  EXPECT_LT(grown, kMemoryFactor * (2 * kMiB + std::int64_t{kClients} * 16'000));
  EXPECT_EQ(other.get("k").size(), kValue) << "who reads is served";
  EXPECT_EQ(other.status(kGet, "larger"), kBusy);

  const bool all = wait_until(
      [&] {
        std::size_t done = 0;
        for (const auto& client : clients) {
          client->read();
          done += client->answers == kRequests ? 1 : 0;
        }
        return done == kClients;
      },
      Millis{60'000});
  EXPECT_TRUE(all) << "and all goes on when they read";
  EXPECT_TRUE(wait_until([&] { return other.stat("worker_memory_used") < 10'000; }));
  EXPECT_EQ(other.status(kGet, "larger"), kOk);
}

// As many as there are pins.
std::vector<KvClient> slow_readers(Daemon& daemon, std::string_view key) {
  std::vector<KvClient> clients;
  for (int i = 0; i < 16; ++i) {
    clients.emplace_back(daemon);
    clients.back().say(frame(kGet, 1, key));
    EXPECT_EQ(clients.back().socket().next(), Client::Next::kBytes);
  }
  return clients;
}

TEST(KvsMemory, SixteenSlowClientsOfA64MiBValueCostSomeHundredKilobytesEach) {
  const std::string value(std::size_t{64} << 20, 'v');
  Daemon daemon({.config = kvs_config("kvs.max_value = 64m\nkvs.frame_timeout = 1m", 1, "",
                                      "[zone data]\nsize = 200m\n"),
                 .environment = without_quarantine()});
  KvClient writer(daemon, Millis{60'000});
  ASSERT_EQ(writer.status(kSet, "k", value), kOk);
  const pid_t worker = daemon.worker_pid(0);
  const std::int64_t before = private_dirty_bytes(worker);

  std::vector<KvClient> clients = slow_readers(daemon, "k");

  EXPECT_LT(private_dirty_bytes(worker) - before, kMemoryFactor * 12 * kMiB);
  EXPECT_LT(writer.stat("worker_memory_used"), 16U * 330'000U);
  EXPECT_EQ(writer.status(kSet, "k", "new"), kOk);
  EXPECT_EQ(writer.status(kSet, "another", value), kOk);
  for (const std::size_t i : {0U, 15U}) {
    const auto said = clients[i].hear();
    ASSERT_TRUE(said);
    EXPECT_TRUE(said->status == kOk && said->value == value) << "as it was when it was asked for";
  }
  EXPECT_EQ(writer.get("k"), "new");

  clients.clear();
  EXPECT_TRUE(wait_until([&] { return writer.stat("worker_memory_used") < 10'000; }));
  clients = slow_readers(daemon, "another");
  EXPECT_LT(writer.stat("worker_memory_used"), 16U * 330'000U)
      << "the pins of those who have gone are free";
  // There is room for three.
  EXPECT_EQ(writer.status(kSet, "a third", value), kOk) << "and so is what they held";
}

}  // namespace
}  // namespace drover::test
