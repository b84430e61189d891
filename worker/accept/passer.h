// The acceptor's outgoing side: holds what was accepted in this turn, spreads it over the workers
// by worker_choice.h and sends it in batches. What nobody can take is held until somebody can; it
// is never dropped.
#pragma once

#include <cstdint>
#include <unordered_map>
#include <vector>

#include "common/heritage.h"
#include "worker/accept/passing.h"
#include "worker/accept/worker_choice.h"

namespace drover {

class Passer {
 public:
  // The heritage must outlive the passer.
  explicit Passer(const Heritage& heritage);

  // Reads the workers' loads from the scoreboard; once a turn, before has_room() is asked.
  void look();
  // Somebody could take one more than is held.
  [[nodiscard]] bool has_room() const { return held_.size() < room_; }
  void hold(Passed connection) { held_.push_back(std::move(connection)); }
  // Sends what is held to the workers that can take it.
  void flush();
  [[nodiscard]] std::size_t held() const { return held_.size(); }

 private:
  // What was sent to a slot and may not be in its worker's `live` yet.
  struct Unseen {
    std::uint32_t count = 0;
    std::uint64_t turns = 0;  // of the worker's loop when the last was sent
  };

  [[nodiscard]] WorkerLoad load_of(int slot);
  [[nodiscard]] bool spread();
  void send(std::size_t slot);
  void count_room();

  const Heritage& heritage_;
  std::unordered_map<std::uint32_t, AcceptorBalance> balance_of_;  // by listener id
  std::vector<Passed> held_;
  std::vector<std::vector<Passed>> batches_;  // by slot; empty between calls
  std::vector<WorkerLoad> loads_;             // by slot
  std::vector<Unseen> unseen_;                // by slot
  std::size_t room_ = 0;                      // of all workers together
  std::uint64_t chosen_ = 0;                  // the clock of WorkerLoad::last_sent
};

}  // namespace drover
