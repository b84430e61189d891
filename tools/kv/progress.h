// How far a load has come, on a terminal, in one line that is written over.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

namespace drover::kv {

struct ProgressState {
  std::uint64_t read_bytes = 0;
  std::uint64_t size_bytes = 0;  // 0: not known
  std::uint64_t lines = 0;
  std::chrono::milliseconds elapsed{0};
};

// "[######--------------]  30%  1234 lines  56000/s"; without a size no bar. At most 79 columns.
[[nodiscard]] std::string progress_line(const ProgressState& state);

class Progress {
 public:
  // Silent if it is not shown.
  Progress(bool is_shown, std::uint64_t size_bytes) : is_shown_(is_shown), size_(size_bytes) {}
  ~Progress() { clear(); }
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  // At most ten times a second.
  void update(std::uint64_t read_bytes, std::uint64_t lines);
  // Leaves an empty line.
  void clear();

 private:
  using Clock = std::chrono::steady_clock;

  bool is_shown_;
  std::uint64_t size_;
  Clock::time_point start_ = Clock::now();
  Clock::time_point next_ = start_;
  bool is_on_screen_ = false;
};

}  // namespace drover::kv
