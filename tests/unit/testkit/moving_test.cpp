// Moving a connection from one instance to another, seen by a module of a few lines.
#include <gtest/gtest.h>

#include <stdexcept>

#include "modules/sdk/module.hpp"
#include "modules/sdk/testkit/testkit.hpp"

namespace drover::testkit {
namespace {

int states = 0;  // of connections, alive

// Takes along the last that it was told, and throws when that says so.
struct Moving {
  static constexpr std::uint64_t kFreezeVersion = 7;
  struct State {
    State() noexcept { ++states; }
    ~State() { --states; }
    std::string told;
  };

  explicit Moving(drover::Host h) : host(h) {}
  std::size_t on_data(drover_conn conn, State& state, std::string_view bytes) {
    state.told = bytes;
    host.set_timer(conn, std::chrono::seconds(5));
    if (bytes == "pause") host.pause_reading(conn);
    if (bytes == "say") host.write(conn, "said to " + host.peer_name(conn) + ", ");
    return bytes.starts_with("part") && !bytes.ends_with("whole") ? 0 : bytes.size();
  }
  void on_timer(drover_conn conn, State& state) { host.write(conn, "rang " + state.told); }
  void on_drain(drover_conn conn, State& /*state*/) { host.write(conn, "drains"); }
  std::optional<std::string> freeze(drover_conn /*conn*/, State& state) {
    if (state.told == "throw here") throw std::runtime_error("not for the world");
    return state.told;
  }
  bool thaw(drover_conn conn, State& state, std::uint64_t version, std::string_view blob) {
    if (blob == "throw there") throw std::runtime_error("not in my house");
    state.told = blob;
    host.write(conn, "thawed " + std::to_string(version) + " ");
    return true;
  }
  drover::Host host;
};

class MovingTest : public testing::Test {
 protected:
  // The connection's handle in to_.
  std::optional<drover_conn> move(std::string_view told) {
    from_.feed(conn_, told);
    auto frozen = from_.freeze(conn_);
    return frozen ? to_.thaw(std::move(*frozen)) : std::nullopt;
  }

  const ModuleTable table_ = drover::detail::make_module<Moving>("moving");
  Host from_{table_};
  Host to_{table_};
  const drover_conn conn_ = from_.accept("192.0.2.9:77");
};

TEST_F(MovingTest, AsksAgainWithRoomForALargeBlob) {
  const std::string large(100'000, 'l');
  const drover_conn moved = move(large).value();

  to_.pass(std::chrono::seconds(5));

  EXPECT_EQ(to_.read(moved), "thawed 7 rang " + large);
}

TEST_F(MovingTest, TakesAlongWhatWasNotConsumedWhatWasNotSentAndWhoItIs) {
  from_.set_deaf(conn_, true);
  from_.feed(conn_, "say");
  const drover_conn moved = move("part of a ").value();

  to_.set_deaf(moved, false);
  EXPECT_EQ(to_.read(moved), "said to 192.0.2.9:77, thawed 7 ");
  to_.feed(moved, "whole");
  to_.pass(std::chrono::seconds(5));
  EXPECT_EQ(to_.read(moved), "rang part of a whole");
  to_.feed(moved, "say");
  EXPECT_EQ(to_.read(moved), "said to 192.0.2.9:77, ");
}

TEST_F(MovingTest, LeavesAConnectionThatWantsToTakeTooMuchAlong) {
  EXPECT_EQ(move(std::string(DROVER_MOST_FROZEN + 1, 'l')), std::nullopt);

  EXPECT_EQ(from_.closed(conn_), std::nullopt);
}

TEST_F(MovingTest, TakesTheTimerAlongWithTheTimeThatIsLeft) {
  from_.feed(conn_, "x");
  from_.pass(std::chrono::seconds(3));
  auto frozen = from_.freeze(conn_);
  to_.pass(std::chrono::minutes(1));
  const drover_conn moved = to_.thaw(std::move(*frozen)).value();
  EXPECT_EQ(to_.read(moved), "thawed 7 ");

  to_.pass(std::chrono::milliseconds(1'999));
  EXPECT_EQ(to_.read(moved), "");
  to_.pass(std::chrono::milliseconds(1));
  EXPECT_EQ(to_.read(moved), "rang x");
  from_.pass(std::chrono::minutes(1));
  EXPECT_EQ(from_.stale_calls(), 0) << "it rang here, too";
}

TEST_F(MovingTest, TakesThePauseAlong) {
  const drover_conn moved = move("pause").value();

  EXPECT_TRUE(to_.is_paused(moved));
}

TEST_F(MovingTest, BuildsAndDestroysTheStateOnEachSide) {
  EXPECT_EQ(states, 1);
  const drover_conn moved = move("x").value();
  EXPECT_EQ(states, 1);
  EXPECT_EQ(from_.closed(conn_), DROVER_MOVED);
  EXPECT_EQ(from_.live(), 0U);

  to_.reset(moved);
  EXPECT_EQ(states, 0);
}

TEST_F(MovingTest, StaysWhenFreezeThrows) {
  EXPECT_EQ(move("throw here"), std::nullopt);

  EXPECT_EQ(from_.closed(conn_), std::nullopt);
  EXPECT_EQ(from_.log().back().text, "exception: not for the world");
}

TEST_F(MovingTest, IsResetWhenThawThrows) {
  EXPECT_EQ(move("throw there"), std::nullopt);

  EXPECT_EQ(to_.live(), 0U);
  EXPECT_EQ(states, 0);
  EXPECT_EQ(to_.log().back().text, "exception: not in my house");
}

TEST_F(MovingTest, IsToldWhenItsNewWorkerDrains) {
  to_.drain();

  EXPECT_EQ(to_.read(move("x").value()), "thawed 7 drains");
}

TEST_F(MovingTest, DoesNotMoveOnceItHasEnded) {
  from_.reset(conn_);

  EXPECT_FALSE(from_.freeze(conn_).has_value());
}

struct Staying {
  explicit Staying(drover::Host /*host*/) {}
  void on_open(drover_conn /*conn*/) {}
};

TEST(Moving, OfAModuleThatCannotLeavesTheConnectionWhereItIs) {
  const ModuleTable table = drover::detail::make_module<Staying>("staying");
  Host host(table);
  const drover_conn conn = host.accept();

  EXPECT_FALSE(host.freeze(conn).has_value());
  EXPECT_EQ(table.thaw, nullptr);
  EXPECT_EQ(host.live(), 1U);
}

}  // namespace
}  // namespace drover::testkit
