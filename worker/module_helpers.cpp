#include "worker/module_helpers.h"

#include <fmt/format.h>
#include <sys/eventfd.h>

#include <algorithm>

#include "worker/module_host.h"

namespace drover {
namespace {

static_assert(kMaxHelpers == DROVER_HELPERS);

std::size_t index_of(const Server& server) {
  return static_cast<std::size_t>(&server.settings - server.heritage->settings->servers.data());
}

// The reason when the helper cannot be had.
Status want(Server& server, const char* name) {
  if (server.helpers == nullptr) return Error("asked for outside of validate");
  if (server.module.helper_init == nullptr) return Error("the module has no helper_init");
  return server.helpers->add(index_of(server), name);
}

}  // namespace

int module_want_helper(drover_context* context, const char* name) {
  const Status wanted = want(*context->server, name);
  if (wanted.ok()) return 1;
  const std::string text = fmt::format("helper {} refused: {}", name, wanted.error().message());
  module_host().log(context, DROVER_LOG_ERROR, text.c_str());
  return 0;
}

void module_ring_helper(drover_context* context, const char* name) {
  const Server& server = *context->server;
  const auto& helpers = server.heritage->helpers;
  const auto found = std::ranges::find_if(helpers, [&](const HelperHeritage& helper) {
    return helper.name == name && helper.server == index_of(server);
  });
  if (found != helpers.end()) ring_doorbell(found->doorbell);
}

ModuleTable helper_side(const ModuleTable& module) {
  ModuleTable side{};
  side.size = module.size;
  side.abi = module.abi;
  side.name = module.name;
  side.version = module.version;
  side.worker_exit = module.helper_exit;
  side.on_worker_timer = module.on_helper_timer;
  side.on_doorbell = module.on_helper_doorbell;
  return side;
}

Status start_helper(Server& server, const ModuleTable& module, const std::string& name) {
  server.is_starting = true;
  server.instance = module.helper_init(&module_host(), &server.context, name.c_str());
  server.is_starting = false;
  if (server.instance != nullptr) return Done{};
  return module_refusal(server, "to start helper " + name);
}

}  // namespace drover
