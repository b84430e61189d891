// What /proc says about a process, and the signals a test sends to it. Every function is safe on a
// process that has gone: it answers "nothing", zero or false.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

namespace drover::test {

[[nodiscard]] std::vector<pid_t> children_of(pid_t pid);
[[nodiscard]] std::vector<pid_t> descendants_of(pid_t pid);  // without pid itself
[[nodiscard]] bool is_alive(pid_t pid);                      // exists and is no zombie
[[nodiscard]] char state_of(pid_t pid);                      // R S D T t Z; 0 when gone
[[nodiscard]] std::string title_of(pid_t pid);               // cmdline, arguments joined by spaces
[[nodiscard]] std::int64_t rss_bytes(pid_t pid);
[[nodiscard]] std::int64_t private_dirty_bytes(pid_t pid);
[[nodiscard]] std::int64_t cpu_ns(pid_t pid);  // user and system, all threads
// What its descriptors are of, as /proc/PID/fd has it: paths, "socket:[INODE]"; without those that
// it closes meanwhile.
[[nodiscard]] std::vector<std::string> fd_links(pid_t pid);
// Without those of /dev/null: a worker's spare ones, which it closes and opens when the master
// speaks.
[[nodiscard]] int fd_count(pid_t pid);
[[nodiscard]] std::vector<std::uint64_t> socket_inodes_of(pid_t pid);

void kill_now(pid_t pid);  // SIGKILL
void stop(pid_t pid);      // SIGSTOP, returns when the process is stopped
void resume(pid_t pid);    // SIGCONT

}  // namespace drover::test
