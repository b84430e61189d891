// How a lock judges its holder. That it keeps processes apart, and is taken over from who died in
// it, ring_test.cpp shows.
#include "modules/sdk/process_lock.hpp"

#include <gtest/gtest.h>

namespace drover {
namespace {

// The word as ProcessLock describes it.
std::uint64_t held_by(pid_t pid, std::uint64_t since_ms) {
  return since_ms << 22 | static_cast<std::uint64_t>(pid);
}

struct RawLock {
  std::uint64_t word = 0;
  ProcessLock& lock() { return *reinterpret_cast<ProcessLock*>(&word); }
};

std::uint64_t boot_ms() {
  timespec now{};
  clock_gettime(CLOCK_BOOTTIME, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * 1000 +
         static_cast<std::uint64_t>(now.tv_nsec) / 1'000'000;
}

TEST(ProcessLock, OfALivingProcessIsBusyAlsoWhenItIsOnesOwn) {
  RawLock raw;
  ASSERT_TRUE(raw.lock().take());

  EXPECT_FALSE(raw.lock().take());
  EXPECT_FALSE(raw.lock().try_take());
  raw.lock().give_back();
  EXPECT_TRUE(raw.lock().try_take());
  EXPECT_EQ(raw.word & ((1U << 22) - 1), static_cast<std::uint64_t>(getpid()));
}

TEST(ProcessLock, IsNotFooledByAPidThatCameBack) {
  RawLock raw{held_by(getpid(), 1)};  // taken a millisecond after the boot, long before we began

  EXPECT_TRUE(raw.lock().try_take());
}

TEST(ProcessLock, TakesAHolderOfTheFutureForNobody) {
  RawLock raw{held_by(getpid(), boot_ms() + 60'000)};

  EXPECT_TRUE(raw.lock().try_take());
}

TEST(ProcessLock, OfAnotherUsersLivingProcessIsBusy) {
  RawLock raw{held_by(1, boot_ms())};

  EXPECT_FALSE(raw.lock().try_take());
}

}  // namespace
}  // namespace drover
