#include "worker/output_queue.h"

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <optional>
#include <random>
#include <string>

#include "worker/socket_transport.h"

namespace drover {
namespace {

std::shared_ptr<const UniqueFd> file_of(const std::string& content) {
  auto file = std::make_shared<UniqueFd>(memfd_create("file", MFD_CLOEXEC));
  EXPECT_EQ(write(file->get(), content.data(), content.size()),
            static_cast<ssize_t>(content.size()));
  return file;
}

class OutputQueueTest : public testing::Test {
 protected:
  OutputQueueTest() {
    int ends[2];
    EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
    near_.emplace(UniqueFd(ends[0]));
    far_.reset(ends[1]);
  }
  void lend(std::string_view bytes) {
    queue_.append(LentBytes(
        bytes, [](void* count) { ++*static_cast<int*>(count); }, &released_));
  }
  OutputQueue::Sent send() { return queue_.send(*near_, false); }
  std::string read_all() {
    std::string all;
    char buffer[65536];
    for (ssize_t size = 0; (size = read(far_.get(), buffer, sizeof buffer)) > 0;) {
      all.append(buffer, static_cast<std::size_t>(size));
    }
    return all;
  }

  std::optional<SocketTransport> near_;
  UniqueFd far_;
  OutputQueue queue_;
  int released_ = 0;
};

TEST_F(OutputQueueTest, KeepsTheOrderOfAllKinds) {
  queue_.append("one ");
  lend("two ");
  queue_.append(FileRange{file_of("xxthree xx"), 2, 6});
  queue_.append("four ");
  queue_.append("five");
  EXPECT_EQ(queue_.size(), 23U);

  const OutputQueue::Sent sent = send();

  EXPECT_EQ(read_all(), "one two three four five");
  EXPECT_EQ(sent.size_bytes, 23U);
  EXPECT_FALSE(sent.is_full || sent.is_broken);
  EXPECT_EQ(queue_.size(), 0U);
}

TEST_F(OutputQueueTest, ReleasesLentBytesOnceTheyHaveLeft) {
  const std::string large(1'000'000, 'x');
  lend("first");
  lend(large);

  std::size_t got = 0;
  for (bool is_full = true; is_full; got += read_all().size()) {
    is_full = send().is_full;
    EXPECT_EQ(released_, is_full ? 1 : 2);
  }
  EXPECT_EQ(got, large.size() + 5);
}

TEST_F(OutputQueueTest, ReleasesLentBytesThatAreNeverSent) {
  lend("");
  EXPECT_EQ(released_, 1);
  lend("never");
  queue_ = OutputQueue();
  EXPECT_EQ(released_, 2);
}

TEST_F(OutputQueueTest, GoesOnInTheMiddleOfAFileThatTheSocketDidNotTake) {
  std::string content;
  for (int i = 0; content.size() < 3'000'000; ++i) content += std::to_string(i) + ' ';
  queue_.append("head ");
  queue_.append(FileRange{file_of(content), 0, content.size()});
  queue_.append(" tail");

  std::string got;
  for (int turn = 0; turn < 1000 && queue_.size() > 0; ++turn) {
    ASSERT_FALSE(send().is_broken);
    got += read_all();
  }

  EXPECT_EQ(got, "head " + content + " tail");
}

TEST_F(OutputQueueTest, BreaksWhenAFileIsShorterThanWasSaid) {
  queue_.append(FileRange{file_of("short"), 0, 6});

  send();
  EXPECT_EQ(read_all(), "short");
  EXPECT_TRUE(send().is_broken);
}

TEST_F(OutputQueueTest, BreaksWhenThePeerHasGone) {
  far_.reset();
  queue_.append("x");

  EXPECT_TRUE(send().is_broken);
}

TEST_F(OutputQueueTest, KeepsTheOrderOfManyPiecesOfAllSizes) {
  std::minstd_rand random(1);
  std::string appended;
  std::string got;
  for (int i = 0; i < 1000; ++i) {
    std::string bytes(1 + random() % (i % 10 == 0 ? 40'000 : 100), '\0');
    for (char& byte : bytes) byte = static_cast<char>(random() >> 8);
    queue_.append(bytes);
    appended += bytes;
    if (i % 100 == 0) send();
    if (i % 200 == 0) got += read_all();
    ASSERT_LE(queue_.size(), appended.size() - got.size());
  }
  while (queue_.size() > 0) {
    send();
    got += read_all();
  }

  EXPECT_TRUE(got == appended);
}

TEST_F(OutputQueueTest, GivesBackTheMemoryOfWhatHasLeft) {
  for (int i = 0; i < 100; ++i) {
    queue_.append(std::string(1000, 'x'));
    ASSERT_EQ(send().size_bytes, 1000U);
    ASSERT_EQ(read_all().size(), 1000U);
    ASSERT_EQ(queue_.size(), 0U);
  }
}

}  // namespace
}  // namespace drover
