// The beginning of a drain: what was on its way when the peer was told, or could not be told, is
// still served.
#include <gmock/gmock.h>

#include "modules/mux/wire/xsmux.h"
#include "tests/unit/mux/recorder.h"

namespace mux::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class YamuxGrace : public YamuxTest {
 protected:
  YamuxGrace() { limits.drain_grace = Time{100}; }
  void pass(Time span) {
    now += span;
    if (session().wake_at() && *session().wake_at() <= now) session().wake(now);
  }
};

TEST_F(YamuxGrace, SaysAtOnceThatNoMoreIsTaken) {
  session().drain(now);

  EXPECT_THAT(sent(), ElementsAre("go away 0"));
  EXPECT_EQ(session().ending(), Ending::kNone);
}

TEST_F(YamuxGrace, ServesWhatWasOnItsWayAndNothingLater) {
  opened(1);
  session().drain(now);
  EXPECT_THAT(sent(), ElementsAre("go away 0"));
  now += Time{99};
  receive(update(yamux::kSyn, 3));
  EXPECT_THAT(sent(), ElementsAre("update ACK 3 +0"));
  EXPECT_EQ(worker.counts.streams_refused, 0U);

  now += Time{1};
  receive(update(yamux::kSyn, 5));

  EXPECT_THAT(sent(), ElementsAre("update RST 5 +0"));
  EXPECT_EQ(worker.counts.streams_refused, 1U);
}

TEST_F(YamuxGrace, KeepsASessionWithoutStreamsForAsLong) {
  session().drain(now);
  EXPECT_LE(*session().wake_at(), now + Time{100});
  pass(Time{99});
  EXPECT_EQ(session().ending(), Ending::kNone);

  pass(Time{1});

  EXPECT_EQ(session().ending(), Ending::kDone);
}

TEST_F(YamuxGrace, KeepsASessionWhoseLastStreamHasEnded) {
  opened(1);
  session().drain(now);
  pass(Time{50});
  session().close(stream(1), false, now);
  EXPECT_EQ(session().ending(), Ending::kNone);
  receive(update(yamux::kSyn, 3));
  pass(Time{50});
  EXPECT_EQ(session().ending(), Ending::kNone) << "it has a stream";

  session().close(stream(3), false, now);

  EXPECT_EQ(session().ending(), Ending::kDone);
}

TEST_F(YamuxGrace, IsNoneForAPeerThatSaysNothingMore) {
  session().input_ended();
  session().drain(now);

  EXPECT_EQ(session().ending(), Ending::kDone);
}

TEST_F(YamuxGrace, IsNoneWhenTheSessionIsCut) {
  opened(1);
  session().drain(now);
  session().cut(now);

  EXPECT_EQ(session().ending(), Ending::kDone);
  EXPECT_THAT(sent(), ElementsAre("go away 0", "update RST 1 +0"));
}

// There is no word for a drain: the request may be on its way while the last answer leaves.
TEST(XsmuxGrace, ServesWhatComesBehindTheLastStream) {
  Limits limits;
  limits.drain_grace = Time{100};
  Worker worker;
  Recorder owner;
  Time now{1'000};
  const auto session = make_session(Protocol::kXsmux1, Role::kServer, limits, worker, owner, now);
  const auto syn = [](std::uint32_t id) {
    std::string bytes;
    xsmux::append_head(bytes, {.version = 1, .command = xsmux::Command::kSyn, .id = id});
    return bytes;
  };
  const auto finish = [&](std::uint32_t id) {
    session->close(*owner.streams.at(id), true, now);
    std::string out;
    session->send(out, 1'000, now);
  };
  session->receive(syn(3), now);
  session->drain(now);
  finish(3);
  EXPECT_EQ(session->ending(), Ending::kNone);

  session->receive(syn(5), now);

  EXPECT_THAT(owner.taken(), ElementsAre("opened 3", "opened 5"));
  now += Time{100};
  session->wake(now);
  EXPECT_EQ(session->ending(), Ending::kNone);
  finish(5);
  EXPECT_EQ(session->ending(), Ending::kDone);
}

}  // namespace
}  // namespace mux::testing
