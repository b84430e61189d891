// The ring of a worker, in the test kit: one worker, its own ring and doorbell.
#include <gtest/gtest.h>

#include "modules/sdk/testkit/testkit.hpp"

namespace drover::testkit {
namespace {

class FanoutModule : public testing::Test {
 protected:
  const Host::Zones zones_{{"fanout", std::make_shared<Host::Zone>(std::size_t{1} << 20)}};
  Host host_{load(DROVER_BUILD_DIR "/test-modules/fanout.so"), Host::Settings{}, zones_};
  const drover_conn speaker_ = host_.accept();
  const drover_conn listener_ = host_.accept();
};

TEST_F(FanoutModule, TellsEachLineToAllHoweverItIsSplit) {
  const std::string lines = "one\ntwo\nthree\n";
  for (std::size_t size = 1; size <= lines.size(); ++size) {
    host_.feed_in_pieces(speaker_, lines, size);
    host_.ring();
    EXPECT_EQ(host_.read(speaker_), lines) << size;
    EXPECT_EQ(host_.read(listener_), lines) << size;
  }
}

TEST_F(FanoutModule, RingsForWhatItHasPutIntoTheRing) {
  host_.feed(speaker_, "look\n");
  EXPECT_EQ(host_.rung(), std::vector<std::uint32_t>{0});
  EXPECT_EQ(host_.read(listener_), "");

  host_.pass(std::chrono::milliseconds(60));

  EXPECT_EQ(host_.read(listener_), "look\n") << "found without a doorbell, by the timer";
}

TEST_F(FanoutModule, DropsAndCountsWhatFindsNoRoom) {
  const std::string line = std::string(1000, 'x') + "\n";
  for (int i = 0; i < 100; ++i) host_.feed(speaker_, line);
  host_.feed(listener_, "dropped\n");
  const int dropped = std::stoi(host_.read(listener_));
  EXPECT_GT(dropped, 0);

  host_.ring();

  EXPECT_EQ(host_.read(listener_).size(), line.size() * (100 - static_cast<std::size_t>(dropped)));
}

TEST_F(FanoutModule, TellsALateComerNothingOfBefore) {
  host_.feed(speaker_, "before\n");
  const drover_conn late = host_.accept();
  host_.feed(speaker_, "after\n");
  host_.ring();

  EXPECT_EQ(host_.read(late), "after\n");
}

}  // namespace
}  // namespace drover::testkit
