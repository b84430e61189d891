// Which sockets of a SO_REUSEPORT group get new connections: a classic BPF program on the group
// chooses one of the wanted members at random. (SO_ATTACH_REUSEPORT_CBPF, socket(7); lossless when
// members are taken out: tried on 6.18.)
#pragma once

#include <vector>

#include "common/result.h"

namespace drover {

// `member_fd`: any member of the group. `wanted`: indices in the order in which the members began
// to listen, at most 256.
Status steer_to(int member_fd, const std::vector<int>& wanted);

}  // namespace drover
