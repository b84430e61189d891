// How a child ended, from what waitpid(2) says, for people.
#pragma once

#include <string>

namespace drover {

// "SEGV"; "RT2" for one that has no name.
[[nodiscard]] std::string signal_name(int number);

// "exited with status 3", "was killed by signal 11 (SIGSEGV)".
[[nodiscard]] std::string describe_end(int wait_status);

// It left by itself, with status 0.
[[nodiscard]] bool is_clean_end(int wait_status);

}  // namespace drover
