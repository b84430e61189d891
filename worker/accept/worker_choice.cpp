#include "worker/accept/worker_choice.h"

#include <algorithm>
#include <limits>

namespace drover {
namespace {

// Beyond this a worker waits for its turn until the others have caught up.
std::uint32_t most_live(AcceptorBalance balance, std::span<const WorkerLoad> loads) {
  if (balance == AcceptorBalance::kRoundRobin) return std::numeric_limits<std::uint32_t>::max();
  std::uint32_t fewest = std::numeric_limits<std::uint32_t>::max();
  for (const WorkerLoad& load : loads) {
    if (load.room() > 0) fewest = std::min(fewest, load.live);
  }
  const std::uint32_t slack = std::max(kLoadSlack, fewest / kLoadSlackPart);
  return fewest + std::min(slack, std::numeric_limits<std::uint32_t>::max() - fewest);
}

}  // namespace

int choose_worker(AcceptorBalance balance, std::span<const WorkerLoad> loads) {
  const std::uint32_t most = most_live(balance, loads);
  int best = -1;
  for (int slot = 0; slot < static_cast<int>(loads.size()); ++slot) {
    const WorkerLoad& load = loads[static_cast<std::size_t>(slot)];
    if (load.room() == 0 || load.live > most) continue;
    if (best < 0 || load.last_sent < loads[static_cast<std::size_t>(best)].last_sent) best = slot;
  }
  return best;
}

}  // namespace drover
