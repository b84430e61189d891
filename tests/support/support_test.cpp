// The harness tried against the bench's bare echo loop and against small shells: when the matrix is
// red, it is the daemon's doing.
#include <gtest/gtest.h>

#include <csignal>
#include <set>

#include "tests/support/client.h"
#include "tests/support/daemon.h"
#include "tests/support/load_generator.h"
#include "tests/support/net_tables.h"
#include "tests/support/proc.h"

namespace drover::test {
namespace {

// The bare echo loop on a port or a unix socket of its own.
class Bare {
 public:
  explicit Bare(const std::string& address, const Endpoint& endpoint)
      : group_({built("bench_bare_echo"), address}, {}, dir_.file("log")), endpoint_(endpoint) {
    if (!wait_until([this] { return Client::try_connect(endpoint_).has_value(); })) {
      throw std::runtime_error(read_file(dir_.file("log")));
    }
  }
  [[nodiscard]] pid_t pid() const { return group_.program(); }
  [[nodiscard]] const Endpoint& endpoint() const { return endpoint_; }

 private:
  TempDir dir_;
  ProcessGroup group_;
  Endpoint endpoint_;
};

class SupportTest : public ::testing::Test {
 protected:
  const std::uint16_t port_ = free_port();
};

TEST_F(SupportTest, AClientGetsBackWhatItSends) {
  const Bare server(std::to_string(port_), Endpoint::v4(port_));
  Client client(server.endpoint(), "127.0.0.3");

  EXPECT_EQ(client.exchange("hello"), "hello");
  EXPECT_EQ(client.name().rfind("127.0.0.3:", 0), 0U);
  client.half_close();
  EXPECT_EQ(client.next(), Client::Next::kEnd);
}

TEST_F(SupportTest, ARefusedClientSaysWhy) {
  int why = 0;

  EXPECT_FALSE(Client::try_connect(Endpoint::v4(port_), &why).has_value());
  EXPECT_EQ(why, ECONNREFUSED);
}

TEST_F(SupportTest, LoadOnAHealthyServerHasNoFailures) {
  const Bare server(std::to_string(port_), Endpoint::v4(port_));
  LoadGenerator load({.targets = {server.endpoint()}, .concurrency = 50, .pinging = 5});

  ASSERT_TRUE(load.wait_for_completed(500));
  const LoadStats stats = load.stop();

  EXPECT_EQ(stats.failures(), 0) << stats.to_string();
  EXPECT_EQ(stats.connected, stats.completed) << stats.to_string();
  EXPECT_GT(stats.bytes, 0);
}

TEST_F(SupportTest, LoadWorksOverUnixSockets) {
  const TempDir dir;
  const std::string path = dir.file("echo.sock");
  const Bare server(path, Endpoint::unix_path(path));
  LoadGenerator load({.targets = {server.endpoint()}, .concurrency = 20});

  ASSERT_TRUE(load.wait_for_completed(200));
  Client client(server.endpoint());
  ASSERT_EQ(client.exchange("x"), "x");
  EXPECT_EQ(clients_of(server.pid(), path).count(client.name()), 1U);

  EXPECT_EQ(load.stop().failures(), 0) << load.stats().to_string();
}

TEST_F(SupportTest, LoadSeesAServerThatDies) {
  const Bare server(std::to_string(port_), Endpoint::v4(port_));
  LoadGenerator load({.targets = {server.endpoint()}, .concurrency = 20, .pinging = 5});
  ASSERT_TRUE(load.wait_for_completed(50));
  stop(server.pid());
  const std::set<std::string> clients = clients_of(server.pid(), port_);
  ASSERT_GE(clients.size(), 5U);

  kill_now(server.pid());

  ASSERT_TRUE(wait_until([&] { return load.stats().refused > 0; }));
  const LoadStats stats = load.stop();
  EXPECT_GT(stats.reset + stats.short_eof, 0) << stats.to_string();
  EXPECT_LT(load.failures_beside(clients).size(), load.failures().size());
}

TEST_F(SupportTest, AFrozenServerShowsAsTimeoutsQueueAndMidMessage) {
  const Bare server(std::to_string(port_), Endpoint::v4(port_));
  stop(server.pid());
  LoadGenerator load({.targets = {server.endpoint()}, .concurrency = 10, .timeout = Millis{300}});

  EXPECT_TRUE(wait_until([&] { return load.snapshot_mid_message() == 10; }));
  EXPECT_TRUE(wait_until([&] { return queue_state(port_).queued >= 10; }));
  EXPECT_TRUE(wait_until([&] { return load.stats().timeouts > 0; }));
  EXPECT_GE(load.stats().max_first_byte, Millis{300});
  resume(server.pid());
}

TEST_F(SupportTest, TheQueueOfAUnixListenerIsCounted) {
  const TempDir dir;
  const std::string path = dir.file("echo.sock");
  const Bare server(path, Endpoint::unix_path(path));
  Client served(server.endpoint());
  ASSERT_EQ(served.exchange("x"), "x");
  stop(server.pid());

  const Client first(server.endpoint());
  const Client second(server.endpoint());

  EXPECT_EQ(unix_queue_length(path), 2);
}

TEST_F(SupportTest, TheOwnerOfAConnectionIsFound) {
  const Bare server(std::to_string(port_), Endpoint::v4(port_));
  Client client(server.endpoint());
  ASSERT_EQ(client.exchange("x"), "x");

  EXPECT_EQ(owner_pid_of(client.name(), port_, {::getpid(), server.pid()}), server.pid());
  EXPECT_EQ(queue_state(port_).listeners, 1);
}

TEST(ProcessGroup, KeepsHoldOfADaemonThatForkedTwice) {
  const TempDir dir;
  ProcessGroup group({"sh", "-c", "(sleep 60 & ) ; exit 7"}, {}, dir.file("log"));

  ASSERT_TRUE(wait_until([&] { return group.program_status().has_value(); }));
  EXPECT_EQ(group.program_status(), 7);
  EXPECT_TRUE(wait_until([&] {
    const std::vector<pid_t> left = group.members();
    return left.size() == 1 && title_of(left[0]) == "sleep 60";
  }));

  group.kill_all();
  EXPECT_TRUE(group.members().empty());
}

TEST(Proc, StopsAndResumesAChild) {
  const TempDir dir;
  const ProcessGroup group({"sleep", "60"}, {}, dir.file("log"));

  stop(group.program());
  EXPECT_EQ(state_of(group.program()), 'T');
  resume(group.program());
  EXPECT_TRUE(wait_until([&] { return state_of(group.program()) == 'S'; }));
  EXPECT_GT(rss_bytes(group.program()), 0);
  EXPECT_EQ(fd_count(group.program()), 2) << "output and errors; its input is /dev/null";
}

TEST(RunCommand, KeepsOutputErrorsAndStatus) {
  const CommandResult result = run_command({"sh", "-c", "echo out; echo err >&2; exit 3"});

  EXPECT_EQ(result.status, 3);
  EXPECT_EQ(result.output, "out\n");
  EXPECT_EQ(result.errors, "err\n");
}

TEST(RunCommand, KillsWhatDoesNotEnd) {
  EXPECT_EQ(run_command({"sleep", "60"}, {}, Millis{50}).status, -1);
}

TEST(Status, ReadsTheDocumentedShape) {
  const std::string counters =
      R"("accepted":7,"empty_wakeups":1,"steered":0,"outgoing":0,"streams_opened":5,"closed":4,"refused_limit":0,"refused_access":0,"accept_pauses":0,)"
      R"("drained_cut":0,"stale_handles":0,"bytes_in":10,"bytes_out":11)";
  const std::string json =
      R"({"pid":12,"version":"0.1.0","uptime_ms":5,"generations":[{"number":2,"state":"serving","balance":1.25,"workers":[{"slot":0,)"
      R"("pid":13,"state":"ready","uptime_ms":6,"heartbeat_age_ms":1,"restarts":0,)"
      R"("last_crash":{"time":"2026-11-21T10:00:00.123Z","age_ms":7,"pid":11,"signal":"SEGV","how":"was killed",)"
      R"("module":"kvs.so","address":"0x10","backtrace":["a","b"]},"live":3,"streams":2,)" +
      counters +
      R"(,"turns":12,"loop_max_us":9,"loop_p99_us":8}],)"
      R"("acceptor":{"pid":14,"state":"ready","uptime_ms":6,"heartbeat_age_ms":1,"restarts":0,"last_crash":null,"held":5,)" +
      counters +
      R"(},"helpers":[{"server":"a","name":"job","pid":15,"state":"backoff","uptime_ms":6,"restarts":2,"heartbeat_age_ms":4,"last_crash":null}]}],)"
      R"("balance":1.05,"servers":[{"name":"a","accept":"shared","protocol":"echo","listen":["127.0.0.1:7007"],"connections":3,)"
      R"("metrics":[{"name":"lines","kind":"counter","value":8,"help":"h"},{"name":"open","kind":"gauge","value":-1,"help":""}]}],)"
      R"("listeners":[{"address":"127.0.0.1:7007","server":"a","half_open":1,"sockets":[{"id":1,"surplus":false,"queued":2,"backlog":4096}]},)"
      R"({"address":"unix:/x","server":null,"half_open":null,"sockets":[{"id":2,"surplus":true,"queued":null,"backlog":null}]}],)"
      R"("zones":[{"name":"z","size_bytes":4096,"state":"ready","owner":"kvs","layout":2,"unclean_ends":1,"generations":[2,1]},)"
      R"({"name":"y","size_bytes":8192,"state":"fresh","owner":null,"layout":0,"unclean_ends":0,"generations":[2]}],)"
      R"("modules":[{"name":"kvs","crashes":4,"hangs":1,"quarantined":true}],)"
      R"("rollback":{"window_left_ms":70,"former":1,"taken_back":0},"totals":{)" +
      counters + "}}";

  std::string why;
  const auto status = parse_status(json, &why);

  ASSERT_TRUE(status) << why;
  ASSERT_NE(status->serving(), nullptr);
  ASSERT_TRUE(status->serving()->acceptor);
  EXPECT_EQ(status->serving()->acceptor->pid, 14);
  EXPECT_EQ(status->serving()->acceptor->held, 5);
  const WorkerStatus& worker = status->serving()->workers.at(0);
  EXPECT_EQ(worker.uptime_ms, 6);
  EXPECT_EQ(worker.turns, 12);
  EXPECT_EQ(worker.loop_p99_us, 8);
  ASSERT_TRUE(worker.last_crash);
  EXPECT_EQ(worker.last_crash->module, "kvs.so");
  EXPECT_EQ(worker.last_crash->backtrace, (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(status->listener("127.0.0.1:7007").sockets.at(0).queued, 2);
  EXPECT_EQ(status->listener("unix:/x").half_open, -1);
  EXPECT_THROW(static_cast<void>(status->listener("nowhere")), std::out_of_range);
  ASSERT_EQ(status->serving()->helpers.size(), 1U);
  EXPECT_EQ(status->serving()->helpers[0].state, "backoff");
  EXPECT_EQ(status->live(), 3);
  EXPECT_EQ(status->totals.bytes_out, 11);
  EXPECT_EQ(status->metric("a", "lines"), 8);
  EXPECT_EQ(status->metric("a", "open"), -1);
  ASSERT_EQ(status->zones.size(), 2U);
  EXPECT_EQ(status->zones[0].owner, "kvs");
  EXPECT_EQ(status->zones[0].generations, (std::vector<std::uint32_t>{2, 1}));
  EXPECT_EQ(status->zones[1].owner, "");
  EXPECT_EQ(status->module("kvs").crashes, 4);
  EXPECT_EQ(status->module("kvs").hangs, 1);
  EXPECT_TRUE(status->module("kvs").quarantined);
  EXPECT_EQ(status->rollback.window_left_ms, 70);
  EXPECT_EQ(status->rollback.former, 1U);
  EXPECT_FALSE(parse_status(R"({"pid":12})", &why));
}

}  // namespace
}  // namespace drover::test
