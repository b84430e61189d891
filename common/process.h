// What a process does to itself: its title, its signals, its descriptors, its identity.
#pragma once

#include <sys/types.h>

#include <csignal>
#include <string>
#include <string_view>
#include <vector>

#include "common/event.h"
#include "common/result.h"

namespace drover {

// Remembers argv's memory so that set_process_title can write over it. Once, first thing in main();
// argv is copied before by whoever still needs it.
void init_process_title(int argc, char** argv);
// What ps shows: "drover: worker 3 gen 7". Cut to the room there is.
void set_process_title(std::string_view title);

// In a child just forked, signals blocked: a process group of its own, default handlers except
// those that workers ignore (HUP INT QUIT USR1 USR2 WINCH PIPE), the parent's loop reinitialised
// and freed (a child's signal would otherwise wake the parent through libevent's shared socket
// pair), every descriptor closed but 0, 1, 2 and `keep`. Leaves the signals blocked.
void shed_parent(event_base* parents_base, std::vector<int> keep);

// Default handlers for all signals, nothing ignored: for a child that will exec another program.
void reset_signals();

// What a child leaves to the master: a terminal's Ctrl-C or a stray signal to the group must not
// end it. HUP INT QUIT USR1 USR2 WINCH PIPE.
void ignore_masters_signals();

// Points 0, 1 and 2 to /dev/null.
void leave_terminal();

// Changes to the user and group, supplementary groups too; stays dumpable so that /proc/self/fd can
// be opened for module images (proc(5)). Empty user: no effect.
Status drop_privileges(const std::string& user, const std::string& group);

// Whether there is such a process and it has not ended: a zombie has. From /proc; any process.
[[nodiscard]] bool is_running(pid_t pid);
// Whether the process lives and has the file with this inode number mapped: what a pid that a child
// wrote down must show, and one that may have been used again since. False for a process of which
// we may not know. From /proc/PID/maps; any process.
[[nodiscard]] bool has_mapped(pid_t pid, ino_t inode);

// In a child just forked: dies (SIGKILL) when `parent` does, until allow_orphaning(); at once when
// that has happened (prctl(2), PR_SET_PDEATHSIG). After drop_privileges(), which would undo it.
void die_with_parent(pid_t parent);
void allow_orphaning();

// Takes what systemd says to the master alone out of the environment: NOTIFY_SOCKET, LISTEN_*,
// WATCHDOG_*.
void leave_service_manager();

// Blocks all signals for a scope.
class SignalsBlocked {
 public:
  SignalsBlocked();
  SignalsBlocked(const SignalsBlocked&) = delete;
  SignalsBlocked& operator=(const SignalsBlocked&) = delete;
  ~SignalsBlocked();
  // In a forked child: leave all signals unblocked, whatever the parent had.
  static void unblock_all();

 private:
  sigset_t former_{};
};

}  // namespace drover
