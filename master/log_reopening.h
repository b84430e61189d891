// One round of reopening logs: all are opened again, every process is sent its new descriptors, and
// the askers are answered when each has said that it uses them, has died, or the time is up.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "common/event.h"
#include "master/control_server.h"
#include "master/error_log.h"
#include "master/generation.h"

namespace drover {

class LogReopening {
 public:
  explicit LogReopening(event_base* base) : base_(base) {}

  // Opens the error log and the generations' access logs again and waits for their processes. A
  // round that was under way is joined by the new one.
  void begin(ErrorLog& error_log, const std::vector<Generation*>& generations, const Reply& reply);
  void on_reopened(int pid, std::uint64_t serial);
  void on_exit(int pid);

  static constexpr Millis kPatience{5'000};

 private:
  void finish_if_complete();
  void on_timeout();

  event_base* base_;
  std::uint64_t serial_ = 0;
  std::set<int> waiting_for_;
  std::vector<Reply> askers_;
  Timer<&LogReopening::on_timeout> timeout_;
};

}  // namespace drover
