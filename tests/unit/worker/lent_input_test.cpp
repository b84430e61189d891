// What a carrier gives its streams of what it is just given: where it lies, and in which order.
#include "worker/lent_input.h"

#include <gtest/gtest.h>

#include <utility>

#include "tests/unit/worker/lent_rig.h"

namespace drover {
namespace {

TEST_F(LentInputTest, IsOfferedWhereItLiesWhenTheHookHasReturned) {
  const drover_conn one = open_and_wait();
  const drover_conn two = open_and_wait();
  const char* at = nullptr;

  carry("ab" + large('c'), [&](std::string_view bytes) {
    at = bytes.data();
    EXPECT_EQ(give(one, bytes.substr(0, 1)), 1U);
    EXPECT_EQ(give(two, bytes.substr(1, 1)), 1U);
    EXPECT_EQ(give(one, bytes.substr(2)), 1025U) << "all that waits";
  });

  EXPECT_EQ(all_of(one), "a|" + large('c') + "|");
  EXPECT_EQ(all_of(two), "b|");
  EXPECT_EQ(offered_[one][1].at, at + 2);
  EXPECT_FALSE(offered_[one][0].is_inside);
  EXPECT_EQ(used_, 1026U);
}

TEST_F(LentInputTest, OfManySmallPiecesIsTheFirst) {
  const drover_conn stream = open_and_wait();

  carry("abcd" + large('e'), [&](std::string_view bytes) {
    for (std::size_t i = 0; i < 4; ++i) give(stream, bytes.substr(i, 1));
    give(stream, bytes.substr(4));
  });

  EXPECT_EQ(all_of(stream), "a|bcd" + large('e') + "|") << "the rest is joined";
}

TEST_F(LentInputTest, StaysBeforeWhatIsGivenLater) {
  const drover_conn stream = open_and_wait();

  carry("13", [&](std::string_view bytes) {
    give(stream, bytes.substr(0, 1));
    give(stream, std::string("2"));
    give(stream, bytes.substr(1));
  });

  EXPECT_EQ(all_of(stream), "1|23|");
}

TEST_F(LentInputTest, StaysBeforeWhatIsGivenLaterAlsoWhenItMustWait) {
  const drover_conn stream = open_and_wait();
  module_.host->pause_reading(module_.context, stream);

  carry("1" + large('2'), [&](std::string_view bytes) {
    give(stream, bytes.substr(0, 1));
    give(stream, bytes.substr(1));
    give(stream, std::string("3"));
  });
  module_.host->resume_reading(module_.context, stream);
  carry("4", [&](std::string_view bytes) { give(stream, bytes); });
  turns(2);

  EXPECT_EQ(all_of(stream), "1" + large('2') + "3|4|");
  EXPECT_EQ(find(stream)->stream()->waiting(), 0U);
}

TEST_F(LentInputTest, StaysBeforeWhatIsGivenWhenABeginningIsUsed) {
  const drover_conn stream = open_and_wait();
  bool is_first = true;
  consumed_ = [&] {
    if (std::exchange(is_first, false)) give(stream, std::string("3"));
  };

  carry("1" + large('2'), [&](std::string_view bytes) {
    give(stream, bytes.substr(0, 1));
    give(stream, bytes.substr(1));
  });
  turns(2);

  EXPECT_EQ(all_of(stream), "1|" + large('2') + "|3|");
}

TEST_F(LentInputTest, StaysBeforeWhatIsGivenWhileTheStreamMustWait) {
  const drover_conn paused = open_and_wait();
  const drover_conn other = open_and_wait();
  module_.host->pause_reading(module_.context, paused);
  bool is_first = true;
  consumed_ = [&] {
    if (std::exchange(is_first, false)) give(paused, std::string("3"));
  };

  carry("1o" + large('2'), [&](std::string_view bytes) {
    give(paused, bytes.substr(0, 1));
    give(other, bytes.substr(1, 1));
    give(paused, bytes.substr(2));
  });
  module_.host->resume_reading(module_.context, paused);
  turns(2);

  EXPECT_EQ(all_of(paused), "1" + large('2') + "3|");
}

TEST_F(LentInputTest, StaysBeforeWhatAnotherStreamAnswers) {
  const drover_conn pausing = open_and_wait();
  const drover_conn answering = open_and_wait();
  own_[pausing] = [&](std::string_view bytes) {
    module_.host->pause_reading(module_.context, pausing);
    return bytes.size();
  };
  own_[answering] = [&](std::string_view bytes) {
    module_.write(answering, "4");
    return bytes.size();
  };
  written_ = [&](std::string_view bytes) { give(pausing, std::string(bytes)); };

  carry("1" + large('2') + "a" + large('3'), [&](std::string_view bytes) {
    const std::size_t size = large('2').size();
    give(pausing, bytes.substr(0, 1));
    give(pausing, bytes.substr(1, size));
    give(answering, bytes.substr(1 + size, 1));
    give(pausing, bytes.substr(2 + size));
  });
  own_.erase(pausing);
  module_.host->resume_reading(module_.context, pausing);
  turns(2);

  EXPECT_EQ(all_of(pausing), "1|" + large('2') + large('3') + "4|");
}

TEST_F(LentInputTest, StaysBehindWhatWaited) {
  const drover_conn stream = open_and_wait();

  carry("lent", [&](std::string_view bytes) {
    give(stream, std::string("copied "));
    give(stream, bytes);
  });

  EXPECT_EQ(all_of(stream), "copied lent|");
}

TEST_F(LentInputTest, CountsToTheLimitOfAnInbox) {
  const drover_conn stream = open_and_wait();
  module_.host->pause_reading(module_.context, stream);
  give(stream, std::string(DROVER_CHILD_INBOX - 3, 'x'));

  carry("abcd", [&](std::string_view bytes) {
    EXPECT_EQ(give(stream, bytes.substr(0, 3)), DROVER_CHILD_INBOX);
    give(stream, bytes.substr(3));
  });

  EXPECT_EQ(module_.closed, std::vector{DROVER_MODULE_FAILED});
}

TEST(LentInput, IsNothingOutsideOfTheBufferOrOfAHook) {
  const std::string buffer(4096, 'b');
  const std::string_view part = std::string_view(buffer).substr(1, 2);
  LentInput lent(buffer);
  EXPECT_FALSE(lent.can_lend(part)) << "nobody reads";
  EXPECT_TRUE(lent.begin());
  EXPECT_FALSE(lent.begin());
  EXPECT_TRUE(lent.can_lend(part));
  EXPECT_FALSE(lent.can_lend(part.substr(1, 0)));
  EXPECT_FALSE(lent.can_lend(std::string("other")));
  EXPECT_EQ(lent.next(), std::nullopt);
  EXPECT_FALSE(lent.can_lend(part)) << "over";
}

}  // namespace
}  // namespace drover
