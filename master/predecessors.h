// Masters whose place this one has taken, with what still drains of them: one that has handed over
// and sees its processes off, or orphans of a dead one. They are told by the head of their
// scoreboard, and counted by what is on it: both are their processes' own word.
#pragma once

#include <sys/types.h>

#include <list>
#include <optional>
#include <vector>

#include "common/event.h"
#include "common/scoreboard.h"
#include "master/context.h"
#include "master/totals.h"

namespace drover {

class Predecessors {
 public:
  struct Counted {
    Totals totals;
    MetricSums metrics;  // counters only
  };
  struct Owner {
    // Nobody is left of one; its counters will not change any more. `was_unwatched`: its processes
    // outlived their master, and nobody saw how they ended.
    virtual void on_predecessor_gone(pid_t pid, const Counted& counted, bool was_unwatched) = 0;

   protected:
    ~Owner() = default;
  };
  struct Remains {
    pid_t pid;
    int processes = 0;
    std::uint64_t live = 0;  // connections
  };

  Predecessors(MasterContext& context, Owner* owner) : context_(context), owner_(owner) {}

  // Of one whose scoreboard has another layout the head is enough to lead it: when its master is
  // dead it is waited for until it must have left. One that has none is not waited for.
  void add(pid_t pid, UniqueFd scoreboard_fd, UniqueFd metrics_fd);
  // From now on they are looked at; the orphans among them are told to leave.
  void start(Millis orphans_timeout);
  // While another may count on them, they are left as they are.
  void pause() { tick_.stop(); }
  void resume() { start(orphans_timeout_); }
  // They are somebody else's now.
  void let_go();
  // A later call may only shorten the time. The newest `spared` are left alone.
  void leave_by(Millis deadline, std::size_t spared = 0);

  [[nodiscard]] bool is_empty() const { return all_.empty(); }
  [[nodiscard]] Counted counted() const;
  [[nodiscard]] std::vector<Remains> remains() const;

 private:
  struct One {
    pid_t pid;
    UniqueFd fd;
    ino_t inode;
    HeadMapping head;
    ScoreboardMapping board;             // null: of another layout
    std::optional<MetricBoard> metrics;  // none: of another layout, or of a version without
  };
  [[nodiscard]] static bool has_left_in_order(const One& one);
  [[nodiscard]] static bool has_master(const One& one);
  [[nodiscard]] static std::vector<const Seat*> living(const One& one);
  [[nodiscard]] static Totals totals_of(const One& one);
  [[nodiscard]] static Counted counted_by(const One& one);
  [[nodiscard]] static bool is_gone(const One& one, Millis now);
  void tell_the_unborn();
  void on_tick();
  void kill_all(const One& one);
  void see_off(One& one, Millis now);

  MasterContext& context_;
  Owner* owner_;
  Millis orphans_timeout_{0};
  std::list<One> all_;  // newest first
  Timer<&Predecessors::on_tick> tick_;
};

}  // namespace drover
