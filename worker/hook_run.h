// Says on the seat whose code runs: should it never return, the master knows whom to blame.
#pragma once

#include "worker/server.h"

namespace drover {

class RunningMark {
 public:
  explicit RunningMark(Server& server)
      : running_(server.core.seat().running), before_(running_.load(std::memory_order_relaxed)) {
    running_.store(server.index, std::memory_order_relaxed);
  }
  RunningMark(const RunningMark&) = delete;
  RunningMark& operator=(const RunningMark&) = delete;
  ~RunningMark() { running_.store(before_, std::memory_order_relaxed); }
  // For good: the process ends of what ran.
  void keep() { before_ = running_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::int32_t>& running_;
  std::int32_t before_;  // a stream's carrier is called while the stream sends
};

// A hook runs as long as this lives, and its server's on_batch_end is due.
class HookRun : private RunningMark {
 public:
  explicit HookRun(Server& server) : RunningMark(server) { server.runs_in_batch = true; }
};

}  // namespace drover
