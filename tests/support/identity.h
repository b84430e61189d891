// Acting as another user, for tests of permissions.
#pragma once

#include <unistd.h>

#include <string>
#include <vector>

namespace drover::test {

// Put before a command: it runs as `nobody` when the test is root, and as the test's own user
// otherwise. Either way not as root, so file modes count.
[[nodiscard]] inline std::vector<std::string> as_unprivileged() {
  if (::geteuid() != 0) return {};
  return {"setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups"};
}

}  // namespace drover::test
