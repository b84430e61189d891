// What modules ask for beside reading and writing: timers, lent bytes, files, outgoing connections.
#include <sys/un.h>

#include <cerrno>
#include <cstdio>

#include "tests/unit/worker/harness.h"

namespace drover {
namespace {

using Reasons = std::vector<drover_close_reason>;

TEST_F(ConnectionTest, RingsATimerOnceWhenItsTimeHasPassed) {
  int rung = 0;
  module_.timer = [&](drover_conn conn) {
    ++rung;
    module_.write(conn, "rang");
  };
  const UniqueFd client = connect();
  module_.host->set_timer(module_.context, module_.opened[0], 100);

  pass(Millis{99});
  EXPECT_EQ(rung, 0);
  pass(Millis{1});
  EXPECT_EQ(read_some(client), "rang");
  pass(Millis{1'000});

  EXPECT_EQ(rung, 1);
}

TEST_F(ConnectionTest, RingsTheLastTimerThatWasSetAndNoneThatWasCancelled) {
  int rung = 0;
  module_.timer = [&](drover_conn /*conn*/) { ++rung; };
  const UniqueFd client = connect();
  module_.host->set_timer(module_.context, module_.opened[0], 100);
  module_.host->set_timer(module_.context, module_.opened[0], 300);
  pass(Millis{200});
  EXPECT_EQ(rung, 0);
  pass(Millis{100});
  EXPECT_EQ(rung, 1);

  module_.host->set_timer(module_.context, module_.opened[0], 100);
  module_.host->cancel_timer(module_.context, module_.opened[0]);
  pass(Millis{200});

  EXPECT_EQ(rung, 1);
}

TEST_F(ConnectionTest, RingsNoTimerOfAConnectionThatHasGone) {
  int rung = 0;
  module_.timer = [&](drover_conn /*conn*/) { ++rung; };
  UniqueFd client = connect();
  module_.host->set_timer(module_.context, module_.opened[0], 100);
  client.reset();
  turns(3);
  ASSERT_EQ(live(), 0U);

  pass(Millis{200});

  EXPECT_EQ(rung, 0);
}

// By the loop itself, also when nothing else happens in it.
TEST_F(ConnectionTest, RingsATimerThatWasSetOutsideOfABatch) {
  module_.timer = [&](drover_conn /*conn*/) { event_base_loopbreak(base_.get()); };
  const UniqueFd client = connect();
  module_.host->set_timer(module_.context, module_.opened[0], 1);
  now_ += Millis{1};
  const timeval long_enough{5, 0};
  event_base_loopexit(base_.get(), &long_enough);

  event_base_dispatch(base_.get());

  EXPECT_TRUE(event_base_got_break(base_.get()));
}

TEST_F(ConnectionTest, RingsATimerOfTheInstanceThatWasSetOutsideOfABatch) {
  module_.worker_timer = [&](std::uint64_t /*tag*/) { event_base_loopbreak(base_.get()); };
  make_server();
  ASSERT_NE(module_.host->start_timer(module_.context, 1, 0), 0U);
  now_ += Millis{1};
  const timeval long_enough{5, 0};
  event_base_loopexit(base_.get(), &long_enough);

  event_base_dispatch(base_.get());

  EXPECT_TRUE(event_base_got_break(base_.get()));
}

TEST_F(ConnectionTest, RingsATimerWhoseTimeHasPassedBeforeItsBatchEndedAtOnce) {
  module_.timer = [&](drover_conn /*conn*/) { event_base_loopbreak(base_.get()); };
  const UniqueFd client = connect();
  core_->begin_batch();
  module_.host->set_timer(module_.context, module_.opened[0], 60'000);
  now_ += Millis{60'000};  // what else runs in the batch
  const timeval long_enough{5, 0};
  event_base_loopexit(base_.get(), &long_enough);

  event_base_dispatch(base_.get());

  EXPECT_TRUE(event_base_got_break(base_.get()));
}

TEST_F(ConnectionTest, MayCloseInItsTimer) {
  module_.timer = [&](drover_conn conn) { module_.host->close(module_.context, conn); };
  const UniqueFd client = connect();
  module_.host->set_timer(module_.context, module_.opened[0], 1);

  pass(Millis{1});
  EXPECT_TRUE(is_ended(client));
  shutdown(client.get(), SHUT_WR);
  turns(2);

  EXPECT_EQ(module_.closed, Reasons{DROVER_CLOSED_BY_MODULE});
}

TEST_F(ConnectionTest, StartsNoMoreTimersOfTheInstanceThanAreAllowed) {
  make_server();
  const auto start = [&](std::int64_t after) {
    return module_.host->start_timer(module_.context, after, 0);
  };
  const drover_timer first = start(1);
  for (std::uint32_t i = 1; i < DROVER_MOST_TIMERS; ++i) ASSERT_NE(start(1'000'000), 0U);

  EXPECT_EQ(start(1), 0U);
  EXPECT_EQ(server_->last_message, "has 65536 timers already");
  module_.host->stop_timer(module_.context, first);
  module_.host->stop_timer(module_.context, first);
  EXPECT_NE(start(1), 0U) << "one was stopped";
  EXPECT_EQ(start(1), 0U);
  pass(Millis{10});
  EXPECT_NE(start(1'000'000), 0U) << "one has rung";
  EXPECT_EQ(start(1), 0U);
  core_->timers().stop_all(*server_);
  EXPECT_NE(start(1), 0U);
}

TEST_F(ConnectionTest, RingsTimersOfTheInstanceWithTheirTags) {
  std::vector<std::uint64_t> rung;
  module_.worker_timer = [&](std::uint64_t tag) { rung.push_back(tag); };
  make_server();
  const auto start = [&](std::int64_t after, std::uint64_t tag) {
    return module_.host->start_timer(module_.context, after, tag);
  };
  start(200, 2);
  start(100, 1);
  const drover_timer stopped = start(150, 3);
  module_.host->stop_timer(module_.context, stopped);

  pass(Millis{300});

  EXPECT_EQ(rung, (std::vector<std::uint64_t>{1, 2}));
}

TEST_F(ConnectionTest, ATimerThatStartsItselfAgainWaitsForTheNextTurn) {
  int rung = 0;
  module_.worker_timer = [&](std::uint64_t /*tag*/) {
    ++rung;
    module_.host->start_timer(module_.context, 0, 0);
  };
  make_server();
  module_.host->start_timer(module_.context, 0, 0);

  pass(Millis{10});

  EXPECT_EQ(rung, 1);
}

TEST_F(ConnectionTest, SendsLentBytesInOrderAndReleasesThem) {
  static const std::string kLent(300'000, 'l');
  int released = 0;
  module_.data = [&](drover_conn conn, std::string_view bytes) {
    module_.write(conn, "before ");
    module_.host->write_reference(
        module_.context, conn, {kLent.data(), kLent.size()},
        [](void* count) { ++*static_cast<int*>(count); }, &released);
    module_.write(conn, " after");
    return static_cast<std::int64_t>(bytes.size());
  };
  const UniqueFd client = connect();
  send(client, "go");

  std::string got;
  for (int i = 0; i < 50; ++i) {
    turn();
    got += read_some(client);
  }

  EXPECT_EQ(got, "before " + kLent + " after");
  EXPECT_EQ(released, 1);
}

TEST_F(ConnectionTest, ReleasesAtOnceWhatIsLentToAConnectionThatHasGone) {
  int released = 0;
  make_server();

  module_.host->write_reference(
      module_.context, 4711, {"x", 1}, [](void* count) { ++*static_cast<int*>(count); }, &released);

  EXPECT_EQ(released, 1);
}

TEST_F(ConnectionTest, SendsAFileThatIsClosedMeanwhile) {
  const std::string path = testing::TempDir() + "drover_file_test";
  std::FILE* out = std::fopen(path.c_str(), "w");
  ASSERT_NE(out, nullptr);
  std::fputs("0123456789", out);
  std::fclose(out);
  const UniqueFd client = connect();
  std::uint64_t size = 0;
  int error = -1;

  drover_file* file = module_.host->file_open(module_.context, path.c_str(), &size, &error);
  ASSERT_NE(file, nullptr);
  module_.host->write_file(module_.context, module_.opened[0], file, 2, 5);
  module_.host->file_close(module_.context, file);
  std::remove(path.c_str());
  turns(2);

  EXPECT_EQ(size, 10U);
  EXPECT_EQ(read_some(client), "23456");
}

TEST_F(ConnectionTest, TellsWhyAFileCannotBeRead) {
  make_server();
  std::uint64_t size = 0;
  int error = 0;
  EXPECT_EQ(module_.host->file_open(module_.context, "/does/not/exist", &size, &error), nullptr);
  EXPECT_EQ(error, ENOENT);
  EXPECT_EQ(module_.host->file_open(module_.context, "/", &size, &error), nullptr);
  EXPECT_EQ(error, EISDIR);
}

TEST_F(ConnectionTest, GivesTheStateOfAnOpenConnectionOnly) {
  hooks_.conn_state_size = 8;
  const UniqueFd client = connect();

  EXPECT_NE(module_.host->state_of(module_.context, module_.opened[0]), nullptr);
  EXPECT_EQ(module_.host->state_of(module_.context, 4711), nullptr);
}

// A listening unix socket that the test answers by hand.
class OutgoingTest : public ConnectionTest {
 protected:
  OutgoingTest() {
    std::remove(path_.c_str());
    make_server();
  }
  ~OutgoingTest() override { std::remove(path_.c_str()); }

  void listen_there() {
    listener_.reset(socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path_.copy(address.sun_path, sizeof address.sun_path - 1);
    ASSERT_EQ(bind(listener_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    ASSERT_EQ(listen(listener_.get(), 8), 0);
  }
  drover_conn begin(const std::string& address, std::int64_t timeout_ms = 1'000) {
    core_->begin_batch();
    return module_.host->connect(module_.context, address.c_str(), timeout_ms, 77);
  }

  std::string path_ = testing::TempDir() + "drover_outgoing_test";
  UniqueFd listener_;
};

TEST_F(OutgoingTest, IsServedLikeAnAcceptedOneOnceEstablished) {
  listen_there();
  module_.open = [&](drover_conn conn) { module_.write(conn, "hello"); };

  const drover_conn conn = begin("unix:" + path_);
  turns(3);

  ASSERT_EQ(module_.opened, std::vector<drover_conn>{conn});
  EXPECT_EQ(module_.host->tag(module_.context, conn), 77U);
  UniqueFd peer(accept4(listener_.get(), nullptr, nullptr, SOCK_NONBLOCK));
  EXPECT_EQ(read_some(peer), "hello");
  send(peer, "and you");
  peer.reset();
  turns(3);
  EXPECT_EQ(module_.received, "and you");
  EXPECT_EQ(value(seat_.counters.outgoing), 1U);
}

TEST_F(OutgoingTest, TellsThatNobodyListens) {
  ASSERT_NE(begin("unix:" + path_), 0U);
  turns(3);

  ASSERT_EQ(module_.not_connected.size(), 1U);
  EXPECT_EQ(module_.not_connected[0], std::pair(std::uint64_t{77}, ENOENT));
  EXPECT_EQ(live(), 0U);
  EXPECT_TRUE(module_.opened.empty());
  EXPECT_TRUE(module_.closed.empty());
}

TEST_F(OutgoingTest, TellsARefusalOverTcp) {
  ASSERT_NE(begin("127.0.0.1:1"), 0U);
  for (int i = 0; i < 100 && module_.not_connected.empty(); ++i) turn();

  ASSERT_EQ(module_.not_connected.size(), 1U);
  EXPECT_EQ(module_.not_connected[0].second, ECONNREFUSED);
}

TEST_F(OutgoingTest, GivesUpAfterItsTime) {
  // A backlog that is full answers nothing.
  const UniqueFd silent(socket(AF_INET, SOCK_STREAM, 0));
  sockaddr_in address{AF_INET, 0, {htonl(INADDR_LOOPBACK)}, {}};
  auto* generic = reinterpret_cast<sockaddr*>(&address);
  socklen_t size = sizeof address;
  ASSERT_EQ(bind(silent.get(), generic, size) + listen(silent.get(), 0), 0);
  getsockname(silent.get(), generic, &size);
  const UniqueFd filler(socket(AF_INET, SOCK_STREAM, 0));
  ASSERT_EQ(::connect(filler.get(), generic, size), 0);

  begin("127.0.0.1:" + std::to_string(ntohs(address.sin_port)), 500);
  turns(3);
  pass(Millis{499});
  EXPECT_TRUE(module_.not_connected.empty());
  pass(Millis{1});

  ASSERT_EQ(module_.not_connected.size(), 1U);
  EXPECT_EQ(module_.not_connected[0].second, ETIMEDOUT);
}

TEST_F(OutgoingTest, CanBeClosedBeforeItIsEstablished) {
  listen_there();
  const drover_conn conn = begin("unix:" + path_);
  module_.host->close(module_.context, conn);
  turns(3);

  ASSERT_EQ(module_.not_connected.size(), 1U);
  EXPECT_EQ(module_.not_connected[0].second, ECANCELED);
  EXPECT_TRUE(module_.opened.empty());
}

TEST_F(OutgoingTest, IsRefusedAtOnceForWhatIsNoAddress) {
  EXPECT_EQ(begin("localhost:80"), 0U);
  EXPECT_EQ(begin(""), 0U);
  EXPECT_EQ(live(), 0U);
}

}  // namespace
}  // namespace drover
