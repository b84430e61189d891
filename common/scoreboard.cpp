#include "common/scoreboard.h"

#include <sys/mman.h>

#include <new>

#include "common/check.h"

namespace drover {

ScoreboardMapping make_scoreboard() {
  void* memory = mmap(nullptr, sizeof(Scoreboard), PROT_READ | PROT_WRITE,
                      MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  DROVER_CHECK(memory != MAP_FAILED);
  return ScoreboardMapping(new (memory) Scoreboard);
}

void ScoreboardUnmap::operator()(Scoreboard* board) const { munmap(board, sizeof(Scoreboard)); }

}  // namespace drover
