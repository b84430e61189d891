// SIGINT and SIGTERM as a descriptor, for a command that has something to say before it goes.
#pragma once

#include "common/unique_fd.h"

namespace drover::kv {

class Interrupt {
 public:
  // From now on they do nothing but make fd() readable.
  Interrupt();

  [[nodiscard]] int fd() const { return fd_.get(); }
  // True when one has come. It is taken then: fd() is silent, and a second one ends the program.
  [[nodiscard]] bool take();
  // Ends the program by the signal that was taken, so that a shell's loop ends, too.
  [[noreturn]] void end_program() const;

 private:
  UniqueFd fd_;
  int taken_ = 0;
};

}  // namespace drover::kv
