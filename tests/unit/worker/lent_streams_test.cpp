// What streams do with input that is lent to them.
#include <gtest/gtest.h>

#include <utility>

#include "tests/unit/worker/lent_rig.h"

namespace drover {
namespace {

class LentStreamsTest : public LentInputTest {};

TEST_F(LentStreamsTest, MayBeWrittenFromWhereItLies) {
  const drover_conn stream = open_and_wait();
  std::string written;
  written_ = [&](std::string_view bytes) { written += bytes; };
  std::string expected;
  own_[stream] = [&](std::string_view bytes) {
    for (int i = 0; i < 200; ++i) {
      for (const std::string_view part :
           {bytes.substr(0, 1), std::string_view("-"), bytes.substr(2)})
        module_.write(stream, part);
      expected += "a-c";
    }
    return bytes.size();
  };

  carry("abc", [&](std::string_view bytes) { give(stream, bytes); });

  EXPECT_EQ(written, expected);
}

// Of two streams whose carrier gives each what the other writes, nobody else would ever have a
// turn.
TEST_F(LentStreamsTest, EndsWhenStreamsGiveItToEachOther) {
  const drover_conn one = open_and_wait();
  const drover_conn two = open_and_wait();
  drover_conn writer = 0;
  std::size_t hops = 0;
  written_ = [&](std::string_view bytes) { give(writer == one ? two : one, bytes); };
  for (const drover_conn stream : {one, two}) {
    own_[stream] = [&, stream](std::string_view bytes) {
      writer = stream;
      if (++hops < 100'000) module_.write(stream, bytes);
      return bytes.size();
    };
  }

  const std::uint64_t before = seat_.turns.load();
  carry("x", [&](std::string_view bytes) { give(one, bytes); });
  while (hops < 100'000) turn();

  EXPECT_GT(seat_.turns.load() - before, 3U);
}

TEST_F(LentStreamsTest, IsInput) {
  settings_.idle_timeout = Millis{10'000};
  client_ = connect();
  carrier_ = module_.opened.back();
  const drover_conn stream = open_and_wait();

  pass(Millis{9'000});
  carry("x", [&](std::string_view bytes) { give(stream, bytes); });
  pass(Millis{9'000});

  EXPECT_NE(find(stream), nullptr);
  pass(Millis{2'000});
  EXPECT_EQ(find(stream), nullptr);
}

TEST_F(LentStreamsTest, OfACarrierThatFailsIsDropped) {
  const drover_conn stream = open_and_wait();
  drover_conn late = 0;
  module_.data = [&](drover_conn conn, std::string_view bytes) -> std::int64_t {
    EXPECT_EQ(conn, carrier_);
    give(stream, bytes);
    late = open(carrier_);
    give(late, bytes);
    return 1'000;
  };

  send(client_, "abc");
  turns(2);

  EXPECT_EQ(used_, 0U);
  EXPECT_EQ(module_.opened.size(), 2U) << "the last is not opened any more";
  EXPECT_EQ(find(stream), nullptr);
  EXPECT_EQ(find(late), nullptr);
}

TEST_F(LentStreamsTest, ComesBeforeTheEndAlsoWhenItIsOfferedAgain) {
  const drover_conn stream = open_and_wait();
  own_[stream] = [](std::string_view bytes) { return bytes.size() < 4 ? 0 : bytes.size(); };

  carry("abcd", [&](std::string_view bytes) {
    give(stream, bytes.substr(0, 2));
    give(stream, bytes.substr(2));
    module_.host->child_end(module_.context, stream);
  });
  turns(2);

  EXPECT_EQ(all_of(stream), "ab|abcd|<end>|");
  EXPECT_EQ(used_, 4U);
}

TEST_F(LentStreamsTest, MayCloseItsCarrier) {
  const drover_conn stream = open_and_wait();
  own_[stream] = [&](std::string_view bytes) {
    module_.host->close(module_.context, carrier_);
    return bytes.size();
  };

  carry("a" + large('b'), [&](std::string_view bytes) {
    give(stream, bytes.substr(0, 1));
    give(stream, bytes.substr(1));
  });
  EXPECT_EQ(all_of(stream), "a|" + large('b') + "|");
  client_.reset();
  turns(3);

  EXPECT_EQ(find(stream), nullptr);
  EXPECT_EQ(find(carrier_), nullptr);
}

TEST_F(LentStreamsTest, OpensAStreamThatHasJustBegun) {
  drover_conn stream = 0;
  const char* at = nullptr;

  carry("hello", [&](std::string_view bytes) {
    at = bytes.data();
    stream = open(carrier_);
    give(stream, bytes);
    EXPECT_EQ(module_.opened.size(), 1U) << "on_open is not called inside";
  });

  EXPECT_EQ(module_.opened.size(), 2U);
  EXPECT_EQ(all_of(stream), "hello|");
  EXPECT_EQ(offered_[stream][0].at, at);
}

TEST_F(LentStreamsTest, WaitsForAStreamThatIsPausedAndTheEndBehindIt) {
  const drover_conn stream = open_and_wait();
  module_.host->pause_reading(module_.context, stream);

  carry("onetwo", [&](std::string_view bytes) {
    give(stream, bytes.substr(0, 3));
    give(stream, bytes.substr(3));
    module_.host->child_end(module_.context, stream);
  });
  carry("overwritten", [](std::string_view) {});
  EXPECT_EQ(all_of(stream), "");
  EXPECT_EQ(used_, 0U);
  EXPECT_EQ(find(stream)->stream()->waiting(), 6U);

  module_.host->resume_reading(module_.context, stream);
  turns(3);

  EXPECT_EQ(all_of(stream), "onetwo|<end>|");
  EXPECT_EQ(used_, 6U);
}

TEST_F(LentStreamsTest, OfAStreamThatPausesItselfWaitsFromThereOn) {
  const drover_conn stream = open_and_wait();
  own_[stream] = [&](std::string_view bytes) {
    module_.host->pause_reading(module_.context, stream);
    return bytes.size();
  };

  carry("ab", [&](std::string_view bytes) {
    give(stream, bytes.substr(0, 1));
    give(stream, bytes.substr(1));
  });

  EXPECT_EQ(all_of(stream), "a|");
  module_.host->resume_reading(module_.context, stream);
  turns(2);
  EXPECT_EQ(all_of(stream), "a|b|");
}

TEST_F(LentStreamsTest, IsOfferedAgainWithWhatFollowsWhenItIsNotConsumed) {
  const drover_conn stream = open_and_wait();
  own_[stream] = [](std::string_view bytes) { return bytes.size() < 4 ? 0 : bytes.size(); };

  carry("ab" + large('c'), [&](std::string_view bytes) {
    give(stream, bytes.substr(0, 2));
    give(stream, bytes.substr(2));
  });

  EXPECT_EQ(all_of(stream), "ab|ab" + large('c') + "|");
  EXPECT_EQ(used_, 1026U);
}

TEST_F(LentStreamsTest, WaitsInItsOrderForAStreamThatIsResumedMeanwhile) {
  const drover_conn one = open_and_wait();
  const drover_conn two = open_and_wait();
  module_.host->pause_reading(module_.context, one);
  own_[two] = [&](std::string_view bytes) {
    module_.host->resume_reading(module_.context, one);
    return bytes.size();
  };

  carry("12" + large('3'), [&](std::string_view bytes) {
    give(one, bytes.substr(0, 1));
    give(two, bytes.substr(1, 1));
    give(one, bytes.substr(2));
  });
  turns(2);

  EXPECT_EQ(all_of(one), "1" + large('3') + "|");
}

TEST_F(LentStreamsTest, OfAStreamThatIsBrokenOffIsDropped) {
  const drover_conn stream = open_and_wait();

  carry("lost", [&](std::string_view bytes) {
    give(stream, bytes);
    module_.host->child_reset(module_.context, stream);
  });

  EXPECT_EQ(all_of(stream), "");
  EXPECT_EQ(module_.closed, std::vector{DROVER_RESET});
  EXPECT_EQ(find(stream), nullptr);
}

TEST_F(LentStreamsTest, OfAStreamThatHasClosedIsDropped) {
  const drover_conn stream = open_and_wait();
  own_[stream] = [&](std::string_view bytes) {
    module_.host->close(module_.context, stream);
    return bytes.size();
  };

  carry("ab", [&](std::string_view bytes) {
    give(stream, bytes.substr(0, 1));
    give(stream, bytes.substr(1));
  });
  turns(2);

  EXPECT_EQ(all_of(stream), "a|");
  EXPECT_EQ(used_, 2U) << "what is discarded is used";
  EXPECT_EQ(find(stream)->stream()->waiting(), 0U);
}

TEST_F(LentStreamsTest, IsLentOnByAStreamThatCarriesStreams) {
  const drover_conn outer = open_and_wait();
  const drover_conn other = open_and_wait();
  drover_conn inner = 0;
  const char* at = nullptr;
  bool is_outer_running = false;
  own_[outer] = [&](std::string_view bytes) {
    is_outer_running = true;
    if (inner == 0) inner = open(outer);
    give(inner, bytes.substr(1));
    is_outer_running = false;
    return bytes.size();
  };
  own_[other] = [&](std::string_view bytes) {
    EXPECT_FALSE(is_outer_running);
    return bytes.size();
  };

  carry("abc", [&](std::string_view bytes) {
    at = bytes.data();
    give(outer, bytes.substr(0, 2));
    give(other, bytes.substr(2));
  });

  EXPECT_EQ(all_of(inner), "b|");
  EXPECT_EQ(offered_[inner][0].at, at + 1);
  EXPECT_EQ(all_of(other), "c|");
}

TEST_F(LentStreamsTest, LeavesTheCarrierWhatItHasNotConsumed) {
  const drover_conn stream = open_and_wait();
  std::string seen;
  module_.data = [&](drover_conn conn, std::string_view bytes) -> std::int64_t {
    if (conn != carrier_) return static_cast<std::int64_t>(bytes.size());
    seen += std::string(bytes) + "|";
    give(stream, bytes.substr(0, 1));
    return 1;
  };

  send(client_, "xyz");
  turn();
  send(client_, "!");
  turn();

  EXPECT_EQ(seen, "xyz|yz!|");
}

}  // namespace
}  // namespace drover
