// The checker that concurrent tests of the key-value store lean on: it must know what cannot be.
#include "tests/support/linearizability.h"

#include <gtest/gtest.h>

#include <random>
#include <set>

#include "tests/support/kv_history.h"

namespace drover::test {
namespace {

using enum KvKind;

// The state at the beginning: key 0 has the value 1, and the others nothing.
const TreeState kStart{Stored{1, 100}};

struct Row {
  const char* name;
  bool can_be;
  std::vector<KvEvent> history;
};
void PrintTo(const Row& row, std::ostream* out) { *out << row.name; }
class KvHistory : public ::testing::TestWithParam<Row> {};

TEST_P(KvHistory, IsExplainedOrNot) {
  EXPECT_EQ(unexplained(GetParam().history, kStart).empty(), GetParam().can_be);
}

KvEvent set(int value, std::uint64_t called, std::uint64_t returned, std::size_t key = 0) {
  return {.kind = kSet, .key = key, .value = value, .called = called, .returned = returned};
}
KvEvent get(int value, std::uint64_t called, std::uint64_t returned, std::size_t key = 0) {
  return {.kind = kGet, .key = key, .value = value, .called = called, .returned = returned};
}
KvEvent get_cas(int value, std::uint64_t cas, std::uint64_t called, std::uint64_t returned) {
  return {.kind = kGet, .value = value, .cas = cas, .called = called, .returned = returned};
}
KvEvent set_if(std::uint64_t condition, int value, std::uint64_t called, std::uint64_t returned) {
  return {.kind = kSetIf,
          .value = value,
          .condition = condition,
          .called = called,
          .returned = returned};
}
KvEvent add(int value, std::uint64_t called, std::uint64_t returned, std::size_t key = 0) {
  return {.kind = kAdd, .key = key, .value = value, .called = called, .returned = returned};
}
KvEvent erase(std::uint64_t called, std::uint64_t returned, std::size_t key = 0) {
  return {.kind = kErase, .key = key, .called = called, .returned = returned};
}
KvEvent longest(int value, std::uint64_t called, std::uint64_t returned, std::size_t key = 2) {
  return {.kind = kLongest, .key = key, .value = value, .called = called, .returned = returned};
}
KvEvent refused(KvEvent event) {
  event.is_done = false;
  return event;
}
KvEvent unknown(KvEvent event) {
  event.is_unknown = true;
  return event;
}

INSTANTIATE_TEST_SUITE_P(
    All, KvHistory,
    ::testing::Values(
        Row{"nothing", true, {}},
        Row{"read_while_it_is_written", true, {set(2, 0, 5), get(2, 1, 2), get(2, 3, 4)}},
        Row{"not_yet_written", true, {set(2, 0, 5), get(1, 1, 2), get(2, 3, 4)}},
        Row{"stale_read", false, {set(2, 0, 1), get(1, 2, 3)}},
        Row{"new_then_old", false, {set(2, 0, 5), get(2, 1, 2), get(1, 3, 4)}},
        Row{"never_written", false, {get(3, 0, 1)}},
        Row{"lost_write", false, {set(2, 0, 1), get(kNone, 2, 3)}},
        Row{"lost_update",
            false,
            {get_cas(1, 100, 0, 2), get_cas(1, 100, 1, 3), set_if(100, 2, 4, 6),
             set_if(100, 3, 5, 7)}},
        Row{"one_of_two_updates",
            true,
            {get_cas(1, 100, 0, 2), get_cas(1, 100, 1, 3), set_if(100, 2, 4, 6),
             refused(set_if(100, 3, 5, 7))}},
        Row{"update_after_another", false, {set(2, 0, 1), set_if(100, 3, 2, 3)}},
        Row{"update_refused_for_nothing", false, {refused(set_if(100, 3, 2, 3))}},
        Row{"update_of_what_was_heard",
            true,
            {set(2, 0, 1), get_cas(2, 101, 2, 3), set_if(101, 3, 4, 5), get(3, 6, 7)}},
        Row{"cas_that_changes_alone",
            false,
            {set(2, 0, 1), get_cas(2, 101, 2, 3), get_cas(2, 102, 4, 5)}},
        Row{"two_adds_at_once", true, {add(2, 0, 2, 1), refused(add(3, 1, 3, 1))}},
        Row{"two_adds_both_done", false, {add(2, 0, 2, 1), add(3, 1, 3, 1)}},
        Row{"two_adds_both_refused", false, {refused(add(2, 0, 2, 1)), refused(add(3, 1, 3, 1))}},
        Row{"erased_twice", false, {erase(0, 2), erase(1, 3)}},
        Row{"erased_once", true, {erase(0, 2), refused(erase(1, 3))}},
        Row{"longest_that_misses", false, {set(2, 0, 3, 1), erase(4, 6), longest(kNone, 1, 5)}},
        Row{"longest_that_sees_the_other", true, {set(2, 0, 3, 1), erase(4, 6), longest(2, 1, 5)}},
        Row{"longest_of_the_past", false, {set(2, 0, 3, 1), erase(4, 6), longest(1, 7, 8)}},
        Row{"longest_below_a_shorter_path", true, {set(2, 0, 1, 1), longest(1, 2, 3, 0)}},
        Row{"cut_write_that_is_seen", true, {unknown(set(2, 0, 1)), get(2, 2, 3)}},
        Row{"cut_write_that_is_not", true, {unknown(set(2, 0, 1)), get(1, 2, 3)}},
        Row{"cut_write_seen_and_gone_again",
            false,
            {unknown(set(2, 0, 1)), get(2, 2, 3), get(1, 4, 5)}},
        Row{"cut_write_too_late", false, {unknown(set(2, 0, 1)), get(1, 2, 3), get(2, 4, 5)}},
        Row{"cut_write_without_an_end",
            true,
            {unknown(set(2, 0, kNever)), get(1, 2, 3), get(2, 4, 5)}},
        Row{"cut_erase_explains_a_loss",
            true,
            {unknown(erase(0, 3)), get(1, 1, 2), get(kNone, 4, 5)}},
        Row{"cut_update_of_another_cas", false, {unknown(set_if(99, 2, 0, 1)), get(2, 2, 3)}}),
    [](const auto& row) { return row.param.name; });

// What happened in one order, with calls and returns drawn apart.
std::vector<KvEvent> history_of_one_order(std::mt19937& random, std::size_t events) {
  TreeState state = kStart;
  std::vector<KvEvent> history;
  for (std::size_t i = 0; i < events; ++i) {
    KvEvent event{.kind = static_cast<KvKind>(random() % 6),
                  .key = random() % state.size(),
                  .value = static_cast<int>(i) + 2};
    const Stored& stored = state[event.key];
    if (event.kind == kSetIf) event.condition = random() % 2 == 0 ? stored.cas : 99;
    if (event.kind == kSetIf && event.condition == 0) event.condition = 99;
    if (event.kind == kGet) event.value = stored.value;
    if (event.kind == kLongest) {
      event.value = kNone;
      for (std::size_t key = 0; key <= event.key; ++key)
        event.value = state[key].value != kNone ? state[key].value : event.value;
    }
    if (event.kind != kGet && event.kind != kLongest) event.cas = 200 + i;
    if (!take_effect(event, state)) {
      event.is_done = false;
      EXPECT_TRUE(take_effect(event, state)) << event;
    }
    event.called = 100 * i - std::min<std::uint64_t>(100 * i, random() % 300);
    event.returned = 100 * i + 1 + random() % 300;
    event.is_unknown = random() % 50 == 0;
    history.push_back(event);
  }
  return history;
}

TEST(LinearizabilityChecker, ExplainsWhateverHappenedInOneOrder) {
  std::mt19937 random(1);
  for (int round = 0; round < 20; ++round)
    ASSERT_EQ(unexplained(history_of_one_order(random, 500), kStart), "") << round;
}

TEST(LinearizabilityChecker, FindsOneWrongReadInALongHistory) {
  std::mt19937 random(2);
  for (int round = 0; round < 20; ++round) {
    auto history = history_of_one_order(random, 500);
    const auto wrong = std::ranges::find_if(history.begin() + 100, history.end(), [](auto& event) {
      return event.kind == kGet && event.value != kNone && !event.is_unknown;
    });
    ASSERT_NE(wrong, history.end());
    wrong->value = 1;
    wrong->cas = 0;
    EXPECT_NE(unexplained(history, kStart), "") << round;
  }
}

}  // namespace
}  // namespace drover::test
