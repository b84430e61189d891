// The file of a module that serves is replaced, overwritten or broken, under checked load on a
// server beside it.
#include <gtest/gtest.h>

#include <fcntl.h>
#include <unistd.h>

#include <filesystem>

#include "tests/integration/reload_cell.h"

namespace drover::test {
namespace {

namespace fs = std::filesystem;

// A module file of its own, {dir}/NAME.so of each daemon's folder, is what these tests work on.
class ModuleFileTest : public ::testing::TestWithParam<const char*> {
 protected:
  [[nodiscard]] std::string file() const { return modules_.file("module.so"); }
  // As installing a package does.
  void replace_by_rename(const std::string& by) const {
    fs::copy_file(by, file() + ".new", fs::copy_options::overwrite_existing);
    fs::rename(file() + ".new", file());
  }
  // As `cp` does: the same inode gets other bytes.
  void overwrite_in_place(const std::string& bytes) const {
    const UniqueFd fd(::open(file().c_str(), O_WRONLY | O_TRUNC));
    ASSERT_EQ(::write(fd.get(), bytes.data(), bytes.size()), static_cast<ssize_t>(bytes.size()));
  }

  TempDir modules_;
};

INSTANTIATE_TEST_SUITE_P(All, ModuleFileTest, ::testing::ValuesIn(kStrategies), strategy_name);

constexpr std::string_view kVersion1 = "v1\n";
constexpr std::string_view kVersion2 = "v2\n";

std::string version_of(Client& client) {
  client.send_all("which?");
  return client.receive(kVersion1.size());
}

// The load is on echo at {port}, the module serves {port2}.
TEST_P(ModuleFileTest, ReplacedAndReloadedServesNewConnectionsWithTheNewCode) {
  replace_by_rename(built("test-modules/reply_v1.so"));
  const std::string text =
      config(drover_lines(3) + "load = " + file() + "\n",
             echo_server(GetParam()) + "\n[server reply]\nlisten = 127.0.0.1:{port2}\naccept = " +
                 GetParam() + "\nprotocol = reply\n");
  Daemon daemon({.config = text});
  LoadGenerator load(reload_load({Endpoint::v4(daemon.port())}));
  ASSERT_TRUE(load.wait_for_completed(50));
  Client old_client(Endpoint::v4(daemon.port(2)));
  ASSERT_EQ(version_of(old_client), kVersion1);

  replace_by_rename(built("test-modules/reply_v2.so"));
  Client before_reload(Endpoint::v4(daemon.port(2)));
  EXPECT_EQ(version_of(before_reload), kVersion1);
  wait_for_loaded_moment(load, daemon.port());
  expect_reloaded(daemon.reload(text), 2);

  EXPECT_EQ(version_of(old_client), kVersion1);
  // The former generation may accept for as long as its order to drain is under way.
  EXPECT_TRUE(wait_until([&] {
    Client client(Endpoint::v4(daemon.port(2)));
    return version_of(client) == kVersion2;
  }));
  for (int i = 0; i < 10; ++i) {
    Client client(Endpoint::v4(daemon.port(2)));
    EXPECT_EQ(version_of(client), kVersion2);
  }
  EXPECT_TRUE(load.wait_for_completed(100));
  expect_lossless(load);
  old_client.close();
  before_reload.close();
  EXPECT_TRUE(wait_until_gone(daemon, 1));
}

// Garbage over the very file that serves: those that run, and those that are started in their
// place, have the code they began with; a reload is refused.
TEST_P(ModuleFileTest, OverwrittenInPlaceHarmsNobody) {
  replace_by_rename(built("modules/echo.so"));
  const std::string with_file = replace_all(config(drover_lines(2), two_servers(GetParam())),
                                            "load = echo\n", "load = " + file() + "\n");
  Daemon daemon({.config = with_file});
  LoadGenerator load(reload_load({Endpoint::v4(daemon.port(1)), Endpoint::v4(daemon.port(2))}));
  ASSERT_TRUE(load.wait_for_completed(50));
  const std::vector<pid_t> workers = worker_pids(daemon);

  wait_for_loaded_moment(load, daemon.port());
  overwrite_in_place(std::string(100'000, '\xCC'));

  EXPECT_TRUE(load.wait_for_completed(150));
  wait_for_loaded_moment(load, daemon.port());
  expect_refused(daemon.reload(with_file), file());
  EXPECT_TRUE(load.wait_for_completed(50));
  EXPECT_EQ(worker_pids(daemon), workers) << "a worker crashed";
  expect_lossless(load);
  kill_now(daemon.worker_pid(0));
  EXPECT_TRUE(daemon.wait_for_log("worker 0 gen 1 ready"));
  for (int i = 0; i < 10; ++i) EXPECT_EQ(answer(daemon), "hello");
}

// --- files that are no module ---

struct BrokenFile {
  const char* name;
  std::string (*bytes)();
  const char* why;
};

void PrintTo(const BrokenFile& row, std::ostream* out) { *out << row.name; }

std::string echo_file() { return read_file(built("modules/echo.so")); }

class BrokenFileTest : public ::testing::TestWithParam<BrokenFile> {};

TEST_P(BrokenFileTest, IsRefusedWithTheReasonAndTheOldGenerationServes) {
  const TempDir modules;
  const std::string file = modules.file("module.so");
  const auto text = config(drover_lines(2), echo_server("exclusive"));
  Daemon daemon({.config = text});
  LoadGenerator load(reload_load({Endpoint::v4(daemon.port())}));
  ASSERT_TRUE(load.wait_for_completed(50));
  write_file(file, GetParam().bytes());

  wait_for_loaded_moment(load, daemon.port());
  const CommandResult reload =
      daemon.reload(replace_all(text, "load = echo\n", "load = echo\nload = " + file + "\n"));

  expect_refused(reload, GetParam().why);
  expect_refused(reload, "module");
  std::cout << reload.errors;
  EXPECT_TRUE(load.wait_for_completed(50));
  expect_lossless(load);
  EXPECT_TRUE(wait_until_gone(daemon, 2));
  EXPECT_EQ(daemon.status().serving()->number, 1U);
}

INSTANTIATE_TEST_SUITE_P(
    All, BrokenFileTest,
    ::testing::Values(BrokenFile{"empty", [] { return std::string(); }, "file too short"},
                      BrokenFile{"text", [] { return std::string(5000, 'x'); }, "invalid ELF"},
                      BrokenFile{"cut_off", [] { return echo_file().substr(0, 4096); },
                                 "killed by signal 7 (SIGBUS) while loading module module (/"},
                      BrokenFile{"of_the_same_name", echo_file, "echo"},
                      BrokenFile{"executable", [] { return read_file(built("drover")); },
                                 "cannot dynamically load"}),
    [](const auto& row) { return row.param.name; });

}  // namespace
}  // namespace drover::test
