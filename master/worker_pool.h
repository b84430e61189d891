// The processes that serve one generation: a post for each slot, one for the acceptor when a server
// asks for it, and one for each helper that a module asked for. Knows who is up, tells the board
// whom to steer around, and sees the generation's drain through.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "master/post.h"

namespace drover {

class WorkerPool final : private Post::Owner {
 public:
  struct Owner {
    // Everything a child is born with but what Child::spawn adds.
    virtual Heritage heritage_for(Role role, int slot) = 0;
    virtual void on_all_ready() = 0;
    // A process ended before all were ready.
    virtual void on_start_failed(const std::string& why) = 0;
    // Whom to steer around has changed on the board.
    virtual void on_steering_changed() = 0;
    virtual void on_logs_reopened(int pid, std::uint64_t serial) = 0;
    // As Post::Owner has it.
    virtual void on_child_lost(const Child& child, int wait_status) = 0;
    // The last worker has gone; the helpers have been told to drain, or there are none.
    virtual void on_helpers_told() = 0;

   protected:
    ~Owner() = default;
  };

  WorkerPool(MasterContext& context, Seats& seats, Board& board, int slots, bool with_acceptor,
             Millis ready_timeout, Owner* owner);

  // Their names, "SERVER/NAME"; before start().
  void add_helpers(const std::vector<std::string>& names);
  Status start();
  void serve();
  // The acceptor first; the workers when it has passed on all it had; the helpers when the last
  // worker has gone, for they write what it did last. Until then they are refilled.
  void drain(Millis deadline, const std::vector<std::uint32_t>& removed_listeners);
  // Workers that wait to be started again need not: what made them die is gone.
  void forgive();
  // Nobody is replaced any more, everybody is killed.
  void abort();
  bool on_exit(pid_t pid, int wait_status);

  [[nodiscard]] std::vector<Child*> children() const;
  [[nodiscard]] bool is_empty() const { return children().empty(); }
  [[nodiscard]] const std::vector<std::unique_ptr<Post>>& workers() const { return workers_; }
  [[nodiscard]] const Post* acceptor() const { return acceptor_.get(); }
  [[nodiscard]] const std::vector<std::unique_ptr<Post>>& helpers() const { return helpers_; }
  // The name of one that is not READY; empty: all are.
  [[nodiscard]] std::string who_is_not_up() const;
  // What the watchdog found: steers around slots whose worker is silent, replaces a silent
  // acceptor.
  void set_silent(const std::vector<pid_t>& silent);

 private:
  enum class State { kStarting, kServing, kDraining };

  Result<std::unique_ptr<Child>> spawn_for(Post& post, Child::Keeper* keeper) override;
  void on_post_ready(Post& post) override;
  void on_post_vacated(Post& post, const std::string& why) override;
  void on_logs_reopened(int pid, std::uint64_t serial) override;
  void on_child_lost(const Child& child, int wait_status) override;

  std::unique_ptr<Post> make_post(Post::Place place);
  [[nodiscard]] std::vector<Post*> posts() const;
  void let_serve(Post& post);
  [[nodiscard]] std::vector<std::vector<Post*>> drain_order() const;
  void drain_next();
  void update_steering();
  [[nodiscard]] bool is_silent(const Child& child) const;

  MasterContext& context_;
  Seats& seats_;
  Board& board_;
  Millis ready_timeout_;
  Owner* owner_;
  State state_ = State::kStarting;
  std::vector<std::unique_ptr<Post>> workers_;
  std::unique_ptr<Post> acceptor_;
  std::vector<std::unique_ptr<Post>> helpers_;
  std::vector<pid_t> silent_;
  Millis drain_deadline_{0};
  std::vector<std::uint32_t> removed_listeners_;
  std::size_t told_ = 0;  // of drain_order(), how many have been told
};

}  // namespace drover
