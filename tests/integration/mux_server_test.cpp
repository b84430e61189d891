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

// The drain and what the client sends reach the worker in one batch.
TEST(MuxServer, ServesWhatWasOnItsWayWhenItDrains) {
  for (const Protocol protocol : {Protocol::kXsmux1, Protocol::kXsmux2, Protocol::kYamux}) {
    Daemon daemon({.config = mux_config()});
    MuxClient client(daemon, protocol);
    MuxStream* first = client.open("hello", false);
    ASSERT_TRUE(client.run_until([&] { return first->received == "hello"; }));
    const pid_t worker = daemon.worker_pid(0);
    stop(worker);
    ASSERT_EQ(daemon.run_command({"-s", "reload"}).status, 0);
    const MuxStream* late = client.open("on its way");
    client.turn(Millis{0});

    resume(worker);

    EXPECT_TRUE(client.run_until_ended(*late));
    EXPECT_EQ(late->received, "on its way");
    client.end(*first);
    EXPECT_TRUE(client.run_until_ended(*first));
    EXPECT_EQ(first->received, "hello");
    EXPECT_TRUE(client.wait_for_end());
  }
}

// Nobody's client waits for what will not come.
class MuxFastStop : public testing::TestWithParam<Protocol> {};

TEST_P(MuxFastStop, TellsEveryOpenStreamItsEnd) {
  Daemon daemon({.config = mux_config()});
  MuxClient client(daemon, GetParam());
  const std::string bytes = random_bytes(20'000, 1);  // a frame at least: a smux client keeps less
  std::vector<MuxStream*> streams;
  for (int i = 0; i < 20; ++i) streams.push_back(client.open(bytes, false));
  const bool is_smux = GetParam() == Protocol::kSmux;  // answers when a stream has ended
  ASSERT_TRUE(client.run_until([&] {
    return mux_number(daemon, "streams_opened") == 20 &&
           std::ranges::all_of(
               streams, [&](const MuxStream* one) { return is_smux || one->received == bytes; });
  }));

  ASSERT_EQ(daemon.run_command({"-s", "stop"}).status, 0);

  EXPECT_TRUE(client.wait_for_end());
  for (const MuxStream* stream : streams) EXPECT_TRUE(stream->has_ended || stream->is_broken);
  if (GetParam() == Protocol::kYamux) {
    EXPECT_EQ(client.open("no more"), nullptr) << "it was not told that the server goes";
  }
}

INSTANTIATE_TEST_SUITE_P(All, MuxFastStop,
                         testing::Values(Protocol::kSmux, Protocol::kXsmux1, Protocol::kXsmux2,
                                         Protocol::kYamux),
                         protocol_name);

// Of xsmux version 1, each stream of which holds the next session.
std::string sessions_inside_of_each_other(int levels) {
  std::string nested;
  while (levels-- > 0) {
    const std::string open = xsmux_frame(1, kSyn, 3);
    nested = open + (nested.empty() ? "" : xsmux_frame(1, kPsh, 3, nested));
  }
  return nested;
}

std::int64_t sum(Daemon& daemon, const std::string& name) {
  const DaemonStatus now = daemon.status();
  std::int64_t all = 0;
  for (const char* server : {"inner", "streams"}) {
    const auto found = std::ranges::find(now.servers, server, &ServerStatus::name);
    if (found != now.servers.end()) all += found->metrics.at(name);
  }
  return all;
}

void expect_a_bounded_circle(const std::string& circle) {
  Daemon daemon({.config = circle});
  const pid_t worker = daemon.worker_pid(0);
  for (int round = 1; round <= 2; ++round) {
    Client client(Endpoint::v4(daemon.port()));
    client.send_all(sessions_inside_of_each_other(20));
    EXPECT_TRUE(wait_until([&] { return sum(daemon, "streams_refused") == round; }));
    EXPECT_EQ(sum(daemon, "streams_opened"), 8 * round);
    client.reset();
    EXPECT_TRUE(wait_until([&] { return sum(daemon, "buffered_bytes") == 0; }));
  }
  EXPECT_TRUE(daemon.wait_for_status([](const DaemonStatus& now) { return now.live() == 0; }));
  EXPECT_EQ(daemon.worker_pid(0), worker);
}

TEST(MuxCircle, OfAServerThatServesItselfIsBoundedAndCounted) {
  expect_a_bounded_circle(config("workers = 1\nload = " + built("modules/mux.so"),
                                 "\n[server streams]\nlisten = 127.0.0.1:{port}\nprotocol = mux\n"
                                 "mux.serve = streams\n"));
}

TEST(MuxCircle, OfTwoServersIsBoundedAndCounted) {
  expect_a_bounded_circle(mux_config({.inner = "mux.serve = streams\n", .protocol = "mux"}));
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
