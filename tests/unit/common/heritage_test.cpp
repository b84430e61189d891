#include "common/heritage.h"

#include <gtest/gtest.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>

#include <limits>

#include "common/unique_fd.h"

namespace drover {
namespace {

// Who waits at a doorbell as all processes do: edge-triggered, never reading it.
class Waiter {
 public:
  explicit Waiter(int doorbell) {
    epoll_event event{EPOLLIN | EPOLLET, {}};
    EXPECT_EQ(epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, doorbell, &event), 0);
  }
  bool is_woken() {
    epoll_event event{};
    return epoll_wait(epoll_.get(), &event, 1, 0) == 1;
  }

 private:
  UniqueFd epoll_{epoll_create1(EPOLL_CLOEXEC)};
};

TEST(Doorbell, WakesAllWhoWaitAtEachRing) {
  const UniqueFd doorbell(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
  Waiter one(doorbell.get());
  Waiter other(doorbell.get());

  for (int ring = 0; ring < 3; ++ring) {
    ring_doorbell(doorbell.get());
    EXPECT_TRUE(one.is_woken());
    EXPECT_TRUE(other.is_woken());
    EXPECT_FALSE(one.is_woken());
  }
}

TEST(Doorbell, ThatSomebodyHasFilledIsHeardAllTheSame) {
  const UniqueFd doorbell(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
  ASSERT_EQ(eventfd_write(doorbell.get(), std::numeric_limits<eventfd_t>::max() - 1), 0);
  Waiter waiter(doorbell.get());
  ASSERT_TRUE(waiter.is_woken()) << "what was rung before it came";

  ring_doorbell(doorbell.get());

  EXPECT_TRUE(waiter.is_woken());
  ring_doorbell(doorbell.get());
  EXPECT_TRUE(waiter.is_woken());
}

}  // namespace
}  // namespace drover
