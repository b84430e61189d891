// The configuration of the tests of streams: one server, reached over a socket or over streams that
// the test module carrier carries.
#pragma once

#include <string>

#include "tests/support/daemon.h"

namespace drover::test {

enum class Route { kSocket, kStream };

// The server `inner` reached over a socket, or over streams, for it has no listen then.
inline std::string served_over(Route route, const std::string& protocol, const std::string& lines) {
  const bool is_socket = route == Route::kSocket;
  const std::string carrier =
      "\n[server outer]\nlisten = 127.0.0.1:{port}\nprotocol = carrier\ncarrier.serve = inner\n";
  return config(
      "workers = 1\nworking_directory = {dir}\nworker_shutdown_timeout = 20s\nload = " +
          built("test-modules/files.so") + "\nload = " + built("test-modules/closing.so") +
          "\nload = " + built("test-modules/carrier.so") + "\n",
      "\n[server inner]\nprotocol = " + protocol + "\naccess_log = {dir}/access.log\n" +
          (is_socket ? "listen = 127.0.0.1:{port}\n" : "") + lines + (is_socket ? "" : carrier));
}

}  // namespace drover::test
