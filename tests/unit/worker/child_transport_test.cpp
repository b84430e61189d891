#include "worker/child_transport.h"

#include <gtest/gtest.h>
#include <sys/socket.h>

#include <cerrno>
#include <random>

#include "tests/support/proc.h"
#include "tests/support/sanitizer.h"

namespace drover {
namespace {

class ChildTransportTest : public testing::Test {
 protected:
  std::string receive(std::size_t size) {
    std::string buffer(size, '\0');
    const ssize_t got = stream_.receive(buffer);
    buffer.resize(got < 0 ? 0 : static_cast<std::size_t>(got));
    return buffer;
  }

  ChildTransport stream_{StreamCarrier{}};
};

TEST_F(ChildTransportTest, GivesWhatWasPutInItsOrderAndThenTheEnd) {
  ASSERT_TRUE(stream_.put("one "));
  ASSERT_TRUE(stream_.put("two"));
  stream_.put_end();

  EXPECT_EQ(receive(5), "one t");
  EXPECT_EQ(receive(5), "wo");
  char byte = 0;
  EXPECT_EQ(stream_.receive({&byte, 1}), 0);
}

TEST_F(ChildTransportTest, HasNothingYet) {
  char byte = 0;
  EXPECT_EQ(stream_.receive({&byte, 1}), -1);
  EXPECT_EQ(errno, EAGAIN);
}

TEST_F(ChildTransportTest, TakesNoMoreThanItsLimitAndNothingBehindTheEnd) {
  EXPECT_TRUE(stream_.put(std::string(ChildTransport::kMaxInbox, 'x')));
  EXPECT_FALSE(stream_.put("y"));
  EXPECT_EQ(stream_.waiting(), ChildTransport::kMaxInbox);

  stream_.put_end();
  EXPECT_EQ(receive(ChildTransport::kMaxInbox).size(), ChildTransport::kMaxInbox);
  EXPECT_FALSE(stream_.put("z"));
}

TEST_F(ChildTransportTest, KeepsNothingOfWhatHasBeenTakenWhileSomethingAlwaysWaits) {
  const std::string block(128 * 1024, 'b');
  std::string taken(block.size(), '\0');
  ASSERT_TRUE(stream_.put(block));
  const std::int64_t before = test::rss_bytes(getpid());
  for (int i = 0; i < 10'000; ++i) {
    ASSERT_TRUE(stream_.put(block));
    ASSERT_EQ(stream_.receive(taken), static_cast<ssize_t>(taken.size()));
  }

  // The sanitizer keeps up to 256 MiB of what was freed.
  EXPECT_LT(test::rss_bytes(getpid()) - before, (test::kUnderAsan ? 512 : 8) << 20);
}

TEST_F(ChildTransportTest, KeepsTheOrderHoweverItIsPutAndTaken) {
  std::minstd_rand random(1);
  std::string put;
  std::string taken;
  for (int i = 0; i < 2000; ++i) {
    std::string bytes(1 + random() % (i % 10 == 0 ? 40'000 : 100), '\0');
    for (char& byte : bytes) byte = static_cast<char>(random() >> 8);
    if (stream_.put(bytes)) put += bytes;
    if (i % 3 == 0) taken += receive(random() % 30'000);
    ASSERT_EQ(stream_.waiting(), put.size() - taken.size());
  }
  while (stream_.waiting() > 0) taken += receive(10'000);

  EXPECT_TRUE(taken == put);
}

TEST_F(ChildTransportTest, DropsWhatWaitsWhenItIsReset) {
  ASSERT_TRUE(stream_.put("lost"));
  stream_.put_reset();

  char byte = 0;
  EXPECT_EQ(stream_.receive({&byte, 1}), -1);
  EXPECT_EQ(errno, ECONNRESET);
  EXPECT_TRUE(stream_.is_reset(false));
  EXPECT_NE(stream_.ready() & EV_READ, 0) << "also while it is paused";
}

TEST_F(ChildTransportTest, IsReadyForWhatIsWatchedOnly) {
  ASSERT_TRUE(stream_.put("x"));
  EXPECT_EQ(stream_.ready(), 0);
  stream_.watch(nullptr, EV_READ | EV_ET, nullptr);
  EXPECT_EQ(stream_.ready(), 0);
  stream_.watch(nullptr, EV_READ | EV_WRITE, nullptr);
  EXPECT_EQ(stream_.ready(), EV_READ | EV_WRITE);
}

}  // namespace
}  // namespace drover
