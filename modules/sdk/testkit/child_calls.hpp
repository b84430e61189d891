// The functions of drover_host for servers and streams. Private to the kit.
#pragma once

#include "testkit.hpp"

// A server of the configuration, which has every server that a module asks for.
struct drover_server {
  std::string name;
};

namespace drover::testkit {

struct ChildCalls {
  static const drover_server* server(drover_context* context, const char* name);
  static drover_conn open_child(drover_context* context, drover_conn parent,
                                const drover_server* server, const drover_transport* transport,
                                void* argument);
  static std::size_t child_data(drover_context* context, drover_conn child, drover_slice bytes);
  static void child_end(drover_context* context, drover_conn child);
  static void child_reset(drover_context* context, drover_conn child);
  static void child_writable(drover_context* context, drover_conn child);

 private:
  static Host::Child* find(drover_context* context, drover_conn child, const char* function);
};

}  // namespace drover::testkit
