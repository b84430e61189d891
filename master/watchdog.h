// Watches heartbeats: asks HangPolicy ten times a second, tells the pools who is silent, and kills
// whom the policy names: SIGABRT first, for its backtrace, SIGKILL a second later.
#pragma once

#include <functional>
#include <map>
#include <vector>

#include "master/child.h"
#include "master/hang_policy.h"

namespace drover {

class Watchdog {
 public:
  struct Watched {
    Child* child;
    bool is_serving;  // of the generation that serves
  };
  struct Owner {
    virtual std::vector<Watched> watched_children() = 0;
    virtual void on_silent(const std::vector<pid_t>& silent) = 0;

   protected:
    ~Owner() = default;
  };

  Watchdog(MasterContext& context, Owner* owner)
      : context_(context), owner_(owner), policy_({}, {}) {}

  // Starts, or goes on with other limits.
  void start(Millis steer_after, Millis hang_timeout);

 private:
  void on_tick();
  void kill_hung(Child& child, Millis now);
  void finish_off(const std::vector<Watched>& watched, Millis now);

  MasterContext& context_;
  Owner* owner_;
  HangPolicy policy_;
  std::map<pid_t, Millis> aborted_;  // SIGABRT was sent then
  Timer<&Watchdog::on_tick> tick_;
};

}  // namespace drover
