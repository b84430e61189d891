#include "tests/support/net_tables.h"

#include <arpa/inet.h>

#include <array>
#include <cstdio>
#include <cstring>
#include <sstream>
#include <unordered_set>

#include "tests/support/command.h"
#include "tests/support/files.h"
#include "tests/support/proc.h"

namespace drover::test {
namespace {

constexpr unsigned kSynReceived = 3;
constexpr unsigned kListen = 10;

struct Row {
  unsigned local_port = 0;
  std::string remote_hex;
  unsigned remote_port = 0;
  unsigned state = 0;
  unsigned rx_queue = 0;
  std::uint64_t inode = 0;
};

// "sl: LOCAL:PORT REMOTE:PORT ST TX:RX TR:WHEN RETR UID TIMEOUT INODE", the addresses as
// hexadecimal words.
bool parse_row(const std::string& line, Row& row) {
  std::array<char, 40> remote{};
  unsigned long long inode = 0;
  const int fields = std::sscanf(
      line.c_str(), " %*d: %*[0-9A-F]:%x %32[0-9A-F]:%x %x %*x:%x %*x:%*x %*x %*d %*d %llu",
      &row.local_port, remote.data(), &row.remote_port, &row.state, &row.rx_queue, &inode);
  row.remote_hex = remote.data();
  row.inode = inode;
  return fields == 6;
}

// Each group of eight digits is one 32-bit word of the address in the byte order of this machine.
std::string printable_ip(const std::string& hex) {
  std::array<std::uint32_t, 4> words{};
  for (size_t i = 0; i < hex.size() / 8; ++i) {
    words[i] = static_cast<std::uint32_t>(std::stoul(hex.substr(i * 8, 8), nullptr, 16));
  }
  std::array<char, INET6_ADDRSTRLEN> text{};
  ::inet_ntop(hex.size() == 8 ? AF_INET : AF_INET6, words.data(), text.data(), text.size());
  return hex.size() == 8 ? text.data() : "[" + std::string(text.data()) + "]";
}

// Calls `visit(row)` for each row of the port.
template <class Visit>
void for_each_row(std::uint16_t port, Visit visit) {
  for (const char* table : {"/proc/net/tcp", "/proc/net/tcp6"}) {
    std::istringstream lines(read_file(table));
    for (std::string line; std::getline(lines, line);) {
      Row row;
      if (parse_row(line, row) && row.local_port == port) visit(row);
    }
  }
}

std::unordered_set<std::uint64_t> inode_set(pid_t pid) {
  const std::vector<std::uint64_t> held = socket_inodes_of(pid);
  return {held.begin(), held.end()};
}

std::string remote_name(const Row& row) {
  return printable_ip(row.remote_hex) + ":" + std::to_string(row.remote_port);
}

}  // namespace

QueueState queue_state(std::uint16_t port) {
  QueueState found;
  for_each_row(port, [&found](const Row& row) {
    if (row.state == kListen) {
      ++found.listeners;
      found.queued += static_cast<int>(row.rx_queue);
    }
    if (row.state == kSynReceived) ++found.half_open;
  });
  return found;
}

int listeners_with_queue(std::uint16_t port) {
  int found = 0;
  for_each_row(port, [&found](const Row& row) {
    if (row.state == kListen && row.rx_queue > 0) ++found;
  });
  return found;
}

int unix_queue_length(const std::string& path) {
  std::istringstream fields(run_command({"ss", "-Hxl", "src", path}).output);
  std::string family;
  std::string state;
  int queued = 0;
  fields >> family >> state >> queued;
  return queued;
}

std::set<std::string> clients_of(pid_t pid, std::uint16_t port) {
  const std::unordered_set<std::uint64_t> inodes = inode_set(pid);
  std::set<std::string> clients;
  for_each_row(port, [&](const Row& row) {
    if (row.state != kListen && inodes.count(row.inode) != 0) clients.insert(remote_name(row));
  });
  return clients;
}

// "u_str ESTAB 0 0 PATH INODE * PEER_INODE"
std::set<std::string> clients_of(pid_t pid, const std::string& path) {
  const std::unordered_set<std::uint64_t> inodes = inode_set(pid);
  std::istringstream lines(run_command({"ss", "-Hx", "src", path}).output);
  std::set<std::string> clients;
  for (std::string line; std::getline(lines, line);) {
    std::istringstream fields(line);
    std::string skipped;
    std::uint64_t mine = 0;
    std::uint64_t theirs = 0;
    for (int i = 0; i < 5; ++i) fields >> skipped;
    fields >> mine >> skipped >> theirs;
    if (inodes.count(mine) != 0) clients.insert("unix:" + std::to_string(theirs));
  }
  return clients;
}

pid_t owner_pid_of(const std::string& client, std::uint16_t port,
                   const std::vector<pid_t>& candidates) {
  for (const pid_t pid : candidates) {
    if (clients_of(pid, port).count(client) != 0) return pid;
  }
  return 0;
}

}  // namespace drover::test
