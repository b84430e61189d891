// One round of reopening logs: every process was sent its new descriptors; the askers are answered
// when each has said that it uses them, has died, or the time is up.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "common/event.h"
#include "master/control_server.h"

namespace drover {

class LogReopening {
 public:
  explicit LogReopening(event_base* base) : base_(base) {}

  // Waits for these processes. A round that was under way is joined by the new one.
  std::uint64_t begin(std::set<int> pids, Reply reply);
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
