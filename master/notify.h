// What the master says to systemd (sd_notify(3)), and the watchdog that it feeds there. Started by
// somebody else, it says nothing. systemd listens to the main process only: the master of an
// upgrade is silent until the former one has named it.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <string>

#include "common/event.h"
#include "common/log.h"

namespace drover {

class Notify {
 public:
  // `state`: what `systemctl status` is to say now, one line.
  Notify(event_base* base, Log* log, std::function<std::string()> state);
  Notify(const Notify&) = delete;
  Notify& operator=(const Notify&) = delete;

  // Whether systemd listens at all.
  [[nodiscard]] static bool is_wanted();

  // Another is the main process, and has left this interval: silent until take_over().
  void inherit(std::uint64_t watchdog_us);
  void take_over();
  // systemd's interval, for a successor; 0: it wants no sign of life.
  [[nodiscard]] std::uint64_t watchdog_us() const { return watchdog_us_; }

  // The daemon serves. No effect the second time.
  void ready();
  // A reload has begun, and has ended; `refusal` is empty, or why nothing has changed.
  void reloading();
  void reloaded(const std::string& refusal);
  // The daemon is leaving.
  void stopping();
  // The main process is another one from here on. Waits, bounded, until systemd knows: the other
  // one's words would be refused before. Nothing is said any more.
  void hand_over(pid_t successor);

  // Keeps a descriptor for when every process has died (FDSTORE), by a name without ':'.
  void keep(const std::string& name, int fd);
  void forget(const std::string& name);
  // Returns when systemd has read all that was said, or after some seconds.
  void wait_until_heard();
  [[nodiscard]] bool is_speaking() const { return voice_ == Voice::kMain; }

 private:
  enum class Voice { kNobodyListens, kNotYet, kMain, kFormer };
  void say(const std::string& lines);
  void say_state(const std::string& lines);
  [[nodiscard]] std::string line() const;
  void on_tick();

  event_base* base_;
  Log* log_;
  std::function<std::string()> state_;
  Voice voice_;
  std::uint64_t watchdog_us_ = 0;
  bool is_ready_ = false;
  bool is_reloading_ = false;
  std::string refusal_;  // of the last reload, until one succeeds
  std::string last_said_;
  Timer<&Notify::on_tick> tick_;
};

}  // namespace drover
