// A master that has handed over, or has died, and of whose processes some still drain. Its
// successor gets it with all else (common/master_heritage.h), and workers have it from their master
// (common/heritage.h), so that whoever adopts them knows.
#pragma once

#include <sys/types.h>

namespace drover {

struct PredecessorHeritage {
  pid_t pid = 0;
  int scoreboard_fd = -1;
  int metrics_fd = -1;  // what its workers count for modules; -1: an older version, without
};

}  // namespace drover
