// What a server says to the stream module: mux.NAME = value.
#pragma once

#include <cstdint>
#include <string>

#include "modules/mux/limits.h"
#include "modules/sdk/module.hpp"

namespace mux {

// Which protocol clients speak. kXsmux is both of its versions: the first frame says which.
enum class Spoken : std::uint8_t { kAuto, kSmux, kXsmux, kYamux };
inline constexpr const char* kSpokenWords[] = {"auto", "smux", "xsmux", "yamux", nullptr};

inline constexpr std::int64_t kLongestTimeout = 86'400'000;  // a day, in milliseconds
inline constexpr std::int64_t kLargestBudget = std::int64_t{1} << 40;

// A window is at most what Drover keeps for a stream: what came beyond it would break it off.
inline constexpr drover::Directive kDirectives[] = {
    {.name = "serve", .type = DROVER_SERVER, .help = "server whose connections the streams are"},
    {.name = "protocol",
     .type = DROVER_CHOICE,
     .default_text = "auto",
     .words = kSpokenWords,
     .help = "what clients speak; auto tells by their first bytes"},
    {.name = "max_streams",
     .type = DROVER_NUMBER,
     .default_text = "10000",
     .min = 1,
     .max = 1'000'000,
     .help = "streams that a session may have open"},
    {.name = "opens_per_second",
     .type = DROVER_NUMBER,
     .default_text = "0",
     .min = 0,
     .max = 1'000'000,
     .help = "streams that a session may open in a second; 0: any number"},
    {.name = "max_session_buffer",
     .type = DROVER_SIZE,
     .default_text = "16m",
     .min = 512 << 10,
     .max = std::int64_t{1} << 30,
     .help = "bytes received on a session that its streams have not taken"},
    {.name = "max_output",
     .type = DROVER_SIZE,
     .default_text = "16m",
     .min = 1 << 20,
     .max = std::int64_t{1} << 30,
     .help = "bytes that a session's streams have written and that are not sent"},
    {.name = "memory_budget",
     .type = DROVER_SIZE,
     .default_text = "256m",
     .min = 1 << 20,
     .max = kLargestBudget,
     .help = "both kinds of bytes, of all sessions in a worker"},
    {.name = "max_window",
     .type = DROVER_SIZE,
     .default_text = "1m",
     .min = kFirstWindow,
     .max = DROVER_CHILD_INBOX,
     .help = "bytes to which the window of a stream that needs it may grow"},
    {.name = "window_budget",
     .type = DROVER_SIZE,
     .default_text = "64m",
     .min = 0,
     .max = kLargestBudget,
     .help = "bytes that all windows in a worker may grow beyond their first size"},
    {.name = "keepalive",
     .type = DROVER_DURATION,
     .default_text = "10s",
     .min = 0,
     .max = kLongestTimeout,
     .help = "give a sign of life when nothing was sent for this long; 0: never"},
    {.name = "silence_timeout",
     .type = DROVER_DURATION,
     .default_text = "60s",
     .min = 0,
     .max = kLongestTimeout,
     .help = "close a session whose peer gives no sign of life; 0: never"},
    {.name = "detect_timeout",
     .type = DROVER_DURATION,
     .default_text = "60s",
     .min = 1,
     .max = kLongestTimeout,
     .help = "time for a client to show what it speaks"},
    {.name = "idle_session_timeout",
     .type = DROVER_DURATION,
     .default_text = "0s",
     .min = 0,
     .max = kLongestTimeout,
     .help = "close a session on which no stream is open for this long; 0: never"},
    {.name = "half_closed_linger",
     .type = DROVER_DURATION,
     .default_text = "30s",
     .min = 1,
     .max = kLongestTimeout,
     .help = "time for the rest of a stream that its server has done with"},
    {.name = "fin_delay",
     .type = DROVER_DURATION,
     .default_text = "20ms",
     .min = 0,
     .max = 10'000,
     .help = "how long the end of an xsmux stream waits for its reader"},
    {.name = "drain_timeout",
     .type = DROVER_DURATION,
     .default_text = "200s",
     .min = 1,
     .max = kLongestTimeout,
     .help = "end the streams of a draining worker after this long"}};

struct Config {
  std::string serve;
  Spoken spoken = Spoken::kAuto;
  Limits limits;
  std::size_t memory_budget = 0;  // bytes
  std::size_t window_budget = 0;  // bytes
  Time detect_timeout{};
  Time idle_session_timeout{};  // 0: none
  Time drain_timeout{};
};

[[nodiscard]] Config read_config(const drover::Config& config);
// Throws what does not go together.
void check_config(const Config& config);

}  // namespace mux
