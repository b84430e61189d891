// Processes that use one store, and are killed at any instruction, again and again. Each value
// carries a checksum of itself and of its key; at the end nothing is lost, and nobody has seen
// anything but whole values of the right key. KVS_STORM_SECONDS makes it longer.
#include <gtest/gtest.h>
#include <sys/prctl.h>

#include <array>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <random>
#include <string>

#include "modules/kvs/store/slices.h"
#include "tests/unit/kvs/audit.h"
#include "tests/unit/kvs/shared_memory.h"

namespace kvs {
namespace {

using testing::kMiB;
using testing::TestStore;

std::uint64_t sum_of(std::string_view key, std::string_view body) {
  std::uint64_t sum = 0xcbf29ce484222325;
  for (const auto text : {key, body}) {
    for (const char byte : text) sum = (sum ^ static_cast<unsigned char>(byte)) * 0x100000001b3;
  }
  return sum;
}

// A checksum and a body.
std::string make_value(std::string_view key, std::size_t size, char fill) {
  const std::string body(size, fill);
  const std::uint64_t sum = sum_of(key, body);
  std::string value(sizeof sum, '\0');
  std::memcpy(value.data(), &sum, sizeof sum);
  return value + body;
}
bool is_whole(const Item& item) {
  std::uint64_t sum = 0;
  if (item.value.size() < sizeof sum) return false;
  std::memcpy(&sum, item.value.data(), sizeof sum);
  return sum == sum_of(item.key, item.value.substr(sizeof sum));
}

// What one of the processes does until it is killed. Exits with 1 when it saw what must not be.
class Client {
 public:
  Client(Store& store, unsigned seed, std::atomic<std::uint64_t>& checked)
      : store_(store), random_(seed), checked_(checked) {}

  [[noreturn]] void run() {
    for (std::uint32_t i = 0;; ++i) {
      store_.set_now(i / 64);
      step();
      if (i % 8 == 0) store_.end_batch();
    }
  }

 private:
  void step() {
    const std::string key = this->key();
    switch (pick(12)) {
      case 0:
      case 1:
      case 2:
        (void)store_.write({.key = key, .value = value(key), .expires_ms = pick(4) == 0 ? 9U : 0U});
        return;
      case 3:
        (void)store_.erase(key);
        return;
      case 4:
        return reserve(key);
      case 5:
        return search(key + "/x/y");
      case 6:
        return pin(key);
      case 7:
        return sweep(key);
      default:
        return get(key);
    }
  }
  void get(const std::string& key) {
    if (const auto item = store_.get(key)) check(*item, item->key == key);
  }
  void search(const std::string& path) {
    const auto found = store_.longest_prefix(path, pick(2) == 0 ? Match::kByte : Match::kSegment);
    if (found.answer == Answer::kOk) check(found.item, path.starts_with(found.item.key));
  }
  void pin(const std::string& key) {
    const auto item = store_.get(key);
    const auto pin = item ? store_.pin(*item) : std::nullopt;
    if (!pin) return;
    store_.end_batch();
    for (int i = 0; i < 3; ++i) (void)store_.write({.key = key, .value = value(key)});
    check(*item, item->key == key);
    store_.unpin(*pin);
  }
  void reserve(const std::string& key) {
    const std::string value = this->value(key);
    const auto reserved = store_.reserve(key, value.size());
    if (reserved.answer != Answer::kOk) return;
    std::copy(value.begin(), value.end(), reserved.reservation.value.begin());
    if (pick(4) == 0 || store_.commit(reserved.reservation, {.key = key}).answer == Answer::kBusy) {
      store_.cancel(reserved.reservation);
    }
  }
  void sweep(const std::string& prefix) {
    const auto buckets = static_cast<std::uint32_t>(store_.mapping().buckets.size());
    const std::uint64_t cursor = pick(std::min(1000U, buckets));
    (void)scan(store_, prefix, cursor, {.buckets = 50},
               [&](const Item& item) { check(item, item.key.starts_with(prefix)); });
    if (pick(8) == 0) (void)remove_prefix(store_, prefix, cursor, {.buckets = 50});
    (void)remove_expired(store_, cursor, {.buckets = 50});
    (void)tend(store_, pick(2));
  }
  void check(const Item& item, bool is_right_key) {
    if (!is_right_key || !is_whole(item)) _exit(1);
    checked_.fetch_add(1, std::memory_order_relaxed);
  }

  std::uint32_t pick(std::uint32_t below) { return static_cast<std::uint32_t>(random_()) % below; }
  std::string key() { return "/k" + std::to_string(pick(40)) + (pick(2) == 0 ? "/x" : ""); }
  std::string value(const std::string& key) {
    const std::size_t size = pick(50) == 0 ? pick(150'000) : pick(2000);
    return make_value(key, size, static_cast<char>('a' + pick(26)));
  }

  Store& store_;
  std::mt19937 random_;
  std::atomic<std::uint64_t>& checked_;
};

std::chrono::seconds storm_length() {
  const char* seconds = std::getenv("KVS_STORM_SECONDS");
  return std::chrono::seconds(seconds != nullptr ? std::atoi(seconds) : 2);
}

std::uint64_t repairs_of(Store& store) {
  std::uint64_t repairs = 0;
  for (const Shard& shard : store.mapping().shards) repairs += shard.counters.repairs.load();
  return repairs;
}

struct Row {
  const char* name;
  Eviction eviction;
  std::uint32_t average_item;
};
class KvsStorm : public ::testing::TestWithParam<Row> {};

TEST_P(KvsStorm, OfKillsLosesNothingAndTearsNothing) {
  const TestStore store(4 * kMiB, {.shards = 2,
                                   .readers = 8,
                                   .average_item = GetParam().average_item,
                                   .secret = testing::kSecret});
  const testing::SharedMemory counter(4096);
  auto& checked = *new (counter.bytes().data()) std::atomic<std::uint64_t>(0);
  std::mt19937 random(std::random_device{}());
  const auto begin = [&] {
    const auto seed = static_cast<unsigned>(random());
    return testing::start([&store, &checked, seed] {
      prctl(PR_SET_PDEATHSIG, SIGKILL);
      Client(*store.attach({.eviction = GetParam().eviction}), seed, checked).run();
    });
  };
  std::array<pid_t, 4> clients{};
  for (pid_t& client : clients) client = begin();

  const auto end = std::chrono::steady_clock::now() + storm_length();
  std::uint64_t kills = 0;
  bool is_right = true;
  while (is_right && std::chrono::steady_clock::now() < end) {
    usleep(static_cast<useconds_t>(random() % 3000));
    pid_t& client = clients[random() % clients.size()];
    kill(client, SIGKILL);
    int status = 0;
    waitpid(client, &status, 0);
    is_right = WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
    client = begin();
    ++kills;
  }
  for (const pid_t client : clients) {
    kill(client, SIGKILL);
    testing::wait_for(client);
  }

  EXPECT_TRUE(is_right) << "a client saw what must not be, or crashed";
  EXPECT_EQ(testing::audit(*store), "");
  EXPECT_GT(kills, 2U);
  EXPECT_GT(checked.load(), 1000U);
  std::printf("%lu kills, %lu repairs, %lu checked reads\n", kills, repairs_of(*store),
              checked.load());
  for (Slice all; !all.is_last;) all = remove_prefix(*store, "", all.cursor, {});
  store->end_batch();
  for (int i = 0; i < 100; ++i) {  // and all of it is there to be used
    ASSERT_EQ(
        store->write({.key = "k" + std::to_string(i), .value = std::string(20'000, 'v')}).answer,
        Answer::kOk);
  }
}
// In one chain for each shard, or with a bucket for each few items.
constexpr std::uint32_t kOneChain = 1 << 28;
INSTANTIATE_TEST_SUITE_P(All, KvsStorm,
                         ::testing::Values(Row{"NoEviction", Eviction::kNone, 256},
                                           Row{"Clock", Eviction::kClock, 256},
                                           Row{"OneChain", Eviction::kNone, kOneChain},
                                           Row{"OneChainAndClock", Eviction::kClock, kOneChain}),
                         [](const auto& row) { return std::string(row.param.name); });

}  // namespace
}  // namespace kvs
