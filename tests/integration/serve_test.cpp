// Serving: what goes in comes out, over each address family, however a client writes, reads and
// leaves.
#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "tests/support/client.h"
#include "tests/support/daemon.h"
#include "tests/support/load_generator.h"
#include "tests/support/payload.h"
#include "tests/support/proc.h"
#include "tests/support/sanitizer.h"

namespace drover::test {
namespace {

constexpr const char* kEverywhere =
    "\n[server echo]\n"
    "listen = 127.0.0.1:{port}\n"
    "listen = [::1]:{port}\n"
    "listen = unix:{dir}/echo.sock\n"
    "protocol = echo\n";

enum class Family { kV4, kV6, kUnix };

std::string name_of(Family family) {
  return family == Family::kV4 ? "v4" : family == Family::kV6 ? "v6" : "unix";
}

Endpoint endpoint_of(Daemon& daemon, Family family) {
  if (family == Family::kV4) return Endpoint::v4(daemon.port());
  if (family == Family::kV6) return Endpoint::v6(daemon.port());
  return Endpoint::unix_path(daemon.file("echo.sock"));
}

class ServeTest : public ::testing::TestWithParam<Family> {
 protected:
  Daemon daemon_{{.config = config("workers = 2", kEverywhere)}};
  Endpoint endpoint_ = endpoint_of(daemon_, GetParam());
};

TEST_P(ServeTest, EchoesEveryByteOnce) {
  Client client(endpoint_);
  const Payload payload(7);
  std::uint64_t offset = 0;

  for (const size_t size : {1U, 2U, 63U, 64U, 4096U, 65536U, 100'000U}) {
    EXPECT_EQ(client.exchange(payload.bytes(offset, size)), payload.bytes(offset, size)) << size;
    offset += size;
  }
  EXPECT_EQ(client.next(Millis{0}), Client::Next::kSilence);
}

TEST_P(ServeTest, AnswersAllThatCameBeforeAHalfClose) {
  Client client(endpoint_);
  const std::string bytes = Payload(8).bytes(0, 50'000);

  client.send_all(bytes);
  client.half_close();

  EXPECT_EQ(client.receive_all(), bytes);
}

TEST_P(ServeTest, ClosesAClientThatOnlyLeaves) {
  Client client(endpoint_);

  client.half_close();

  EXPECT_EQ(client.next(), Client::Next::kEnd);
}

TEST_P(ServeTest, ServesAByteByByteWriter) {
  Client client(endpoint_);
  const std::string bytes = Payload(9).bytes(0, 1000);

  for (const char byte : bytes) client.send_all({&byte, 1});

  EXPECT_EQ(client.receive(bytes.size()), bytes);
}

INSTANTIATE_TEST_SUITE_P(Families, ServeTest,
                         ::testing::Values(Family::kV4, Family::kV6, Family::kUnix),
                         [](const auto& row) { return name_of(row.param); });

// Bytes that repeat with a prime period, so that a lost or doubled piece of any usual size shows.
class Endless {
 public:
  [[nodiscard]] std::string_view at(std::uint64_t offset, size_t most) const {
    const auto from = static_cast<size_t>(offset % kPeriod);
    return std::string_view(block_).substr(from, std::min(most, kPeriod - from));
  }

 private:
  static constexpr size_t kPeriod = 1'048'573;
  std::string block_ = Payload(10).bytes(0, kPeriod);
};

// One connection's bytes, both ways.
class Stream {
 public:
  Stream(Client& client, std::uint64_t total) : client_(client), total_(total) {}

  [[nodiscard]] bool is_done() const { return received_ == total_; }

  void write_until_blocked() {
    while (sent_ < total_) {
      const size_t most = std::min<std::uint64_t>(total_ - sent_, 65536);
      const size_t taken = client_.send_some(bytes_.at(sent_, most));
      if (taken == 0) return;
      sent_ += taken;
    }
  }

  // Reads once; false when what came is not what was sent.
  [[nodiscard]] bool read_checked() {
    const std::string got = client_.receive_some(65536);
    for (std::string_view rest = got; !rest.empty();) {
      const std::string_view expected = bytes_.at(received_, rest.size());
      if (rest.substr(0, expected.size()) != expected) return false;
      received_ += expected.size();
      rest.remove_prefix(expected.size());
    }
    return !got.empty();
  }

 private:
  Client& client_;
  const Endless bytes_;
  std::uint64_t total_;
  std::uint64_t sent_ = 0;
  std::uint64_t received_ = 0;
};

TEST(SlowReader, GetsGigabytesWithBoundedMemoryInTheWorker) {
  Daemon daemon({.config = config("workers = 1", echo_server("exclusive")),
                 .environment = without_quarantine()});
  Client client(Endpoint::v4(daemon.port()));
  ASSERT_EQ(client.exchange("warm"), "warm");
  const pid_t worker = daemon.worker_pid(0);
  const std::int64_t before = rss_bytes(worker);
  std::int64_t most = before;

  // The reader reads only when the writer can write no more, so every buffer on the way is full.
  Stream stream(client, 256ULL << 20);
  for (int turn = 0; !stream.is_done(); ++turn) {
    stream.write_until_blocked();
    ASSERT_TRUE(stream.read_checked());
    if (turn % 64 == 0) most = std::max(most, rss_bytes(worker));
  }
  client.half_close();

  EXPECT_EQ(client.next(), Client::Next::kEnd);
  EXPECT_LT(most - before, 16 << 20);
}

TEST(Garbage, LeavesOtherConnectionsAlone) {
  Daemon daemon({.config = config("workers = 2", echo_server("exclusive"))});
  Client bystander(Endpoint::v4(daemon.port()));
  std::mt19937 random(1);

  for (int i = 0; i < 300; ++i) {
    Client client(Endpoint::v4(daemon.port()));
    client.send_some(Payload(random()).bytes(0, 1 + random() % 20'000));
    if (i % 3 == 0) client.half_close();
    if (i % 2 == 0) client.reset();
  }

  EXPECT_EQ(bystander.exchange("still here"), "still here");
  EXPECT_TRUE(daemon.wait_for_status([](const DaemonStatus& now) { return now.live() == 1; }));
  EXPECT_EQ(daemon.workers_of(1).size(), 2U);
}

TEST(CheckedLoad, OverAllFamiliesLosesNothing) {
  Daemon daemon({.config = config("workers = 2", kEverywhere)});
  LoadGenerator load(
      {.targets = {endpoint_of(daemon, Family::kV4), endpoint_of(daemon, Family::kV6),
                   endpoint_of(daemon, Family::kUnix)},
       .concurrency = 100,
       .pinging = 20});

  ASSERT_TRUE(load.wait_for_completed(2000, Millis{30'000})) << load.stats().to_string();
  const LoadStats stats = load.stop();

  EXPECT_EQ(stats.failures(), 0) << stats.to_string();
  EXPECT_TRUE(daemon.wait_for_status([](const DaemonStatus& now) { return now.live() == 0; }));
  EXPECT_GE(daemon.status().totals.accepted, stats.connected);
  EXPECT_EQ(daemon.status().totals.bytes_in, daemon.status().totals.bytes_out);
}

}  // namespace
}  // namespace drover::test
