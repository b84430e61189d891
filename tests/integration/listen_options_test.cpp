// The options of `listen`, as the kernel shows them on the listening socket and on an accepted
// connection.
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/support/borrowed_socket.h"
#include "tests/support/client.h"
#include "tests/support/daemon.h"
#include "tests/support/net_tables.h"

namespace drover::test {
namespace {

std::string listening(const std::string& listen) {
  return config("workers = 1", echo_server("exclusive", listen));
}

struct Option {
  const char* name;
  std::string text;
  int level;
  int option;
  int value;
  bool inherited;  // shows on accepted connections as well
};

void PrintTo(const Option& row, std::ostream* out) { *out << row.name; }

class ListenOption : public ::testing::TestWithParam<Option> {};

TEST_P(ListenOption, IsSetInTheKernelAndTheListenerServes) {
  const Option& row = GetParam();
  Daemon daemon({.config = listening("127.0.0.1:{port} " + row.text)});
  Client client(Endpoint::v4(daemon.port()));
  ASSERT_EQ(client.exchange("served"), "served");

  const UniqueFd listener = borrow_listener(daemon.worker_pid(0), daemon.port());

  EXPECT_EQ(socket_option(listener.get(), row.level, row.option), row.value);
  if (!row.inherited) return;
  const std::string name = client.name();
  const int client_port = std::stoi(name.substr(name.rfind(':') + 1));
  const UniqueFd accepted =
      borrow_connection(daemon.worker_pid(0), static_cast<std::uint16_t>(client_port));
  EXPECT_EQ(socket_option(accepted.get(), row.level, row.option), row.value);
}

// The kernel doubles buffer sizes (socket(7)) and keeps TCP_DEFER_ACCEPT in rounds of seconds.
INSTANTIATE_TEST_SUITE_P(
    All, ListenOption,
    ::testing::Values(
        Option{"deferred", "deferred", IPPROTO_TCP, TCP_DEFER_ACCEPT, 1, false},
        Option{"fastopen", "fastopen=16", IPPROTO_TCP, TCP_FASTOPEN, 16, false},
        Option{"nodelay", "", IPPROTO_TCP, TCP_NODELAY, 1, true},
        Option{"nodelay_off", "nodelay=off", IPPROTO_TCP, TCP_NODELAY, 0, true},
        Option{"keepalive", "keepalive=on", SOL_SOCKET, SO_KEEPALIVE, 1, true},
        Option{"keepalive_idle", "keepalive=60:5:3", IPPROTO_TCP, TCP_KEEPIDLE, 60, true},
        Option{"keepalive_interval", "keepalive=60:5:3", IPPROTO_TCP, TCP_KEEPINTVL, 5, true},
        Option{"keepalive_count", "keepalive=60:5:3", IPPROTO_TCP, TCP_KEEPCNT, 3, true},
        Option{"rcvbuf", "rcvbuf=32k", SOL_SOCKET, SO_RCVBUF, 65536, true},
        Option{"sndbuf", "sndbuf=16k", SOL_SOCKET, SO_SNDBUF, 32768, true},
        Option{"quickack", "quickack", IPPROTO_TCP, TCP_QUICKACK, 1, false}),
    [](const auto& row) { return row.param.name; });

// The length of a listening socket's queue, where TCP_INFO has another count for connected ones.
unsigned backlog_of(int fd) {
  tcp_info details{};
  socklen_t size = sizeof details;
  EXPECT_EQ(::getsockopt(fd, IPPROTO_TCP, TCP_INFO, &details, &size), 0);
  return details.tcpi_sacked;
}

TEST(ListenBacklog, IsWhatTheKernelKeeps) {
  Daemon daemon({.config = listening("127.0.0.1:{port} backlog=37")});

  const UniqueFd listener = borrow_listener(daemon.worker_pid(0), daemon.port());

  EXPECT_EQ(backlog_of(listener.get()), 37U);
}

TEST(ListenOptionsOverAReload, ChangeOnASocketThatStays) {
  Daemon daemon({.config = listening("127.0.0.1:{port} backlog=37 fastopen=9")});

  ASSERT_EQ(daemon.reload(listening("127.0.0.1:{port} backlog=41 keepalive=on")).status, 0);

  const UniqueFd listener = borrow_listener(daemon.worker_pid(0), daemon.port());
  EXPECT_EQ(backlog_of(listener.get()), 41U);
  EXPECT_EQ(socket_option(listener.get(), SOL_SOCKET, SO_KEEPALIVE), 1);
  EXPECT_EQ(socket_option(listener.get(), IPPROTO_TCP, TCP_FASTOPEN), 0);
}

TEST(ListenOptionsOverAReload, GoBackToTheKernelsOwnWhenTheyAreTakenOut) {
  Daemon daemon({.config = listening("127.0.0.1:{port} rcvbuf=32k sndbuf=16k keepalive=60:5:3")});
  const UniqueFd fresh(::socket(AF_INET, SOCK_STREAM, 0));

  ASSERT_EQ(daemon.reload(listening("127.0.0.1:{port}")).status, 0);

  const UniqueFd listener = borrow_listener(daemon.worker_pid(0), daemon.port());
  for (const auto& [level, option] : {std::pair{SOL_SOCKET, SO_RCVBUF},
                                      {SOL_SOCKET, SO_SNDBUF},
                                      {SOL_SOCKET, SO_KEEPALIVE},
                                      {IPPROTO_TCP, TCP_KEEPIDLE}}) {
    EXPECT_EQ(socket_option(listener.get(), level, option),
              socket_option(fresh.get(), level, option));
  }
}

// The first listener has its new options when the second is refused.
TEST(ListenOptionsOverAReload, AreAsBeforeWhenAnotherListenerIsRefused) {
  const std::string second = echo_server("exclusive", "127.0.0.1:{port2}", "second");
  Daemon daemon({.config = listening("127.0.0.1:{port} backlog=37") + second,
                 .faulty = true,
                 .environment = {{"DROVER_FAULT", "listen:3+1"}}});

  const CommandResult reload =
      daemon.reload(listening("127.0.0.1:{port} backlog=41 keepalive=on rcvbuf=32k") + second);

  EXPECT_EQ(reload.status, 1);
  EXPECT_NE(reload.both().find("listen: Address already in use"), std::string::npos)
      << reload.both();
  const UniqueFd fresh(::socket(AF_INET, SOCK_STREAM, 0));
  const UniqueFd listener = borrow_listener(daemon.worker_pid(0), daemon.port());
  EXPECT_EQ(backlog_of(listener.get()), 37U);
  EXPECT_EQ(socket_option(listener.get(), SOL_SOCKET, SO_KEEPALIVE), 0);
  EXPECT_EQ(socket_option(listener.get(), SOL_SOCKET, SO_RCVBUF),
            socket_option(fresh.get(), SOL_SOCKET, SO_RCVBUF));
}

// The kernel knows v6only only before bind().
TEST(ListenOptionsOverAReload, AreRefusedWhenTheKernelCannotChangeThem) {
  Daemon daemon({.config = listening("[::]:{port}")});

  const CommandResult reload = daemon.reload(listening("[::]:{port} v6only=off"));

  EXPECT_EQ(reload.status, 1);
  EXPECT_NE(reload.both().find("v6only"), std::string::npos) << reload.both();
  EXPECT_EQ(Client(Endpoint::v6(daemon.port())).exchange("on"), "on");
}

TEST(ListenDeferred, WakesNobodyForAClientThatSaysNothing) {
  Daemon daemon({.config = listening("127.0.0.1:{port} deferred")});
  Client mute(Endpoint::v4(daemon.port()));
  Client speaking(Endpoint::v4(daemon.port()));

  ASSERT_EQ(speaking.exchange("x"), "x");

  EXPECT_EQ(daemon.status().totals.accepted, 1);
  EXPECT_EQ(mute.exchange("late, but welcome"), "late, but welcome");
}

TEST(ListenV6only, DecidesWhetherIpv4ClientsGetIn) {
  Daemon daemon(
      {.config =
           config("workers = 1", echo_server("exclusive", "[::]:{port}", "six") +
                                     echo_server("exclusive", "[::]:{port2} v6only=off", "both"))});

  EXPECT_FALSE(Client::try_connect(Endpoint::v4(daemon.port(1))));
  EXPECT_EQ(Client(Endpoint::v6(daemon.port(1))).exchange("6"), "6");
  EXPECT_EQ(Client(Endpoint::v4(daemon.port(2))).exchange("4"), "4");
  EXPECT_EQ(Client(Endpoint::v6(daemon.port(2))).exchange("6"), "6");
}

mode_t mode_of(const std::string& path) {
  struct stat status {};
  EXPECT_EQ(::stat(path.c_str(), &status), 0);
  return status.st_mode & 07777U;
}

TEST(ListenUnix, HasItsModeAndOwner) {
  ASSERT_EQ(::geteuid(), 0U) << "only root can give a file away: run this test as root";
  Daemon daemon({.config = listening("unix:{dir}/echo.sock mode=0660 owner=nobody group=nogroup")});
  struct stat status {};

  ASSERT_EQ(::stat(daemon.file("echo.sock").c_str(), &status), 0);

  EXPECT_EQ(status.st_mode & 07777U, 0660U);
  EXPECT_EQ(status.st_uid, ::getpwnam("nobody")->pw_uid);
  EXPECT_EQ(status.st_gid, ::getpwnam("nobody")->pw_gid);
  EXPECT_EQ(Client(Endpoint::unix_path(daemon.file("echo.sock"))).exchange("x"), "x");
}

TEST(ListenUnix, ChangesItsModeWithAReload) {
  Daemon daemon({.config = listening("unix:{dir}/echo.sock mode=0660")});
  ASSERT_EQ(mode_of(daemon.file("echo.sock")), 0660U);

  ASSERT_EQ(daemon.reload(listening("unix:{dir}/echo.sock mode=0600")).status, 0);

  EXPECT_EQ(mode_of(daemon.file("echo.sock")), 0600U);
  EXPECT_EQ(Client(Endpoint::unix_path(daemon.file("echo.sock"))).exchange("x"), "x");
}

}  // namespace
}  // namespace drover::test
