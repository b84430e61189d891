// Whether what concurrent clients saw can be explained by one order of all their operations, in
// which each takes effect at one moment between its call and its return. The search for such an
// order is that of Wing and Gong, with Lowe's memory of what was tried already.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <random>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "tests/unit/kvs/shared_memory.h"

namespace kvs {
namespace {

using testing::TestStore;

constexpr std::array<std::string_view, 3> kKeys{"/a", "/a/b", "/a/b/c"};
constexpr std::string_view kPath = "/a/b/c/d";
constexpr int kNone = 0;
using State = std::array<int, kKeys.size()>;  // the values; kNone: not there

enum class Kind { kSet, kErase, kGet, kLongest };

struct Event {
  Kind kind;
  std::size_t key;  // of what was asked, or for kLongest what was found
  int value;        // written or seen; kNone: not there
  std::uint64_t called = 0;
  std::uint64_t returned = 0;
};

// False: the event cannot have happened in this state. Otherwise the state is that after it.
bool take_effect(const Event& event, State& state) {
  switch (event.kind) {
    case Kind::kSet:
      state[event.key] = event.value;
      return true;
    case Kind::kErase: {
      const bool was_there = state[event.key] != kNone;
      state[event.key] = kNone;
      return was_there == (event.value != kNone);
    }
    case Kind::kGet:
      return state[event.key] == event.value;
    case Kind::kLongest: {
      for (std::size_t key = kKeys.size(); key-- > 0;) {
        if (state[key] != kNone) return event.key == key && event.value == state[key];
      }
      return event.value == kNone;
    }
  }
  return false;
}

class Checker {
 public:
  explicit Checker(std::vector<Event> events) : events_(std::move(events)) {}

  bool is_linearizable(const State& start) { return search(0, start); }

 private:
  using Done = std::uint64_t;  // a bit for each event

  bool search(Done done, const State& state) {
    if (done == (Done{1} << events_.size()) - 1) return true;
    if (!tried_.insert({done, state}).second) return false;
    const std::uint64_t first_return = this->first_return(done);
    for (std::size_t i = 0; i < events_.size(); ++i) {
      const bool may_be_next = (done >> i & 1) == 0 && events_[i].called < first_return;
      State next = state;
      if (may_be_next && take_effect(events_[i], next) && search(done | Done{1} << i, next))
        return true;
    }
    return false;
  }
  // Who was called after it cannot come before who returned.
  [[nodiscard]] std::uint64_t first_return(Done done) const {
    std::uint64_t first = ~std::uint64_t{0};
    for (std::size_t i = 0; i < events_.size(); ++i) {
      if ((done >> i & 1) == 0) first = std::min(first, events_[i].returned);
    }
    return first;
  }

  std::vector<Event> events_;
  std::set<std::pair<Done, State>> tried_;
};

int number_in(std::string_view value) { return std::stoi(std::string(value)); }

class Client {
 public:
  Client(const TestStore& store, unsigned seed, std::atomic<std::uint64_t>& clock)
      : store_(store.attach()), random_(seed), clock_(clock) {}

  std::vector<Event> run(int events, int first_value) {
    std::vector<Event> history;
    for (int i = 0; i < events; ++i) {
      Event event{.kind = static_cast<Kind>(random_() % 4),
                  .key = random_() % kKeys.size(),
                  .value = first_value + i};
      event.called = clock_.fetch_add(1);
      while (!attempt(event)) std::this_thread::yield();
      event.returned = clock_.fetch_add(1);
      store_->end_batch();
      history.push_back(event);
    }
    return history;
  }

 private:
  // False: busy.
  bool attempt(Event& event) {
    const std::string_view key = kKeys[event.key];
    switch (event.kind) {
      case Kind::kSet:
        return store_->write({.key = key, .value = std::to_string(event.value)}).answer ==
               Answer::kOk;
      case Kind::kErase: {
        const Answer answer = store_->erase(key);
        event.value = answer == Answer::kOk ? 1 : kNone;
        return answer != Answer::kBusy;
      }
      case Kind::kGet: {
        const auto item = store_->get(key);
        event.value = item ? number_in(item->value) : kNone;
        return true;
      }
      case Kind::kLongest: {
        const auto found = store_->longest_prefix(kPath, Match::kByte);
        event.value = found.answer == Answer::kOk ? number_in(found.item.value) : kNone;
        const auto match = std::find(kKeys.begin(), kKeys.end(), found.item.key);
        event.key = static_cast<std::size_t>(match - kKeys.begin());
        return found.answer != Answer::kBusy;
      }
    }
    return true;
  }

  std::unique_ptr<Store> store_;
  std::mt19937 random_;
  std::atomic<std::uint64_t>& clock_;
};

TEST(KvsChecker, KnowsWhatCannotBe) {
  const State start{1, kNone, kNone};
  const Event set{.kind = Kind::kSet, .key = 1, .value = 2, .called = 0, .returned = 3};
  const Event erase{.kind = Kind::kErase, .key = 0, .value = 1, .called = 4, .returned = 6};
  Event longest{.kind = Kind::kLongest, .key = 3, .value = kNone, .called = 1, .returned = 5};
  EXPECT_FALSE(Checker({set, erase, longest}).is_linearizable(start)) << "one was always there";
  longest.key = 1;
  longest.value = 2;
  EXPECT_TRUE(Checker({set, erase, longest}).is_linearizable(start));
  longest.called = 7;
  longest.returned = 8;
  longest.key = 0;
  longest.value = 1;
  EXPECT_FALSE(Checker({set, erase, longest}).is_linearizable(start)) << "a look into the past";
}

TEST(KvsLinearizability, OfWritesReadsAndPrefixSearches) {
  constexpr int kRounds = 1500;
  constexpr int kClients = 3;
  constexpr int kEvents = 20;  // of a client
  const TestStore store(8 * testing::kMiB, {.shards = 16, .secret = testing::kSecret});
  for (int round = 0; round < kRounds; ++round) {
    for (const auto key : kKeys) (void)store->erase(key);
    std::atomic<std::uint64_t> clock = 0;
    std::atomic<int> waiting = kClients;
    std::array<std::vector<Event>, kClients> histories;
    std::vector<std::thread> threads;
    for (int i = 0; i < kClients; ++i) {
      threads.emplace_back([&, i] {
        Client client(store, static_cast<unsigned>(round * kClients + i), clock);
        --waiting;
        while (waiting > 0) std::this_thread::yield();
        histories[static_cast<std::size_t>(i)] = client.run(kEvents, 1 + i * kEvents);
      });
    }
    for (auto& thread : threads) thread.join();
    std::vector<Event> all;
    for (const auto& history : histories) all.insert(all.end(), history.begin(), history.end());
    ASSERT_TRUE(Checker(all).is_linearizable({})) << "round " << round;
  }
}

// One of two keys is there at every instant, so a search that finds none has seen no instant.
TEST(KvsLinearizability, OfASearchBetweenTwoKeysThatTakeTurns) {
  const TestStore store(8 * testing::kMiB, {.shards = 16, .secret = testing::kSecret});
  (void)store->write({.key = kKeys[0]});
  std::atomic<bool> is_over = false;
  std::thread writer([&] {
    const auto own = store.attach();
    for (std::size_t turn = 0; !is_over; ++turn) {
      while (own->write({.key = kKeys[(turn + 1) % 2]}).answer == Answer::kBusy) {
      }
      while (own->erase(kKeys[turn % 2]) == Answer::kBusy) {
      }
    }
  });
  int missed = 0;
  int found = 0;
  for (int i = 0; i < 200'000; ++i) {
    const Answer answer = store->longest_prefix(kPath, Match::kByte).answer;
    if (answer == Answer::kOk) ++found;
    if (answer == Answer::kNotFound) ++missed;
    store->end_batch();
  }
  is_over = true;
  writer.join();

  EXPECT_EQ(missed, 0);
  EXPECT_GT(found, 0);
}

}  // namespace
}  // namespace kvs
