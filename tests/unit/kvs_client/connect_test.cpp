#include "modules/kvs/client/connect.h"

#include <gtest/gtest.h>
#include <sys/socket.h>

#include "tests/support/endpoint.h"
#include "tests/support/failure.h"
#include "tests/support/files.h"
#include "tests/support/wait.h"

namespace kvs::client {
namespace {

using drover::Address;
using drover::UniqueFd;
using drover::test::Millis;

UniqueFd listener_at(const Address& address) {
  UniqueFd fd(::socket(address.family(), SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (::bind(fd.get(), address.get(), address.size()) != 0 || ::listen(fd.get(), 0) != 0)
    drover::test::fail_errno("listen");
  return fd;
}

Address unix_address(const drover::test::TempDir& dir) {
  return Address::parse("unix:" + dir.file("sock")).value();
}

TEST(Connect, ReachesAPort) {
  const Address address =
      Address::parse("127.0.0.1:" + std::to_string(drover::test::free_port())).value();
  const UniqueFd listener = listener_at(address);

  EXPECT_TRUE(connect_to(address, Millis{5'000}).ok());
}

TEST(Connect, ReachesAUnixSocket) {
  const drover::test::TempDir dir;
  const UniqueFd listener = listener_at(unix_address(dir));

  const auto socket = connect_to(unix_address(dir), Millis{5'000});

  ASSERT_TRUE(socket.ok()) << socket.error().message();
  char byte = 0;
  EXPECT_EQ(::recv(socket.value().get(), &byte, 1, 0), -1);
  EXPECT_EQ(errno, EAGAIN);
}

TEST(Connect, SaysWhoRefused) {
  const std::string text = "127.0.0.1:" + std::to_string(drover::test::free_port());

  const auto socket = connect_to(Address::parse(text).value(), Millis{5'000});

  ASSERT_FALSE(socket.ok());
  EXPECT_EQ(socket.error().message(), "cannot connect to " + text + ": Connection refused");
}

TEST(Connect, GivesUpAtTheDeadline) {
  const drover::test::TempDir dir;
  const Address address = unix_address(dir);
  const UniqueFd listener = listener_at(address);
  const auto first = connect_to(address, Millis{30});  // its queue has room for one

  const auto second = connect_to(address, Millis{30});

  ASSERT_FALSE(second.ok());
  EXPECT_EQ(second.error().message(),
            "cannot connect to " + address.to_string() + ": no answer within 30ms");
}

}  // namespace
}  // namespace kvs::client
