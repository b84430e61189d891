// What a server with the module mux does by itself: ends, waits, limits, and a configuration that
// is wrong.
#include "modules/kvs/kv1/frame.h"
#include "tests/integration/kvs_daemon.h"
#include "tests/integration/mux_client.h"
#include "tests/support/access_lines.h"

namespace drover::test {
namespace {

using mux::Protocol;

TEST(MuxServer, MayEndItsStreamFirst) {
  Daemon daemon(
      {.config = mux_config({.drover = "load = " + built("test-modules/closing.so") + "\n",
                             .protocol = "closing"})});
  MuxClient client(daemon, Protocol::kXsmux2);
  MuxStream* stream = client.open("hello", false);
  ASSERT_NE(stream, nullptr);

  EXPECT_TRUE(client.run_until_ended(*stream));

  EXPECT_EQ(stream->received, "bye");
}

// As a socket would send it: the window opens only when nobody waits for the client any more.
TEST(MuxServer, SendsWhatItHasSaidAfterItHasClosed) {
  Daemon daemon({.config = mux_config({.inner = "linger_timeout = 100ms\naccess_log = "
                                                "{dir}/access.log\nkvs.zone = data\n"
                                                "[zone data]\nsize = 32m\n",
                                       .drover = "load = " + built("modules/kvs.so") + "\n",
                                       .protocol = "kvs"})});
  MuxClient client(daemon, Protocol::kYamux);
  const std::string value = random_bytes(300'000, 1);
  MuxStream* stream = client.open(frame(kvs::kv1::kSet, 1, "k", value), false);
  ASSERT_TRUE(client.run_until([&] { return stream->received == frame(kvs::kv1::kOk, 1); }));
  stream->reads = false;
  client.say(*stream, frame(kvs::kv1::kGet, 2, "k") + std::string(7, '\xff'));  // then no request
  client.turn(Millis{10});
  ASSERT_EQ(wait_for_access_lines(daemon.file("access.log"), 1).size(), 1U);

  client.use_all(*stream);

  EXPECT_TRUE(client.run_until_ended(*stream));
  const std::string answers = frame(kvs::kv1::kOk, 1) + frame(kvs::kv1::kOk, 2, "", value);
  EXPECT_TRUE(stream->received.starts_with(answers)) << stream->received.size();
  EXPECT_FALSE(stream->is_broken);
}

// What a client sends to an idle session may be on its way when the worker begins to drain.
TEST(MuxServer, LeavesAnIdleSessionAMomentWhenItDrains) {
  for (const Protocol protocol : {Protocol::kXsmux1, Protocol::kXsmux2, Protocol::kYamux}) {
    Daemon daemon({.config = mux_config()});
    MuxClient client(daemon, protocol);
    ASSERT_TRUE(client.run_until_ended(*client.open("hello")));
    const pid_t worker = daemon.worker_pid(0);
    ASSERT_EQ(::kill(worker, SIGSTOP), 0);
    const CommandResult reload = daemon.run_command({"-s", "reload"});

    const auto begin = Clock::now();
    ::kill(worker, SIGCONT);

    EXPECT_EQ(reload.status, 0) << reload.both();
    EXPECT_TRUE(client.wait_for_end());
    EXPECT_GE(Clock::now() - begin, Millis{50});  // of 100
  }
}

TEST(MuxLimits, OfStreamsRefuseTheNextAndCountIt) {
  Daemon daemon({.config = mux_config({.mux = "mux.max_streams = 3\n"})});
  MuxClient client(daemon, Protocol::kXsmux2);
  std::vector<MuxStream*> streams;
  for (int i = 0; i < 4; ++i) streams.push_back(client.open("x", false));

  EXPECT_TRUE(client.run_until_ended(*streams[3]));

  EXPECT_EQ(streams[3]->received, "");
  EXPECT_TRUE(wait_for_mux_number(daemon, "streams_refused", 1));
  EXPECT_TRUE(client.run_until([&] { return streams[2]->received == "x"; }));
}

TEST(MuxLimits, OfOpensInASecondRefuseTheNextAndCountIt) {
  Daemon daemon({.config = mux_config({.mux = "mux.opens_per_second = 5\n"})});
  MuxClient client(daemon, Protocol::kXsmux2);
  std::vector<MuxStream*> streams;
  for (int i = 0; i < 50; ++i) streams.push_back(client.open("x"));

  EXPECT_TRUE(client.run_until([&] { return ended(streams) == 50; }));

  EXPECT_TRUE(wait_for_mux_number(daemon, "streams_over_rate", 40));
  EXPECT_EQ(mux_number(daemon, "streams_opened") + mux_number(daemon, "streams_over_rate"), 50);
}

TEST(MuxLimits, OfIdleSessionsEndThoseWithoutAStreamOnly) {
  Daemon daemon({.config = mux_config({.mux = "mux.idle_session_timeout = 300ms\n"})});
  MuxClient idle(daemon, Protocol::kXsmux2);
  MuxClient busy(daemon, Protocol::kXsmux2);
  MuxStream* stream = busy.open("x", false);
  expect_echo(idle, "x");

  EXPECT_TRUE(idle.wait_for_end());

  EXPECT_TRUE(wait_for_mux_number(daemon, "idle_sessions", 1));
  ASSERT_TRUE(busy.run_until([&] { return stream->received == "x"; }));
  busy.say(*stream, "y");
  EXPECT_TRUE(busy.run_until([&] { return stream->received == "xy"; })) << "it has a stream";
}

struct Wrong {
  const char* name;
  const char* line;
  const char* reason;
};

class MuxConfig : public testing::TestWithParam<Wrong> {};

TEST_P(MuxConfig, ThatIsWrongIsRefusedWithTheReason) {
  Daemon daemon({.config = mux_config()});
  const CommandResult reload = daemon.reload(mux_config({.mux = GetParam().line}));

  EXPECT_NE(reload.status, 0);
  EXPECT_NE(reload.errors.find(GetParam().reason), std::string::npos) << reload.errors;
  MuxClient client(daemon, Protocol::kXsmux2);
  expect_echo(client, "well");
}

INSTANTIATE_TEST_SUITE_P(
    All, MuxConfig,
    testing::Values(Wrong{"SilenceShorterThanKeepalive", "mux.silence_timeout = 5s\n",
                          "must be longer than mux.keepalive"},
                    Wrong{"BudgetBelowOneSession", "mux.memory_budget = 1m\n",
                          "less than one session's mux.max_session_buffer"},
                    Wrong{"WindowAboveWhatDroverKeeps", "mux.max_window = 2m\n", "mux.max_window"}),
    [](const auto& row) { return row.param.name; });

}  // namespace
}  // namespace drover::test
