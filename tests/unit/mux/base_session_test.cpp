// What the base does for a protocol that has no windows. The one here has no frames: its input is
// payload of stream 1, and "." its end.
#include "modules/mux/base_session.h"

#include <gmock/gmock.h>

#include "tests/unit/mux/recorder.h"

namespace mux::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class PlainSession final : public BaseSession {
 public:
  PlainSession(const Limits& limits, Worker& worker, Listener& listener, bool is_done_when_drained)
      : BaseSession({.first_own_id = 2,
                     .last_own_id = 6,
                     .has_windows = false,
                     .is_done_when_drained = is_done_when_drained},
                    limits, worker, listener, Time{0}) {}

 private:
  void parse(std::string_view bytes) override {
    Stream* stream = find(1);
    if (!stream) stream = admit(1);
    if (!stream) return;
    if (bytes == ".") return peer_ended(*stream);
    deliver(*stream, bytes);
  }
  void append_turn(Stream&, std::string_view payload, bool ends, std::string& out) override {
    out.append(payload).append(ends ? "." : "");
  }
  void announce(Stream&) override {}
  void abort(Stream&) override { control("!"); }
  [[nodiscard]] bool must_speak() const override { return false; }
};

class BaseSessionTest : public ::testing::Test {
 protected:
  void TearDown() override {
    session_.reset();
    EXPECT_EQ(worker_.memory_used, 0U);
  }
  PlainSession& session(bool is_done_when_drained = true) {
    if (!session_)
      session_ = std::make_unique<PlainSession>(limits_, worker_, owner_, is_done_when_drained);
    return *session_;
  }
  void receive(std::size_t size_bytes) { session().receive(std::string(size_bytes, 'x'), now_); }
  void consume(std::size_t size_bytes) {
    session().consumed(*owner_.streams.at(1), size_bytes, now_);
  }
  std::string sent() {
    std::string out;
    session().send(out, 1 << 20, now_);
    return out;
  }

  Limits limits_;
  Worker worker_;
  Recorder owner_;
  Time now_{0};

 private:
  std::unique_ptr<PlainSession> session_;
};

TEST_F(BaseSessionTest, ReadsNoMoreAtItsMostInputUntilHalfIsConsumed) {
  limits_.max_session_input = 1000;
  receive(999);
  EXPECT_TRUE(session().reads());
  receive(1);
  EXPECT_FALSE(session().reads());
  consume(499);
  EXPECT_FALSE(session().reads());
  consume(1);
  EXPECT_TRUE(session().reads());
}

TEST_F(BaseSessionTest, ReadsAgainWhenTheStreamIsClosed) {
  limits_.max_session_input = 1000;
  receive(1000);
  session().close(*owner_.streams.at(1), true, now_);
  EXPECT_TRUE(session().reads());
}

// Its owner's consumed() must be able to end the wait: another session's would wake nobody here.
TEST_F(BaseSessionTest, WaitsForTheWorkersMemoryOnlyWithInputOfItsOwn) {
  worker_.memory_used = worker_.memory_limit;
  EXPECT_TRUE(session().reads());
  receive(10);
  EXPECT_FALSE(session().reads());
  consume(10);
  EXPECT_TRUE(session().reads());
  worker_.memory_used = 0;
}

TEST_F(BaseSessionTest, ForgetsAStreamThatItBreaksOff) {
  receive(10);
  session().write(*owner_.streams.at(1), "unsent");
  session().close(*owner_.streams.at(1), false, now_);
  EXPECT_EQ(sent(), "!");
  EXPECT_EQ(session().streams(), 0U);
  EXPECT_EQ(worker_.memory_used, 0U);
}

TEST_F(BaseSessionTest, ForgetsAStreamWhosePeerNeverEnds) {
  receive(10);
  session().close(*owner_.streams.at(1), true, now_);
  EXPECT_EQ(sent(), ".");
  now_ = *session().wake_at() + limits_.half_closed_linger;
  session().wake(now_);
  EXPECT_EQ(session().streams(), 0U);
}

TEST_F(BaseSessionTest, SendsTheEndTogetherWithTheLastByte) {
  receive(1);
  session().write(*owner_.streams.at(1), std::string(kLargestDataFrame + 1, 'x'));
  session().end(*owner_.streams.at(1));
  const std::string out = sent();
  EXPECT_EQ(out.size(), kLargestDataFrame + 2);
  EXPECT_EQ(out.find('.'), out.size() - 1);
}

TEST_F(BaseSessionTest, UsesUpItsNumbers) {
  EXPECT_EQ(session().open(now_)->id, 2U);
  EXPECT_EQ(session().open(now_)->id, 4U);
  EXPECT_EQ(session().open(now_)->id, 6U);
  EXPECT_EQ(session().open(now_), nullptr);
}

TEST_F(BaseSessionTest, OpensNoMoreThanItsMost) {
  limits_.max_streams = 1;
  EXPECT_NE(session().open(now_), nullptr);
  EXPECT_EQ(session().open(now_), nullptr);
}

TEST_F(BaseSessionTest, IsServedUntilTheCutWhereThereIsNoWordForADrain) {
  session(false).drain(now_);
  EXPECT_EQ(session().ending(), Ending::kNone);
  receive(1);
  EXPECT_THAT(owner_.taken(), ElementsAre("opened 1", "data 1 1"));
  session().cut(now_);
  EXPECT_THAT(owner_.taken(), ElementsAre("broken 1"));
  EXPECT_EQ(session().ending(), Ending::kDone);
}

TEST_F(BaseSessionTest, IsNotSilentWhereNothingNeedsToBeSaid) {
  receive(1);
  now_ += 10 * limits_.silence;
  session().wake(now_);
  EXPECT_EQ(session().ending(), Ending::kNone);
}

}  // namespace
}  // namespace mux::testing
