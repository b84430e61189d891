// What a hostile or slow peer may have of us.
#include <gmock/gmock.h>
#include <malloc.h>

#include "tests/support/sanitizer.h"
#include "tests/unit/mux/recorder.h"

namespace mux::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class YamuxLimits : public YamuxTest {
 protected:
  // Streams 1, 3, 5 ...
  void open_many(std::uint32_t count) {
    for (std::uint32_t i = 0; i < count; ++i) receive(update(yamux::kSyn, 2 * i + 1));
  }
  // What is written to it afterwards cannot leave.
  void use_up_the_window(Stream& stream) {
    for (std::size_t left = kFirstWindow; left > 0; output())
      left -= session().write(stream, std::string(left, 'x'));
  }
};

TEST_F(YamuxLimits, RefuseStreamsBeyondTheMost) {
  limits.max_streams = 3;
  open_many(5);
  EXPECT_EQ(session().streams(), 3U);
  EXPECT_EQ(worker.counts.streams_refused, 2U);
  EXPECT_THAT(sent(), ElementsAre("update ACK 1 +0", "update ACK 3 +0", "update ACK 5 +0",
                                  "update RST 7 +0", "update RST 9 +0"));
}

TEST_F(YamuxLimits, MakeRoomForAStreamWhenOneHasGone) {
  limits.max_streams = 1;
  session().close(opened(1), false, now);
  output();
  receive(update(yamux::kSyn, 3));
  EXPECT_THAT(sent(), ElementsAre("update ACK 3 +0"));
}

TEST_F(YamuxLimits, RefuseStreamsThatComeTooFast) {
  limits.opens_per_second = 10;
  session();
  open_many(12);
  EXPECT_EQ(session().streams(), 10U);
  EXPECT_EQ(worker.counts.streams_over_rate, 2U);
  now += Time{100};
  receive(update(yamux::kSyn, 101) + update(yamux::kSyn, 103));
  EXPECT_EQ(session().streams(), 11U);
  EXPECT_EQ(worker.counts.streams_over_rate, 3U);
  now += Time{3'600'000};
  for (std::uint32_t i = 0; i < 12; ++i) receive(update(yamux::kSyn, 201 + 2 * i));
  EXPECT_EQ(session().streams(), 21U);
}

// A peer that opens and never reads our refusals.
TEST_F(YamuxLimits, StopReadingWhenAFloodOfOpeningsIsNotRead) {
  limits.max_streams = 0;
  std::uint32_t opened = 0;
  while (session().reads() && opened < 100'000) receive(update(yamux::kSyn, 2 * opened++ + 1));
  EXPECT_LT(opened, 6'000U);
  EXPECT_EQ(sent().size(), opened);
  EXPECT_TRUE(session().reads());
}

TEST_F(YamuxLimits, AnswerAFloodOfPingsWithTheLastFew) {
  for (std::uint32_t i = 0; i < 10'000; ++i) receive(ping(yamux::kSyn, i));
  const Words words = sent();
  EXPECT_EQ(words.size(), 16U);
  EXPECT_EQ(words.front(), "ping ACK 9984");
  EXPECT_EQ(words.back(), "ping ACK 9999");
  EXPECT_EQ(worker.counts.pings, 10'000U);
}

TEST_F(YamuxLimits, MergePingsThatAskTheSame) {
  receive(ping(yamux::kSyn, 7) + ping(yamux::kSyn, 7) + ping(yamux::kAck, 8));
  EXPECT_THAT(sent(), ElementsAre("ping ACK 7"));
}

TEST_F(YamuxLimits, BreakOffTheStreamThatOverrunsItsSession) {
  limits.max_session_input = 300'000;
  opened(1);
  opened(3);
  receive(data(0, 1, std::string(200'000, 'x')));
  receive(data(0, 3, std::string(100'000, 'x')));
  EXPECT_EQ(worker.memory_used, 300'000U);
  owner.taken();
  receive(data(0, 3, "x"));
  EXPECT_THAT(owner.taken(), ElementsAre("broken 3"));
  EXPECT_THAT(sent(), ElementsAre("update RST 3 +0"));
  EXPECT_EQ(worker.counts.streams_over_memory, 1U);
  EXPECT_EQ(worker.memory_used, 200'000U);
  EXPECT_TRUE(session().reads());
}

TEST_F(YamuxLimits, BreakOffTheStreamThatOverrunsTheWorker) {
  worker.memory_limit = 100'000;
  opened(1);
  worker.memory_used += 900;  // another session's
  receive(data(0, 1, std::string(99'000, 'x')));
  owner.taken();
  receive(data(0, 1, std::string(101, 'x')) + ping(yamux::kSyn, 7));
  EXPECT_THAT(owner.taken(), ElementsAre("broken 1"));
  EXPECT_THAT(sent(), ElementsAre("ping ACK 7", "update RST 1 +0"));
  EXPECT_EQ(worker.memory_used, 900U);
  worker.memory_used -= 900;
}

TEST_F(YamuxLimits, BreakOffNoStreamOfASessionThatUsesLittleOfAFullWorker) {
  worker.memory_limit = 100'000;
  Recorder greedy_owner;
  const auto greedy = make_session(Protocol::kYamux, role, limits, worker, greedy_owner, now);
  greedy->receive(update(yamux::kSyn, 1) + data(0, 1, std::string(100'000, 'x')), now);
  opened(1);
  receive(data(0, 1, std::string(kModestInput, 'x')));
  EXPECT_EQ(owner.taken(), Words{"data 1 65536"});
  greedy_owner.taken();

  greedy->receive(data(0, 1, "x"), now);
  receive(data(0, 1, "x"));

  EXPECT_EQ(greedy_owner.taken(), Words{"broken 1"});
  EXPECT_EQ(owner.taken(), Words{"data 1 1"});
}

TEST_F(YamuxLimits, TakeOutputOfAStreamUpToItsMost) {
  limits.max_stream_output = 1000;
  Stream& stream = opened(1);
  EXPECT_EQ(session().write(stream, std::string(1500, 'x')), 1000U);
  EXPECT_EQ(session().write(stream, "x"), 0U);
  EXPECT_EQ(worker.memory_used, 1000U);
  output();
  EXPECT_THAT(owner.taken(), ElementsAre("writable 1"));
  EXPECT_EQ(worker.memory_used, 0U);
}

TEST_F(YamuxLimits, LeaveABufferToTheNextWithMuchToSend) {
  session().write(opened(1), std::string(64 << 10, 'x'));
  output();
  EXPECT_GE(worker.spare_buffer.capacity(), 64U << 10);
  EXPECT_EQ(stream(1).pending.capacity(), std::string().capacity()) << "an idle stream has none";

  const char* const spare = worker.spare_buffer.data();
  session().write(opened(3), std::string(20'000, 'y'));
  EXPECT_EQ(stream(3).pending.data(), spare);
  EXPECT_EQ(stream(3).pending, std::string(20'000, 'y'));
  session().write(stream(1), std::string(20'000, 'x'));
  output();
  EXPECT_EQ(worker.spare_buffer.data(), spare) << "the largest stays";
}

TEST_F(YamuxLimits, KeepNoBufferThatIsSmallOrHuge) {
  limits.max_stream_output = 1 << 20;
  session().write(opened(1), "small");
  output();
  EXPECT_EQ(worker.spare_buffer.capacity(), std::string().capacity());

  Stream& stream = opened(3);
  stream.allowed = 1 << 20;
  session().write(stream, std::string(1 << 20, 'x'));
  output();
  EXPECT_LE(worker.spare_buffer.capacity(), 256U << 10);
}

// memory_used counts what waits: the buffers are to be of that order.
TEST_F(YamuxLimits, KeepNoLargeBufferForLittleThatWaitsForTheWindow) {
  limits.max_stream_output = 256 << 10;
  Stream& stream = opened(1);
  for (const std::size_t waits : {40'000U, 1'000U, 1U}) {
    session().write(stream, std::string(100'000, 'x'));
    stream.allowed = stream.sent + 100'000 - waits;
    receive(update(0, 1));
    output();
    ASSERT_EQ(stream.pending_size(), waits);
    EXPECT_LE(stream.pending.capacity(), 4 * std::max(waits, std::size_t{1024}));
    stream.allowed += waits;
    receive(update(0, 1));
    output();
  }
}

TEST_F(YamuxLimits, LeaveALargeBufferToWhoFillsAQuarterOfIt) {
  limits.max_stream_output = 256 << 10;
  session().write(opened(1), std::string(200 << 10, 'x'));
  output();
  const std::size_t large = worker.spare_buffer.capacity();
  ASSERT_GE(large, 200U << 10);

  session().write(opened(3), std::string(20'000, 'y'));

  EXPECT_LE(stream(3).pending.capacity(), 80'000U);
  EXPECT_EQ(worker.spare_buffer.capacity(), large);
}

TEST_F(YamuxLimits, SayWritableWhenHalfHasLeft) {
  limits.max_stream_output = 64 << 10;
  Stream& stream = opened(1);
  session().write(stream, std::string(100'000, 'x'));
  output(1);
  EXPECT_THAT(owner.taken(), IsEmpty());
  output(1);
  EXPECT_THAT(owner.taken(), ElementsAre("writable 1"));
}

TEST_F(YamuxLimits, TakeOutputOfASessionUpToItsMost) {
  limits.max_session_output = 100'000;
  opened(1);
  opened(3);
  EXPECT_EQ(session().write(stream(1), std::string(60'000, 'x')), 60'000U);
  EXPECT_EQ(session().write(stream(3), std::string(60'000, 'x')), 40'000U);
  receive(update(yamux::kSyn, 5));
  EXPECT_EQ(session().write(stream(5), "x"), 0U);
  owner.taken();
  output();
  EXPECT_THAT(owner.taken(), ::testing::UnorderedElementsAre("writable 3", "writable 5"));
}

TEST_F(YamuxLimits, TellThoseWhoWaitForRoomWhatOthersCannotSend) {
  limits.max_session_output = 100'000;
  limits.max_stream_output = 1 << 20;
  use_up_the_window(opened(1));
  receive(update(yamux::kSyn, 3) + update(yamux::kSyn, 5));
  EXPECT_EQ(session().write(stream(1), std::string(60'000, 'x')), 60'000U);
  EXPECT_EQ(session().write(stream(3), std::string(60'000, 'x')), 40'000U);
  EXPECT_EQ(session().write(stream(5), "x"), 0U);
  owner.taken();
  output();
  EXPECT_THAT(owner.taken(), ::testing::UnorderedElementsAre("writable 3", "writable 5"));
}

TEST_F(YamuxLimits, RememberNoneOfThoseWhoWaitedAndLeft) {
  limits.max_session_output = 1'000;
  use_up_the_window(opened(1));
  session().write(stream(1), std::string(1'000, 'x'));
  const auto before = static_cast<std::int64_t>(mallinfo2().uordblks);
  for (std::uint32_t id = 3; id < 200'003; id += 2) {
    ASSERT_EQ(session().write(opened(id), "x"), 0U);
    receive(update(yamux::kRst, id));
    owner.streams.erase(id);
    owner.waiting.erase(id);
  }
  if (!drover::test::kUnderAsan) {
    EXPECT_LT(static_cast<std::int64_t>(mallinfo2().uordblks) - before, 100'000);
  }
}

// They are not what the peer asked for.
TEST_F(YamuxLimits, LetASessionSayHoweverManyFarewells) {
  constexpr std::uint32_t kStreams = 90'000;
  limits.max_streams = kStreams;
  for (std::uint32_t i = 0; i < kStreams; ++i) opened(2 * i + 1);
  for (std::uint32_t i = 0; i < kStreams; ++i) session().close(stream(2 * i + 1), false, now);
  EXPECT_EQ(session().ending(), Ending::kNone);
  EXPECT_EQ(sent().size(), kStreams);
}

TEST_F(YamuxLimits, EndASessionThatAsksForTooManyFarewellsAtOnce) {
  limits.max_streams = 0;
  std::string openings;
  for (std::uint32_t i = 0; i < 90'000; ++i) openings += update(yamux::kSyn, 2 * i + 1);
  receive(openings);
  EXPECT_EQ(session().ending(), Ending::kProtocolError);
}

// Else a session would wait for what only another's sending can give.
TEST_F(YamuxLimits, LetASessionSendAFrameEvenWhenTheWorkerIsFull) {
  worker.memory_used = worker.memory_limit;
  Stream& stream = opened(1);
  EXPECT_EQ(session().write(stream, std::string(20'000, 'x')), kLargestDataFrame);
  output();
  EXPECT_THAT(owner.taken(), ElementsAre("writable 1"));
  worker.memory_used = 0;
}

TEST_F(YamuxLimits, KeepTheStreamsThatCannotSendOutOfTheWay) {
  limits.max_stream_output = 1 << 20;
  session().write(opened(1), std::string(kFirstWindow + 1, 'x'));
  output();
  EXPECT_FALSE(session().has_output());
  session().write(opened(3), "x");
  EXPECT_THAT(sent(), ElementsAre("data 3 1"));
}

// With all that a carried connection needs it must stay below 1 KiB.
TEST_F(YamuxLimits, AHundredThousandIdleStreamsCostLittle) {
  constexpr std::uint32_t kStreams = 100'000;
  class Taker : public Listener {
   public:
    bool opened(Stream& stream) override { return (last = &stream) != nullptr; }
    void data(Stream&, std::string_view) override {}
    void ended(Stream&) override {}
    void broken(Stream&) override {}
    void writable(Stream&) override {}
    Stream* last = nullptr;
  } taker;
  limits.max_streams = kStreams;
  auto mine = make_session(Protocol::kYamux, Role::kServer, limits, worker, taker, now);
  const std::string answer(207, 'x');
  std::string out;
  const auto before = mallinfo2().uordblks;
  for (std::uint32_t i = 0; i < kStreams; ++i) {
    mine->receive(data(yamux::kSyn, 2 * i + 1, "request"), now);
    mine->consumed(*taker.last, 7, now);
    mine->write(*taker.last, answer);
    out.clear();
    mine->send(out, 1 << 20, now);
  }
  const auto bytes = (mallinfo2().uordblks - before) / kStreams;
  RecordProperty("bytes_per_stream", static_cast<int>(bytes));
  EXPECT_EQ(mine->streams(), kStreams);
  EXPECT_EQ(worker.memory_used, 0U);
  // Its malloc counts nothing here.
  if (!drover::test::kUnderAsan) {
    EXPECT_GT(bytes, 100U);
  }
  EXPECT_LT(bytes, 300U);
}

}  // namespace
}  // namespace mux::testing
