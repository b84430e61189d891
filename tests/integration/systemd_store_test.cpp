// What systemd keeps for Drover and passes to it: the store when every process has died, and the
// sockets of socket units.
#include <sys/stat.h>

#include <filesystem>

#include "tests/integration/systemd_unit.h"

namespace drover::test {
namespace {

using ::testing::HasSubstr;

std::string count(const DroverUnit& unit, const std::string& command) {
  Client client = unit.machine().connect(kCounterPort);
  return ask(client, command);
}

// --- the store ---

class StoreTest : public ::testing::TestWithParam<const char*> {};

TEST_P(StoreTest, KeepsListenersAndZonesOverTheDeathOfEveryProcess) {
  DroverUnit unit({.accept = GetParam(), .service = "RestartSec=2s\n"});
  ASSERT_EQ(unit.start().status, 0);
  ASSERT_EQ(count(unit, "add"), "1");
  ASSERT_EQ(count(unit, "add"), "2");

  unit.kill_all();
  ASSERT_TRUE(wait_until([&] { return unit.property("SubState") == "auto-restart"; }));
  std::vector<Client> clients;  // of the gap: nobody lives
  for (int i = 0; i < 8; ++i) {
    clients.push_back(unit.machine().connect(kEchoPort));
    clients.back().send_all("hello");
  }
  ASSERT_EQ(unit.property("SubState"), "auto-restart");

  for (Client& client : clients) EXPECT_EQ(client.receive(5), "hello");
  EXPECT_TRUE(unit.wait_for_restart());
  EXPECT_TRUE(unit.log_has("passed by systemd: listeners=3 zones=1"));
  EXPECT_EQ(count(unit, "get"), "2");
  EXPECT_NE(count(unit, "ends"), "0") << "it may have been changed when everything died";
  for (int i = 0; i < 8; ++i) EXPECT_EQ(unit.answer(), "hello");
}

INSTANTIATE_TEST_SUITE_P(All, StoreTest, ::testing::Values("exclusive", "reuseport", "acceptor"),
                         [](const auto& row) { return std::string(row.param); });

TEST(Store, HasWhatIsInUseAndNothingElse) {
  DroverUnit unit({.accept = "reuseport"});
  ASSERT_EQ(unit.start().status, 0);
  const auto stores = [&](const char* number) {
    return wait_until([&] { return unit.property("NFileDescriptorStore") == number; });
  };
  EXPECT_TRUE(stores("5")) << "two sockets of echo, two of the others, a zone";

  unit.options().workers = 3;
  unit.write_config();
  ASSERT_EQ(unit.command("reload").status, 0);
  EXPECT_TRUE(stores("6"));
  unit.options().zone = "";
  unit.write_config();
  ASSERT_EQ(unit.command("reload").status, 0);
  EXPECT_TRUE(stores("4")) << unit.property("NFileDescriptorStore");
  ASSERT_EQ(unit.command("upgrade").status, 0);
  unit.options().accept = "exclusive";
  unit.options().drover = "steer_linger = 100ms\n";
  unit.write_config();
  ASSERT_EQ(unit.command("reload").status, 0);
  EXPECT_TRUE(stores("2")) << unit.property("NFileDescriptorStore");
  unit.kill_main("KILL");
  ASSERT_TRUE(unit.wait_for_restart());
  EXPECT_TRUE(stores("2"));
}

TEST(Store, KeepsZonesOverARestartAndLetsListenersGo) {
  DroverUnit unit;
  ASSERT_EQ(unit.start().status, 0);
  ASSERT_EQ(count(unit, "add"), "1");

  ASSERT_EQ(unit.machine().systemctl({"restart", "drover.service"}).status, 0);
  EXPECT_EQ(count(unit, "get"), "1");
  Client client = unit.machine().connect(kEchoPort);
  ASSERT_EQ(client.exchange("one"), "one");
  unit.kill_main("QUIT");
  EXPECT_TRUE(wait_until([&] { return unit.machine().is_refused(kEchoPort); }))
      << "who connects to a daemon that leaves must not wait in systemd's copy of the queue";

  client.close();
  ASSERT_TRUE(wait_until([&] { return unit.property("ActiveState") == "inactive"; }));
  ASSERT_EQ(unit.start().status, 0);
  EXPECT_EQ(count(unit, "get"), "0") << "a stop ends what is stored";
}

TEST(Store, AfterAnUpgradeTooTheNextStartFindsIt) {
  DroverUnit unit;
  ASSERT_EQ(unit.start().status, 0);
  ASSERT_EQ(count(unit, "add"), "1");
  ASSERT_EQ(unit.command("upgrade").status, 0);
  ASSERT_EQ(count(unit, "add"), "2");

  unit.kill_all();

  EXPECT_TRUE(unit.wait_for_restart());
  EXPECT_EQ(count(unit, "get"), "2");
}

struct Misfit {
  std::string name;
  std::string counter;
  std::string zone;
  std::string why;
};

std::ostream& operator<<(std::ostream& out, const Misfit& misfit) { return out << misfit.name; }

std::vector<Misfit> misfits() {
  return {
      {"size", "counter", "size = 128k",
       "zone-counter, passed by systemd, is closed: it is no zone of 128k"},
      {"layout", "counter_layout2", "size = 64k",
       "zone counter: stored contents dropped: its layout is version 1"},
  };
}

class MisfitTest : public ::testing::TestWithParam<Misfit> {};

TEST_P(MisfitTest, IsDroppedWithAWarning) {
  DroverUnit unit;
  ASSERT_EQ(unit.start().status, 0);
  ASSERT_EQ(count(unit, "add"), "1");

  unit.options().counter = GetParam().counter;
  unit.options().zone = GetParam().zone;
  unit.write_config();
  unit.kill_all();

  EXPECT_TRUE(unit.wait_for_restart());
  EXPECT_EQ(count(unit, "get"), "0");
  EXPECT_TRUE(unit.log_has(GetParam().why)) << read_file(unit.file("log"));
  EXPECT_TRUE(wait_until([&] { return unit.property("NFileDescriptorStore") == "4"; }));
}

TEST_P(MisfitTest, IsRefusedWhenItHasToBeKept) {
  DroverUnit unit;
  ASSERT_EQ(unit.start().status, 0);
  ASSERT_EQ(count(unit, "add"), "1");
  const UnitOptions good = unit.options();

  unit.options().counter = GetParam().counter;
  unit.options().zone = GetParam().zone + "\nkeep = required";
  unit.write_config();
  unit.kill_all();
  EXPECT_TRUE(wait_until([&] { return unit.restarts() >= 2; }));
  EXPECT_FALSE(unit.is_active());

  unit.options() = good;
  unit.write_config();
  EXPECT_TRUE(wait_until([&] { return unit.is_active(); })) << "nothing has been lost";
  EXPECT_EQ(count(unit, "get"), "1");
}

INSTANTIATE_TEST_SUITE_P(All, MisfitTest, ::testing::ValuesIn(misfits()),
                         [](const auto& row) { return row.param.name; });

TEST(Store, AUnixSocketWhoseFileHasGoneIsBoundAnew) {
  DroverUnit unit({.echo_listen = "unix:{dir}/echo.sock"});
  ASSERT_EQ(unit.start().status, 0);
  const auto answer = [&] {
    return Client(Endpoint::unix_path(unit.file("echo.sock"))).exchange("hello");
  };
  unit.kill_all();
  ASSERT_TRUE(unit.wait_for_restart());
  EXPECT_TRUE(unit.log_has("passed by systemd: listeners=3"));
  EXPECT_EQ(answer(), "hello");

  std::filesystem::remove(unit.file("echo.sock"));
  unit.kill_all();

  ASSERT_TRUE(unit.wait_for_restart(2));
  EXPECT_TRUE(unit.log_has("echo.sock is not its file any more"));
  EXPECT_EQ(answer(), "hello");
}

TEST(Store, WhatNobodyListensOnAnyMoreIsInNobodysWay) {
  DroverUnit unit;
  ASSERT_EQ(unit.start().status, 0);
  unit.options().echo_listen = "*:7007";
  unit.write_config();

  unit.kill_all();

  ASSERT_TRUE(unit.wait_for_restart());
  EXPECT_EQ(unit.restarts(), 1);
  EXPECT_EQ(unit.answer(), "hello");
}

// --- socket units ---

std::string socket_unit(const std::string& lines) {
  return "[Unit]\nDefaultDependencies=no\n[Socket]\n" + lines;
}

CommandResult listen(const DroverUnit& unit, const std::string& lines) {
  unit.machine().write_unit("drover.socket", socket_unit(lines));
  return unit.machine().systemctl({"start", "drover.socket"});
}

TEST(SocketUnit, StartsTheServiceForItsFirstClientAndOutlivesIt) {
  DroverUnit unit({.accept = "reuseport", .service = kAsRoot});
  const CommandResult listening = listen(unit, "ListenStream=127.0.0.1:7007\n");
  ASSERT_EQ(listening.status, 0) << listening.both();

  EXPECT_EQ(unit.answer(), "hello");

  EXPECT_TRUE(unit.is_active());
  EXPECT_TRUE(unit.log_has("passed by systemd: listeners=1 zones=0"));
  for (int i = 0; i < 16; ++i) EXPECT_EQ(unit.answer(), "hello");
  ASSERT_EQ(unit.command("upgrade").status, 0);
  EXPECT_EQ(unit.answer(), "hello");
  ASSERT_EQ(unit.machine().systemctl({"stop", "drover.service"}).status, 0);
  EXPECT_EQ(unit.answer(), "hello") << "the socket unit starts it again";
}

TEST(SocketUnit, ThatShipsStartsTheService) {
  DroverUnit unit;
  unit.machine().write_unit("drover.socket", shipped("drover.socket"));
  unit.machine().write_unit("drover.socket.d/test.conf", "[Unit]\nDefaultDependencies=no\n");
  ASSERT_EQ(unit.machine().systemctl({"start", "drover.socket"}).status, 0);

  EXPECT_EQ(unit.answer(), "hello");

  EXPECT_TRUE(unit.log_has("passed by systemd: listeners=1 zones=0"));
  ASSERT_EQ(unit.command("upgrade").status, 0);
  EXPECT_EQ(unit.answer(), "hello");
}

TEST(SocketUnit, KeepsTheFileAndTheModeOfAUnixSocket) {
  DroverUnit unit({.echo_listen = "unix:{dir}/echo.sock"});
  ASSERT_EQ(listen(unit, "SocketMode=0600\nListenStream=" + unit.file("echo.sock")).status, 0);
  const auto answer = [&] {
    return Client(Endpoint::unix_path(unit.file("echo.sock"))).exchange("hello");
  };
  EXPECT_EQ(answer(), "hello");
  ASSERT_EQ(unit.command("upgrade").status, 0);
  struct stat status {};
  ASSERT_EQ(stat(unit.file("echo.sock").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600U);

  ASSERT_EQ(unit.machine().systemctl({"stop", "drover.service"}).status, 0);

  EXPECT_EQ(answer(), "hello");
}

// The workers let go of it, systemd does not: whoever comes waits in its queue.
TEST(SocketUnit, OfAnAddressThatAReloadDropsIsThereForTheNextThatNamesIt) {
  DroverUnit unit({.accept = "reuseport", .service = kAsRoot});
  ASSERT_EQ(listen(unit, "ListenStream=127.0.0.1:7007\n").status, 0);
  EXPECT_EQ(unit.answer(), "hello");
  unit.options().echo_listen = "127.0.0.1:7017";
  unit.write_config();
  ASSERT_EQ(unit.command("reload").status, 0);
  ASSERT_EQ(unit.command("upgrade").status, 0);
  std::vector<Client> clients;
  for (int i = 0; i < 4; ++i) {
    clients.push_back(unit.machine().connect(kEchoPort));
    clients.back().send_all("hello");
  }

  unit.options().echo_listen = "127.0.0.1:7007";
  unit.write_config();
  const CommandResult reload = unit.command("reload");

  EXPECT_EQ(reload.status, 0) << reload.both();
  for (Client& client : clients) EXPECT_EQ(client.receive(5), "hello");
  EXPECT_EQ(unit.answer(), "hello");
}

// Orphans do not know what is systemd's, and have nothing of what nobody serves.
TEST(SocketUnit, IsKnownAsOneByAMasterThatAdopts) {
  DroverUnit unit({.echo_listen = "unix:{dir}/echo.sock"});
  ASSERT_EQ(listen(unit, "ListenStream=" + unit.file("echo.sock")).status, 0);
  const auto answer = [&] {
    return Client(Endpoint::unix_path(unit.file("echo.sock"))).exchange("hello");
  };
  ASSERT_EQ(answer(), "hello");
  const auto adopt = [&](int restarts) {
    unit.kill_main("KILL");
    ASSERT_TRUE(unit.wait_for_restart(restarts));
  };
  adopt(1);
  unit.options().echo_listen = "127.0.0.1:7007";
  unit.write_config();
  ASSERT_EQ(unit.command("reload").status, 0);
  EXPECT_EQ(unit.answer(), "hello");
  EXPECT_TRUE(std::filesystem::exists(unit.file("echo.sock")));
  adopt(2);

  unit.options().echo_listen = "unix:{dir}/echo.sock";
  unit.write_config();
  const CommandResult reload = unit.command("reload");

  EXPECT_EQ(reload.status, 0) << reload.both();
  EXPECT_EQ(answer(), "hello");
}

TEST(SocketUnit, OfAServerThatIsQuarantinedIsThereForTheNextReload) {
  DroverUnit unit(
      {.drover = "max_crashes = 1\nload = " + built("test-modules/crashing.so") + "\n"});
  unit.write_config("\n[server bad]\nlisten = unix:{dir}/bad.sock\nprotocol = crashing\n");
  ASSERT_EQ(listen(unit, "ListenStream=" + unit.file("bad.sock")).status, 0);
  const Endpoint bad = Endpoint::unix_path(unit.file("bad.sock"));
  for (int i = 0; i < 2; ++i) {
    Client client(bad);
    client.send_all("crash\n");
    EXPECT_NE(client.next(), Client::Next::kBytes);
  }
  ASSERT_TRUE(wait_until([&] { return unit.log_has("module crashing quarantined"); }));
  EXPECT_EQ(unit.answer(), "hello");

  Client client(bad);
  client.send_all("hello");
  const CommandResult reload = unit.command("reload");

  EXPECT_EQ(reload.status, 0) << reload.both();
  EXPECT_EQ(client.receive(5), "hello");
}

TEST(SocketUnit, ThatNobodyListensOnWaitsForAServerWithAWarning) {
  DroverUnit unit({.echo_listen = "127.0.0.1:7017"});
  ASSERT_EQ(listen(unit, "ListenStream=127.0.0.1:7007\n").status, 0);
  ASSERT_EQ(unit.start().status, 0);
  EXPECT_TRUE(unit.log_has(
      "drover.socket, passed by systemd, waits for a server: none listens on 127.0.0.1:7007"));

  unit.options().echo_listen = "127.0.0.1:7007";
  unit.write_config();
  const CommandResult reload = unit.command("reload");

  EXPECT_EQ(reload.status, 0) << reload.both();
  EXPECT_EQ(unit.answer(), "hello");
}

TEST(SocketUnit, OfAnotherKindIsRefusedWithAdvice) {
  DroverUnit unit({.service = "Restart=no\n"});
  ASSERT_EQ(listen(unit, "ListenDatagram=127.0.0.1:7007\n").status, 0);

  EXPECT_NE(unit.start().status, 0);

  EXPECT_TRUE(unit.log_has("needs ListenStream="));
}

TEST(SocketUnit, ThatTakesIPv4OnAnIPv6AddressMustBeMeantTo) {
  DroverUnit unit({.service = "Restart=no\n", .echo_listen = "[::]:7007"});
  ASSERT_EQ(listen(unit, "ListenStream=[::]:7007\nBindIPv6Only=both\n").status, 0);

  EXPECT_NE(unit.start().status, 0);
  EXPECT_TRUE(unit.log_has("the socket is systemd's: change its socket unit, or this"));

  unit.options().echo_listen = "[::]:7007 v6only=off";
  unit.write_config();
  EXPECT_EQ(unit.start().status, 0);
  EXPECT_EQ(unit.answer(), "hello");
}

TEST(SocketUnit, OfAnotherUserCannotBeJoinedAndSaysWhatToDo) {
  DroverUnit unit({.accept = "reuseport", .service = "Restart=no\n"});
  ASSERT_EQ(listen(unit, "ListenStream=127.0.0.1:7007\n").status, 0);

  EXPECT_NE(unit.start().status, 0);

  EXPECT_TRUE(unit.log_has("cannot be joined with accept = reuseport: take another strategy"))
      << read_file(unit.file("log"));
}

}  // namespace
}  // namespace drover::test
