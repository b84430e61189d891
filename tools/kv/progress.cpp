#include "tools/kv/progress.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>

namespace drover::kv {
namespace {

constexpr std::uint64_t kBarColumns = 20;
constexpr std::chrono::milliseconds kInterval{100};

// A file may grow while it is read.
std::string bar(std::uint64_t part, std::uint64_t whole) {
  const double fraction = std::min(
      1.0, static_cast<double>(part) / static_cast<double>(std::max<std::uint64_t>(whole, 1)));
  const auto full = static_cast<std::size_t>(fraction * static_cast<double>(kBarColumns));
  return fmt::format("[{}{}] {:3}%  ", std::string(full, '#'), std::string(kBarColumns - full, '-'),
                     static_cast<int>(fraction * 100));
}

}  // namespace

std::string progress_line(const ProgressState& state) {
  const double seconds = std::chrono::duration<double>(state.elapsed).count();
  const double rate = seconds > 0 ? static_cast<double>(state.lines) / seconds : 0;
  return fmt::format("{}{} lines  {:.0f}/s",
                     state.size_bytes > 0 ? bar(state.read_bytes, state.size_bytes) : std::string(),
                     state.lines, rate);
}

void Progress::update(std::uint64_t read_bytes, std::uint64_t lines) {
  if (!is_shown_) return;
  const Clock::time_point now = Clock::now();
  if (now < next_) return;
  next_ = now + kInterval;
  const auto elapsed = std::chrono::duration_cast<std::chrono::milliseconds>(now - start_);
  fmt::print(stderr, "\r{}\x1b[K", progress_line({read_bytes, size_, lines, elapsed}));
  is_on_screen_ = true;
}

void Progress::clear() {
  if (is_on_screen_) fmt::print(stderr, "\r\x1b[K");
  is_on_screen_ = false;
}

}  // namespace drover::kv
