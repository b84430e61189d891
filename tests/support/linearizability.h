// Whether what concurrent clients saw can be explained by one order of all their operations, in
// which each takes effect at one moment between its call and its return. The search for such an
// order is that of Wing and Gong, with Lowe's memory of what was tried already.
//
// An Event has
//   called, returned     moments of one clock that all clients share
//   is_unknown           nobody heard how it ended: it may have taken effect or not
// and  bool take_effect(const Event&, State&)  finds by its arguments: false if it cannot have
// ended as it did in this state, else the state is that after it. One that is unknown ends as it
// should. A State can be compared with < and ==.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <set>
#include <tuple>
#include <utility>
#include <vector>

namespace drover::test {

// For the return of what never returned.
inline constexpr std::uint64_t kNever = std::numeric_limits<std::uint64_t>::max();

enum class Linearizable {
  kYes,
  kNo,
  kTooCostly,  // to find out, it seems: as good as no, for what is right is explained at once
};

template <class Event, class State>
class LinearizabilityChecker {
 public:
  explicit LinearizabilityChecker(std::vector<Event> events) : events_(std::move(events)) {
    std::ranges::sort(events_, {}, &Event::called);
    first_return_from_.assign(events_.size() + 1, kNever);
    for (std::size_t i = events_.size(); i-- > 0;)
      first_return_from_[i] = std::min(first_return_from_[i + 1], events_[i].returned);
  }

  Linearizable check(const State& start) {
    std::vector<Node> path;
    tried_.clear();
    enter(path, {{}, 0, start});
    while (!path.empty()) {
      if (is_all_done(path.back().place)) return Linearizable::kYes;
      if (tried_.size() > kMostPlaces) return Linearizable::kTooCostly;
      advance(path);
    }
    return Linearizable::kNo;
  }
  // Those that could have been next where the search came furthest, for who has to find out why.
  [[nodiscard]] const std::vector<Event>& stuck_at() const { return stuck_at_; }

 private:
  static constexpr std::size_t kMostPlaces = 1'000'000;

  // What is done: all events before `high`, but for the open ones.
  struct Place {
    std::vector<std::uint32_t> open;
    std::uint32_t high = 0;
    State state{};

    bool operator<(const Place& other) const {
      return std::tie(high, open, state) < std::tie(other.high, other.open, other.state);
    }
  };
  struct Step {
    std::uint32_t event;
    bool is_left_out;  // it has not taken effect, and never will
  };
  struct Node {
    Place place;
    std::vector<Step> steps;
    std::size_t tried = 0;
  };

  [[nodiscard]] bool is_all_done(const Place& place) const {
    return place.open.empty() && place.high == events_.size();
  }
  void enter(std::vector<Node>& path, Place place) {
    if (!tried_.insert(place).second) return;
    std::vector<Step> steps = steps_from(place);
    if (place.high - place.open.size() >= furthest_) note(place, steps);
    path.push_back({std::move(place), std::move(steps)});
  }
  void note(const Place& place, const std::vector<Step>& steps) {
    furthest_ = place.high - place.open.size();
    stuck_at_.clear();
    for (const Step& step : steps) {
      if (!step.is_left_out) stuck_at_.push_back(events_[step.event]);
    }
  }
  void advance(std::vector<Node>& path) {
    Node& node = path.back();
    if (node.tried == node.steps.size()) return path.pop_back();
    const Step step = node.steps[node.tried++];
    State state = node.place.state;
    if (!step.is_left_out && !take_effect(events_[step.event], state)) return;
    enter(path, after(node.place, step.event, std::move(state)));
  }
  static Place after(const Place& place, std::uint32_t event, State state) {
    Place next{place.open, place.high, std::move(state)};
    std::erase(next.open, event);
    for (; next.high <= event; ++next.high) {
      if (next.high != event) next.open.push_back(next.high);
    }
    return next;
  }
  // Who was called after it cannot come before who returned. What is sure comes first: of what is
  // not, that it took effect is seen soon, or makes no difference.
  [[nodiscard]] std::vector<Step> steps_from(const Place& place) const {
    std::uint64_t first_return = first_return_from_[place.high];
    for (const auto event : place.open)
      first_return = std::min(first_return, events_[event].returned);
    std::vector<std::uint32_t> next = place.open;
    for (auto i = place.high; i < events_.size() && events_[i].called < first_return; ++i)
      next.push_back(i);
    std::vector<Step> steps;
    for (const auto event : next) {
      if (!events_[event].is_unknown) steps.push_back({event, false});
    }
    for (const bool is_left_out : {false, true}) {
      for (const auto event : next) {
        if (events_[event].is_unknown) steps.push_back({event, is_left_out});
      }
    }
    return steps;
  }

  std::vector<Event> events_;                     // by their calls
  std::vector<std::uint64_t> first_return_from_;  // of this event and all after it
  std::set<Place> tried_;
  std::size_t furthest_ = 0;
  std::vector<Event> stuck_at_;
};

}  // namespace drover::test
