#include "master/process_end.h"

#include <fmt/format.h>
#include <sys/wait.h>

#include <csignal>
#include <cstring>

namespace drover {

std::string signal_name(int number) {
  const char* name = sigabbrev_np(number);
  if (name != nullptr) return name;
  return number >= SIGRTMIN ? fmt::format("RT{}", number - SIGRTMIN) : "?";
}

std::string describe_end(int wait_status) {
  if (WIFEXITED(wait_status)) return fmt::format("exited with status {}", WEXITSTATUS(wait_status));
  const int number = WTERMSIG(wait_status);
  return fmt::format("was killed by signal {} (SIG{})", number, signal_name(number));
}

bool is_clean_end(int wait_status) {
  return WIFEXITED(wait_status) && WEXITSTATUS(wait_status) == 0;
}

}  // namespace drover
