// The kernel is asked about real sockets: what it says must be what was done to them.
#include "master/socket_queues.h"

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <vector>

#include "common/unique_fd.h"

namespace drover {
namespace {

UniqueFd bound_to(const Address& address) {
  UniqueFd fd(socket(address.family(), SOCK_STREAM | SOCK_CLOEXEC, 0));
  EXPECT_EQ(bind(fd.get(), address.get(), address.size()), 0) << address.to_string();
  return fd;
}

UniqueFd listening_at(const Address& address, int backlog) {
  UniqueFd fd = bound_to(address);
  EXPECT_EQ(listen(fd.get(), backlog), 0);
  return fd;
}

Address name_of(const UniqueFd& fd) {
  sockaddr_storage name{};
  socklen_t size = sizeof name;
  EXPECT_EQ(getsockname(fd.get(), reinterpret_cast<sockaddr*>(&name), &size), 0);
  return {reinterpret_cast<const sockaddr*>(&name), size};
}

std::vector<UniqueFd> connect_to(const Address& address, int count) {
  std::vector<UniqueFd> clients;
  for (int i = 0; i < count; ++i) {
    clients.emplace_back(socket(address.family(), SOCK_STREAM | SOCK_CLOEXEC, 0));
    EXPECT_EQ(connect(clients.back().get(), address.get(), address.size()), 0);
  }
  return clients;
}

class TcpQueueTest : public testing::TestWithParam<const char*> {};

TEST_P(TcpQueueTest, HasWhatWasNotAcceptedAndItsBacklog) {
  const UniqueFd listener = listening_at(Address::parse(GetParam()).value(), 17);
  const auto clients = connect_to(name_of(listener), 3);

  const auto queue = SocketQueues::read().of(listener.get());

  ASSERT_TRUE(queue);
  EXPECT_EQ(queue->queued, 3U);
  EXPECT_EQ(queue->backlog, 17U);
  EXPECT_TRUE(UniqueFd(accept(listener.get(), nullptr, nullptr)).is_open());
  EXPECT_EQ(SocketQueues::read().of(listener.get())->queued, 2U);
}

INSTANTIATE_TEST_SUITE_P(All, TcpQueueTest, testing::Values("127.0.0.1:0", "[::1]:0"),
                         [](const auto& row) { return row.index == 0 ? "v4" : "v6"; });

TEST(UnixQueue, HasWhatWasNotAcceptedAndItsBacklog) {
  char folder[] = "/tmp/drover-queues.XXXXXX";
  ASSERT_NE(mkdtemp(folder), nullptr);
  const Address address = Address::parse("unix:" + std::string(folder) + "/socket").value();
  {
    const UniqueFd listener = listening_at(address, 9);
    const auto clients = connect_to(address, 2);

    const auto queue = SocketQueues::read().of(listener.get());

    ASSERT_TRUE(queue);
    EXPECT_EQ(queue->queued, 2U);
    EXPECT_EQ(queue->backlog, 9U);
  }
  unlink(address.path().c_str());
  rmdir(folder);
}

TEST(Queue, OfASocketThatDoesNotListenIsNotKnown) {
  const UniqueFd bound = bound_to(Address::parse("127.0.0.1:0").value());

  EXPECT_FALSE(SocketQueues::read().of(bound.get()));
  EXPECT_FALSE(SocketQueues::read().of(-1));
}

// With TCP_DEFER_ACCEPT the kernel holds a handshake open until the client speaks.
TEST(HalfOpen, AreCountedUntilTheHandshakeIsComplete) {
  const UniqueFd listener = listening_at(Address::parse("127.0.0.1:0").value(), 16);
  const int seconds = 30;
  ASSERT_EQ(setsockopt(listener.get(), IPPROTO_TCP, TCP_DEFER_ACCEPT, &seconds, sizeof seconds), 0);
  const auto clients = connect_to(name_of(listener), 4);
  const std::vector<Address> listening{Address::parse("unix:/nowhere").value(), name_of(listener)};

  const SocketQueues silent = SocketQueues::read();
  ASSERT_EQ(send(clients[0].get(), "x", 1, MSG_NOSIGNAL), 1);
  const SocketQueues one_spoke = SocketQueues::read();

  EXPECT_EQ(silent.of(listener.get())->queued, 0U);
  EXPECT_EQ(silent.half_open(listening),
            (std::vector<std::optional<std::uint32_t>>{std::nullopt, 4U}));
  EXPECT_EQ(one_spoke.of(listener.get())->queued, 1U);
  EXPECT_EQ(one_spoke.half_open(listening)[1], 3U);
}

struct Handshake {
  const char* name;
  const char* local;
  std::vector<const char*> listening;
  int goes_to;  // index, -1: none of these
};

void PrintTo(const Handshake& row, std::ostream* out) { *out << row.name; }

class HandshakeTest : public testing::TestWithParam<Handshake> {};

TEST_P(HandshakeTest, GoesToTheNearestListener) {
  std::vector<Address> listening;
  for (const char* text : GetParam().listening) listening.push_back(Address::parse(text).value());
  const Address local = Address::parse(GetParam().local).value();

  const auto found = listener_of(PeerAddress::from(local.get()), listening);

  EXPECT_EQ(found ? static_cast<int>(*found) : -1, GetParam().goes_to);
}

INSTANTIATE_TEST_SUITE_P(
    All, HandshakeTest,
    testing::Values(
        Handshake{"itself", "10.0.0.1:80", {"10.0.0.2:80", "10.0.0.1:80"}, 1},
        Handshake{"other_port", "10.0.0.1:81", {"10.0.0.1:80", "*:80"}, -1},
        Handshake{"other_address", "10.0.0.1:80", {"10.0.0.2:80"}, -1},
        Handshake{"wildcard", "10.0.0.1:80", {"unix:/x", "*:80"}, 1},
        Handshake{"itself_before_wildcard", "10.0.0.1:80", {"*:80", "10.0.0.1:80"}, 1},
        Handshake{"v6_wildcard", "[fe80::1]:80", {"*:80", "[::]:80"}, 1},
        Handshake{"v4_of_dual_stack", "10.0.0.1:80", {"[::]:80"}, 0},
        Handshake{"v4_wildcard_before_dual_stack", "10.0.0.1:80", {"*:80", "[::]:80"}, 0},
        Handshake{"v4_wildcard_after_dual_stack", "10.0.0.1:80", {"[::]:80", "*:80"}, 1},
        Handshake{"v6_of_v4_wildcard", "[fe80::1]:80", {"*:80"}, -1}),
    [](const auto& row) { return row.param.name; });

}  // namespace
}  // namespace drover
