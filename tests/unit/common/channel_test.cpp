#include "common/channel.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <memory>

namespace drover {
namespace {

struct Recorder final : Channel::Listener {
  void on_message(Message message) override {
    messages.push_back(std::move(message));
    if (destroy_on_message != nullptr) destroy_on_message->reset();
  }
  void on_channel_closed() override { is_closed = true; }

  std::vector<Message> messages;
  bool is_closed = false;
  std::unique_ptr<Channel>* destroy_on_message = nullptr;
};

class ChannelTest : public ::testing::Test {
 protected:
  ChannelTest() {
    SocketPair pair = std::move(make_seqpacket_pair()).value();
    raw_ = pair.second.get();
    left_ = std::make_unique<Channel>(base_.get(), std::move(pair.first), &at_left_);
    right_ = std::make_unique<Channel>(base_.get(), std::move(pair.second), &at_right_);
  }
  void turn() { event_base_loop(base_.get(), EVLOOP_NONBLOCK); }
  // What is in the pair already: without a turn of the loop the left end sends nothing more.
  std::size_t arrived_at_right() {
    std::size_t before = 0;
    do {
      before = at_right_.messages.size();
      right_->read_pending();
    } while (at_right_.messages.size() > before);
    return before;
  }

  EventBase base_ = make_event_base();
  Recorder at_left_;
  Recorder at_right_;
  int raw_ = -1;
  std::unique_ptr<Channel> left_;
  std::unique_ptr<Channel> right_;
};

TEST_F(ChannelTest, DeliversWholeMessagesInOrder) {
  left_->send(MessageType::kServe);
  left_->send_body(MessageType::kCloseListener, CloseListenerBody{7});
  turn();
  ASSERT_EQ(at_right_.messages.size(), 2U);
  EXPECT_EQ(at_right_.messages[0].type, MessageType::kServe);
  EXPECT_EQ(at_right_.messages[1].body_as<CloseListenerBody>().value().listener_id, 7U);
}

TEST_F(ChannelTest, PassesDescriptorsThatTheSenderMayClose) {
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  left_->send_body(MessageType::kReopenLogs, ReopenBody{1}, std::vector<int>{ends[1]});
  close(ends[1]);
  turn();
  ASSERT_EQ(at_right_.messages.size(), 1U);
  ASSERT_EQ(at_right_.messages[0].fds.size(), 1U);
  EXPECT_EQ(write(at_right_.messages[0].fds[0].get(), "x", 1), 1);
  char byte = 0;
  EXPECT_EQ(read(ends[0], &byte, 1), 1);
  close(ends[0]);
}

TEST_F(ChannelTest, KeepsWhatASlowPeerHasNoRoomFor) {
  const std::string body(kMaxMessageBody, 'x');
  for (int i = 0; i < 200; ++i) left_->send(MessageType::kFailed, body);
  EXPECT_LT(arrived_at_right(), 200U) << "the pair has room for all of them";
  for (int i = 0; i < 400 && at_right_.messages.size() < 200; ++i) turn();
  EXPECT_EQ(at_right_.messages.size(), 200U);
}

TEST_F(ChannelTest, TellsThatThePeerHasGone) {
  right_.reset();
  turn();
  EXPECT_TRUE(at_left_.is_closed);
}

TEST_F(ChannelTest, ClosesOnAPacketThatLies) {
  const std::string packet = encode_message(MessageType::kReady, "12345678").substr(0, 10);
  ASSERT_EQ(::send(raw_, packet.data(), packet.size(), 0), static_cast<ssize_t>(packet.size()));
  turn();
  EXPECT_TRUE(at_left_.is_closed);
  EXPECT_TRUE(at_left_.messages.empty());
}

TEST_F(ChannelTest, MayBeDestroyedByItsListener) {
  at_right_.destroy_on_message = &right_;
  left_->send(MessageType::kServe);
  left_->send(MessageType::kServe);
  turn();
  EXPECT_EQ(at_right_.messages.size(), 1U);
}

TEST_F(ChannelTest, HearsTheLastWordsOfADeadPeer) {
  right_->send(MessageType::kFailed, "no such zone");
  right_.reset();
  left_->read_pending();
  ASSERT_EQ(at_left_.messages.size(), 1U);
  EXPECT_EQ(at_left_.messages[0].body, "no such zone");
}

TEST_F(ChannelTest, HearsTheLastWordsBehindAllThatADeadPeerSaidBefore) {
  for (int i = 0; i < 100; ++i) right_->send(MessageType::kReady);
  right_->send(MessageType::kFailed, "no such zone");
  right_.reset();
  left_->read_pending();
  ASSERT_EQ(at_left_.messages.size(), 101U);
  EXPECT_EQ(at_left_.messages.back().body, "no such zone");
}

// The kernel tells of the mail it left unread before it gives out what it said.
TEST_F(ChannelTest, HearsTheLastWordsOfAPeerThatLeftItsOwnMailUnread) {
  left_->send(MessageType::kDrain);
  right_->send(MessageType::kLeaving);
  right_.reset();
  left_->read_pending();
  ASSERT_EQ(at_left_.messages.size(), 1U);
  EXPECT_EQ(at_left_.messages[0].type, MessageType::kLeaving);
  EXPECT_TRUE(at_left_.is_closed);
}

struct Refusal {
  const char* name;
  std::string packet;
  const char* message;
};

class DecodeMessage : public ::testing::TestWithParam<Refusal> {};

TEST_P(DecodeMessage, SaysWhatIsWrong) {
  const auto message = decode_message(GetParam().packet);
  ASSERT_FALSE(message.ok());
  EXPECT_EQ(message.error().message(), GetParam().message);
}

INSTANTIATE_TEST_SUITE_P(
    Packets, DecodeMessage,
    ::testing::Values(Refusal{"Empty", "", "packet is shorter than its header"},
                      Refusal{"HalfAHeader", "1234", "packet is shorter than its header"},
                      Refusal{"BodyTooLong", encode_message(MessageType::kReady, "") + "x",
                              "packet's length is not what its header says"}),
    [](const auto& row) { return row.param.name; });

TEST(Message, RefusesABodyThatIsTooShort) {
  const Message message{MessageType::kReopenLogs, "1234", {}};
  EXPECT_EQ(message.body_as<ReopenBody>().error().message(), "message is too short");
}

}  // namespace
}  // namespace drover
