#include "worker/accept/worker_choice.h"

#include <tuple>

namespace drover {
namespace {

bool comes_before(AcceptorBalance balance, const WorkerLoad& a, const WorkerLoad& b) {
  if (balance == AcceptorBalance::kRoundRobin) return a.last_sent < b.last_sent;
  return std::tie(a.live, a.last_sent) < std::tie(b.live, b.last_sent);
}

}  // namespace

int choose_worker(AcceptorBalance balance, std::span<const WorkerLoad> loads) {
  int best = -1;
  for (int slot = 0; slot < static_cast<int>(loads.size()); ++slot) {
    const WorkerLoad& load = loads[static_cast<std::size_t>(slot)];
    if (load.room() == 0) continue;
    if (best < 0 || comes_before(balance, load, loads[static_cast<std::size_t>(best)])) best = slot;
  }
  return best;
}

}  // namespace drover
