// What modules may ask of the host, through real modules: files by sendfile, timers, ends of
// batches.
#include <gtest/gtest.h>

#include <filesystem>

#include "tests/support/client.h"
#include "tests/support/daemon.h"
#include "tests/support/payload.h"
#include "tests/support/proc.h"
#include "tests/support/sanitizer.h"

namespace drover::test {
namespace {

std::string serving(std::string_view module) {
  const std::string name(module);
  return config("workers = 1\nworking_directory = {dir}\nload = " +
                    built("test-modules/" + name + ".so") + "\n",
                "\n[server it]\nlisten = 127.0.0.1:{port}\nprotocol = " + name + "\n");
}

class Files : public testing::Test {
 protected:
  // The line and the bytes that follow it.
  static std::string ask(Client& client, const std::string& request) {
    client.send_all(request + "\n");
    return receive_answer(client);
  }
  static std::string receive_answer(Client& client) {
    std::string line;
    while (line.empty() || line.back() != '\n') line += client.receive(1);
    if (line.starts_with("error")) return line;
    return client.receive(std::stoul(line));
  }
  void put(const std::string& name, std::string_view content) const {
    write_file(daemon_.file(name), content);
  }

  Daemon daemon_{{.config = serving("files")}};
  Client client_{Endpoint::v4(daemon_.port())};
};

TEST_F(Files, AreSentByteForByteWholeOrInPart) {
  std::string content;
  for (int i = 0; content.size() < 5'000'000; ++i) content += std::to_string(i) + '\n';
  put("numbers", content);
  put("empty", "");

  EXPECT_EQ(ask(client_, "numbers"), content);
  EXPECT_EQ(ask(client_, "numbers 1000000 2000000"), content.substr(1'000'000, 2'000'000));
  EXPECT_EQ(ask(client_, "numbers 4999990"), content.substr(4'999'990));
  EXPECT_EQ(ask(client_, "empty"), "");
}

TEST_F(Files, ThatCannotBeSentAreRefusedAndTheConnectionGoesOn) {
  put("there", "content");

  EXPECT_EQ(ask(client_, "missing"), "error: No such file or directory\n");
  EXPECT_EQ(ask(client_, "there 8"), "error: beyond the end\n");
  EXPECT_EQ(ask(client_, "../drover.conf"), "error: not a request\n");
  EXPECT_EQ(ask(client_, "there"), "content");
}

TEST_F(Files, AskedForInOnePacketAreAnsweredInOrder) {
  const std::string big(300'000, 'b');
  put("big", big);
  put("small", "s");
  client_.send_all("big\nsmall\nbig 0 5\nmissing\nsmall\n");

  EXPECT_EQ(receive_answer(client_), big);
  EXPECT_EQ(receive_answer(client_), "s");
  EXPECT_EQ(receive_answer(client_), "bbbbb");
  EXPECT_EQ(receive_answer(client_), "error: No such file or directory\n");
  EXPECT_EQ(receive_answer(client_), "s");
}

TEST_F(Files, CostNoMemoryHoweverLargeAndSlowlyRead) {
  client_.send_all("missing\n");  // it has been accepted when it is answered
  EXPECT_EQ(receive_answer(client_), "error: No such file or directory\n");
  const pid_t worker = daemon_.worker_pid(0);
  const int descriptors = fd_count(worker);
  put("huge", "");
  std::filesystem::resize_file(daemon_.file("huge"), 1 << 30);
  const std::int64_t before = rss_bytes(worker);
  std::vector<Client> slow;
  for (int i = 0; i < 20; ++i) {
    slow.emplace_back(Endpoint::v4(daemon_.port()));
    slow.back().send_all("huge\n");
    EXPECT_EQ(slow.back().receive(11), "1073741824\n");
  }

  EXPECT_LT(rss_bytes(worker) - before, kMemoryFactor * (4 << 20));
  slow.clear();
  EXPECT_TRUE(wait_until([&] { return fd_count(worker) == descriptors; })) << fd_count(worker);
}

TEST_F(Files, ThatShrinkWhileTheyAreSentEndTheConnection) {
  put("shrinking", "");
  std::filesystem::resize_file(daemon_.file("shrinking"), 1 << 30);
  client_.send_all("shrinking\n");
  ASSERT_EQ(client_.receive(11), "1073741824\n");

  std::filesystem::resize_file(daemon_.file("shrinking"), 1 << 20);

  std::size_t got = 0;
  try {
    for (std::size_t size = 1; size > 0; got += size) size = client_.receive_some().size();
  } catch (const std::exception&) {  // a reset, which says it too
  }
  EXPECT_LT(got, std::size_t{1} << 30);
}

class Ticking : public testing::Test {
 protected:
  Daemon daemon_{{.config = serving("ticking")}};
  Client client_{Endpoint::v4(daemon_.port())};
};

TEST_F(Ticking, ATimerOfAConnectionRingsOnceAfterItsTime) {
  const auto start = Clock::now();
  client_.send_all("after 300\n");

  EXPECT_EQ(client_.receive(5), "rang\n");
  EXPECT_GE(since(start), Millis{300} - kEarly);
  EXPECT_LT(since(start), Millis{2000});
  EXPECT_EQ(client_.next(Millis{400}), Client::Next::kSilence);
}

TEST_F(Ticking, ACancelledTimerDoesNotRing) {
  client_.send_all("after 200\n");
  client_.send_all("cancel\n");

  EXPECT_EQ(client_.next(Millis{500}), Client::Next::kSilence);
}

TEST_F(Ticking, ATimerOfTheInstanceReachesAllItsConnections) {
  Client other(Endpoint::v4(daemon_.port()));
  client_.send_all("after 1\n");
  ASSERT_EQ(client_.receive(5), "rang\n");  // both are open: they were accepted in order
  client_.send_all("every 50\n");

  EXPECT_EQ(client_.receive(15), "tick\ntick\ntick\n");
  EXPECT_EQ(other.receive(10), "tick\ntick\n");
}

TEST_F(Ticking, TimersRingWhileTheWorkerDrains) {
  client_.send_all("after 700\n");
  client_.send_all("batches\n");
  ASSERT_NE(client_.receive_some(), "");
  ASSERT_EQ(daemon_.reload(serving("ticking")).status, 0);

  EXPECT_EQ(client_.receive(5), "rang\n");
}

TEST_F(Ticking, TheEndOfABatchIsToldOnceWhenAHookHasRun) {
  const auto batches = [&] {
    client_.send_all("batches\n");
    return std::stol(client_.receive_some());
  };
  const long first = batches();
  EXPECT_EQ(client_.next(Millis{600}), Client::Next::kSilence);  // heartbeats, in which none runs

  EXPECT_EQ(batches(), first + 1);
}

TEST_F(Ticking, TheEndOfABatchIsToldAfterAnOnClose) {
  Client other(Endpoint::v4(daemon_.port()));
  other.send_all("batches\n");
  ASSERT_NE(other.receive_some(), "");
  client_.send_all("batches\n");
  const long before = std::stol(client_.receive_some());
  other.close();
  ASSERT_TRUE(wait_until([&] { return daemon_.status().live() == 1; }));

  client_.send_all("batches\n");
  EXPECT_EQ(std::stol(client_.receive_some()), before + 2) << "the question before, and the close";
}

}  // namespace
}  // namespace drover::test
