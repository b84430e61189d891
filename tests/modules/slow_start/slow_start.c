/* Needs a second to start, and starts a timer before, which never rings. */
#include <time.h>

#include "modules/sdk/drover_module.h"

static int state;

static void* init(const struct drover_host* host, drover_context* context) {
  const struct timespec second = {1, 0};
  host->start_timer(context, INT64_C(1000000000), 0);
  nanosleep(&second, NULL);
  return &state;
}

static void on_worker_timer(void* instance, uint64_t tag) {
  (void)instance;
  (void)tag;
}

const struct drover_module drover_module = {
    .size = sizeof(struct drover_module),
    .abi = DROVER_ABI,
    .name = "slow_start",
    .version = "1.0",
    .worker_init = init,
    .on_worker_timer = on_worker_timer,
};
