// Addresses, peers and ranges: reading, printing, matching, and refusals with their message.
#include "common/address.h"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/un.h>

#include <cstring>

namespace drover {
namespace {

using testing::HasSubstr;

struct Reading {
  const char* text;
  int family;
  int port;
  const char* printed;
};

class AddressReading : public testing::TestWithParam<Reading> {};

TEST_P(AddressReading, PrintsAFormThatIsReadBackTheSame) {
  auto address = Address::parse(GetParam().text);
  ASSERT_TRUE(address.ok()) << address.error().message();
  EXPECT_EQ(address->family(), GetParam().family);
  EXPECT_EQ(address->port(), GetParam().port);
  EXPECT_EQ(address->to_string(), GetParam().printed);
  EXPECT_EQ(Address::parse(address->to_string()).value(), *address);
}

INSTANTIATE_TEST_SUITE_P(
    Address, AddressReading,
    testing::Values(Reading{"127.0.0.1:7007", AF_INET, 7007, "127.0.0.1:7007"},
                    Reading{"*:80", AF_INET, 80, "0.0.0.0:80"},
                    Reading{"127.0.0.1:0", AF_INET, 0, "127.0.0.1:0"},
                    Reading{"[::1]:7007", AF_INET6, 7007, "[::1]:7007"},
                    Reading{"[::]:65535", AF_INET6, 65535, "[::]:65535"},
                    Reading{"[2001:DB8:0::1]:1", AF_INET6, 1, "[2001:db8::1]:1"},
                    Reading{"unix:/run/x.sock", AF_UNIX, 0, "unix:/run/x.sock"},
                    Reading{"unix:rel ative", AF_UNIX, 0, "unix:rel ative"}));

struct Refusal {
  std::string text;
  const char* message;
};

class AddressRefusal : public testing::TestWithParam<Refusal> {};

TEST_P(AddressRefusal, SaysWhatWouldBeRight) {
  auto address = Address::parse(GetParam().text);
  ASSERT_FALSE(address.ok()) << GetParam().text;
  EXPECT_THAT(address.error().message(), HasSubstr(GetParam().message));
}

INSTANTIATE_TEST_SUITE_P(
    Address, AddressRefusal,
    testing::Values(
        Refusal{"", "is not an address"}, Refusal{"7007", "write *:7007"},
        Refusal{"localhost:7007", "is not an address"}, Refusal{"127.0.0.1", "is not an address"},
        Refusal{":7007", "is not an address"}, Refusal{"[]:7007", "is not an address"},
        Refusal{"::1:7007", "is not an address"}, Refusal{"[127.0.0.1]:1", "is not an address"},
        Refusal{"256.0.0.1:1", "is not an address"}, Refusal{"127.0.0.1:", "is not a port"},
        Refusal{"127.0.0.1:65536", "is not a port"}, Refusal{"127.0.0.1:-1", "is not a port"},
        Refusal{"127.0.0.1:http", "is not a port"},
        Refusal{"[fe80::1%lo]:80", "names an interface"},
        Refusal{std::string("127.0.0.1\0x:1", 13), "is not an address"},
        Refusal{"unix:", "has no path"}, Refusal{"unix:@x", "has no permissions"},
        Refusal{std::string("unix:/a\0b", 9), "NUL"},
        Refusal{"unix:/" + std::string(107, 'x'), "use at most 107"}));

TEST(Address, TakesAUnixPathThatJustFits) {
  const std::string path = "/" + std::string(106, 'x');
  auto address = Address::parse("unix:" + path);
  ASSERT_TRUE(address.ok());
  EXPECT_EQ(address->path(), path);
}

TEST(Address, PrintsUnnamedAndAbstractUnixPeers) {
  sockaddr_un peer{};
  peer.sun_family = AF_UNIX;
  const auto* generic = reinterpret_cast<const sockaddr*>(&peer);
  EXPECT_EQ(Address(generic, sizeof peer.sun_family).to_string(), "unix:");
  std::memcpy(peer.sun_path, "\0name", 5);
  EXPECT_EQ(Address(generic, sizeof peer.sun_family + 5).to_string(), "unix:@name");
}

PeerAddress peer_of(const std::string& text) {
  auto address = Address::parse(text);
  EXPECT_TRUE(address.ok()) << text;
  return PeerAddress::from(address->get());
}

TEST(PeerAddress, PrintsWithAndWithoutPort) {
  EXPECT_EQ(peer_of("127.0.0.1:5000").to_string(), "127.0.0.1:5000");
  EXPECT_EQ(peer_of("127.0.0.1:5000").ip_to_string(), "127.0.0.1");
  EXPECT_EQ(peer_of("[::1]:5000").to_string(), "[::1]:5000");
  EXPECT_EQ(peer_of("unix:/x").to_string(), "unix:");
  EXPECT_EQ(PeerAddress{}.to_string(), "unknown");
}

TEST(PeerAddress, TakesAnIpv4ClientOfADualStackListenerForOne) {
  const PeerAddress peer = peer_of("[::ffff:10.1.2.3]:9");
  EXPECT_EQ(peer.family, AF_INET);
  EXPECT_EQ(peer.to_string(), "10.1.2.3:9");
}

struct Match {
  const char* range;
  const char* inside;
  const char* outside;
};

class CidrMatch : public testing::TestWithParam<Match> {};

TEST_P(CidrMatch, HoldsWhatIsInsideOnly) {
  auto cidr = Cidr::parse(GetParam().range);
  ASSERT_TRUE(cidr.ok()) << cidr.error().message();
  EXPECT_EQ(cidr->to_string(), GetParam().range);
  EXPECT_TRUE(cidr->contains(peer_of(GetParam().inside)));
  EXPECT_FALSE(cidr->contains(peer_of(GetParam().outside)));
}

INSTANTIATE_TEST_SUITE_P(
    Cidr, CidrMatch,
    testing::Values(Match{"10.0.0.0/8", "10.255.0.1:1", "11.0.0.0:1"},
                    Match{"10.0.0.1", "10.0.0.1:1", "10.0.0.2:1"},
                    Match{"10.128.0.0/9", "10.128.0.1:1", "10.127.255.255:1"},
                    Match{"0.0.0.0/0", "1.2.3.4:1", "[::1]:1"},
                    Match{"0.0.0.0/0", "[::ffff:1.2.3.4]:1", "unix:/x"},
                    Match{"::/0", "[::1]:1", "1.2.3.4:1"},
                    Match{"2001:db8::/33", "[2001:db8:7fff::1]:1", "[2001:db8:8000::1]:1"},
                    Match{"::1", "[::1]:1", "[::2]:1"}, Match{"unix:", "unix:/x", "127.0.0.1:1"}));

TEST(Cidr, AllHoldsEveryFamilyAndTheUnknown) {
  auto all = Cidr::parse("all");
  ASSERT_TRUE(all.ok());
  for (const char* peer : {"1.2.3.4:1", "[::1]:1", "unix:/x"}) {
    EXPECT_TRUE(all->contains(peer_of(peer))) << peer;
  }
  EXPECT_TRUE(all->contains(PeerAddress{}));
  EXPECT_FALSE(Cidr::parse("::/0")->contains(PeerAddress{}));
}

class CidrRefusal : public testing::TestWithParam<Refusal> {};

TEST_P(CidrRefusal, SaysWhatWouldBeRight) {
  auto cidr = Cidr::parse(GetParam().text);
  ASSERT_FALSE(cidr.ok()) << GetParam().text;
  EXPECT_THAT(cidr.error().message(), HasSubstr(GetParam().message));
}

INSTANTIATE_TEST_SUITE_P(Cidr, CidrRefusal,
                         testing::Values(Refusal{"", "is not an address range"},
                                         Refusal{"any", "is not an address range"},
                                         Refusal{"10.0.0", "is not an address range"},
                                         Refusal{"10.0.0.0/33", "from 0 to 32"},
                                         Refusal{"::/129", "from 0 to 128"},
                                         Refusal{"10.0.0.0/", "has no valid mask"},
                                         Refusal{"10.0.0.0/-1", "has no valid mask"},
                                         Refusal{"10.0.0.1/8", "write 10.0.0.0/8"},
                                         Refusal{"2001:db8::1/32", "write 2001:db8::/32"}));

}  // namespace
}  // namespace drover
