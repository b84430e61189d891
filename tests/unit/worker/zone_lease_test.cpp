// Leases in zones: one holder at a time, whoever dies, is stopped, or writes garbage.
#include "worker/zone_lease.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <limits>

#include "worker/zone_mapping.h"

namespace drover {
namespace {

constexpr Millis kNow{1'000'000};
constexpr Millis kLength{500};
constexpr Millis kAfter = kNow + kLength;

TEST(ZoneLease, ReadsBackWhatWasPacked) {
  const ZoneLease lease{(1 << 22) - 1, Millis{std::int64_t{1} << 41}};

  EXPECT_EQ(ZoneLease::unpack(lease.pack()).pid, lease.pid);
  EXPECT_EQ(ZoneLease::unpack(lease.pack()).deadline, lease.deadline);
}

TEST(ZoneLease, IsFreeWhenNobodyHasItItsTimeIsOverOrItIsGarbage) {
  EXPECT_TRUE(ZoneLease{}.is_free(kNow));
  EXPECT_FALSE((ZoneLease{7, kNow + Millis{1}}.is_free(kNow)));
  EXPECT_TRUE((ZoneLease{7, kNow}.is_free(kNow)));
  EXPECT_TRUE((ZoneLease{0, kNow + kLength}.is_free(kNow)));
  EXPECT_FALSE((ZoneLease{7, kNow + kLongestZoneLease}.is_free(kNow)));
  EXPECT_TRUE((ZoneLease{7, kNow + kLongestZoneLease + Millis{1}}.is_free(kNow)));
  EXPECT_TRUE(ZoneLease::unpack(std::numeric_limits<std::uint64_t>::max()).is_free(kNow));
}

// Two mappings of one zone are two workers but for their pid; two holders are two servers in one.
class ZoneLeaseTest : public testing::Test {
 protected:
  std::unique_ptr<ZoneMapping> map() { return std::move(ZoneMapping::map(heritage_)).value(); }

  UniqueFd fd_ = std::move(make_zone("counter", 4096)).value();
  ZoneHeritage heritage_{"counter", fd_.get(), 4096, false};
  std::unique_ptr<ZoneMapping> here_ = map();
  std::unique_ptr<ZoneMapping> there_ = map();
  const int server_ = 0;
  const int other_ = 0;
  const void* me_ = &server_;
  const void* you_ = &other_;
};

TEST_F(ZoneLeaseTest, HasOneHolderAtATime) {
  EXPECT_TRUE(here_->take_lease(0, me_, kNow, kLength));

  EXPECT_FALSE(there_->take_lease(0, you_, kNow, kLength));
  EXPECT_FALSE(here_->take_lease(0, you_, kNow, kLength)) << "another server of the same worker";
  EXPECT_FALSE(there_->keep_lease(0, you_, kNow, kLength));
  EXPECT_TRUE(here_->take_lease(0, me_, kNow, kLength)) << "again";
  EXPECT_TRUE(there_->take_lease(1, you_, kNow, kLength)) << "each number is another";
}

TEST_F(ZoneLeaseTest, IsKeptByItsHolderAndExpiresWithoutIt) {
  ASSERT_TRUE(here_->take_lease(0, me_, kNow, kLength));
  ASSERT_TRUE(here_->keep_lease(0, me_, kAfter, kLength)) << "late, but nobody has taken it";

  EXPECT_FALSE(there_->take_lease(0, you_, kAfter, kLength));
  EXPECT_TRUE(there_->take_lease(0, you_, kAfter + kLength, kLength));
}

TEST_F(ZoneLeaseTest, ItsHolderLearnsThatItHasLostIt) {
  ASSERT_TRUE(here_->take_lease(0, me_, kNow, kLength));
  ASSERT_TRUE(there_->take_lease(0, you_, kAfter, kLength));

  EXPECT_FALSE(here_->keep_lease(0, me_, kAfter, kLength));
  EXPECT_FALSE(here_->take_lease(0, me_, kAfter, kLength));
  here_->give_back_lease(0, me_);
  EXPECT_TRUE(there_->keep_lease(0, you_, kAfter, kLength)) << "what is lost cannot be given back";
}

TEST_F(ZoneLeaseTest, LostToAnotherServerOfTheSameWorkerIsLostToo) {
  ASSERT_TRUE(here_->take_lease(0, me_, kNow, kLength));
  ASSERT_TRUE(here_->take_lease(0, you_, kAfter, kLength));

  EXPECT_FALSE(here_->keep_lease(0, me_, kAfter, kLength));
}

TEST_F(ZoneLeaseTest, GivenBackMayBeTakenAtOnce) {
  ASSERT_TRUE(here_->take_lease(0, me_, kNow, kLength));
  ASSERT_TRUE(here_->take_lease(3, me_, kNow, kLength));

  here_->give_back_leases_of(me_);

  EXPECT_TRUE(there_->take_lease(0, you_, kNow, kLength));
  EXPECT_TRUE(there_->take_lease(3, you_, kNow, kLength));
}

// A process that gets the pid of a dead holder holds nothing by that.
TEST_F(ZoneLeaseTest, IsNotOnesOwnBecauseOfAPid) {
  ASSERT_TRUE(here_->take_lease(0, me_, kNow, kLength));

  EXPECT_FALSE(there_->keep_lease(0, me_, kNow, kLength));
  EXPECT_FALSE(there_->take_lease(0, me_, kNow, kLength));
}

TEST_F(ZoneLeaseTest, RefusesWhatIsOutOfRange) {
  EXPECT_FALSE(here_->take_lease(kZoneLeases, me_, kNow, kLength));
  EXPECT_FALSE(here_->keep_lease(kZoneLeases, me_, kNow, kLength));
  here_->give_back_lease(kZoneLeases, me_);
  EXPECT_FALSE(here_->take_lease(0, me_, kNow, Millis{0}));
  EXPECT_FALSE(here_->take_lease(0, me_, kNow, kLongestZoneLease + Millis{1}));
}

TEST_F(ZoneLeaseTest, IsTakenByOneOfFourThatRace) {
  int winners = 0;
  std::vector<pid_t> racers;
  for (int i = 0; i < 4; ++i) {
    racers.push_back(fork());
    if (racers.back() == 0) _exit(here_->take_lease(0, me_, kNow, kLength) ? 1 : 0);
  }
  for (const pid_t racer : racers) {
    int status = 0;
    waitpid(racer, &status, 0);
    winners += WEXITSTATUS(status);
  }

  EXPECT_EQ(winners, 1);
}

}  // namespace
}  // namespace drover
