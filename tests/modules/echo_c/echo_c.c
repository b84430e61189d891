/* Echo written against the C contract alone. */
#include <stdlib.h>

#include "modules/sdk/drover_module.h"

struct echo {
  const struct drover_host* host;
  drover_context* context;
};

static void* init(const struct drover_host* host, drover_context* context) {
  struct echo* echo = malloc(sizeof *echo);
  if (echo == NULL) return NULL;
  echo->host = host;
  echo->context = context;
  return echo;
}

static int64_t on_data(void* instance, drover_conn conn, void* state, struct drover_slice bytes) {
  const struct echo* echo = instance;
  (void)state;
  echo->host->write(echo->context, conn, bytes);
  return (int64_t)bytes.size;
}

static void on_eof(void* instance, drover_conn conn, void* state) {
  const struct echo* echo = instance;
  (void)state;
  echo->host->half_close(echo->context, conn);
}

const struct drover_module drover_module = {
    .size = sizeof(struct drover_module),
    .abi = DROVER_ABI,
    .name = "echo_c",
    .version = "1.0",
    .worker_init = init,
    .worker_exit = free,
    .on_data = on_data,
    .on_eof = on_eof,
};
