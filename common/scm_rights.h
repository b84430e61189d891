// Descriptors that travel with a message over a unix socket (SCM_RIGHTS, unix(7)), as owned values.
#pragma once

#include <sys/socket.h>

#include <cstddef>
#include <span>
#include <vector>

#include "common/unique_fd.h"

namespace drover {

// Room for the descriptors of one message, at most so many; lives as long as the msghdr in use.
template <std::size_t Most>
struct DescriptorRoom {
  alignas(cmsghdr) char bytes[CMSG_SPACE(sizeof(int) * Most)] = {};
};

// For sendmsg(): the message carries `fds`, for which there must be room. The caller's own stay
// open.
void attach_descriptors(msghdr& header, std::span<char> room, std::span<const int> fds);

// For recvmsg(): without room the kernel installs no descriptor.
void make_room_for_descriptors(msghdr& header, std::span<char> room);

// After recvmsg(): what came with the message.
[[nodiscard]] std::vector<UniqueFd> take_descriptors(msghdr& header);

}  // namespace drover
