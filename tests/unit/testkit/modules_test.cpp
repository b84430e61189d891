// The modules of the tree in the test kit: what they do with any split of what comes, without
// sockets or time.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "modules/sdk/testkit/testkit.hpp"

namespace drover::testkit {
namespace {

using std::chrono::milliseconds;

const ModuleTable& built(const std::string& name) {
  return load(DROVER_BUILD_DIR "/" + name + ".so");
}

class EchoTest : public testing::TestWithParam<const char*> {
 protected:
  Host host_{built(GetParam())};
  drover_conn conn_ = host_.accept();
};

TEST_P(EchoTest, SendsBackWhatItGetsHoweverItIsSplit) {
  const std::string text = "All happy families are alike.";
  for (std::size_t size = 1; size <= text.size(); ++size) {
    host_.feed_in_pieces(conn_, text, size);
    EXPECT_EQ(host_.read(conn_), text) << size;
  }
}

TEST_P(EchoTest, AnswersTheEndOfStreamWithItsOwn) {
  host_.feed(conn_, "last words");
  EXPECT_FALSE(host_.has_ended(conn_));
  host_.end(conn_);

  EXPECT_EQ(host_.read(conn_), "last words");
  EXPECT_EQ(host_.closed(conn_), DROVER_CLOSED_BY_PEER);
}

TEST_P(EchoTest, EndsAfterADeafClientHasHeardAll) {
  host_.set_deaf(conn_, true);
  host_.feed(conn_, "heard late");
  host_.end(conn_);
  EXPECT_FALSE(host_.has_ended(conn_));
  EXPECT_EQ(host_.live(), 1U);

  host_.set_deaf(conn_, false);

  EXPECT_EQ(host_.read(conn_), "heard late");
  EXPECT_EQ(host_.live(), 0U);
}

TEST_P(EchoTest, GetsNoMoreWhileADeafClientOwesALot) {
  host_.set_deaf(conn_, true);
  const int writes_before = host_.calls("write");
  const std::string block(100'000, 'b');
  for (int i = 0; i < 5; ++i) host_.feed(conn_, block);
  EXPECT_EQ(host_.calls("write") - writes_before, 3);  // 300,000 bytes are above the mark

  host_.set_deaf(conn_, false);

  EXPECT_EQ(host_.read(conn_).size(), 500'000U);
}

TEST_P(EchoTest, LeavesOneClientAloneWhenAnotherIsReset) {
  const drover_conn other = host_.accept();
  host_.feed(conn_, "x");
  host_.reset(conn_);
  host_.feed(other, "y");

  EXPECT_EQ(host_.closed(conn_), DROVER_RESET);
  EXPECT_EQ(host_.read(other), "y");
  EXPECT_EQ(host_.stale_calls(), 0);
}

INSTANTIATE_TEST_SUITE_P(Languages, EchoTest,
                         testing::Values("modules/echo", "test-modules/echo_c"),
                         [](const auto& row) {
                           return std::string(row.param).ends_with("_c") ? "c" : "cpp";
                         });

TEST(ThrowingModule, LosesThatConnectionAndSaysWhy) {
  Host host(built("test-modules/throwing"));
  const drover_conn good = host.accept();
  const drover_conn bad = host.accept();

  host.feed(bad, "throw");
  host.feed(good, "still here");

  EXPECT_EQ(host.closed(bad), DROVER_MODULE_FAILED);
  EXPECT_EQ(host.read(good), "still here");
  ASSERT_EQ(host.log().size(), 1U);
  EXPECT_THAT(host.log()[0].text, testing::HasSubstr("asked to throw"));
}

TEST(TickingModule, RingsInTheOrderOfTheTimes) {
  Host host(built("test-modules/ticking"));
  const drover_conn conn = host.accept();
  host.feed(conn, "after 250\nevery 100\n");

  host.pass(milliseconds(249));
  EXPECT_EQ(host.read(conn), "tick\ntick\n");
  host.pass(milliseconds(51));
  EXPECT_EQ(host.read(conn), "rang\ntick\n");
}

TEST(TickingModule, CancelsATimer) {
  Host host(built("test-modules/ticking"));
  const drover_conn conn = host.accept();
  host.feed(conn, "after 100\ncancel\n");

  host.pass(milliseconds(1'000));

  EXPECT_EQ(host.read(conn), "");
}

TEST(FilesModule, AnswersEveryPipelinedRequestHoweverItIsSplit) {
  const std::string requests = "greeting\ngreeting 6 3\nmissing\ngreeting 100\n.hidden\n";
  for (std::size_t size = 1; size <= requests.size(); ++size) {
    Host host(built("test-modules/files"));
    host.files["greeting"] = "hello world";
    const drover_conn conn = host.accept();

    host.feed_in_pieces(conn, requests, size);

    EXPECT_EQ(host.read(conn),
              "11\nhello world3\nworerror: No such file or directory\nerror: beyond the end\n"
              "error: not a request\n")
        << size;
    EXPECT_EQ(host.calls("file_open"), host.calls("file_close") + 1) << "one was missing";
  }
}

TEST(FilesModule, CountsWhatItSendsAndRefusesAndWhoIsThere) {
  Host host(built("test-modules/files"));
  host.files["greeting"] = "hello world";
  const drover_conn conn = host.accept();
  host.accept();

  host.feed(conn, "greeting\ngreeting 6 3\nmissing\n");

  EXPECT_EQ(host.metric("sent_bytes"), 14);
  EXPECT_EQ(host.metric("refused"), 1);
  EXPECT_EQ(host.metric("clients"), 2);
  host.reset(conn);
  EXPECT_EQ(host.metric("clients"), 1);
  EXPECT_THROW(static_cast<void>(host.metric("sent")), std::logic_error);
}

class RelayModule : public testing::Test {
 protected:
  // The connection to the server behind, established.
  drover_conn behind() {
    const drover_conn conn = host_.outgoing().at(0).conn;
    host_.establish(conn);
    return conn;
  }

  Host host_{built("test-modules/relay"), {{"to", {"192.0.2.7:80"}}, {"timeout", {"5s", 5'000}}}};
  const drover_conn client_ = host_.accept();
};

TEST_F(RelayModule, HoldsBackItsClientUntilItIsConnected) {
  ASSERT_EQ(host_.outgoing().size(), 1U);
  EXPECT_EQ(host_.outgoing()[0].address, "192.0.2.7:80");
  host_.feed(client_, "early");
  const drover_conn server = behind();

  EXPECT_EQ(host_.read(server), "early");
  host_.feed(server, "answer");
  EXPECT_EQ(host_.read(client_), "answer");
}

TEST_F(RelayModule, PassesOnBothEnds) {
  const drover_conn server = behind();
  host_.feed(client_, "question");
  host_.end(client_);
  EXPECT_EQ(host_.read(server), "question");
  EXPECT_TRUE(host_.has_ended(server));
  host_.feed(server, "late answer");
  host_.end(server);

  EXPECT_EQ(host_.read(client_), "late answer");
  EXPECT_EQ(host_.live(), 0U);
}

TEST_F(RelayModule, ReadsNoFasterThanTheOtherSide) {
  const drover_conn server = behind();
  host_.set_deaf(server, true);
  for (int i = 0; i < 5; ++i) host_.feed(client_, std::string(100'000, 'b'));
  EXPECT_TRUE(host_.is_paused(client_));
  EXPECT_EQ(host_.calls("write"), 3);

  host_.set_deaf(server, false);

  EXPECT_FALSE(host_.is_paused(client_));
  EXPECT_EQ(host_.read(server).size(), 500'000U);
}

TEST_F(RelayModule, ClosesItsClientWhenNobodyAnswers) {
  host_.pass(milliseconds(5'001));
  EXPECT_TRUE(host_.has_ended(client_));
}

TEST_F(RelayModule, LetsGoOfAServerWhoseClientDidNotWait) {
  const drover_conn server = host_.outgoing().at(0).conn;
  host_.reset(client_);
  if (!host_.outgoing().empty()) host_.establish(server);
  EXPECT_TRUE(host_.has_ended(server));
}

// Two workers with one zone.
class CounterModule : public testing::Test {
 protected:
  CounterModule() {
    first_.slots = second_.slots = 2;
    second_.slot = 1;
  }
  static std::string ask(Host& host, const std::string& line) {
    const drover_conn conn = host.accept();
    host.feed(conn, line + "\n");
    return host.read(conn);
  }

  const Host::Zones zones_{{"counter", std::make_shared<Host::Zone>(4096)}};
  Host first_{built("test-modules/counter"), {}, zones_};
  Host second_{built("test-modules/counter"), {}, zones_};
};

TEST_F(CounterModule, CountsForBothWorkers) {
  EXPECT_EQ(ask(first_, "add"), "1\n");
  EXPECT_EQ(ask(second_, "add"), "2\n");
  EXPECT_EQ(ask(first_, "get"), "2\n");
}

TEST_F(CounterModule, AnnouncesThroughTheDoorbellToThoseWhoWatch) {
  const drover_conn watching = second_.accept();
  second_.feed(watching, "watch\n");
  EXPECT_EQ(second_.read(watching), "0\n");

  ask(first_, "add");
  EXPECT_EQ(first_.rung(), (std::vector<std::uint32_t>{0, 1}));
  second_.ring();

  EXPECT_EQ(second_.read(watching), "=1\n");
}

TEST_F(CounterModule, LeavesALeaseToItsHolderUntilItsTimeIsOver) {
  EXPECT_EQ(ask(first_, "take 1000"), "1\n");
  EXPECT_EQ(ask(second_, "take 1000"), "0\n");
  second_.pass(milliseconds(1'000));
  EXPECT_EQ(ask(second_, "take 1000"), "1\n");
  EXPECT_EQ(ask(first_, "keep 1000"), "0\n");
}

TEST(CounterModuleAlone, DoesNotStartWithoutItsZone) {
  EXPECT_THROW(Host(built("test-modules/counter")), std::logic_error);
}

// What a module's mistakes cost, as in a worker (tests/integration/misbehaviour_test.cpp).
class MisdeedModule : public testing::Test {
 protected:
  void TearDown() override {
    host_.feed(beside_, "still here");
    EXPECT_EQ(host_.read(beside_), "still here");
  }
  std::string last_line() const { return host_.log().empty() ? "" : host_.log().back().text; }

  Host host_{built("test-modules/misdeed")};
  const drover_conn conn_ = host_.accept();
  const drover_conn beside_ = host_.accept();
};

TEST_F(MisdeedModule, EndsItsConnectionByThrowing) {
  host_.feed(conn_, "throw data\n");

  EXPECT_EQ(host_.closed(conn_), DROVER_MODULE_FAILED);
  EXPECT_EQ(last_line(), "exception: asked to throw in data");
}

TEST_F(MisdeedModule, ClosesItsConnectionByThrowingWhereThereIsNoAnswer) {
  host_.feed(conn_, "throw timer\n");
  host_.pass(milliseconds(1));
  host_.end(conn_);

  EXPECT_EQ(host_.closed(conn_), DROVER_CLOSED_BY_MODULE);
  EXPECT_EQ(last_line(), "exception: asked to throw in timer");
}

TEST_F(MisdeedModule, EndsItsConnectionByNonsense) {
  const drover_conn other = host_.accept();
  host_.feed(conn_, "answer 999\n");
  host_.feed(other, "answer -7\n");

  EXPECT_EQ(host_.closed(conn_), DROVER_MODULE_FAILED);
  EXPECT_EQ(host_.closed(other), DROVER_MODULE_FAILED);
}

TEST_F(MisdeedModule, EndsItsConnectionByConsumingNothing) {
  host_.feed(conn_, "hoard\n");
  host_.feed(conn_, std::string(128 * 1024, 'h'));
  EXPECT_EQ(host_.closed(conn_), std::nullopt);

  host_.feed(conn_, "h");

  EXPECT_EQ(host_.closed(conn_), DROVER_MODULE_FAILED);
}

TEST_F(MisdeedModule, WritesToNobodyAfterCloseAndToWhoHasGone) {
  const drover_conn leaves = host_.accept();
  host_.reset(leaves);
  host_.feed(conn_, "stale\n");
  EXPECT_EQ(host_.stale_calls(), 1);

  host_.feed(conn_, "write_after_close\n");

  EXPECT_EQ(host_.read(conn_), "before");
}

TEST_F(MisdeedModule, GetsABoundedNumberOfTimers) {
  host_.feed(conn_, "timers 70000\n");

  EXPECT_EQ(host_.read(conn_), "65536\n");
  EXPECT_EQ(last_line(), "has 65536 timers already");
}

TEST_F(MisdeedModule, IsToldOnceThatItCountsWhatItHasNotDeclared) {
  const std::size_t lines = host_.log().size();
  host_.feed(conn_, "miscount\n");
  host_.feed(conn_, "miscount\n");

  EXPECT_EQ(host_.log().size(), lines + 1);
  EXPECT_EQ(last_line(), "its table has no counter 7: not counted");
}

// Moving a connection from one instance, which ends, to another.
class TallyModule : public testing::Test {
 protected:
  // Whether it was taken; then it is at conn_ of host_.
  bool move() {
    auto frozen = host_->freeze(conn_);
    return frozen && thaw(std::move(*frozen));
  }
  bool thaw(Host::Frozen frozen) {
    host_ = std::make_unique<Host>(built("test-modules/tally"));
    const auto moved = host_->thaw(std::move(frozen));
    conn_ = moved.value_or(0);
    return moved.has_value();
  }
  std::string say(std::string_view bytes) {
    host_->feed(conn_, bytes);
    return host_->read(conn_);
  }

  std::unique_ptr<Host> host_ = std::make_unique<Host>(built("test-modules/tally"));
  drover_conn conn_ = host_->accept("192.0.2.9:77");
};

TEST_F(TallyModule, GoesOnWithItsStateInAnotherInstance) {
  EXPECT_EQ(say("four\n"), "5\n");
  ASSERT_TRUE(move());

  EXPECT_EQ(say("two\n"), "9\n");
}

TEST_F(TallyModule, TakesAlongWhatIsNotConsumedAndWhatIsNotRead) {
  host_->set_deaf(conn_, true);
  EXPECT_EQ(say("one\ntw"), "");
  ASSERT_TRUE(move());
  host_->set_deaf(conn_, false);

  EXPECT_EQ(say("o\n"), "4\n8\n");
}

TEST_F(TallyModule, EndsInItsNewInstance) {
  host_->set_deaf(conn_, true);
  EXPECT_EQ(say("unheard\n"), "");
  ASSERT_TRUE(move());
  host_->end(conn_);
  host_->set_deaf(conn_, false);

  EXPECT_EQ(host_->read(conn_), "8\n");
  EXPECT_EQ(host_->closed(conn_), DROVER_CLOSED_BY_PEER);
}

TEST_F(TallyModule, StaysWhereItIsWhenItSaysNotNow) {
  EXPECT_EQ(say("hold\n"), "5\n");
  EXPECT_FALSE(host_->freeze(conn_).has_value());

  EXPECT_EQ(say("go\n"), "8\n");
  EXPECT_TRUE(move());
  EXPECT_EQ(say("on\n"), "11\n");
}

TEST_F(TallyModule, ReadsWhatAnOlderVersionFroze) {
  auto frozen = host_->freeze(conn_);
  ASSERT_TRUE(frozen.has_value());
  EXPECT_EQ(frozen->version, 2U);
  frozen->version = 1;
  frozen->blob = std::string("\x2a\0\0\0", 4);

  ASSERT_TRUE(thaw(std::move(*frozen)));
  EXPECT_EQ(say("\n"), "43\n");
}

TEST_F(TallyModule, RefusesAVersionThatItDoesNotKnowAndABlobThatMakesNoSense) {
  for (const bool is_version : {true, false}) {
    auto frozen = host_->freeze(host_->accept());
    ASSERT_TRUE(frozen.has_value());
    if (is_version) frozen->version = 3;
    if (!is_version) frozen->blob.pop_back();

    EXPECT_EQ(host_->thaw(std::move(*frozen)), std::nullopt);
  }
  EXPECT_EQ(host_->live(), 1U) << "refused ones are reset";
  EXPECT_EQ(say("on\n"), "3\n");
}

TEST(FilesModule, MovesBetweenTwoAnswersAndCountsItsClientsThere) {
  Host from(built("test-modules/files"));
  Host to(built("test-modules/files"));
  from.files["greeting"] = to.files["greeting"] = "hello world";
  const drover_conn conn = from.accept();
  from.set_deaf(conn, true);
  from.feed(conn, "greeting\n");
  EXPECT_FALSE(from.freeze(conn).has_value()) << "a file is on its way";
  from.set_deaf(conn, false);
  EXPECT_EQ(from.read(conn), "11\nhello world");
  from.feed(conn, "greet");

  auto frozen = from.freeze(conn);
  ASSERT_TRUE(frozen.has_value());
  EXPECT_EQ(from.closed(conn), DROVER_MOVED);
  EXPECT_EQ(from.metric("clients"), 0);
  const drover_conn moved = to.thaw(std::move(*frozen)).value();
  to.feed(moved, "ing 0 5\n");

  EXPECT_EQ(to.read(moved), "5\nhello");
  EXPECT_EQ(to.metric("clients"), 1);
}

}  // namespace
}  // namespace drover::testkit
