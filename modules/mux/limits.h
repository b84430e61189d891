// What one peer may have of a worker, and what all have together. A worker has one Worker, which
// all its sessions share.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "modules/mux/time.h"

namespace mux {

// Every protocol's receiver must take so much before it has said anything (yamux, xtaci/smux v2).
inline constexpr std::uint32_t kFirstWindow = 256 * 1024;
inline constexpr std::size_t kLargestDataFrame =
    std::size_t{16} * 1024;  // that we send, but see smux's answers

// When a worker's memory is used up, streams are broken off only in sessions with more input than
// this that waits, in bytes: not those who use it little.
inline constexpr std::size_t kModestInput = std::size_t{64} << 10;

// What the owner of one stream may leave, in bytes, before a session without windows reads no more.
// It has room for a read more in what Drover keeps for a child (DROVER_CHILD_INBOX).
inline constexpr std::size_t kMostStreamInput = std::size_t{512} << 10;

// A client that is told to open no more, or that has nothing open, may have sent what has not come
// yet: a session that drains takes it for so long.
inline constexpr Time kDrainGrace{100};

// A frame that no peer waits for goes with what is sent next, as TCP's own acknowledgements do
// (RFC 1122, 4.2.3.2), but waits no longer than this, and not behind so many others: Go's yamux
// opens 256 streams before it waits for the first to be acknowledged.
inline constexpr Time kNoticeDelay{20};
inline constexpr std::size_t kMostNotices = 128;

struct Limits {
  std::size_t max_streams = 10'000;  // open at once in a session
  std::uint32_t opens_per_second =
      0;  // of a session; 0: no limit. A burst of one second's may come at once
  std::size_t max_session_input = 16
                                  << 20;  // received and not consumed, of all streams of a session
  std::size_t max_session_output =
      16 << 20;  // taken by write() and not sent, of all streams of a session
  std::size_t max_stream_output =
      64 << 10;  // ... of one stream; smux holds back whole answers beyond it
  std::size_t max_held_answer = 655'350;  // smux: ten frames of 65,535, which its clients keep
  std::uint32_t max_window = 1 << 20;     // a stream's window grows up to here
  Time window_span{200};   // a window grows until it holds what a stream takes in this time
  Time keepalive{10'000};  // xsmux: NOP, yamux: ping after so long without sending (0: none)
  Time silence{60'000};    // the peer is gone when nothing came for so long (0: never)
  Time fin_delay{20};      // xsmux: our FIN after the client's, or of a refusal, waits so long
  Time half_closed_linger{30'000};  // what remains to be sent after the owner has gone, at most
  Time drain_grace{0};  // a drain begins by so much in which all is served that was on its way
};

// Counted from the start of the worker; the owner adds them to its metrics.
struct Counts {
  std::uint64_t streams_refused = 0;      // over max_streams, by the listener, or while draining
  std::uint64_t streams_over_rate = 0;    // refused: over opens_per_second
  std::uint64_t streams_over_memory = 0;  // broken off: over a limit of buffered bytes
  std::uint64_t streams_reset = 0;        // by the peer
  std::uint64_t protocol_errors = 0;      // sessions ended by one
  std::uint64_t silent_peers = 0;         // sessions ended by silence
  std::uint64_t windows_grown = 0;
  std::uint64_t pings = 0;  // of peers, answered or merged
};

// A worker's, of all its sessions.
struct Worker {
  std::uint64_t id_seed = 0;  // no peer should know it: it decides where streams lie in tables
  std::size_t memory_limit = 256 << 20;  // input that waits and output that waits
  std::size_t memory_used = 0;
  std::size_t window_limit = 64 << 20;  // what windows have grown beyond kFirstWindow
  std::size_t window_used = 0;
  Counts counts;
  std::string spare_buffer;  // that a stream has left: the next with much to send takes it
};

}  // namespace mux
