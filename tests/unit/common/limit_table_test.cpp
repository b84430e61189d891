// The table is shared memory between processes, so these tests fork.
#include "common/limit_table.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <functional>
#include <set>
#include <string>
#include <vector>

namespace drover {
namespace {

using Verdict = LimitTable::Verdict;

pid_t in_child(const std::function<void()>& body) {
  const pid_t pid = fork();
  if (pid == 0) {
    body();
    _exit(0);
  }
  return pid;
}

void wait_for(pid_t pid) {
  int status = 0;
  ASSERT_EQ(waitpid(pid, &status, 0), pid);
}

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
  std::vector<LedgerMapping> ledgers;
  for (int i = 0; i < 4; ++i) ledgers.push_back(make_ledger(kTries));

  std::vector<pid_t> children;
  for (auto& ledger : ledgers) {
    children.push_back(in_child([&] {
      for (std::size_t i = 0; i < kTries; ++i) {
        while (table->take(key, kLimit, ledger->entries[i].server_key) == Verdict::kBusy) {
        }
      }
    }));
  }
  for (const pid_t child : children) wait_for(child);

  std::size_t granted = 0;
  for (auto& ledger : ledgers) {
    for (std::size_t i = 0; i < kTries; ++i)
      granted += ledger->entries[i].server_key == key ? 1 : 0;
  }
  EXPECT_EQ(granted, kLimit);
  EXPECT_EQ(table->count(key), kLimit);
}

TEST(LimitTable, AKilledProcessesShareComesBackWithTheRecount) {
  auto table = make_limit_table();
  auto mine = make_ledger(4);
  auto theirs = make_ledger(4);
  const std::uint64_t key = table->key("web");
  ASSERT_EQ(table->take(key, 4, mine->entries[0].server_key), Verdict::kGranted);
  wait_for(in_child([&] {
    for (int i = 0; i < 3; ++i) {
      static_cast<void>(table->take(key, 4, theirs->entries[i].server_key));
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
    auto ledger = make_ledger(3);
    const pid_t child = in_child([&] {
      for (;;) {
        for (std::size_t i = 0; i < keys.size(); ++i) {
          static_cast<void>(table->take(keys[i], 10, ledger->entries[i].server_key));
        }
        for (std::size_t i = 0; i < keys.size(); ++i) {
          static_cast<void>(table->give_back(ledger->entries[i].server_key));
        }
      }
    });
    usleep(static_cast<useconds_t>(200 + round * 7));  // a different instruction each time
    kill(child, SIGKILL);
    wait_for(child);
    ASSERT_TRUE(table->recount({}));
  }

  for (const std::uint64_t key : keys) {
    EXPECT_EQ(table->count(key), 0U);
    std::uint64_t held = 0;
    EXPECT_EQ(table->take(key, 1, held), Verdict::kGranted);
  }
}

TEST(LimitTable, AStoppedHolderMakesOthersBusyAndBlocksNobody) {
  auto table = make_limit_table();
  const std::uint64_t key = table->key("web");
  const pid_t child = in_child([&] {
    std::uint64_t held = 0;
    for (;;) {
      static_cast<void>(table->take(key, 10, held));
      static_cast<void>(table->give_back(held));
    }
  });

  bool was_busy = false;
  std::uint64_t held = 0;
  for (int round = 0; round < 2000 && !was_busy; ++round) {
    usleep(300);
    kill(child, SIGSTOP);
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, WUNTRACED), child);
    const Verdict verdict = table->take(key, 10, held);
    was_busy = verdict == Verdict::kBusy;
    EXPECT_NE(verdict, Verdict::kAtLimit);
    if (verdict == Verdict::kGranted) {
      EXPECT_TRUE(table->give_back(held));
    }
    kill(child, SIGCONT);
  }
  kill(child, SIGKILL);
  wait_for(child);

  EXPECT_TRUE(was_busy) << "the holder was never stopped inside the lock";
  EXPECT_EQ(table->take(key, 10, held), Verdict::kGranted);
}

}  // namespace
}  // namespace drover
