#include "master/context.h"

namespace drover {

ContextOwner::ContextOwner(Log* log, const RoleMains& roles, bool is_daemon)
    : base_(make_event_base()),
      scoreboard_(make_scoreboard()),
      limits_(make_limit_table()),
      context_{base_.get(), log, scoreboard_.get(), limits_.get(), roles, is_daemon, &zones_} {}

}  // namespace drover
