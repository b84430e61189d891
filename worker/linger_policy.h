// Whether connections that linger shall wait before they are watched, from how it went with those
// before. With near clients waiting saves a twentieth of a short connection, or more; where most
// take longer to close than the wait, it would add as much. Pure.
#pragma once

#include <algorithm>

namespace drover {

class LingerPolicy {
 public:
  // Shall the next one?
  [[nodiscard]] bool should_wait() {
    if (credit_ >= 0) return true;
    ++credit_;  // and try again
    return false;
  }
  // One has waited, and its peer had ended by then or not.
  void after_wait(bool peer_had_ended) {
    credit_ = peer_had_ended ? std::min(credit_ + 1, kMostCredit) : credit_ - kInVain;
  }

 private:
  static constexpr int kMostCredit = 256;
  static constexpr int kInVain = 8;  // one in nine, and none waits

  int credit_ = 0;
};

}  // namespace drover
