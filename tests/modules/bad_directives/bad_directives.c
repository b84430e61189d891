/* A table of directives that no value could satisfy. */
#include "modules/sdk/drover_module.h"

static const struct drover_directive directives[] = {
    {.size = sizeof(struct drover_directive),
     .name = "limit",
     .type = DROVER_NUMBER,
     .min = 9,
     .max = 1},
};

const struct drover_module drover_module = {
    .size = sizeof(struct drover_module),
    .abi = DROVER_ABI,
    .name = "bad_directives",
    .directives = directives,
    .directive_count = 1,
};
