/* Echo as another SDK would have built it: MISMATCH says in what it differs. */
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

#define OTHER_ABI 1
#define TOO_SMALL 2
#define TOO_LARGE 3
#define CUT_FIELD 4
#define NO_NAME 5
#define HUGE_STATE 6
#define OLDER 7
#define NEWER 8

#if MISMATCH == TOO_SMALL
#define SIZE 16
#elif MISMATCH == TOO_LARGE
#define SIZE ((size_t)1 << 40)
#elif MISMATCH == CUT_FIELD
#define SIZE (offsetof(struct drover_module, on_eof) + 4)
#elif MISMATCH == OLDER
#define SIZE offsetof(struct drover_module, on_eof)
#elif MISMATCH == NEWER
#define SIZE sizeof(struct future)
#else
#define SIZE sizeof(struct drover_module)
#endif

/* What a later SDK may have added lies behind; in the struct of an older one there is nothing, so
 * that what is read there is noise. */
struct future {
  struct drover_module now;
  void (*later[4])(void);
};

static void never(void) { abort(); }

/* Exported under the contract's name, with the type that the linker does not look at. */
extern DROVER_EXPORT const struct future exported __asm__("drover_module");
const struct future exported = {
    .now =
        {
            .size = SIZE,
            .abi = MISMATCH == OTHER_ABI ? DROVER_ABI + 1 : DROVER_ABI,
            .name = MISMATCH == NO_NAME ? "no name" : "mismatched",
            .version = "1.0",
            .conn_state_size = MISMATCH == HUGE_STATE ? (size_t)1 << 30 : 0,
            .worker_init = init,
            .worker_exit = free,
            .on_data = on_data,
#if MISMATCH == OLDER || MISMATCH == CUT_FIELD
            .on_eof = (void (*)(void*, drover_conn, void*))never,
            .directives = (const struct drover_directive*)8,
            .directive_count = 1,
#endif
        },
    .later = {never, never, never, never},
};
