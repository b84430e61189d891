// SIGINT and SIGTERM as a descriptor, for a command that has something to say before it goes.
#pragma once

#include "common/unique_fd.h"

namespace drover::kv {

class Interrupt {
 public:
  // From now on they do nothing but make fd() readable.
  Interrupt();

  [[nodiscard]] int fd() const { return fd_.get(); }
  [[nodiscard]] bool has_come() const;
  // Ends the program by the signal that has come, so that a shell's loop ends, too.
  [[noreturn]] void end_program() const;

 private:
  UniqueFd fd_;
};

}  // namespace drover::kv
