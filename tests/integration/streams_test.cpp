// Streams as such: what many cost, what bounds them, what one does to another, how they end.
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <filesystem>
#include <thread>

#include "tests/integration/stream_daemon.h"
#include "tests/support/access_lines.h"
#include "tests/support/peer.h"
#include "tests/support/proc.h"
#include "tests/support/sanitizer.h"

namespace drover::test {
namespace {

class Streams : public testing::Test {
 protected:
  using Type = CarrierClient::Type;

  static std::string with(const std::string& limit) {
    std::string text = served_over(Route::kStream, "echo", "");
    return text.insert(text.find("workers = 1"), limit);
  }
  static std::int64_t streams(const DaemonStatus& now) {
    return now.generations.front().workers.front().streams;
  }
  static std::uint32_t first_reset(CarrierClient& carrier) {
    CarrierClient::Frame frame;
    while (frame.type != Type::kReset) frame = carrier.receive();
    return frame.stream;
  }
  // Opens, uses and ends streams from `first` on, at most 200 at once.
  static void use(CarrierClient& carrier, std::uint32_t first, std::uint32_t count) {
    std::uint32_t sent = 0;
    for (std::uint32_t ended = 0; ended < count;) {
      for (; sent < count && sent - ended < 200; ++sent) {
        carrier.send(first + sent, Type::kData, "stream");
        carrier.send(first + sent, Type::kEnd);
      }
      const CarrierClient::Frame frame = carrier.receive();
      if (frame.stream < first) continue;
      ASSERT_NE(frame.type, Type::kReset);
      const bool is_answer = frame.type == Type::kData;
      ASSERT_EQ(frame.bytes, is_answer ? "stream" : frame.bytes);
      if (frame.type == Type::kEnd) ++ended;
    }
  }
};

TEST_F(Streams, LeaveNothingBehindAfterAHundredThousand) {
  Daemon daemon({.config = with(""), .environment = without_quarantine()});
  const pid_t worker = daemon.worker_pid(0);
  CarrierClient carrier(Endpoint::v4(daemon.port()));
  use(carrier, 1, 2000);
  static_cast<void>(wait_for_access_lines(daemon.file("access.log"), 2000));  // logs are settled
  const int descriptors = fd_count(worker);
  const std::int64_t memory = rss_bytes(worker);

  use(carrier, 2001, 100'000);

  EXPECT_EQ(fd_count(worker), descriptors);
  EXPECT_LT(rss_bytes(worker) - memory, 4 << 20);
  EXPECT_TRUE(daemon.wait_for_status([](const DaemonStatus& now) {
    return streams(now) == 0 && now.live() == 1 && now.totals.streams_opened == 102'000;
  }));
}

TEST_F(Streams, EndWithTheConnectionThatCarriesThem) {
  Daemon daemon({.config = with("")});
  CarrierClient carrier(Endpoint::v4(daemon.port()));
  for (std::uint32_t id = 1; id <= 50; ++id) carrier.send(id, Type::kData, "x");
  ASSERT_TRUE(daemon.wait_for_status([](const DaemonStatus& now) { return streams(now) == 50; }));

  carrier.client().reset();

  EXPECT_TRUE(daemon.wait_for_status(
      [](const DaemonStatus& now) { return streams(now) == 0 && now.live() == 0; }));
  const auto lines = wait_for_access_lines(daemon.file("access.log"), 50);
  EXPECT_EQ(lines.size(), 50U);
  for (const AccessLine& line : lines) EXPECT_EQ(line.reason, "reset");
}

TEST_F(Streams, BeyondWorkerStreamsAreRefusedOneByOne) {
  Daemon daemon({.config = with("worker_streams = 2\n")});
  CarrierClient carrier(Endpoint::v4(daemon.port()));
  carrier.send(1, Type::kData, "x");
  carrier.send(2, Type::kData, "x");
  carrier.send(3, Type::kData, "x");

  EXPECT_EQ(first_reset(carrier), 3U);

  carrier.send(1, Type::kReset);
  EXPECT_TRUE(daemon.wait_for_status([](const DaemonStatus& now) { return streams(now) == 1; }));
  carrier.send(4, Type::kData, "y");
  for (CarrierClient::Frame frame; frame.stream != 4;) frame = carrier.receive();
  EXPECT_EQ(Client(Endpoint::v4(daemon.port())).next(Millis{100}), Client::Next::kSilence);
}

// Its carrier opens each once more when it is broken off, also while its connection ends.
TEST_F(Streams, AreNotOpenedOnAConnectionThatEnds) {
  std::string text = with("");
  text += "carrier.retry = on\nidle_timeout = 1s\n";  // the last section is the carrier's
  Daemon daemon({.config = text});
  CarrierClient carrier(Endpoint::v4(daemon.port()));
  for (std::uint32_t id = 1; id <= 20; ++id) carrier.send(id, Type::kData, "x");
  ASSERT_TRUE(daemon.wait_for_status([](const DaemonStatus& now) { return streams(now) == 20; }));

  EXPECT_TRUE(daemon.wait_for_status(
      [](const DaemonStatus& now) { return streams(now) == 0 && now.live() == 0; }));
  EXPECT_EQ(make_stream_peer(Endpoint::v4(daemon.port()))->exchange("well"), "well");
}

// A client that reads a large file as fast as it comes, over a stream, and one of another server.
TEST_F(Streams, OfAFastReaderLetOthersHaveTheirTurn) {
  Daemon daemon({.config = served_over(Route::kStream, "files", "") +
                           echo_server("exclusive", "127.0.0.1:{port2}")});
  write_file(daemon.file("huge"), "");
  std::filesystem::resize_file(daemon.file("huge"), 1 << 30);
  CarrierClient carrier(Endpoint::v4(daemon.port()));
  carrier.send(1, Type::kData, "huge\n");
  carrier.credit(1, 1 << 30);
  std::thread reader([&] {
    try {
      while (!carrier.client().receive_some(1 << 20).empty()) {
      }
    } catch (const std::exception&) {  // the test is over
    }
  });
  Client other(Endpoint::v4(daemon.port(2)));
  int answers = 0;
  for (const auto start = Clock::now(); since(start) < Millis{500}; ++answers) {
    const auto asked = Clock::now();
    ASSERT_EQ(other.exchange("x"), "x");
    EXPECT_LT(since(asked), Millis{400});
  }
  EXPECT_GT(answers, 3);
  shutdown(carrier.client().fd(), SHUT_RDWR);
  reader.join();
}

TEST_F(Streams, InsideOfStreamsGoOnlySoDeep) {
  const std::string itself =
      "\n[server outer]\nlisten = 127.0.0.1:{port}\nprotocol = carrier\ncarrier.serve = outer\n" +
      echo_server("exclusive", "127.0.0.1:{port2}");
  Daemon daemon(
      {.config = config("workers = 1\nload = " + built("test-modules/carrier.so"), itself)});
  std::string nested;
  for (int level = 0; level < 4000; ++level) {
    if (nested.size() > 60'000) break;
    nested = CarrierClient::frame(1, Type::kData, nested);
  }
  CarrierClient carrier(Endpoint::v4(daemon.port()));
  carrier.client().send_all(nested);

  EXPECT_TRUE(daemon.wait_for_status([](const DaemonStatus& now) { return streams(now) == 8; }));
  EXPECT_EQ(Client(Endpoint::v4(daemon.port(2))).exchange("well"), "well");
}

// One that its module has paused, or whose peer does not read, does not stop the others.
TEST_F(Streams, DoNotWaitForASlowOne) {
  Daemon daemon({.config = with("")});
  CarrierClient carrier(Endpoint::v4(daemon.port()));
  const std::string block(16'384, 'b');
  for (int i = 0; i < 4; ++i) carrier.send(1, Type::kData, block);  // and credits nothing

  use(carrier, 2, 100);
}

TEST_F(Streams, ThatOverrunTheirWindowAreBrokenOffAlone) {
  Daemon daemon({.config = with("")});
  CarrierClient carrier(Endpoint::v4(daemon.port()));
  const std::string block(16'384, 'b');
  for (int i = 0; i < 64; ++i) carrier.send(1, Type::kData, block);  // credited or not

  EXPECT_EQ(first_reset(carrier), 1U);
  use(carrier, 2, 10);
}

TEST(ServedOverNothing, IsAnErrorThatNamesTheServersThereAre) {
  const std::string text = served_over(Route::kStream, "echo", "");
  Daemon daemon({.config = text});
  std::string wrong = text;
  wrong.replace(wrong.find("serve = inner"), 13, "serve = inber");

  const CommandResult reload = daemon.reload(wrong);

  EXPECT_NE(reload.status, 0);
  EXPECT_NE(reload.errors.find("[server outer] carrier.serve: \"inber\" is no server of this "
                               "configuration; did you mean inner?"),
            std::string::npos)
      << reload.errors;
  EXPECT_EQ(make_stream_peer(Endpoint::v4(daemon.port()))->exchange("well"), "well");
}

}  // namespace
}  // namespace drover::test
