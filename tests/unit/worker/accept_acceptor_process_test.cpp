// The acceptor as a process, with this test as its master and as its workers.
#include "worker/accept/acceptor_process.h"

#include <gtest/gtest.h>

#include <poll.h>

#include <algorithm>

#include "common/channel.h"
#include "tests/unit/worker/accept_world.h"
#include "worker/accept/passing.h"

namespace drover::test {
namespace {

constexpr int kSlots = 4;
constexpr int kPatienceMs = 5'000;

bool is_readable(int fd, int timeout_ms) {
  pollfd ready{fd, POLLIN, 0};
  return poll(&ready, 1, timeout_ms) == 1;
}

class AcceptorProcessTest : public testing::Test {
 protected:
  AcceptorProcessTest() {
    pid_ = fork();
    DROVER_CHECK(pid_ >= 0);
    if (pid_ == 0) {
      channel_.first.reset();
      const Heritage mine = heritage();
      world_.close_listeners();  // it has its own
      _exit(acceptor_main(mine));
    }
    channel_.second.reset();
  }
  ~AcceptorProcessTest() override {
    if (pid_ > 0) {
      kill(pid_, SIGKILL);
      waitpid(pid_, nullptr, 0);
    }
  }

  void send(MessageType type, std::string_view body = {}) {
    const std::string packet = encode_message(type, body);
    ASSERT_EQ(::send(channel_.first.get(), packet.data(), packet.size(), 0), std::ssize(packet));
  }
  void expect(MessageType type) {
    ASSERT_TRUE(is_readable(channel_.first.get(), kPatienceMs));
    char packet[kMaxMessageBody];
    const ssize_t size = recv(channel_.first.get(), packet, sizeof packet, 0);
    ASSERT_GT(size, 0);
    const auto message = decode_message({packet, static_cast<std::size_t>(size)});
    ASSERT_TRUE(message.ok());
    EXPECT_EQ(static_cast<int>(message.value().type), static_cast<int>(type));
  }
  void serve() {
    expect(MessageType::kReady);
    send(MessageType::kServe);
  }
  void drain(const std::vector<std::uint32_t>& removed = {}) {
    const DrainBody head{(monotonic_now() + Millis{60'000}).count(),
                         static_cast<std::uint32_t>(removed.size()), 0};
    std::string body(reinterpret_cast<const char*>(&head), sizeof head);
    body.append(reinterpret_cast<const char*>(removed.data()),
                removed.size() * sizeof(std::uint32_t));
    send(MessageType::kDrain, body);
  }
  void leave_alone() { channel_.first.reset(); }
  void expect_exit(int status) {
    int actual = -1;
    ASSERT_EQ(waitpid(pid_, &actual, 0), pid_);
    pid_ = -1;
    EXPECT_EQ(actual, status << 8);
  }
  // Waits for the next batch at any slot. The slot, -1: none came.
  int next_slot(int timeout_ms = kPatienceMs) {
    pollfd pairs[kSlots];
    for (int slot = 0; slot < kSlots; ++slot) pairs[slot] = {world_.receive_end(slot), POLLIN, 0};
    poll(pairs, kSlots, timeout_ms);
    const auto* ready = std::ranges::find(pairs, POLLIN, &pollfd::revents);
    return ready == std::end(pairs) ? -1 : static_cast<int>(ready - std::begin(pairs));
  }
  // The connections that reached the workers so far.
  std::size_t receive_all() {
    std::size_t count = 0;
    for (int slot = next_slot(0); slot >= 0; slot = next_slot(0)) {
      count += receive_batch(world_.receive_end(slot)).connections.size();
    }
    return count;
  }
  void connect(int count) {
    for (int i = 0; i < count; ++i) clients_.push_back(connect_to(port_));
  }

  AcceptWorld world_{AcceptStrategy::kAcceptor, kSlots};
  std::uint16_t port_ = world_.add_listener();
  std::vector<UniqueFd> clients_;
  pid_t pid_ = -1;

 private:
  Heritage heritage() {
    Heritage mine = world_.heritage(0);
    mine.role = Role::kAcceptor;
    mine.seat = 0;
    mine.channel_fd = channel_.second.release();
    return mine;
  }
  SocketPair channel_ = make_seqpacket_pair().value();
};

TEST_F(AcceptorProcessTest, AcceptsNothingBeforeItIsToldTo) {
  expect(MessageType::kReady);
  connect(1);
  EXPECT_EQ(next_slot(50), -1);
  send(MessageType::kServe);
  EXPECT_GE(next_slot(), 0);
}

TEST_F(AcceptorProcessTest, SpreadsSequentialShortConnectionsEvenly) {
  serve();
  std::vector<int> given(kSlots);
  for (int i = 0; i < 200; ++i) {
    const UniqueFd client = connect_to(port_);
    const int slot = next_slot();
    ASSERT_GE(slot, 0);
    given[static_cast<std::size_t>(slot)] +=
        static_cast<int>(receive_batch(world_.receive_end(slot)).connections.size());
  }
  const auto [least, most] = std::ranges::minmax(given);
  EXPECT_LE(most, least * 1.5) << testing::PrintToString(given);
}

TEST_F(AcceptorProcessTest, GivesToTheLeastLoaded) {
  for (int slot = 0; slot < kSlots; ++slot) world_.seat(slot).live = slot == 2 ? 1 : 50;
  serve();
  for (int i = 0; i < 20; ++i) {
    connect(1);
    ASSERT_EQ(next_slot(), 2);
    EXPECT_EQ(receive_batch(world_.receive_end(2)).connections.size(), 1U);
  }
}

TEST_F(AcceptorProcessTest, SkipsSlotsThatAreSteeredAroundDeadOrFull) {
  world_.board().set_steered_around(0, true);
  world_.board().seat_of_slot[1] = -1;
  world_.seat(2).live = 1000;
  serve();
  for (int i = 0; i < 20; ++i) {
    connect(1);
    ASSERT_EQ(next_slot(), 3);
    EXPECT_EQ(receive_batch(world_.receive_end(3)).connections.size(), 1U);
  }
}

TEST_F(AcceptorProcessTest, AcceptsNoMoreThanTheWorkersCanTake) {
  for (int slot = 0; slot < kSlots; ++slot) world_.seat(slot).capacity = 2;
  serve();
  connect(20);
  std::size_t received = 0;
  while (received < 8 && next_slot() >= 0) received += receive_all();
  EXPECT_EQ(received, 8U);
  EXPECT_EQ(next_slot(50), -1);  // the rest is in the kernel's queue

  for (int slot = 0; slot < kSlots; ++slot) world_.seat(slot).capacity = 1000;
  while (received < 20 && next_slot() >= 0) received += receive_all();
  EXPECT_EQ(received, 20U);
}

TEST_F(AcceptorProcessTest, EmptiesRemovedListenersBeforeItSaysThatItHasStopped) {
  expect(MessageType::kReady);
  connect(100);

  drain({100});

  expect_exit(0);
  EXPECT_EQ(receive_all(), 100U);
}

TEST_F(AcceptorProcessTest, LeavesTheQueuesOfListenersThatStayToTheNextGeneration) {
  expect(MessageType::kReady);
  connect(3);

  drain();

  expect_exit(0);
  EXPECT_EQ(receive_all(), 0U);
  FakeWorker next_generation(world_, 0);
  next_generation.strategy().close_listener(100);
  EXPECT_TRUE(next_generation.strategy().finish());
  EXPECT_EQ(next_generation.held(), 3U);
}

TEST_F(AcceptorProcessTest, ListensNoMoreForAServerThatIsOutOfService) {
  serve();
  connect(1);
  ASSERT_GE(next_slot(), 0);
  world_.close_listeners();
  const CloseServerBody other{1};
  send(MessageType::kCloseServer, {reinterpret_cast<const char*>(&other), sizeof other});
  send(MessageType::kReopenLogs, std::string(sizeof(ReopenBody), '\0'));
  expect(MessageType::kLogsReopened);
  EXPECT_EQ(try_connect(port_), 0);

  const CloseServerBody mine{0};
  send(MessageType::kCloseServer, {reinterpret_cast<const char*>(&mine), sizeof mine});
  send(MessageType::kReopenLogs, std::string(sizeof(ReopenBody), '\0'));
  expect(MessageType::kLogsReopened);

  EXPECT_EQ(try_connect(port_), ECONNREFUSED);
}

TEST_F(AcceptorProcessTest, LeavesOnSigtermAndSaysSo) {
  serve();
  connect(1);
  ASSERT_GE(next_slot(), 0);
  kill(pid_, SIGTERM);
  expect(MessageType::kLeaving);
  expect_exit(0);
}

TEST_F(AcceptorProcessTest, IgnoresTheSignalsOfTheTerminal) {
  serve();
  for (const int number : {SIGHUP, SIGINT, SIGQUIT, SIGUSR1, SIGUSR2, SIGWINCH}) kill(pid_, number);
  connect(1);
  EXPECT_GE(next_slot(), 0);
}

TEST_F(AcceptorProcessTest, AcknowledgesThatLogsWereReopened) {
  serve();
  const ReopenBody body{42};
  send(MessageType::kReopenLogs, {reinterpret_cast<const char*>(&body), sizeof body});
  expect(MessageType::kLogsReopened);
}

TEST_F(AcceptorProcessTest, BeatsInItsSeat) {
  serve();
  connect(1);
  ASSERT_GE(next_slot(), 0);
  drain();
  expect_exit(0);
  EXPECT_LT(monotonic_now().count() - world_.seat(-1).heartbeat_ms, 5'000);
}

TEST_F(AcceptorProcessTest, ExitsWhenTheMasterHasGoneBeforeItServes) {
  leave_alone();
  expect_exit(0);
}

TEST_F(AcceptorProcessTest, ServesOnWithoutTheMasterUntilASuccessorTellsItToLeave) {
  serve();
  leave_alone();
  world_.scoreboard().head.leave_by_ms = (monotonic_now() + Millis{60'000}).count();
  expect_exit(0);
}

}  // namespace
}  // namespace drover::test
