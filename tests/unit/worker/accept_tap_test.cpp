#include "worker/accept/accept_tap.h"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include "tests/unit/worker/accept_world.h"

namespace drover::test {
namespace {

// No descriptor can be opened while it lives: the limit is the lowest free one.
class NoDescriptors {
 public:
  NoDescriptors() {
    getrlimit(RLIMIT_NOFILE, &before_);
    const UniqueFd lowest(dup(0));
    const rlimit none{static_cast<rlim_t>(lowest.get()), before_.rlim_max};
    setrlimit(RLIMIT_NOFILE, &none);
  }
  NoDescriptors(const NoDescriptors&) = delete;
  NoDescriptors& operator=(const NoDescriptors&) = delete;
  ~NoDescriptors() { setrlimit(RLIMIT_NOFILE, &before_); }

 private:
  rlimit before_{};
};

class AcceptTapTest : public testing::Test, private AcceptQueue::Watcher {
 protected:
  AcceptTapTest() {
    Watcher& watcher = *this;
    description_.fd = listening_.release();
    queue_ = std::make_unique<AcceptQueue>(description_, worker_.base(), watcher);
  }
  void connect(int count) {
    for (int i = 0; i < count; ++i) clients_.push_back(connect_to(port_));
  }

  AcceptWorld world_{AcceptStrategy::kShared, 1};
  FakeWorker worker_{world_, 0};
  AcceptTap tap_{worker_};
  std::unique_ptr<AcceptQueue> queue_;
  std::vector<UniqueFd> clients_;

 private:
  void on_queue_readable(AcceptQueue& /*queue*/) override {}

  UniqueFd listening_ = listen_on_loopback();
  std::uint16_t port_ = port_of(listening_.get());
  ListenerHeritage description_;
};

TEST_F(AcceptTapTest, StopsAtItsBudgetAndGoesOnNextTime) {
  connect(3);

  const Taken first = tap_.take(*queue_, 2);
  const Taken second = tap_.take(*queue_, 2);

  EXPECT_EQ(first.count, 2);
  EXPECT_FALSE(first.ran_dry);
  EXPECT_EQ(second.count, 1);
  EXPECT_TRUE(second.ran_dry);
  EXPECT_EQ(worker_.counters().accepted, 3U);
}

TEST_F(AcceptTapTest, TellsAnEmptyWakeupFromAnEmptiedQueue) {
  EXPECT_TRUE(tap_.take(*queue_, 4).is_empty_wakeup());
  connect(1);
  EXPECT_FALSE(tap_.take(*queue_, 4).is_empty_wakeup());
}

TEST_F(AcceptTapTest, GivesThePeerAndANonBlockingDescriptor) {
  connect(1);
  tap_.take(*queue_, 1);

  ASSERT_EQ(worker_.held(), 1U);
  const Accepted& connection = worker_.connections[0];
  const auto* peer = reinterpret_cast<const sockaddr_in*>(&connection.peer);
  EXPECT_EQ(ntohs(peer->sin_port), port_of(clients_[0].get()));
  EXPECT_EQ(fcntl(connection.fd.get(), F_GETFL) & O_NONBLOCK, O_NONBLOCK);
  EXPECT_EQ(fcntl(connection.fd.get(), F_GETFD), FD_CLOEXEC);
}

TEST_F(AcceptTapTest, LeavesInTheQueueWhatTheHostHasNoRoomFor) {
  world_.seat(0).capacity = 1;
  connect(2);

  EXPECT_EQ(tap_.take(*queue_, 16).count, 1);
  EXPECT_EQ(tap_.take(*queue_, 16).count, 0);
  worker_.forget();
  EXPECT_EQ(tap_.take(*queue_, 16).count, 1);
}

TEST_F(AcceptTapTest, TellsTheHostThatDescriptorsRanOutAndLosesNothing) {
  connect(1);
  {
    const NoDescriptors full;
    EXPECT_EQ(tap_.take(*queue_, 16).count, 0);
  }
  EXPECT_EQ(worker_.exhausted_with, EMFILE);
  EXPECT_EQ(tap_.take(*queue_, 16).count, 1);
}

TEST_F(AcceptTapTest, EmptiesTheQueueWithoutABudget) {
  connect(40);
  EXPECT_EQ(tap_.take(*queue_, AcceptTap::kUnlimited).count, 40);
}

}  // namespace
}  // namespace drover::test
