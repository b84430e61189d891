// One child process as the master sees it: its pid, its channel, its seat on the scoreboard and how
// far it has come.
#pragma once

#include <sys/types.h>

#include <map>
#include <memory>
#include <optional>
#include <string>

#include "common/channel.h"
#include "common/heritage.h"
#include "master/context.h"
#include "master/seats.h"

namespace drover {

class Child final : private Channel::Listener {
 public:
  enum class State { kStarting, kReady, kServing, kDraining };

  // What becomes of a child is told to the one who keeps it. A child may be destroyed inside these.
  struct Keeper {
    virtual void on_child_ready(Child& child) = 0;
    virtual void on_child_failed(Child& child, const std::string& why) = 0;
    // It got SIGTERM and drains by itself; a helper perhaps after it was told to drain, but without
    // having read that.
    virtual void on_child_leaving(Child& child) = 0;
    virtual void on_child_reopened_logs(Child& child, std::uint64_t serial) = 0;
    virtual void on_child_wants_helper(Child& child, const Message& message) = 0;

   protected:
    ~Keeper() = default;
  };

  // Forks. `heritage` lacks only the seat, the ledger and the channel, which are made here.
  static Result<std::unique_ptr<Child>> spawn(MasterContext& context, Seats& seats,
                                              Heritage heritage, Keeper* keeper);

  [[nodiscard]] pid_t pid() const { return pid_; }
  [[nodiscard]] Role role() const { return role_; }
  [[nodiscard]] State state() const { return state_; }
  [[nodiscard]] bool is_up() const { return state_ == State::kReady || state_ == State::kServing; }
  [[nodiscard]] const Seats::Lease& seat() const { return seat_; }
  [[nodiscard]] Millis born() const { return born_; }
  // How long it has been READY; nothing when it never was.
  [[nodiscard]] std::optional<Millis> served() const;
  [[nodiscard]] const std::string& name() const { return name_; }  // "worker 3 gen 7"
  // The module that it said it loads; empty when it loads none.
  [[nodiscard]] const std::string& trying() const { return trying_; }
  // What a validator said that modules count, by module.
  [[nodiscard]] const std::map<std::string, Metrics>& metrics() const { return metrics_; }

  void serve();
  void drain(Millis deadline, const std::vector<std::uint32_t>& removed_listeners);
  void reopen_logs(std::uint64_t serial, const std::vector<int>& fds);
  void close_listener(std::uint32_t id);
  void close_server(std::uint32_t server);
  void kill(int signal_number) const;
  // It does not get on: what it hangs in is to blame. SIGABRT leaves a backtrace.
  void kill_as_hung(int signal_number);
  [[nodiscard]] bool was_hung() const { return was_hung_; }
  // After it was reaped: what it still had to say, for example why it failed.
  void hear_last_words() { channel_.read_pending(); }

 private:
  Child(MasterContext& context, const Heritage& heritage, pid_t pid, UniqueFd channel,
        Seats::Lease seat, Keeper* keeper);
  void on_message(Message message) override;
  void on_metrics(std::string_view body);
  void on_channel_closed() override {}  // its exit is told by SIGCHLD

  pid_t pid_;
  Role role_;
  std::string name_;
  State state_ = State::kStarting;
  bool was_hung_ = false;
  Seats::Lease seat_;
  Millis born_;
  std::optional<Millis> ready_at_;
  std::string trying_;
  std::map<std::string, Metrics> metrics_;
  Keeper* keeper_;
  Channel channel_;
};

}  // namespace drover
