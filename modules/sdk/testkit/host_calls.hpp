// The module's side of the test kit: the table of host functions. Private to the kit.
#pragma once

#include "testkit.hpp"

// What the contract calls a context: the way from a host function back to the test's host.
struct drover_context {
  drover::testkit::Host* host;
};

namespace drover::testkit {

[[nodiscard]] const drover_host& host_calls();

}  // namespace drover::testkit
