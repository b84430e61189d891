/* Helpers that misbehave, one or more as `helping.mode` says:
 *   fine     works
 *   refuse   helper_init refuses
 *   slow     helper_init takes for ever
 *   abort    dies a millisecond after it has begun to work
 *   stay     blocks in helper_exit for ever
 *   twice    asks for the same helper twice; refused
 *   late     asks in worker_init too, which is refused and harmless
 *   checks   helper_init asks for what a helper does not get, and refuses if it gets it
 *   fall     dies in helper_exit
 *   linger   takes a second and a half in helper_exit */
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "modules/sdk/drover_module.h"

enum mode { FINE, REFUSE, SLOW, ABORT, STAY, TWICE, LATE, CHECKS, FALL, LINGER };
static const char* const modes[] = {"fine", "refuse", "slow", "abort",  "stay", "twice",
                                    "late", "checks", "fall", "linger", NULL};

static const struct drover_directive directives[] = {{.size = sizeof(struct drover_directive),
                                                      .name = "mode",
                                                      .type = DROVER_CHOICE,
                                                      .default_text = "fine",
                                                      .words = modes,
                                                      .help = "what the helper does"}};

struct helper {
  const struct drover_host* host;
  drover_context* context;
  enum mode mode;
};

static enum mode mode_of(const struct drover_host* host, drover_context* context) {
  return (enum mode)host->config_number(context, "mode");
}

static int validate(const struct drover_host* host, drover_context* context) {
  if (!host->want_helper(context, "job")) return 1;
  if (mode_of(host, context) == TWICE && !host->want_helper(context, "job")) return 1;
  return 0;
}

static void* worker_init(const struct drover_host* host, drover_context* context) {
  static int instance;
  if (mode_of(host, context) == LATE && host->want_helper(context, "late")) return NULL;
  return &instance;
}

/* What a helper gets that is a worker's only; null: nothing. */
static const char* gets(const struct drover_host* host, drover_context* context) {
  if (host->connect(context, "127.0.0.1:1", 1000, 0) != 0) return "a connection";
  if (host->slot(context) != host->slots(context)) return "a slot";
  if (host->want_helper(context, "more")) return "a helper";
  host->write(context, 1, (struct drover_slice){"x", 1});
  host->close(context, 1);
  return NULL;
}

static void* helper_init(const struct drover_host* host, drover_context* context,
                         const char* name) {
  struct helper* helper = malloc(sizeof *helper);
  const char* got = NULL;
  if (helper == NULL) return NULL;
  helper->host = host;
  helper->context = context;
  helper->mode = mode_of(host, context);
  if (helper->mode == CHECKS) got = gets(host, context);
  if (helper->mode == REFUSE) got = "no job for me";
  if (got != NULL) host->log(context, DROVER_LOG_ERROR, got);
  if (got != NULL) free(helper);
  if (got != NULL) return NULL;
  while (helper->mode == SLOW) pause();
  if (helper->mode == ABORT) host->start_timer(context, 1, 0);
  host->log(context, DROVER_LOG_NOTICE, name);
  return helper;
}

static void helper_exit(void* instance) {
  const struct timespec a_while = {1, 500000000};
  struct helper* helper = instance;
  while (helper->mode == STAY) pause();
  if (helper->mode == FALL) abort();
  if (helper->mode == LINGER) nanosleep(&a_while, NULL);
  helper->host->log(helper->context, DROVER_LOG_NOTICE, "ends in order");
  free(helper);
}

static void on_helper_timer(void* instance, uint64_t tag) {
  (void)instance;
  (void)tag;
  abort();
}

const struct drover_module drover_module = {
    .size = sizeof(struct drover_module),
    .abi = DROVER_ABI,
    .name = "helping",
    .version = "1.0",
    .worker_init = worker_init,
    .directives = directives,
    .directive_count = sizeof directives / sizeof directives[0],
    .validate = validate,
    .helper_init = helper_init,
    .helper_exit = helper_exit,
    .on_helper_timer = on_helper_timer,
};
