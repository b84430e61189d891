// Rings lie in memory that processes share, so these tests fork.
#include "modules/sdk/ring.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include <chrono>
#include <memory>
#include <numeric>
#include <random>
#include <span>
#include <string>
#include <vector>

#include "tests/support/forking.h"

namespace drover {
namespace {

using testing::ElementsAre;

using test::in_child;
using test::kPage;
using test::wait_for;

template <class T>
struct Unmap {
  void operator()(T* shared) const { munmap(static_cast<void*>(shared), sizeof(T)); }
};
template <class T>
using Shared = std::unique_ptr<T, Unmap<T>>;

// On a page of its own, as in a zone.
template <class T>
Shared<T> make_shared_memory() {
  void* memory =
      mmap(nullptr, sizeof(T), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  return Shared<T>(new (memory) T);
}

void kill_and_reap(pid_t pid) {
  kill(pid, SIGKILL);
  wait_for(pid);
}

// Dead, and not yet reaped.
void kill_without_reaping(pid_t pid) {
  kill(pid, SIGKILL);
  siginfo_t end{};
  ASSERT_EQ(waitid(P_PID, static_cast<id_t>(pid), &end, WEXITED | WNOWAIT), 0);
}

template <class AnyRing>
std::vector<std::string> take_all(AnyRing& ring) {
  std::vector<std::string> all;
  ring.drain([&](std::string_view message) { all.emplace_back(message); });
  return all;
}

// A message that shows whether it is whole: "SENDER NUMBER " and as many letters as follow from
// these.
std::string numbered(int sender, int number) {
  const auto size = static_cast<std::size_t>((sender * 31 + number * 7) % 200);
  return std::to_string(sender) + " " + std::to_string(number) + " " +
         std::string(size, static_cast<char>('a' + number % 26));
}

// What is taken out of a ring is whole and, by sender, in order; when `without_gaps`, all is there.
struct Reader {
  void read(std::string_view message) {
    int sender = -1;
    int number = -1;
    ASSERT_EQ(sscanf(std::string(message).c_str(), "%d %d ", &sender, &number), 2) << message;
    ASSERT_EQ(message, numbered(sender, number));
    ASSERT_EQ(number, next[static_cast<std::size_t>(sender)]++) << "of sender " << sender;
  }
  template <class AnyRing>
  void drain(AnyRing& ring) {
    ring.drain([this](std::string_view message) { read(message); });
  }
  std::vector<int> next = std::vector<int>(8);
};

TEST(Ring, GivesEachMessageOnceAndInOrder) {
  auto ring = make_shared_memory<Ring<1024>>();
  EXPECT_EQ(ring->push("one"), RingPush::kDone);
  EXPECT_EQ(ring->push(""), RingPush::kDone);
  EXPECT_EQ(ring->push("three, longer than a word"), RingPush::kDone);

  EXPECT_THAT(take_all(*ring), ElementsAre("one", "", "three, longer than a word"));

  EXPECT_THAT(take_all(*ring), ElementsAre());
}

TEST(Ring, KeepsMessagesOfAnySizeWholeAcrossItsEnd) {
  auto ring = make_shared_memory<Ring<256>>();
  for (std::size_t round = 0; round < 2000; ++round) {
    const std::string message(round % (Ring<256>::kLongestMessage + 1),
                              static_cast<char>('a' + round % 26));
    ASSERT_EQ(ring->push("x"), RingPush::kDone);
    ASSERT_EQ(ring->push(message), RingPush::kDone);
    ASSERT_THAT(take_all(*ring), ElementsAre("x", message));
  }
}

TEST(Ring, DropsAndCountsWhatItHasNoRoomFor) {
  auto ring = make_shared_memory<Ring<64>>();
  for (int i = 0; i < 4; ++i) ASSERT_EQ(ring->push("8 bytes."), RingPush::kDone);

  EXPECT_EQ(ring->push(""), RingPush::kFull);
  EXPECT_EQ(ring->push("8 bytes."), RingPush::kFull);

  EXPECT_EQ(ring->dropped(), 2U);
  EXPECT_EQ(take_all(*ring).size(), 4U);
  EXPECT_EQ(ring->push("8 bytes."), RingPush::kDone);
  EXPECT_EQ(ring->dropped(), 2U);
}

TEST(Ring, RefusesWhatIsLongerThanHalfOfIt) {
  auto ring = make_shared_memory<Ring<64>>();

  EXPECT_EQ(ring->push(std::string(33, 'x')), RingPush::kTooLong);
  EXPECT_EQ(ring->push(std::string(32, 'x')), RingPush::kDone);

  EXPECT_EQ(ring->dropped(), 0U);
  EXPECT_THAT(take_all(*ring), ElementsAre(std::string(32, 'x')));
}

TEST(Ring, GivesWhatWasThereWhenDrainingBegan) {
  auto ring = make_shared_memory<Ring<1024>>();
  ASSERT_EQ(ring->push("0"), RingPush::kDone);
  std::vector<std::string> given;

  ring->drain([&](std::string_view message) {
    given.emplace_back(message);
    ASSERT_EQ(ring->push("came later"), RingPush::kDone);
  });

  EXPECT_THAT(given, ElementsAre("0"));
  EXPECT_THAT(take_all(*ring), ElementsAre("came later"));
}

TEST(Ring, LosesOnlyTheMessageOfAUseThatThrows) {
  auto ring = make_shared_memory<Ring<1024>>();
  ASSERT_EQ(ring->push("thrown at"), RingPush::kDone);
  ASSERT_EQ(ring->push("kept"), RingPush::kDone);

  EXPECT_THROW(ring->drain([](std::string_view) { throw std::runtime_error("no"); }),
               std::runtime_error);

  EXPECT_THAT(take_all(*ring), ElementsAre("kept"));
}

TEST(Ring, TakesFromProcessesThatRaceWholeMessagesInTheOrderOfEach) {
  constexpr int kSenders = 4;
  constexpr int kMessages = 2000;
  auto ring = make_shared_memory<Ring<4096>>();
  std::vector<pid_t> senders;
  for (int sender = 0; sender < kSenders; ++sender) {
    senders.push_back(in_child([&] {
      for (int i = 0; i < kMessages; ++i) {
        while (ring->push(numbered(sender, i)) != RingPush::kDone) sched_yield();
      }
    }));
  }

  Reader reader;
  const auto sum = [&] { return std::accumulate(reader.next.begin(), reader.next.end(), 0); };
  while (sum() < kSenders * kMessages && !testing::Test::HasFailure()) reader.drain(*ring);

  for (const pid_t sender : senders) kill_and_reap(sender);
  EXPECT_EQ(ring->resets(), 0U);
  EXPECT_THAT(take_all(*ring), ElementsAre());
}

TEST(Ring, LosesNoMoreThanTheUnfinishedMessageOfAProducerKilledAtAnyInstruction) {
  auto ring = make_shared_memory<Ring<8192>>();
  for (int round = 0; round < 300; ++round) {
    auto pushed = make_shared_memory<std::atomic<int>>();
    const pid_t child = in_child([&] {
      for (int i = 0;; ++i) {
        while (ring->push(numbered(0, i)) != RingPush::kDone) {
        }
        *pushed = i + 1;
      }
    });
    Reader reader;
    const auto end = std::chrono::steady_clock::now() + std::chrono::microseconds(300 + round * 7);
    while (std::chrono::steady_clock::now() < end) reader.drain(*ring);
    kill_and_reap(child);

    reader.drain(*ring);
    ASSERT_GE(reader.next[0], *pushed);
    ASSERT_LE(reader.next[0], *pushed + 1);
    ASSERT_EQ(ring->push("and on it goes"), RingPush::kDone);
    ASSERT_THAT(take_all(*ring), ElementsAre("and on it goes"));
  }
  EXPECT_EQ(ring->resets(), 0U);
}

// Three pages of room, so that the second is nothing but messages.
class StoppedProducerTest : public testing::Test {
 protected:
  using PagesRing = Ring<4 * kPage>;

  // A child that is stopped while it has the lock: where its message is to lie it may not write.
  // Continued, it ends its call and waits to be killed.
  void SetUp() override {
    ASSERT_EQ(ring_->push(std::string(kPage, 'f')), RingPush::kDone);
    child_ = in_child([this] {
      test::stop_at_write_to(reinterpret_cast<char*>(ring_.get()) + kPage);
      static_cast<void>(ring_->push("half-written"));
      pause();
    });
    int status = 0;
    ASSERT_EQ(waitpid(child_, &status, WUNTRACED), child_);
    ASSERT_TRUE(WIFSTOPPED(status));
    take_all(*ring_);
  }
  void TearDown() override { kill_and_reap(child_); }

  Shared<PagesRing> ring_ = make_shared_memory<PagesRing>();
  pid_t child_ = -1;
};

TEST_F(StoppedProducerTest, MakesOthersBusyUntilItGoesOn) {
  EXPECT_EQ(ring_->push("mine"), RingPush::kBusy);
  EXPECT_THAT(take_all(*ring_), ElementsAre()) << "nothing of what is half-written";

  kill(child_, SIGCONT);
  while (ring_->push("mine") == RingPush::kBusy) {
  }

  EXPECT_THAT(take_all(*ring_), ElementsAre("half-written", "mine"));
}

TEST_F(StoppedProducerTest, IsWaitedForOnceAndNotByEveryMessage) {
  ASSERT_EQ(ring_->push("mine"), RingPush::kBusy);
  const auto from = std::chrono::steady_clock::now();

  for (int i = 0; i < 200; ++i) ASSERT_EQ(ring_->push("mine"), RingPush::kBusy);

  const auto longest = std::chrono::milliseconds(200 * ProcessLock::kLongestWaitMs);
  EXPECT_LT(std::chrono::steady_clock::now() - from, longest / 4);
}

TEST_F(StoppedProducerTest, ThatIsKilledIsTakenOverFromAlsoBeforeItIsReaped) {
  kill_without_reaping(child_);

  EXPECT_EQ(ring_->push("mine"), RingPush::kDone);

  EXPECT_THAT(take_all(*ring_), ElementsAre("mine"));
}

TEST(RingConsumer, IsOneAtATimeUntilItResignsOrDies) {
  auto ring = make_shared_memory<Ring<64>>();
  EXPECT_FALSE(ring->is_claimed());
  const pid_t other = in_child([&] {
    if (ring->claim()) raise(SIGSTOP);
  });
  int status = 0;
  ASSERT_EQ(waitpid(other, &status, WUNTRACED), other);
  ASSERT_TRUE(WIFSTOPPED(status));

  EXPECT_TRUE(ring->is_claimed());
  EXPECT_FALSE(ring->claim());
  kill_and_reap(other);
  EXPECT_TRUE(ring->is_claimed());
  EXPECT_TRUE(ring->claim());
  EXPECT_FALSE(ring->claim());
  ring->resign();
  EXPECT_FALSE(ring->is_claimed());
  EXPECT_TRUE(ring->claim());
}

TEST(RingConsumer, FindsWhatTheFormerLeftOrSkipsIt) {
  auto ring = make_shared_memory<Ring<256>>();
  ASSERT_EQ(ring->push("one"), RingPush::kDone);
  wait_for(in_child([&] { ring->drain([](std::string_view) { raise(SIGKILL); }); }));
  ASSERT_EQ(ring->push("two"), RingPush::kDone);

  EXPECT_THAT(take_all(*ring), ElementsAre("two")) << "one died with who had it in hand";
  ASSERT_EQ(ring->push("three"), RingPush::kDone);
  ring->skip();
  EXPECT_THAT(take_all(*ring), ElementsAre());
}

// Whatever lies there, a ring is drained in bounded time, and afterwards it is a ring again.
template <class AnyRing>
void expect_recovery(AnyRing& ring) {
  ASSERT_LE(take_all(ring).size(), sizeof(AnyRing) / 8);
  ASSERT_EQ(ring.push("after the storm"), RingPush::kDone);
  ASSERT_THAT(take_all(ring), ElementsAre("after the storm"));
}

void scribble(std::span<std::uint64_t> words, std::mt19937_64& random) {
  for (std::uint64_t& word : words) word = random();
}

TEST(DamagedRing, IsResetWhateverLiesInAllOfIt) {
  std::mt19937_64 random(4711);
  for (int round = 0; round < 2000; ++round) {
    auto ring = make_shared_memory<Ring<1024>>();
    scribble({reinterpret_cast<std::uint64_t*>(ring.get()), sizeof *ring / 8}, random);
    const std::uint64_t before = ring->resets();
    ASSERT_NO_FATAL_FAILURE(expect_recovery(*ring)) << "round " << round;
    ASSERT_EQ(ring->resets(), before + 1);
  }
}

TEST(DamagedRing, IsResetWhateverLiesWhereMessagesShould) {
  std::mt19937_64 random(4711);
  for (int round = 0; round < 2000; ++round) {
    auto ring = make_shared_memory<Ring<1024>>();
    for (int i = 0; i < round % 30; ++i) ASSERT_EQ(ring->push("message"), RingPush::kDone);
    auto* end = reinterpret_cast<std::uint64_t*>(ring.get() + 1);
    std::span<std::uint64_t> words(end - 1024 / 8, end);
    scribble(words, random);
    for (std::uint64_t& word : words) word %= 600;  // as a length: about half would do
    ASSERT_NO_FATAL_FAILURE(expect_recovery(*ring)) << "round " << round;
  }
}

TEST(DamagedRing, GivesNoMessageThatReachesBehindWhatWasPublished) {
  auto ring = make_shared_memory<Ring<64>>();
  ASSERT_EQ(ring->push("short"), RingPush::kDone);
  auto* length = reinterpret_cast<std::uint64_t*>(ring.get() + 1) - 64 / 8;
  ASSERT_EQ(*length, 5U);
  *length = 9;

  EXPECT_THAT(take_all(*ring), ElementsAre());

  EXPECT_EQ(ring->resets(), 1U);
}

TEST(DamagedRing, IsAFullOneUntilTheConsumerLooks) {
  auto ring = make_shared_memory<Ring<64>>();
  ASSERT_EQ(ring->push("lost"), RingPush::kDone);
  std::ranges::fill(std::span(reinterpret_cast<std::uint64_t*>(ring.get()) + 1, 1), 1'000'000);

  EXPECT_EQ(ring->push("dropped"), RingPush::kFull);
  EXPECT_THAT(take_all(*ring), ElementsAre());

  EXPECT_EQ(ring->resets(), 1U);
  EXPECT_NO_FATAL_FAILURE(expect_recovery(*ring));
}

}  // namespace
}  // namespace drover
