// Whom the master blames for a worker's end. The seat is whatever a dying process left there.
#include "master/crash_blame.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <csignal>
#include <memory>
#include <string_view>

namespace drover {
namespace {

constexpr int kSegv = SIGSEGV;  // as a wait status: killed by it
constexpr int kExited3 = 3 << 8;

class CrashBlame : public testing::Test {
 protected:
  CrashBlame() {
    for (const char* module : {"echo", "kvs"}) settings_.servers.emplace_back().protocol = module;
    load("echo", 0x1000);
    load("kvs", 0x2000);
  }

  // From `start` on for 0x1000 bytes.
  void load(std::string_view module, std::uint64_t start) {
    ModuleRange& range = report().modules[static_cast<std::size_t>(report().module_count++)];
    range = {start, start + 0x1000, {}, {}};
    std::ranges::copy(module.substr(0, range.module.size()), range.module.begin());
  }
  void crash(const std::vector<std::uint64_t>& frames) {
    std::ranges::copy(frames, report().frames.begin());
    report().frame_count = static_cast<int>(frames.size());
    report().signal = SIGSEGV;
  }
  CrashReport& report() { return seat_->crash; }
  [[nodiscard]] std::string blamed(int wait_status, bool was_hung = false) const {
    return blame(*seat_, was_hung, wait_status, settings_).module;
  }

  Settings settings_;
  std::unique_ptr<Seat> seat_ = std::make_unique<Seat>();
};

TEST_F(CrashBlame, FallsOnTheModuleOfTheInnermostFrameThatLiesInOne) {
  crash({0x99, 0x2500, 0x98, 0x1500});
  EXPECT_EQ(blamed(kSegv), "kvs");
}

TEST_F(CrashBlame, TakesAFrameAtTheStartAndNoneAtTheEnd) {
  crash({0x3000, 0x2000});
  EXPECT_EQ(blamed(kSegv), "kvs");
  crash({0x3000, 0x3001});
  EXPECT_EQ(blamed(kSegv), "");
}

TEST_F(CrashBlame, FallsOnWhoseHookRanWhenTheStackIsLost) {
  crash({0x0});
  seat_->running = 1;
  EXPECT_EQ(blamed(kSegv), "kvs");
  EXPECT_EQ(blamed(kExited3), "kvs") << "exit() in a hook leaves no frames";
}

TEST_F(CrashBlame, FallsOnNobodyWhenNoHookRan) {
  crash({0x99});
  EXPECT_EQ(blamed(kSegv), "");
  EXPECT_EQ(blamed(kExited3), "");
}

TEST_F(CrashBlame, OfAHangIsWithWhoseHookRan) {
  crash({0x1500});  // of the SIGABRT: where the loop happened to be
  EXPECT_EQ(blamed(SIGABRT, true), "");
  seat_->running = 1;
  EXPECT_EQ(blamed(SIGABRT, true), "kvs");
  EXPECT_EQ(blamed(SIGKILL, true), "kvs");
  EXPECT_TRUE(blame(*seat_, true, SIGKILL, settings_).was_hung);
}

TEST_F(CrashBlame, SparesModulesWhenSomebodyElseKilledTheWorker) {
  seat_->running = 1;
  EXPECT_EQ(blamed(SIGKILL), "");
}

TEST_F(CrashBlame, BelievesNoReportThatCannotBe) {
  crash({0x5500});
  load("nobody's", 0x5000);
  EXPECT_EQ(blamed(kSegv), "") << "no server names it";
  report().module_count = 1'000'000;
  report().frame_count = 1'000'000;
  seat_->running = 1'000'000;
  EXPECT_EQ(blamed(kSegv), "");
  report().module_count = report().frame_count = -5;
  seat_->running = -5;
  EXPECT_EQ(blamed(kSegv), "");
}

TEST_F(CrashBlame, KnowsAModuleWhoseNameDidNotFit) {
  const std::string name(60, 'x');
  settings_.servers[0].protocol = name;
  load(name, 0x5000);
  crash({0x5500});
  EXPECT_EQ(blamed(kSegv), name);
}

}  // namespace
}  // namespace drover
