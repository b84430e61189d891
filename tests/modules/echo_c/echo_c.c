/* Echo written against the C contract alone, with a directive. */
#include <stdlib.h>
#include <string.h>

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

static void on_open(void* instance, drover_conn conn, void* state) {
  const struct echo* echo = instance;
  const char* greeting = echo->host->config_text(echo->context, "greeting");
  const struct drover_slice bytes = {greeting, strlen(greeting)};
  (void)state;
  echo->host->write(echo->context, conn, bytes);
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

static const struct drover_directive directives[] = {
    {.size = sizeof(struct drover_directive),
     .name = "greeting",
     .type = DROVER_TEXT,
     .default_text = "",
     .help = "what is said first"},
};

const struct drover_module drover_module = {
    .size = sizeof(struct drover_module),
    .abi = DROVER_ABI,
    .name = "echo_c",
    .version = "1.0",
    .worker_init = init,
    .worker_exit = free,
    .on_open = on_open,
    .on_data = on_data,
    .on_eof = on_eof,
    .directives = directives,
    .directive_count = sizeof directives / sizeof directives[0],
};
