#include <gtest/gtest.h>

#include <fstream>

#include "tests/unit/worker/accept_world.h"
#include "worker/accept/exclusive_epoll.h"

namespace drover::test {
namespace {

constexpr unsigned long kExclusiveBit = 1UL << 28;  // EPOLLEXCLUSIVE

// The event mask under which an epoll descriptor holds `fd`, 0: not at all.
unsigned long mask_of(int epoll_fd, int fd) {
  std::ifstream info("/proc/self/fdinfo/" + std::to_string(epoll_fd));
  int held = -1;
  unsigned long mask = 0;
  for (std::string line; std::getline(info, line);) {
    const bool entry = std::sscanf(line.c_str(), "tfd: %d events: %lx", &held, &mask) == 2;
    if (entry && held == fd) return mask;
  }
  return 0;
}

struct Polled {
  explicit Polled(event_base* base) { event.start(base, fd.get(), EV_READ, this); }
  void on_readable() { ++woken; }

  UniqueFd fd = listen_on_loopback();
  int woken = 0;
  Event<&Polled::on_readable> event;
};

TEST(ExclusiveEpoll, TellsTheEpollDescriptorsOfSeveralBasesApart) {
  const EventBase first = make_event_base();
  const EventBase second = make_event_base();
  Polled polled(second.get());

  EXPECT_NE(find_epoll_fd(first.get()), find_epoll_fd(second.get()));
  EXPECT_EQ(mask_of(find_epoll_fd(first.get()), polled.fd.get()), 0U);
  EXPECT_NE(mask_of(find_epoll_fd(second.get()), polled.fd.get()), 0U);
}

TEST(ExclusiveEpoll, SetsTheFlagAndTheLoopStillReports) {
  const EventBase base = make_event_base();
  Polled polled(base.get());
  ExclusiveEpoll epoll(base.get());

  ASSERT_TRUE(epoll.make_exclusive(polled.fd.get()));
  ASSERT_TRUE(epoll.make_exclusive(polled.fd.get()));  // again: to the end of the line
  const UniqueFd client = connect_to(port_of(polled.fd.get()));
  event_base_loop(base.get(), EVLOOP_ONCE | EVLOOP_NONBLOCK);

  EXPECT_NE(mask_of(find_epoll_fd(base.get()), polled.fd.get()) & kExclusiveBit, 0U);
  EXPECT_EQ(polled.woken, 1);
}

TEST(ExclusiveEpoll, IsUndoneByDeletingTheEvent) {
  const EventBase base = make_event_base();
  Polled polled(base.get());
  ExclusiveEpoll epoll(base.get());
  ASSERT_TRUE(epoll.make_exclusive(polled.fd.get()));

  polled.event.stop();
  EXPECT_EQ(mask_of(find_epoll_fd(base.get()), polled.fd.get()), 0U);
  EXPECT_FALSE(epoll.make_exclusive(polled.fd.get()));  // not polled

  polled.event.start(base.get(), polled.fd.get(), EV_READ, &polled);
  EXPECT_TRUE(epoll.make_exclusive(polled.fd.get()));
}

TEST(ExclusiveEpoll, FindsTheNewDescriptorAfterTheBaseWasReinitialised) {
  const EventBase base = make_event_base();
  Polled polled(base.get());
  ExclusiveEpoll epoll(base.get());
  ASSERT_TRUE(epoll.make_exclusive(polled.fd.get()));

  const pid_t child = fork();
  if (child == 0) {
    const bool worked = event_reinit(base.get()) == 0 && epoll.make_exclusive(polled.fd.get()) &&
                        (mask_of(find_epoll_fd(base.get()), polled.fd.get()) & kExclusiveBit) != 0;
    _exit(worked ? 0 : 1);
  }
  int status = -1;
  waitpid(child, &status, 0);
  EXPECT_EQ(status, 0);
}

// The kernel woke this worker for it and will wake no other.
TEST(ExclusiveStrategy, TakesWhatItWasWokenForBeforeItLeaves) {
  AcceptWorld world(AcceptStrategy::kExclusive, 1);
  const std::uint16_t port = world.add_listener();
  FakeWorker worker(world, 0);
  worker.strategy().resume();
  const UniqueFd client = connect_to(port);

  worker.strategy().drain({});

  EXPECT_EQ(worker.live(), 1U);
}

// The same for one that is full before it has taken everything.
TEST(ExclusiveStrategy, RingsANeighbourWithRoomWhenItStopsWaiting) {
  AcceptWorld world(AcceptStrategy::kExclusive, 3);
  world.seat(0).capacity = 1;
  world.seat(1).live = 1000;
  const std::uint16_t port = world.add_listener();
  FakeWorker full(world, 0);
  FakeWorker neighbour(world, 2);
  full.strategy().resume();
  neighbour.strategy().resume();
  const UniqueFd first = connect_to(port);
  const UniqueFd second = connect_to(port);

  full.turn();
  EXPECT_EQ(full.held(), 1U);
  EXPECT_EQ(full.rung, std::vector<int>{2});
  neighbour.strategy().on_doorbell();

  EXPECT_EQ(neighbour.held(), 1U);
}

TEST(ExclusiveStrategy, RingsNobodyWhenNobodyHasRoom) {
  AcceptWorld world(AcceptStrategy::kExclusive, 2);
  world.seat(1).live = 1000;
  world.add_listener();
  FakeWorker worker(world, 0);
  worker.strategy().resume();

  worker.strategy().pause();

  EXPECT_TRUE(worker.rung.empty());
}

}  // namespace
}  // namespace drover::test
