/* Needs a second to start. */
#include <time.h>

#include "modules/sdk/drover_module.h"

static int state;

static void* init(const struct drover_host* host, drover_context* context) {
  const struct timespec second = {1, 0};
  (void)host;
  (void)context;
  nanosleep(&second, NULL);
  return &state;
}

const struct drover_module drover_module = {
    .size = sizeof(struct drover_module),
    .abi = DROVER_ABI,
    .name = "slow_start",
    .version = "1.0",
    .worker_init = init,
};
