// A position that is to be filled with a living process: a worker's slot, the acceptor's, or a
// helper's. It starts the first, notices the end of each, and starts the next when RestartPolicy
// says so; at its end a helper's post starts one more, see drain().
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "master/child.h"
#include "master/crash_log.h"
#include "master/restart_policy.h"
#include "master/totals.h"

namespace drover {

// How a process of a post ended that should not have.
struct Crash {
  std::string time;  // RFC 3339
  Millis at{0};      // of the monotonic clock
  pid_t pid = 0;
  std::string signal;  // "SEGV"; empty: it exited
  std::string how;     // "was killed by signal 11 (SIGSEGV)"
  std::optional<CrashDescription> report;
};

class Post final : private Child::Keeper {
 public:
  struct Owner {
    virtual Result<std::unique_ptr<Child>> spawn_for(Post& post, Child::Keeper* keeper) = 0;
    virtual void on_post_ready(Post& post) = 0;
    // The process ended, or could not be started. `why` is for people.
    virtual void on_post_vacated(Post& post, const std::string& why) = 0;
    virtual void on_logs_reopened(int pid, std::uint64_t serial) = 0;
    // One ended otherwise than in order. It has been logged; its post is not filled again yet.
    virtual void on_child_lost(const Child& child, int wait_status) = 0;

   protected:
    ~Owner() = default;
  };

  // Which one it is.
  struct Place {
    Role role = Role::kWorker;
    int slot = 0;      // as Heritage::slot
    std::string name;  // "worker 3", for people
  };
  // Who takes the place of another and is not READY within `ready_timeout` is killed.
  Post(MasterContext& context, Place place, Millis ready_timeout, Owner* owner)
      : context_(context),
        place_(std::move(place)),
        ready_timeout_(ready_timeout),
        owner_(owner),
        has_last_life_(place_.role == Role::kHelper) {}
  Post(const Post&) = delete;
  Post& operator=(const Post&) = delete;

  Status fill();
  // From now on nobody is started in place of who ends.
  void close() { stop_refilling(), has_last_life_ = false; }
  // Tells its processes to drain, and starts nobody in their place; but a helper has something to
  // write when it drains. Where none does so in order, because it is dead already, leaves without
  // having read the order, or dies over it, one more is started and told the same. A later call can
  // only bring the deadline nearer.
  void drain(Millis deadline, const std::vector<std::uint32_t>& removed_listeners);
  // Its process goes on without the post, which gets another one at once: for a frozen acceptor.
  void replace(Millis drain_deadline);
  // Whatever made its processes die is no more: the next one need not wait.
  void forgive();
  // True when the process was this post's.
  bool on_exit(pid_t pid, int wait_status);

  [[nodiscard]] Role role() const { return place_.role; }
  [[nodiscard]] int slot() const { return place_.slot; }
  [[nodiscard]] const std::string& name() const { return place_.name; }
  [[nodiscard]] Child* child() const { return child_.get(); }
  // The one that fills the post, then those that leave it.
  [[nodiscard]] std::vector<Child*> children() const;
  [[nodiscard]] bool is_serving() const {
    return child_ != nullptr && child_->state() == Child::State::kServing;
  }
  [[nodiscard]] int restarts() const { return restarts_; }
  // The last that ended by a signal, or with a status that says that it failed.
  [[nodiscard]] const std::optional<Crash>& last_crash() const { return last_crash_; }
  // Of the processes this post has had and that are gone.
  [[nodiscard]] const Totals& past() const { return past_; }

 private:
  void on_child_ready(Child& child) override;
  void on_child_failed(Child& child, const std::string& why) override;
  void on_child_leaving(Child& child) override;
  void on_child_reopened_logs(Child& child, std::uint64_t serial) override;
  void on_child_wants_helper(Child& /*child*/, const Message& /*message*/) override {}
  void on_refill();
  void on_not_ready_in_time();
  void stop_refilling() { is_closed_ = true, refill_.stop(); }
  void after_end(std::optional<Millis> served, const std::string& why);
  void live_once_more();
  void on_unexpected_end(const Child& child, int wait_status);
  void log_end(const Child& child, int wait_status);

  MasterContext& context_;
  Place place_;
  Millis ready_timeout_;
  Owner* owner_;
  std::unique_ptr<Child> child_;
  std::vector<std::unique_ptr<Child>> leaving_;
  RestartPolicy policy_;
  std::string last_words_;  // of a child that could not become ready
  bool is_closed_ = false;
  bool has_last_life_;  // one more may be started after the post was closed
  Millis drain_deadline_{0};
  int restarts_ = 0;
  std::optional<Crash> last_crash_;
  Totals past_;
  RateLimit log_rate_{10, Millis{60'000}};
  Timer<&Post::on_refill> refill_;
  Timer<&Post::on_not_ready_in_time> not_ready_;
};

}  // namespace drover
