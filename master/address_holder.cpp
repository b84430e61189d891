// holder_of(): the inode of the socket that listens on an address, from /proc/net, and the process
// that has it open.
#include <dirent.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <unistd.h>

#include <cstdint>
#include <fstream>
#include <functional>
#include <memory>
#include <sstream>

#include "master/listen_socket.h"

namespace drover {
namespace {

constexpr unsigned kListenState = 10;  // TCP_LISTEN in /proc/net/tcp

// Rows are "sl local_address rem_address st tx:rx tr:when retrnsmt uid timeout inode …" (proc(5)).
std::uint64_t tcp_inode(const char* table, std::uint16_t port) {
  std::ifstream rows(table);
  std::string line;
  std::getline(rows, line);
  while (std::getline(rows, line)) {
    std::istringstream fields(line);
    std::string sl, local, remote, state, queues, timer, retransmits, uid, timeout;
    std::uint64_t inode = 0;
    fields >> sl >> local >> remote >> state >> queues >> timer >> retransmits >> uid >> timeout >>
        inode;
    if (!fields || std::stoul(state, nullptr, 16) != kListenState) continue;
    const std::string local_port = local.substr(local.rfind(':') + 1);
    if (std::stoul(local_port, nullptr, 16) == port) return inode;
  }
  return 0;
}

bool has_socket_open(const std::string& pid, const std::string& link_wanted) {
  const std::string folder = "/proc/" + pid + "/fd";
  const std::unique_ptr<DIR, int (*)(DIR*)> fds(opendir(folder.c_str()), closedir);
  if (fds == nullptr) return false;
  while (const dirent* entry = readdir(fds.get())) {
    char link[64] = {};
    const std::string path = folder + "/" + entry->d_name;
    if (readlink(path.c_str(), link, sizeof link - 1) > 0 && link_wanted == link) return true;
  }
  return false;
}

std::string process_with(std::uint64_t inode) {
  const std::string link = fmt::format("socket:[{}]", inode);
  const std::unique_ptr<DIR, int (*)(DIR*)> processes(opendir("/proc"), closedir);
  if (processes == nullptr) return {};
  while (const dirent* entry = readdir(processes.get())) {
    const std::string pid = entry->d_name;
    if (pid.find_first_not_of("0123456789") != std::string::npos || !has_socket_open(pid, link))
      continue;
    std::string command;
    std::ifstream("/proc/" + pid + "/comm") >> command;
    return fmt::format("pid {} ({})", pid, command);
  }
  return {};
}

}  // namespace

std::string holder_of(const Address& address) {
  if (address.is_unix()) return {};
  for (const char* table : {"/proc/net/tcp", "/proc/net/tcp6"}) {
    const std::uint64_t inode = tcp_inode(table, address.port());
    if (inode == 0) continue;
    if (std::string process = process_with(inode); !process.empty()) return process;
  }
  return {};
}

}  // namespace drover
