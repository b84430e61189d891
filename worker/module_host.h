// The functions that modules call, and the beginning and end of a module's instance.
#pragma once

#include <string>

#include "common/result.h"
#include "worker/server.h"

namespace drover {

class Connection;

// The table handed to every module: the same for all, what differs comes with the context.
[[nodiscard]] const drover_host& module_host();

// Null for a connection that has gone, or is another instance's, which is counted.
[[nodiscard]] Connection* find_connection(drover_context* context, drover_conn conn);

// Calls worker_init; an error says which server and, if the module logged why, its words.
[[nodiscard]] Status start_module(Server& server);
// Calls validate, which the module must have; an error says which server and why.
[[nodiscard]] Status validate_module(Server& server);
// "server NAME: module NAME refused WHAT: " and the module's last words.
[[nodiscard]] Error module_refusal(const Server& server, const std::string& what);
// Calls worker_exit, if the module was started.
void stop_module(Server& server);

}  // namespace drover
