// What the stream module tells to `drover -s status`: the counts of its sessions, and how much of
// its budgets is in use.
#pragma once

#include <cstdint>

#include "modules/mux/limits.h"
#include "modules/sdk/module.hpp"

namespace mux {

// The rows of kMetrics, in their order.
enum Number : std::uint32_t {
  kSessionsSmux,
  kSessionsXsmux1,
  kSessionsXsmux2,
  kSessionsYamux,
  kStreamsOpened,
  kStreamsRefused,
  kStreamsOverRate,
  kStreamsOverMemory,
  kStreamsReset,
  kProtocolErrors,
  kSilentPeers,
  kUndecided,
  kUnknownProtocols,
  kIdleSessions,
  kSessionsCut,
  kWindowsGrown,
  kPings,
  kBufferedBytes,
  kWindowBytes
};

namespace detail {
constexpr drover::Metric counter(const char* name, const char* help) {
  return {.name = name, .kind = DROVER_COUNTER, .help = help};
}
constexpr drover::Metric gauge(const char* name, const char* help) {
  return {.name = name, .kind = DROVER_GAUGE, .help = help};
}
}  // namespace detail

inline constexpr drover::Metric kMetrics[] = {
    detail::counter("sessions_smux", "sessions of monochromegane/smux"),
    detail::counter("sessions_xsmux1", "sessions of xtaci/smux, version 1"),
    detail::counter("sessions_xsmux2", "sessions of xtaci/smux, version 2"),
    detail::counter("sessions_yamux", "sessions of hashicorp/yamux"),
    detail::counter("streams_opened", "streams that became connections"),
    detail::counter("streams_refused", "streams over a limit, or opened while the worker drained"),
    detail::counter("streams_over_rate", "streams refused by mux.opens_per_second"),
    detail::counter("streams_over_memory", "streams broken off because buffers were full"),
    detail::counter("streams_reset", "streams that their peer broke off"),
    detail::counter("protocol_errors", "sessions ended because of what their peer sent"),
    detail::counter("silent_peers", "sessions whose peer gave no sign of life in time"),
    detail::counter("undecided", "connections that did not show in time what they speak"),
    detail::counter("unknown_protocols", "connections that speak nothing that is served"),
    detail::counter("idle_sessions", "sessions ended by mux.idle_session_timeout"),
    detail::counter("sessions_cut", "sessions that mux.drain_timeout found with open streams"),
    detail::counter("windows_grown", "times that the window of a stream grew"),
    detail::counter("pings", "pings of peers"),
    detail::gauge("buffered_bytes", "bytes that wait for a server or for a peer"),
    detail::gauge("window_bytes", "bytes that windows have grown beyond their first size"),
};
static_assert(std::size(kMetrics) == kWindowBytes + 1);

class Metrics {
 public:
  explicit Metrics(const drover::Host& host) : host_(host) {}

  void count(Number number) { host_.count(number); }
  // What has changed since the last time.
  void tell(const Worker& worker);

 private:
  void tell_more(Number number, std::uint64_t now, std::uint64_t& told);
  void tell_level(Number number, std::size_t now, std::size_t& told);

  drover::Host host_;
  Worker told_;
};

}  // namespace mux
