#include "master/context.h"

namespace drover {

ContextOwner::ContextOwner(Log* log, const RoleMains& roles, bool is_daemon)
    : base_(make_event_base()),
      scoreboard_(make_scoreboard()),
      limits_(make_limit_table()),
      context_{.base = base_.get(),
               .log = log,
               .scoreboard = scoreboard_.mapping.get(),
               .limits = limits_.get(),
               .roles = roles,
               .is_daemon = is_daemon,
               .zones = &zones_,
               .scoreboard_fd = scoreboard_.fd.get(),
               .metrics = &metrics_,
               .scoreboard_inode = inode_of_scoreboard(scoreboard_.fd.get())} {}

}  // namespace drover
