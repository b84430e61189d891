/* Cannot start, and says why. */
#include "modules/sdk/drover_module.h"

static void* init(const struct drover_host* host, drover_context* context) {
  host->log(context, DROVER_LOG_ERROR, "broken on purpose");
  return NULL;
}

const struct drover_module drover_module = {
    .size = sizeof(struct drover_module),
    .abi = DROVER_ABI,
    .name = "broken",
    .version = "1.0",
    .worker_init = init,
};
