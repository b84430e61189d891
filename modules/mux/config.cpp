#include "modules/mux/config.h"

#include <stdexcept>

namespace mux {
namespace {

Limits read_limits(const drover::Config& config) {
  Limits limits;
  limits.max_streams = static_cast<std::size_t>(config.number("max_streams"));
  limits.opens_per_second = static_cast<std::uint32_t>(config.number("opens_per_second"));
  limits.max_session_input = config.size("max_session_buffer");
  limits.max_session_output = config.size("max_output");
  limits.max_window = static_cast<std::uint32_t>(config.size("max_window"));
  limits.keepalive = config.duration("keepalive");
  limits.silence = config.duration("silence_timeout");
  limits.fin_delay = config.duration("fin_delay");
  limits.half_closed_linger = config.duration("half_closed_linger");
  limits.drain_grace = kDrainGrace;
  return limits;
}

}  // namespace

Config read_config(const drover::Config& config) {
  Config read;
  read.serve = config.text("serve");
  read.spoken = config.choice<Spoken>("protocol");
  read.limits = read_limits(config);
  read.memory_budget = config.size("memory_budget");
  read.window_budget = config.size("window_budget");
  read.detect_timeout = config.duration("detect_timeout");
  read.idle_session_timeout = config.duration("idle_session_timeout");
  read.drain_timeout = config.duration("drain_timeout");
  return read;
}

void check_config(const Config& config) {
  const Limits& limits = config.limits;
  if (limits.silence > Time{0} && limits.silence <= limits.keepalive) {
    throw std::runtime_error(
        "mux.silence_timeout: must be longer than mux.keepalive, or an idle session ends before "
        "its peer is asked whether it lives");
  }
  if (config.memory_budget < limits.max_session_input) {
    throw std::runtime_error("mux.memory_budget: " + std::to_string(config.memory_budget) +
                             " bytes are less than one session's mux.max_session_buffer of " +
                             std::to_string(limits.max_session_input));
  }
}

}  // namespace mux
