#include "common/scm_rights.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "common/channel.h"

namespace drover {
namespace {

// A message of one byte over a pair.
struct OneByte {
  OneByte() {
    header.msg_iov = &data;
    header.msg_iovlen = 1;
  }

  char byte = 'x';
  iovec data{&byte, 1};
  DescriptorRoom<4> room;
  msghdr header{};
};

class ScmRights : public ::testing::Test {
 protected:
  void send(std::vector<int> fds) {
    OneByte message;
    attach_descriptors(message.header, message.room.bytes, fds);
    ASSERT_EQ(sendmsg(pair_.first.get(), &message.header, 0), 1);
  }
  std::vector<UniqueFd> receive(bool with_room) {
    OneByte message;
    if (with_room) make_room_for_descriptors(message.header, message.room.bytes);
    EXPECT_EQ(recvmsg(pair_.second.get(), &message.header, 0), 1);
    return take_descriptors(message.header);
  }

  SocketPair pair_ = std::move(make_seqpacket_pair()).value();
};

TEST_F(ScmRights, TheReceiverOwnsDescriptorsOfItsOwn) {
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  const UniqueFd reader(ends[0]);
  const UniqueFd writer(ends[1]);

  send({writer.get(), writer.get()});
  const std::vector<UniqueFd> taken = receive(true);

  ASSERT_EQ(taken.size(), 2U);
  EXPECT_EQ(write(taken[1].get(), "y", 1), 1);
  char byte = 0;
  EXPECT_EQ(read(reader.get(), &byte, 1), 1);
  EXPECT_EQ(byte, 'y');
}

TEST_F(ScmRights, AMessageWithoutDescriptorsCarriesNone) {
  send({});
  EXPECT_TRUE(receive(true).empty());
}

TEST_F(ScmRights, WithoutRoomNothingIsInstalled) {
  send({pair_.first.get()});
  EXPECT_TRUE(receive(false).empty());
}

}  // namespace
}  // namespace drover
