// What clients of a key-value store did and saw, for the checker of linearizability.h. The unit is
// a tree: some keys each of which is a prefix of the next, so that a longest-prefix search is one
// look at all of them. Trees have nothing to do with each other, and are checked one by one.
//
// Every write of a history stores another value.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <ostream>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "tests/support/linearizability.h"

namespace drover::test {

inline constexpr int kNone = 0;  // for a value: not there

struct Stored {
  int value = kNone;
  std::uint64_t cas = 0;  // 0: nobody has heard it yet
  auto operator<=>(const Stored&) const = default;
};
using TreeState = std::array<Stored, 4>;  // the keys from the shortest on

enum class KvKind { kSet, kAdd, kSetIf, kErase, kGet, kLongest };

struct KvEvent {
  KvKind kind = KvKind::kGet;
  std::size_t key = 0;          // of what was asked, for kLongest the longest that could be found
  int value = kNone;            // written or seen
  std::uint64_t condition = 0;  // of kSetIf: the cas that the key must have
  std::uint64_t cas = 0;        // that was seen, or is that of what was written; 0: it was not told
  bool is_done = true;          // false: a write was refused because of what was there or was not
  bool is_unknown = false;
  std::uint64_t called = 0;
  std::uint64_t returned = kNever;
};

inline bool store_if(bool may, const KvEvent& event, Stored& stored) {
  if (may && event.is_done) stored = {event.value, event.cas};
  return may == event.is_done;
}

// A cas that nobody has heard when it is asked for is another one: who asks has heard his.
inline bool take_effect(const KvEvent& event, TreeState& state) {
  Stored& stored = state[event.key];
  const bool is_there = stored.value != kNone;
  switch (event.kind) {
    case KvKind::kSet:
      return store_if(true, event, stored);
    case KvKind::kAdd:
      return store_if(!is_there, event, stored);
    case KvKind::kSetIf:
      return store_if(is_there && stored.cas == event.condition, event, stored);
    case KvKind::kErase:
      if (event.is_done) stored = {};
      return is_there == event.is_done;
    case KvKind::kGet:
      if (event.cas != 0 && stored.cas == 0) stored.cas = event.cas;
      return stored.value == event.value && (event.cas == 0 || stored.cas == event.cas);
    case KvKind::kLongest:
      for (std::size_t key = event.key + 1; key-- > 0;) {
        if (state[key].value != kNone) return state[key].value == event.value;
      }
      return event.value == kNone;
  }
  return false;
}

inline std::ostream& operator<<(std::ostream& out, const KvEvent& event) {
  constexpr std::array kNames{"set", "add", "set if", "erase", "get", "longest"};
  out << kNames[static_cast<std::size_t>(event.kind)] << " key " << event.key << " value "
      << event.value << " condition " << event.condition << " cas " << event.cas
      << (event.is_done ? "" : " refused") << (event.is_unknown ? " unknown" : "") << " ["
      << event.called << ", ";
  return event.returned == kNever ? out << "never)" : out << event.returned << "]";
}

// Empty, or what could not be explained.
inline std::string unexplained(std::vector<KvEvent> history, const TreeState& start = {}) {
  LinearizabilityChecker<KvEvent, TreeState> checker(std::move(history));
  const Linearizable result = checker.check(start);
  if (result == Linearizable::kYes) return "";
  std::ostringstream text;
  text << (result == Linearizable::kNo ? "none of these" : "too costly; perhaps none of these")
       << " can have been next:\n";
  for (const KvEvent& event : checker.stuck_at()) text << "  " << event << "\n";
  return text.str();
}

}  // namespace drover::test
