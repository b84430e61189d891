// The worker's whole life in a forked process, with this test as its master: one listening socket,
// the real modules, no configuration file.
#include "worker/worker.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <map>
#include <optional>
#include <string>

#include "common/channel.h"
#include "common/heritage.h"
#include "worker/accept/passing.h"
#include "worker/validator.h"

namespace drover {
namespace {

using testing::HasSubstr;

class WorkerProcess : public testing::Test, private Channel::Listener {
 protected:
  WorkerProcess() {
    ServerSettings& server = settings_.servers.emplace_back();
    server.name = "web";
    server.accept = AcceptStrategy::kShared;
    server.protocol = "echo";
    server.linger_timeout = Millis{100};
    server.listens.emplace_back().address = std::move(Address::parse("127.0.0.1:0")).value();
    heritage_.settings = &settings_;
    heritage_.generation = 7;
    heritage_.scoreboard = scoreboard_.get();
    heritage_.limits = limits_.get();
    heritage_.ledger = ledger_.get();
    heritage_.worker_connections = 100;
    heritage_.log = &log_;
    heritage_.access_log_fds = {-1};
    doorbell_.reset(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
    heritage_.doorbells = {doorbell_.get()};
    listen();
  }

  ~WorkerProcess() override {
    if (pid_ <= 0) return;
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
  }

  void load(const std::string& name, const std::string& folder = "test-modules") {
    const std::string path = std::string(DROVER_BUILD_DIR) + "/" + folder + "/" + name + ".so";
    images_.emplace_back(open(path.c_str(), O_RDONLY | O_CLOEXEC));
    ASSERT_TRUE(images_.back().is_open()) << path;
    heritage_.modules.push_back({name, path, "", images_.back().get()});
  }

  void start(RoleMain role = &worker_main) {
    auto pair = make_seqpacket_pair();
    ASSERT_TRUE(pair.ok());
    heritage_.channel_fd = pair->second.get();
    pid_ = fork();
    if (pid_ == 0) {
      pair->first.reset();
      listener_copy_.reset();
      static_cast<void>(pair->second.release());  // the role owns it
      _exit(role(heritage_));
    }
    pair->second.reset();
    channel_.emplace(base_.get(), std::move(pair->first), static_cast<Channel::Listener*>(this));
  }
  // With echo, ready and serving.
  void serve(const std::string& module = "echo", const std::string& folder = "modules") {
    load(module, folder);
    settings_.servers[0].protocol = module;
    start();
    ASSERT_TRUE(arrives(MessageType::kReady));
    channel_->send(MessageType::kServe);
  }
  void drain(Millis within) {
    channel_->send_body(MessageType::kDrain, DrainBody{(monotonic_now() + within).count(), 0, 0});
  }

  // Waits for the message, at most some seconds.
  bool arrives(MessageType type) {
    for (const Millis end = monotonic_now() + Millis{5000}; monotonic_now() < end;) {
      if (messages_.contains(type)) return true;
      Timer<&WorkerProcess::on_tick> tick;
      tick.start(base_.get(), Millis{20}, this);
      event_base_loop(base_.get(), EVLOOP_ONCE);
    }
    return false;
  }
  int exit_status() {
    int status = -1;
    waitpid(std::exchange(pid_, 0), &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
  }

  UniqueFd connect() const {
    UniqueFd fd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const timeval patience{5, 0};
    setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    EXPECT_EQ(::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address_), sizeof address_),
              0);
    return fd;
  }
  static std::string ask(const UniqueFd& fd, const std::string& question) {
    EXPECT_EQ(::send(fd.get(), question.data(), question.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(question.size()));
    return answer(fd);
  }
  // What comes next; "" at the end of the stream.
  static std::string answer(const UniqueFd& fd) {
    char buffer[4096];
    const ssize_t size = recv(fd.get(), buffer, sizeof buffer, 0);
    return size < 0 ? strerrordesc_np(errno) : std::string(buffer, static_cast<std::size_t>(size));
  }
  // A new connection, as the acceptor would send it.
  UniqueFd pass_one(int send_fd) const {
    UniqueFd client = connect();
    std::vector<Passed> batch;
    batch.push_back({UniqueFd(accept4(listener_copy_.get(), nullptr, nullptr, SOCK_CLOEXEC)), 1});
    EXPECT_EQ(send_batch(send_fd, batch), 0);
    return client;
  }
  // For everybody but this test.
  bool is_refused() {
    listener_copy_.reset();
    close(listener_fd_);
    const UniqueFd fd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const auto* address = reinterpret_cast<const sockaddr*>(&address_);
    return ::connect(fd.get(), address, sizeof address_) != 0 && errno == ECONNREFUSED;
  }
  SlotCounters& counters() const { return heritage_.my_seat().counters; }

  std::map<MessageType, std::string> messages_;
  Settings settings_;
  Heritage heritage_;
  pid_t pid_ = 0;
  std::optional<Channel> channel_;

 private:
  void listen() {
    listener_copy_.reset(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    address_.sin_family = AF_INET;
    address_.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address_;
    ASSERT_EQ(bind(listener_copy_.get(), reinterpret_cast<sockaddr*>(&address_), size), 0);
    ASSERT_EQ(::listen(listener_copy_.get(), 128), 0);
    getsockname(listener_copy_.get(), reinterpret_cast<sockaddr*>(&address_), &size);
    listener_fd_ = dup(listener_copy_.get());
    heritage_.listeners = {{.id = 1, .fd = listener_fd_}};
  }
  void on_message(Message message) override { messages_[message.type] = message.body; }
  void on_channel_closed() override {}
  void on_tick() {}

  EventBase base_ = make_event_base();
  Log log_{UniqueFd(open("/dev/null", O_WRONLY)), Log::Style::kPlain, LogLevel::kDebug};
  ScoreboardMapping scoreboard_ = make_scoreboard().mapping;
  LimitTableMapping limits_ = make_limit_table();
  std::unique_ptr<ConnectionLedger> ledger_ = make_ledger(100).value();
  UniqueFd doorbell_;
  UniqueFd listener_copy_;
  int listener_fd_ = -1;
  std::vector<UniqueFd> images_;
  sockaddr_in address_{};
};

TEST_F(WorkerProcess, EchoesAndLeavesWhenDrained) {
  serve();
  {
    const UniqueFd client = connect();
    EXPECT_EQ(ask(client, "hello"), "hello");
    shutdown(client.get(), SHUT_WR);
    EXPECT_EQ(answer(client), "");
  }

  drain(Millis{5000});

  EXPECT_EQ(exit_status(), 0);
  EXPECT_EQ(counters().accepted.load(), 1U);
  EXPECT_EQ(counters().closed.load(), 1U);
  EXPECT_EQ(counters().drained_cut.load(), 0U);
  EXPECT_EQ(heritage_.my_seat().state.load(), SeatState::kDraining);
}

TEST_F(WorkerProcess, ServesAModuleWrittenInC) {
  serve("echo_c", "test-modules");
  const UniqueFd client = connect();

  EXPECT_EQ(ask(client, "hello"), "hello");
  shutdown(client.get(), SHUT_WR);
  EXPECT_EQ(answer(client), "");
}

TEST_F(WorkerProcess, LetsALiveConnectionFinishWhileItDrains) {
  serve();
  UniqueFd client = connect();
  ASSERT_EQ(ask(client, "one"), "one");

  drain(Millis{60'000});
  EXPECT_EQ(ask(client, "two"), "two");
  client.reset();

  EXPECT_EQ(exit_status(), 0);
  EXPECT_EQ(counters().drained_cut.load(), 0U);
}

TEST_F(WorkerProcess, CutsAndCountsWhatStaysBeyondTheDeadline) {
  serve();
  const UniqueFd client = connect();
  ASSERT_EQ(ask(client, "one"), "one");
  const Millis begin = monotonic_now();

  drain(Millis{200});

  EXPECT_EQ(exit_status(), 0);
  EXPECT_GE(monotonic_now() - begin, Millis{150});
  EXPECT_LT(monotonic_now() - begin, Millis{2000});
  EXPECT_EQ(counters().drained_cut.load(), 1U);
}

TEST_F(WorkerProcess, SaysThatItLeavesOnTerm) {
  serve();
  ASSERT_EQ(ask(connect(), "up"), "up");

  kill(pid_, SIGTERM);

  EXPECT_TRUE(arrives(MessageType::kLeaving));
  EXPECT_EQ(exit_status(), 0);
}

TEST_F(WorkerProcess, IgnoresTheSignalsThatAreTheMasters) {
  serve();
  for (const int number : {SIGHUP, SIGINT, SIGQUIT, SIGUSR1, SIGUSR2, SIGWINCH}) kill(pid_, number);

  EXPECT_EQ(ask(connect(), "up"), "up");
}

TEST_F(WorkerProcess, ServesOnWithoutItsMasterUntilASuccessorTellsItToLeave) {
  serve();
  UniqueFd client = connect();
  ASSERT_EQ(ask(client, "one"), "one");

  channel_.reset();
  EXPECT_EQ(ask(client, "two"), "two");
  client.reset();
  EXPECT_EQ(ask(connect(), "three"), "three");
  heritage_.scoreboard->head.leave_by_ms = (monotonic_now() + Millis{60'000}).count();

  EXPECT_EQ(exit_status(), 0);
}

TEST_F(WorkerProcess, LosesOnlyTheConnectionOfAModuleThatThrows) {
  serve("throwing", "test-modules");
  const UniqueFd careless = connect();
  const UniqueFd other = connect();
  ASSERT_EQ(ask(other, "one"), "one");

  EXPECT_EQ(ask(careless, "throw"), "");

  EXPECT_EQ(ask(other, "two"), "two");
}

TEST_F(WorkerProcess, HoldsStillAtWorkerConnectionsAndGoesOnWhenOneEnds) {
  heritage_.worker_connections = 2;
  serve();
  UniqueFd first = connect();
  const UniqueFd second = connect();
  ASSERT_EQ(ask(first, "1"), "1");
  ASSERT_EQ(ask(second, "2"), "2");
  const UniqueFd third = connect();  // waits in the kernel's queue
  ASSERT_EQ(::send(third.get(), "3", 1, MSG_NOSIGNAL), 1);
  pollfd readable{third.get(), POLLIN, 0};
  EXPECT_EQ(poll(&readable, 1, 100), 0);
  EXPECT_EQ(heritage_.my_seat().live.load(), 2U);

  first.reset();

  EXPECT_EQ(answer(third), "3");
  EXPECT_GE(counters().accept_pauses.load(), 1U);
}

// Its generation may never serve, and would take the connection with it.
TEST_F(WorkerProcess, TakesNothingFromAClosingListenerBeforeItServes) {
  load("echo", "modules");
  start();
  ASSERT_TRUE(arrives(MessageType::kReady));
  const UniqueFd client = connect();
  const UniqueFd error_log(open("/dev/null", O_WRONLY));
  const int fds[]{error_log.get()};

  channel_->send_body(MessageType::kCloseListener, CloseListenerBody{1});
  channel_->send_body(MessageType::kReopenLogs, ReopenBody{1}, fds);
  ASSERT_TRUE(arrives(MessageType::kLogsReopened));
  EXPECT_EQ(counters().accepted, 0U);
  channel_->send(MessageType::kServe);

  EXPECT_EQ(ask(client, "served after all"), "served after all");
}

// The acceptor may have passed one before it was told the same.
TEST_F(WorkerProcess, EndsWhatAServerHasAndTakesNothingForItOnceItIsClosed) {
  const SocketPair pair = make_seqpacket_pair().value();
  settings_.servers[0].accept = AcceptStrategy::kAcceptor;
  heritage_.passing = {{pair.first.get(), pair.second.get()}};
  serve();
  const UniqueFd client = pass_one(pair.first.get());
  ASSERT_EQ(ask(client, "before"), "before");

  channel_->send_body(MessageType::kCloseServer, CloseServerBody{0});

  EXPECT_EQ(answer(client), "");
  EXPECT_EQ(answer(pass_one(pair.first.get())), "");
  drain(Millis{5000});
  EXPECT_EQ(exit_status(), 0);
  EXPECT_EQ(counters().accepted.load(), 2U);
  EXPECT_EQ(counters().closed.load(), 2U);
}

TEST_F(WorkerProcess, ListensNoMoreForAServerThatIsClosed) {
  serve();
  const UniqueFd client = connect();
  ASSERT_EQ(ask(client, "before"), "before");

  channel_->send_body(MessageType::kCloseServer, CloseServerBody{0});

  EXPECT_EQ(answer(client), "");
  EXPECT_TRUE(is_refused());
}

TEST_F(WorkerProcess, RunsNothingOfAServerThatWasClosedBeforeItWasBorn) {
  heritage_.closed_servers = {0};
  serve("dying", "test-modules");  // whose worker_init would take the worker with it

  EXPECT_EQ(answer(connect()), "");
  eventfd_write(heritage_.doorbells[0], 1);
  drain(Millis{5000});
  EXPECT_EQ(exit_status(), 0);
}

TEST_F(WorkerProcess, SaysWhoseHookRuns) {
  const std::atomic<std::int32_t>& running = heritage_.my_seat().running;
  serve("blocking", "test-modules");
  const UniqueFd client = connect();
  ASSERT_EQ(ask(client, "x"), "x");
  EXPECT_EQ(running, -1);
  const std::string question = "block 300\n";
  ASSERT_EQ(::send(client.get(), question.data(), question.size(), MSG_NOSIGNAL), 10);

  for (const Millis end = monotonic_now() + Millis{5000}; running != 0;)
    ASSERT_LT(monotonic_now(), end) << "its hook has not been seen to run";

  EXPECT_EQ(answer(client), question);
}

// TERM: the successor has the same doorbell, and both hear each ring.
TEST_F(WorkerProcess, LeavesTheRingsOfItsDoorbellToOthers) {
  serve();
  const EventBase base = make_event_base();
  struct Other {
    void on_ring() { ++heard; }
    int heard = 0;
    Event<&Other::on_ring> event;
  } other;
  other.event.start(base.get(), heritage_.doorbells[0], EV_READ | EV_ET, &other);

  for (int ring = 1; ring <= 50; ++ring) {
    eventfd_write(heritage_.doorbells[0], 1);
    EXPECT_EQ(ask(connect(), "awake"), "awake");  // the worker has had its turn
    event_base_loop(base.get(), EVLOOP_NONBLOCK);
    ASSERT_EQ(other.heard, ring);
  }
}

TEST_F(WorkerProcess, WritesItsAccessLogWhereTheMasterSaysNow) {
  const UniqueFd old_log(memfd_create("old", 0));
  const UniqueFd new_log(memfd_create("new", 0));
  const UniqueFd error_log(open("/dev/null", O_WRONLY));
  heritage_.access_log_fds = {dup(old_log.get())};
  serve();
  ask(connect(), "before");
  const UniqueFd lingering = connect();
  ASSERT_EQ(ask(lingering, "after"), "after");

  const int fds[]{error_log.get(), new_log.get()};
  channel_->send_body(MessageType::kReopenLogs, ReopenBody{42}, fds);
  ASSERT_TRUE(arrives(MessageType::kLogsReopened));
  shutdown(lingering.get(), SHUT_WR);
  EXPECT_EQ(answer(lingering), "");
  drain(Millis{5000});
  ASSERT_EQ(exit_status(), 0);

  char text[512]{};
  ASSERT_GT(pread(old_log.get(), text, sizeof text, 0), 0);
  EXPECT_THAT(text, HasSubstr(" web in=6 out=6 "));
  std::fill(std::begin(text), std::end(text), '\0');
  ASSERT_GT(pread(new_log.get(), text, sizeof text, 0), 0);
  EXPECT_THAT(text, HasSubstr(" web in=5 out=5 "));
  EXPECT_EQ(messages_[MessageType::kLogsReopened].size(), sizeof(ReopenBody));
}

struct NotReady {
  const char* name;
  RoleMain role;
  std::string module;
  std::string protocol;
  const char* error;
};
class WorkerNotReady : public WorkerProcess, public testing::WithParamInterface<NotReady> {};

TEST_P(WorkerNotReady, SaysWhyAndLeaves) {
  load(GetParam().module);
  settings_.servers[0].protocol = GetParam().protocol;
  start(GetParam().role);

  ASSERT_TRUE(arrives(MessageType::kFailed));

  EXPECT_THAT(messages_[MessageType::kFailed], HasSubstr(GetParam().error));
  EXPECT_EQ(exit_status(), 1);
}

INSTANTIATE_TEST_SUITE_P(
    Table, WorkerNotReady,
    testing::Values(NotReady{"module_refuses", &worker_main, "broken", "broken",
                             "server web: module broken refused to start: broken on purpose"},
                    NotReady{"protocol_missing", &worker_main, "echo_c", "echo",
                             "server web: protocol echo is not loaded"},
                    NotReady{"validator_protocol_missing", &validator_main, "echo_c", "echo",
                             "server web: protocol echo is not loaded (loaded: echo_c)"}),
    [](const auto& row) { return row.param.name; });

TEST_F(WorkerProcess, DiesOfAModuleThatAborts) {
  load("dying");
  settings_.servers[0].protocol = "dying";
  start();

  EXPECT_EQ(exit_status(), -SIGABRT);
  EXPECT_FALSE(messages_.contains(MessageType::kReady));
}

TEST_F(WorkerProcess, ValidatorAcceptsWhatWillWork) {
  load("echo", "modules");
  load("echo_c");
  start(&validator_main);

  EXPECT_TRUE(arrives(MessageType::kReady));
  EXPECT_EQ(exit_status(), 0);
}

TEST_F(WorkerProcess, ValidatorSaysWhichModuleItLoads) {
  load("echo", "modules");
  start(&validator_main);

  ASSERT_TRUE(arrives(MessageType::kReady));
  EXPECT_EQ(messages_[MessageType::kTrying],
            fmt::format("loading module echo ({})", heritage_.modules[0].origin));
}

TEST_F(WorkerProcess, ValidatorReportsTwoModulesOfOneName) {
  load("reply_v1");
  load("reply_v2");
  start(&validator_main);

  ASSERT_TRUE(arrives(MessageType::kFailed));
  EXPECT_THAT(messages_[MessageType::kFailed],
              HasSubstr("another loaded module is called reply too"));
}

TEST_F(WorkerProcess, ValidatorReportsDirectivesThatTheProtocolDoesNotHave) {
  load("echo", "modules");
  settings_.servers[0].module_directives = {{"echo.x", "1", {"drover.conf", 12}}};
  start(&validator_main);

  ASSERT_TRUE(arrives(MessageType::kFailed));
  EXPECT_EQ(
      messages_[MessageType::kFailed],
      "drover.conf:12: [server web] echo.x: unknown directive; module echo has none of its own");
}

TEST_F(WorkerProcess, GivesAModuleInCWhatTheServerSays) {
  settings_.servers[0].module_directives = {{"echo_c.greeting", "good day", {"drover.conf", 12}}};
  serve("echo_c", "test-modules");

  EXPECT_EQ(answer(connect()), "good day");
}

TEST_F(WorkerProcess, DoesNotStartAModuleWhoseDirectivesAreWrong) {
  load("configured");
  settings_.servers[0].protocol = "configured";
  settings_.servers[0].source = {"drover.conf", 9};
  start();

  ASSERT_TRUE(arrives(MessageType::kFailed));
  EXPECT_EQ(
      messages_[MessageType::kFailed],
      "drover.conf:9: [server web] configured.lines: is missing; write configured.lines = and "
      "1 to 99");
}

}  // namespace
}  // namespace drover
