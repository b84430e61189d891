// Listening sockets over generations: what connects is in some queue, whatever the groups do.
#include "master/listeners.h"

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <utility>
#include <vector>

namespace drover {
namespace {

constexpr Millis kLinger{20};

class ListenersTest : public ::testing::Test {
 protected:
  ListenersTest() : port_(free_port()) { log_.set_level(LogLevel::kError); }

  static std::uint16_t free_port() {
    const UniqueFd probe(socket(AF_INET, SOCK_STREAM, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    EXPECT_EQ(bind(probe.get(), reinterpret_cast<sockaddr*>(&address), size), 0);
    EXPECT_EQ(getsockname(probe.get(), reinterpret_cast<sockaddr*>(&address), &size), 0);
    return ntohs(address.sin_port);
  }

  Settings settings_with(AcceptStrategy accept, std::uint16_t port) {
    Settings settings;
    ServerSettings server;
    server.name = "echo";
    server.accept = accept;
    ListenSettings listen;
    listen.address = Address::parse("127.0.0.1:" + std::to_string(port)).value();
    server.listens.push_back(listen);
    settings.servers.push_back(server);
    return settings;
  }

  // Opens and commits; the plan of the generation that serves now.
  ListenPlan serve(const Settings& settings, int slots) {
    kept_.push_back(std::make_unique<Settings>(settings));
    auto plan = listeners_.open(*kept_.back(), slots);
    EXPECT_TRUE(plan.ok()) << (plan.ok() ? "" : plan.error().message());
    auto removed = listeners_.commit(*plan, kLinger);
    EXPECT_TRUE(removed.ok());
    removed_ = removed.value();
    return std::move(plan).value();
  }

  // A socket unit's, which stays open elsewhere: what is returned.
  UniqueFd lend(std::uint16_t port) {
    const Address address = Address::parse("127.0.0.1:" + std::to_string(port)).value();
    UniqueFd mine(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    const int on = 1;
    setsockopt(mine.get(), SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
    EXPECT_EQ(bind(mine.get(), address.get(), address.size()), 0);
    EXPECT_EQ(listen(mine.get(), 128), 0);
    UniqueFd systemds(dup(mine.get()));
    MasterHeritage left;
    left.groups.push_back({address.to_string(), 1, false, {{7, mine.get(), true}}});
    std::vector<UniqueFd> fds;
    fds.push_back(std::move(mine));
    Inheritance inheritance(std::move(left), std::move(fds));
    listeners_.inherit(inheritance, false);
    return systemds;
  }

  UniqueFd connect_to(std::uint16_t port) {
    UniqueFd client(socket(AF_INET, SOCK_STREAM, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (connect(client.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0)
      client.reset();
    return client;
  }

  // How many of `count` connections each member of the plan's listener got.
  std::vector<int> spread(const ListenPlan& plan, int count) {
    std::vector<UniqueFd> clients;
    std::vector<int> per_member;
    for (int i = 0; i < count; ++i) clients.push_back(connect_to(port_));
    for (const ListenerHeritage& listener : plan.heritage()) {
      int taken = 0;
      while (UniqueFd(accept4(listener.fd, nullptr, nullptr, SOCK_NONBLOCK)).is_open()) ++taken;
      per_member.push_back(taken);
    }
    return per_member;
  }

  using Options = std::vector<int>;
  static Options options_of(int fd) {
    Options options;
    for (const auto& [level, name] : {std::pair{SOL_SOCKET, SO_KEEPALIVE},
                                      {IPPROTO_TCP, TCP_KEEPIDLE},
                                      {IPPROTO_TCP, TCP_KEEPINTVL},
                                      {IPPROTO_TCP, TCP_KEEPCNT},
                                      {SOL_SOCKET, SO_RCVBUF}}) {
      int value = 0;
      socklen_t size = sizeof value;
      EXPECT_EQ(getsockopt(fd, level, name, &value, &size), 0);
      options.push_back(value);
    }
    return options;
  }

  std::uint16_t port_;
  EventBase base_ = make_event_base();
  Log log_;
  ScoreboardMapping scoreboard_ = make_scoreboard().mapping;
  MasterContext context_{base_.get(), &log_, scoreboard_.get(), nullptr, {}};
  std::vector<std::uint32_t> closed_everywhere_;
  Listeners listeners_{context_, [this](std::uint32_t id) { closed_everywhere_.push_back(id); }};
  std::vector<std::unique_ptr<Settings>> kept_;
  std::vector<std::uint32_t> removed_;
};

TEST_F(ListenersTest, AGroupThatGrowsGivesNothingToItsNewMembersBeforeTheCommit) {
  const ListenPlan one = serve(settings_with(AcceptStrategy::kShared, port_), 4);
  const Settings four = settings_with(AcceptStrategy::kReuseport, port_);
  auto plan = listeners_.open(four, 4);
  ASSERT_TRUE(plan.ok());
  EXPECT_EQ(spread(one, 40)[0], 40);
  ASSERT_TRUE(listeners_.commit(*plan, kLinger).ok());
  const std::vector<int> after = spread(*plan, 200);
  EXPECT_EQ(after.size(), 4U);
  for (const int taken : after) EXPECT_GT(taken, 0);
}

TEST_F(ListenersTest, AGroupThatShrinksSteersToWhatRemainsAndClosesTheRestLater) {
  serve(settings_with(AcceptStrategy::kReuseport, port_), 4);
  const ListenPlan two = serve(settings_with(AcceptStrategy::kReuseport, port_), 2);
  const std::vector<int> spread_now = spread(two, 100);
  ASSERT_EQ(spread_now.size(), 4U) << "the surplus is still there";
  EXPECT_EQ(spread_now[0] + spread_now[1], 100);
  while (closed_everywhere_.size() < 2) event_base_loop(base_.get(), EVLOOP_ONCE);
  EXPECT_EQ(two.heritage().size(), 2U);
  const std::vector<int> spread_later = spread(two, 100);
  EXPECT_EQ(spread_later[0] + spread_later[1], 100);
}

TEST_F(ListenersTest, ASlotThatIsSteeredAroundGetsNothingNew) {
  const ListenPlan plan = serve(settings_with(AcceptStrategy::kReuseport, port_), 3);
  Board& board = scoreboard_->board_of(1);
  board.set_steered_around(1, true);
  listeners_.steer(&board);
  EXPECT_EQ(spread(plan, 100)[1], 0);
  board.set_steered_around(1, false);
  listeners_.steer(&board);
  EXPECT_GT(spread(plan, 200)[1], 0);
}

TEST_F(ListenersTest, AbandoningLeavesTheOldMembersAsTheyWere) {
  const ListenPlan one = serve(settings_with(AcceptStrategy::kShared, port_), 4);
  const Settings four = settings_with(AcceptStrategy::kReuseport, port_);
  auto plan = listeners_.open(four, 4);
  ASSERT_TRUE(plan.ok());
  listeners_.abandon(*plan);
  EXPECT_EQ(one.heritage().size(), 1U);
  EXPECT_EQ(spread(one, 20)[0], 20);
}

TEST_F(ListenersTest, ARemovedAddressIsNamedAndRefusesFromThenOn) {
  const std::uint16_t other = free_port();
  std::uint32_t id = 0;
  {
    const ListenPlan old_plan = serve(settings_with(AcceptStrategy::kShared, other), 1);
    id = old_plan.heritage()[0].id;
  }
  serve(settings_with(AcceptStrategy::kShared, port_), 1);
  EXPECT_EQ(removed_, std::vector<std::uint32_t>{id});
  EXPECT_FALSE(connect_to(other).is_open());
}

TEST_F(ListenersTest, AServerThatIsClosedIsNamedAndRefusesAndTheOthersGoOn) {
  const std::uint16_t other = free_port();
  Settings two = settings_with(AcceptStrategy::kReuseport, other);
  two.servers.push_back(settings_with(AcceptStrategy::kReuseport, port_).servers[0]);
  ListenPlan plan = serve(two, 2);

  listeners_.close(plan, {0});

  EXPECT_EQ(closed_everywhere_.size(), 2U) << "a generation that drains may have them, too";
  ASSERT_EQ(plan.heritage().size(), 2U);
  EXPECT_EQ(plan.heritage()[0].server, 1);
  EXPECT_FALSE(connect_to(other).is_open());
  EXPECT_TRUE(connect_to(port_).is_open());
  EXPECT_EQ(listeners_.heritage().size(), 1U);
  const ListenPlan again = serve(two, 2);
  EXPECT_TRUE(connect_to(other).is_open());
}

// systemd listens on, and whoever bound there anew would find the address taken.
TEST_F(ListenersTest, WhatSystemdLendsStaysForWhomeverNamesItNext) {
  const UniqueFd systemds = lend(port_);
  Settings settings = settings_with(AcceptStrategy::kReuseport, port_);
  const Settings other = settings_with(AcceptStrategy::kShared, free_port());
  ListenPlan plan = serve(settings, 2);

  listeners_.close(plan, {0});
  EXPECT_EQ(closed_everywhere_.size(), 2U) << "those of the children are copies";
  EXPECT_TRUE(plan.heritage().empty());
  plan = serve(settings, 2);
  EXPECT_EQ(plan.heritage().size(), 2U);
  plan.uses.clear();
  serve(other, 1);

  EXPECT_EQ(removed_.size(), 2U) << "the workers are to let go of it";
  EXPECT_EQ(listeners_.heritage().size(), 2U) << "for a successor";
  EXPECT_EQ(serve(settings, 2).heritage().size(), 2U);
}

// The second address is refused when the first has its new options already.
TEST_F(ListenersTest, ACommitThatIsRefusedLeavesTheOptionsAsTheyWere) {
  Settings before = settings_with(AcceptStrategy::kShared, port_);
  ListenSettings v6;
  v6.address = Address::parse("[::1]:" + std::to_string(free_port())).value();
  before.servers[0].listens.push_back(v6);
  Settings after = before;
  after.servers[0].listens[0].keepalive = {true, 61, 7, 3};
  after.servers[0].listens[0].rcvbuf = 32'768;
  after.servers[0].listens[1].v6only = !v6.v6only;  // cannot be changed any more
  const ListenPlan plan = serve(before, 1);
  const int fd = plan.heritage()[0].fd;
  const Options options_before = options_of(fd);

  auto refused = listeners_.open(after, 1);
  ASSERT_TRUE(refused.ok());
  ASSERT_FALSE(listeners_.commit(*refused, kLinger).ok());

  EXPECT_EQ(options_of(fd), options_before);
}

TEST_F(ListenersTest, AStrangerOnTheAddressIsAnErrorThatNamesIt) {
  serve(settings_with(AcceptStrategy::kReuseport, port_), 2);
  Listeners second(context_, [](std::uint32_t) {});
  const Settings settings = settings_with(AcceptStrategy::kReuseport, port_);
  const auto plan = second.open(settings, 2);
  ASSERT_FALSE(plan.ok());
  EXPECT_NE(
      plan.error().message().find("address already in use by pid " + std::to_string(getpid())),
      std::string::npos)
      << plan.error().message();
}

}  // namespace
}  // namespace drover
