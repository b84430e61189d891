// The binary upgrade, seen from the master that is replaced: runs what is on the disk now, gives it
// the heritage, and waits until it serves or has failed. Of one that fails nothing stays.
#pragma once

#include <sys/resource.h>
#include <sys/types.h>

#include <memory>
#include <string>
#include <vector>

#include "common/channel.h"
#include "common/master_heritage.h"
#include "master/context.h"

namespace drover {

// How this process was started: what an upgrade does once more. Read before anything changes it.
struct Launch {
  std::string binary;  // the file; what is there at the moment of the upgrade is run
  std::vector<std::string> arguments;
  std::string folder;  // the current one: relative paths among the arguments refer to it
  rlim_t soft_nofile;  // before any configuration's rlimit_nofile

  static Launch of_this_process(int argc, char** argv);
};

// In the environment of the new binary: the descriptor of its channel.
inline constexpr const char* kHeritageVariable = "DROVER_HERITAGE";
// The same, taken out of the environment; closed when this start is no upgrade. An error when what
// the variable says is no channel.
[[nodiscard]] Result<UniqueFd> take_heritage_channel();

class Upgrade final : private Channel::Listener {
 public:
  struct Owner {
    // It serves. Listeners that it has no longer. The upgrade must not be destroyed inside.
    virtual void on_upgrade_succeeded(const std::vector<std::uint32_t>& removed) = 0;
    // It is gone, and its children with it. The upgrade may be destroyed inside.
    virtual void on_upgrade_failed(const std::string& why) = 0;
    // After it succeeded: another has taken its place.
    virtual void on_successor_changed(pid_t pid) = 0;

   protected:
    ~Owner() = default;
  };

  static Result<std::unique_ptr<Upgrade>> start(MasterContext& context, const Launch& launch,
                                                const MasterHeritage& heritage, Millis patience,
                                                Owner* owner);
  [[nodiscard]] pid_t pid() const { return pid_; }
  // True when the process was the new master.
  bool on_exit(pid_t pid, int wait_status);
  // Fails it, for a reason of our own, unless it has succeeded.
  void abort(const std::string& why);
  void hear_last_words() { channel_.read_pending(); }

 private:
  Upgrade(MasterContext& context, pid_t pid, UniqueFd channel, Millis patience, Owner* owner);
  void on_message(Message message) override;
  void on_channel_closed() override {}  // its exit is told by SIGCHLD
  void on_overdue();

  pid_t pid_;
  Millis patience_;
  Owner* owner_;
  bool has_succeeded_ = false;
  bool is_aborted_ = false;
  std::string why_not_;
  Channel channel_;
  Timer<&Upgrade::on_overdue> overdue_;
};

}  // namespace drover
