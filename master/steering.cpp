#include "master/steering.h"

#include <linux/filter.h>
#include <sys/socket.h>

namespace drover {
namespace {

sock_filter statement(int code, std::uint32_t k) {
  return {static_cast<std::uint16_t>(code), 0, 0, k};
}
sock_filter jump_if_equal(std::uint32_t k, std::uint8_t skip_if_not) {
  return {static_cast<std::uint16_t>(BPF_JMP | BPF_JEQ | BPF_K), 0, skip_if_not, k};
}

// A = random; A %= n; then "if A == i return wanted[i]" for each. SKF_AD_RXHASH may be 0, so RANDOM
// it is.
std::vector<sock_filter> program_for(const std::vector<int>& wanted) {
  std::vector<sock_filter> program{
      statement(BPF_LD | BPF_W | BPF_ABS, static_cast<std::uint32_t>(SKF_AD_OFF + SKF_AD_RANDOM)),
      statement(BPF_ALU | BPF_MOD | BPF_K, static_cast<std::uint32_t>(wanted.size()))};
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    program.push_back(jump_if_equal(static_cast<std::uint32_t>(i), 1));
    program.push_back(statement(BPF_RET | BPF_K, static_cast<std::uint32_t>(wanted[i])));
  }
  program.push_back(statement(BPF_RET | BPF_K, static_cast<std::uint32_t>(wanted[0])));
  return program;
}

}  // namespace

Status steer_to(int member_fd, const std::vector<int>& wanted) {
  std::vector<sock_filter> instructions = program_for(wanted);
  const sock_fprog program{static_cast<unsigned short>(instructions.size()), instructions.data()};
  if (setsockopt(member_fd, SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, &program, sizeof program) == 0)
    return Done{};
  return Error::from_errno("SO_ATTACH_REUSEPORT_CBPF");
}

}  // namespace drover
