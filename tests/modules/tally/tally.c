/* Answers each line with how many bytes the connection has sent so far, in C; between "hold\n" and
 * "go\n" it cannot be moved. What it freezes is version 2, the count as eight bytes, least first;
 * version 1, of a tally that lived long ago, had four. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "modules/sdk/drover_module.h"

struct tally {
  const struct drover_host* host;
  drover_context* context;
};

struct talk {
  uint64_t bytes;
  int is_held;
};

static void* init(const struct drover_host* host, drover_context* context) {
  struct tally* tally = malloc(sizeof *tally);
  if (tally == NULL) return NULL;
  tally->host = host;
  tally->context = context;
  return tally;
}

static void answer(const struct tally* tally, drover_conn conn, uint64_t count) {
  char text[24];
  const int length = snprintf(text, sizeof text, "%" PRIu64 "\n", count);
  const struct drover_slice bytes = {text, (size_t)length};
  tally->host->write(tally->context, conn, bytes);
}

static int64_t on_data(void* instance, drover_conn conn, void* state, struct drover_slice bytes) {
  const struct tally* tally = instance;
  struct talk* talk = state;
  const char* begin = bytes.data;
  const char* line = begin;
  const char* end = NULL;
  while ((end = memchr(line, '\n', bytes.size - (size_t)(line - begin))) != NULL) {
    const size_t length = (size_t)(end - line) + 1;
    talk->bytes += length;
    if (length == 5 && memcmp(line, "hold", 4) == 0) talk->is_held = 1;
    if (length == 3 && memcmp(line, "go", 2) == 0) talk->is_held = 0;
    answer(tally, conn, talk->bytes);
    line = end + 1;
  }
  return line - begin;
}

static int64_t freeze_talk(void* instance, drover_conn conn, void* state, void* buffer,
                           size_t capacity) {
  const struct talk* talk = state;
  unsigned char* out = buffer;
  (void)instance;
  (void)conn;
  if (talk->is_held) return DROVER_NOT_NOW;
  for (size_t i = 0; i < 8 && i < capacity; ++i) out[i] = (unsigned char)(talk->bytes >> 8 * i);
  return 8;
}

static int thaw_talk(void* instance, drover_conn conn, void* state, uint64_t version,
                     struct drover_slice blob) {
  struct talk* talk = state;
  const unsigned char* in = blob.data;
  const size_t size = version == 2 ? 8 : version == 1 ? 4 : 0;
  (void)instance;
  (void)conn;
  if (size == 0 || blob.size != size) return 0;
  for (size_t i = 0; i < size; ++i) talk->bytes |= (uint64_t)in[i] << 8 * i;
  return 1;
}

const struct drover_module drover_module = {
    .size = sizeof(struct drover_module),
    .abi = DROVER_ABI,
    .name = "tally",
    .version = "1.0",
    .conn_state_size = sizeof(struct talk),
    .worker_init = init,
    .worker_exit = free,
    .on_data = on_data,
    .freeze_version = 2,
    .freeze = freeze_talk,
    .thaw = thaw_talk,
};
