#include "worker/accept/passing.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <array>
#include <cerrno>

#include "common/channel.h"

namespace drover {
namespace {

ino_t inode_of(int fd) {
  struct stat status {};
  fstat(fd, &status);
  return status.st_ino;
}

class PassingTest : public testing::Test {
 protected:
  // Sockets that stand for connections; their ids are 1, 2, ...
  static std::vector<Passed> make_batch(std::size_t count) {
    std::vector<Passed> batch(count);
    std::uint32_t id = 0;
    for (Passed& passed : batch) passed = {UniqueFd(socket(AF_INET, SOCK_STREAM, 0)), ++id};
    return batch;
  }
  [[nodiscard]] int sender() const { return pair_.first.get(); }
  [[nodiscard]] int receiver() const { return pair_.second.get(); }

 private:
  SocketPair pair_ = make_seqpacket_pair().value();
};

TEST_F(PassingTest, DeliversDescriptorsWithTheirListeners) {
  const std::vector<Passed> batch = make_batch(3);

  ASSERT_EQ(send_batch(sender(), batch), 0);
  const ReceivedBatch received = receive_batch(receiver());

  ASSERT_EQ(received.connections.size(), 3U);
  EXPECT_EQ(received.lost, 0U);
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(received.connections[i].listener_id, i + 1);
    EXPECT_EQ(inode_of(received.connections[i].fd.get()), inode_of(batch[i].fd.get()));
    EXPECT_EQ(fcntl(received.connections[i].fd.get(), F_GETFD), FD_CLOEXEC);
  }
}

TEST_F(PassingTest, CarriesTheLargestBatch) {
  ASSERT_EQ(send_batch(sender(), make_batch(kMaxPassed)), 0);
  EXPECT_EQ(receive_batch(receiver()).connections.size(), kMaxPassed);
}

TEST_F(PassingTest, PeeksWithoutTaking) {
  EXPECT_EQ(peek_batch(receiver()), std::nullopt);
  ASSERT_EQ(send_batch(sender(), make_batch(5)), 0);

  EXPECT_EQ(peek_batch(receiver()), 5U);
  EXPECT_EQ(peek_batch(receiver()), 5U);
  EXPECT_EQ(receive_batch(receiver()).connections.size(), 5U);
  EXPECT_EQ(peek_batch(receiver()), std::nullopt);
}

TEST_F(PassingTest, SaysWhenThePairIsFullAndLosesNothing) {
  const std::vector<Passed> batch = make_batch(1);
  std::size_t sent = 0;
  int error_number = 0;
  while ((error_number = send_batch(sender(), batch)) == 0) ++sent;

  EXPECT_TRUE(error_number == EAGAIN || error_number == ETOOMANYREFS);
  EXPECT_TRUE(batch[0].fd.is_open());
  std::size_t received = 0;
  while (peek_batch(receiver())) received += receive_batch(receiver()).connections.size();
  EXPECT_EQ(received, sent);
}

TEST_F(PassingTest, DropsMalformedMessages) {
  PassedBatch lies{};
  lies.count = 1000;
  const std::array<std::string_view, 3> packets{
      std::string_view{"ab"}, std::string_view{"\1\0\0\0", 4},
      std::string_view{reinterpret_cast<const char*>(&lies), sizeof lies}};
  for (const std::string_view packet : packets) {
    ASSERT_EQ(send(sender(), packet.data(), packet.size(), 0), std::ssize(packet));
    EXPECT_EQ(peek_batch(receiver()), 0U);
    EXPECT_TRUE(receive_batch(receiver()).connections.empty());
  }
  EXPECT_EQ(peek_batch(receiver()), std::nullopt);
}

TEST_F(PassingTest, CountsDescriptorsThatWereNotAttached) {
  const std::array<std::uint32_t, 3> two_ids_no_descriptor{2, 7, 8};
  ASSERT_GT(send(sender(), two_ids_no_descriptor.data(), sizeof two_ids_no_descriptor, 0), 0);

  EXPECT_EQ(receive_batch(receiver()).lost, 2U);
}

TEST_F(PassingTest, KnowsHowManyDescriptorsFit) {
  rlimit before{};
  getrlimit(RLIMIT_NOFILE, &before);
  const UniqueFd lowest(dup(0));
  const int next = lowest.get() + 1;
  const rlimit three_more{static_cast<rlim_t>(next + 3), before.rlim_max};
  setrlimit(RLIMIT_NOFILE, &three_more);

  const bool three = has_descriptors(0, 3);
  const bool again = has_descriptors(0, 3);
  const bool four = has_descriptors(0, 4);
  setrlimit(RLIMIT_NOFILE, &before);

  EXPECT_TRUE(three);
  EXPECT_TRUE(again);
  EXPECT_FALSE(four);
}

}  // namespace
}  // namespace drover
