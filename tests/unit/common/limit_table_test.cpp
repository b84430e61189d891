// The table is shared memory between processes, so these tests fork.
#include "common/limit_table.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "tests/support/forking.h"

namespace drover {
namespace {

using Verdict = LimitTable::Verdict;
using Ledger = std::unique_ptr<ConnectionLedger>;

using test::in_child;
using test::wait_for;

TEST(LimitTable, GrantsUpToTheLimitAndAgainAfterAReturn) {
  auto table = make_limit_table();
  const std::uint64_t key = table->key("web");
  std::array<std::uint64_t, 3> held{};

  EXPECT_EQ(table->take(key, 2, held[0]), Verdict::kGranted);
  EXPECT_EQ(table->take(key, 2, held[1]), Verdict::kGranted);
  EXPECT_EQ(table->take(key, 2, held[2]), Verdict::kAtLimit);
  EXPECT_EQ(held[2], 0U);
  EXPECT_TRUE(table->give_back(held[0]));
  EXPECT_EQ(held[0], 0U);
  EXPECT_EQ(table->take(key, 2, held[2]), Verdict::kGranted);
  EXPECT_EQ(table->count(key), 2U);
}

TEST(LimitTable, GivingBackNothingChangesNothing) {
  auto table = make_limit_table();
  std::uint64_t held = 0;
  std::uint64_t nothing = 0;
  ASSERT_EQ(table->take(table->key("web"), 5, held), Verdict::kGranted);

  EXPECT_TRUE(table->give_back(nothing));

  EXPECT_EQ(table->count(table->key("web")), 1U);
}

TEST(LimitTable, KeysDifferByServerAndAddressAndTable) {
  auto table = make_limit_table();
  auto other = make_limit_table();
  const std::array<std::uint8_t, 2> ip{1, 2};

  const std::set<std::uint64_t> keys{table->key("a"), table->key("b"), table->key("a", ip),
                                     table->key("b", ip), other->key("a")};

  EXPECT_EQ(keys.size(), 5U);
  EXPECT_EQ(table->key("a", ip), table->key("a", ip));
}

TEST(LimitTable, CountsManyKeysThroughTheirComingAndGoing) {
  auto table = make_limit_table();
  constexpr std::size_t kKeys = 50'000;
  std::vector<std::uint64_t> held(kKeys);
  const auto key = [&](std::size_t i) { return table->key("server" + std::to_string(i)); };

  for (std::size_t i = 0; i < kKeys; ++i)
    ASSERT_EQ(table->take(key(i), 1, held[i]), Verdict::kGranted);
  for (std::size_t i = 0; i < kKeys; i += 2) ASSERT_TRUE(table->give_back(held[i]));

  for (std::size_t i = 0; i < kKeys; ++i) ASSERT_EQ(table->count(key(i)), i % 2) << i;
}

TEST(LimitTable, IsExactWhenFourProcessesRaceAtTheLimit) {
  auto table = make_limit_table();
  constexpr std::size_t kLimit = 1000;
  constexpr std::size_t kTries = 800;
  const std::uint64_t key = table->key("web");
  std::vector<Ledger> ledgers;
  for (int i = 0; i < 4; ++i) ledgers.push_back(make_ledger(kTries).value());

  std::vector<pid_t> children;
  for (auto& ledger : ledgers) {
    children.push_back(in_child([&] {
      for (std::size_t i = 0; i < kTries; ++i) {
        while (table->take(key, kLimit, ledger->at(i).server_key) == Verdict::kBusy) {
        }
      }
    }));
  }
  for (const pid_t child : children) wait_for(child);

  std::size_t granted = 0;
  for (auto& ledger : ledgers) {
    for (const LedgerEntry& entry : ledger->used()) granted += entry.server_key == key ? 1 : 0;
  }
  EXPECT_EQ(granted, kLimit);
  EXPECT_EQ(table->count(key), kLimit);
}

TEST(LimitTable, AKilledProcessesShareComesBackWithTheRecount) {
  auto table = make_limit_table();
  auto mine = make_ledger(4).value();
  auto theirs = make_ledger(4).value();
  const std::uint64_t key = table->key("web");
  ASSERT_EQ(table->take(key, 4, mine->at(0).server_key), Verdict::kGranted);
  wait_for(in_child([&] {
    for (std::size_t i = 0; i < 3; ++i) {
      static_cast<void>(table->take(key, 4, theirs->at(i).server_key));
    }
    raise(SIGKILL);
  }));
  ASSERT_EQ(table->count(key), 4U);

  const std::array living{mine.get()};
  EXPECT_TRUE(table->recount(living));

  EXPECT_EQ(table->count(key), 1U);
  std::uint64_t held = 0;
  EXPECT_EQ(table->take(key, 4, held), Verdict::kGranted);
}

TEST(LimitTable, SurvivesProcessesKilledAtAnyInstruction) {
  auto table = make_limit_table();
  const std::array<std::uint64_t, 3> keys{table->key("a"), table->key("b"), table->key("c")};
  for (int round = 0; round < 200; ++round) {
    auto ledger = make_ledger(3).value();
    const pid_t child = in_child([&] {
      for (;;) {
        for (std::size_t i = 0; i < keys.size(); ++i) {
          static_cast<void>(table->take(keys[i], 10, ledger->at(i).server_key));
        }
        for (std::size_t i = 0; i < keys.size(); ++i) {
          static_cast<void>(table->give_back(ledger->at(i).server_key));
        }
      }
    });
    usleep(static_cast<useconds_t>(200 + round * 7));  // a different instruction each time
    kill(child, SIGKILL);
    wait_for(child);
    table->release_locks_of(child);
    ASSERT_TRUE(table->recount({}));
  }

  for (const std::uint64_t key : keys) {
    EXPECT_EQ(table->count(key), 0U);
    std::uint64_t held = 0;
    EXPECT_EQ(table->take(key, 1, held), Verdict::kGranted);
  }
}

// A child that is stopped while it has the lock of the key's shard: take() notes what it took
// before it unlocks, and that write faults. Continued, it ends its call and waits to be killed.
pid_t child_stopped_inside_the_lock(LimitTable& table, std::uint64_t key, std::uint64_t& held) {
  const pid_t child = in_child([&] {
    const auto address = reinterpret_cast<std::uintptr_t>(&held);
    test::stop_at_write_to(reinterpret_cast<void*>(address & ~(test::kPage - 1)));
    static_cast<void>(table.take(key, 10, held));
    pause();
  });
  int status = 0;
  EXPECT_EQ(waitpid(child, &status, WUNTRACED), child);
  EXPECT_TRUE(WIFSTOPPED(status));
  return child;
}

// Dead, and not yet reaped.
void kill_without_reaping(pid_t child) {
  kill(child, SIGKILL);
  siginfo_t end{};
  ASSERT_EQ(waitid(P_PID, static_cast<id_t>(child), &end, WEXITED | WNOWAIT), 0);
}

TEST(LimitTable, AStoppedHolderMakesOthersBusyAndBlocksNobody) {
  auto table = make_limit_table();
  auto theirs = make_ledger(1).value();
  const std::uint64_t key = table->key("web");
  const pid_t child = child_stopped_inside_the_lock(*table, key, theirs->at(0).server_key);

  const std::array living{theirs.get()};
  EXPECT_FALSE(table->recount(living));
  EXPECT_LE(table->count(key), 1U);
  std::uint64_t held = 0;
  EXPECT_EQ(table->take(key, 10, held), Verdict::kBusy);
  kill(child, SIGCONT);
  while (table->take(key, 10, held) == Verdict::kBusy) {
  }
  EXPECT_EQ(held, key);

  kill(child, SIGKILL);
  wait_for(child);
}

TEST(LimitTable, AKilledHoldersShardIsBusyUntilItsLocksAreReleasedAndThenExact) {
  auto table = make_limit_table();
  auto mine = make_ledger(3).value();
  auto theirs = make_ledger(1).value();
  const std::uint64_t key = table->key("web");
  ASSERT_EQ(table->take(key, 3, mine->at(0).server_key), Verdict::kGranted);
  const pid_t child = child_stopped_inside_the_lock(*table, key, theirs->at(0).server_key);
  kill_without_reaping(child);

  std::uint64_t held = 0;
  EXPECT_EQ(table->take(key, 3, held), Verdict::kBusy);
  EXPECT_FALSE(table->give_back(mine->at(0).server_key));
  table->release_locks_of(child + 1);
  EXPECT_EQ(table->take(key, 3, held), Verdict::kBusy) << "that was another's lock";
  wait_for(child);
  table->release_locks_of(child);
  const std::array living{mine.get()};
  EXPECT_TRUE(table->recount(living));

  EXPECT_EQ(table->count(key), 1U);
  EXPECT_EQ(table->take(key, 3, mine->at(1).server_key), Verdict::kGranted);
  EXPECT_EQ(table->take(key, 3, mine->at(2).server_key), Verdict::kGranted);
  EXPECT_EQ(table->take(key, 3, held), Verdict::kAtLimit);
}

TEST(LimitTable, ALockOfOneWhoIsGoneIsReleasedWithAnyOther) {
  auto table = make_limit_table();
  auto theirs = make_ledger(1).value();
  const std::uint64_t key = table->key("web");
  const pid_t child = child_stopped_inside_the_lock(*table, key, theirs->at(0).server_key);
  kill(child, SIGKILL);
  wait_for(child);

  table->release_locks_of(1);

  std::uint64_t held = 0;
  EXPECT_EQ(table->take(key, 10, held), Verdict::kGranted);
}

TEST(ConnectionLedger, ShowsWhatWasUsedAndNeverLess) {
  auto ledger = make_ledger(100).value();
  EXPECT_EQ(ledger->used().size(), 0U);

  ledger->at(6).server_key = 1;
  ledger->at(2).server_key = 1;

  EXPECT_EQ(ledger->used().size(), 7U);
}

TEST(ConnectionLedger, AWildWorkersMarkLeadsNobodyBehindTheEnd) {
  auto ledger = make_ledger(100).value();
  const LedgerEntry* first = &ledger->at(0);
  auto* mark = reinterpret_cast<std::uint64_t*>(const_cast<LedgerEntry*>(first - 1));
  ASSERT_EQ(*mark, 1U);

  *mark = ~std::uint64_t{0};

  EXPECT_EQ(ledger->used().size(), 100U);
}

TEST(ConnectionLedger, IsRefusedWhenThereIsNoMemoryForIt) {
  const auto ledger = make_ledger(std::size_t{1} << 52);

  ASSERT_FALSE(ledger.ok());
  EXPECT_EQ(ledger.error().message(), "mmap of a ledger of limits: Cannot allocate memory");
}

}  // namespace
}  // namespace drover
