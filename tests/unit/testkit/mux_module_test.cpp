// The stream module with a client that does not read: how often it is tried, by a clock that the
// test moves.
#include <gtest/gtest.h>

#include "modules/sdk/testkit/testkit.hpp"

namespace drover::testkit {
namespace {

using std::chrono::milliseconds;

constexpr std::int64_t kMiB = 1 << 20;

Host::Setting number(std::int64_t value) { return {std::to_string(value), value}; }

// Without what would speak by itself.
Host::Settings quiet_xsmux() {
  return {{"serve", {"inner"}},
          {"protocol", {"xsmux", 2}},
          {"max_streams", number(100)},
          {"opens_per_second", number(0)},
          {"max_session_buffer", number(16 * kMiB)},
          {"max_output", number(16 * kMiB)},
          {"memory_budget", number(256 * kMiB)},
          {"max_window", number(kMiB)},
          {"window_budget", number(64 * kMiB)},
          {"keepalive", number(0)},
          {"silence_timeout", number(0)},
          {"detect_timeout", number(60'000)},
          {"idle_session_timeout", number(0)},
          {"half_closed_linger", number(30'000)},
          {"fin_delay", number(0)},
          {"drain_timeout", number(200'000)}};
}

class StuckSession : public testing::Test {
 protected:
  StuckSession() {
    host_.set_deaf(conn_, true);
    for (char id = 3; id < 3 + 2 * kStreams; id = static_cast<char>(id + 2))
      host_.feed(conn_, std::string("\1\0\0\0", 4) + id + std::string(3, '\0'));
  }
  // Every stream writes until nothing more is taken of it.
  void write_all() {
    const std::string block(64 << 10, 'x');
    for (const drover_conn child : host_.children())
      while (host_.child_write(child, block) > 0) {
      }
    take_turns();
  }
  void take_turns() {
    for (int i = 0; i < 20; ++i) host_.ring();
  }
  // How often the module looked whether its client takes more.
  int looks_in(milliseconds time) {
    const int before = host_.calls("pending_output");
    host_.pass(time);
    return host_.calls("pending_output") - before;
  }

  static constexpr int kStreams = 10;
  Host host_{load(DROVER_BUILD_DIR "/modules/mux.so"), quiet_xsmux()};
  const drover_conn conn_ = host_.accept();
};

// Each 5 ms would be two hundred.
TEST_F(StuckSession, IsLookedAtMoreSeldomTheLongerItIsStuck) {
  write_all();

  const int at_first = looks_in(milliseconds{40});
  looks_in(milliseconds{1'000});
  const int later = looks_in(milliseconds{1'000});

  EXPECT_GE(at_first, 2);
  EXPECT_GE(later, 5);
  EXPECT_LE(later, 8) << "once in 160 ms";
}

TEST_F(StuckSession, GoesOnSoonWhenItsClientReadsAgain) {
  write_all();
  looks_in(milliseconds{7'000});
  std::size_t got = host_.read(conn_).size();
  host_.set_deaf(conn_, false);

  host_.pass(milliseconds{165});
  take_turns();
  got += host_.read(conn_).size();

  EXPECT_GE(got, std::size_t{kStreams} * (64 << 10)) << "all that was taken of the streams";
}

TEST_F(StuckSession, IsLookedAtSoonAgainAfterItHasMoved) {
  write_all();
  looks_in(milliseconds{5'000});
  host_.set_deaf(conn_, false);
  host_.pass(milliseconds{165});
  take_turns();
  static_cast<void>(host_.read(conn_));

  host_.set_deaf(conn_, true);
  write_all();

  EXPECT_GE(looks_in(milliseconds{40}), 2);
}

}  // namespace
}  // namespace drover::testkit
