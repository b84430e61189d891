#include "modules/mux/metrics.h"

#include <utility>

namespace mux {

void Metrics::tell(const Worker& worker) {
  const Counts& now = worker.counts;
  Counts& told = told_.counts;
  tell_more(kStreamsRefused, now.streams_refused, told.streams_refused);
  tell_more(kStreamsOverRate, now.streams_over_rate, told.streams_over_rate);
  tell_more(kStreamsOverMemory, now.streams_over_memory, told.streams_over_memory);
  tell_more(kStreamsReset, now.streams_reset, told.streams_reset);
  tell_more(kProtocolErrors, now.protocol_errors, told.protocol_errors);
  tell_more(kSilentPeers, now.silent_peers, told.silent_peers);
  tell_more(kWindowsGrown, now.windows_grown, told.windows_grown);
  tell_more(kPings, now.pings, told.pings);
  tell_level(kBufferedBytes, worker.memory_used, told_.memory_used);
  tell_level(kWindowBytes, worker.window_used, told_.window_used);
}

void Metrics::tell_more(Number number, std::uint64_t now, std::uint64_t& told) {
  const std::uint64_t more = now - std::exchange(told, now);
  if (more > 0) host_.count(number, more);
}

void Metrics::tell_level(Number number, std::size_t now, std::size_t& told) {
  if (std::exchange(told, now) != now) host_.gauge(number, static_cast<std::int64_t>(now));
}

}  // namespace mux
