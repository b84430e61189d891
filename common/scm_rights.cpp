#include "common/scm_rights.h"

#include <cstring>

#include "common/check.h"

namespace drover {
namespace {

void take_from(const cmsghdr& part, std::vector<UniqueFd>& fds) {
  const std::size_t count = (part.cmsg_len - CMSG_LEN(0)) / sizeof(int);
  for (std::size_t i = 0; i < count; ++i) {
    int fd = -1;
    std::memcpy(&fd, CMSG_DATA(&part) + i * sizeof fd, sizeof fd);
    fds.emplace_back(fd);
  }
}

}  // namespace

void attach_descriptors(msghdr& header, std::span<char> room, std::span<const int> fds) {
  if (fds.empty()) return;
  const std::size_t size = CMSG_SPACE(fds.size_bytes());
  DROVER_CHECK(size <= room.size());
  make_room_for_descriptors(header, room.first(size));
  cmsghdr* part = CMSG_FIRSTHDR(&header);
  part->cmsg_level = SOL_SOCKET;
  part->cmsg_type = SCM_RIGHTS;
  part->cmsg_len = CMSG_LEN(fds.size_bytes());
  std::memcpy(CMSG_DATA(part), fds.data(), fds.size_bytes());
}

void make_room_for_descriptors(msghdr& header, std::span<char> room) {
  header.msg_control = room.data();
  header.msg_controllen = room.size();
}

std::vector<UniqueFd> take_descriptors(msghdr& header) {
  std::vector<UniqueFd> fds;
  for (cmsghdr* part = CMSG_FIRSTHDR(&header); part != nullptr; part = CMSG_NXTHDR(&header, part)) {
    if (part->cmsg_level == SOL_SOCKET && part->cmsg_type == SCM_RIGHTS) take_from(*part, fds);
  }
  return fds;
}

}  // namespace drover
