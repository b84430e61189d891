// Who gets a zone, and that it is initialised once whoever dies over it. Other workers are forked.
#include "worker/zone_mapping.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <csignal>
#include <cstring>
#include <ostream>

namespace drover {
namespace {

using testing::HasSubstr;

constexpr std::int64_t kSize = 65'536;
const ZoneOwner kMine{"counter", 1, 16};
const ZoneMapping::Initialise kNothing = [](std::span<std::byte>) { return true; };

class ZoneMappingTest : public testing::Test {
 protected:
  ~ZoneMappingTest() override {
    for (const pid_t pid : children_) {
      kill(pid, SIGKILL);
      waitpid(pid, nullptr, 0);
    }
  }

  std::unique_ptr<ZoneMapping> map() { return std::move(ZoneMapping::map(heritage_)).value(); }
  // Another worker.
  template <class Life>
  pid_t fork_worker(Life life) {
    const pid_t pid = fork();
    if (pid == 0) {
      life();
      _exit(0);
    }
    children_.push_back(pid);
    return pid;
  }
  int wait_for(pid_t pid, int options = 0) {
    int status = 0;
    waitpid(pid, &status, options);
    if (options == 0) std::erase(children_, pid);
    return status;
  }

  UniqueFd fd_ = std::move(make_zone("counter", kSize)).value();
  ZoneHeritage heritage_{"counter", fd_.get(), kSize, false};
  std::vector<pid_t> children_;
};

std::uint64_t& first_word(std::span<std::byte> memory) {
  return *reinterpret_cast<std::uint64_t*>(memory.data());
}

TEST_F(ZoneMappingTest, IsInitialisedByTheFirstAndFoundByTheOthers) {
  const auto first = map();
  const auto second = map();

  const auto granted = first->claim(kMine, [](std::span<std::byte> memory) {
    first_word(memory) = 42;
    return true;
  });
  const auto found = second->claim(kMine, [](std::span<std::byte>) {
    ADD_FAILURE() << "a second time";
    return true;
  });

  EXPECT_EQ(granted.verdict, ZoneVerdict::kGranted);
  EXPECT_EQ(found.verdict, ZoneVerdict::kGranted);
  EXPECT_EQ(second->memory().size(), static_cast<std::size_t>(kSize));
  EXPECT_EQ(first_word(second->memory()), 42U);
  EXPECT_EQ(read_zone_header(fd_.get(), kSize).value().owner, kMine);
}

struct Stranger {
  const char* name;
  ZoneOwner owner;
  ZoneVerdict verdict;
  const char* reason;
};
void PrintTo(const Stranger& row, std::ostream* out) { *out << row.name; }
class StrangerTest : public ZoneMappingTest, public testing::WithParamInterface<Stranger> {};

TEST_P(StrangerTest, IsRefusedWithTheReason) {
  const auto zone = map();
  ASSERT_EQ(zone->claim(kMine, kNothing).verdict, ZoneVerdict::kGranted);

  const ZoneAnswer answer = map()->claim(GetParam().owner, kNothing);

  EXPECT_EQ(answer.verdict, GetParam().verdict);
  EXPECT_THAT(answer.reason, HasSubstr(GetParam().reason));
}

INSTANTIATE_TEST_SUITE_P(
    Table, StrangerTest,
    testing::Values(
        Stranger{
            "module", {"other", 1, 16}, ZoneVerdict::kOtherModule, "belongs to module counter"},
        Stranger{"version",
                 {"counter", 2, 16},
                 ZoneVerdict::kOtherLayout,
                 "its layout is version 1, wanted is version 2"},
        Stranger{"sizes", {"counter", 1, 24}, ZoneVerdict::kOtherLayout, "other sizes"},
        Stranger{
            "long_name", {std::string(64, 'm'), 1, 16}, ZoneVerdict::kFailed, "longer than 63"}),
    [](const auto& row) { return row.param.name; });

// --- what has outlived every process ---

class StoredZoneTest : public ZoneMappingTest {
 protected:
  StoredZoneTest() {
    const ZoneAnswer mine = map()->claim(kMine, [](std::span<std::byte> memory) {
      first_word(memory) = 42;
      return true;
    });
    EXPECT_EQ(mine.verdict, ZoneVerdict::kGranted);
    EXPECT_TRUE(write_zone_state(fd_.get(), ZoneState::kStored).ok());
  }
  ZoneState state() { return read_zone_header(fd_.get(), kSize).value().state; }
};

TEST_F(StoredZoneTest, IsItsOwnersAsItWas) {
  const auto zone = map();

  const ZoneAnswer answer = zone->claim(kMine, kNothing);

  EXPECT_EQ(answer.verdict, ZoneVerdict::kGranted);
  EXPECT_EQ(answer.reason, "");
  EXPECT_EQ(first_word(zone->memory()), 42U);
  EXPECT_EQ(state(), ZoneState::kReady);
}

TEST_F(StoredZoneTest, OfAnotherLayoutIsBegunAnewAndSaysSo) {
  const auto zone = map();

  const ZoneAnswer answer = zone->claim({"counter", 2, 16}, kNothing);

  EXPECT_EQ(answer.verdict, ZoneVerdict::kGranted);
  EXPECT_THAT(answer.reason, HasSubstr("its layout is version 1, wanted is version 2"));
  EXPECT_EQ(first_word(zone->memory()), 0U);
}

TEST_F(StoredZoneTest, IsDroppedOnceAndThenRefusedAsAnyOther) {
  ASSERT_EQ(map()->claim({"other", 1, 8}, kNothing).verdict, ZoneVerdict::kGranted);

  EXPECT_EQ(map()->claim(kMine, kNothing).verdict, ZoneVerdict::kOtherModule);
  EXPECT_EQ(map()->claim({"other", 1, 8}, kNothing).reason, "") << "what is new is not dropped";
}

TEST_F(ZoneMappingTest, OfGarbageIsRefused) {
  const auto zone = map();
  ASSERT_EQ(zone->claim(kMine, kNothing).verdict, ZoneVerdict::kGranted);
  std::memset(zone->memory().data() - kZoneHeaderSize, 0xa5, kZoneHeaderSize);

  EXPECT_EQ(map()->claim(kMine, kNothing).verdict, ZoneVerdict::kDamaged);
}

TEST_F(ZoneMappingTest, OfOneWhoDiedInitialisingIsLeftZeroedAndUnownedToTheNext) {
  const ZoneOwner dead{"dead", 9, 9};
  wait_for(fork_worker([&] {
    static_cast<void>(map()->claim(dead, [](std::span<std::byte> memory) {
      std::ranges::fill(memory, std::byte{0xff});
      return raise(SIGKILL) == 0;
    }));
  }));
  ASSERT_EQ(read_zone_header(fd_.get(), kSize).value().state, ZoneState::kInitialising);

  const auto zone = map();
  const auto answer = zone->claim(kMine, [](std::span<std::byte> memory) {
    return std::ranges::count(memory, std::byte{0}) == kSize;
  });

  EXPECT_EQ(answer.verdict, ZoneVerdict::kGranted) << answer.reason;
}

TEST_F(ZoneMappingTest, OfOneWhoFailedInitialisingIsLeftToTheNext) {
  const auto zone = map();
  const auto failed = zone->claim(kMine, [](std::span<std::byte> memory) {
    first_word(memory) = 1;
    return false;
  });

  const auto again =
      zone->claim(kMine, [](std::span<std::byte> memory) { return first_word(memory) == 0; });

  EXPECT_EQ(failed.verdict, ZoneVerdict::kFailed);
  EXPECT_EQ(again.verdict, ZoneVerdict::kGranted);
}

// It may still write; only its end lets the next begin.
TEST_F(ZoneMappingTest, OfOneWhoWasStoppedInitialisingIsWaitedFor) {
  const pid_t stopped = fork_worker([this] {
    static_cast<void>(
        map()->claim(kMine, [](std::span<std::byte>) { return raise(SIGSTOP) == 0; }));
  });
  ASSERT_TRUE(WIFSTOPPED(wait_for(stopped, WUNTRACED)));
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  const UniqueFd reader(ends[0]);
  UniqueFd writer(ends[1]);
  fork_worker([&] {
    const bool granted = map()->claim(kMine, kNothing).verdict == ZoneVerdict::kGranted;
    static_cast<void>(write(writer.get(), granted ? "y" : "n", 1));
  });
  pollfd answer{reader.get(), POLLIN, 0};

  EXPECT_EQ(poll(&answer, 1, 100), 0);
  kill(stopped, SIGKILL);
  EXPECT_EQ(poll(&answer, 1, 5000), 1);
  char yes = 0;
  EXPECT_EQ(read(reader.get(), &yes, 1), 1);
  EXPECT_EQ(yes, 'y');
}

// In memory that the racers share: how many have come, and how many have initialised.
struct Race {
  std::atomic<int> arrived{0};
  std::atomic<int> initialised{0};
};

TEST_F(ZoneMappingTest, IsInitialisedOnceWhenEightRace) {
  constexpr int kRacers = 8;
  void* shared =
      mmap(nullptr, sizeof(Race), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  ASSERT_NE(shared, MAP_FAILED);
  Race& race = *new (shared) Race;
  std::vector<pid_t> racers;
  for (int i = 0; i < kRacers; ++i) {
    racers.push_back(fork_worker([&] {
      const auto zone = map();
      ++race.arrived;
      const auto granted = zone->claim(kMine, [&](std::span<std::byte>) {
        while (race.arrived < kRacers) usleep(100);  // all the others are at it
        return ++race.initialised > 0;
      });
      _exit(granted.verdict == ZoneVerdict::kGranted ? 0 : 1);
    }));
  }

  for (const pid_t racer : racers) EXPECT_EQ(wait_for(racer), 0);
  EXPECT_EQ(race.initialised, 1);
  munmap(shared, sizeof(Race));
}

TEST_F(ZoneMappingTest, IsWholeHoweverFarAKilledWorkerHadCome) {
  const auto fill = [](std::span<std::byte> memory) {
    std::ranges::fill(memory, std::byte{0x5a});
    return true;
  };
  for (unsigned delay_us = 0; delay_us < 600; delay_us += 10) {
    fd_ = std::move(make_zone("counter", kSize)).value();
    heritage_.fd = fd_.get();
    const pid_t pid = fork_worker([&] { static_cast<void>(map()->claim(kMine, fill)); });
    usleep(delay_us);
    kill(pid, SIGKILL);
    wait_for(pid);

    const auto zone = map();
    ASSERT_EQ(zone->claim(kMine, fill).verdict, ZoneVerdict::kGranted);
    ASSERT_EQ(std::ranges::count(zone->memory(), std::byte{0x5a}), kSize) << delay_us << " us";
  }
}

TEST_F(ZoneMappingTest, TakesAllItsMemoryWhenItIsPreallocated) {
  heritage_.preallocate = true;
  ASSERT_EQ(map()->claim(kMine, kNothing).verdict, ZoneVerdict::kGranted);

  struct stat status {};
  ASSERT_EQ(fstat(fd_.get(), &status), 0);
  EXPECT_GE(status.st_blocks * 512, kSize + static_cast<std::int64_t>(kZoneHeaderSize));
}

TEST_F(ZoneMappingTest, IsMappedOnceAWorker) {
  const std::vector<ZoneHeritage> zones{heritage_};
  ZoneMappings mappings(zones);

  const auto first = mappings.open("counter", kMine, kNothing);
  const auto second = mappings.open("counter", kMine, kNothing);
  const auto unknown = mappings.open("urls", kMine, kNothing);

  ASSERT_NE(first.zone, nullptr);
  EXPECT_EQ(first.zone, second.zone);
  EXPECT_EQ(mappings.find(first.zone->memory().data()), first.zone);
  EXPECT_EQ(mappings.find(nullptr), nullptr);
  EXPECT_EQ(unknown.zone, nullptr);
  EXPECT_EQ(unknown.answer.verdict, ZoneVerdict::kUnknown);
}

}  // namespace
}  // namespace drover
