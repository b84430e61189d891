// The host functions for servers by name and for the streams that a module carries.
#pragma once

#include "modules/sdk/drover_module.h"

namespace drover {

const drover_server* module_server(drover_context* context, const char* name);
drover_conn module_open_child(drover_context* context, drover_conn parent,
                              const drover_server* server, const drover_transport* transport,
                              void* argument);
size_t module_child_data(drover_context* context, drover_conn child, drover_slice bytes);
void module_child_end(drover_context* context, drover_conn child);
void module_child_reset(drover_context* context, drover_conn child);
void module_child_writable(drover_context* context, drover_conn child);

}  // namespace drover
