// A worker that is stopped while it holds the lock of a shard: what hears BUSY, and how soon; that
// everything else goes on and nobody innocent is killed; and that nothing is lost, whether it goes
// on or the watchdog kills it. It is caught by stopping it at random moments of large writes.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <random>
#include <set>
#include <thread>

#include "modules/kvs/kv1/session.h"
#include "tests/integration/kvs_daemon.h"
#include "tests/support/net_tables.h"

namespace drover::test {
namespace {

using namespace kvs::kv1;

constexpr std::uint32_t kProbes = 300;  // keys in every shard
constexpr std::size_t kBigKeys = 64;
constexpr std::size_t kBigValue = 60'000;  // copied under the lock: see store_write.cpp

std::string probe(std::uint32_t i) { return "/probe/" + std::to_string(i); }
std::string big_key(std::size_t n) { return "/big/" + std::to_string(n % kBigKeys); }
std::string big_value(std::size_t n) {
  return std::to_string(n) + ":" + std::string(kBigValue, static_cast<char>('a' + n % 26));
}

// Writes large values through one worker, until it is told to end or the worker dies.
class Feeder {
 public:
  explicit Feeder(KvClient& client) : client_(client), thread_([this] { run(); }) {}
  ~Feeder() { end(); }
  Feeder(const Feeder&) = delete;
  Feeder& operator=(const Feeder&) = delete;

  void end() {
    is_over_ = true;
    if (thread_.joinable()) thread_.join();
  }
  [[nodiscard]] std::size_t stored() const { return stored_; }
  // After end(): whether what the store has is what was acknowledged last, or one sent since.
  void expect_kept(KvClient& reader) const {
    for (std::size_t key = 0; key < kBigKeys; ++key) {
      const std::string value = reader.get(big_key(key));
      if (value.empty() && acknowledged_[key] == 0) continue;
      const std::size_t number = std::strtoull(value.c_str(), nullptr, 10);
      EXPECT_GE(number, acknowledged_[key]);
      EXPECT_LT(number, sent_);
      EXPECT_TRUE(value == big_value(number)) << "torn";
    }
  }

 private:
  static constexpr std::size_t kAtOnce = 8;

  void run() {
    try {
      while (!is_over_) write_some();
    } catch (const std::exception&) {  // its worker was killed
    }
  }
  void write_some() {
    std::string frames;
    for (std::size_t i = 0; i < kAtOnce; ++i, ++sent_)
      frames += frame(kSet, static_cast<std::uint32_t>(sent_), big_key(sent_), big_value(sent_));
    client_.say(frames);
    for (std::size_t i = 0; i < kAtOnce; ++i) {
      const auto said = client_.hear();
      if (!said) throw std::runtime_error("the connection ended");
      if (said->status != kOk) continue;
      acknowledged_[said->rid % kBigKeys] = said->rid;
      ++stored_;
    }
  }

  KvClient& client_;
  std::size_t sent_ = 1;
  std::array<std::size_t, kBigKeys> acknowledged_{};  // the last one of each key
  std::atomic<std::size_t> stored_ = 0;
  std::atomic<bool> is_over_ = false;
  std::thread thread_;
};

class KvsStoppedWriter : public ::testing::Test {
 protected:
  explicit KvsStoppedWriter(const std::string& hang_timeout = "60s")
      : daemon_({.config = kvs_config("", 2, "hang_timeout = " + hang_timeout,
                                      "[zone data]\nsize = 128m\n")}),
        clients_(clients_of_workers(daemon_, 2)),
        victim_(daemon_.worker_pid(0)),
        other_(daemon_.worker_pid(1)) {
    const auto theirs = clients_of(victim_, daemon_.port());
    if (theirs.contains(clients_.at(1).socket().name())) std::swap(clients_[0], clients_[1]);
    feeder_ = std::make_unique<Feeder>(clients_[0]);
  }

  // Of the worker that is not stopped.
  KvClient& client() { return clients_.at(1); }

  // Sets all, and remembers what was stored. The keys that were busy.
  std::set<std::uint32_t> write_all() {
    const std::string value = "value " + std::to_string(++round_);
    std::string frames;
    for (std::uint32_t i = 0; i < kProbes; ++i) frames += frame(kSet, i + 1, probe(i), value);
    client().say(frames);
    std::set<std::uint32_t> busy;
    for (std::uint32_t i = 0; i < kProbes; ++i) {
      const auto said = client().hear();
      if (!said) throw std::runtime_error("the connection ended");
      EXPECT_TRUE(said->status == kOk || said->status == kBusy) << said->status;
      if (said->status == kOk) values_.at(said->rid - 1) = value;
      if (said->status == kBusy) busy.insert(said->rid - 1);
    }
    return busy;
  }
  void expect_all_readable() {
    for (std::uint32_t i = 0; i < kProbes; ++i) {
      ASSERT_EQ(client().get(probe(i)), values_[i]) << probe(i);
      ASSERT_EQ(client().ask(kLpm, probe(i) + "/below").key, probe(i));
    }
  }
  // Stops it where it has the lock of a shard: the keys of that shard.
  std::set<std::uint32_t> stop_in_a_write() {
    std::mt19937 random(std::random_device{}());
    const auto start = Clock::now();
    EXPECT_TRUE(wait_until([&] { return write_all().empty(); })) << "all are there";
    for (; since(start) < 3 * kPatience; ++tries_) {
      std::this_thread::sleep_for(std::chrono::microseconds(random() % 3'000));
      stop(victim_);
      const auto busy = write_all();
      held_ = busy.size();
      if (!busy.empty()) return busy;
      resume(victim_);
    }
    ADD_FAILURE() << "never stopped with a lock, " << feeder_->stored() << " values stored";
    return {};
  }
  void expect_busy_at_once(const std::set<std::uint32_t>& keys) {
    std::vector<Millis> waited;
    for (const auto key : keys) {
      const auto start = Clock::now();
      EXPECT_EQ(client().status(kSet, probe(key), "x"), kBusy) << probe(key);
      waited.push_back(since(start));
    }
    std::ranges::sort(waited);
    EXPECT_GE(waited.front(), kBusyPatience - Millis{1});
    EXPECT_LT(waited[waited.size() / 2], Millis{100});
  }
  void expect_nothing_lost() {
    feeder_->end();
    expect_all_readable();
    feeder_->expect_kept(client());
    EXPECT_EQ(daemon_.worker_pid(1), other_) << "somebody innocent was killed";
    std::cout << "caught after " << tries_ << " tries, " << feeder_->stored() << " large values, "
              << held_ << " of " << kProbes << " keys were busy\n";
  }

  Daemon daemon_;
  std::vector<KvClient> clients_;
  pid_t victim_;
  pid_t other_;
  std::unique_ptr<Feeder> feeder_;
  std::array<std::string, kProbes> values_;
  int round_ = 0;
  int tries_ = 0;
  std::size_t held_ = 0;
};

TEST_F(KvsStoppedWriter, KeepsOnlyTheWritesOfItsShardBusyUntilItGoesOn) {
  const auto held = stop_in_a_write();
  ASSERT_FALSE(held.empty());
  ASSERT_LT(held.size(), kProbes / 2);

  expect_busy_at_once(held);
  expect_all_readable();
  EXPECT_EQ(write_all(), held) << "writes of other shards go on";
  const std::size_t stored = feeder_->stored();
  resume(victim_);

  EXPECT_TRUE(wait_until([&] { return write_all().empty(); }));
  EXPECT_TRUE(wait_until([&] { return feeder_->stored() > stored + 100; }));
  EXPECT_EQ(daemon_.worker_pid(0), victim_);
  expect_nothing_lost();
}

class KvsHungWriter : public KvsStoppedWriter {
 protected:
  KvsHungWriter() : KvsStoppedWriter("3s") {}
};

// Who waits for the shard all the time is as busy as a worker can be, and is heard of nevertheless.
TEST_F(KvsHungWriter, AloneIsKilledByTheWatchdogAndItsShardGoesOn) {
  const auto held = stop_in_a_write();
  ASSERT_FALSE(held.empty());

  int busy_rounds = 0;
  const bool is_over = wait_until([&] {
    const bool is_busy =
        client().status(kSet, probe(*held.begin()), values_[*held.begin()]) == kBusy;
    busy_rounds += is_busy ? 1 : 0;
    return !is_busy;
  });

  EXPECT_TRUE(is_over);
  EXPECT_GT(busy_rounds, 10);
  EXPECT_TRUE(wait_until([&] { return !is_alive(victim_); }))
      << "the lock was lost, not the worker";
  EXPECT_TRUE(wait_until([&] { return write_all().empty(); }));
  EXPECT_TRUE(wait_until([&] { return daemon_.worker_pid(0) != 0; }));
  expect_nothing_lost();
}

}  // namespace
}  // namespace drover::test
