/* Does not come back from being loaded. */
#include <unistd.h>

#include "modules/sdk/drover_module.h"

__attribute__((constructor)) static void hang(void) {
  for (;;) pause();
}

const struct drover_module drover_module = {
    .size = sizeof(struct drover_module),
    .abi = DROVER_ABI,
    .name = "hanging",
    .version = "1.0",
};
