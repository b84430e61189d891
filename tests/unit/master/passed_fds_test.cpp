// What becomes of the descriptors that systemd passes.
#include "master/passed_fds.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstdlib>

#include "common/zone.h"
#include "master/fd_store.h"

namespace drover {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

UniqueFd tcp_socket(int type = SOCK_STREAM) {
  UniqueFd fd(socket(AF_INET, type, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const int on = 1;
  setsockopt(fd.get(), SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
  EXPECT_EQ(bind(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  return fd;
}

Address address_of(const UniqueFd& fd) {
  sockaddr_storage storage{};
  socklen_t size = sizeof storage;
  getsockname(fd.get(), reinterpret_cast<sockaddr*>(&storage), &size);
  return {reinterpret_cast<sockaddr*>(&storage), size};
}

class PassedFdsTest : public ::testing::Test {
 protected:
  void listen_on(const Address& address) {
    ListenSettings listen;
    listen.address = address;
    settings_.servers.emplace_back().listens.push_back(listen);
  }
  void name_zone(std::int64_t size_bytes, bool keep_required = false) {
    settings_.zones.push_back({"urls", size_bytes, false, keep_required, {"drover.conf", 7}});
  }
  void pass(const std::string& name, UniqueFd fd) {
    passed_.push_back({name, UniqueFd(fcntl(fd.get(), F_DUPFD_CLOEXEC, 0))});
  }
  Result<SortedFds> sort() { return sort_passed_fds(std::move(passed_), settings_); }

  Settings settings_;
  std::vector<PassedFd> passed_;
};

TEST_F(PassedFdsTest, SocketsAreFoundByTheirAddress) {
  UniqueFd fd = tcp_socket();
  const Address address = address_of(fd);
  listen_on(address);
  pass("drover.socket", std::move(fd));

  auto sorted = sort();

  ASSERT_TRUE(sorted.ok());
  ASSERT_EQ(sorted->inheritance.heritage().groups.size(), 1U);
  const MasterHeritage::Group group = sorted->inheritance.heritage().groups[0];
  EXPECT_EQ(group.address, address.to_string());
  ASSERT_EQ(group.members.size(), 1U);
  EXPECT_TRUE(group.members[0].is_lent);
  EXPECT_NE(fcntl(group.members[0].fd, F_GETFL) & O_NONBLOCK, 0) << "systemd passes blocking ones";
  EXPECT_TRUE(sorted->inheritance.claim(group.members[0].fd).is_open());
}

TEST_F(PassedFdsTest, StoredMembersOfAGroupComeInTheOrderInWhichTheyJoined) {
  UniqueFd fd = tcp_socket();
  listen_on(address_of(fd));
  for (const char* name : {"listen-12", "listen-3"})
    pass(name, UniqueFd(fcntl(fd.get(), F_DUPFD_CLOEXEC, 0)));
  pass("drover.socket", std::move(fd));

  auto sorted = sort();

  ASSERT_TRUE(sorted.ok());
  const MasterHeritage::Group& group = sorted->inheritance.heritage().groups.at(0);
  std::vector<std::uint32_t> ids;
  for (const auto& member : group.members) ids.push_back(member.id);
  EXPECT_THAT(ids, ElementsAre(13, 3, 12)) << "what a socket unit has was there first";
  EXPECT_TRUE(group.is_steered);
  EXPECT_EQ(group.active, 3);
}

TEST_F(PassedFdsTest, AStoredListenerThatNobodyListensOnIsClosedWithAWarning) {
  pass("listen-3", tcp_socket());

  auto sorted = sort();

  ASSERT_TRUE(sorted.ok());
  EXPECT_THAT(sorted->inheritance.heritage().groups, IsEmpty());
  EXPECT_THAT(sorted->warnings, ElementsAre(HasSubstr("listen-3, passed by systemd, is closed: "
                                                      "no server listens on 127.0.0.1:")));
}

// systemd has it anyway, and a reload may name it.
TEST_F(PassedFdsTest, ASocketUnitsThatNobodyListensOnIsKeptWithAWarning) {
  pass("web.socket", tcp_socket());

  auto sorted = sort();

  ASSERT_TRUE(sorted.ok());
  ASSERT_EQ(sorted->inheritance.heritage().groups.size(), 1U);
  EXPECT_TRUE(sorted->inheritance.heritage().groups[0].members.at(0).is_lent);
  EXPECT_THAT(sorted->warnings, ElementsAre(HasSubstr("web.socket, passed by systemd, waits for a "
                                                      "server: none listens on 127.0.0.1:")));
}

TEST_F(PassedFdsTest, ADatagramSocketIsRefusedWithAdvice) {
  pass("web.socket", tcp_socket(SOCK_DGRAM));

  auto sorted = sort();

  ASSERT_FALSE(sorted.ok());
  EXPECT_THAT(sorted.error().message(), HasSubstr("web.socket, which is no stream socket"));
}

TEST_F(PassedFdsTest, AConnectionIsRefusedWithAdvice) {
  int ends[2];
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
  const UniqueFd other(ends[1]);
  pass("web.socket", UniqueFd(ends[0]));

  auto sorted = sort();

  ASSERT_FALSE(sorted.ok());
  EXPECT_THAT(sorted.error().message(), HasSubstr("Accept=no"));
}

TEST_F(PassedFdsTest, AStoredUnixSocketIsUsedOnlyWhileItsPathLeadsToIt) {
  const std::string path = "/tmp/drover-passed." + std::to_string(getpid());
  const Address address = Address::parse("unix:" + path).value();
  const UniqueFd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  ASSERT_EQ(bind(fd.get(), address.get(), address.size()), 0);
  struct stat status {};
  ASSERT_EQ(lstat(path.c_str(), &status), 0);
  unlink(path.c_str());
  listen_on(address);
  pass(stored_listener_name(1, status.st_ino), UniqueFd(fcntl(fd.get(), F_DUPFD_CLOEXEC, 0)));

  auto sorted = sort();

  ASSERT_TRUE(sorted.ok());
  EXPECT_THAT(sorted->inheritance.heritage().groups, IsEmpty());
  EXPECT_THAT(sorted->warnings, ElementsAre(HasSubstr("is not its file any more")));
  EXPECT_THAT(sorted->useless, ElementsAre(stored_listener_name(1, status.st_ino)));
}

TEST_F(PassedFdsTest, AStoredZoneIsFoundByItsName) {
  name_zone(8192);
  pass(stored_zone_name("urls"), make_zone("urls", 8192).value());

  auto sorted = sort();

  ASSERT_TRUE(sorted.ok());
  ASSERT_EQ(sorted->inheritance.heritage().zones.size(), 1U);
  EXPECT_EQ(sorted->inheritance.heritage().zones[0].name, "urls");
}

TEST_F(PassedFdsTest, AZoneThatNobodyNamesIsClosedWithAWarning) {
  pass(stored_zone_name("urls"), make_zone("urls", 8192).value());

  auto sorted = sort();

  ASSERT_TRUE(sorted.ok());
  EXPECT_THAT(sorted->warnings, ElementsAre("zone-urls, passed by systemd, is closed: the "
                                            "configuration does not name it"));
}

TEST_F(PassedFdsTest, AZoneThatDoesNotFitIsDroppedOrRefused) {
  for (const bool keep_required : {false, true}) {
    settings_.zones.clear();
    name_zone(4096, keep_required);
    pass(stored_zone_name("urls"), make_zone("urls", 8192).value());

    auto sorted = sort();

    ASSERT_EQ(sorted.ok(), !keep_required);
    const std::string said = sorted.ok() ? sorted->warnings.at(0) : sorted.error().message();
    EXPECT_THAT(said, HasSubstr("is no zone of 4k"));
    passed_.clear();
  }
}

TEST_F(PassedFdsTest, MemoryThatCouldShrinkIsNoZone) {
  name_zone(4096);
  const UniqueFd zone = make_zone("urls", 4096).value();
  UniqueFd copy(memfd_create("urls", MFD_CLOEXEC));
  std::vector<char> bytes(zone_mapping_size(4096));
  ASSERT_GT(pread(zone.get(), bytes.data(), bytes.size(), 0), 0);
  ASSERT_GT(pwrite(copy.get(), bytes.data(), bytes.size(), 0), 0);
  pass(stored_zone_name("urls"), std::move(copy));

  auto sorted = sort();

  ASSERT_TRUE(sorted.ok());
  EXPECT_THAT(sorted->inheritance.heritage().zones, IsEmpty());
}

TEST(StoredNames, AreWhatTheyWereMadeFromAndNothingThatSystemdRefuses) {
  EXPECT_EQ(stored_zone_name("urls.v1"), "zone-urls.v1");
  EXPECT_EQ(stored_zone_name("a:b\xc3\xa4"), "zone-a%3ab%c3%a4");
  EXPECT_EQ(parse_stored_listener(stored_listener_name(7, 0))->id, 7U);
  EXPECT_EQ(parse_stored_listener(stored_listener_name(7, 99))->path_inode, 99U);
  for (const char* other : {"drover.socket", "listen-", "listen-x", "listen-7-", "listen-7.socket"})
    EXPECT_FALSE(parse_stored_listener(other).has_value()) << other;
}

TEST(TakePassedFds, WithoutAnyThereAreNone) {
  unsetenv("LISTEN_FDS");
  EXPECT_THAT(take_passed_fds(), IsEmpty());
}

}  // namespace
}  // namespace drover
