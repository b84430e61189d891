/* Takes the worker with it while it starts: abort() by default; with DYING=exit in the environment
 * it calls exit(3), with DYING=refuse it gives no instance. With DYING_IF it does so only while the
 * file of that name exists. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "modules/sdk/drover_module.h"

static int state; /* a context that is not null */

static void* init(const struct drover_host* host, drover_context* context) {
  const char* how = getenv("DYING");
  const char* file = getenv("DYING_IF");
  (void)host;
  (void)context;
  if (file != NULL && access(file, F_OK) != 0) return &state;
  if (how != NULL && strcmp(how, "exit") == 0) exit(3);
  if (how != NULL && strcmp(how, "refuse") == 0) return NULL;
  abort();
}

const struct drover_module drover_module = {
    .size = sizeof(struct drover_module),
    .abi = DROVER_ABI,
    .name = "dying",
    .version = "1.0",
    .worker_init = init,
};
