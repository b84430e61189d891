// Options of a socket that is kept while the configuration changes.
#include "master/listen_socket.h"

#include <gtest/gtest.h>
#include <linux/socket.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

namespace drover {
namespace {

int option_of(int fd, int level, int name) {
  int value = -1;
  socklen_t size = sizeof value;
  EXPECT_EQ(getsockopt(fd, level, name, &value, &size), 0);
  return value;
}

ListenSettings settings_on(const std::string& address) {
  ListenSettings settings;
  settings.address = Address::parse(address).value();
  return settings;
}

struct TakenOut {
  const char* name;
  const char* address;
  void (*set)(ListenSettings& settings);
  int level;
  int option;
};

void PrintTo(const TakenOut& row, std::ostream* out) { *out << row.name; }

class OptionTakenOut : public ::testing::TestWithParam<TakenOut> {};

TEST_P(OptionTakenOut, IsAsOnANewSocketAgain) {
  const TakenOut& row = GetParam();
  const ListenSettings plain = settings_on(row.address);
  ListenSettings set = plain;
  row.set(set);
  const UniqueFd fresh(socket(plain.address.family(), SOCK_STREAM, 0));
  const UniqueFd kept = std::move(bind_socket(set, false)).value();
  ASSERT_TRUE(start_listening(kept.get(), set).ok());
  const int own = option_of(fresh.get(), row.level, row.option);
  ASSERT_NE(option_of(kept.get(), row.level, row.option), own);

  const Status applied = apply_listen_options(kept.get(), plain);

  ASSERT_TRUE(applied.ok()) << applied.error().message();
  EXPECT_EQ(option_of(kept.get(), row.level, row.option), own);
  EXPECT_EQ(option_of(kept.get(), SOL_SOCKET, SO_BUF_LOCK), 0) << "the kernel may not adapt it";
}

constexpr const char* kTcp = "127.0.0.1:0";

INSTANTIATE_TEST_SUITE_P(
    All, OptionTakenOut,
    ::testing::Values(
        TakenOut{"rcvbuf", kTcp, [](ListenSettings& s) { s.rcvbuf = 32'768; }, SOL_SOCKET,
                 SO_RCVBUF},
        TakenOut{"sndbuf", kTcp, [](ListenSettings& s) { s.sndbuf = 32'768; }, SOL_SOCKET,
                 SO_SNDBUF},
        TakenOut{"sndbuf_v6", "[::1]:0", [](ListenSettings& s) { s.sndbuf = 32'768; }, SOL_SOCKET,
                 SO_SNDBUF},
        TakenOut{"keepalive", kTcp, [](ListenSettings& s) { s.keepalive.enabled = true; },
                 SOL_SOCKET, SO_KEEPALIVE},
        TakenOut{"keepalive_idle", kTcp, [](ListenSettings& s) { s.keepalive.idle_s = 61; },
                 IPPROTO_TCP, TCP_KEEPIDLE},
        TakenOut{"keepalive_interval", kTcp, [](ListenSettings& s) { s.keepalive.interval_s = 7; },
                 IPPROTO_TCP, TCP_KEEPINTVL},
        TakenOut{"keepalive_count", kTcp, [](ListenSettings& s) { s.keepalive.count = 3; },
                 IPPROTO_TCP, TCP_KEEPCNT}),
    [](const auto& row) { return row.param.name; });

TEST(ListenSocket, GivesOneBufferBackAndKeepsTheOther) {
  ListenSettings settings = settings_on(kTcp);
  settings.rcvbuf = settings.sndbuf = 32'768;
  const UniqueFd kept = std::move(bind_socket(settings, false)).value();

  settings.sndbuf = 0;
  ASSERT_TRUE(apply_listen_options(kept.get(), settings).ok());

  EXPECT_EQ(option_of(kept.get(), SOL_SOCKET, SO_RCVBUF), 65'536);
  EXPECT_EQ(option_of(kept.get(), SOL_SOCKET, SO_BUF_LOCK), SOCK_RCVBUF_LOCK);
}

// A size that the kernel chose by itself is its to change.
TEST(ListenSocket, LeavesBuffersAloneThatNobodySet) {
  const ListenSettings settings = settings_on(kTcp);
  const UniqueFd kept = std::move(bind_socket(settings, false)).value();

  ASSERT_TRUE(apply_listen_options(kept.get(), settings).ok());

  EXPECT_EQ(option_of(kept.get(), SOL_SOCKET, SO_BUF_LOCK), 0);
}

}  // namespace
}  // namespace drover
