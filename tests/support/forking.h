// Children of a unit test, for what lies in memory that processes share.
#pragma once

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdint>
#include <functional>

namespace drover::test {

inline constexpr std::uintptr_t kPage = 4096;

// Ends with its test, whatever becomes of that.
inline pid_t in_child(const std::function<void()>& body) {
  const pid_t pid = fork();
  if (pid == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    body();
    _exit(0);
  }
  return pid;
}

inline void wait_for(pid_t pid) {
  int status = 0;
  ASSERT_EQ(waitpid(pid, &status, 0), pid);
}

// In a child: it stops at its first write to the page, and ends that write once it is continued.
inline void stop_at_write_to(void* page) {
  static void* guarded = nullptr;
  guarded = page;
  signal(SIGSEGV, [](int) {
    raise(SIGSTOP);
    mprotect(guarded, kPage, PROT_READ | PROT_WRITE);
  });
  mprotect(guarded, kPage, PROT_READ);
}

}  // namespace drover::test
