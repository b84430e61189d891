// The same of clients in processes of their own, which are killed at any instruction: what one had
// begun then may have taken effect or not, but not after its death.
#include <gtest/gtest.h>
#include <sys/prctl.h>
#include <time.h>

#include <algorithm>
#include <chrono>
#include <new>

#include "tests/unit/kvs/audit.h"
#include "tests/unit/kvs/recording_client.h"

namespace kvs {
namespace {

using namespace testing;

// In a child: SIGKILL comes after so long, whatever it does then.
void die_in(std::chrono::nanoseconds time) {
  sigevent event{};
  event.sigev_notify = SIGEV_SIGNAL;
  event.sigev_signo = SIGKILL;
  timer_t timer{};
  const itimerspec when{.it_interval = {}, .it_value = {.tv_sec = 0, .tv_nsec = time.count()}};
  if (timer_create(CLOCK_MONOTONIC, &event, &timer) != 0 ||
      timer_settime(timer, 0, &when, nullptr) != 0) {
    raise(SIGKILL);
  }
}

std::vector<KvEvent> history_of_killed(const TestStore& store, Round& round, std::mt19937& random) {
  constexpr std::uint32_t kLongestLife = 400'000;  // some of them do all that they should
  std::array<pid_t, kClients> clients{};
  for (std::size_t i = 0; i < kClients; ++i) {
    const auto seed = static_cast<unsigned>(random());
    const std::chrono::nanoseconds life(1 + random() % kLongestLife);
    clients[i] = testing::start([&store, &round, i, seed, life] {
      prctl(PR_SET_PDEATHSIG, SIGKILL);
      RecordingClient client(store, round, i, seed);
      round.meet();
      die_in(life);
      client.run(kEvents / 5);
    });
  }
  for (const pid_t client : clients) testing::wait_for(client);
  return history_of(round, round.clock);
}

TEST(KvsLinearizability, OfClientsThatAreKilled) {
  constexpr int kRounds = 600;
  const TestStore store(8 * testing::kMiB, {.shards = 4, .secret = testing::kSecret});
  const testing::SharedMemory memory(1 * testing::kMiB);
  const unsigned seed = std::random_device{}();
  std::printf("seed %u\n", seed);
  std::mt19937 random(seed);
  std::int64_t cut = 0;
  for (int number = 0; number < kRounds; ++number) {
    erase_all(store);
    auto& round = *new (memory.bytes().data()) Round;
    const std::vector<KvEvent> history = history_of_killed(store, round, random);
    cut += std::ranges::count_if(history, &KvEvent::is_unknown);
    ASSERT_EQ(drover::test::unexplained(history), "") << "round " << number;
  }
  std::printf("%ld operations cut by a death\n", cut);
  EXPECT_GT(cut, 0);
  EXPECT_EQ(testing::audit(*store), "");
}

}  // namespace
}  // namespace kvs
